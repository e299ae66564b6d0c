"""Frames are found wherever the bytes were cut; what is made is what another implementation of RFC 6455 makes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Close, Opcode
from websockets.frames import Frame as Judge
from websockets.utils import accept_key

from proxy.framing.websocket import Frames, Head, SocketFault, accept, closing, frame

LIMIT = 1 << 20
SIZES = [0, 1, 125, 126, 127, 65535, 65536, 70000]

frames = st.builds(
    lambda opcode, size, final, mask: (Judge(opcode, bytes(size), fin=final), mask),
    st.sampled_from([Opcode.CONT, Opcode.TEXT, Opcode.BINARY]),
    st.sampled_from(SIZES),
    st.booleans(),
    st.booleans(),
) | st.builds(
    lambda opcode, size, mask: (Judge(opcode, bytes(size)), mask),
    st.sampled_from([Opcode.PING, Opcode.PONG, Opcode.CLOSE]),
    st.integers(2, 125),
    st.booleans(),
)


def cut(data: bytes, at: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in at)})
    return [data[start:end] for start, end in pairwise(places)]


def feed(cutter: Frames, pieces: list[bytes]) -> list[Head | bytes]:
    return [part for piece in pieces for part in cutter.feed(piece)]


@given(st.lists(frames, max_size=6), st.lists(st.integers(0, 1 << 20), max_size=12))
def test_what_comes_out_is_what_went_in(sent: list[tuple[Judge, bool]], at: list[int]) -> None:
    wire = b"".join(one.serialize(mask=mask) for one, mask in sent)
    cutter = Frames(LIMIT)
    parts = feed(cutter, cut(wire, at))
    heads = [part for part in parts if isinstance(part, Head)]

    assert wire == b"".join(part.raw if isinstance(part, Head) else part for part in parts)
    assert [(one.opcode, one.fin, len(one.data), mask) for one, mask in sent] == [
        (head.opcode, head.final, head.length, head.masked) for head in heads
    ]
    assert cutter.between


@given(st.lists(frames, min_size=1, max_size=3))
def test_between_frames_and_nowhere_else(sent: list[tuple[Judge, bool]]) -> None:
    ends = set()
    wire = b""
    for one, mask in sent:
        wire += one.serialize(mask=mask)
        ends.add(len(wire))
    cutter = Frames(LIMIT)
    near = {place + step for place in ends for step in (-1, 0, 1, 2)} | set(range(20))
    places = sorted(place for place in near if 0 < place <= len(wire))
    for start, end in pairwise([0, *places]):
        list(cutter.feed(wire[start:end]))
        assert (end in ends) == cutter.between


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mask", [b"", b"\x01\x02\xfe\xff"])
def test_a_frame_that_is_made(size: int, mask: bytes) -> None:
    payload = bytes(index & 0xFF for index in range(size))
    theirs = Judge(Opcode.BINARY, payload).serialize(mask=False)
    made = frame(2, payload, mask)

    if not mask:
        assert theirs == made
        return
    (head, *rest) = Frames(LIMIT).feed(made)
    assert isinstance(head, Head)
    assert (head.masked, head.length) == (True, size)
    assert payload == bytes(byte ^ mask[index % 4] for index, byte in enumerate(b"".join(map(bytes, rest))))


@pytest.mark.parametrize(
    ("reason", "said"), [("", ""), ("why", "why"), ("x" * 200, "x" * 123), ("é" * 100, "é" * 61)], ids=len
)
def test_a_close_frame(reason: str, said: str) -> None:
    assert Judge(Opcode.CLOSE, Close(1011, said).serialize()).serialize(mask=False) == closing(1011, reason)


def test_the_answer_to_a_key() -> None:
    key = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455 section 1.3
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" == accept(key.encode()) == accept_key(key).encode()


@pytest.mark.parametrize("key", [b"", b"short", b"dGhlIHNhbXBsZSBub25jZQ", b"AAAA", b"dGhlIHNhbXBsZSBub25jZQ==\r"])
def test_what_is_no_key(key: bytes) -> None:
    with pytest.raises(ValueError, match="key"):
        accept(key)


def head(opcode: int, length: int, *, final: bool = True) -> bytes:
    return bytes((opcode | (0x80 if final else 0), 127)) + length.to_bytes(8)


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (head(1, 101), 1009),
        (head(2, 1 << 63), 1009),
        (head(1, 60, final=False) + bytes(60) + head(0, 41), 1009),
        (head(1, 60, final=False) + bytes(60) + b"\x89\x7d" + bytes(125) + head(0, 41), 1009),
        (head(8, 126), 1002),
    ],
    ids=["too long", "longer than anything", "in two frames", "with a ping between", "a close with too much to say"],
)
def test_what_is_too_long(wire: bytes, code: int) -> None:
    for step in (len(wire), 1):
        pieces = [wire[start : start + step] for start in range(0, len(wire), step)]
        with pytest.raises(SocketFault) as fault:
            feed(Frames(100), pieces)
        assert code == fault.value.code


def test_messages_that_are_as_long_as_they_may_be() -> None:
    wire = head(1, 60, final=False) + bytes(60) + head(0, 40) + bytes(40) + head(2, 100) + bytes(100)

    assert wire == b"".join(part.raw if isinstance(part, Head) else part for part in Frames(100).feed(wire))


def test_what_follows_a_message_that_is_too_long_is_still_found() -> None:
    """Its sender is told, and says goodbye behind the rest of it."""
    cutter = Frames(100)
    with pytest.raises(SocketFault):
        list(cutter.feed(head(2, 200) + bytes(50)))
    found = feed(cutter, [bytes(150), closing(1000, "")])

    assert [8] == [part.opcode for part in found if isinstance(part, Head)]
