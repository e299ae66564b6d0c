"""A WebSocket between its two sides: bytes moved in both directions until it ends, and ended in order.

The law: nothing is held but what one side sends faster than the other takes it, and that is bounded. A close frame of
ours stands between frames only and behind no other close frame; where it cannot stand, the connection is cut. A side
that is lost takes the other with it, without a close frame: what broke does not look as if it had ended.

    a side ends its connection                     what it sent is delivered, then the other side's connection ends
    a message is longer than the bound             both sides are told 1009
    a picture cannot be labelled, policy blocks    1011
    too much memory or work is promised            1013
    neither side sends anything for ``idle``       1001
    the server ends                                1001
    a side takes nothing for ``idle``              both connections are cut
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from proxy.account import Unrecorded
from proxy.bounds import Overloaded
from proxy.framing.websocket import SocketFault, closing
from proxy.labelling.errors import Blocked
from proxy.labelling.transform import Conclude, Piece, Work
from proxy.socket_side import Lost, Side

CLOSING = 5.0  # seconds for a side to end, once it has been told or the other has
_MASK = 4

GOING_AWAY, INTERNAL_ERROR, TRY_AGAIN_LATER = 1001, 1011, 1013  # RFC 6455 section 7.4.1, and IANA's registry

log = logging.getLogger("countermark")


class Frames(Protocol):
    """What one direction goes through (see labelling/socket.py)."""

    @property
    def between(self) -> bool: ...
    @property
    def concluded(self) -> bool: ...
    def feed(self, data: bytes) -> Iterator[Piece]: ...


class End(NamedTuple):
    """How the socket ended: ``by`` one of its sides, or by us, who then say ``code`` and ``reason``."""

    by: Literal["client", "upstream", "failure", "us"]
    code: int = 0
    reason: str = ""


@dataclass(slots=True)
class Lane:
    """One direction. ``mask``: whether what it delivers to is a server, which is sent to with a mask. ``busy``: whether
    something is on its way, which may wait for room or for labels."""

    source: Side
    frames: Frames
    sink: Side
    mask: bool
    busy: bool = False


class Bridge:
    """``idle`` is in seconds. ``do`` makes bytes of what is no bytes yet, ``tell`` hears how the socket ends before its
    sides do."""

    def __init__(
        self,
        up: Lane,
        down: Lane,
        idle: float,
        do: Callable[[Work | Conclude], Awaitable[bytes]],
        tell: Callable[[End], Awaitable[None]],
    ) -> None:
        self._lanes = (up, down)
        self._idle = idle
        self._do = do
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._heard = self._loop.time()
        self._stopped = self._loop.create_future()
        self._ending = False
        self.received = self.sent = 0  # bytes on their way to the client, before and after labelling

    def shutdown(self) -> None:
        """The server ends: so does the socket, soon and in order."""
        if not self._stopped.done():
            self._stopped.set_result(None)

    async def run(self) -> None:
        """Move bytes until the socket has ended. Both sides are gone then, however it ended."""
        pumps = [self._loop.create_task(self._pump(lane)) for lane in self._lanes]
        try:
            end = await self._until_the_end(pumps)
            await self._tell(end)
            if end.code:
                await self._close(end, pumps)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for lane in self._lanes:
                lane.sink.abort()

    async def _pump(self, lane: Lane) -> None:
        down = lane is self._lanes[1]
        while data := await lane.source.read():
            lane.busy = True
            self.received += len(data) if down else 0
            for piece in lane.frames.feed(data):
                out = piece if isinstance(piece, bytes) else await self._do(piece)
                self.sent += len(out) if down else 0
                await lane.sink.write(out, self._idle)
            self._heard = self._loop.time()
            lane.busy = False
            if self._ending and lane.frames.between:
                return
        await lane.sink.end(self._idle)

    async def _until_the_end(self, pumps: list["asyncio.Task[None]"]) -> End:
        first: End | None = None  # a side that has ended, while the other may still answer
        grace = 0.0
        while True:
            now = self._loop.time()
            for pump, lane in zip(pumps, self._lanes, strict=True):
                error = pump.exception() if pump.done() else None
                if isinstance(error, Lost):
                    return first or End("client" if lane.mask is False else "upstream")
                if error is not None:
                    return _failure(error)
                if pump.done() and first is None:
                    first, grace = End("client" if lane.mask else "upstream"), now + CLOSING
            waiting = [pump for pump in pumps if not pump.done()]
            heard = now if any(lane.busy for lane in self._lanes) else self._heard
            until = grace if first is not None else heard + self._idle
            if first is not None and (not waiting or now >= until):
                return first
            if self._stopped.done():
                return first or End("us", GOING_AWAY, "the proxy is ending")
            if now >= until:
                return End("us", GOING_AWAY, f"neither side has sent anything for {self._idle:g} seconds")
            await asyncio.wait([*waiting, self._stopped], timeout=until - now, return_when=asyncio.FIRST_COMPLETED)

    async def _close(self, end: End, pumps: list["asyncio.Task[None]"]) -> None:
        """Tell both sides, behind the frames that are under way, and give each time to answer."""
        self._ending = True
        for pump, lane in zip(pumps, self._lanes, strict=True):
            if lane.frames.between:
                pump.cancel()
        await asyncio.wait(pumps, timeout=CLOSING)
        up, down = self._lanes
        await asyncio.gather(self._take_leave(up, down, end), self._take_leave(down, up, end))

    async def _take_leave(self, lane: Lane, back: Lane, end: End) -> None:
        """Tell the side that ``lane`` delivers to, and hear it out; ``back`` is the direction that it sends in."""
        try:
            if lane.frames.between and not lane.frames.concluded:
                mask = os.urandom(_MASK) if lane.mask else b""
                await lane.sink.write(closing(end.code, end.reason, mask), CLOSING)
                async with asyncio.timeout(CLOSING):
                    while not back.frames.concluded and (data := await lane.sink.read()):
                        for _ in back.frames.feed(data):
                            pass
        except (Blocked, Lost, SocketFault, TimeoutError):
            pass  # it has been told, and nothing more is expected of it
        finally:
            lane.sink.abort()


def _failure(error: BaseException) -> End:
    match error:
        case SocketFault():
            return End("failure", error.code, str(error))
        case Blocked():
            return End("failure", INTERNAL_ERROR, f"a picture could not be labelled: {error}")
        case Overloaded():
            return End("failure", TRY_AGAIN_LATER, str(error))
        case Unrecorded():
            return End("failure", INTERNAL_ERROR, str(error))
    log.error("a WebSocket failed", exc_info=error)
    return End("failure", INTERNAL_ERROR, "the proxy failed; its log says how")
