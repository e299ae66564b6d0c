"""Clients that leave and clients that are slow: the upstream hears of it at once, and nothing piles up in between."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from tests.chats import CHAT, asks, chat, chunk, completion
from tests.downstream import ask, connected, request
from tests.running import countermark, until
from tests.scripted import Received, Wire, scripted

MULTIPART = [(b"content-type", b"multipart/form-data; boundary=x")]
FORM = b'--x\r\ncontent-disposition: form-data; name="prompt"\r\n\r\na cat\r\n--x--\r\n'

REQUESTS: dict[str, bytes] = {
    "claimed": request("POST", CHAT, asks()),
    "claimed stream": request("POST", CHAT, asks(stream=True)),
    "claimed, stored": request("GET", CHAT + b"/chatcmpl-1"),
    "claimed form": request("POST", b"/v1/images/edits", FORM, MULTIPART),
    "unclaimed": request("GET", b"/v1/files/1"),
    "unclaimed with a body": request("POST", b"/v1/novelties", b'{"input":"hi"}'),
    "unclaimed upload in chunks": request(
        "POST", b"/v1/files", b"3\r\nabc\r\n0\r\n\r\n", [(b"transfer-encoding", b"chunked")]
    ),
}


@pytest.mark.parametrize("transport", ["http1", "httpx"])
@pytest.mark.parametrize("case", REQUESTS)
async def test_the_client_leaves_before_the_first_byte(case: str, transport: str) -> None:
    taken = asyncio.Event()

    async def handler(received: Received, wire: Wire) -> None:
        taken.set()
        await wire.wait(received.gone)

    async with scripted(handler) as upstream, countermark(upstream.url, upstream={"transport": transport}) as here:
        async with connected(here.address) as client:
            await client.send(REQUESTS[case])
            await asyncio.wait_for(taken.wait(), 10)
        await asyncio.wait_for(upstream.left.wait(), 3)
        if "unclaimed" not in case:
            records = await here.recorded(2 if "stream" in case else 1)
            assert records[-1].outcome == "client_left"


@pytest.mark.parametrize("transport", ["http1", "httpx"])
@pytest.mark.parametrize("case", REQUESTS)
async def test_the_client_leaves_in_the_middle(case: str, transport: str) -> None:
    async def handler(received: Received, wire: Wire) -> None:
        if case == "claimed" or "stored" in case or "form" in case:
            await wire.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{")
            await asyncio.sleep(0.02)
            await wire.send(b'"id":')
        else:
            await wire.sse_head()
            await wire.event(chunk({"content": "Hello"}))
        await wire.wait(received.gone)

    async with scripted(handler) as upstream, countermark(upstream.url, upstream={"transport": transport}) as here:
        async with connected(here.address) as client:
            await client.send(REQUESTS[case])
            if case == "claimed stream" or "unclaimed" in case:
                await client.begin()
                await client.until(b"Hello")
            else:
                # More than the request alone: the proxy holds the beginning of the answer.
                request_size = 0 if "form" in case else len(REQUESTS[case].partition(b"\r\n\r\n")[2])
                await until(lambda: here.promised > request_size)
        await asyncio.wait_for(upstream.left.wait(), 3)
        if "unclaimed" not in case:
            records = await here.recorded(2 if "stream" in case else 1)
            assert records[-1].outcome == "client_left"
            await until(lambda: not here.promised)


async def test_the_client_leaves_in_the_middle_of_its_upload() -> None:
    begun = asyncio.Event()

    async def handler(received: Received, wire: Wire) -> None:
        assert await wire.incoming.readexactly(5) == b"01234"
        begun.set()
        await wire.wait(received.gone)

    async with scripted(handler, early=True) as upstream, countermark(upstream.url) as here:
        async with connected(here.address) as client:
            await client.send(request("POST", b"/v1/files", b"01234", [(b"content-length", b"100")]))
            await asyncio.wait_for(begun.wait(), 10)
        await asyncio.wait_for(upstream.left.wait(), 3)


async def test_the_client_leaves_in_the_middle_of_a_claimed_request() -> None:
    async with scripted(chat) as upstream, countermark(upstream.url) as here:
        async with connected(here.address) as client:
            await client.send(request("POST", CHAT, b'{"model":', [(b"content-length", b"5000")]))
            await until(lambda: here.promised > 0)
        await until(lambda: not here.promised)
        assert not upstream.received


async def test_two_hundred_clients_leave_early() -> None:
    """Nothing stays behind: no connection to the upstream, no memory, no task."""

    async def handler(received: Received, wire: Wire) -> None:
        if received.json().get("stream"):
            await wire.sse_head()
            await wire.event(chunk({"content": "Hello"}))
        await wire.wait(received.gone)

    async with scripted(handler) as upstream, countermark(upstream.url) as here:
        before = len(asyncio.all_tasks())

        async def leaving(number: int) -> None:
            streamed = number % 2 == 0
            async with connected(here.address) as client:
                await client.send(request("POST", CHAT, asks(stream=streamed)))
                if streamed:
                    await client.begin()
                    await client.until(b"Hello")
                else:
                    await until(lambda: len(upstream.received) >= 100)

        await asyncio.gather(*(leaving(number) for number in range(200)))
        records = await here.recorded(300)
        await until(lambda: not upstream.open and not here.promised and len(asyncio.all_tasks()) <= before)
        assert sum(record.outcome == "client_left" for record in records) == 200


# Slow ends: bounded bytes on the way.

PIECE = b": " + b"x" * 65_532 + b"\n\n"  # a record of a stream, too
ROOM = 32 << 20  # what the buffers of two connections may hold in the kernel, with a margin
WHOLE = 96 << 20


async def stalls(push: Callable[[bytes], Awaitable[None]]) -> int:
    """Bytes that ``push`` takes before it takes no more for a while."""
    pushed = 0
    while pushed < WHOLE:
        try:
            await asyncio.wait_for(push(PIECE), 0.4)
        except TimeoutError:
            return pushed
        pushed += len(PIECE)
    return pushed


@pytest.mark.parametrize("transport", ["http1", "httpx"])
@pytest.mark.parametrize("claimed", [False, True])
async def test_a_slow_client_holds_the_upstream_back(claimed: bool, transport: str) -> None:
    stalled: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def handler(received: Received, wire: Wire) -> None:
        await wire.sse_head()
        await wire.event(chunk({"content": "Hello"}))
        stalled.set_result(await stalls(wire.chunk))
        await wire.wait(received.gone)

    async with scripted(handler) as upstream, countermark(upstream.url, upstream={"transport": transport}) as here:
        async with connected(here.address, receive_buffer=65_536) as client:
            target = CHAT if claimed else b"/v1/novelties"
            await client.send(request("POST", target, asks(stream=True)))
            await client.begin()
            await client.until(b"Hello")
            assert await stalled < ROOM
        await asyncio.wait_for(upstream.left.wait(), 5)


@pytest.mark.parametrize("transport", ["http1", "httpx"])
async def test_a_slow_upstream_holds_the_client_back(transport: str) -> None:
    taken = asyncio.Event()

    async def handler(received: Received, wire: Wire) -> None:
        wire.transport.pause_reading()
        taken.set()
        await wire.wait(received.gone)

    async with (
        scripted(handler, early=True) as upstream,
        countermark(upstream.url, upstream={"transport": transport}) as here,
        connected(here.address) as client,
    ):
        await client.send(request("PUT", b"/v1/files", b"x", [(b"content-length", b"%d" % (2 * WHOLE))]))
        await asyncio.wait_for(taken.wait(), 10)
        assert await stalls(client.send) < ROOM
        for wire in upstream.wires:
            wire.transport.resume_reading()


async def test_a_slow_client_gets_everything_in_the_end() -> None:
    async def handler(_: Received, wire: Wire) -> None:
        await wire.sse_head()
        await wire.event(chunk({"content": "Hello"}))
        for number in range(200):
            await wire.chunk(_comment(number))
        await wire.end()

    async with (
        scripted(handler) as upstream,
        countermark(upstream.url) as here,
        connected(here.address, receive_buffer=65_536) as client,
    ):
        await client.send(request("POST", CHAT, asks(stream=True)))
        await client.begin()
        await client.until(b"\n\n")
        answer = await client.rest()
    assert answer.whole
    assert answer.body.endswith(b"".join(map(_comment, range(200))))


def _comment(number: int) -> bytes:
    return b": %b\n\n" % (b"%05d" % number * 13_000)


async def test_an_upload_goes_on_after_an_early_answer() -> None:
    """An upstream may begin to answer before it has read everything; what the client sends still reaches it."""
    pieces = [b"%d" % number * 1000 for number in range(10)]
    got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def handler(_: Received, wire: Wire) -> None:
        await wire.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
        await wire.chunk(b" ")
        body = await wire.body()
        got.set_result(body)
        await wire.chunk(json.dumps(completion("Hello")).encode())
        await wire.end()

    async with (
        scripted(handler, early=True) as upstream,
        countermark(upstream.url) as here,
        connected(here.address) as client,
    ):
        fields = [*MULTIPART, (b"transfer-encoding", b"chunked")]
        await client.send(request("POST", b"/v1/images/edits", b"", fields))
        await until(lambda: upstream.accepted > 0)
        for piece in pieces:
            await client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            await asyncio.sleep(0.005)
        await client.send(b"0\r\n\r\n")
        assert await asyncio.wait_for(got, 10) == b"".join(pieces)
        await client.begin()
        await client.rest()


async def test_a_client_that_leaves_does_not_disturb_the_next() -> None:
    async with scripted(chat) as upstream, countermark(upstream.url) as here:
        for _ in range(20):
            async with connected(here.address) as client:
                await client.send(request("POST", CHAT, asks()))
            assert (await ask(here.address, "POST", CHAT, asks())).status == 200
