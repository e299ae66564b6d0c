"""The heads of HTTP messages as the relay moves them (RFC 9110 section 6).

Header fields are an ordered list of byte pairs, never a mapping: order and repetition carry meaning, and a value is
copied as it came. Names compare without regard to case (RFC 9110 section 5.1), so they are kept in lower case, as in
HTTP/2 and ASGI: whoever makes a head lowers them once, and nobody does it again.
"""

from typing import NamedTuple

Headers = list[tuple[bytes, bytes]]


class RequestHead(NamedTuple):
    """A request's control data and header section.

    ``target`` is the origin-form request target as the client sent it, path and query, still percent-encoded.
    """

    method: str
    target: bytes
    headers: Headers

    def value(self, name: bytes) -> bytes:
        """The first value of the field ``name`` (in lower case), or empty bytes where it is absent."""
        return value(self.headers, name)


class ResponseHead(NamedTuple):
    """A final response's control data and header section."""

    status: int
    headers: Headers

    @property
    def is_framed(self) -> bool:
        """Whether it says where the body ends; else the connection's end does (RFC 9112 section 6.3)."""
        return bool(self.value(b"transfer-encoding") or self.value(b"content-length"))

    def value(self, name: bytes) -> bytes:
        """The first value of the field ``name`` (in lower case), or empty bytes where it is absent."""
        return value(self.headers, name)


def value(headers: Headers, name: bytes) -> bytes:
    """The first value of the field ``name`` (in lower case), or empty bytes where it is absent."""
    for key, found in headers:
        if key == name:
            return found
    return b""
