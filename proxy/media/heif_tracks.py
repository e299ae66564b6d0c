"""The tracks of a HEIF sequence (ISO/IEC 23008-12 clause 7): every offset that they hold, and metadata of their own.

Law: nothing in a track changes but offsets, and no box changes its length. A track's metadata may be the same bytes as
that of the file; then it stays so. Tracks with offsets that are not known here are refused.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from proxy.media import heif_items
from proxy.media.boxes import Box, one, walk
from proxy.media.errors import MediaError
from proxy.media.heif_items import IN_FILE, Item, Place

MAX_CHUNKS = 100_000  # of all tracks together

_CHUNKS = {b"stco": 4, b"co64": 8}  # bytes per offset (ISO/IEC 14496-12 clause 8.7.5)
_COUNTED = 8  # version, flags and a count, before the first entry
_VERSION = 4  # bytes: version and flags


class Described(NamedTuple):
    """The metadata of one track: its items, where they stand in the file, and the box that says so."""

    items: tuple[Item, ...]
    places: tuple[Place, ...]
    locations: Box


class Tracks(NamedTuple):
    """The tables of chunk offsets, the metadata, and the tracks' numbers."""

    tables: tuple[Box, ...] = ()
    metas: tuple[Described, ...] = ()
    numbers: frozenset[int] = frozenset()


def parse_tracks(data: bytes, moov: Box | None) -> Tracks:
    """What the tracks hold, checked against the file's length."""
    tables: list[Box] = []
    metas: list[Described] = []
    numbers = set()
    chunks = 0
    for found in walk(data, moov.body, moov.end) if moov is not None else ():
        if found.kind == b"mvex":
            raise MediaError("a HEIF sequence in fragments is not supported")
        if found.kind == b"meta":
            metas += _described(data, found)
        if found.kind != b"trak":
            continue
        head = one(data, b"tkhd", found.body, found.end)
        if head is None:
            raise MediaError("the HEIF sequence has a track without a header")
        at = head.body + (20 if data[head.body : head.body + 1] == b"\1" else 12)
        numbers.add(int.from_bytes(data[at : at + 4]))
        for table in _tables(data, found):
            chunks += (table.end - table.body - _COUNTED) // _CHUNKS[table.kind]
            if chunks > MAX_CHUNKS:
                raise MediaError(f"the HEIF sequence has {chunks} chunks, over the limit of {MAX_CHUNKS}")
            tables.append(table)
        inner = one(data, b"meta", found.body, found.end)
        metas += _described(data, inner) if inner is not None else []
    return Tracks(tuple(tables), tuple(metas), frozenset(numbers))


def moved_table(data: bytes, table: Box, moved: Callable[[int], int]) -> bytes:
    """The whole table with every chunk where it stands now."""
    width = _CHUNKS[table.kind]
    offsets = (moved(offset).to_bytes(width) for offset in _offsets(data, table))
    return b"".join([data[table.start : table.body + _COUNTED], *offsets])


def moved_locations(data: bytes, meta: Described, moved: Callable[[Place], Place]) -> bytes:
    """The whole box of locations with every item where it stands now."""
    places = [moved(place) for place in meta.places]
    new = heif_items.pack_places(places, data[meta.locations.body])
    if len(new) != meta.locations.end - meta.locations.start:
        raise MediaError("the HEIF sequence tells where its metadata stands in a form that is not supported")
    return new


def _described(data: bytes, found: Box) -> Iterator[Described]:
    """The items of a ``meta`` box, where it has any."""
    start = found.body + _VERSION
    info, locations = one(data, b"iinf", start, found.end), one(data, b"iloc", start, found.end)
    if info is None or locations is None:
        return
    described = Described(heif_items.parse_items(data, info), heif_items.parse_places(data, locations), locations)
    if any(place.method != IN_FILE for place in described.places):
        raise MediaError("a HEIF sequence with metadata inside its tracks is not supported")
    yield described


def _tables(data: bytes, track: Box) -> Iterator[Box]:
    """The tables of offsets of a track (ISO/IEC 14496-12 clauses 8.4.4, 8.5.1, 8.7.5)."""
    inner: Box | None = track
    for kind in (b"mdia", b"minf", b"stbl"):
        inner = one(data, kind, inner.body, inner.end) if inner is not None else None
    if inner is None:
        raise MediaError("the HEIF sequence has a track without tables")
    for found in walk(data, inner.body, inner.end):
        if found.kind in (b"saio", b"senc"):
            raise MediaError("a protected HEIF sequence is not supported")
        if found.kind in _CHUNKS:
            _offsets(data, found)
            yield found


def _offsets(data: bytes, table: Box) -> list[int]:
    width = _CHUNKS[table.kind]
    count = int.from_bytes(data[table.body + 4 : table.body + _COUNTED])
    if table.end - table.body != _COUNTED + width * count:
        raise MediaError("the HEIF sequence has a table of offsets that is cut short")
    if count > MAX_CHUNKS:
        raise MediaError(f"the HEIF sequence has {count} chunks, over the limit of {MAX_CHUNKS}")
    starts = range(table.body + _COUNTED, table.end, width)
    offsets = [int.from_bytes(data[start : start + width]) for start in starts]
    if any(offset > len(data) for offset in offsets):
        raise MediaError("the HEIF file ends before the data of its sequence does")
    return offsets
