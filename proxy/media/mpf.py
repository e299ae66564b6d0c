"""The index of a JPEG file of several pictures (CIPA DC-007, Multi-Picture Format): where each one stands.

Law: pictures stand one after another, each where the index says, or the file is broken. The index is written over in
place, so that it never changes its length; whatever stands between the pictures is kept. An index of pictures that were
cut away together, as some tools do, tells of nothing: where nothing follows the first picture, it is the only one.

The payload of the APP2 segment is ``MPF`` and a TIFF block; offsets count from the block's first byte, but that of the
first picture, which is zero and means the file's.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from proxy.media.errors import MediaError
from proxy.media.segments import APP2, SOI, opening, parse

IDENTIFIER = b"MPF\0"

_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_ENTRIES = 0xB002
_ENTRY_BYTES = 16
_TYPE = 0xFFFFFF  # the part of an entry's attribute that says what the picture is
_GAIN_MAP = 0x050000

# What says that a picture of the file is no picture to look at, but the measure of another: a map of gains or depths.
_MEASURES = re.compile(
    rb"http://ns\.adobe\.com/hdr-gain-map/|urn:iso:std:iso:ts:21496:|http://ns\.google\.com/photos/1\.0/container/"
    rb"|http://ns\.google\.com/photos/1\.0/depthmap/|http://ns\.google\.com/photos/dd/|http://ns\.apple\.com/HDRGainMap/"
    rb"|http://ns\.apple\.com/depthData/|http://ns\.apple\.com/pixeldatainfo/|apple:photo:\d+:aux:"
)
# An item of Google's container that is the first picture, with a length that a label would change.
_COUNTED_PRIMARY = re.compile(
    rb"""<(?=[^<>]*:Semantic\s*=\s*["']Primary["'])[^<>]*:Length\s*=\s*["']\s*0*[1-9]""", re.DOTALL
)

Span = tuple[int, int]


class _Entry(NamedTuple):
    """One picture in the index; ``at`` is where in the payload its size and offset stand."""

    kind: int
    size: int
    offset: int
    at: int


def pictures(data: bytes) -> list[Span]:
    """Where each picture of the file stands; there is more than one only where it has an index ."""
    found = parse(data)
    first = len(data) - len(found.trailer)
    index = _index(data)
    if index is None or first == len(data):
        return [(0, first)]
    return _spans(data[slice(*index)], index[0] + len(IDENTIFIER), data, first)


def rejoined(data: bytes, places: Sequence[Span], replaced: Sequence[bytes]) -> bytes:
    """The file with other bytes for its pictures, all else as it was, and the index made right.

    ``places`` is what ``pictures`` gave out for the file.
    """
    pieces, spans, position, length = [], [], 0, 0
    for (start, end), picture in zip(places, replaced, strict=True):
        pieces += [data[position:start], picture]
        length += start - position + len(picture)
        spans.append((length - len(picture), length))
        position = end
    joined = b"".join([*pieces, data[position:]])
    index = _index(joined)
    if index is None or places == [(0, len(data))]:
        return joined
    start, end = index
    return joined[:start] + _moved(joined[start:end], start + len(IDENTIFIER), spans) + joined[end:]


def has_measures(data: bytes) -> bool:
    """Whether one of several pictures is the measure of another, a map of gains or depths.

    The index says so, or metadata with the names of Adobe, Apple, Google or ISO 21496-1.
    """
    index = _index(data)
    if index is None:
        return False
    if any(entry.kind == _GAIN_MAP for entry in _entries(data[slice(*index)])):
        return True
    every = (segment for start, end in pictures(data) for segment in opening(data[start:end])[0])
    return any(segment.is_metadata and _MEASURES.search(segment.payload) for segment in every)


def counts_first(packet: bytes) -> bool:
    """Whether an XMP packet tells the length of the first picture itself (Google's container)."""
    return _COUNTED_PRIMARY.search(packet) is not None


def _index(data: bytes) -> Span | None:
    """Where the index of several pictures stands: the payload of an APP2 segment."""
    position = len(SOI)
    for segment in opening(data)[0]:
        position += len(segment.whole)
        if segment.marker == APP2 and segment.payload.startswith(IDENTIFIER):
            return position - len(segment.payload), position
    return None


def _spans(payload: bytes, base: int, data: bytes, first: int) -> list[Span]:
    """Where each picture stands in the file ``data``, in its order; entries of no size are no pictures.

    ``base`` is where the payload's TIFF block stands in the file, ``first`` where the first picture ends. MediaError
    where the index is damaged or a picture is not where it says.
    """
    found = [(0, first)]
    for entry in _present(payload)[1:]:
        start = base + entry.offset
        if start < found[-1][1] or start + entry.size > len(data) or not data.startswith(SOI, start):
            raise MediaError("the JPEG's index of pictures is damaged: a picture is not where it says")
        found.append((start, start + entry.size))
    return found


def _moved(payload: bytes, base: int, spans: Sequence[Span]) -> bytes:
    """The payload for pictures that stand elsewhere; ``base`` is where its TIFF block stands now."""
    order = _order(payload)
    new = bytearray(payload)
    for place, (entry, (start, end)) in enumerate(zip(_present(payload), spans, strict=True)):
        struct.pack_into(order + "II", new, entry.at, end - start, start - base if place else 0)
    return bytes(new)


def _present(payload: bytes) -> list[_Entry]:
    """The first picture, and every other that there is."""
    entries = list(_entries(payload))
    if not entries:
        raise MediaError("the JPEG's index of pictures is damaged: it has no entries")
    return [entries[0], *(entry for entry in entries[1:] if entry.size)]


def _order(payload: bytes) -> str:
    order = _ORDERS.get(payload[len(IDENTIFIER) : len(IDENTIFIER) + 4])
    if order is None or len(payload) < len(IDENTIFIER) + 8:
        raise MediaError("the JPEG's index of pictures is damaged: it has no header")
    return order


def _entries(payload: bytes) -> Iterator[_Entry]:
    order, base = _order(payload), len(IDENTIFIER)
    (ifd,) = struct.unpack_from(order + "I", payload, base + 4)
    if base + ifd + 2 > len(payload):
        raise MediaError("the JPEG's index of pictures is damaged: it ends too early")
    (fields,) = struct.unpack_from(order + "H", payload, base + ifd)
    start = base + ifd + 2
    for field in range(start, min(start + 12 * fields, len(payload) - 11), 12):
        tag, _, count, offset = struct.unpack_from(order + "HHII", payload, field)
        if tag != _ENTRIES:
            continue
        for at in range(base + offset, base + offset + count - count % _ENTRY_BYTES, _ENTRY_BYTES):
            if at + _ENTRY_BYTES > len(payload):
                raise MediaError("the JPEG's index of pictures is damaged: it ends too early")
            attribute, size, where = struct.unpack_from(order + "III", payload, at)
            yield _Entry(attribute & _TYPE, size, where, at + 4)
        return
