"""One exchange, traced on real sockets: what leaves when, and what is on disk before it does."""

import asyncio
import gzip
import json
from typing import Any

import pytest

from proxy.label.aigc import parse
from tests.chats import CHAT, asks, chat, chunk, completion, event, events, read, text_of, told
from tests.downstream import Answer, ask, connected, request
from tests.running import NOTICE, countermark
from tests.scripted import CLOSE, Received, Wire, scripted

SSE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


async def test_the_first_record_leaves_before_the_upstream_has_finished() -> None:
    seen = asyncio.Event()

    async def handler(_: Received, wire: Wire) -> None:
        await wire.sse_head()
        await wire.event(chunk({"content": "Hel"}))
        await wire.wait(seen)
        await wire.event(chunk({"content": "lo"}))
        await wire.event("[DONE]")
        await wire.end()

    async with scripted(handler) as upstream, countermark(upstream.url) as here, connected(here.address) as client:
        await client.send(request("POST", CHAT, asks(stream=True)))
        await client.begin()
        await client.until(b"Hel")
        assert text_of(client.answer.body) == NOTICE + "Hel"
        seen.set()
        answer = await client.rest()
    assert answer.whole
    assert text_of(answer.body) == NOTICE + "Hello"


async def test_every_record_leaves_when_it_comes() -> None:
    """Also behind the label, where nothing is parsed any more, and where an upstream compresses."""
    turns = [asyncio.Event() for _ in range(5)]

    async def handler(_: Received, wire: Wire) -> None:
        await wire.sse_head(content_encoding="gzip")
        for index, turn in enumerate(turns):
            await wire.wait(turn)
            await wire.chunk(gzip.compress(event(chunk({"content": f"<{index}>"}))))
        await wire.end()

    async with scripted(handler) as upstream, countermark(upstream.url) as here, connected(here.address) as client:
        await client.send(request("POST", CHAT, asks(stream=True)))
        for index, turn in enumerate(turns):
            turn.set()
            if not index:
                await client.begin()
            await client.until(b"<%d>" % index)
        assert (await client.rest()).whole


async def test_opened_is_on_disk_before_the_first_byte_and_closed_before_the_last_record() -> None:
    go_on, finish = asyncio.Event(), asyncio.Event()

    async def handler(_: Received, wire: Wire) -> None:
        await wire.sse_head()
        await wire.event(chunk({"content": "Hello"}))
        await wire.wait(go_on)
        await wire.event("[DONE]")
        await wire.wait(finish)
        await wire.end()

    async with scripted(handler) as upstream, countermark(upstream.url) as here, connected(here.address) as client:
        await client.send(request("POST", CHAT, asks(stream=True)))
        await client.begin()
        assert [(record.state, record.outcome) for record in here.records] == [("opened", "")]
        go_on.set()
        await client.until(b"[DONE]")
        assert [(record.state, record.outcome) for record in here.records] == [("opened", ""), ("closed", "labelled")]
        finish.set()
        assert (await client.rest()).whole
        assert len(here.records) == 2


async def test_a_whole_answers_record_is_on_disk_before_it_leaves() -> None:
    trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with scripted(chat) as upstream, countermark(upstream.url) as here, connected(here.address) as client:
        await client.send(request("POST", CHAT, asks(), [(b"traceparent", trace), (b"authorization", b"Bearer sk-1")]))
        answer = await client.begin()
        record = here.only()
        await client.rest()
        assert upstream.received[0].value(b"traceparent") == trace
    assert (record.state, record.outcome, record.status, record.streaming) == ("whole", "labelled", 200, False)
    assert (record.method, record.model, record.upstream, record.route) == ("POST", "m", "models", "/**")
    assert record.trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert record.because == ("cn-gb45438/text", "cn-gb45438/image")
    assert record.tenant
    assert "sk-1" not in record.tenant
    assert record.bytes_in < record.bytes_out == len(answer.body)
    (item,) = record.items
    assert item.placed == ("prefix", "body", "header", "disclosure")
    assert item.size_after - item.size_before == len(NOTICE.encode())


async def test_the_rest_of_a_stream_is_untouched_byte_for_byte() -> None:
    odd = b': hm\r\ndata:  {"choices":[{"index":0,"delta":{"content":"\\u4f60 \\/ \xe4\xbd\xa0"}}],\t"x":1.0}\r\n\r\n'
    behind = b'id: 7\ndata: {"no":"json\n\n' + b"\xff\xfe anything at all\r" + event("[DONE]") + b"data: after\n\n"
    labelled = asyncio.Event()
    steps = [SSE_HEAD, b"%x\r\n%b\r\n" % (len(odd), odd), labelled, b"%x\r\n%b\r\n0\r\n\r\n" % (len(behind), behind)]
    async with scripted(steps) as upstream, countermark(upstream.url) as here, connected(here.address) as client:
        await client.send(request("POST", CHAT, asks(stream=True)))
        await client.begin()
        await client.until(b"\r\n\r\n")
        labelled.set()
        answer = await client.rest()
        label = answer.value(b"countermark-aigc")
    assert label is not None
    quoted = json.dumps(NOTICE, ensure_ascii=False)[1:-1].encode()
    expected = odd.replace(b'"\\u4f60', b'"%b\\u4f60' % quoted).replace(b"1.0}", b'1.0,"AIGC":%b}' % label) + behind
    assert answer.body.replace(json.dumps(NOTICE)[1:-1].encode(), quoted) == expected
    assert answer.whole


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
async def test_what_the_upstream_sends_counts_and_not_what_was_asked_for(asked: bool, streamed: bool) -> None:
    async def handler(_: Received, wire: Wire) -> None:
        await (wire.sse(told("Hello")) if streamed else wire.json(completion("Hello")))

    async with scripted(handler) as upstream, countermark(upstream.url) as here:
        answer = await ask(here.address, "POST", CHAT, asks(stream=asked))
        record = here.only()
    said = text_of(answer.body) if streamed else answer.json()["choices"][0]["message"]["content"]
    assert said == NOTICE + "Hello"
    assert (record.outcome, record.state) == ("labelled", "closed" if streamed or asked else "whole")


@pytest.mark.parametrize(
    "media_type", [b"text/event-stream", b"application/octet-stream", b"text/plain; charset=utf-8"]
)
async def test_a_stream_is_known_by_its_beginning(media_type: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\nconnection: close\r\n\r\n" % media_type
    async with (
        scripted([head, events(told("Hello")), event("[DONE]"), CLOSE]) as upstream,
        countermark(upstream.url) as here,
    ):
        answer = await ask(here.address, "POST", CHAT, asks(stream=True))
    assert text_of(answer.body) == NOTICE + "Hello"


@pytest.mark.parametrize("done", [False, True])
async def test_a_stream_that_ends_in_order_is_closed(done: bool) -> None:
    async def handler(_: Received, wire: Wire) -> None:
        await wire.sse(told("Hello"), done=done)

    async with scripted(handler) as upstream, countermark(upstream.url) as here:
        answer = await ask(here.address, "POST", CHAT, asks(stream=True))
        assert [(record.state, record.outcome) for record in here.records] == [("opened", ""), ("closed", "labelled")]
    assert answer.whole
    assert (read(answer.body)[-1] == "[DONE]") is done


async def test_the_same_stored_answer_has_the_same_label() -> None:
    async def handler(_: Received, wire: Wire) -> None:
        await wire.json(completion("Hello"))

    async def stored(address: tuple[str, int]) -> Answer:
        return await ask(address, "GET", CHAT + b"/chatcmpl-1")

    async with scripted(handler) as upstream, countermark(upstream.url) as here:
        first, second = await stored(here.address), await stored(here.address)
        assert len({record.id for record in here.records}) == 2
    assert first.body == second.body
    assert parse(json.dumps(first.json()["AIGC"])).produce_id


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br", b"zstd"])
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_coded_answer_is_decoded_and_labelled(coding: bytes, streamed: bool) -> None:
    import zlib

    import brotli
    from backports import zstd

    encode: dict[bytes, Any] = {
        b"gzip": gzip.compress,
        b"deflate": zlib.compress,
        b"br": brotli.compress,
        b"zstd": zstd.compress,
    }
    plain = events(told("Hello")) + event("[DONE]") if streamed else json.dumps(completion("Hello")).encode()
    body = encode[coding](plain)
    kind = b"text/event-stream" if streamed else b"application/json"
    head = b'HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-encoding: %b\r\netag: "1"\r\ncontent-length: %d\r\n\r\n'
    steps = [head % (kind, coding, len(body)), *(body[at : at + 40] for at in range(0, len(body), 40))]
    async with scripted(steps) as upstream, countermark(upstream.url) as here:
        answer = await ask(here.address, "POST", CHAT, asks(stream=streamed))
    said = text_of(answer.body) if streamed else answer.json()["choices"][0]["message"]["content"]
    assert said == NOTICE + "Hello"
    assert answer.value(b"content-encoding") is None
    assert answer.value(b"etag") is None


async def test_a_coded_request_reaches_the_upstream_decoded() -> None:
    body = asks()
    async with scripted(chat) as upstream, countermark(upstream.url) as here:
        answer = await ask(here.address, "POST", CHAT, gzip.compress(body), [(b"content-encoding", b"gzip")])
        received = upstream.received[0]
    assert answer.status == 200
    assert received.body == body
    assert received.value(b"content-encoding") is None


async def test_many_exchanges_on_one_connection() -> None:
    async with scripted(chat) as upstream, countermark(upstream.url) as here, connected(here.address) as client:
        for streamed in (False, True) * 5:
            answer = await client.ask("POST", CHAT, asks(stream=streamed))
            assert NOTICE + "Hel" in (
                text_of(answer.body) if streamed else answer.json()["choices"][0]["message"]["content"]
            )
        assert upstream.accepted == 1


async def test_pipelined_requests_are_answered_in_order() -> None:
    async def handler(received: Received, wire: Wire) -> None:
        await wire.json(completion(received.json()["model"]))

    async with scripted(handler) as upstream, countermark(upstream.url) as here, connected(here.address) as client:
        await client.send(b"".join(request("POST", CHAT, asks(model=name)) for name in "abc"))
        for name in "abc":
            await client.begin()
            answer = await client.rest()
            assert answer.json()["choices"][0]["message"]["content"] == NOTICE + name


async def test_a_policy_that_asks_for_nothing_changes_nothing() -> None:
    async with scripted(chat) as upstream, countermark(upstream.url, route={"policies": []}) as here:
        through = await ask(here.address, "POST", CHAT, asks())
        direct = await ask((here.address[0], int(upstream.url.rpartition(":")[2])), "POST", CHAT, asks())
        record = here.only()
    assert through.body == direct.body
    assert through.headers == direct.headers
    assert record.outcome == "passed"
