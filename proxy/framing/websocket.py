"""WebSocket frames, cut out of a stream of bytes, and made (RFC 6455 section 5).

Law: the heads and payloads that come out, joined, are the bytes that went in, wherever those were cut; a payload is
given out as it comes and never gathered here. Text is not checked and nothing is unmasked: that is for the two ends.
"""

import struct
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Iterator
from hashlib import sha1
from typing import Final, NamedTuple

from proxy.framing.errors import FramingError

__all__ = [
    "BINARY",
    "CLOSE",
    "CONTINUATION",
    "PING",
    "PONG",
    "PROTOCOL_ERROR",
    "TEXT",
    "TOO_LONG",
    "Frames",
    "Head",
    "SocketFault",
    "accept",
    "closing",
    "frame",
]

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

# What a close frame says (section 7.4.1).
PROTOCOL_ERROR: Final = 1002
TOO_LONG: Final = 1009

_LONGEST_REASON: Final = 123  # bytes; a control frame has 125, and the code takes two
_LONGEST_CONTROL: Final = 125
_LONGEST_HEAD: Final = 14
_MASK_SIZE: Final = 4
_EXTENDED: Final = {126: 2, 127: 8}  # a length that does not fit into seven bits, and the bytes that it takes
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class SocketFault(FramingError):
    """The socket cannot go on; ``code`` is what its ends are told."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Head(NamedTuple):
    """A frame's head. ``raw`` are its bytes, ``reserved`` the bits that extensions use, ``length`` the payload's."""

    raw: bytes
    opcode: int
    final: bool
    reserved: int
    masked: bool
    length: int

    @property
    def is_control(self) -> bool:
        """Whether it is a close, a ping or a pong, which may stand between the frames of a message."""
        return self.opcode >= CLOSE


class Frames:
    """Cuts one direction of a socket. ``limit``: the most bytes of a message, all of its frames together."""

    __slots__ = ("_begun", "_left", "_limit", "_message", "_rest")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._begun = b""  # of a head
        self._left = 0  # of a payload
        self._message = 0
        self._rest = b""

    @property
    def whole(self) -> bool:
        """Whether the frame whose head came last has come to its end."""
        return not self._left

    @property
    def between(self) -> bool:
        """Whether what has been fed ends with a frame: another may be put in here."""
        return not self._left and not self._begun

    def feed(self, data: bytes) -> Iterator[Head | bytes]:
        """Each head, then the bytes of its payload, as they come; to be iterated to the end.

        Raises SocketFault for a head that cannot be. Fed further, it goes on behind that.
        """
        data, self._rest = self._rest + data, b""
        at = 0
        while at < len(data):
            if self._left:
                piece = data[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                yield piece
                continue
            begun = self._begun + data[at : at + _LONGEST_HEAD]
            size = _head_size(begun)
            at += min(size, len(begun)) - len(self._begun)
            if len(begun) < size:
                self._begun = begun
                continue
            self._begun = b""
            head = _head(begun[:size])
            self._left = head.length
            fault = self._fault(head)
            if fault is not None:
                self._rest = data[at:]
                raise fault
            yield head

    def _fault(self, head: Head) -> SocketFault | None:
        if head.is_control:
            if head.length > _LONGEST_CONTROL:
                return SocketFault(PROTOCOL_ERROR, "a control frame is longer than 125 bytes")
            return None
        self._message = head.length + (self._message if head.opcode == CONTINUATION else 0)
        if self._message > self._limit:
            return SocketFault(TOO_LONG, f"a message is longer than {self._limit} bytes")
        return None


def _head_size(begun: bytes) -> int:
    """How long the head is that begins so; at least two bytes tell."""
    if len(begun) < 2:
        return 2
    return 2 + _EXTENDED.get(begun[1] & 0x7F, 0) + (_MASK_SIZE if begun[1] & 0x80 else 0)


def _head(raw: bytes) -> Head:
    first, second = raw[0], raw[1]
    length = second & 0x7F
    if extended := _EXTENDED.get(length):
        length = int.from_bytes(raw[2 : 2 + extended])
    return Head(raw, first & 0x0F, bool(first & 0x80), first & 0x70, bool(second & 0x80), length)


def frame(opcode: int, payload: bytes, mask: bytes = b"") -> bytes:
    """A whole message, or a control frame, in one frame. ``mask``: four random bytes, where a client sends it."""
    masked = 0x80 if mask else 0
    if len(payload) <= _LONGEST_CONTROL:
        length = struct.pack("!B", masked | len(payload))
    elif len(payload) < 1 << 16:
        length = struct.pack("!BH", masked | 126, len(payload))
    else:
        length = struct.pack("!BQ", masked | 127, len(payload))
    if mask:
        payload = bytes(byte ^ mask[index % _MASK_SIZE] for index, byte in enumerate(payload))
    return b"".join((bytes((0x80 | opcode,)), length, mask, payload))


def closing(code: int, reason: str, mask: bytes = b"") -> bytes:
    """A close frame (section 5.5.1); a reason that is too long for one is cut."""
    said = reason.encode()[:_LONGEST_REASON].decode(errors="ignore").encode()
    return frame(CLOSE, struct.pack("!H", code) + said, mask)


def accept(key: bytes) -> bytes:
    """What answers a client's Sec-WebSocket-Key (section 4.2.2). ValueError where it is none."""
    try:
        sound = len(b64decode(key, validate=True)) == 16
    except Error:
        sound = False
    if not sound:
        raise ValueError("not the key of a WebSocket handshake")
    return b64encode(sha1(key + _GUID, usedforsecurity=False).digest())
