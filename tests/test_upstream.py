"""What both transports keep, on real sockets: what goes out, what comes back, what is refused, who closes when."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy import upstream
from proxy.labelling.message import Headers
from proxy.upstream import (
    BadResponse,
    ConnectFailed,
    ConnectTimeout,
    FirstByteTimeout,
    IdleTimeout,
    PoolFull,
    Truncated,
    UpstreamError,
)
from tests.scripted import CLOSE, CUT, Received, Script, Step, Wire, scripted
from tests.wiring import certificate, client, on_every_wiring, on_http11, pieces, request, whole

OK = b"HTTP/1.1 200 OK\r\n"
SIZED = OK + b"Content-Length: 5\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
SHORT = 0.15  # seconds: a timeout under test


async def hello(received: Received, wire: Wire) -> None:
    await wire.reply(b"hello")


async def silence(received: Received, wire: Wire) -> None:
    await wire.wait(asyncio.Event())


# What goes out.

FIELDS: Headers = [(b"x-b", b"2"), (b"Accept", b"*/*"), (b"x-a", b""), (b"x-b", "ü".encode())]
BODIES = [
    ("GET", None, None, [], b""),
    ("POST", None, None, [(b"content-length", b"0")], b""),
    ("DELETE", None, None, [], b""),
    ("GET", b"", None, [(b"content-length", b"0")], b""),
    ("POST", b"hello", None, [(b"content-length", b"5")], b"hello"),
    ("POST", b"hello", 5, [(b"content-length", b"5")], b"hello"),
    ("PUT", b"x" * 300_000, None, [(b"content-length", b"300000")], b"x" * 300_000),
    ("POST", (b"he", b"", b"llo"), 5, [(b"content-length", b"5")], b"hello"),
    ("POST", (b"he", b"", b"llo"), None, [(b"transfer-encoding", b"chunked")], b"hello"),
    ("POST", (), None, [(b"transfer-encoding", b"chunked")], b""),
    ("POST", (b"x" * 200_000,) * 5, None, [(b"transfer-encoding", b"chunked")], b"x" * 1_000_000),
]


@on_every_wiring
@pytest.mark.parametrize(("method", "body", "length", "framing", "expected"), BODIES)
async def test_a_request_goes_out_as_it_was_given(
    wiring: str,
    method: str,
    body: bytes | tuple[bytes, ...] | None,
    length: int | None,
    framing: Headers,
    expected: bytes,
) -> None:
    async with scripted(hello) as there, client(wiring, there.url) as here:
        content = pieces(*body) if isinstance(body, tuple) else body
        response = await here.send(request(method, b"/a/%2fB/../c?d=%41&e", FIELDS), content, length)
        assert await whole(response) == b"hello"
    (received,) = there.received
    host = there.url.removeprefix("http://").encode()
    assert (received.method, received.target) == (method, b"/a/%2fB/../c?d=%41&e")
    assert [(name.lower(), value) for name, value in received.headers] == [
        (b"host", host),
        *((name.lower(), value) for name, value in FIELDS),
        *framing,
    ]
    assert received.body == expected


@on_every_wiring
async def test_a_path_in_the_url_is_put_before_every_target(wiring: str) -> None:
    async with scripted(hello) as there, client(wiring, there.url + "/prefix/") as here:
        await whole(await here.send(request("GET", b"/v1/models?a=b")))
    assert there.received[0].target == b"/prefix/v1/models?a=b"


UNFIT = [
    ("GET", b"/", [(b"x", b"a\r\nb: c")]),
    ("GET", b"/", [(b"x", b"a\nb")]),
    ("GET", b"/", [(b"x", b"a\rb")]),
    ("GET", b"/", [(b"x", b"a\0b")]),
    ("GET", b"/", [(b"x\r\ny", b"a")]),
    ("GET", b"/a\r\nx: y", []),
    ("GET", b"/a b", []),
    ("GET", b"/a\0", []),
    ("GET", b"http://elsewhere/", []),
    ("GET", b"", []),
    ("GET /x", b"/", []),
    ("", b"/", []),
    ("CONNECT", b"/", []),
    ("POST", b"/", [(b"Content-Length", b"3")]),
    ("POST", b"/", [(b"transfer-encoding", b"chunked")]),
    ("GET", b"/", [(b"Host", b"elsewhere")]),
    ("GET", b"/", [(b"connection", b"close")]),
]


@on_every_wiring
@pytest.mark.parametrize(("method", "target", "headers"), UNFIT)
async def test_what_would_change_the_shape_of_a_request_is_not_written(
    wiring: str, method: str, target: bytes, headers: Headers
) -> None:
    async with scripted(hello) as there, client(wiring, there.url) as here:
        with pytest.raises(ValueError, match=r"."):
            await here.send(request(method, target, headers))
    assert there.accepted == 0


@on_every_wiring
@pytest.mark.parametrize(("parts", "length"), [((b"he",), 5), ((b"hello", b"!"), 5)])
async def test_a_body_of_another_length_than_announced_is_not_passed_off_as_whole(
    wiring: str, parts: tuple[bytes, ...], length: int
) -> None:
    async with scripted(hello) as there, client(wiring, there.url) as here:
        with pytest.raises(ValueError, match="than was announced"):
            await here.send(request("POST"), pieces(*parts), length)
        await asyncio.sleep(0.05)
        assert there.open == 0
    assert len(there.received) == (sum(map(len, parts)) > length)  # what lies beyond the length is never written


@on_every_wiring
async def test_what_the_bodys_source_raises_reaches_the_caller(wiring: str) -> None:
    class Left(Exception):
        pass

    async def source() -> AsyncIterator[bytes]:
        yield b"he"
        raise Left

    async with scripted(hello) as there, client(wiring, there.url) as here:
        with pytest.raises(Left):
            await here.send(request("POST"), source())
        await asyncio.sleep(0.05)
        assert there.open == 0
    assert there.received == []


URLS = ["", "ftp://a", "http://", "//a", "http://u:p@a/", "http://a/?b", "http://a/#b", "http://a/b c", "http://a:x/"]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("transport", ["http11", "httpx"])
def test_a_url_that_cannot_work_is_refused_at_once(transport: upstream.Transport, url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        upstream.open(upstream.Target(url), transport)


# What comes back.

ANSWERS: list[tuple[str, bytes, int, bytes]] = [
    ("GET", SIZED + b"hello", 200, b"hello"),
    ("GET", OK + b"content-length: 0\r\n\r\n", 200, b""),
    ("GET", CHUNKED + b"2\r\nhe\r\n3;ext=1\r\nllo\r\n0\r\n\r\n", 200, b"hello"),
    ("GET", CHUNKED + b"5\r\nhello\r\n0\r\nX-Trailer: dropped\r\n\r\n", 200, b"hello"),
    ("GET", CHUNKED + b"0\r\n\r\n", 200, b""),
    ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, b""),
    ("HEAD", SIZED, 200, b""),
    ("HEAD", CHUNKED, 200, b""),
    ("GET", b"HTTP/1.1 100 Continue\r\n\r\n" + SIZED + b"hello", 200, b"hello"),
    ("GET", b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 102 P\r\n\r\n" + SIZED + b"hello", 200, b"hello"),
    ("GET", b"HTTP/1.1 500 \r\nContent-Length: 5\r\n\r\nhello", 500, b"hello"),
]


@on_every_wiring
@pytest.mark.parametrize("step", [1, 7, 100_000])
@pytest.mark.parametrize(("method", "raw", "status", "expected"), ANSWERS)
async def test_a_response_comes_back_as_it_was_sent(
    wiring: str, method: str, raw: bytes, status: int, expected: bytes, step: int
) -> None:
    script: list[Step] = []
    for at in range(0, len(raw), step):
        script += [raw[at : at + step], 0.0005]
    async with scripted(script) as there, client(wiring, there.url) as here:
        for _ in range(2):
            response = await here.send(request(method))
            assert (response.head.status, await whole(response)) == (status, expected)
            assert await response.read() == b""
            await response.close()
        assert there.accepted == (2 if wiring.startswith("httpx") else 1)


@on_every_wiring
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
async def test_a_body_may_end_with_the_connection(wiring: str, version: bytes) -> None:
    script: list[Step] = [b"HTTP/%b 200 OK\r\n\r\nhe" % version, 0.01, b"llo", CLOSE]
    async with scripted(script) as there, client(wiring, there.url) as here:
        for _ in range(2):
            assert await whole(await here.send(request())) == b"hello"
        assert there.accepted == 2


@on_every_wiring
async def test_fields_keep_their_order_and_their_repetitions_and_lose_their_case(wiring: str) -> None:
    raw = OK + b"X-B: 1\r\nset-cookie: a\r\nContent-Length: 0\r\nX-A: \xe4\xb8\xad \t \r\nSet-Cookie: b\r\nX-E:\r\n\r\n"
    expected = [
        (b"x-b", b"1"),
        (b"set-cookie", b"a"),
        (b"content-length", b"0"),
        (b"x-a", b"\xe4\xb8\xad"),
        (b"set-cookie", b"b"),
        (b"x-e", b""),
    ]
    async with scripted([raw]) as there, client(wiring, there.url) as here:
        response = await here.send(request())
        assert response.head.headers == expected
        await (await here.send(request())).close()
    assert all(received.value(b"cookie") is None for received in there.received)


@on_every_wiring
async def test_redirects_are_not_followed_and_codings_not_undone(wiring: str) -> None:
    script = [b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"]
    async with scripted(script) as there, client(wiring, there.url) as here:
        response = await here.send(request())
        assert (response.head.status, await whole(response)) == (302, b"nope")
    assert len(there.received) == 1


@on_every_wiring
async def test_a_piece_is_handed_on_before_the_next_is_sent(wiring: str) -> None:
    taken = asyncio.Event()
    script: Script = [CHUNKED + b"5\r\nfirst\r\n", taken, b"6\r\nsecond\r\n0\r\n\r\n"]
    async with scripted(script) as there, client(wiring, there.url) as here:
        response = await here.send(request())
        assert await response.read() == b"first"
        taken.set()
        assert await whole(response) == b"second"


# What is refused.

REFUSED: list[tuple[str, bytes]] = [
    ("length and coding", OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("coding and length", OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
    ("two lengths", OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
    ("listed lengths", OK + b"Content-Length: 5, 6\r\n\r\nhello!"),
    ("signed length", OK + b"Content-Length: +5\r\n\r\nhello"),
    ("hexadecimal length", OK + b"Content-Length: 0x5\r\n\r\nhello"),
    ("length that is a word", OK + b"Content-Length: five\r\n\r\nhello"),
    ("other coding first", OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("other coding last", OK + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    ("other coding", OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ("chunked twice", OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("chunked in 1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("NUL", OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n"),
    ("bare CR", OK + b"X: a\rb\r\nContent-Length: 0\r\n\r\n"),
    ("space before the colon", OK + b"Content-Length : 0\r\n\r\n"),
    ("no colon", OK + b"nonsense\r\n\r\n"),
    ("no name", OK + b": x\r\nContent-Length: 0\r\n\r\n"),
    ("switching protocols", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
    ("status of two digits", b"HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n"),
    ("status too high", b"HTTP/1.1 999 High\r\nContent-Length: 0\r\n\r\n"),
    ("head too large", OK + b"X: " + b"a" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n"),
    ("head without end", OK + (b"X: " + b"a" * 1000 + b"\r\n") * 200),
    ("chunk size that is a word", CHUNKED + b"five\r\nhello\r\n0\r\n\r\n"),
    ("negative chunk size", CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n"),
    ("chunk longer than it says", CHUNKED + b"2\r\nhello\r\n0\r\n\r\n"),
]
# httpx's parser reads these in its own way; each is safe, if not as strict.
REFUSED_BY_HTTP11: list[tuple[str, bytes]] = [
    ("the same length twice", OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    ("folded line", OK + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n"),
    ("bare LF", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
    ("bare LF after a field", OK + b"X: a\nContent-Length: 0\r\n\r\n"),
    ("bare LF after a chunk size", CHUNKED + b"5\nhello\r\n0\r\n\r\n"),
    ("another protocol", b"SSH-2.0-OpenSSH_9.9\r\n"),
    ("empty line first", b"\r\n" + SIZED + b"hello"),
    ("no digits in the length", OK + b"Content-Length:\r\n\r\n"),
    ("surplus behind a length", SIZED + b"hello!"),
    ("line end behind a length", SIZED + b"hello\r\n"),
    ("second response behind a length", SIZED + b"hello" + SIZED + b"hello"),
    ("surplus behind chunks", CHUNKED + b"0\r\n\r\n!"),
    ("line end behind chunks", CHUNKED + b"0\r\n\r\n\r\n"),
    ("second response behind chunks", CHUNKED + b"0\r\n\r\n" + SIZED + b"hello"),
    ("second head behind chunks", CHUNKED + b"0\r\n\r\n" + SIZED),
    ("content behind 204", b"HTTP/1.1 204 No Content\r\n\r\nhello"),
    ("content behind 304", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello"),
]


@on_every_wiring
@pytest.mark.parametrize(("why", "raw"), REFUSED)
async def test_a_response_that_two_readers_could_read_differently_is_refused(wiring: str, why: str, raw: bytes) -> None:
    await refuses(wiring, raw)


@on_http11
@pytest.mark.parametrize(("why", "raw"), REFUSED_BY_HTTP11)
async def test_our_own_client_refuses_more(wiring: str, why: str, raw: bytes) -> None:
    await refuses(wiring, raw)


async def refuses(wiring: str, raw: bytes) -> None:
    async with scripted([raw]) as there, client(wiring, there.url, first_byte_timeout=2.0) as here:
        with pytest.raises(BadResponse):
            await whole(await here.send(request()))
        await asyncio.sleep(0.02)
        assert there.open == 0


@on_every_wiring
@pytest.mark.parametrize("pause", [0, 0.01])
async def test_surplus_on_a_kept_connection_is_never_the_next_answer(wiring: str, pause: float) -> None:
    async def forge(received: Received, wire: Wire) -> None:
        await wire.send(SIZED + b"hello")
        await asyncio.sleep(pause)
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")

    async with scripted(forge, hello) as there, client(wiring, there.url) as here:
        try:
            assert await whole(await here.send(request())) == b"hello"
        except BadResponse:
            assert not wiring.startswith("httpx")
        await asyncio.sleep(0.02)
        assert there.open == 0
        assert await whole(await here.send(request())) == b"hello"
        assert there.accepted == 2


# What ends early.

CUTS: list[tuple[str, list[bytes]]] = [
    ("before the first byte", []),
    ("in the head", [OK]),
    ("after a 1xx", [b"HTTP/1.1 100 Continue\r\n\r\n"]),
    ("in a sized body", [SIZED + b"hell"]),
    ("before a sized body", [SIZED]),
    ("in a chunk", [CHUNKED + b"5\r\nhell"]),
    ("between chunks", [CHUNKED + b"5\r\nhello\r\n"]),
    ("before the last line end", [CHUNKED + b"5\r\nhello\r\n0\r\n"]),
]


@on_every_wiring
@pytest.mark.parametrize("ending", [CUT, CLOSE])
@pytest.mark.parametrize(("where", "sent"), CUTS)
async def test_a_message_that_ends_early_never_looks_whole(
    wiring: str, where: str, sent: list[bytes], ending: object
) -> None:
    async with scripted([*sent, 0.02, ending]) as there, client(wiring, there.url) as here:  # type: ignore[list-item]
        with pytest.raises(Truncated):
            await whole(await here.send(request("POST"), b"{}"))
    assert len(there.received) == 1


@on_every_wiring
async def test_a_body_that_ends_with_the_connection_must_not_end_in_a_reset(wiring: str) -> None:
    async with scripted([OK + b"\r\nhello", 0.02, CUT]) as there, client(wiring, there.url) as here:
        response = await here.send(request())
        assert await response.read() == b"hello"
        for _ in range(2):
            with pytest.raises(Truncated):
                await response.read()


# Time.


@on_every_wiring
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ([5.0], FirstByteTimeout),
        ([OK, 5.0], FirstByteTimeout),
        ([b"HTTP/1.1 100 Continue\r\n\r\n", 5.0], FirstByteTimeout),
        ([SIZED, 5.0], IdleTimeout),
        ([CHUNKED + b"5\r\nhello\r\n", 5.0], IdleTimeout),
    ],
)
async def test_an_upstream_that_falls_silent_is_left(
    wiring: str, script: Script, expected: type[UpstreamError]
) -> None:
    limits = {"first_byte_timeout": SHORT, "idle_timeout": SHORT}
    async with scripted(script) as there, client(wiring, there.url, **limits) as here:
        with pytest.raises(expected) as caught:
            await whole(await here.send(request("POST"), b"{}"))
        assert caught.value.status == 504
        await asyncio.wait_for(there.left.wait(), 2)


@on_every_wiring
async def test_an_upstream_that_goes_on_is_not_left(wiring: str) -> None:
    drip: list[Step] = [b"1\r\nx\r\n", 0.05]
    script: list[Step] = [CHUNKED, 0.2, *(drip * 10), b"0\r\n\r\n"]
    async with scripted(script) as there, client(wiring, there.url, first_byte_timeout=0.3, idle_timeout=0.3) as here:
        assert await whole(await here.send(request())) == b"x" * 10


@on_every_wiring
async def test_a_slow_upload_is_not_held_against_the_upstream(wiring: str) -> None:
    async def slow() -> AsyncIterator[bytes]:
        for _ in range(4):
            await asyncio.sleep(0.1)
            yield b"x"

    async with scripted(hello) as there, client(wiring, there.url, first_byte_timeout=SHORT) as here:
        assert await whole(await here.send(request("POST"), slow())) == b"hello"


@on_every_wiring
async def test_a_connection_that_is_refused(wiring: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with client(wiring, f"http://127.0.0.1:{port}") as here:
        with pytest.raises(ConnectFailed) as caught:
            await here.send(request())
    assert (caught.value.status, str(port) in str(caught.value)) == (502, False)


@on_every_wiring
async def test_a_connection_that_takes_too_long(wiring: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:  # accepts, and never begins the handshake
        url = f"https://127.0.0.1:{mute.getsockname()[1]}"
        async with client(wiring, url, connect_timeout=SHORT) as here:
            with pytest.raises(ConnectTimeout) as caught:
                await here.send(request())
    assert caught.value.status == 504


# Who closes when.


@on_http11
async def test_connections_are_kept_and_shared(wiring: str) -> None:
    async with scripted(hello) as there, client(wiring, there.url) as here:
        for _ in range(20):
            assert await whole(await here.send(request())) == b"hello"
        assert there.accepted == 1
    await asyncio.sleep(0.02)
    assert there.open == 0


@on_http11
async def test_a_kept_connection_is_closed_when_its_time_is_over(wiring: str) -> None:
    async with scripted(hello) as there, client(wiring, there.url, keep_alive=SHORT) as here:
        for _ in range(2):
            assert await whole(await here.send(request())) == b"hello"
            await asyncio.sleep(2 * SHORT)
        assert there.accepted == 2


@on_every_wiring
@pytest.mark.parametrize(
    "raw", [OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello", b"HTTP/1.0" + SIZED[8:] + b"hello"]
)
async def test_a_connection_that_the_upstream_will_close_is_not_kept(wiring: str, raw: bytes) -> None:
    async with scripted([raw]) as there, client(wiring, there.url) as here:
        for _ in range(2):
            assert await whole(await here.send(request())) == b"hello"
        await asyncio.sleep(0.02)
        assert (there.accepted, there.open) == (2, 0)


@on_every_wiring
async def test_a_kept_connection_that_the_upstream_has_closed_is_not_used(wiring: str) -> None:
    async with scripted([SIZED + b"hello", 0.01, CLOSE], hello) as there, client(wiring, there.url) as here:
        for _ in range(2):
            assert await whole(await here.send(request())) == b"hello"
            await asyncio.sleep(0.05)
        assert (len(there.received), there.accepted) == (2, 2)


@on_every_wiring
async def test_a_client_that_leaves_before_the_first_byte(wiring: str) -> None:
    async with scripted(silence) as there, client(wiring, there.url) as here:
        task = asyncio.ensure_future(here.send(request("POST"), b"{}"))
        await asyncio.wait([task], timeout=0.1)
        assert len(there.received) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(there.left.wait(), 1)


@on_every_wiring
@pytest.mark.parametrize("closed", [False, True])
async def test_a_client_that_leaves_in_the_middle(wiring: str, closed: bool) -> None:
    async with scripted([CHUNKED + b"5\r\nhello\r\n", 5.0]) as there, client(wiring, there.url) as here:
        response = await here.send(request("POST"), b"{}")
        assert await response.read() == b"hello"
        if closed:
            await response.close()
        else:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(response.read(), 0.05)
        await asyncio.wait_for(there.left.wait(), 1)
        await response.close()
        await response.close()
        with pytest.raises(Truncated):
            await response.read()


@on_every_wiring
async def test_an_upload_that_its_client_gives_up(wiring: str) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000
            await asyncio.sleep(0.01)

    async with scripted(silence, early=True) as there, client(wiring, there.url) as here:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(here.send(request("POST"), endless()), 0.1)
        await asyncio.wait_for(there.left.wait(), 1)


@on_every_wiring
async def test_a_full_pool_says_so(wiring: str) -> None:
    async with scripted(silence) as there:
        limits = {"max_connections": 1, "max_waiting": 1, "connect_timeout": 0.3}
        async with client(wiring, there.url, **limits) as here:
            first = asyncio.ensure_future(here.send(request()))
            await asyncio.sleep(0.05)
            second = asyncio.ensure_future(here.send(request()))
            await asyncio.sleep(0.05)
            with pytest.raises(PoolFull, match="too many") as caught:
                await here.send(request())
            assert (caught.value.status, caught.value.retry_after) == (503, 1)
            with pytest.raises(PoolFull, match="in time"):
                await second
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
        assert there.accepted == 1


@on_every_wiring
async def test_a_slow_reader_slows_the_upstream(wiring: str) -> None:
    piece, count = b"x" * 65536, 1600  # 100 MiB: more than the socket buffers hold
    sent = 0

    async def much(received: Received, wire: Wire) -> None:
        nonlocal sent
        await wire.head(200, {"content-length": str(len(piece) * count)})
        for _ in range(count):
            await wire.send(piece)
            sent += 1

    async with scripted(much) as there, client(wiring, there.url) as here:
        response = await here.send(request())
        await asyncio.sleep(0.5)
        assert sent < count
        size = 0
        while part := await response.read():
            size += len(part)
        assert size == len(piece) * count


@on_every_wiring
async def test_a_slow_upstream_slows_the_upload(wiring: str) -> None:
    given = 0

    async def much() -> AsyncIterator[bytes]:
        nonlocal given
        for _ in range(1600):
            given += 1
            yield b"x" * 65536

    begin = asyncio.Event()

    async def slow(received: Received, wire: Wire) -> None:
        wire.transport.pause_reading()
        await wire.wait(begin)
        wire.transport.resume_reading()
        await wire.reply(b"%d" % len(await wire.body()))

    async with scripted(slow, early=True) as there, client(wiring, there.url) as here:
        task = asyncio.ensure_future(here.send(request("POST"), much(), 1600 * 65536))
        await asyncio.sleep(0.5)
        assert given < 1600
        begin.set()
        assert await whole(await task) == b"%d" % (1600 * 65536)


# TLS.


@on_every_wiring
@pytest.mark.parametrize(
    ("host", "trusted", "works"), [("127.0.0.1", True, True), ("127.0.0.1", False, False), ("localhost", True, False)]
)
async def test_tls_holds_certificates_to_the_systems_trust_store(
    wiring: str, host: str, trusted: bool, works: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, key = certificate(tmp_path)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    async with scripted(hello, tls=context) as there, client(wiring, there.url.replace("127.0.0.1", host)) as here:
        if works:
            for _ in range(3):
                assert await whole(await here.send(request())) == b"hello"
        else:
            with pytest.raises(ConnectFailed):
                await here.send(request())
