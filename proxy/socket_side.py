"""One side of a relayed WebSocket: a connection that is read when somebody asks, and written to when there is room.

The law: what waits here is bounded in both directions. A side that is not read is read no further from the network, and
who writes to a side that does not read waits for it.
"""

import asyncio
from typing import cast

_MOST_UNREAD = 256 * 1024  # bytes that may wait before the connection is left alone


class Lost(Exception):
    """The connection is gone, or takes nothing any more."""


class Side(asyncio.Protocol):
    """What a connection reports, and what may be asked of it."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._unread = 0
        self._ended = self._lost = self._complete = False
        self._reader: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()

    async def read(self) -> bytes:
        """All that has arrived, or empty bytes at the end, of whichever kind."""
        while not self._pieces:
            if self._ended:
                return b""
            self._reader = self._loop.create_future()
            await self._reader
        data = b"".join(self._pieces)
        self._pieces.clear()
        if self._unread > _MOST_UNREAD and not self._lost:
            self.transport.resume_reading()
        self._unread = 0
        return data

    async def write(self, data: bytes, patience: float) -> None:
        """Send; returns when there is room for more. Raises Lost where there is none for ``patience`` seconds, and
        behind the end of this direction."""
        if self._complete:
            raise Lost
        if not self._lost:
            self.transport.write(data)
        await self._has_room(patience)

    async def end(self, patience: float) -> None:
        """End this direction, once all that was written has been sent. Raises Lost as ``write`` does."""
        if not self._lost:
            self.transport.set_write_buffer_limits(0)
        await self._has_room(patience)
        self._complete = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:  # TLS has no half-closed connections
            self.transport.close()

    async def _has_room(self, patience: float) -> None:
        if self._room is not None:
            try:
                async with asyncio.timeout(patience):
                    await asyncio.shield(self._room)
            except TimeoutError:
                raise Lost from None
        if self._lost:
            raise Lost

    def unread(self, data: bytes) -> None:
        """Put back what was read, to be read again first."""
        if data:
            self._pieces.insert(0, data)

    def abort(self) -> None:
        """Give the connection up at once; safe to call twice."""
        self.transport.abort()

    # What the loop reports.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are not its subclasses

    def data_received(self, data: bytes) -> None:
        self._pieces.append(data)
        before, self._unread = self._unread, self._unread + len(data)
        if before <= _MOST_UNREAD < self._unread:
            self.transport.pause_reading()
        _wake(self._reader)

    def eof_received(self) -> bool:
        self._ended = True
        _wake(self._reader)
        return self.transport.get_extra_info("sslcontext") is None  # true: it can still be written to

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = self._lost = True
        _wake(self._reader)
        _wake(self._room)

    def pause_writing(self) -> None:
        self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        room, self._room = self._room, None
        _wake(room)


def _wake(waiter: "asyncio.Future[None] | None") -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
