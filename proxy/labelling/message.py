"""The heads of HTTP messages as the relay moves them (RFC 9110 section 6).

Header fields are an ordered list of byte pairs, never a mapping: order and repetition carry meaning, and a value is
copied as it came. Names compare in lower case (RFC 9110 section 5.1).
"""

from dataclasses import dataclass

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request's control data and header section.

    ``target`` is the origin-form request target as the client sent it, path and query, still percent-encoded.
    """

    method: str
    target: bytes
    headers: Headers


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """A final response's control data and header section."""

    status: int
    headers: Headers


def values(headers: Headers, name: bytes) -> list[bytes]:
    """Every value of the field ``name`` (given in lower case), in order."""
    return [value for key, value in headers if key.lower() == name]


def value(headers: Headers, name: bytes) -> bytes:
    """The field's first value, or empty bytes where the field is absent."""
    for key, found in headers:
        if key.lower() == name:
            return found
    return b""
