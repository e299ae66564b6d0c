"""Our own client: who gets a connection, when a request is sent again and when never, and that nothing is left open."""

import asyncio
import random
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from proxy.origin import origin
from proxy.upstream import Body, ConnectFailed, Target, Truncated, UpstreamError
from proxy.upstream import open as open_upstream
from proxy.upstream_connection import Connection
from proxy.upstream_http11 import Http11
from proxy.upstream_socket import dial
from tests.scripted import Received, Wire, scripted
from tests.wiring import on_http11, request, whole

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def hello(received: Received, wire: Wire) -> None:
    await wire.reply(b"hello")


def opened(url: str, **settings: float) -> Http11:
    return Http11(Target(url, **settings))  # type: ignore[arg-type]


def places(client: Http11) -> tuple[int, int, int, int]:
    """Free places, connections, idle ones, waiters."""
    return client._free_places, len(client._live), len(client._idle), len(client._queue)


# Sent again, or never.


@contextmanager
def raw_server(serve: Callable[[socket.socket], None], connections: int) -> Iterator[str]:
    """A server in a thread: it acts while the event loop of the test stands still."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)

        def accept() -> None:
            for _ in range(connections):
                try:
                    sock, _ = server.accept()
                except OSError:
                    return
                sock.settimeout(5)
                with sock, suppress(ConnectionError):
                    serve(sock)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def blind(client: Http11) -> None:
    """The look at the idle connection came an instant before what it would have seen."""
    for connection in client._idle:
        connection._anything_waits = lambda: False


async def too_late(end: Callable[[socket.socket], None], body: Body) -> tuple[int, object]:
    """An idle connection ends just as a request is on its way: how many requests were read, and what came of it."""
    close = threading.Event()
    read: list[bytes] = []

    def serve(sock: socket.socket) -> None:
        first = not read
        while data := sock.recv(65536):
            read.extend([data] if b" HTTP/1.1\r\n" in data else [])
            sock.sendall(HELLO)
            if first:
                close.wait(5)
                end(sock)
                return

    with raw_server(serve, 2) as url:
        client = opened(url)
        assert await whole(await client.send(request())) == b"hello"
        blind(client)
        close.set()
        time.sleep(0.1)  # noqa: ASYNC251  the loop must not see the end before it writes
        result: object
        try:
            result = await whole(await client.send(request("POST"), body))
        except UpstreamError as error:
            result = type(error)
        assert places(client)[:2] == ((999, 1) if result == b"hello" else (1000, 0))
        await client.aclose()
    return len(read), result


async def one_piece() -> AsyncIterator[bytes]:
    yield b"{}"


@on_http11
async def test_a_request_that_crossed_an_end_is_sent_again() -> None:
    for body in (b"{}", None):
        assert await too_late(lambda sock: sock.close(), body) == (2, b"hello")


@on_http11
async def test_a_request_that_cannot_be_repeated_or_proven_untouched_is_not_sent_again() -> None:
    assert await too_late(lambda sock: sock.close(), one_piece()) == (1, Truncated)
    # A second write fails before the end is read, and with it goes the proof.
    assert await too_late(lambda sock: sock.close(), b"x" * 100_000) == (1, Truncated)


@on_http11
async def test_a_request_that_crossed_a_reset_is_not_sent_again() -> None:
    # A reset proves nothing: see proxy/upstream_socket.py.
    assert await too_late(reset, b"{}") == (1, Truncated)


def read_then(end: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    def run(sock: socket.socket) -> None:
        assert sock.recv(65536)
        end(sock)

    return run


@on_http11
@pytest.mark.parametrize("end", [lambda sock: sock.close(), reset], ids=["end", "reset"])
async def test_a_request_that_was_read_is_never_sent_again(end: Callable[[socket.socket], None]) -> None:
    accepted = 0

    def serve(sock: socket.socket) -> None:
        nonlocal accepted
        accepted += 1
        assert sock.recv(65536)
        sock.sendall(HELLO)
        read_then(end)(sock)

    with raw_server(serve, 2) as url:
        client = opened(url)
        assert await whole(await client.send(request())) == b"hello"
        with pytest.raises(Truncated):
            await client.send(request("POST"), b"{}")
        await client.aclose()
        assert accepted == 1


@on_http11
@pytest.mark.parametrize("end", [lambda sock: sock.close(), reset], ids=["end", "reset"])
async def test_an_end_that_is_already_there_is_seen_past_the_loop(end: Callable[[socket.socket], None]) -> None:
    close = threading.Event()
    read: list[bytes] = []

    def serve(sock: socket.socket) -> None:
        while data := sock.recv(65536):
            if b" HTTP/1.1\r\n" not in data:
                continue
            read.append(data)
            sock.sendall(HELLO)
            if len(read) == 1:
                close.wait(5)
                end(sock)
                return

    with raw_server(serve, 2) as url:
        client = opened(url)
        assert await whole(await client.send(request())) == b"hello"
        close.set()
        time.sleep(0.1)  # noqa: ASYNC251  as above
        assert await whole(await client.send(request("POST"), one_piece())) == b"hello"
        await client.aclose()
    assert len(read) == 2


@on_http11
async def test_surplus_that_is_already_there_is_seen_past_the_loop() -> None:
    go, accepted = threading.Event(), 0

    def serve(sock: socket.socket) -> None:
        nonlocal accepted
        accepted += 1
        while sock.recv(65536):
            sock.sendall(HELLO)
            if accepted == 1:
                go.wait(5)
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")

    with raw_server(serve, 2) as url:
        client = opened(url)
        assert await whole(await client.send(request())) == b"hello"
        go.set()
        time.sleep(0.1)  # noqa: ASYNC251  as above
        assert await whole(await client.send(request())) == b"hello"
        await client.aclose()
    assert accepted == 2


# Who gets a connection.


@on_http11
@pytest.mark.parametrize("connections", [1, 3])
async def test_many_requests_share_a_few_connections_in_the_order_they_came(connections: int) -> None:
    async def slowly(received: Received, wire: Wire) -> None:
        await asyncio.sleep(0.001)
        await wire.reply(received.target)

    async with scripted(slowly) as there:
        client = opened(there.url, max_connections=connections)
        finished: list[bytes] = []

        async def one(number: int) -> None:
            finished.append(await whole(await client.send(request("GET", b"/%d" % number))))

        targets = [b"/%d" % number for number in range(50)]
        await asyncio.gather(*(one(number) for number in range(50)))
        assert sorted(finished) == sorted(targets)
        if connections == 1:
            assert finished == targets
        assert there.accepted == connections
        assert places(client) == (0, connections, connections, 0)
        await client.aclose()
        assert places(client)[:3] == (connections, 0, 0)


@on_http11
async def test_the_last_connection_used_is_the_next() -> None:
    hold = asyncio.Event()

    async def answer(received: Received, wire: Wire) -> None:
        if received.target == b"/held":
            await wire.wait(hold)
        await wire.reply(b"hello")

    async with scripted(answer) as there:
        client = opened(there.url)
        held = asyncio.ensure_future(client.send(request("GET", b"/held")))
        await asyncio.sleep(0.02)
        await whole(await client.send(request("GET", b"/")))
        hold.set()
        await whole(await held)
        for _ in range(5):
            await whole(await client.send(request("GET", b"/")))
        assert [received.connection for received in there.received] == [0, 1, 0, 0, 0, 0, 0]
        await client.aclose()


@on_http11
async def test_a_place_is_passed_on_by_whoever_leaves_the_queue() -> None:
    begin = asyncio.Event()

    async def answer(received: Received, wire: Wire) -> None:
        await wire.wait(begin)
        await wire.reply(received.target)

    async with scripted(answer) as there:
        client = opened(there.url, max_connections=1)
        tasks = [asyncio.ensure_future(client.send(request("GET", b"/%d" % number))) for number in range(4)]
        await asyncio.sleep(0.02)
        assert places(client) == (0, 1, 0, 3)
        tasks[1].cancel()  # while it waits
        await asyncio.sleep(0)
        assert places(client) == (0, 1, 0, 2)
        released = next(iter(client._live))._free

        def release(connection: Connection) -> None:
            released(connection)
            tasks[2].cancel()  # just as the connection is handed to it, before it has run

        next(iter(client._live))._free = release
        begin.set()
        outcomes = await asyncio.gather(*tasks[:3], return_exceptions=True)
        assert [type(outcome).__name__ for outcome in outcomes] == ["Answer", "CancelledError", "CancelledError"]
        assert await whole(await tasks[3]) == b"/3"
        assert [received.target for received in there.received] == [b"/0", b"/3"]
        assert there.accepted == 1
        await client.aclose()
        assert places(client) == (1, 0, 0, 0)


@on_http11
async def test_a_connection_that_fails_gives_its_place_to_the_next() -> None:
    async def first_cut(received: Received, wire: Wire) -> None:
        await asyncio.sleep(0.01)
        if received.target == b"/cut":
            wire.cut()
        else:
            await wire.reply(b"hello")

    async with scripted(first_cut) as there:
        client = opened(there.url, max_connections=1)
        results = await asyncio.gather(
            *(client.send(request("GET", target)) for target in (b"/cut", b"/", b"/cut", b"/")), return_exceptions=True
        )
        assert [type(result).__name__ for result in results] == ["Truncated", "Answer", "Truncated", "Answer"]
        assert there.accepted == 3
        await client.aclose()
        assert places(client) == (1, 0, 0, 0)


@on_http11
async def test_waiters_of_an_upstream_that_refuses_are_told_one_by_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    client = opened(url, max_connections=2)
    results = await asyncio.gather(*(client.send(request()) for _ in range(20)), return_exceptions=True)
    assert {type(result) for result in results} == {ConnectFailed}
    assert places(client) == (2, 0, 0, 0)


@on_http11
async def test_leaving_while_connecting_leaves_nothing_behind() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        client = opened(f"https://127.0.0.1:{mute.getsockname()[1]}", max_connections=1)
        task = asyncio.ensure_future(client.send(request()))
        await asyncio.sleep(0.05)
        assert places(client) == (0, 0, 0, 0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert places(client) == (1, 0, 0, 0)
        accepted, _ = mute.accept()
        accepted.settimeout(2)
        with accepted:
            while accepted.recv(4096):  # the greeting, and then the end
                pass


@on_http11
async def test_whatever_happens_every_place_comes_back() -> None:
    dice = random.Random(1)

    async def moody(received: Received, wire: Wire) -> None:
        await asyncio.sleep(dice.random() * 0.01)
        match dice.randrange(6):
            case 0:
                wire.cut()
            case 1:
                await wire.send(CHUNKED + b"5\r\nhel")
                wire.close()
            case 2:
                await wire.send(b"nonsense\r\n\r\n")
            case 3:
                await wire.send(HELLO + b"surplus")
            case _:
                await wire.sse(range(5), pause=0.001)

    async with scripted(moody) as there:
        client = opened(there.url, max_connections=5, max_waiting=30, keep_alive=0.01, first_byte_timeout=0.5)

        async def one() -> str:
            try:
                async with asyncio.timeout(dice.random() * 0.1):
                    response = await client.send(request("POST"), b"{}" if dice.random() < 0.5 else one_piece())
                    if dice.random() < 0.2:
                        await response.close()
                        return "closed"
                    return (await whole(response))[-8:].decode()
            except (UpstreamError, TimeoutError) as error:
                return type(error).__name__

        outcomes = [await asyncio.gather(*(one() for _ in range(40))) for _ in range(15)]
        seen = {outcome for batch in outcomes for outcome in batch}
        assert seen >= {"[DONE]\n\n", "Truncated", "BadResponse", "PoolFull", "TimeoutError"}
        await asyncio.sleep(0.1)
        assert places(client) == (5, 0, 0, 0)
        assert there.open == 0
        await client.aclose()


# Requests and responses that meet half-way.


@on_http11
@pytest.mark.parametrize("pause", [0, 0.05])
async def test_a_refusal_of_an_upload_arrives_although_the_upload_was_cut_short(pause: float) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536
            await asyncio.sleep(0)

    async def refuse(received: Received, wire: Wire) -> None:
        await wire.reply(b"too much", "text/plain", 413, connection="close")
        await asyncio.sleep(pause)
        wire.cut()

    async with scripted(refuse, early=True) as there:
        client = opened(there.url)
        for _ in range(20):
            response = await client.send(request("POST"), endless())
            assert (response.head.status, await whole(response)) == (413, b"too much")
        assert places(client) == (1000, 0, 0, 0)
        await client.aclose()


@on_http11
async def test_a_refusal_arrives_although_a_write_failed_before_it_was_read() -> None:
    refused = threading.Event()

    def refuse(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        reset(sock)
        refused.set()

    async def blocking() -> AsyncIterator[bytes]:
        yield b"one"
        await asyncio.sleep(0.02)
        refused.wait(5)
        time.sleep(0.02)  # noqa: ASYNC251  the loop must not see the refusal before it writes
        for _ in range(3):
            yield b"two"

    with raw_server(refuse, 1) as url:
        client = opened(url)
        response = await client.send(request("POST"), blocking())
        assert (response.head.status, await whole(response)) == (413, b"no")
        await client.aclose()


@on_http11
async def test_an_upload_stops_where_the_upstream_refuses_it() -> None:
    stopped = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
                await asyncio.sleep(0.001)
        finally:
            stopped.set()

    async def refuse(received: Received, wire: Wire) -> None:
        await wire.head(400, {"content-length": "2"})
        await wire.wait(stopped)
        await wire.send(b"no")

    async with scripted(refuse, early=True) as there:
        client = opened(there.url)
        assert await whole(await client.send(request("POST"), endless())) == b"no"
        assert places(client) == (1000, 0, 0, 0)
        await client.aclose()


@on_http11
async def test_a_response_may_begin_before_the_request_has_ended() -> None:
    go_on = asyncio.Event()

    async def dialogue() -> AsyncIterator[bytes]:
        yield b"one"
        await go_on.wait()
        yield b"two"

    async def echo(received: Received, wire: Wire) -> None:
        await wire.send(CHUNKED)
        await wire.chunk(b"listening")
        await wire.chunk(await wire.body())
        await wire.end()

    async with scripted(echo, early=True) as there:
        client = opened(there.url)
        for _ in range(2):
            response = await client.send(request("POST"), dialogue())
            assert await response.read() == b"listening"
            go_on.set()
            assert await whole(response) == b"onetwo"
            go_on.clear()
        assert there.accepted == 1
        await client.aclose()


@on_http11
async def test_an_answer_to_an_unfinished_upload_ends_the_connection() -> None:
    stopped = asyncio.Event()

    async def waiting() -> AsyncIterator[bytes]:
        try:
            yield b"one"
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with scripted(hello, early=True) as there:
        client = opened(there.url)
        assert await whole(await client.send(request("POST"), waiting())) == b"hello"
        await asyncio.wait_for(stopped.wait(), 1)
        assert places(client) == (1000, 0, 0, 0)
        await client.aclose()


@on_http11
async def test_a_head_and_its_body_in_one_segment_are_read_without_waiting() -> None:
    async with scripted([HELLO]) as there:
        client = opened(there.url)
        response = await client.send(request())
        step = response.read()
        with pytest.raises(StopIteration) as ended:
            step.send(None)
        assert ended.value.value == b"hello"
        await client.aclose()


@on_http11
async def test_closing_the_client_ends_what_is_under_way() -> None:
    async with scripted([CHUNKED + b"5\r\nhello\r\n", 5.0]) as there:
        client = opened(there.url, max_connections=1)
        response = await client.send(request())
        assert await response.read() == b"hello"
        waiting = asyncio.ensure_future(client.send(request()))
        await asyncio.sleep(0.01)
        await client.aclose()
        with pytest.raises(Truncated):
            await response.read()
        with pytest.raises(ConnectFailed):
            await waiting
        with pytest.raises(ConnectFailed):
            await client.send(request())
        assert places(client) == (1, 0, 0, 0)


def test_a_proxy_needs_the_other_transport() -> None:
    with pytest.raises(ValueError, match="httpx"):
        open_upstream(Target("http://127.0.0.1", proxy="http://127.0.0.1:3128"))


# Several addresses.


async def test_an_address_that_swallows_everything_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0), backlog=0) as hole, socket.create_server(("127.0.0.1", 0)) as taking:
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:  # the queue of a server that accepts nothing is full: the kernel drops who comes next
            one.setblocking(False)
            one.connect_ex(hole.getsockname())
        kind = (socket.AF_INET, socket.SOCK_STREAM, 0, "")

        async def look_up(*_: object, **__: object) -> list[object]:
            return [(*kind, hole.getsockname()), (*kind, taking.getsockname())]

        monkeypatch.setattr(loop, "getaddrinfo", look_up)
        async with asyncio.timeout(5):
            began = loop.time()
            made = await dial(origin("http://two.example"), None, _Dialled, 1)
        assert 0.4 < loop.time() - began < 0.9
        assert made.peer == taking.getsockname()
        made.transport.close()
        await asyncio.sleep(0)
        for one in waiting:
            one.close()


class _Dialled(asyncio.Protocol):
    def __init__(self, sock: socket.socket) -> None:
        self.peer = sock.getpeername()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
