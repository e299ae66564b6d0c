"""The record that ends a stream is found at any cut, once, and nothing is lost, added or held."""

import pytest

from proxy.labelling.terminal import Terminal
from proxy.labelling.transform import Conclude

STREAM = b'data: {"content":"data: [DONE] [DONE"}\n\ndata: {}\n\n'


def run(chunks: list[bytes], marker: bytes = b"[DONE]") -> tuple[bytes, list[bytes]]:
    terminal = Terminal(marker)
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
    return before, concluded


@pytest.mark.parametrize("last", [b"data: [DONE]\n\n", b"data:[DONE]\n\n", b"data: [DONE]\r\n\r\n", b"data: [DONE]"])
@pytest.mark.parametrize("head", [STREAM, STREAM.replace(b"\n", b"\r\n"), STREAM.replace(b"\n", b"\r"), b""])
def test_found_at_any_cut(head: bytes, last: bytes) -> None:
    stream = head + last
    for at in range(len(stream) + 1):
        before, concluded = run([stream[:at], stream[at:]] if at else [stream])
        assert len(concluded) == 1
        # Whole records before it have left; of the record itself, no client has had the end.
        assert before.startswith(head) or at < len(head)
        assert len(before) < len(head) + len(b"data: [DONE]")
    before, concluded = run([stream[at : at + 1] for at in range(len(stream))])
    assert concluded == [b"]"]
    assert head == before[: len(head)]


@pytest.mark.parametrize(
    "stream", [STREAM, b"xdata: [DONE]\n", b'data: "data: [DONE]"\n\n', b"event: [DONE]\n", b"data: [DONE\n]\n\n"]
)
def test_what_is_no_terminal_record(stream: bytes) -> None:
    for at in range(1, len(stream)):
        assert (stream, []) == run([stream[:at], stream[at:]])


def test_no_marker_means_no_terminal_record() -> None:
    assert run([b"data: [DONE]\n\n"], b"") == (b"data: [DONE]\n\n", [])


def test_only_the_first_counts() -> None:
    _, concluded = run([b"data: [DONE]\n\n", b"data: [DONE]\n\n"])
    assert len(concluded) == 1
