"""A grant is on record where an answer left by it, and nowhere else: not where nothing generated has left."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from proxy.record.outcome import Outcome
from tests.chats import CHAT, asks, chunk
from tests.downstream import ask
from tests.scripted import Received, Wire, scripted
from tests.test_grants import BEARER, GRANT, follow, given, granting


async def busy(_: Received, wire: Wire) -> None:
    await wire.json({"error": {"message": "busy"}}, 429)


async def mistaken(_: Received, wire: Wire) -> None:
    await wire.json({"error": {"message": "busy", "code": 1, "type": "server_error"}})


async def broken(_: Received, wire: Wire) -> None:
    await wire.json({"choices": "none"})


async def cut(_: Received, wire: Wire) -> None:
    await wire.sse_head()
    await wire.event(chunk({"role": "assistant", "content": "Hello"}))
    await asyncio.sleep(0.05)
    wire.cut()


@pytest.mark.parametrize(
    ("expected", "outcome", "says", "streaming"),
    [
        ("", Outcome.ERROR_RESPONSE, busy, False),
        ("", Outcome.ERROR_RESPONSE, busy, True),
        ("", Outcome.ERROR_RESPONSE, mistaken, False),
        ("", Outcome.BLOCKED, broken, False),
        # A part of it has left.
        (GRANT, Outcome.TRUNCATED, cut, True),
    ],
)
async def test_what_a_record_says_of_a_grant_where_not_all_went_well(
    expected: str, outcome: Outcome, says: Callable[[Received, Wire], Awaitable[None]], streaming: bool
) -> None:
    async with scripted(says) as upstream, granting(upstream.url) as here:
        await follow(here, given(here))
        await ask(here.address, "POST", CHAT, asks(stream=streaming), BEARER)
        record = (await here.recorded(1 + streaming))[-1]
    assert (outcome, expected) == (record.outcome, record.grant)


async def test_a_client_that_leaves_before_the_answer_has_got_nothing() -> None:
    async def thinks(_: Received, wire: Wire) -> None:
        await asyncio.sleep(5)

    async with scripted(thinks) as upstream, granting(upstream.url) as here:
        await follow(here, given(here))
        waiting = asyncio.ensure_future(ask(here.address, "POST", CHAT, asks(), BEARER))
        await asyncio.sleep(0.2)
        waiting.cancel()
        (record,) = await here.recorded(1)
    assert (Outcome.CLIENT_LEFT, "") == (record.outcome, record.grant)
