"""The record that ends a stream is found at any cut, once, and nothing is lost, added or held."""

from itertools import pairwise

import pytest

from proxy.framing.event_stream import encode
from proxy.labelling.terminal import Terminal
from proxy.labelling.transform import Conclude

DONE = ("data: [DONE]",)
STOP = ("event: message_stop",)
OVER = ('"done":true',)
TYPED = ('"type":"message-end"', '"finished": 1')
ANY = ('"stopReason":',)

CHAT = b'data: {"content":"data: [DONE] [DONE"}\n\ndata: {}\n\n'
EVENTS = b'event: delta\ndata: {"type":"message_stop","text":"event: message_stop"}\n\n'
LINES = rb'{"text":"\"done\":true","done":false}' + b"\n" + rb'{"text":"\\\"done\": true"}' + b"\n"

# What stands in front, the terminal record, and where in it the stream's end is plain.
STREAMS = [
    *(
        (DONE, head.replace(b"\n", ending), last.replace(b"\n", ending), last.index(b"]") + 1)
        for head in (CHAT, b"")
        for ending in (b"\n", b"\r\n", b"\r")
        for last in (b"data: [DONE]\n\n", b"data:[DONE]\n\n", b"data: [DONE]", b"data: [DONE] \n\n")
    ),
    *(
        (STOP, head.replace(b"\n", ending), last.replace(b"\n", ending), last.index(b"p") + 1)
        for head in (EVENTS, b"")
        for ending in (b"\n", b"\r\n", b"\r")
        for last in (b'event: message_stop\ndata: {"type":"message_stop"}\n\n', b"event:message_stop\ndata:{}\n\n")
    ),
    (DONE + STOP, CHAT + EVENTS, b"event: message_stop\n\ndata: [DONE]\n\n", 19),
    (STOP + DONE, CHAT + EVENTS, b"data: [DONE]\n\nevent: message_stop\n\n", 12),
    (OVER, LINES, b'{"text":"","done":true}\n', 23),
    (OVER, LINES, b'{"text":"","done" : true, "eval_count":7}\r\n', 25),
    (OVER, b"", b'{"done":true,"context":[1]}', 13),
    (OVER, b'data: {"stop":false}\n\n', b'data: {"done":true}\n\n', 19),
    (TYPED, b'{"type":"message"}\n{"type":"message-end-not"}\n', b'{"type": "message-end"}\n', 23),
    (TYPED, b'{"finished":10}\n{"finished":0}\n', b'{"finished":1}\n', 14),
    (ANY, b'data: {"text":"\\"stopReason\\":"}\n\n', b'data: {"stopReason":"end_turn"}\n\n', 20),
]


def run(chunks: list[bytes], markers: tuple[str, ...] = DONE) -> tuple[bytes, list[bytes]]:
    terminal = Terminal(markers)
    before, concluded = b"", []
    for chunk in chunks:
        pieces = terminal.feed(chunk)
        assert chunk == b"".join(piece.data if isinstance(piece, Conclude) else bytes(piece) for piece in pieces)  # type: ignore[arg-type]
        for piece in pieces:
            if isinstance(piece, Conclude):
                concluded.append(piece.data)
            elif not concluded:
                assert isinstance(piece, bytes)
                before += piece
    assert not terminal.end()
    assert terminal.seen == (bool(concluded) or not markers)
    return before, concluded


@pytest.mark.parametrize(("markers", "head", "last", "plain"), STREAMS)
def test_found_at_any_cut(markers: tuple[str, ...], head: bytes, last: bytes, plain: int) -> None:
    stream = head + last
    for first in range(len(stream) + 1):
        for second in {*range(first, len(stream) + 1, 7), len(stream)}:
            chunks = [stream[start:end] for start, end in pairwise([0, first, second, len(stream)]) if start < end]
            before, concluded = run(chunks, markers)
            assert len(concluded) == 1
            # Whole records before it have left; of the record itself, no client has had the end.
            assert before.startswith(head) or min(first, second) < len(head)
            assert len(before) < len(head) + plain
    before, concluded = run([stream[at : at + 1] for at in range(len(stream))], markers)
    assert [stream[len(head) + plain - 1 :][:1]] == concluded
    assert head == before[: len(head)]


@pytest.mark.parametrize(("markers", "head", "last", "plain"), STREAMS)
def test_in_one_piece_all_from_its_line_on_concludes(
    markers: tuple[str, ...], head: bytes, last: bytes, plain: int
) -> None:
    assert (head, [last + b"more"]) == run([head + last + b"more"], markers) or not last.endswith((b"\n", b"\r"))
    assert (head, [last]) == run([head + last], markers)


@pytest.mark.parametrize(
    ("markers", "stream"),
    [
        (DONE, CHAT),
        (DONE, b"xdata: [DONE]\n"),
        (DONE, b'data: "data: [DONE]"\n\n'),
        (DONE, b"event: [DONE]\n"),
        (DONE, b"data: [DONE\n]\n\n"),
        (STOP, EVENTS),
        (STOP, b"data: message_stop\n\n"),
        (STOP, b": event: message_stop\n\n"),
        (OVER, LINES),
        (OVER, b'{"done":false,"x":"true"}\n'),
        (OVER, b'{"undone":true}\n'),
        (OVER, rb'{"text":"a \"done\":true, \\\"done\\\":true"}'),
        (TYPED, b'{"text":"message-end","typed":"message-end"}\n'),
        (ANY, b'{"text":"stopReason"}'),
    ],
)
def test_what_is_no_terminal_record(markers: tuple[str, ...], stream: bytes) -> None:
    for at in range(1, len(stream)):
        assert (stream, []) == run([stream[:at], stream[at:]], markers)


@pytest.mark.parametrize(
    ("markers", "stream"),
    [
        (DONE, b"data: [DONE]x\n\n"),
        (STOP, b"event: message_stopped\n\n"),
        (OVER, b'{"done":truer}'),
        (TYPED, b'{"finished":12}\n'),
    ],
)
def test_what_only_begins_like_one_is_none(markers: tuple[str, ...], stream: bytes) -> None:
    assert (stream, []) == run([stream], markers)


def test_in_binary_frames() -> None:
    head = encode({":event-type": "contentBlockStop"}, b'{"contentBlockIndex":0}')
    last = encode({":event-type": "messageStop"}, b'{"stopReason":"end_turn"}')
    stream = head + last
    for at in range(1, len(stream)):
        before, concluded = run([stream[:at], stream[at:]], ANY)
        assert len(concluded) == 1
        assert len(before) < len(stream)


def test_no_marker_means_no_terminal_record() -> None:
    assert run([b"data: [DONE]\n\n"], ()) == (b"data: [DONE]\n\n", [])


def test_only_the_first_counts() -> None:
    _, concluded = run([b"data: [DONE]\n\n", b"data: [DONE]\n\n"])
    assert len(concluded) == 1
