"""Boxes of the ISO base media file format (ISO/IEC 14496-12 clause 4.2), which HEIF, AVIF and JPEG XL are made of.

Law: boxes tile the space that they stand in, to the byte, or the file is broken. Nothing is looked into but what is
asked for, so that no nesting can loop; nothing is copied. Places are byte offsets from the beginning of the file.
"""

from collections.abc import Iterator
from typing import NamedTuple

from proxy.media.errors import MediaError

MAX_BOXES = 10_000
MAX_BYTES = 1 << 30  # offsets of 32 bits hold with room to spare

_UUID = b"uuid"


class Box(NamedTuple):
    """One box: its type, and where it starts, where its contents start and where it ends (exclusive).

    ``usertype`` is the 16 bytes that name a box of the type ``uuid``.
    """

    kind: bytes
    start: int
    body: int
    end: int
    usertype: bytes = b""


class Fields:
    """Big-endian numbers and strings, one after another; MediaError where they go on beyond ``end``."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self._data = data
        self.position = start
        self.end = end

    def take(self, length: int) -> bytes:
        """The next ``length`` bytes."""
        start, self.position = self.position, self.position + length
        if self.position > self.end:
            raise MediaError("a box ends inside its fields")
        return self._data[start : self.position]

    def number(self, length: int) -> int:
        """The next number, of ``length`` bytes; of none it is 0."""
        return int.from_bytes(self.take(length))

    def text(self) -> bytes:
        """The next string, without the zero that ends it, or all that is left."""
        found = self._data.find(b"\0", self.position, self.end)
        stop = self.end if found < 0 else found
        text = self.take(stop - self.position)
        self.position += found >= 0
        return text


def walk(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes between two places, one after another.

    MediaError at the first that is cut, and after 10,000. Only the last box of a file may leave its size open, and none
    inside another: something may come behind it.
    """
    outermost = end is None
    end = len(data) if end is None else end
    count = 0
    while start < end:
        count += 1
        if count > MAX_BOXES or end > MAX_BYTES:
            raise MediaError(f"more than {MAX_BOXES} boxes in one place, or more than {MAX_BYTES} bytes")
        fields = Fields(data, start, end)
        length, kind = fields.number(4), fields.take(4)
        if length == 1:
            length = fields.number(8)
        elif length == 0 and outermost:
            length = end - start
        usertype = fields.take(16) if kind == _UUID else b""
        if not fields.position - start <= length <= end - start:
            raise MediaError("a box is cut short, or its size is impossible")
        yield Box(kind, start, fields.position, start + length, usertype)
        start += length


def first(data: bytes, kind: bytes, start: int = 0, end: int | None = None) -> Box | None:
    """The first box of a type; what follows it is not looked at."""
    return next((found for found in walk(data, start, end) if found.kind == kind), None)


def one(data: bytes, kind: bytes, start: int, end: int) -> Box | None:
    """The box of a type, None where there is none; MediaError where there are several."""
    found = [box for box in walk(data, start, end) if box.kind == kind]
    if len(found) > 1:
        raise MediaError(f"{len(found)} boxes of the type {_name(kind)} in one place, where one may be")
    return found[0] if found else None


def brands(data: bytes) -> list[bytes]:
    """The brands of the ``ftyp`` box that opens a file (clause 4.3), the major one first; none where it is missing.

    A box that is cut gives those that are there.
    """
    if data[4:8] != b"ftyp":
        return []
    listed = data[8 : int.from_bytes(data[:4])]
    names = [listed[at : at + 4] for at in range(0, len(listed) - 3, 4)]
    return [*names[:1], *names[2:]]


def box(kind: bytes, *parts: bytes | memoryview) -> bytes:
    """A whole box with a size of 32 bits."""
    length = 8 + sum(len(part) for part in parts)
    return b"".join((length.to_bytes(4), kind, *parts))


def full_box(kind: bytes, version: int, flags: int, *parts: bytes | memoryview) -> bytes:
    """A whole box that begins with its version and flags (clause 4.2.2)."""
    return box(kind, bytes((version,)), flags.to_bytes(3), *parts)


def resized(data: bytes, found: Box, length: int) -> bytes:
    """The header of a box, its size made ``length`` bytes in all; as long as it was."""
    header = data[found.start : found.body]
    if header.startswith(b"\0\0\0\1"):
        return header[:8] + length.to_bytes(8) + header[16:]
    return length.to_bytes(4) + header[4:]


def _name(kind: bytes) -> str:
    return kind.decode("latin-1")
