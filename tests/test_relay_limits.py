"""The ledger that cannot write, and more promised than there is: the last rows of the broken-path table."""

import asyncio
import base64
import json
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from proxy.workshop import cores
from tests.chats import CHAT, asks, chat, chunk, completion
from tests.downstream import Answer, ask, connected, request
from tests.running import NOTICE, Here, countermark, until
from tests.scripted import Received, Wire, scripted

SECRET = b"SECRET"


def sized(body: bytes, length: int | None = None) -> bytes:
    length = len(body) if length is None else length
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (length, body)


# The ledger.


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_ledger_cannot_write_and_blocks(streamed: bool) -> None:
    async with scripted(chat) as upstream, countermark(upstream.url) as here:
        await asyncio.to_thread(here.service.ledger.close)  # type: ignore[union-attr]
        answer = await ask(here.address, "POST", CHAT, asks(stream=streamed))
        assert here.service.counts.unrecorded
    assert (answer.status, answer.error) == (503, "not_recorded")
    assert answer.value(b"retry-after")
    assert NOTICE.encode() not in answer.body


async def broken_in_the_middle(on_failure: str) -> tuple[Answer, Here]:
    """A stream whose ledger fails while it is under way."""
    go_on = asyncio.Event()

    async def handler(_: Received, wire: Wire) -> None:
        await wire.sse_head()
        await wire.event(chunk({"content": "Hello"}))
        await wire.wait(go_on)
        await wire.event("[DONE]")
        await wire.end()

    async with (
        scripted(handler) as upstream,
        countermark(upstream.url, ledger={"on_failure": on_failure}) as here,
        connected(here.address) as client,
    ):
        await client.send(request("POST", CHAT, asks(stream=True)))
        await client.begin()
        await client.until(b"Hello")
        assert here.service.ledger is not None
        await asyncio.to_thread(here.service.ledger.close)
        go_on.set()
        return await client.rest(), here


async def test_the_ledger_fails_in_the_middle_of_a_stream_and_blocks() -> None:
    answer, here = await broken_in_the_middle("block")
    assert not answer.whole
    assert b"[DONE]" not in answer.body
    assert here.service.counts.unrecorded == 1


async def test_the_ledger_fails_in_the_middle_of_a_stream_and_passes() -> None:
    answer, here = await broken_in_the_middle("pass")
    assert answer.whole
    assert b"[DONE]" in answer.body
    assert here.service.counts.unrecorded == 1


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_ledger_cannot_write_and_passes(streamed: bool) -> None:
    async with scripted(chat) as upstream, countermark(upstream.url, ledger={"on_failure": "pass"}) as here:
        await asyncio.to_thread(here.service.ledger.close)  # type: ignore[union-attr]
        answer = await ask(here.address, "POST", CHAT, asks(stream=streamed))
    assert answer.status == 200
    assert answer.whole
    assert here.service.counts.unrecorded == (2 if streamed else 1)


# Overload.

SMALL = {"whole_body": "64 KiB", "total_memory": "64 KiB"}


async def test_too_much_memory_is_promised_before_the_upstream_is_asked() -> None:
    taken, go_on = asyncio.Event(), asyncio.Event()
    big = asks(padding="x" * 40_000)

    async def handler(_: Received, wire: Wire) -> None:
        taken.set()
        await wire.wait(go_on)
        await wire.json(completion("Hello"))

    async with scripted(handler) as upstream, countermark(upstream.url, limits=SMALL) as here:
        first = asyncio.ensure_future(ask(here.address, "POST", CHAT, big))
        await upstream_has(taken)
        second = await ask(here.address, "POST", CHAT, big)
        go_on.set()
        assert (await first).status == 200
        assert len(upstream.received) == 1
        await until(lambda: not here.promised)
    assert (second.status, second.error) == (503, "overloaded")
    assert int(second.value(b"retry-after") or 0) > 0


async def upstream_has(event_of: asyncio.Event) -> None:
    await asyncio.wait_for(event_of.wait(), 10)


async def test_too_much_memory_is_promised_by_answers() -> None:
    body = json.dumps(completion("SECRET" * 7000)).encode()
    held, go_on = asyncio.Event(), asyncio.Event()

    async def first(_: Received, wire: Wire) -> None:
        await wire.send(sized(body[:41_000], len(body)))
        held.set()
        await wire.wait(go_on)
        await wire.send(body[41_000:])

    async def second(_: Received, wire: Wire) -> None:
        await wire.send(sized(body))

    async with scripted(first, second) as upstream, countermark(upstream.url, limits=SMALL) as here:
        one = asyncio.ensure_future(ask(here.address, "POST", CHAT, asks()))
        await upstream_has(held)
        await until(lambda: here.promised > 40_000)
        two = await ask(here.address, "POST", CHAT, asks())
        go_on.set()
        assert (await one).status == 200
        outcomes = sorted((record.outcome, record.status) for record in here.records)
        await until(lambda: not here.promised)
    assert (two.status, two.error) == (503, "overloaded")
    assert SECRET not in two.body
    assert outcomes == [("blocked", 503), ("labelled", 200)]


def pictures(count: int) -> dict[str, Any]:
    out = BytesIO()
    Image.effect_noise((1200, 1200), 60).save(out, "PNG")
    return {"created": 1, "data": [{"b64_json": base64.b64encode(out.getvalue()).decode()}] * count}


async def test_too_many_pictures_wait() -> None:
    payload = pictures(2)
    crowd = cores() + 2  # one at each core, one that waits, and one too many
    together = asyncio.Event()

    async def handler(_: Received, wire: Wire) -> None:
        if len(wire.upstream.received) == crowd:
            together.set()
        await wire.wait(together)
        await wire.json(payload)

    async with scripted(handler) as upstream, countermark(upstream.url, limits={"work_waiting": 1}) as here:
        answers = await asyncio.gather(
            *(ask(here.address, "POST", b"/v1/images/generations", b'{"prompt":"a cat"}') for _ in range(crowd))
        )
        outcomes = sorted(record.outcome for record in here.records)
    answers.sort(key=lambda answer: answer.status)
    assert [answer.status for answer in answers] == [200] * (crowd - 1) + [503]
    assert answers[-1].error == "overloaded"
    assert answers[-1].value(b"retry-after")
    assert outcomes == ["blocked"] + ["labelled"] * (crowd - 1)


async def test_an_answer_of_many_pictures_on_an_idle_machine_is_labelled() -> None:
    """It waits for itself alone: a 503 would be answered to every repetition too."""
    payload = pictures(1)
    payload["data"] *= cores() + 2

    async def handler(_: Received, wire: Wire) -> None:
        await wire.json(payload)

    async with scripted(handler) as upstream, countermark(upstream.url, limits={"work_waiting": 1}) as here:
        answer = await ask(here.address, "POST", b"/v1/images/generations", b'{"prompt":"a cat"}')
    assert answer.status == 200


async def test_a_refusal_to_one_who_waits_with_the_body_closes_the_connection() -> None:
    """It may send the body all the same, or another request: nobody could tell which (RFC 9110 section 10.1.1)."""
    head = [(b"content-length", b"70000"), (b"expect", b"100-continue"), (b"content-type", b"application/json")]
    async with (
        scripted(chat) as upstream,
        countermark(upstream.url, limits={"whole_body": "64 KiB"}) as here,
        connected(here.address) as client,
    ):
        await client.send(request("POST", CHAT, b"", head))
        answer = await client.begin()
    assert (answer.status, answer.value(b"connection")) == (413, b"close")


async def test_an_upload_that_stops_is_given_up() -> None:
    head = [(b"content-length", b"100"), (b"content-type", b"application/json")]
    async with scripted(chat) as upstream, countermark(upstream.url, limits={"idle": "100 ms"}) as here:
        async with connected(here.address) as client:
            await client.send(request("POST", CHAT, b'{"model"', head))
            answer = await client.begin()
        assert not here.promised
    assert answer.status == 408


async def test_trailers_without_end_are_cut_off() -> None:
    async with scripted(chat) as upstream, countermark(upstream.url) as here:
        _, writer = await asyncio.open_connection(*here.address)
        head = b"POST %b HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n" % CHAT
        writer.write(head)

        async def trailers() -> None:
            for _ in range(2000):
                writer.write(b"x-trailer: %b\r\n" % (b"x" * 4096))
                await writer.drain()

        with pytest.raises(ConnectionError):
            await trailers()
        writer.close()
