"""One connection to an upstream, one exchange at a time.

A connection is free for another exchange only when the response is complete, nothing follows it, the request was sent
whole and both sides keep the connection open. In every other case it closes, at once.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import cast

from proxy.labelling.message import ResponseHead
from proxy.upstream import BadResponse, FirstByteTimeout, IdleTimeout, Target, Truncated
from proxy.upstream_reader import Reader
from proxy.upstream_socket import acknowledged, watch

_UNREAD_LIMIT = 256 * 1024  # bytes that may wait for a slow reader before the socket is left alone
_ONE_WRITE = 64 * 1024  # a body up to this size is joined to its head


class Untouched(Exception):
    """The upstream ended the connection and had not received the request: it may be sent again."""


class Answer:
    """A `Response` on a connection, which it holds only until the message is complete."""

    __slots__ = ("_connection", "_error", "_waiter", "head", "pieces", "unread")

    head: ResponseHead

    def __init__(self, connection: "Connection") -> None:
        self.pieces: list[bytes] = []
        self.unread = 0
        self._connection: Connection | None = connection
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    async def read(self) -> bytes:
        while not self.pieces:
            if self._connection is None:
                if self._error is not None:
                    raise self._error
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            except BaseException:
                self.drop()
                raise
        data = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
        self.pieces.clear()
        self.unread = 0
        if self._connection is not None:
            self._connection.resume()
        return data

    async def close(self) -> None:
        self.drop()

    def drop(self) -> None:
        self.pieces.clear()
        if self._connection is not None:
            self._connection.fail(Truncated("the response was given up before its end"))

    def ended(self, error: Exception | None) -> None:
        self._connection = None
        self._error = error
        self.wake()

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Connection(asyncio.Protocol):
    """``free`` is called whenever the connection may be used again, ``lost`` once, when it never can be."""

    transport: asyncio.Transport
    headed: asyncio.Future[None]  # done when the head of the response is in

    def __init__(
        self,
        target: Target,
        free: Callable[["Connection"], None],
        lost: Callable[["Connection"], None],
        sock: socket.socket,
    ) -> None:
        self.closed = False
        self._target = target
        self._free = free
        self._lost = lost
        self._sock = sock
        self._anything_waits = watch(sock)
        self._used = False
        self._answer: Answer | None = None
        self._reader = Reader(target.header_limit)
        self._reading = True
        self._unsent = False
        self._upload: asyncio.Task[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._rings = self._expires = 0.0

    # The exchange, from outside.

    def begin(self, head: bytes, body: bytes | AsyncIterator[bytes], length: int | None, bodiless: bool) -> Answer:
        """Write a request; ``bodiless`` says that its response has no content, whatever that announces (HEAD)."""
        replayable = self._used and isinstance(body, bytes)
        self._acknowledged = acknowledged(self._sock) if replayable else None
        self._used = True
        self._answer = answer = Answer(self)
        self._reader.begin(answer.pieces, bodiless)
        self.headed = self._loop.create_future()
        self._arm(self._target.first_byte_timeout)
        if not isinstance(body, bytes):
            self._unsent = True
            self.transport.write(head)
            self._upload = self._loop.create_task(self._send(body, length))
        elif len(body) <= _ONE_WRITE:
            self.transport.write(head + body)
        else:
            self.transport.write(head)
            self.transport.write(body)
        return answer

    def settled(self) -> bool:
        """Fit for another request: open, and nothing has arrived since the last message, not even an end."""
        return not self.closed and not self._anything_waits()

    def resume(self) -> None:
        """The reader has taken what there was."""
        if not self._reading:
            self._reading = True
            self._arm(self._target.idle_timeout)
            self.transport.resume_reading()

    def fail(self, error: Exception) -> None:
        """End exchange and connection. What has arrived can still be read; then comes ``error``."""
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.ended(error)
            if not self.headed.done():
                self.headed.set_exception(error)
        self.abort()

    def abort(self) -> None:
        if self.closed:
            return
        self.closed = True
        self._stop_upload()
        if self._timer is not None:
            self._timer.cancel()
        self.transport.abort()
        self._lost(self)

    # The request's body, where it comes piece by piece.

    async def _send(self, body: AsyncIterator[bytes], length: int | None) -> None:
        sent = 0
        try:
            async for piece in body:
                sent += len(piece)
                if length is not None and sent > length:
                    raise ValueError("the request's body is longer than was announced")
                if piece:
                    self.transport.write(piece if length is not None else b"%x\r\n%b\r\n" % (len(piece), piece))
                if self._drained is not None:
                    self._arm(self._target.idle_timeout)
                    await self._drained
            if length is None:
                self.transport.write(b"0\r\n\r\n")
            elif sent < length:
                raise ValueError("the request's body is shorter than was announced")
        except Exception as error:  # noqa: BLE001  whatever the body's source raises is the caller's to see
            self._upload = None
            self.fail(error)
        else:
            self._upload = None
            self._unsent = False
            self._arm_for_more()

    def _stop_upload(self) -> None:
        upload, self._upload = self._upload, None
        if upload is not None:
            upload.cancel()

    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    # What the loop reports.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are not its subclasses

    def data_received(self, data: bytes) -> None:
        answer, reader = self._answer, self._reader
        if answer is None:
            return self.abort()  # bytes that nobody asked for
        try:
            reader.feed(data)
        except BadResponse as refusal:
            return self.fail(refusal)
        if reader.head is not None and not self.headed.done():
            answer.head = reader.head
            self.headed.set_result(None)
            if reader.head.status >= 400:  # RFC 9112 section 9.5: the upstream wants no more of the request
                self._stop_upload()
        if reader.complete:
            return self._complete()
        self._arm_for_more()
        answer.wake()
        answer.unread += len(data)
        if answer.unread > _UNREAD_LIMIT and self._reading:
            self._reading = False
            self.transport.pause_reading()
        return None

    def eof_received(self) -> None:
        if self._answer is None:
            self.abort()
        elif self._untouched():
            self.fail(Untouched())
        else:
            try:
                self._reader.end()
            except Truncated as error:
                self.fail(error)
            else:
                self._complete()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None and self._answer is not None and self.transport.get_extra_info("sslcontext") is None:
            # Writing to an upstream that has refused the upload fails before its refusal is read. It is still there.
            try:
                while data := self._sock.recv(_UNREAD_LIMIT):
                    self.data_received(data)
            except OSError:
                pass
        self.fail(Truncated("the upstream cut the connection before the response was complete"))

    def _untouched(self) -> bool:
        before = self._acknowledged
        return before is not None and self._reader.untouched and acknowledged(self._sock) == before

    def _complete(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.ended(None)
        if self._unsent or not self._reader.keep_alive or self.closed or self.transport.get_write_buffer_size():
            return self.abort()
        self.resume()
        self._arm(self._target.keep_alive)
        return self._free(self)

    # Time: one timer, which is set anew only where it would ring too late.

    def _arm_for_more(self) -> None:
        self._arm(self._target.idle_timeout if self.headed.done() else self._target.first_byte_timeout)

    def _arm(self, seconds: float) -> None:
        self._expires = self._loop.time() + seconds
        if self._timer is None or self._expires < self._rings:
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings = self._expires
        self._timer = self._loop.call_at(self._rings, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._loop.time() < self._expires:
            self._set_timer()
        elif self._answer is None:
            self.abort()
        elif not self._reading or (self._upload is not None and self._drained is None):
            self._arm(self._target.idle_timeout)  # not the upstream is late, but who reads, or who uploads
        elif self._upload is not None:
            self.fail(IdleTimeout("the upstream stopped taking the request"))
        elif self.headed.done():
            self.fail(IdleTimeout("the upstream stopped sending before the response was complete"))
        else:
            self.fail(FirstByteTimeout("the upstream did not answer in time"))
