"""The label in a HEIF container (ISO/IEC 23008-12 annex A), which AVIF shares: an XMP item that describes the picture.

Law: the coded pictures, and every item that carries no label, are as they were. The label goes into the XMP item of the
primary item (TC260-PG-20259A), a new one where there is none, with a ``cdsc`` reference; EXIF and XMP in a ``uuid`` box
are read, never written. XMP that describes another item, such as a gain map, is somebody else's.
"""

from collections.abc import Callable, Iterable

from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement
from proxy.media import exif, heif_items, heif_layout
from proxy.media.boxes import Box, Fields
from proxy.media.carriers import Carrier, check_count, labels, one_packet, speaks, xmp_carrier
from proxy.media.errors import MediaError
from proxy.media.heif_items import Item, Meta, Reference
from proxy.media.heif_layout import File, Span, overwritten, payload, rebuilt, track_items
from proxy.media.packed import unpacked

MANIFEST = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")  # C2PA 2.x, appendix A.5
_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")  # XMP specification, part 3, table 10
_XMP, _XMP_NAME = b"application/rdf+xml", b"XMP"
_DESCRIBES = b"cdsc"
_OFFSET = 4  # bytes before an EXIF block: where in what follows the TIFF header stands (annex A.2.1)


def size(data: bytes) -> tuple[int, int]:
    """Width and height of the primary item in stored pixels, from the meta box alone (clause 6.5.3)."""
    meta = heif_layout.header(data)
    return extent(meta, meta.primary)


def extent(meta: Meta, number: int) -> tuple[int, int]:
    """What ``ispe`` says of an item, in stored pixels. MediaError where it is missing or impossible."""
    found = next((whole for whole in meta.described(number) if whole[4:8] == b"ispe"), b"")
    fields = Fields(found, 12, len(found))
    width, height = fields.number(4), fields.number(4)
    if not width or not height:
        raise MediaError(f"the HEIF container gives an impossible size, {width} x {height}")
    return width, height


def read(data: bytes) -> tuple[Aigc, ...]:
    """Every label: in XMP, in EXIF."""
    return labels(carriers(data))


def carriers(data: bytes) -> list[Carrier]:
    """Every XMP packet; EXIF where it holds a label. Items come first, then boxes."""
    file = parse(data)
    found: list[Carrier] = []
    for item in file.meta.items:
        if _is_xmp(item):
            found.append(xmp_carrier("XMP item", _packet(file, item)))
        elif item.kind == b"Exif":
            found += exif.carriers(_block(payload(file, item.number))[1])
    for item, spans in track_items(file):
        if _is_xmp(item):
            found.append(xmp_carrier("XMP item of a track", _held(file, spans)))
        elif item.kind == b"Exif":
            found += exif.carriers(_block(_held(file, spans))[1])
    return [*found, *(xmp_carrier("uuid XMP", data[box.body : box.end]) for box in _xmp_boxes(file))]


def write(data: bytes, statement: Statement) -> bytes:
    """The file with this label only; every picture and every other item as it was, but C2PA manifests."""
    file = _without_track_labels(_with_exif(parse(data), exif.without_labels))
    items = sorted(filter(_is_xmp, file.meta.items), key=lambda item: not _describes_primary(file.meta, item))
    boxes = _xmp_boxes(file)
    packets = [*(_packet(file, item) for item in items), *(file.data[box.body : box.end] for box in boxes)]
    meta = file.meta
    if not items or not _describes_primary(meta, items[0]):
        items.insert(0, heif_items.new_item(_free_number(file), b"mime", _XMP_NAME, _XMP))
        packets.insert(0, b"")
        meta = meta._replace(items=(*meta.items, items[0]))
    packet, *others = one_packet(statement, packets)
    assert packet is not None
    dropped = [box for box, left in zip(boxes, others[len(items) - 1 :], strict=True) if left is None]
    meta = meta.without({item.number for item, left in zip(items[1:], others, strict=False) if left is None})
    clear = heif_items.new_item(items[0].number, b"mime", items[0].name, _XMP)
    meta = meta._replace(items=tuple(clear if item.number == clear.number else item for item in meta.items))
    return rebuilt(file, _described(meta, clear.number), {clear.number: packet}, [*dropped, *manifests(file)])


def has_manifest(data: bytes) -> bool:
    """Whether there is a C2PA manifest: a ``uuid`` box of C2PA's (C2PA 2.x, appendix A.5)."""
    return bool(manifests(parse(data)))


def parse(data: bytes) -> File:
    """The file in its parts. MediaError where it is not whole, or has more than 16 places for labels."""
    file = heif_layout.parse(data)
    items = [*file.meta.items, *(item for described in file.tracks.metas for item in described.items)]
    check_count(sum(_is_xmp(item) or item.kind == b"Exif" for item in items) + len(_xmp_boxes(file)))
    return file


def manifests(file: File) -> list[Box]:
    """The boxes that C2PA has put into the file, hashes of parts of it among them."""
    return [box for box in file.boxes if box.usertype == MANIFEST]


def without_thumbnails(file: File) -> File:
    """The file with no small picture inside its EXIF; nothing moves."""
    return _with_exif(file, exif.without_thumbnail)


def _with_exif(file: File, change: Callable[[bytes], bytes]) -> File:
    contents: list[tuple[list[Span], bytes]] = []
    numbers = [item.number for item in file.meta.items if item.kind == b"Exif" and payload(file, item.number)]
    own = [heif_layout.spans(file, number) for number in numbers]
    for spans in [*own, *(spans for item, spans in track_items(file) if item.kind == b"Exif")]:
        before, block = _block(_held(file, spans))
        if (changed := change(block)) != block:
            contents.append((spans, before + changed))
    return parse(overwritten(file, contents)) if contents else file


def _without_track_labels(file: File) -> File:
    """The file with zeros in place of packets with a label or a statement that only a track has."""
    held = ((spans, _held(file, spans)) for item, spans in track_items(file) if _is_xmp(item))
    contents = [(spans, bytes(len(packet))) for spans, packet in held if speaks(packet)]
    return parse(overwritten(file, contents)) if contents else file


def _held(file: File, spans: Iterable[Span]) -> bytes:
    return b"".join(file.data[start:end] for start, end in spans)


def _block(content: bytes) -> tuple[bytes, bytes]:
    """What stands before the TIFF header in an EXIF item, and the block from there."""
    start = _OFFSET + int.from_bytes(content[:_OFFSET])
    return content[:start], content[start:]


def _is_xmp(item: Item) -> bool:
    return item.kind == b"mime" and item.content_type.lower() == _XMP


def _xmp_boxes(file: File) -> list[Box]:
    return [box for box in file.boxes if box.usertype == _XMP_BOX]


def _describes_primary(meta: Meta, item: Item) -> bool:
    """Whether XMP is about the picture itself: it says so, or nothing."""
    targets = [
        target
        for found in meta.references
        if (found.kind, found.source) == (_DESCRIBES, item.number)
        for target in found.targets
    ]
    return meta.primary in targets or not targets


def _described(meta: Meta, number: int) -> Meta:
    """The same with the reference that says what the XMP item describes."""
    if any((found.kind, found.source) == (_DESCRIBES, number) for found in meta.references):
        return meta
    return meta._replace(references=(*meta.references, Reference(_DESCRIBES, number, (meta.primary,))))


def _free_number(file: File) -> int:
    """The lowest number that neither an item nor anything else that shares their range has."""
    taken = {item.number for item in file.meta.items} | {place.number for place in file.meta.places}
    taken |= heif_items.groups(file.data, file.meta) | file.tracks.numbers
    return next(number for number in range(1, len(taken) + 2) if number not in taken)


def _packet(file: File, item: Item) -> bytes:
    """The XMP of an item, in the clear; empty where it cannot be read: encrypted, damaged or over 1 MiB."""
    content = payload(file, item.number)
    if item.protected:
        return b""
    return unpacked(content, item.encoding)
