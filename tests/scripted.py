"""A scripted upstream: a real port on 127.0.0.1 that answers exactly as a test says, faults and all.

    async with scripted(handler) as upstream: ...         # every request: `await handler(request, wire)`
    async with scripted([b"HTTP/1.1 200 OK\\r\\n...", 0.05, event, CUT]) as upstream: ...    # a list of steps
    async with scripted(first, second) as upstream: ...   # the n-th request takes the n-th script, the last one repeats

The handler is called once the whole request is in; with ``early=True`` as soon as its head is, and `await wire.body()`
reads the rest. `request.gone` tells of a client that closed its connection, `upstream.left` of one that did so while a
script was still running. What a script raises (an assert, say) fails the test when the block ends.
"""

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, cast

PATIENCE = 10.0  # seconds: a script that waits longer than this for its test has a fault


class Ending(Enum):
    CUT = "cut"  # the connection is reset
    CLOSE = "close"  # the connection ends in order


CUT, CLOSE = Ending.CUT, Ending.CLOSE
Step = bytes | float | asyncio.Event | Ending


@dataclass
class Received:
    """A request as it came: header names and values are the bytes on the wire."""

    method: str
    target: bytes
    headers: list[tuple[bytes, bytes]]
    connection: int  # 0 for the first connection that the upstream accepted, and so on
    gone: asyncio.Event
    body: bytes = b""

    def value(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key.lower() == name), None)

    def json(self) -> Any:
        return json.loads(self.body)


class Wire(asyncio.Protocol):
    """One connection, seen from the upstream's side."""

    def __init__(self, upstream: "Scripted") -> None:
        self.upstream = upstream
        self.gone = asyncio.Event()
        self.incoming = asyncio.StreamReader(limit=2**26)
        self.writable = asyncio.Event()
        self.writable.set()
        self.request: Received | None = None

    async def send(self, data: bytes) -> None:
        """Bytes as they are; returns when the socket has room again."""
        if self.gone.is_set():
            raise ConnectionResetError("the client has gone")
        self.transport.write(data)
        await self.writable.wait()

    async def head(self, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        fields = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        await self.send(f"HTTP/1.1 {status} Scripted\r\n{fields}\r\n".encode("latin-1"))

    async def chunk(self, data: bytes) -> None:
        await self.send(b"%x\r\n%b\r\n" % (len(data), data))

    async def end(self) -> None:
        """The last chunk."""
        await self.send(b"0\r\n\r\n")

    async def reply(self, body: bytes, content_type: str = "application/json", status: int = 200, **more: str) -> None:
        """A whole message with Content-Length; ``more`` are fields, `_` for `-`."""
        fields = {"content-type": content_type, "content-length": str(len(body))}
        await self.head(status, fields | {name.replace("_", "-"): value for name, value in more.items()})
        if self.request is None or self.request.method != "HEAD":
            await self.send(body)

    async def json(self, payload: Any, status: int = 200, **more: str) -> None:
        await self.reply(json.dumps(payload, ensure_ascii=False).encode(), "application/json", status, **more)

    async def sse_head(self, **more: str) -> None:
        fields = {"content-type": "text/event-stream; charset=utf-8", "transfer-encoding": "chunked"}
        await self.head(200, fields | {name.replace("_", "-"): value for name, value in more.items()})

    async def event(self, data: Any, name: str = "") -> None:
        """One server-sent event in a chunk of its own; anything but a string goes out as JSON."""
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        await self.chunk((f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode())

    async def sse(self, events: Iterable[Any], pause: float = 0.0, done: bool = True) -> None:
        """A whole stream of events, closed by ``[DONE]`` unless told otherwise."""
        await self.sse_head()
        for data in events:
            await self.event(data)
            await asyncio.sleep(pause)
        if done:
            await self.event("[DONE]")
        await self.end()

    async def wait(self, event: asyncio.Event) -> None:
        await asyncio.wait_for(event.wait(), PATIENCE)

    async def body(self) -> bytes:
        """The rest of the request's body."""
        request = self.request
        assert request is not None
        if request.value(b"transfer-encoding") == b"chunked":
            while size := int(await self.incoming.readuntil(b"\r\n"), 16):
                request.body += (await self.incoming.readexactly(size + 2))[:-2]
            await self.incoming.readuntil(b"\r\n")
        else:
            missing = int(request.value(b"content-length") or 0) - len(request.body)
            request.body += await self.incoming.readexactly(missing)
        return request.body

    def cut(self) -> None:
        """A reset: the client sees ECONNRESET."""
        if not self.gone.is_set():
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()

    def close(self) -> None:
        self.transport.close()

    async def play(self, steps: Sequence[Step]) -> None:
        for step in steps:
            match step:
                case bytes():
                    await self.send(step)
                case asyncio.Event():
                    await self.wait(step)
                case Ending.CUT:
                    self.cut()
                case Ending.CLOSE:
                    self.close()
                case _:
                    await asyncio.sleep(step)

    async def serve(self) -> None:
        try:
            while not self.transport.is_closing():
                lines = (await self.incoming.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
                method, target, _ = lines[0].split(b" ")
                pairs = [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines[1:])]
                self.request = Received(method.decode(), target, pairs, self.number, self.gone)
                if not self.upstream.early:
                    await self.body()
                script = self.upstream.scripts[min(len(self.upstream.received), len(self.upstream.scripts) - 1)]
                self.upstream.received.append(self.request)
                await (script(self.request, self) if callable(script) else self.play(script))
                if self.request.value(b"connection") == b"close":
                    self.close()
                self.request = None
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.number = self.upstream.accepted
        self.upstream.wires.append(self)
        self.task = asyncio.get_running_loop().create_task(self.serve())

    def data_received(self, data: bytes) -> None:
        self.incoming.feed_data(data)

    def eof_received(self) -> None:
        self.gone.set()
        if self.request is not None:
            self.upstream.left.set()
        self.writable.set()
        self.incoming.feed_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        self.eof_received()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()


Script = Callable[[Received, Wire], Awaitable[None]] | Sequence[Step]


@dataclass
class Scripted:
    scripts: tuple[Script, ...]
    early: bool
    url: str = ""
    received: list[Received] = field(default_factory=list)  # every request, in order
    left: asyncio.Event = field(default_factory=asyncio.Event)  # a client went away while its script was running
    wires: list[Wire] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        return len(self.wires)

    @property
    def open(self) -> int:
        """The connections that are open now."""
        return sum(not wire.gone.is_set() for wire in self.wires)


@asynccontextmanager
async def scripted(*scripts: Script, early: bool = False, tls: ssl.SSLContext | None = None) -> AsyncIterator[Scripted]:
    upstream = Scripted(scripts, early)
    server = await asyncio.get_running_loop().create_server(lambda: Wire(upstream), "127.0.0.1", 0, ssl=tls)
    upstream.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield upstream
    finally:
        server.close()
        for wire in upstream.wires:
            wire.transport.abort()
            if not wire.task.done() and wire.request is not None:
                wire.task.cancel()
        outcomes = await asyncio.gather(*(wire.task for wire in upstream.wires), return_exceptions=True)
        await asyncio.sleep(0)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
