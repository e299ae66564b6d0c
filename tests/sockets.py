"""Both ends of a WebSocket, and a real Countermark between them.

The ends speak with the package `websockets`, another implementation of RFC 6455, or byte by byte (scripted.py and
downstream.py) where that is too well-behaved.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.utils import accept_key

from tests.downstream import Answer, Client, request
from tests.downstream import connected as joined
from tests.running import Here, countermark, until
from tests.scripted import Received, Script, Wire, scripted

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
PATH = b"/v1/realtime"
HANDSHAKE = [
    (b"connection", b"Upgrade"),
    (b"upgrade", b"websocket"),
    (b"sec-websocket-version", b"13"),
    (b"sec-websocket-key", KEY),
]

Upstream = Callable[[ServerConnection], Awaitable[None]]


def passing(**sections: Any) -> dict[str, Any]:
    """The sections of a configuration whose only route relays WebSockets."""
    return sections | {"route": {"websockets": "pass"} | sections.get("route", {})}


@asynccontextmanager
async def relayed(talk: Upstream, how: dict[str, Any] | None = None, **sections: Any) -> AsyncIterator[Here]:
    """A Countermark in front of an upstream that ``talk``s, served as ``how`` says."""
    async with serve(talk, "127.0.0.1", 0, **({"ping_interval": None} | (how or {}))) as server:
        port = server.sockets[0].getsockname()[1]
        async with countermark(f"http://127.0.0.1:{port}", **passing(**sections)) as here:
            yield here


@asynccontextmanager
async def raw(
    script: Script, *, prefix: str = "", tls: ssl.SSLContext | None = None, **sections: Any
) -> AsyncIterator[tuple[Here, Client]]:
    """A Countermark between a scripted upstream, at a path ``prefix``, and a client, both of which see every byte."""
    async with (
        scripted(script, tls=tls) as upstream,
        countermark(upstream.url + prefix, **passing(**sections)) as here,
    ):
        async with joined(here.address) as client:
            yield here, client
        for wire in upstream.wires:
            wire.close()
        await until(lambda: here.service.sockets["models"].open == 0)


@asynccontextmanager
async def connected(here: Here, path: bytes = PATH, **how: Any) -> AsyncIterator[ClientConnection]:
    how = {"ping_interval": None, "proxy": None, "close_timeout": 10} | how
    async with asyncio.timeout(20), connect(f"ws://127.0.0.1:{here.address[1]}{path.decode()}", **how) as client:
        yield client


async def agree(request: Received, wire: Wire, *fields: bytes) -> None:
    """What an upstream answers that takes the handshake."""
    key = request.value(b"sec-websocket-key")
    assert key is not None
    answer = [b"HTTP/1.1 101 Switching Protocols", b"Connection: Upgrade", b"Upgrade: websocket", *fields]
    answer += [b"Sec-WebSocket-Accept: " + accept_key(key.decode()).encode(), b"", b""]
    await wire.send(b"\r\n".join(answer))


async def offer(client: Client, path: bytes = PATH, *fields: tuple[bytes, bytes], behind: bytes = b"") -> Answer:
    """A handshake, and perhaps bytes behind it in the same packet; the head of what answers it."""
    await client.send(request("GET", path, b"", [*HANDSHAKE, *fields]) + behind)
    return await client.begin()


async def echo(client: ServerConnection) -> None:
    async for message in client:
        await client.send(message)
