"""Traffic that nobody wants, on real sockets: too much, too late, no HTTP. Nothing piles up, and all of it ends."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from backports import zstd

from proxy import server
from tests.chats import CHAT, asks, chat, chunk, completion, event, text_of
from tests.downstream import Answer, Client, ask, connected, request
from tests.running import NOTICE, Elsewhere, countermark, process
from tests.scripted import Received, Scripted, Wire, scripted

GIGABYTE = 1 << 30
BLOCK = b"0123456789abcdef" * 16_384  # 256 KiB
MEGABYTE = 1 << 20


@asynccontextmanager
async def measured(upstream: Scripted, most: int, **sections: Any) -> AsyncIterator[Elsewhere]:
    """A Countermark in a process of its own, which must not take more than ``most`` more than it has when warm."""
    async with process(upstream.url, **sections) as there:
        await ask(there.address, "POST", b"/warm", b"x" * 100_000)
        before = there.memory
        yield there
        grown = there.most_memory - before
        assert grown < most, f"{grown >> 20} MiB"
        assert (await ask(there.address, "GET", b"/countermark/health")).status == 200


async def echo_small(received: Received, wire: Wire) -> None:
    await wire.body()
    await wire.reply(b"ok")


# A gigabyte.


async def test_a_gigabyte_up_and_down_in_constant_memory() -> None:
    async def handler(received: Received, wire: Wire) -> None:
        if received.target == b"/warm":
            await echo_small(received, wire)
        elif received.method == "GET":
            await wire.head(200, {"content-length": str(GIGABYTE)})
            for _ in range(GIGABYTE // len(BLOCK)):
                await wire.send(BLOCK)
        else:
            left = GIGABYTE
            while left:
                data = await wire.incoming.read(1 << 20)
                assert data
                left -= len(data)
            await wire.reply(b"ok")

    async with (
        scripted(handler, early=True) as upstream,
        measured(upstream, 48 * MEGABYTE) as there,
        connected(there.address) as client,
    ):
        await client.send(request("GET", b"/v1/novelties/1/content"))
        await client.begin()
        size = 0
        while piece := await client.piece():
            size += len(piece)
            client.answer.body = b""
        assert (size, client.answer.whole) == (GIGABYTE, True)
        await client.send(request("PUT", b"/v1/files", b"", [(b"content-length", b"%d" % GIGABYTE)]))
        for _ in range(GIGABYTE // len(BLOCK)):
            await client.send(BLOCK)
        await client.begin()
        assert (await client.rest()).body == b"ok"


@pytest.mark.parametrize("length", [True, False])
async def test_a_claimed_gigabyte_is_refused(length: bool) -> None:
    async with scripted(chat) as upstream, process(upstream.url, limits={"whole_body": "16 MiB"}) as there:
        await ask(there.address, "POST", CHAT, asks())
        before, asked = there.memory, len(upstream.received)
        async with connected(there.address) as client:
            framing = (b"content-length", b"%d" % GIGABYTE) if length else (b"transfer-encoding", b"chunked")
            await client.send(request("POST", CHAT, b"", [framing, (b"content-type", b"application/json")]))
            answer = asyncio.ensure_future(client.begin())
            sent = 0
            while not answer.done() and sent < 64 * MEGABYTE:
                await client.send(BLOCK if length else b"%x\r\n%b\r\n" % (len(BLOCK), BLOCK))
                sent += len(BLOCK)
            assert (await answer).status == 413
            assert (await client.rest()).error == "too_large"
        assert len(upstream.received) == asked
        assert there.most_memory - before < 80 * MEGABYTE


async def a_gigabyte(prefix: bytes, filler: bytes, media_type: str, wire: Wire, *, length: bool) -> None:
    """An endless-looking body: ``prefix``, then ``filler`` until the client has gone."""
    if length:
        await wire.head(200, {"content-type": media_type, "content-length": str(GIGABYTE)})
    else:
        await wire.head(200, {"content-type": media_type, "transfer-encoding": "chunked"})
    push = wire.send if length else wire.chunk
    await push(prefix)
    sent = len(prefix)
    while sent + len(filler) <= GIGABYTE:
        await push(filler)
        await asyncio.sleep(0)  # so that the end of the connection is heard of
        sent += len(filler)
    raise AssertionError("it was all taken")


LONG: dict[str, tuple[bytes, bytes]] = {
    "text": (b'{"choices":[{"index":0,"message":{"content":"', BLOCK),
    "white space in front": (b" ", b" \r\n\t" * 65_536),
    "white space behind": (b'{"choices":[{"index":0,"message":{"content":"x"}}]}', b" " * 262_144),
}


@pytest.mark.parametrize(("case", "length"), [*((case, False) for case in LONG), ("text", True)])
async def test_a_gigabyte_of_an_answer_is_refused(case: str, length: bool) -> None:
    async def handler(received: Received, wire: Wire) -> None:
        if received.target == b"/warm":
            await wire.reply(b"ok")
        else:
            await a_gigabyte(*LONG[case], "application/json", wire, length=length)

    async with (
        scripted(handler) as upstream,
        measured(upstream, 96 * MEGABYTE, limits={"whole_body": "16 MiB", "idle": "5 s"}) as there,
    ):
        answer = await ask(there.address, "POST", CHAT, asks())
        assert (answer.status, answer.error) == (502, "not_labelled")


async def test_a_record_of_a_hundred_megabytes_before_the_label_is_refused() -> None:
    async def handler(received: Received, wire: Wire) -> None:
        if received.target == b"/warm":
            await wire.reply(b"ok")
        else:
            prefix = b'data: {"choices":[{"index":0,"delta":{"content":"'
            await a_gigabyte(prefix, BLOCK, "text/event-stream", wire, length=False)

    async with scripted(handler) as upstream, measured(upstream, 96 * MEGABYTE) as there:
        answer = await ask(there.address, "POST", CHAT, asks(stream=True))
        assert (answer.status, answer.error) == (502, "not_labelled")


async def test_a_record_of_a_hundred_megabytes_behind_the_label_is_cut_off() -> None:
    """What it holds could be a picture, which must be held to be labelled; the bound is that before the label."""

    async def handler(received: Received, wire: Wire) -> None:
        if received.target == b"/warm":
            await wire.reply(b"ok")
            return
        await wire.sse_head()
        await wire.event(chunk({"content": "Hello"}))
        await wire.wait(seen)
        await wire.chunk(b'data: {"choices":[{"index":0,"delta":{"content":"')
        for _ in range(400):
            await wire.chunk(BLOCK)
        await wire.chunk(b'"}}]}\n\n' + event("[DONE]"))
        await wire.end()

    seen = asyncio.Event()
    async with (
        scripted(handler) as upstream,
        measured(upstream, 64 * MEGABYTE) as there,
        connected(there.address) as client,
    ):
        await client.send(request("POST", CHAT, asks(stream=True)))
        await client.begin()
        await client.until(b"Hello")
        seen.set()
        answer = await client.rest()
        assert not answer.whole
        assert len(answer.body) < 10 * MEGABYTE


@pytest.mark.parametrize(("coding", "streamed"), [("gzip", False), ("zstd", True)])
async def test_a_bomb_does_not_go_off(coding: str, streamed: bool) -> None:
    plain = (b"data: " if streamed else b"") + b'{"choices":[{"index":0,"' + b"0" * (256 * MEGABYTE)
    bomb = gzip.compress(plain, 1) if coding == "gzip" else zstd.compress(plain)
    del plain
    kind = "text/event-stream" if streamed else "application/json"

    async def handler(received: Received, wire: Wire) -> None:
        if received.target == b"/warm":
            await wire.reply(b"ok")
        else:
            await wire.reply(bomb, kind, content_encoding=coding)

    async with (
        scripted(handler) as upstream,
        measured(upstream, 160 * MEGABYTE, limits={"whole_body": "16 MiB"}) as there,
    ):
        answer = await ask(there.address, "POST", CHAT, asks(stream=streamed))
        assert (answer.status, answer.error) == (502, "not_labelled")
        answer = await ask(there.address, "POST", CHAT, bomb, [(b"content-encoding", coding.encode())])
        assert (answer.status, answer.error) == (413, "too_large")


# Heads.


async def finished(client: Client) -> Answer:
    await client.begin()
    return await client.rest()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/models HTTP/1.1\r\nhost: a\r\nx: " + b"x" * 100_000 + b"\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nhost: a\r\n" + b"x: y\r\n" * 20_000 + b"\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nhost: a\r\n" + b"x" * 100_000,
    ],
    ids=["a long value", "many fields", "a long target", "a name without an end"],
)
@pytest.mark.parametrize("cut", [100_000_000, 1_000])
async def test_a_head_of_100_kb_is_refused(head: bytes, cut: int) -> None:
    async with scripted(chat) as upstream, countermark(upstream.url) as here, connected(here.address) as client:

        async def push() -> None:
            for at in range(0, len(head), cut):
                await client.send(head[at : at + cut])
                await asyncio.sleep(0)

        pushing = asyncio.ensure_future(push())
        answer = await finished(client)
        await asyncio.wait((pushing,))
        assert isinstance(pushing.exception(), ConnectionError | None)
        assert answer.status == 431
        assert not upstream.received


async def test_a_head_within_the_bound_passes() -> None:
    fields = [(b"x-%d" % number, b"y" * 1000) for number in range(50)]
    async with scripted(chat) as upstream, countermark(upstream.url) as here:
        assert (await ask(here.address, "POST", CHAT, asks(), fields)).status == 200
    assert upstream.received[0].value(b"x-49") == b"y" * 1000


async def test_a_body_behind_a_small_head_may_be_large() -> None:
    async with scripted(chat) as upstream, countermark(upstream.url) as here:
        assert (await ask(here.address, "POST", CHAT, asks(padding="x" * 1_000_000))).status == 200


@pytest.mark.parametrize("transport", ["http1", "httpx"])
@pytest.mark.parametrize("field", [b"x: " + b"x" * 100_000 + b"\r\n", b"x: y\r\n" * 20_000], ids=["one", "many"])
async def test_an_answers_head_of_100_kb_is_refused(field: bytes, transport: str) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n" + field + b"\r\n{}"
    async with scripted([head]) as upstream, countermark(upstream.url, upstream={"transport": transport}) as here:
        answer = await ask(here.address, "POST", CHAT, asks())
    assert (answer.status, answer.error) == (502, "upstream_error")


async def test_a_client_that_never_ends_its_head_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEADER_SECONDS", 0.1)
    async with scripted(chat) as upstream, countermark(upstream.url) as here:
        async with connected(here.address) as client:
            await client.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nx: ")
            assert (await finished(client)).status == 408
            assert await client.is_closed()
        async with connected(here.address) as client:
            assert (await client.ask("POST", CHAT, asks())).status == 200
            await client.send(b"POST /v1/chat/completions HTTP/1.1\r\n")
            assert (await finished(client)).status == 408
        assert len(upstream.received) == 1


async def test_a_slow_answer_is_no_slow_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEADER_SECONDS", 0.1)

    async def handler(_: Received, wire: Wire) -> None:
        await asyncio.sleep(0.3)
        await wire.json(completion("Hello"))

    async with scripted(handler) as upstream, countermark(upstream.url) as here, connected(here.address) as client:
        for _ in range(2):
            assert (await client.ask("POST", CHAT, asks())).status == 200


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET / HTTP/3.7\r\n\r\n",
        b"CONNECT a:443 HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: a\r\n\r\n",
        b"get / HTTP/1.1\r\nhost: a\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_refused(garbage: bytes) -> None:
    async with scripted(chat) as upstream, countermark(upstream.url) as here, connected(here.address) as client:
        await client.send(garbage)
        assert (await finished(client)).status in (400, 405, 501, 505)
        assert not upstream.received


async def test_an_upstream_that_falls_silent_in_a_stream() -> None:
    async def handler(received: Received, wire: Wire) -> None:
        await wire.sse_head()
        await wire.event(chunk({"content": "Hello"}))
        await wire.wait(received.gone)

    async with scripted(handler) as upstream, countermark(upstream.url, limits={"idle": "200 ms"}) as here:
        answer = await ask(here.address, "POST", CHAT, asks(stream=True))
        assert here.only().outcome == "truncated"
        await asyncio.wait_for(upstream.left.wait(), 5)
    assert not answer.whole
    assert text_of(answer.body) == NOTICE + "Hello"


async def test_a_stream_with_a_head_and_nothing_more() -> None:
    async def handler(received: Received, wire: Wire) -> None:
        await wire.sse_head()
        await wire.wait(received.gone)

    async with scripted(handler) as upstream, countermark(upstream.url, limits={"idle": "200 ms"}) as here:
        answer = await ask(here.address, "POST", CHAT, asks(stream=True))
    assert (answer.status, answer.error) == (504, "upstream_error")


async def test_two_hundred_at_once() -> None:
    async with scripted(chat) as upstream, countermark(upstream.url) as here:
        answers = await asyncio.gather(
            *(ask(here.address, "POST", CHAT, asks(stream=number % 2 == 0)) for number in range(200))
        )
        assert not here.promised
        ids = [record.id for record in here.records if record.state != "opened"]
    assert all(answer.status == 200 and answer.whole for answer in answers)
    assert len(set(ids)) == 200
