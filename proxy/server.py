"""uvicorn, told what a proxy needs that it does not do by itself.

Bounds on the header section (431) and on the time in which it must arrive (408); trailers kept out of the header
section, where they would pass for fields that a front end has checked (RFC 9110 section 6.5.1); no log of an aborted
response as if the program had a fault; nothing of its own in the responses.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from proxy.app import App
from proxy.client import LOST, SOCKET, TARGET, Aborted, HandedOver, is_websocket
from proxy.server_transport import Joined, Unchunked
from proxy.settings import Limits

if TYPE_CHECKING:
    from proxy.desk_server import DeskServer

HEADER_SECONDS = 60.0
BACKLOG = 2048
_LONGEST_READ = 1 << 18  # bytes that the event loop gives at one time
DRAIN_SECONDS = 30
_FRAMING = (b"content-length", b"transfer-encoding")

log = logging.getLogger("countermark")


def _protocol(limits: Callable[[], Limits]) -> type[HttpToolsProtocol]:
    """The HTTP/1.1 protocol with its bounds: those that are in force when a connection is made. Of ``limits``, headers
    include the request line, and idle is how long a client may leave a response unread."""

    class Protocol(HttpToolsProtocol):
        _limits: Limits
        _in_head = True
        _head_size = 0
        _head_timer: asyncio.TimerHandle | None = None
        _tell: Callable[[], None] | None = None
        _declining = False
        _barren = 0
        _stall: asyncio.TimerHandle | None = None
        _behind: "_Behind"
        _ending = False

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._limits = limits()
            self._joined = Joined(transport, self.loop)
            self._head_timer = self.loop.call_later(HEADER_SECONDS, self._late)

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_timer()
            super().connection_lost(exc)
            if self._tell is not None:
                self._tell()

        def on_message_begin(self) -> None:
            if self._declining:
                return
            super().on_message_begin()
            self._in_head, self._barren = True, 0

        def on_headers_complete(self) -> None:
            if self._declining:
                return
            self._in_head, self._head_size = False, 0
            if self._head_timer is not None:
                self._stop_timer()
            # uvicorn's type says less than ASGI allows.
            self.scope["extensions"] = {LOST: self._set_tell, TARGET: self.url}  # type: ignore[dict-item]
            super().on_headers_complete()
            if self.scope["http_version"] == "1.0":
                self._joined = Unchunked(self.transport, self.loop)
            self.cycle.transport = self._joined  # type: ignore[assignment]  # all of a transport that a cycle uses
            self.headers = []  # for trailers, which go no further

        def on_body(self, body: bytes) -> None:
            self._barren = 0
            super().on_body(body)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._stall = self.loop.call_later(self._limits.idle, self.transport.abort)

        def resume_writing(self) -> None:
            if self._stall is not None:
                self._stall.cancel()
                self._stall = None
            super().resume_writing()

        def on_message_complete(self) -> None:
            if not self.parser.should_upgrade():
                super().on_message_complete()

        def shutdown(self) -> None:
            self._ending = True
            super().shutdown()

        def _set_tell(self, callback: Callable[[], None]) -> None:
            self._tell = callback

        def data_received(self, data: bytes) -> None:
            # Counted before it is parsed: a field that never ends reaches no callback.
            header_limit = self._limits.headers
            if len(data) > header_limit or self._head_size:
                self._head_size += _head_length(data) if self._in_head else 0
                if self._head_size > header_limit:
                    self._answer(b"431 Request Header Fields Too Large")
                    return
            if not self._in_head:
                # Chunk extensions and trailers reach no callback until they end.
                self._barren += len(data)
                if self._barren > 2 * header_limit + _LONGEST_READ:
                    self._answer(b"431 Request Header Fields Too Large")
                    return
            self._parse(data)
            if self._in_head and not self.transport.is_closing():
                self._head_size += 0 if self._head_size else len(data)
                if self._head_timer is None:
                    self._head_timer = self.loop.call_later(HEADER_SECONDS, self._late)

        def send_400_response(self, msg: str) -> None:
            self._answer(b"400 Bad Request")

        def _parse(self, data: bytes) -> None:
            self._unset_keepalive_if_required()
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                self._decline(data[offer.args[0] :])
            except httptools.HttpParserError:
                self.send_400_response("")

        def _decline(self, rest: bytes) -> None:
            """Go on in HTTP/1.1 behind the head of a request that offers another protocol (RFC 9110 section 7.8).

            The parser has stopped there, body or not; a new one is told how long the body is. Java's own client and
            curl --http2 offer HTTP/2 with every first request.
            """
            self.parser = httptools.HttpRequestParser(self)
            framing = [b"%b: %b\r\n" % field for field in self.scope["headers"] if field[0] in _FRAMING]
            self._declining = True
            self._parse(b"POST / HTTP/1.1\r\n%b\r\n" % b"".join(framing))
            self._declining = False
            if is_websocket(list(self.scope["headers"])):
                self.cycle.keep_alive = False  # behind a refusal may come frames, and no request
                if self.scope["http_version"] == "1.1":  # 1.0 knows no Upgrade (RFC 9110 section 7.8)
                    self.scope["extensions"][SOCKET] = self._hand_over  # type: ignore[assignment]
                self.parser = self._behind = _Behind()  # type: ignore[assignment]
            if rest and not self.transport.is_closing():
                self._parse(rest)

        def _hand_over(self, to: HandedOver) -> bytes:
            """Make the connection somebody else's; what has come behind the request is given back, for it to read."""
            self._stop_timer()
            if self._stall is not None:
                self._stall.cancel()
            self._unset_keepalive_if_required()
            self.cycle.disconnected = True  # nothing is expected of it any more
            self.connections.remove(self)
            self.connections.add(to)  # type: ignore[arg-type]  # who shuts down asks no more of it than shutdown()
            task = asyncio.current_task()
            assert task is not None
            task.add_done_callback(lambda _: self.connections.discard(to))
            self.transport.set_protocol(to)
            to.connection_made(self.transport)
            if self.flow.write_paused:  # by what was sent before, to a client that does not read
                to.pause_writing()
            self.flow.resume_reading()
            if self._ending:
                to.shutdown()
            return b"".join(self._behind.pieces)

        def _late(self) -> None:
            self._head_timer = None
            if self.cycle is None or self.cycle.response_complete:
                self._answer(b"408 Request Timeout")

        def _stop_timer(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

        def _answer(self, status: bytes) -> None:
            """Refuse what cannot become a request; behind responses that are under way nothing can be said."""
            if self.cycle is not None and not self.cycle.response_complete:
                self.transport.abort()
            elif not self.transport.is_closing():
                self.transport.write(b"HTTP/1.1 %b\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status)
                self.transport.close()

    return Protocol


class _Behind:
    """Stands where a parser stood, behind a request that asks for a WebSocket: keeps what comes, and understands none.

    How much that is, the protocol bounds as it bounds everything that leads nowhere.
    """

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def feed_data(self, data: bytes) -> None:
        self.pieces.append(data)


def _head_length(data: bytes) -> int:
    """How much of ``data`` can be of a header section: up to its blank line."""
    end = data.find(b"\r\n\r\n")
    return len(data) if end < 0 else end


class _AbortsAreNoFaults(logging.Filter):
    """The relay has logged why it aborts; the server's traceback of it is no news."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], Aborted))


class Server(uvicorn.Server):
    """uvicorn's server around one application, and its desk beside it, where there is one.

    ``listening`` is called once they accept connections; ``desk`` is the socket that the desk listens on, bound here
    where it is not given (OSError).
    """

    def __init__(self, application: App, *, listening: Any = None, desk: socket.socket | None = None) -> None:
        settings = application.service.settings
        super().__init__(
            uvicorn.Config(
                application,
                host=settings.listen.host,
                port=settings.listen.port,
                http=_protocol(lambda: application.service.settings.limits),
                ws="none",
                loop="auto",
                lifespan="on",
                access_log=False,
                log_config=None,
                proxy_headers=False,  # X-Forwarded-* is ours to read, from trusted peers only
                server_header=False,
                date_header=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=DRAIN_SECONDS,
                backlog=BACKLOG,
            )
        )
        self._listening = listening
        application.service.trails.connections = lambda: len(self.server_state.connections)
        self.desk = self._beside(application, desk)
        errors = logging.getLogger("uvicorn.error")
        errors.setLevel(logging.WARNING)
        if not any(isinstance(one, _AbortsAreNoFaults) for one in errors.filters):
            errors.addFilter(_AbortsAreNoFaults())

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self.desk is not None:
            self.desk.start()
        if self.started and self._listening is not None:
            self._listening(self.address)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().shutdown(sockets)
        finally:
            if self.desk is not None:
                await self.desk.stop()

    def _beside(self, application: App, listener: socket.socket | None) -> "DeskServer | None":
        settings = application.service.settings
        if settings.desk is None:
            return None
        # Imported here: few have a desk, and Starlette is not needed for anything else.
        from proxy.desk import Desk
        from proxy.desk_server import DeskServer

        desk = Desk(application.services, lambda: self.should_exit)
        protocol = _protocol(lambda: application.service.settings.limits)
        return DeskServer(desk.app, listener or bind(*settings.desk.listen), protocol)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that the server listens on."""
        for server in self.servers:
            for one in server.sockets:
                host, port = one.getsockname()[:2]
                return host, port
        return self.config.host, self.config.port


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError, where the port is taken for instance, before anything else is opened."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    one = socket.socket(family)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        one.bind((host, port))
        one.listen(BACKLOG)
    except OSError:
        one.close()
        raise
    one.setblocking(False)
    return one
