"""A WebSocket to an upstream: the handshake (RFC 6455 section 4.1), on a connection of its own.

The law: a connection becomes a socket only where the upstream has agreed to the very handshake that the client sent.
Whoever forges one half of it gets no tunnel through which requests go unread. Frames are nobody's business here, and
extensions and subprotocols are agreed between the client and the upstream.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import NamedTuple

from proxy.framing.websocket import accept
from proxy.labelling.headers import joined
from proxy.labelling.message import RequestHead, ResponseHead
from proxy.origin import origin
from proxy.socket_side import Side
from proxy.upstream import (
    BadResponse,
    ConnectFailed,
    ConnectTimeout,
    FirstByteTimeout,
    IdleTimeout,
    PoolFull,
    Target,
    header_block,
)
from proxy.upstream_reader import Reader
from proxy.upstream_socket import dial

_LONGEST_REFUSAL = 1 << 20  # bytes of a body


class Refusal(NamedTuple):
    """What the upstream answered instead of agreeing, whole."""

    head: ResponseHead
    body: bytes


class Agreed(NamedTuple):
    """The upstream's side of a socket, which begins behind ``head``, its answer."""

    head: ResponseHead
    side: Side


class Sockets:
    """The sockets to one upstream: at most ``max_connections`` at one time, besides those of its other requests.

    ``open`` is how many there are. They speak HTTP/1.1 to the upstream itself, whatever the transport of other
    requests.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._origin = origin(target.url)
        self._tls: ssl.SSLContext | None = None
        if self._origin.tls:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        self.open = 0

    async def shake_hands(self, head: RequestHead) -> Agreed | Refusal:
        """Ask the upstream for a socket as ``head`` does, without its hop-by-hop fields. An Agreed one is to be
        released. Raises UpstreamError, and ValueError for a head that must not be written."""
        expected = accept(head.value(b"sec-websocket-key"))
        request = b"GET %b HTTP/1.1\r\nhost: %b\r\nconnection: Upgrade\r\nupgrade: websocket\r\n%b\r\n" % (
            self._origin.prefix + head.target,
            self._origin.authority,
            header_block(head),
        )
        if self.open >= self._target.max_connections:
            raise PoolFull("too many WebSockets to the upstream are open")
        self.open += 1
        side: Side | None = None
        agreed = False
        try:
            side = await self._connect()
            answer = await self._answer(side, request)
            if isinstance(answer, Agreed):
                self._check(answer.head, expected)
                agreed = True
            return answer
        finally:
            if not agreed:
                self.open -= 1
                if side is not None:
                    side.abort()

    def release(self, agreed: Agreed) -> None:
        """The socket is over."""
        agreed.side.abort()
        self.open -= 1

    async def _connect(self) -> Side:
        patience = self._target.connect_timeout
        try:
            async with asyncio.timeout(patience):
                return await dial(self._origin, self._tls, lambda _: Side(), patience)
        except TimeoutError:
            raise ConnectTimeout("could not connect to the upstream in time") from None
        except OSError:
            raise ConnectFailed("could not connect to the upstream") from None

    async def _answer(self, side: Side, request: bytes) -> Agreed | Refusal:
        target, reader = self._target, Reader(self._target.header_limit)
        pieces: list[bytes] = []
        reader.begin(pieces, switching=True)
        side.transport.write(request)
        try:
            async with asyncio.timeout(target.first_byte_timeout):
                await _read(side, reader, lambda: reader.head is not None)
        except TimeoutError:
            raise FirstByteTimeout("the upstream did not answer in time") from None
        assert reader.head is not None
        if reader.head.status == 101:
            side.unread(b"".join(pieces))
            return Agreed(reader.head, side)
        try:
            async with asyncio.timeout(target.idle_timeout):
                await _read(side, reader, lambda: reader.complete or sum(map(len, pieces)) > _LONGEST_REFUSAL)
        except TimeoutError:
            raise IdleTimeout("the upstream stopped sending before the response was complete") from None
        if not reader.complete:
            raise BadResponse("the upstream refuses the WebSocket at too great length")
        return Refusal(reader.head, b"".join(pieces))

    @staticmethod
    def _check(head: ResponseHead, expected: bytes) -> None:
        upgrade, connection = (joined(head.headers, name).lower() for name in (b"upgrade", b"connection"))
        tokens = [token.strip() for token in connection.split(b",")]
        if upgrade != b"websocket" or b"upgrade" not in tokens or head.value(b"sec-websocket-accept") != expected:
            raise BadResponse("the upstream switched to another protocol")


async def _read(side: Side, reader: Reader, enough: Callable[[], bool]) -> None:
    while not enough():
        data = await side.read()
        if data:
            reader.feed(data)
        else:
            reader.end()
