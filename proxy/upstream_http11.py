"""Our own HTTP/1.1 client for the hot path: connections kept, bounded and shared fairly.

Every connection, made or being made, holds one of ``max_connections`` places. A place that comes free goes to whoever
has waited longest, with the connection in it if that still works. Free connections are used last in, first out, so that
the rest age and close.
"""

import asyncio
import ssl
from collections import deque
from functools import partial

from proxy.labelling.message import RequestHead
from proxy.origin import origin
from proxy.upstream import (
    Body,
    ConnectFailed,
    ConnectTimeout,
    PoolFull,
    Target,
    Truncated,
    framing,
    header_block,
)
from proxy.upstream_connection import Answer, Connection, Untouched
from proxy.upstream_socket import dial


class Http11:
    """An `Upstream`. Belongs to the event loop that it is first used in."""

    def __init__(self, target: Target) -> None:
        if target.proxy is not None:
            raise ValueError("this transport speaks to the upstream itself: for a proxy take httpx")
        self._target = target
        self._origin = origin(target.url)
        self._tls: ssl.SSLContext | None = None
        if self._origin.tls:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        self._free_places = target.max_connections
        self._live: set[Connection] = set()
        self._idle: list[Connection] = []
        self._queue: deque[asyncio.Future[Connection | None]] = deque()
        self._closed = False

    async def send(self, head: RequestHead, body: Body = None, length: int | None = None) -> Answer:
        block = header_block(head)
        measure = b"".join([b"%b: %b\r\n" % field for field in framing(head.method, body, length)])
        target = head.target if head.target == b"*" else self._origin.prefix + head.target
        request = b"%b %b HTTP/1.1\r\nhost: %b\r\n%b%b\r\n" % (
            head.method.encode(),
            target,
            self._origin.authority,
            block,
            measure,
        )
        while True:
            connection = await self._connection()
            answer = connection.begin(request, b"" if body is None else body, length, head.method == "HEAD")
            try:
                await connection.headed
            except Untouched:  # only a kept connection says so, and each only once
                continue
            except BaseException:
                answer.drop()
                raise
            return answer

    async def aclose(self) -> None:
        self._closed = True
        while self._queue:
            waiter = self._queue.popleft()
            if not waiter.done():
                waiter.set_exception(ConnectFailed("the proxy is closing"))
        for connection in list(self._live):
            connection.fail(Truncated("the proxy is closing"))
        await asyncio.sleep(0)  # the loop closes the sockets at its next turn

    async def _connection(self) -> Connection:
        if self._closed:
            raise ConnectFailed("the proxy is closing")
        while self._idle:
            connection = self._idle.pop()
            if connection.settled():
                return connection
            connection.abort()
        if self._free_places:
            self._free_places -= 1
            return await self._connect()
        granted = await self._wait()
        if granted is None:
            return await self._connect()
        if granted.settled():
            return granted
        if granted not in self._live:  # it closed on the way here, and its place has gone to somebody else
            return await self._connection()
        self._live.discard(granted)  # the place stays ours
        granted.abort()
        return await self._connect()

    async def _wait(self) -> Connection | None:
        """A free connection, or None for a place to make one in."""
        if len(self._queue) >= self._target.max_waiting:
            raise PoolFull("too many requests wait for this upstream")
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._queue.append(waiter)
        try:
            async with asyncio.timeout(self._target.connect_timeout):
                return await waiter
        except BaseException as error:
            if waiter in self._queue:
                self._queue.remove(waiter)
            elif not waiter.cancelled() and waiter.exception() is None:  # granted just as we left
                granted = waiter.result()
                if granted is None:
                    self._release_place()
                elif granted in self._live:
                    self._release(granted)
            if isinstance(error, TimeoutError):
                raise PoolFull("no connection to the upstream became free in time") from error
            raise

    async def _connect(self) -> Connection:
        """A new connection, in a place that the caller holds."""
        try:
            async with asyncio.timeout(self._target.connect_timeout):
                made = partial(Connection, self._target, self._release, self._lost)
                connection = await dial(self._origin, self._tls, made, self._target.connect_timeout)
        except BaseException as error:
            self._release_place()
            if isinstance(error, TimeoutError):
                raise ConnectTimeout("the upstream did not accept a connection in time") from error
            if isinstance(error, OSError):
                raise ConnectFailed("could not connect to the upstream") from error
            raise
        self._live.add(connection)
        if connection.closed:  # by the upstream, or because it spoke before it was asked
            self._lost(connection)
            raise ConnectFailed("the upstream closed the connection at once")
        return connection

    def _release(self, connection: Connection) -> None:
        if not self._grant(connection):
            self._idle.append(connection)

    def _lost(self, connection: Connection) -> None:
        if connection in self._live:
            self._live.discard(connection)
            if connection in self._idle:
                self._idle.remove(connection)
            self._release_place()

    def _release_place(self) -> None:
        if not self._grant(None):
            self._free_places += 1

    def _grant(self, granted: Connection | None) -> bool:
        while self._queue:
            waiter = self._queue.popleft()
            if not waiter.done():
                waiter.set_result(granted)
                return True
        return False
