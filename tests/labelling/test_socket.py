"""The direction towards the client: what is no picture passes byte for byte, pictures are found at any cuts."""

import struct
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from proxy.dialects.dialect import PicturePlace
from proxy.framing.websocket import PROTOCOL_ERROR, TOO_LONG, SocketFault, closing, frame
from proxy.labelling.errors import Blocked
from proxy.labelling.outcome import Done
from proxy.labelling.socket import MOST_ITEMS, Passage, SocketLabeller, ended, keep
from proxy.labelling.transform import Conclude, Piece, Work
from proxy.record.exchange import Item
from proxy.record.outcome import Outcome
from tests.labelling.answers import ID, badge, marked

PLACES: dict[int, PicturePlace] = {1: 8, 3: "text", 4: "prefixed"}
PNG, JPEG = b"\x89PNG\r\n\x1a\n-picture-", b"\xff\xd8\xff\xe0-picture-"
WEBP = b"RIFF\x10\0\0\0WEBPVP8 "

# A message of each kind, and where its picture begins.
PREVIEW = struct.pack(">II", 1, 2) + PNG
WITH_METADATA = struct.pack(">II", 4, 7) + b'{"a":1}' + JPEG
PROGRESS = struct.pack(">II", 3, 1) + b"7" + b"50%, GIF89a is what this text says"
OTHER = struct.pack(">I", 99) + bytes(range(200))
PICTURES = {PREVIEW: 8, WITH_METADATA: 15}
MESSAGES = [(2, PREVIEW), (2, WITH_METADATA), (2, PROGRESS), (2, OTHER), (2, b""), (2, b"abc")]
MESSAGES += [(1, b'{"type":"status"}'), (1, b""), (1, b"\x89PNG\r\n\x1a\n" * 40), (9, b"ping"), (10, b"")]


def done(on_failure: str = "block") -> Done:
    return Done(marked(badge(on_failure="pass" if on_failure == "pass" else "block")), b"{}")


def labeller(state: Done | None = None, limit: int = 10_000) -> SocketLabeller:
    return SocketLabeller(PLACES, state or done(), limit)


def run(one: SocketLabeller, wire: bytes, cuts: Sequence[int] = ()) -> list[Piece]:
    places = sorted({0, len(wire), *(place % (len(wire) + 1) for place in cuts)})
    return [piece for start, end in pairwise(places) for piece in one.feed(wire[start:end])]


def flat(pieces: Sequence[Piece]) -> bytes:
    """What leaves where every picture is left as it is."""
    return b"".join(
        piece.raw if isinstance(piece, Work) else piece.data if isinstance(piece, Conclude) else piece
        for piece in pieces
    )


def fragmented(opcode: int, payload: bytes, parts: int) -> list[bytes]:
    size = len(payload) // parts
    cuts = [*range(0, size * parts, size or 1)][:parts] or [0]
    pieces = [payload[start:end] for start, end in pairwise([*cuts, len(payload)])]
    return [
        Frame(Opcode(opcode if not index else 0), piece, fin=index == len(pieces) - 1).serialize(mask=False)
        for index, piece in enumerate(pieces)
    ]


@given(
    st.lists(st.tuples(st.sampled_from(MESSAGES), st.integers(1, 3)), max_size=6),
    st.lists(st.integers(0, 5000), max_size=12),
)
def test_pictures_are_found_and_everything_else_passes(
    sent: list[tuple[tuple[int, bytes], int]], cuts: list[int]
) -> None:
    wire, expected = b"", []
    for (opcode, payload), parts in sent:
        frames = fragmented(opcode, payload, 1 if opcode > 2 else parts)
        wire += frame(9, b"!").join(frames)  # a ping may stand between the frames of a message
        if payload in PICTURES:
            expected.append((payload, PICTURES[payload], b"".join(frames)))
    pieces = run(labeller(), wire, cuts)
    works = [piece for piece in pieces if isinstance(piece, Work)]

    assert [(payload[at:], raw) for payload, at, raw in expected] == [(one.pictures[0].data, one.raw) for one in works]
    assert [frame(2, payload[:at] + b"NEW") for payload, at, _ in expected] == [one.join([b"NEW"]) for one in works]
    assert [(f"picture {index}", index) for index in range(len(works))] == [
        (one.pictures[0].unit, one.pictures[0].index) for one in works
    ]
    assert {"raw"} >= {one.pictures[0].encoding for one in works}
    assert sorted(wire) == sorted(flat(pieces))
    if b"!" not in wire:
        assert wire == flat(pieces)


@pytest.mark.parametrize(("opcode", "payload"), MESSAGES)
def test_whole_messages_in_order(opcode: int, payload: bytes) -> None:
    wire = frame(1, b"before") + frame(opcode, payload) + frame(1, b"behind")

    assert wire == flat(run(labeller(), wire)) == flat(run(labeller(), wire, range(len(wire))))


def test_text_leaves_before_its_frame_is_whole() -> None:
    one = labeller()
    wire = frame(1, b"x" * 300)

    assert wire[:100] == flat(run(one, wire[:100]))
    assert not one.between
    assert wire[100:] == flat(run(one, wire[100:]))
    assert one.between


def test_nothing_of_a_picture_leaves_before_it_is_whole() -> None:
    one = labeller()
    wire = frame(2, PREVIEW)

    assert [] == run(one, wire[:-1], range(len(wire)))
    assert one.between
    assert [Work] == [type(piece) for piece in run(one, wire[-1:])]


def test_a_close_frame_concludes() -> None:
    one = labeller()
    wire = closing(1000, "bye")

    assert [Conclude(wire)] == run(one, wire, [1, 3])
    assert one.concluded
    assert one.between


@pytest.mark.parametrize("picture", [PNG, JPEG, WEBP, b"GIF89a", b"GIF87a"])
@pytest.mark.parametrize("head", [struct.pack(">I", 99), struct.pack(">III", 5, 1, 2), b""])
def test_a_picture_in_a_message_that_nobody_knows(picture: bytes, head: bytes) -> None:
    wire = frame(2, head + picture)
    with pytest.raises(Blocked, match="a type that is not known"):
        run(labeller(), wire)
    state = done("pass")
    one = labeller(state)

    assert wire == flat(run(one, wire))
    assert (Outcome.UNLABELLED, "the socket carries a picture in a message of a type that is not known") == ended(
        state, 0
    )
    assert [Work] == [type(piece) for piece in run(one, frame(2, PREVIEW))]


def test_what_is_given_out_before_a_failure_may_leave() -> None:
    feeding = labeller().feed(frame(1, b"before") + frame(2, WEBP) + frame(1, b"behind"))
    left = [next(feeding), next(feeding)]

    assert frame(1, b"before") == flat(left)
    with pytest.raises(Blocked):
        next(feeding)


BAD = {
    "masked": frame(2, PREVIEW, b"abcd"),
    "compressed": bytes((0xC2,)) + frame(2, PREVIEW)[1:],
    "a message in a message": Frame(Opcode.BINARY, PREVIEW, fin=False).serialize(mask=False) + frame(1, b""),
    "a continuation of nothing": frame(0, PREVIEW),
    "an opcode that means nothing": frame(3, PREVIEW),
    "a control opcode that means nothing": frame(11, b""),
    "a ping in pieces": bytes((0x09, 0)),
}


@pytest.mark.parametrize("wire", BAD.values(), ids=BAD)
def test_what_a_client_could_read_in_another_way(wire: bytes) -> None:
    with pytest.raises(SocketFault) as fault:
        run(labeller(done("pass")), wire)
    assert PROTOCOL_ERROR == fault.value.code


def test_a_message_that_is_too_long() -> None:
    with pytest.raises(SocketFault):
        run(labeller(limit=100), frame(2, bytes(101)))


def test_a_message_of_frames_without_end() -> None:
    one = labeller(limit=100)
    assert [] == run(one, b"\x02\x00" + b"\x00\x00" * 30_000)
    with pytest.raises(SocketFault) as fault:
        run(one, b"\x00\x00" * 3000)
    assert TOO_LONG == fault.value.code


def test_the_other_direction_passes_as_it_comes() -> None:
    one = Passage(100)
    wire = frame(2, PREVIEW, b"abcd") + bytes((0xC1,)) + frame(1, b"deflated", b"abcd")[1:]

    for byte in range(len(wire)):
        assert [wire[byte : byte + 1]] == list(one.feed(wire[byte : byte + 1]))
    assert one.between
    assert not one.concluded
    assert [closing(1000, "", b"abcd")] == list(one.feed(closing(1000, "", b"abcd")))
    assert one.concluded


def test_of_a_chunk_in_which_something_is_wrong_nothing_passes() -> None:
    one = Passage(100)
    with pytest.raises(SocketFault):
        list(one.feed(frame(1, b"ok") + frame(1, bytes(101))))
    assert one.between


def test_what_the_record_says() -> None:
    state = done()
    item = Item(ID, "image", "picture 0", ("badge",))

    assert (Outcome.PASSED, "no picture came through it") == ended(state, 0)
    keep(item, state)
    assert (Outcome.LABELLED, "") == ended(state, 1)
    for _ in range(MOST_ITEMS + 4):
        keep(item, state)
    assert len(state.items()) == MOST_ITEMS
    assert (Outcome.LABELLED, "5 pictures more were labelled than are listed") == ended(state, MOST_ITEMS + 5)
