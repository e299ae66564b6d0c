"""RIFF: what is read can be written again, and nothing is believed that goes beyond the file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.media import riff
from proxy.media.errors import MediaError

KINDS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=4, max_size=4).map(str.encode)


@given(st.lists(st.tuples(KINDS, st.binary(max_size=9))), st.binary(max_size=9))
def test_what_is_written_is_read_and_written_again(parts: list[tuple[bytes, bytes]], trailer: bytes) -> None:
    data = riff.file(b"FORM", [riff.chunk(kind, body) for kind, body in parts], trailer)
    form, chunks, rest = riff.parse(data)
    assert (form, bytes(rest)) == (b"FORM", trailer)
    assert [(found.kind, bytes(found.data)) for found in chunks] == parts
    assert riff.file(form, [found.whole for found in chunks], rest) == data


def test_the_data_of_a_chunk_may_come_in_parts() -> None:
    assert riff.chunk(b"abcd", b"12", memoryview(b"3")) == b"abcd\3\0\0\0" + b"123\0"


@pytest.mark.parametrize("missing", [0, 1])
def test_the_byte_that_evens_the_last_chunk_may_be_missing(missing: int) -> None:
    body = b"FORMabcd\3\0\0\0" + b"123\0"[: 4 - missing]
    data = b"RIFF" + len(body).to_bytes(4, "little") + body
    _, (found,), rest = riff.parse(data)
    assert (bytes(found.data), bytes(found.whole), bytes(rest)) == (b"123", b"abcd\3\0\0\0" + b"123\0", b"")


def test_a_space_inside_a_chunk_holds_chunks_too() -> None:
    inner = riff.chunk(b"one ", b"1") + riff.chunk(b"two ", b"22")
    assert [found.kind for found in riff.chunks(memoryview(inner))] == [b"one ", b"two "]
    assert riff.chunks(memoryview(b"")) == []


WHOLE = riff.file(b"FORM", [riff.chunk(b"abcd", b"1234"), riff.chunk(b"efgh", b"5678")])


@pytest.mark.parametrize("end", range(len(WHOLE)))
def test_any_prefix_is_cut_short(end: int) -> None:
    with pytest.raises(MediaError):
        riff.parse(WHOLE[:end])


@pytest.mark.parametrize(
    ("message", "data"),
    [
        ("header is missing", b"RIFX" + WHOLE[4:]),
        ("before its last chunk", WHOLE[:4] + b"\xff\xff\xff\xff" + WHOLE[8:]),
        ("before its last chunk", WHOLE[:4] + b"\3\0\0\0" + WHOLE[8:]),
        ("inside a chunk", WHOLE[:16] + b"\xff\0\0\0" + WHOLE[20:]),
        ("inside a chunk", WHOLE[:4] + b"\x0e\0\0\0" + WHOLE[8:]),
        ("no name", WHOLE.replace(b"abcd", b"ab\0d")),
        ("no name", WHOLE.replace(b"abcd", b"ab\xffd")),
        ("too many", riff.file(b"FORM", [riff.chunk(b"abcd", b"")] * (riff.MAX_CHUNKS + 1))),
    ],
)
def test_what_is_broken_is_refused_with_the_reason(message: str, data: bytes) -> None:
    with pytest.raises(MediaError, match=message):
        riff.parse(data)


def test_what_is_longer_than_riff_can_say_is_refused() -> None:
    # One megabyte, named over and over.
    endless = memoryview(bytes(1 << 20))
    with pytest.raises(MediaError, match="do not fit into a RIFF file"):
        riff.file(b"FORM", [endless] * (1 << 12))
