"""A HEIF file as a whole (ISO/IEC 23008-12): the ``meta`` box, the data beside it, every offset from one to the other.

Law: no coded picture is touched. Data that goes is cut out of its ``mdat`` box, or written over with zeros where it
stands anywhere else; data that comes stands in an ``mdat`` box of its own at the end, so that replacing it moves
nothing. Every offset that a cut or a longer ``meta`` box moves is made right, in ``iloc`` and in the sample tables of a
sequence; a file with offsets that are not known here is refused, and so is one whose items share bytes that would go.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import NamedTuple

from proxy.media import heif_items
from proxy.media.boxes import Box, box, resized, walk
from proxy.media.errors import MediaError
from proxy.media.heif_items import IN_FILE, IN_ITEM, IN_META, Extent, Item, Meta, Place
from proxy.media.heif_tracks import Tracks, moved_locations, moved_table, parse_tracks

# Boxes that hold offsets nothing here makes right.
_FRAGMENTS = frozenset((b"moof", b"mfra", b"sidx", b"ssix"))
_HEADER = 8  # bytes: size and type

_FIXED = "the HEIF file keeps data in a place that cannot be changed"

Span = tuple[int, int]


class File(NamedTuple):
    """A whole file: its boxes, the meta box in parts, and the tracks of a sequence."""

    data: bytes
    boxes: tuple[Box, ...]
    meta: Meta
    idat: Box | None
    tracks: Tracks


class Edit(NamedTuple):
    """A part of the file and what stands in its place."""

    start: int
    end: int
    new: bytes


def parse(data: bytes) -> File:
    """The file in its parts. MediaError where it is not whole: boxes, items and data are all looked at."""
    boxes = tuple(walk(data))
    kinds = [found.kind for found in boxes]
    if kinds.count(b"meta") != 1 or kinds.count(b"moov") > 1 or not kinds or kinds[0] != b"ftyp":
        raise MediaError(f"the HEIF file has {kinds.count(b'meta')} meta boxes, not one")
    if fragments := _FRAGMENTS.intersection(kinds):
        raise MediaError(f"a HEIF file in fragments ({min(fragments).decode()}) is not supported")
    meta = heif_items.parse(data, boxes[kinds.index(b"meta")])
    moov = boxes[kinds.index(b"moov")] if b"moov" in kinds else None
    idat = next((child for child in meta.children if child.kind == b"idat"), None)
    found = File(data, boxes, meta, idat, parse_tracks(data, moov))
    for place in [*meta.places, *(place for described in found.tracks.metas for place in described.places)]:
        _spans(found, place)
    return found


def header(data: bytes) -> Meta:
    """The meta box alone, whatever follows it. MediaError where there is none."""
    for found in walk(data):
        if found.kind == b"meta":
            return heif_items.parse(data, found)
    raise MediaError("the HEIF file has no meta box")


def spans(file: File, number: int) -> list[Span]:
    """Where the data of an item stands in the file, in its order; what is made of another item's data has none."""
    return [span for place in file.meta.places if place.number == number for span in _spans(file, place)]


def payload(file: File, number: int) -> bytes:
    """The data of an item. MediaError where it is made of another item's."""
    if any(place.number == number and place.method == IN_ITEM for place in file.meta.places):
        raise MediaError("the HEIF container makes metadata of another item's data, which is not supported")
    return b"".join(file.data[start:end] for start, end in spans(file, number))


def track_items(file: File) -> Iterator[tuple[Item, list[Span]]]:
    """The metadata of tracks that is not the same bytes as an item of the file, and where it stands."""
    kinds = {item.number: (item.kind, item.content_type) for item in file.meta.items}
    known = {(kinds.get(place.number), *_spans(file, place)) for place in file.meta.places}
    for described in file.tracks.metas:
        places = {place.number: _spans(file, place) for place in described.places}
        for item in described.items:
            found = places.get(item.number, [])
            if ((item.kind, item.content_type), *found) not in known:
                yield item, found


def overwritten(file: File, contents: Iterable[tuple[Sequence[Span], bytes]]) -> bytes:
    """The file with other data of the same length in some places; nothing moves."""
    new = bytearray(file.data)
    for found, content in contents:
        position = 0
        _check_alone(file, found, partial(_stands_at, file, found))
        for start, end in found:
            new[start:end] = content[position : position + end - start]
            position += end - start
    return bytes(new)


def rebuilt(file: File, meta: Meta, contents: Mapping[int, bytes], dropped: Iterable[Box] = ()) -> bytes:
    """The file with its items as ``meta`` says, new data for some of them by number, and without some boxes.

    The data of items that ``meta`` no longer has goes, and so does the old data of those in ``contents``.
    """
    kept = {item.number for item in meta.items} - set(contents)
    gone = ({item.number for item in file.meta.items} | set(contents)) - kept
    going = sorted(span for place in file.meta.places if place.number in gone for span in _spans(file, place))
    _check_alone(file, going, lambda place: place.number in gone)
    cuts: dict[Box, list[Span]] = {}
    blanks: list[Span] = []
    starts = [found.start for found in file.boxes]
    for start, end in going:
        home = file.boxes[bisect_right(starts, start) - 1]
        if home.kind == b"mdat" and home.body <= start and end <= home.end:
            cuts.setdefault(home, []).append((start, end))
        else:
            blanks.append((start, end))
    if blanks:
        data = bytearray(file.data)
        for start, end in blanks:
            data[start:end] = bytes(end - start)
        file = file._replace(data=bytes(data))
    edits = [Edit(found.start, found.end, b"") for found in dropped]
    for home, found in cuts.items():
        edits += _cut(file.data, home, found)
    last = file.boxes[-1]
    if contents and not any(edit.start == last.start for edit in edits) and last is not file.meta.box:
        edits.append(Edit(last.start, last.body, resized(file.data, last, last.end - last.start)))
    return _joined(file, meta, contents, edits)


def _joined(file: File, meta: Meta, contents: Mapping[int, bytes], edits: list[Edit]) -> bytes:
    """The edits done, and every offset moved by them."""
    places = [place for place in meta.places if place.number not in contents]
    new = [Place(number, IN_FILE, (Extent(0, len(content)),)) for number, content in contents.items()]
    draft = meta._replace(places=_ordered(file, [*places, *new]))
    # The form of the locations does not depend on where things stand, so that the draft has the right length.
    whole = Edit(file.meta.box.start, file.meta.box.end, heif_items.pack(file.data, file.meta, draft))
    moves = _Moves([*edits, whole])
    starts = accumulate(map(len, contents.values()), initial=len(file.data) + moves.total + _HEADER)
    final = [place if place.method != IN_FILE else moves.moved_place(place) for place in places]
    for place, start in zip(new, starts, strict=False):  # the last start is where the file ends
        final.append(place._replace(extents=(place.extents[0]._replace(offset=start),)))
    packed = heif_items.pack(file.data, file.meta, meta._replace(places=_ordered(file, final)))
    old = {tuple(spans(file, number)): number for number in contents}
    placed = {place.number: place for place in final}

    def followed(place: Place) -> Place:
        """A track's metadata that is that of the file goes where that goes."""
        number = old.get(tuple(_spans(file, place)))
        return moves.moved_place(place) if number is None else place._replace(extents=placed[number].extents)

    tables = [Edit(table.start, table.end, moved_table(file.data, table, moves.moved)) for table in file.tracks.tables]
    for described in file.tracks.metas:
        locations = moved_locations(file.data, described, followed)
        tables.append(Edit(described.locations.start, described.locations.end, locations))
    pieces: list[bytes] = []
    position = 0
    for edit in sorted([*edits, *tables, whole._replace(new=packed)]):
        if edit.start < position:
            raise MediaError(_FIXED)
        pieces += (file.data[position : edit.start], edit.new)
        position = edit.end
    pieces.append(file.data[position:])
    if contents:
        pieces.append(box(b"mdat", *contents.values()))
    return b"".join(pieces)


class _Moves:
    """How far each byte of a file moves under edits that change lengths."""

    def __init__(self, edits: list[Edit]) -> None:
        # Also where the length stays: what stands in a part that is made anew would be lost.
        self._edits = sorted(edits)
        self._ends = [edit.end for edit in self._edits]
        self._sums = [0, *accumulate(len(edit.new) - (edit.end - edit.start) for edit in self._edits)]
        self.total = self._sums[-1]

    def moved(self, offset: int, length: int = 1) -> int:
        """Where a part of the file begins afterwards. MediaError where an edit reaches into it."""
        before = bisect_right(self._ends, offset)
        if before < len(self._edits) and self._edits[before].start < offset + length:
            raise MediaError(_FIXED)
        return offset + self._sums[before]

    def moved_place(self, place: Place) -> Place:
        # A part without bytes stands nowhere.
        extents = (part._replace(offset=self.moved(*part[:2])) if part.length else part for part in place.extents)
        return place._replace(extents=tuple(extents))


def _cut(data: bytes, home: Box, found: list[Span]) -> list[Edit]:
    """Parts of an ``mdat`` box cut out, and the whole box where nothing of it is left. ``found`` is sorted."""
    merged: list[Span] = []
    for start, end in found:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    left = home.end - home.start - sum(end - start for start, end in merged)
    if left == home.body - home.start:
        return [Edit(home.start, home.end, b"")]
    cuts = [Edit(start, end, b"") for start, end in merged]
    return [Edit(home.start, home.body, resized(data, home, left)), *cuts]


def _ordered(file: File, places: list[Place]) -> tuple[Place, ...]:
    """The places in the order that they had, new ones last."""
    order = {place.number: at for at, place in enumerate(file.meta.places)}
    return tuple(sorted(places, key=lambda place: order.get(place.number, len(order))))


def _spans(file: File, place: Place) -> list[Span]:
    """MediaError where the data is outside the file, or longer than it."""
    base, end = 0, len(file.data)
    if place.method == IN_ITEM:
        return []
    if place.method == IN_META:
        if file.idat is None:
            raise MediaError("the HEIF container has no idat box, where an item's data should stand")
        base, end = file.idat.body, file.idat.end
    found = [(base + offset, base + offset + length) for offset, length, _ in place.extents if length]
    if any(stop > end for _, stop in found) or sum(stop - start for start, stop in found) > len(file.data):
        raise MediaError("the HEIF file ends before the data of an item does")
    return found


def _stands_at(file: File, found: Sequence[Span], place: Place) -> bool:
    return _spans(file, place) == found


def _check_alone(file: File, found: Sequence[Span], is_owner: Callable[[Place], bool]) -> None:
    """MediaError where bytes that are to change belong to another item, too."""
    going = sorted(found)
    ends = list(accumulate((end for _, end in going), max))
    for place in file.meta.places:
        for start, end in () if is_owner(place) else _spans(file, place):
            # The first that ends behind this start is the first that could reach into it.
            at = bisect_right(ends, start)
            if at < len(going) and going[at][0] < end:
                raise MediaError("the HEIF container's items share their data, which cannot be changed for one of them")
