"""What the kernel knows about a connection, and how one is made.

Whether a request was taken in is decided here. A reset proves nothing: Linux drops the acknowledgement that a reset
carries, so an upstream may have read the request, begun to work and died, and the bytes still look unacknowledged. An
end (FIN) that arrives while the request is unacknowledged does prove it: the kernel handles a segment's acknowledgement
before its end, so the upstream ended its side before the request reached it, and takes no more (RFC 9112 section 9.6).
"""

import asyncio
import select
import socket
import ssl
import struct
import sys
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from proxy.origin import Origin

_BYTES_ACKED = struct.Struct("=120xQ")  # tcpi_bytes_acked in struct tcp_info, since Linux 4.1

_LEAST_SHARE = 0.25  # seconds for one address, however many there are

P = TypeVar("P", bound=asyncio.Protocol)


def acknowledged(sock: socket.socket) -> int | None:
    """How many bytes the peer's kernel has acknowledged so far; None where this one does not say."""
    if sys.platform != "linux":
        return None
    try:
        (count,) = _BYTES_ACKED.unpack(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED.size))
    except (OSError, struct.error):
        return None
    return int(count)


def watch(sock: socket.socket) -> Callable[[], object]:
    """A function that is true when anything waits to be read: bytes, an end or an error.

    It looks at the socket itself, past the event loop, which may not have come to it yet.
    """
    if sys.platform == "win32":
        return lambda: select.select([sock], [], [], 0)[0]
    look = select.poll()  # select() stops at descriptor 1024, and a peek costs an exception where there is nothing
    look.register(sock, select.POLLIN)
    return partial(look.poll, 0)


async def dial(
    origin: Origin, tls: ssl.SSLContext | None, protocol: Callable[[socket.socket], P], patience: float
) -> P:
    """A connection to the first of the host's addresses that takes one. OSError (ssl.SSLError too) where none does.

    The addresses share ``patience``, in seconds, so that one which swallows what is sent to it leaves time for the
    next. The caller still bounds the whole: a look-up of names and a handshake are not cut short here.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    failure = OSError("the host has no address")
    found = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    for index, (family, kind, number, _, address) in enumerate(found):
        share = max(_LEAST_SHARE, (deadline - loop.time()) / (len(found) - index))
        sock = socket.socket(family, kind, number)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # a model may think for minutes in silence
            async with asyncio.timeout(share):
                await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failure = error
            continue
        except BaseException:
            sock.close()
            raise
        # From here on the loop owns the socket and closes it, also where the handshake fails.
        server_name = origin.host if tls is not None else None
        _, made = await loop.create_connection(partial(protocol, sock), sock=sock, ssl=tls, server_hostname=server_name)
        return made
    raise failure
