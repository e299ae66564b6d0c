"""What a response is written through: the connection's transport, with fewer writes, and with older clients in mind.

The law: the bytes that leave are those of the response, in order; only where a write ends is decided here, and how a
client that knows no chunks is told of a body's end.
"""

import asyncio
import socket
import struct

_CHUNKED = b"\r\ntransfer-encoding: chunked\r\n"
_ONE_WRITE = 65536  # bytes up to which a copy is cheaper than a second write


class Joined:
    """A transport that sends a response's head together with the first piece of its body: one write and one packet.

    A head behind which nothing comes leaves at the event loop's next turn.
    """

    __slots__ = ("_head", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""

    def write(self, data: bytes) -> None:
        head, self._head = self._head, b""
        if head:
            self._transport.write(head + data if len(data) < _ONE_WRITE else head)
            if len(data) >= _ONE_WRITE:
                self._transport.write(data)
        elif data.startswith(b"HTTP/1.1 "):
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(data)

    def _flush(self) -> None:
        head, self._head = self._head, b""
        if head:
            self._transport.write(head)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()


class Unchunked(Joined):
    """The same for a client of HTTP/1.0, which knows no chunks (RFC 9112 section 6.1) although the server writes them.

    Its response ends with the connection, so one that is cut must not end like that: the connection is reset.
    """

    __slots__ = ("_chunked", "_ended")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(transport, loop)
        self._chunked = self._ended = False

    def write(self, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 ") and _CHUNKED in data:
            self._chunked = True
            data = data.replace(_CHUNKED, b"\r\n", 1)
        elif self._chunked and data:
            size, _, rest = data.partition(b"\r\n")
            length = int(size, 16)
            self._ended = not length or len(rest) > length + 2  # the last chunk stands alone, or behind another
            data = rest[:length]
        if data:
            super().write(data)

    def close(self) -> None:
        if self._chunked and not self._ended:
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
        else:
            super().close()
