"""Lines: what is written in the place of one, and behind it, is one line."""

import pytest

from proxy.framing.errors import FramingError
from proxy.framing.ndjson import Line, Splitter


def only(raw: bytes) -> Line:
    splitter = Splitter()
    (line,) = [*splitter.feed(raw), *splitter.end()]
    return line


@pytest.mark.parametrize(
    ("expected", "copy", "raw"),
    [
        (b"NEW\n", b"NEW\n", b"1\n"),
        (b"NEW\r\n", b"NEW\r\n", b"1\r\n"),
        (b"NEW", b"\nNEW\n", b"1"),
        (b"\tNEW \r\n", b"NEW\r\n", b"\t1 \r\n"),
        (b"\xef\xbb\xbfNEW\n", b"NEW\n", b"\xef\xbb\xbf1\n"),
    ],
)
def test_other_data_in_the_style_of_the_line(expected: bytes, copy: bytes, raw: bytes) -> None:
    line = only(raw)
    assert (expected, b"NEW") == (line.with_data(b"NEW").raw, line.with_data(b"NEW").data)
    assert (copy, b"NEW") == (line.copy(b"NEW").raw, line.copy(b"NEW").data)


@pytest.mark.parametrize("data", [b"{\n}", b"{\r}", b"{}\n"])
def test_a_line_holds_no_line_end(data: bytes) -> None:
    for write in (only(b"{}\n").with_data, only(b"{}\n").copy):
        with pytest.raises(FramingError):
            write(data)
