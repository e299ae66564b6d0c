"""TIFF 6.0 and BigTIFF, in either byte order: directories of fields, and the label among them.

Law: nothing moves, so that every offset stays right, those in fields that nobody here knows too. The label goes into
the first directory as tag 700, type 7 (TC260-PG-20259A): that directory and the XMP packet are written anew at the end
of the file, and zeros stand for the old ones. Text fields with a label are read, and written over with zeros. A file is
whole or it is an error: every directory, every value and every strip or tile of every page lies within it.

Pages are the directories of the main chain and the SubIFDs that they point to (TIFF Technical Note 1). Cameras' raw
files are TIFF too, as far as this goes.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from proxy.label.aigc import KEYWORD, Aigc
from proxy.label.xmp import OURS, Statement
from proxy.media import exif, tags
from proxy.media.carriers import Carrier, check_count, labels, one_packet, speaks, xmp_carrier
from proxy.media.errors import MediaError
from proxy.media.tags import Directory, Field, Layout, Span

TYPES: tuple[str, ...] = ("image/tiff", "image/tif", "image/x-tiff")

MAX_PAGES = 5_000
MAX_FIELDS = 100_000
MAX_BLOCKS = 500_000

_WIDTH, _HEIGHT = 256, 257
_XMP, _MANIFEST = 700, 52545
_TEXTS = exif.TEXTS | {_XMP}
_WORDS = re.compile(f"{KEYWORD}|{OURS}".encode(), re.IGNORECASE)
_SUBFILE, _OLD_SUBFILE, _SUB_IFDS, _JPEG_STREAM = 254, 255, 330, 513
# The fields that hold offsets and lengths of the picture's parts: strips, tiles, and old JPEG's stream.
_PARTS = ((273, 279), (324, 325), (513, 514))


class Blocks(NamedTuple):
    """The strips or tiles of a page in order: where they stand, and the fields that hold their offsets and lengths."""

    spans: tuple[Span, ...]
    offsets: Field
    lengths: Field


@dataclass(frozen=True, slots=True)
class Page:
    """One picture of a file: its directory, that of its EXIF (or None), the parts that its samples are in."""

    data: bytes
    layout: Layout
    directory: Directory
    inner: Directory | None
    parts: tuple[Blocks, ...]

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields of both directories."""
        return self.directory.fields + (self.inner.fields if self.inner else ())

    def numbers(self, tag: int) -> tuple[int, ...]:
        """The values of a field, none where it is missing. MediaError where they are no whole numbers."""
        return _numbers(self.data, self.layout, self.directory, tag)

    def number(self, tag: int, missing: int = 0) -> int:
        """The first value of a field."""
        return next(iter(self.numbers(tag)), missing)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in stored pixels."""
        return _size(self.data, self.layout, self.directory)

    @property
    def orientation(self) -> int:
        """How a viewer turns the page: 1 to 8."""
        return exif.turned(self.data, self.layout, self.directory)

    @property
    def is_thumbnail(self) -> bool:
        """Whether the page says that it is a smaller version of another, or is stored as EXIF's thumbnails are."""
        reduced = self.number(_SUBFILE) & 1 or self.number(_OLD_SUBFILE) == 2
        return bool(reduced) or self.directory.find(_JPEG_STREAM) is not None

    def values(self, fields: Iterable[Field]) -> list[Span]:
        """Where the values of fields stand that are too long for their entries."""
        return [(field.start, field.end) for field in fields if field.end - field.start > self.layout.word]

    def spans(self, without: frozenset[Field] = frozenset()) -> list[Span]:
        """All that the page takes up in the file: directories, long values of all fields but some, strips or tiles."""
        found = [(directory.start, directory.end) for directory in (self.directory, self.inner) if directory]
        found += self.values(field for field in self.fields if field not in without)
        return [*found, *(span for part in self.parts for span in part.spans)]


def sniff(data: bytes) -> bool:
    """Whether the data begins with the header of a TIFF or a BigTIFF."""
    return tags.layout(data) is not None


def size(data: bytes) -> tuple[int, int]:
    """Width and height of the first page in stored pixels, from its directory."""
    layout = _layout(data)
    return _size(data, layout, _directory(data, layout, layout.offset(data, layout.first)))


def read(data: bytes) -> tuple[Aigc, ...]:
    """Every label: in the XMP of any page, in ImageDescription, in the UserComment of EXIF."""
    return labels(carriers(data))


def carriers(data: bytes) -> list[Carrier]:
    """The first page's XMP packet; packets of later pages and text fields where they hold a label."""
    found: list[Carrier] = []
    for number, page in enumerate(parse(data)):
        found += [xmp_carrier(f"IFD{number} XMP", data[field.start : field.end]) for field in _packets(page, number)]
        found += [exif.carrier(field, label) for field, label in exif.labelled(data, page.fields)]
    check_count(len(found))
    return found


def write(data: bytes, statement: Statement) -> bytes:
    """The file with this label only; every other byte as and where it was, but for C2PA manifests, which are zeros."""
    check_count(len(carriers(data)))
    pages = parse(data)
    first = pages[0].directory
    packets = [_packets(page, number) for number, page in enumerate(pages)]
    (packet, *_) = one_packet(statement, [data[field.start : field.end] for field in packets[0]])
    assert packet is not None  # the first is the one that holds the label
    gone = [frozenset((*found, *manifests(page))) for page, found in zip(pages, packets, strict=True)]
    old = {(first.start, first.end)}
    old |= {span for page, fields in zip(pages, gone, strict=True) for span in page.values(fields)}
    kept = {span for page, fields in zip(pages, gone, strict=True) for span in page.spans(fields)} - {
        (first.start, first.end)
    }
    texts = {(field.start, field.end) for page in pages for field, _ in exif.labelled(data, page.fields)}
    shared = tags.shared([*old, *kept])
    if texts & shared:
        raise MediaError("a label in the TIFF cannot be taken out: something else uses the same bytes")
    out = bytearray(data)
    for start, end in old - shared | texts:
        out[start:end] = bytes(end - start)
    for page, fields in zip(pages[1:], gone[1:], strict=True):
        remove(out, page, fields)
    if not old & shared and (first.end, len(data)) in old:
        del out[first.start :]  # what was written here before
    out += bytes(len(out) % 2)
    _append(out, pages[0], gone[0], packet)
    return bytes(out)


def has_manifest(data: bytes) -> bool:
    """Whether there is a C2PA manifest: a field with the tag 52545 (C2PA 2.x, appendix A)."""
    return any(map(manifests, parse(data)))


def manifests(page: Page) -> frozenset[Field]:
    """The fields of a page that hold a C2PA manifest."""
    return frozenset(field for field in page.directory.fields if field.tag == _MANIFEST)


def remove(out: bytearray, page: Page, fields: frozenset[Field]) -> None:
    """Take fields out of a page's directory where it stands: what follows them moves up, zeros stand behind it."""
    if not fields:
        return
    layout, directory = page.layout, page.directory
    kept = [out[field.entry : field.entry + layout.entry] for field in directory.fields if field not in fields]
    new = b"".join((tags.counted(layout, len(kept)), *kept, out[directory.link : directory.end]))
    out[directory.start : directory.end] = new.ljust(directory.end - directory.start, b"\0")


def parse(data: bytes) -> list[Page]:
    """Every page in order, each before its SubIFDs. MediaError where the file is not whole."""
    layout = _layout(data)
    ahead = [layout.offset(data, layout.first)]
    pages: list[Page] = []
    seen: set[int] = set()
    fields = blocks = texts = 0
    while ahead:
        start = ahead.pop()
        if start in seen or len(pages) + len(ahead) >= MAX_PAGES:
            raise MediaError("the TIFF has too many pages, or its directories lead in a circle")
        seen.add(start)
        directory = _directory(data, layout, start)
        inner = exif.inner(data, layout, directory)
        inner = inner and _whole(data, layout, inner)
        page = Page(data, layout, directory, inner, _parts(data, layout, directory))
        fields += len(page.fields)
        blocks += sum(len(part.spans) for part in page.parts)
        texts += sum(field.end - field.start for field in page.fields if field.tag in _TEXTS)
        if fields > MAX_FIELDS or blocks > MAX_BLOCKS or texts > len(data):
            raise MediaError("the TIFF has more fields, strips or text than any honest file")
        pages.append(page)
        ahead += [directory.next] if directory.next else []
        ahead += reversed(page.numbers(_SUB_IFDS))
    return pages


def _layout(data: bytes) -> Layout:
    found = tags.layout(data)
    if found is None:
        raise MediaError("not a TIFF: the header is missing")
    return found


def _directory(data: bytes, layout: Layout, start: int) -> Directory:
    found = tags.directory(data, layout, start)
    if start < 2 * layout.word or not found.fields:
        raise MediaError("the TIFF ends before one of its directories, or that is empty")
    return _whole(data, layout, found)


def _whole(data: bytes, layout: Layout, directory: Directory) -> Directory:
    if directory.end > len(data) or any(field.end > len(data) for field in directory.fields):
        raise MediaError("the TIFF ends inside a directory or a field")
    if directory.link - directory.start > layout.counter + layout.entry * tags.MAX_ENTRIES:
        raise MediaError(f"the TIFF has a directory of more than {tags.MAX_ENTRIES} fields")
    return directory


def _numbers(data: bytes, layout: Layout, directory: Directory, tag: int) -> tuple[int, ...]:
    field = directory.find(tag)
    return () if field is None else tags.numbers(data, layout, field)


def _size(data: bytes, layout: Layout, directory: Directory) -> tuple[int, int]:
    width, height = (next(iter(_numbers(data, layout, directory, tag)), 0) for tag in (_WIDTH, _HEIGHT))
    if not width or not height:
        raise MediaError(f"the TIFF gives an impossible size, {width} x {height}")
    return width, height


def _parts(data: bytes, layout: Layout, directory: Directory) -> tuple[Blocks, ...]:
    """Where the samples of a page are. MediaError where they are nowhere, or beyond the file."""
    _size(data, layout, directory)
    found = []
    for tag, length_tag in _PARTS:
        offsets, lengths = directory.find(tag), directory.find(length_tag)
        if offsets is None:
            continue
        if lengths is None or lengths.amount != offsets.amount:
            raise MediaError("the TIFF does not say how long each of its strips or tiles is")
        starts, sizes = (tags.numbers(data, layout, field, MAX_BLOCKS) for field in (offsets, lengths))
        spans = tuple((start, start + size) for start, size in zip(starts, sizes, strict=True))
        if any(end > len(data) for _, end in spans):
            raise MediaError("the TIFF ends inside a strip or tile")
        found.append(Blocks(spans, offsets, lengths))
    if not found:
        raise MediaError("the TIFF has a page without a picture")
    return tuple(found)


def _packets(page: Page, number: int) -> list[Field]:
    """The XMP packets that a label is looked for in: the first page's, and of later ones those that hold a label or a
    statement."""
    found = [field for field in page.directory.fields if field.tag == _XMP]
    if number == 0:
        return found
    packets = ((field, page.data[field.start : field.end]) for field in found)
    return [field for field, packet in packets if _WORDS.search(packet) and speaks(packet)]


def _append(out: bytearray, page: Page, gone: frozenset[Field], packet: bytes) -> None:
    """Write the first page's directory with the packet at the end of the file, and point the header to it."""
    layout = page.layout
    fields = [field for field in page.directory.fields if field not in gone]
    entries = [page.data[field.entry : field.entry + layout.entry] for field in fields]
    start = len(out)
    end = start + layout.counter + layout.entry * (len(fields) + 1) + layout.word
    # Entries are sorted by tag (TIFF 6.0, section 2).
    place = next((index for index, field in enumerate(fields) if field.tag > _XMP), len(fields))
    entries.insert(place, tags.entry(layout, _XMP, tags.UNDEFINED, len(packet), layout.packed(end)))
    out += b"".join((tags.counted(layout, len(entries)), *entries, layout.packed(page.directory.next), packet))
    out[layout.first : layout.first + layout.word] = layout.packed(start)
