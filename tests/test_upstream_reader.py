"""One response read from bytes: the same at every cut, nothing behind its end, and no more memory than it may have."""

from collections import deque

import pytest

from proxy.labelling.message import Headers
from proxy.upstream import BadResponse, Truncated
from proxy.upstream_reader import Reader

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
LIMIT = 1000

Read = tuple[int, Headers, bytes, bool, bool]  # status, fields, body, complete, keep_alive
LENGTH_1, LENGTH_5 = (b"content-length", b"1"), (b"content-length", b"5")
CODING = (b"transfer-encoding", b"chunked")
MESSAGES: list[tuple[bytes, bool, Read]] = [
    (OK + b"Content-Length: 5\r\n\r\nhello", False, (200, [LENGTH_5], b"hello", True, True)),
    (OK + b"Content-Length: 0\r\n\r\n", False, (200, [(b"content-length", b"0")], b"", True, True)),
    (OK + b"Content-Length: 5\r\n\r\n", True, (200, [LENGTH_5], b"", True, True)),
    (CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", False, (200, [CODING], b"hello", True, True)),
    (CHUNKED + b'5;a="b"\r\nhello\r\n000\r\nA: 0\r\nB:\r\n\r\n', False, (200, [CODING], b"hello", True, True)),
    (CHUNKED + b"6\r\nhi\r\n\r\n\r\n0\r\n\r\n", False, (200, [CODING], b"hi\r\n\r\n", True, True)),
    (CHUNKED, True, (200, [CODING], b"", True, True)),
    (OK + b"\r\nhello", False, (200, [], b"hello", False, False)),
    (b"HTTP/1.1 204 N\r\nX: a b \t\r\n\r\n", False, (204, [(b"x", b"a b")], b"", True, True)),
    (b"HTTP/1.1 304 N\r\nTransfer-Encoding: chunked\r\n\r\n", False, (304, [CODING], b"", True, True)),
    (
        b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nA: b\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\nx",
        False,
        (200, [LENGTH_1], b"x", True, True),
    ),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", False, (200, [LENGTH_1], b"x", True, False)),
    (
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\nx",
        False,
        (200, [LENGTH_1, (b"connection", b"keep-alive")], b"x", True, True),
    ),
    (
        OK + b"Content-Length: 1\r\nConnection: x, CLOSE\r\n\r\nx",
        False,
        (200, [LENGTH_1, (b"connection", b"x, CLOSE")], b"x", True, False),
    ),
]


def read(*parts: bytes, bodiless: bool = False) -> Read:
    pieces: list[bytes] = []
    reader = Reader(LIMIT)
    reader.begin(pieces, bodiless)
    for part in parts:
        assert not reader.complete
        reader.feed(part)
    assert reader.head is not None
    return reader.head.status, list(reader.head.headers), b"".join(pieces), reader.complete, reader.keep_alive


@pytest.mark.parametrize(("message", "bodiless", "expected"), MESSAGES)
def test_a_message_is_the_same_at_every_pair_of_cuts(message: bytes, bodiless: bool, expected: Read) -> None:
    assert read(message, bodiless=bodiless) == expected
    assert read(*(bytes([byte]) for byte in message), bodiless=bodiless) == expected
    for first in range(1, len(message)):
        for second in range(first + 1, len(message)):
            assert read(message[:first], message[first:second], message[second:], bodiless=bodiless) == expected


FORGED = [OK + b"Content-Length: 6\r\n\r\nforged", CHUNKED + b"6\r\nforged\r\n0\r\n\r\n", OK + b"\r\n"]


@pytest.mark.parametrize("surplus", [b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"x", b"\0", *FORGED])
@pytest.mark.parametrize(("message", "bodiless", "expected"), [row for row in MESSAGES if row[2][3]])
def test_what_follows_a_message_is_refused(message: bytes, bodiless: bool, expected: Read, surplus: bytes) -> None:
    pieces: list[bytes] = []
    reader = Reader(LIMIT)
    reader.begin(pieces, bodiless)
    with pytest.raises(BadResponse):
        reader.feed(message + surplus)
    assert b"".join(pieces) == expected[2]


@pytest.mark.parametrize(("message", "bodiless", "expected"), MESSAGES)
def test_a_message_that_ends_early_is_cut_off_wherever_it_ends(message: bytes, bodiless: bool, expected: Read) -> None:
    head = message.rindex(b"\r\n\r\nhello") + 4 if not expected[3] else len(message)
    for end in range(head):
        reader = Reader(LIMIT)
        reader.begin([], bodiless)
        reader.feed(message[:end])
        with pytest.raises(Truncated):
            reader.end()
        assert not reader.complete


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    pieces: list[bytes] = []
    reader = Reader(LIMIT)
    reader.begin(pieces)
    reader.feed(OK + b"\r\nhello")
    assert not reader.complete
    reader.end()
    assert (b"".join(pieces), reader.complete, reader.keep_alive) == (b"hello", True, False)


ENDLESS = [
    (b"", b"HTTP/1.1"[:1]),
    (OK, b"X: a\r\n"),
    (OK, b"X"),
    (OK + b"X: ", b"a"),
    (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    (CHUNKED, b"0"),
    (CHUNKED + b"5;", b"a"),
    (CHUNKED + b"0\r\n", b"X: a\r\n"),
    (CHUNKED + b"0\r\nX: ", b"a"),
    (CHUNKED + b"5\r\nhello\r\n0\r\nX", b"a"),
]


@pytest.mark.parametrize("size", [1, 50, 5000])
@pytest.mark.parametrize(("start", "more"), ENDLESS)
def test_what_never_ends_is_refused_at_the_limit(start: bytes, more: bytes, size: int) -> None:
    reader = Reader(LIMIT)
    reader.begin([])
    if start:
        reader.feed(start)
    feeding = (reader.feed(more * size) for _ in range(2 * LIMIT))
    with pytest.raises(BadResponse):
        deque(feeding, maxlen=0)


def test_a_head_of_exactly_the_limit_is_read() -> None:
    head = OK + b"Content-Length: 0\r\nX: " + b"a" * (LIMIT - len(OK) - 26) + b"\r\n\r\n"
    assert len(head) == LIMIT
    assert read(head)[0] == 200
    with pytest.raises(BadResponse, match="too large"):
        read(head[:-4] + b"a\r\n\r\n")


@pytest.mark.parametrize(
    "start", [b"SSH-2.0", b"\r\nHTTP/1.1", b"HTTP/2", b"HTTP/0.9", b"\x15\x03\x01", b"<html>", b"http/1.1"]
)
def test_another_protocol_is_refused_at_its_first_bytes(start: bytes) -> None:
    reader = Reader(LIMIT)
    reader.begin([])
    with pytest.raises(BadResponse, match="not HTTP"):
        reader.feed(start)


def test_trailers_do_not_join_the_fields() -> None:
    assert read(CHUNKED + b"0\r\nX-Late: 1\r\n\r\n")[1] == [(b"transfer-encoding", b"chunked")]


@pytest.mark.parametrize("length", [b"", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_behind_a_switch_of_protocols_everything_is_handed_out(length: bytes) -> None:
    """Where it was asked for; a 101 has no content, whatever it says (RFC 9110 section 8.6)."""
    head = (
        b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n" + length + b"\r\n"
    )
    message = head + b"\x81\x01a no HTTP \r\n\r\n"
    for cut in range(1, len(message)):
        reader, pieces = Reader(LIMIT), list[bytes]()
        reader.begin(pieces, switching=True)
        reader.feed(message[:cut])
        reader.feed(message[cut:])
        assert reader.head is not None
        assert (reader.head.status, reader.head.value(b"upgrade"), reader.complete) == (101, b"x", False)
        assert b"".join(pieces) == message[len(head) :]
    with pytest.raises(BadResponse, match="switched"):
        read(message)
