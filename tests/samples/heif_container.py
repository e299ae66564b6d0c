"""HEIF containers set together box by box: items, where they stand, what they refer to."""

from itertools import pairwise
from typing import NamedTuple

ESSENTIAL = (b"av1C", b"hvcC", b"irot", b"imir")
XMP_TYPE = b"application/rdf+xml"


class Entry(NamedTuple):
    """An item: ``properties`` are whole boxes, ``references`` pairs of a type and the items referred to."""

    number: int
    kind: bytes
    data: bytes
    properties: tuple[bytes, ...] = ()
    references: tuple[tuple[bytes, tuple[int, ...]], ...] = ()
    content_type: bytes = b""
    encoding: bytes = b""
    in_idat: bool = False
    cuts: tuple[int, ...] = ()  # where the data is cut into extents


class Form(NamedTuple):
    """How the container is written; what is between the meta box and the data, and what is behind."""

    major: bytes = b"avif"
    brands: bytes = b"avifmif1miaf"
    sizes: tuple[int, int, int] = (4, 4, 0)  # bytes of an offset, a length, a base offset
    version: int = 1
    between: bytes = b""
    after: bytes = b""
    meta_last: bool = False
    open_end: bool = False
    wide: bool = False


AVIF = Form()


def box(kind: bytes, *contents: bytes) -> bytes:
    whole = b"".join(contents)
    return (len(whole) + 8).to_bytes(4) + kind + whole


def full(kind: bytes, version: int, *contents: bytes, flags: int = 0) -> bytes:
    return box(kind, bytes((version,)), flags.to_bytes(3), *contents)


def ispe(width: int, height: int) -> bytes:
    return full(b"ispe", 0, width.to_bytes(4), height.to_bytes(4))


def uuid(name: str, contents: bytes) -> bytes:
    return box(b"uuid", bytes.fromhex(name), contents)


def xmp(number: int, packet: str, about: int = 1, **options: object) -> Entry:
    return Entry(number, b"mime", packet.encode(), (), ((b"cdsc", (about,)),), XMP_TYPE)._replace(**options)


def exif_item(number: int, block: bytes, before: bytes = bytes(4)) -> Entry:
    return Entry(number, b"Exif", before + block, (), ((b"cdsc", (1,)),))


def container(entries: list[Entry], form: Form = AVIF) -> bytes:
    """The first entry is the primary item. Data stands in the order of the entries."""
    ftyp = box(b"ftyp", form.major, bytes(4), form.brands)
    data = b"".join(entry.data for entry in entries if not entry.in_idat)
    header = b"\0\0\0\1mdat" + (len(data) + 16).to_bytes(8) if form.wide else (len(data) + 8).to_bytes(4) + b"mdat"
    if form.open_end:
        header = b"\0\0\0\0mdat"
    length = len(_meta(entries, form, 0))
    before = len(ftyp) + len(form.between) + (0 if form.meta_last else length)
    meta = _meta(entries, form, before + len(header))
    parts = [form.between, header, data, form.after]
    return b"".join([ftyp, *parts, meta] if form.meta_last else [ftyp, meta, *parts])


def _meta(entries: list[Entry], form: Form, start: int) -> bytes:
    handler = full(b"hdlr", 0, bytes(4), b"pict", bytes(13))
    primary = full(b"pitm", 0, entries[0].number.to_bytes(2))
    infos = [
        full(
            b"infe", 2, entry.number.to_bytes(2), bytes(2), entry.kind, b"\0",
            *((entry.content_type + b"\0", entry.encoding and entry.encoding + b"\0") if entry.content_type else ()),
        )
        for entry in entries
    ]  # fmt: skip
    info = full(b"iinf", 0, len(entries).to_bytes(2), *infos)
    references = [
        box(kind, entry.number.to_bytes(2), len(targets).to_bytes(2), *(target.to_bytes(2) for target in targets))
        for entry in entries
        for kind, targets in entry.references
    ]
    idat = b"".join(entry.data for entry in entries if entry.in_idat)
    return full(
        b"meta", 0, handler, primary, _locations(entries, form, start), info,
        full(b"iref", 0, *references) if references else b"",
        _properties(entries),
        box(b"idat", idat) if idat else b"",
    )  # fmt: skip


def _locations(entries: list[Entry], form: Form, start: int) -> bytes:
    offset_size, length_size, base_size = form.sizes
    wide = 4 if form.version == 2 else 2
    pieces = [bytes((offset_size << 4 | length_size, base_size << 4)), len(entries).to_bytes(wide)]
    inner = 0
    for entry in entries:
        at = inner if entry.in_idat else start
        base = at if base_size else 0
        pieces += (entry.number.to_bytes(wide), int(entry.in_idat).to_bytes(2) if form.version else b"", bytes(2))
        edges = [0, *entry.cuts, len(entry.data)]
        pieces += (base.to_bytes(base_size), (len(edges) - 1).to_bytes(2))
        for left, right in pairwise(edges):
            pieces += ((at - base + left).to_bytes(offset_size), (right - left).to_bytes(length_size))
        if entry.in_idat:
            inner += len(entry.data)
        else:
            start += len(entry.data)
    return full(b"iloc", form.version, *pieces)


def _properties(entries: list[Entry]) -> bytes:
    boxes = list(dict.fromkeys(found for entry in entries for found in entry.properties))
    pieces = []
    owners = [entry for entry in entries if entry.properties]
    for entry in owners:
        indices = bytes(boxes.index(found) + 1 | 0x80 * (found[4:8] in ESSENTIAL) for found in entry.properties)
        pieces.append(entry.number.to_bytes(2) + bytes((len(indices),)) + indices)
    associations = full(b"ipma", 0, len(owners).to_bytes(4), *pieces)
    return box(b"iprp", box(b"ipco", *boxes), associations)
