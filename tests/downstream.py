"""A client that sees everything: the bytes of a request as they are written here, those of the response as they came.

It reads from its socket only when it is asked to, so that a slow client is one that does not ask.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

PATIENCE = 15.0  # seconds

Headers = Sequence[tuple[bytes, bytes]]


@dataclass
class Answer:
    """A response. ``whole``: it ended as its framing says; otherwise the connection ended first."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    whole: bool = False
    interim: list[int] = field(default_factory=list)  # the 1xx responses before it

    def value(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key.lower() == name), None)

    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def error(self) -> str:
        """The code of an error of Countermark's own."""
        error = self.json()["error"]
        assert error["type"] == "countermark"
        assert error["message"]
        return str(error["code"])


class Client:
    """One connection to ``address``."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.answer = Answer(0, [])
        self._buffer = b""
        self._ended = False
        self._left: int | None = 0  # of a sized body, or of the chunk; None where the connection's end ends the body
        self._chunked = False

    async def send(self, data: bytes) -> None:
        async with asyncio.timeout(PATIENCE):
            await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def begin(self, method: str = "GET") -> Answer:
        """The next response's head; behind that of a 101, all bytes up to the connection's end are its body."""
        self.answer = answer = Answer(0, [])
        while answer.status < 200 and answer.status != 101:
            lines = (await self._until(b"\r\n\r\n"))[:-4].split(b"\r\n")
            version, status, _ = lines[0].split(b" ", 2)
            assert version == b"HTTP/1.1"
            if answer.status:
                answer.interim.append(answer.status)
            answer.status = int(status)
        answer.headers = [(name, value[1:]) for name, _, value in (line.partition(b":") for line in lines[1:])]
        length = answer.value(b"content-length")
        self._chunked = answer.value(b"transfer-encoding") == b"chunked"
        self._left = 0 if self._chunked else int(length) if length is not None else None
        if method == "HEAD" or answer.status in (204, 304):
            self._left, self._chunked = 0, False
        return answer

    async def piece(self) -> bytes:
        """The next bytes of the body, empty at its end, of whichever kind."""
        if self._chunked and self._left == 0:
            try:
                self._left = int(await self._until(b"\r\n"), 16)
                if self._left == 0:
                    assert await self._until(b"\r\n") == b"\r\n", "trailers"
                    self._chunked = False
            except EOFError:
                return b""
        if self._left == 0:
            self.answer.whole = True
            return b""
        if not self._buffer and not await self._more():
            self.answer.whole = self._left is None
            return b""
        data = self._buffer[: self._left]
        self._buffer = self._buffer[len(data) :]
        self.answer.body += data
        if self._left is not None:
            self._left -= len(data)
            if self._chunked and not self._left:
                try:
                    assert await self._until(b"\r\n") == b"\r\n"
                except EOFError:
                    self._left = 1
        return data

    async def until(self, part: bytes) -> None:
        """Read the body until it holds ``part``."""
        while part not in self.answer.body:
            assert await self.piece(), f"the body ended without {part!r}: {self.answer.body!r}"

    async def rest(self) -> Answer:
        """The response, read to its end."""
        pieces = [self.answer.body]
        while True:
            self.answer.body = b""
            if not await self.piece():
                break
            pieces.append(self.answer.body)
        self.answer.body = b"".join(pieces)
        return self.answer

    async def ask(self, method: str, target: bytes, body: bytes = b"", headers: Headers = ()) -> Answer:
        """One exchange."""
        await self.send(request(method, target, body, headers))
        await self.begin(method)
        return await self.rest()

    async def is_closed(self) -> bool:
        """Whether the other side ends the connection, with nothing before that."""
        return not self._buffer and not await self._more()

    def close(self) -> None:
        self.socket.close()

    async def _until(self, end: bytes) -> bytes:
        while end not in self._buffer:
            if not await self._more():
                raise EOFError(f"the connection ended after {self._buffer!r}")
        at = self._buffer.index(end) + len(end)
        data, self._buffer = self._buffer[:at], self._buffer[at:]
        return data

    async def _more(self) -> bool:
        if self._ended:
            return False
        try:
            async with asyncio.timeout(PATIENCE):
                data = await asyncio.get_running_loop().sock_recv(self.socket, 1 << 18)
        except ConnectionError:
            data = b""
        self._ended = not data
        self._buffer += data
        return bool(data)


def request(method: str, target: bytes, body: bytes = b"", headers: Headers = ()) -> bytes:
    """A request's bytes; a body gets its Content-Length, and is JSON unless it is said to be something else."""
    fields = [(b"host", b"countermark.test"), *headers]
    names = {name.lower() for name, _ in fields}
    if body and not names & {b"content-length", b"transfer-encoding"}:
        fields.append((b"content-length", b"%d" % len(body)))
    if body and b"content-type" not in names:
        fields.append((b"content-type", b"application/json"))
    lines = b"".join(b"%b: %b\r\n" % one for one in fields)
    return b"%b %b HTTP/1.1\r\n%b\r\n%b" % (method.encode(), target, lines, body)


@asynccontextmanager
async def connected(address: tuple[str, int], *, receive_buffer: int = 0) -> AsyncIterator[Client]:
    """A connection, closed at the block's end. ``receive_buffer``: bytes that the kernel keeps for a slow reader."""
    sock = socket.socket()
    sock.setblocking(False)
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        await asyncio.get_running_loop().sock_connect(sock, address)
        yield Client(sock)
    finally:
        sock.close()


async def ask(address: tuple[str, int], method: str, target: bytes, body: bytes = b"", headers: Headers = ()) -> Answer:
    """One exchange on a connection of its own."""
    async with connected(address) as client:
        return await client.ask(method, target, body, headers)
