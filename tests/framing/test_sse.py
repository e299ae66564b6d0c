"""A stream cut into blocks: no byte is lost at any cut, and what the blocks say does not depend on the cuts."""

import random
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.framing.sse import Block, Splitter

BOM = b"\xef\xbb\xbf"

STREAMS = {
    "LF": b'data: {"a":1}\n\ndata: {"a":2}\n\ndata: [DONE]\n\n',
    "CRLF": b'data: {"a":1}\r\n\r\ndata: {"a":2}\r\n\r\ndata: [DONE]\r\n\r\n',
    "CR": b'data: {"a":1}\r\rdata: {"a":2}\r\rdata: [DONE]\r\r',
    "every ending in one stream": b"data: 1\n\r\ndata: 2\r\n\ndata: 3\r\ndata: 4\n\ndata: 5\r\r\n",
    "no space behind the colon": b"data:1\n\ndata:  2\n\n",
    "other fields and comments": b": hello\n\nevent: e\nid: 7\ndata: 1\nretry: 9\n\n: bye\n\n",
    "several data lines": b"data: {\ndata: }\n\ndata: a\nevent: e\ndata:b\n\n",
    "data without a colon": b"data\n\ndata\ndata\n\n",
    "no blank line at the end": b"data: 1\n\ndata: 2\n",
    "no line end at the end": b"data: 1\r\n\r\ndata: 2",
    "BOM": BOM + b"data: 1\n\ndata: 2\n\n",
    "BOM and CRLF": BOM + b"data: 1\r\n\r\n",
    "many blank lines": b"\n\n\ndata: 1\n\n\n\n\r\n\r\n\rdata: 2\n\n",
    "characters that only look like line ends": "data: a\u2028b\u0085c\x0b\x0c\x1c\n\n".encode(),
    "UTF-8 of every length": "data: é€\U0001f600\n\n".encode(),
    "no UTF-8": b"data: \xff\xc3\xe2\x82\n\n",
    "names that only begin like data": b"database: 1\n\ndata : 2\n\n data: 3\n\nData: 4\n\n",
}


def blocks(stream: bytes, *cuts: int) -> list[Block]:
    splitter = Splitter()
    ends = [0, *cuts, len(stream)]
    found = [one for start, end in pairwise(ends) for one in splitter.feed(stream[start:end])]
    return [*found, *splitter.end()]


def told(found: list[Block]) -> list[bytes]:
    return [block.data for block in found if block.data is not None]


def oracle(stream: bytes) -> list[bytes]:
    """The data of the events, by the standard's grammar, line by line."""
    found: list[bytes] = []
    data: list[bytes] = []
    for line in [*re.split(rb"\r\n|\r|\n", stream.removeprefix(BOM)), b""]:
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
        elif not line and data:
            found.append(b"\n".join(data))
            data = []
    return found


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_no_byte_is_lost_and_no_cut_matters(stream: bytes) -> None:
    expected = oracle(stream)
    for first in range(len(stream) + 1):
        for second in range(first, len(stream) + 1):
            found = blocks(stream, first, second)
            assert stream == b"".join(block.raw for block in found)
            assert expected == told(found)


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_byte_by_byte(stream: bytes) -> None:
    assert oracle(stream) == told(blocks(stream, *range(1, len(stream))))


@given(
    st.lists(st.sampled_from([b"data: x", b"data:", b"data", b": c", b"id: 1", b"\r", b"\n", b"\r\n", b"y", b" "])),
    st.randoms(),
)
def test_any_stream_at_any_cuts(parts: list[bytes], chance: random.Random) -> None:
    stream = b"".join(parts)
    cuts = sorted(chance.randrange(len(stream) + 1) for _ in range(chance.randrange(6)))
    found = blocks(stream, *cuts)
    assert stream == b"".join(block.raw for block in found)
    assert oracle(stream) == told(found)


@pytest.mark.parametrize("ending", [b"\n\n", b"\r\r", b"\r\n\r\n"])
def test_a_block_comes_out_with_its_blank_line(ending: bytes) -> None:
    splitter = Splitter()
    assert [*splitter.feed(b"data: 1" + ending[:-1] if ending != b"\r\n\r\n" else b"data: 1\r\n")] == []
    last = ending[-1:] if ending != b"\r\n\r\n" else b"\r\n"
    assert told(splitter.feed(last)) == [b"1"]


@pytest.mark.parametrize(
    ("expected", "raw"),
    [
        (b"data: NEW\n\n", b"data: old\n\n"),
        (b"data:NEW\n\n", b"data:old\n\n"),
        (b"data: NEW\r\n\r\n", b"data: old\r\n\r\n"),
        (b"data: NEW\r\r", b"data: old\r\r"),
        (b"data: NEW", b"data: old"),
        (b"event: e\nid: 1\ndata: NEW\nretry: 2\n: c\n\n", b"event: e\nid: 1\ndata: old\nretry: 2\n: c\n\n"),
        (b"data: NEW\nid: 1\n\n", b"data: o\nid: 1\ndata: ld\n\n"),
        (BOM + b"data: NEW\n\n", BOM + b"data: old\n\n"),
    ],
)
def test_other_data_in_the_style_of_the_block(expected: bytes, raw: bytes) -> None:
    (block,) = blocks(raw)
    assert expected == block.with_data(b"NEW").raw
    assert block.with_data(b"NEW").data == b"NEW"


@pytest.mark.parametrize(
    "raw", [b"data: {\ndata:  1\ndata: }\n\n", b"data:a\r\ndata:\r\ndata:b\r\n\r\n", b"data: a\ndata: b"]
)
def test_data_of_several_lines_stays_on_several_lines(raw: bytes) -> None:
    (block,) = blocks(raw)
    assert block.data is not None
    assert raw.rstrip() == block.with_data(block.data).raw.rstrip()
    assert [block.data] == told(blocks(block.with_data(block.data).raw))


@pytest.mark.parametrize(
    ("expected", "raw"),
    [
        (b"event: e\nid: 1\ndata: NEW\n\n", b"event: e\nid: 1\ndata: old\n\n"),
        (b"data:NEW\r\n\r\n", b"data:old\r\n\r\n"),
        (b"data: NEW\n\n", BOM + b"data: old\n\n"),
        (b"\ndata: NEW\n\n", b"data: old\n"),
        (b"\r\ndata: NEW\r\n\r\n", b"data: old\r\n"),
        (b"\n\ndata: NEW\n\n", b"data: old"),
        (b"\r\revent: e\rdata: NEW\r\r", b"event: e\rdata: old"),
    ],
)
def test_a_copy_ends_the_block_in_front_and_itself(expected: bytes, raw: bytes) -> None:
    (block,) = blocks(raw)
    assert (expected, b"NEW") == (block.copy(b"NEW").raw, block.copy(b"NEW").data)
