"""Tags: the directories (IFD) of TIFF 6.0, of BigTIFF and of EXIF, which is TIFF inside (CIPA DC-008).

Law: nothing is believed. A directory or a value that does not lie within the data is said to end beyond it, and whoever
reads it decides what that means: a broken file, or a field to pass over.

All places are bytes from the start of the data, which begins with the header ("II" or "MM").
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from proxy.media.errors import MediaError

Span = tuple[int, int]

MAX_ENTRIES = 0xFFFF  # of a directory: all that a classic one can count, and more than BigTIFF's ever have
SHORT, LONG, UNDEFINED, LONG8 = 3, 4, 7, 16
OFFSETS = frozenset((LONG, 13, LONG8, 18))  # 13 and 18 are offsets of directories
# Bytes to the value of each field type (TIFF 6.0, section 2; 16 to 18 are BigTIFF's).
_UNIT = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_WHOLE = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}  # the types of numbers that count or point


class Layout(NamedTuple):
    """How numbers and directories are written: the byte order for ``struct``, and whether this is BigTIFF."""

    order: str
    big: bool

    @property
    def word(self) -> int:
        """The bytes of an offset, and of what a value may take to stand in its entry."""
        return 8 if self.big else 4

    @property
    def entry(self) -> int:
        """The bytes of an entry."""
        return 12 + 2 * (self.word - 4)

    @property
    def counter(self) -> int:
        """The bytes of the number of entries, before them."""
        return 8 if self.big else 2

    @property
    def first(self) -> int:
        """Where the offset of the first directory stands."""
        return 8 if self.big else 4

    def offset(self, data: bytes | bytearray, at: int) -> int:
        """The offset that stands at ``at``; 0 where the data ends before."""
        found = data[at : at + self.word]
        return int.from_bytes(found, "little" if self.order == "<" else "big") if len(found) == self.word else 0

    def packed(self, offset: int) -> bytes:
        """An offset as it is written. MediaError where it is too large: a classic TIFF ends at 4 GiB."""
        if offset >> 8 * self.word:
            raise MediaError("the TIFF would become larger than its offsets can say")
        return offset.to_bytes(self.word, "little" if self.order == "<" else "big")


class Field(NamedTuple):
    """One field: its tag, its type, how many values it has, where its entry stands, and its value (start and end)."""

    tag: int
    kind: int
    amount: int
    entry: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory: its fields in order, the offset of the next one and where that stands, its start and end."""

    fields: tuple[Field, ...]
    next: int
    link: int
    start: int
    end: int

    def find(self, tag: int) -> Field | None:
        """The first field with a tag."""
        return next((field for field in self.fields if field.tag == tag), None)


_HEADERS = {
    b"II*\0": Layout("<", False),
    b"MM\0*": Layout(">", False),
    b"II+\0\x08\0\0\0": Layout("<", True),
    b"MM\0+\0\x08\0\0": Layout(">", True),
}


def layout(data: bytes) -> Layout | None:
    """How the data is laid out, by its first bytes; None where it is no TIFF."""
    return _HEADERS.get(data[:4]) or _HEADERS.get(data[:8])


def directory(data: bytes, layout: Layout, start: int) -> Directory:
    """The directory that stands at ``start``, with as many of its entries as the data holds, at most 65,535.

    Its ``end`` and that of a value are where they would end; fields of types that nobody knows have no value, and end
    where they start.
    """
    form = layout.order + ("HHQ" if layout.big else "HHI")
    counter = data[start : start + layout.counter]
    entries = int.from_bytes(counter, "little" if layout.order == "<" else "big")
    first = start + layout.counter
    link = first + layout.entry * entries
    fields = []
    step, word = layout.entry, layout.word
    for entry in range(first, min(link, len(data) - step + 1, first + step * MAX_ENTRIES), step):
        tag, kind, count = struct.unpack_from(form, data, entry)
        length = _UNIT.get(kind, 0) * count
        value = entry + step - word
        at = value if length <= word else layout.offset(data, value)
        fields.append(Field(tag, kind, count, entry, at, at + length))
    return Directory(tuple(fields), layout.offset(data, link), link, start, link + layout.word)


def numbers(data: bytes, layout: Layout, field: Field, most: int = 1024) -> tuple[int, ...]:
    """The values of a field that counts or points.

    MediaError where its type is another, where it is out of bounds, and where it has more than ``most`` values.
    """
    code = _WHOLE.get(field.kind)
    if code is None or field.end > len(data) or field.amount > most:
        raise MediaError(f"the field {field.tag} is of a type or length that does not belong to it")
    return struct.unpack_from(f"{layout.order}{field.amount}{code}", data, field.start)


def packed(layout: Layout, kind: int, values: Iterable[int]) -> bytes | None:
    """Numbers as the value of a field of type ``kind``; None where one of them does not fit."""
    numbers = tuple(values)
    try:
        return struct.pack(f"{layout.order}{len(numbers)}{_WHOLE[kind]}", *numbers)
    except struct.error:
        return None


def entry(layout: Layout, tag: int, kind: int, count: int, value: bytes) -> bytes:
    """An entry; ``value`` is what stands in it: the value itself, at the left, or its offset."""
    form = layout.order + ("HHQ" if layout.big else "HHI")
    return struct.pack(form, tag, kind, count) + value.ljust(layout.word, b"\0")


def counted(layout: Layout, entries: int) -> bytes:
    """The number of entries as it stands before them. MediaError where they are too many for a classic directory."""
    if entries >> 8 * layout.counter:
        raise MediaError("the TIFF has a directory with no room for another field")
    return entries.to_bytes(layout.counter, "little" if layout.order == "<" else "big")


def shared(spans: Iterable[Span]) -> frozenset[Span]:
    """The spans that have a byte in common with another of them."""
    found: set[Span] = set()
    reach = (0, 0)
    for span in sorted(spans):
        if span[0] < min(reach[1], span[1]):
            found |= {span, reach}
        if span[1] > reach[1]:
            reach = span
    return frozenset(found)
