"""An official SDK, a real Countermark and a scripted upstream in a row; and what such an upstream says.

    async with chain(says({...})) as it: client = SDK(base_url=it.here.url)

``it.upstream.received`` is what came through, ``it.here.only()`` the record. The second turn is judged by
``both_ways``: the same client talks through Countermark and straight to the upstream, and must say the same in the end.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from proxy.label.aigc import Aigc, parse
from tests.running import PROVIDER, Here, countermark
from tests.scripted import Received, Scripted, Wire, scripted

Handler = Callable[[Received, Wire], Awaitable[None]]

EXPECTED_LABEL = ("1", PROVIDER, PROVIDER)


@dataclass
class Chain:
    upstream: Scripted
    here: Here


@asynccontextmanager
async def chain(*handlers: Handler, **sections: Any) -> AsyncIterator[Chain]:
    """Countermark in front of an upstream that answers the n-th request with the n-th handler."""
    async with scripted(*handlers) as upstream, countermark(upstream.url, **sections) as here:
        yield Chain(upstream, here)


def says(payload: Any, status: int = 200, **headers: str) -> Handler:
    """A whole answer in JSON."""

    async def handler(_: Received, wire: Wire) -> None:
        await wire.json(payload, status, **headers)

    return handler


def sends(body: bytes, content_type: str) -> Handler:
    """A whole answer that is a file."""

    async def handler(_: Received, wire: Wire) -> None:
        await wire.reply(body, content_type)

    return handler


def streams(records: Iterable[Any], *, named: bool = False, done: bool = True) -> Handler:
    """Events as OpenAI's servers write them; ``named``: each under the name that its ``type`` says."""
    kept = list(records)

    async def handler(_: Received, wire: Wire) -> None:
        await wire.sse_head()
        for record in kept:
            await wire.event(record, record["type"] if named else "")
        if done:
            await wire.event("[DONE]")
        await wire.end()

    return handler


def raw(chunks: Iterable[bytes], content_type: str) -> Handler:
    """A stream byte for byte, in an unusual style."""
    kept = list(chunks)

    async def handler(_: Received, wire: Wire) -> None:
        await wire.head(200, {"content-type": content_type, "transfer-encoding": "chunked"})
        for chunk in kept:
            await wire.chunk(chunk)
        await wire.end()

    return handler


def short(label: Mapping[str, Any] | str) -> tuple[str, str, str]:
    """What of an implicit label is the same each time; it must be one."""
    read: Aigc = parse(label if isinstance(label, str) else json.dumps(label))
    return read.label, read.content_producer, read.content_propagator


async def both_ways(it: Chain, turns: Callable[[str], Awaitable[Any]]) -> None:
    """Have the conversation through Countermark and directly; the last request of both must be the same bytes."""
    await turns(it.here.url)
    through = it.upstream.received[-1]
    before = len(it.upstream.received)
    await turns(it.upstream.url)
    direct = it.upstream.received[-1]
    assert len(it.upstream.received) == 2 * before
    assert through.target == direct.target
    assert through.body == direct.body
