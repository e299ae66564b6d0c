"""The ``meta`` box of HEIF (ISO/IEC 14496-12 clause 8.11): items, where their data stands, what is said of them.

Law: what is read is written again the same, in its order; a box that nothing here changes is copied byte for byte. The
locations alone are always written in one form (offsets and lengths of 32 bits), so that writing twice equals writing
once. Places are byte offsets from the beginning of the file.
"""

from collections.abc import Sequence
from typing import NamedTuple

from proxy.media.boxes import MAX_BOXES, Box, Fields, box, full_box, one, walk
from proxy.media.errors import MediaError
from proxy.media.heif_properties import Properties, parse_properties

IN_FILE, IN_META, IN_ITEM = range(3)  # construction methods: where the data of an item stands (clause 8.11.3)

MAX_TARGETS = 100_000  # of all references together

_LARGEST = (1 << 32) - 1
_VERSION = 4  # bytes: version and flags, before the fields of a full box


class Item(NamedTuple):
    """What an ``infe`` box says of an item, and the whole box."""

    number: int
    kind: bytes
    name: bytes
    content_type: bytes
    encoding: bytes
    protected: bool
    whole: bytes


class Extent(NamedTuple):
    """A part of an item's data; ``offset`` counts from what the place's method says, ``source`` is another item."""

    offset: int
    length: int
    source: int = 0


class Place(NamedTuple):
    """Where an item's data stands: the construction method and its parts."""

    number: int
    method: int
    extents: tuple[Extent, ...]


class Reference(NamedTuple):
    """What an item is to others: a thumbnail of them (``thmb``), made of them (``dimg``), a text on them (``cdsc``)."""

    kind: bytes
    source: int
    targets: tuple[int, ...]


class Meta(NamedTuple):
    """The box, with the number of the primary item."""

    box: Box
    children: tuple[Box, ...]
    primary: int
    items: tuple[Item, ...]
    places: tuple[Place, ...]
    references: tuple[Reference, ...]
    properties: Properties

    def described(self, number: int) -> list[bytes]:
        """The properties of an item, as whole boxes in their order."""
        return self.properties.of(number)

    def without(self, gone: set[int]) -> "Meta":
        """The same without some items and all that is said of them, metadata that describes nothing else included."""
        about = [
            (found.source, target) for found in self.references if found.kind == b"cdsc" for target in found.targets
        ]
        gone = gone | {source for source, _ in about} - {source for source, target in about if target not in gone}
        kept = (
            found._replace(targets=tuple(target for target in found.targets if target not in gone))
            for found in self.references
            if found.source not in gone
        )
        return self._replace(
            items=tuple(found for found in self.items if found.number not in gone),
            places=tuple(found for found in self.places if found.number not in gone),
            references=tuple(found for found in kept if found.targets),
            properties=self.properties.without(gone),
        )


def parse(data: bytes, found: Box) -> Meta:
    """The box in its parts. MediaError where one that an image needs is missing, repeated or broken."""
    start = found.body + _VERSION
    children = tuple(walk(data, start, found.end))
    parts = {kind: one(data, kind, start, found.end) for kind in (b"pitm", b"iinf", b"iloc", b"iref", b"iprp", b"idat")}
    if missing := [kind.decode() for kind in (b"pitm", b"iinf", b"iloc") if parts[kind] is None]:
        raise MediaError(f"the HEIF container's meta box has no {missing[0]} box")
    meta = Meta(
        found,
        children,
        _primary(data, parts[b"pitm"]),
        parse_items(data, parts[b"iinf"]),
        parse_places(data, parts[b"iloc"]),
        _references(data, parts[b"iref"]),
        parse_properties(data, parts[b"iprp"]),
    )
    for numbers in ([item.number for item in meta.items], [place.number for place in meta.places]):
        if len(numbers) != len(set(numbers)):
            raise MediaError("the HEIF container gives one number to two items")
    if meta.primary not in {item.number for item in meta.items}:
        raise MediaError("the HEIF container's primary item is missing")
    return meta


def pack(data: bytes, old: Meta, new: Meta) -> bytes:
    """The whole box anew, its parts as ``new`` has them; ``old`` is what ``data`` holds."""
    pieces = []
    kinds = [child.kind for child in old.children]
    for child in old.children:
        version, flags = (int.from_bytes(data[child.body + at : child.body + end]) for at, end in ((0, 1), (1, 4)))
        match child.kind:
            case b"iinf":
                count = len(new.items).to_bytes(4 if version else 2)
                pieces.append(full_box(b"iinf", version, flags, count, *(item.whole for item in new.items)))
                if b"iref" not in kinds and new.references:
                    pieces.append(full_box(b"iref", 0, 0, *_packed_references(new.references, 2)))
            case b"iref":
                pieces.append(
                    full_box(b"iref", version, flags, *_packed_references(new.references, 4 if version else 2))
                )
            case b"iloc":
                pieces.append(pack_places(new.places, version))
            case b"iprp" if old.properties != new.properties:
                pieces.append(new.properties.pack())
            case _:
                pieces.append(data[child.start : child.end])
    return box(b"meta", data[old.box.body : old.box.body + _VERSION], *pieces)


def new_item(number: int, kind: bytes, name: bytes, content_type: bytes = b"") -> Item:
    """An item in the clear (clause 8.11.6, version 2; 3 where the number is over 16 bits)."""
    wide = number > 0xFFFF
    numbers = number.to_bytes(4 if wide else 2) + b"\0\0"
    strings = name + b"\0" + (content_type + b"\0" if kind == b"mime" else b"")
    whole = full_box(b"infe", 3 if wide else 2, 0, numbers, kind, strings)
    return Item(number, kind, name, content_type, b"", False, whole)


def groups(data: bytes, meta: Meta) -> set[int]:
    """The numbers of entity groups, which share one range with those of items (clause 8.18.3)."""
    found = next((child for child in meta.children if child.kind == b"grpl"), None)
    if found is None:
        return set()
    return {Fields(data, group.body + _VERSION, group.end).number(4) for group in walk(data, found.body, found.end)}


def parse_items(data: bytes, found: Box | None) -> tuple[Item, ...]:
    """What an ``iinf`` box lists (clause 8.11.6)."""
    version, _, fields = _open(data, found)
    count = fields.number(4 if version else 2)
    items = tuple(_item(data, entry) for entry in walk(data, fields.position, fields.end))
    if count != len(items):
        raise MediaError("the HEIF container lists another number of items than it says")
    return items


def parse_places(data: bytes, found: Box | None) -> tuple[Place, ...]:
    """What an ``iloc`` box says (clause 8.11.3)."""
    version, _, fields = _open(data, found)
    sizes = fields.number(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 0xF for shift in (12, 8, 4, 0))
    if version > 2 or {offset_size, length_size, base_size, index_size if version else 0} - {0, 4, 8}:
        raise MediaError("the HEIF container's item locations have a form that the standard does not know")
    places: list[Place] = []
    parts = 0
    for _ in range(fields.number(4 if version == 2 else 2)):
        number = fields.number(4 if version == 2 else 2)
        method = fields.number(2) & 0xF if version else IN_FILE
        # Data in another file is not ours to move, and nothing makes such images.
        if fields.number(2) or method > IN_ITEM:
            raise MediaError("the HEIF container keeps the data of an item in another file")
        base, count = fields.number(base_size), fields.number(2)
        parts += count
        if max(parts, len(places)) > MAX_BOXES:
            raise MediaError(f"the HEIF container's items are in more than {MAX_BOXES} parts")
        extents = []
        for _ in range(count):
            source = fields.number(index_size) if version else 0
            extents.append(Extent(base + fields.number(offset_size), fields.number(length_size), source))
            if max(extents[-1]) > _LARGEST:
                raise MediaError("the HEIF container's items are beyond the reach of 32 bits")
        places.append(Place(number, method, tuple(extents)))
    return tuple(places)


def pack_places(places: Sequence[Place], version: int) -> bytes:
    """The whole ``iloc`` box, in the one form in which it is written."""
    indexed = any(extent.source for place in places for extent in place.extents)
    pieces = [b"\x44", b"\x04" if indexed else b"\x00", len(places).to_bytes(4 if version == 2 else 2)]
    for place in places:
        pieces.append(place.number.to_bytes(4 if version == 2 else 2))
        pieces.append(place.method.to_bytes(2) if version else b"")
        pieces.append(b"\0\0" + len(place.extents).to_bytes(2))
        for offset, length, source in place.extents:
            pieces.append((source.to_bytes(4) if indexed else b"") + offset.to_bytes(4) + length.to_bytes(4))
    return full_box(b"iloc", version, 0, *pieces)


def _open(data: bytes, found: Box | None) -> tuple[int, int, Fields]:
    """Version, flags and fields of a full box that is known to be there."""
    assert found is not None
    fields = Fields(data, found.body, found.end)
    return fields.number(1), fields.number(3), fields


def _primary(data: bytes, found: Box | None) -> int:
    version, _, fields = _open(data, found)
    return fields.number(4 if version else 2)


def _item(data: bytes, entry: Box) -> Item:
    version, _, fields = _open(data, entry)
    if entry.kind != b"infe" or version not in (2, 3):
        raise MediaError("the HEIF container has an item entry of a kind that images do not have")
    number = fields.number(4 if version == 3 else 2)
    protected, kind, name = bool(fields.number(2)), fields.take(4), fields.text()
    content_type, encoding = (fields.text(), fields.text()) if kind == b"mime" else (b"", b"")
    return Item(number, kind, name, content_type, encoding, protected, data[entry.start : entry.end])


def _references(data: bytes, found: Box | None) -> tuple[Reference, ...]:
    if found is None:
        return ()
    version, _, fields = _open(data, found)
    wide = 4 if version else 2
    references = []
    left = MAX_TARGETS
    for entry in walk(data, fields.position, fields.end):
        inner = Fields(data, entry.body, entry.end)
        source, count = inner.number(wide), inner.number(2)
        left -= count
        if left < 0:
            raise MediaError(f"the HEIF container's items refer to each other more than {MAX_TARGETS} times")
        references.append(Reference(entry.kind, source, tuple(inner.number(wide) for _ in range(count))))
    return tuple(references)


def _packed_references(references: Sequence[Reference], wide: int) -> list[bytes]:
    return [
        box(kind, *(number.to_bytes(length) for number, length in ((source, wide), (len(targets), 2))),
            *(target.to_bytes(wide) for target in targets))
        for kind, source, targets in references
    ]  # fmt: skip
