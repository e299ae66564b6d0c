"""One request out, a head and an iterator of bytes back.

The law: what comes back is exactly the message that the upstream framed, or an `UpstreamError`. A body that ended early
never looks whole, and a request that an upstream may have taken in is never sent to it again.

Two transports keep it: `http11`, our own client, for the hot path, and `httpx` for HTTP/2 and corporate proxies.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal, Protocol

from proxy.labelling.message import Headers, RequestHead, ResponseHead

Body = bytes | AsyncIterator[bytes] | None
Transport = Literal["http11", "httpx"]

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 section 5.6.2
_UNFIT_TARGET = re.compile(rb"[\x00-\x20\x7f]")
_FRAMING = frozenset((b"host", b"connection", b"content-length", b"transfer-encoding"))
_USUAL = frozenset(("GET", "POST"))  # asked first: this runs for every request
_EXPECTS_CONTENT = frozenset(("POST", "PUT", "PATCH"))


class UpstreamError(Exception):
    """The exchange failed. ``status`` is what the client is told, ``str()`` a sentence for it that holds no secrets."""

    status = 502


class ConnectFailed(UpstreamError):
    """No connection: a name that does not resolve, a port that refuses, a certificate that does not hold."""


class ConnectTimeout(UpstreamError):
    status = 504


class FirstByteTimeout(UpstreamError):
    status = 504


class IdleTimeout(UpstreamError):
    status = 504


class Truncated(UpstreamError):
    """The message ended before its framing said so."""


class BadResponse(UpstreamError):
    """Not HTTP, or framed so that two readers could disagree on where it ends (RFC 9112 section 11.2)."""


class PoolFull(UpstreamError):
    """Every connection is taken, and so is every place in the queue (or the wait was too long)."""

    status = 503
    retry_after = 1  # seconds


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go. Times are seconds, ``header_limit`` is bytes."""

    url: str  # http or https; a path becomes the prefix of every request target
    connect_timeout: float = 10.0  # name, TCP and TLS together; the wait for a place in the pool has as long again
    first_byte_timeout: float = 600.0  # from the request's last byte to the response's head
    idle_timeout: float = 600.0  # between two pieces of a body
    keep_alive: float = 4.0  # vLLM closes an idle connection after 5 s: be gone before it
    max_connections: int = 1000
    max_waiting: int = 1000
    header_limit: int = 65536  # of one response, its 1xx responses and its trailers included
    proxy: str | None = None  # a proxy's URL; `httpx` only


class Response(Protocol):
    """A final response: 1xx is consumed, hop-by-hop fields are still in the head."""

    head: ResponseHead

    async def read(self) -> bytes:
        """All of the body that has arrived, or empty bytes at its clean end. Cancelled: the connection is closed."""
        ...

    async def close(self) -> None:
        """Give up what is left: the connection closes at once unless the message is complete. Safe to call twice."""
        ...


class Upstream(Protocol):
    async def send(self, head: RequestHead, body: Body = None, length: int | None = None) -> Response:
        """One exchange up to the response's head. Cancelled: the connection is closed, before the first byte too.

        ``head.headers`` go out in order after Host and before the framing, which is ours: bytes get a Content-Length,
        an iterator with ``length`` exactly that many bytes, an iterator without is chunked, None is no body. The
        response may come back while an iterator is still being read; it is read no further once the exchange is over.

        Raises `UpstreamError`; ValueError for a head that must not be written or a body that is not ``length`` long;
        and whatever the iterator raises.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection; exchanges under way fail."""
        ...


def open(target: Target, transport: Transport = "http11") -> Upstream:
    """The client for one upstream. Connects at the first request. ValueError for settings that cannot work."""
    # Imported here: httpx takes longer to import than the rest of the proxy, and few need it.
    if transport == "httpx":
        from proxy.upstream_httpx import Httpx

        return Httpx(target)
    from proxy.upstream_http11 import Http11

    return Http11(target)


def header_block(head: RequestHead) -> bytes:
    """The header section as it is written, every line ended.

    ValueError for what would change the message's shape: CR, LF or NUL anywhere, a method that is no token, a target
    that is not in origin form, a field that is the transport's to write.
    """
    if head.method not in _USUAL and (not _TOKEN.fullmatch(head.method) or head.method == "CONNECT"):
        raise ValueError("not a method that can be sent upstream")
    if not head.target.startswith(b"/") and head.target != b"*":
        raise ValueError("a request target must begin with a slash")
    if _UNFIT_TARGET.search(head.target):
        raise ValueError("a request target must not hold spaces or control characters")
    if not _FRAMING.isdisjoint([name.lower() for name, _ in head.headers]):
        raise ValueError("Host, Connection, Content-Length and Transfer-Encoding are the transport's to write")
    block = b"\r\n".join([*map(b": ".join, head.headers), b""])
    lines = len(head.headers)
    if block.count(b"\r") != lines or block.count(b"\n") != lines or b"\0" in block:
        raise ValueError("a header field must not hold CR, LF or NUL")
    return block


def framing(method: str, body: Body, length: int | None) -> Headers:
    """The fields that say how long the request's body is (RFC 9112 section 6)."""
    if body is None:
        return [(b"content-length", b"0")] if method in _EXPECTS_CONTENT else []
    if isinstance(body, bytes):
        if length is not None and length != len(body):
            raise ValueError("the body does not have the length that was announced")
        return [(b"content-length", b"%d" % len(body))]
    return [(b"transfer-encoding", b"chunked")] if length is None else [(b"content-length", b"%d" % length)]
