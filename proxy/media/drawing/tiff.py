"""The badge on every page of a TIFF, in the samples as they are stored.

Law: only strips and tiles that the badge touches are packed anew, in their place where they fit and are nobody else's,
at the end of the file otherwise; in them every sample outside the box keeps its value. Every other byte stays but for
the offsets and lengths of these strips, a palette's unused entries, a C2PA manifest and thumbnails: one that is too
small for a badge becomes black, and one of a form that nothing here decodes goes.
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate

from PIL import Image, ImageChops

from proxy.media import palette, photoshop, tags, tiff, tiff_rows
from proxy.media.badge import Badge, Box
from proxy.media.drawing.patch import Patch, patch
from proxy.media.drawing.stamped import Stamped
from proxy.media.drawing.tiff_codings import packed, unpacked
from proxy.media.errors import BadgeError, MediaError
from proxy.media.tags import Field, Span
from proxy.media.tiff import Page
from proxy.media.tiff_form import NONE, PALETTE, WHITE_IS_ZERO, Form, form

_COLOUR_MAP, _RESOURCES = 320, 34377


def stamp(data: bytes, badge: Badge, font: bytes, max_pixels: int) -> Stamped:
    """See ``stamp.Painter``."""
    pages = tiff.parse(data)
    forms = [_form(page, pages) for page in pages]
    if sum(found.pixels for found in forms if found) > max_pixels:
        raise MediaError(f"the TIFF's {len(pages)} pages are over the limit of {max_pixels} pixels")
    out = bytearray(data)
    shared = tags.shared(span for page in pages for span in page.spans())
    boxes = []
    # Backwards, so that of two pages that go the first links to what the second one did.
    for page, found in reversed(list(zip(pages, forms, strict=True))):
        if found is None:
            _unlink(out, page, pages)
            _blank(out, (span for part in page.parts for span in part.spans), shared)
            continue
        sheet = _Sheet(page, found, out, shared)
        over = _patch(sheet, badge, font)
        sheet.put(over.box, sheet.samples(over))
        boxes.append(over.box)
        manifests = tiff.manifests(page)
        _blank(out, [*page.values(manifests), *_small_pictures(page)], shared)
        tiff.remove(out, page, manifests)
    return Stamped(bytes(out), boxes[-1])


def _form(page: Page, pages: Sequence[Page]) -> Form | None:
    """The form of a page; None for a thumbnail that cannot be drawn on, and that can be taken out of the chain."""
    try:
        return form(page)
    except BadgeError:
        if page.is_thumbnail and any(other.directory.next == page.directory.start for other in pages):
            return None
        raise


def _unlink(out: bytearray, page: Page, pages: Sequence[Page]) -> None:
    """Let the page before it lead to the one behind it."""
    link = out[page.directory.link : page.directory.end]
    for before in pages:
        if before.directory.next == page.directory.start:
            out[before.directory.link : before.directory.end] = link


def _small_pictures(page: Page) -> list[Span]:
    """The thumbnails among the resources of Photoshop."""
    found = []
    for field in page.directory.fields:
        if field.tag == _RESOURCES:
            resources = page.data[field.start : field.end]
            found += [(field.start + start, field.start + end) for start, end in photoshop.thumbnails(resources)]
    return found


def _blank(out: bytearray, spans: Iterable[Span], shared: frozenset[Span]) -> None:
    """Zeros for what nothing else uses."""
    for start, end in set(spans) - shared:
        out[start:end] = bytes(end - start)


def _patch(sheet: "_Sheet", badge: Badge, font: bytes) -> Patch:
    found = sheet.form
    try:
        beneath = sheet.shown if found.mixes else None
        return patch(badge, font, found.size, sheet.page.orientation, beneath)
    except BadgeError:
        if not sheet.page.is_thumbnail:
            raise
        return Patch((0, 0, *found.size), Image.new("L", found.size, 0))


class _Sheet:
    """One page on which pixels are read and put, strips and tiles behind it, in a file that grows."""

    def __init__(self, page: Page, form: Form, out: bytearray, shared: frozenset[Span]) -> None:
        self.page = page
        self.form = form
        self._out = out
        self._shared = shared
        self._parts = page.parts[0]
        self._unpacked: dict[int, bytes | memoryview] = {}
        if len(self._parts.spans) < form.count():
            raise MediaError(f"the TIFF has {len(self._parts.spans)} strips or tiles where it needs {form.count()}")

    def shown(self, box: Box) -> Image.Image:
        """What a viewer shows in a box of a page that mixes: RGB."""
        size = (box[2] - box[0], box[3] - box[1])
        planes = [Image.new("L", size) for _ in range(self.form.channels)]
        for number, plane, region in self.form.regions(box):
            left, top, right, bottom = _overlap(box, region)
            rows = [
                tiff_rows.taken(row, self.form.step, left - region[0], right - region[0], self.form.differences)
                for row in self._rows(number, region, top, bottom)
            ]
            values = b"".join(rows)
            for channel in range(self.form.step):
                image = Image.frombytes("L", (right - left, bottom - top), values[channel :: self.form.step])
                planes[plane + channel].paste(image, (left - box[0], top - box[1]))
        if self.form.photometric == WHITE_IS_ZERO:
            planes = [ImageChops.invert(plane) for plane in planes]
        return Image.merge("RGB", planes if len(planes) == 3 else planes * 3)

    def samples(self, over: Patch) -> list[Sequence[int]]:
        """What stands in the box when the patch is laid over it: the values of each sample, row after row."""
        images = [over.levels] * self.form.samples
        if over.mask is not None:
            mixed = self.shown(over.box)
            mixed.paste(over.levels.convert("RGB"), (0, 0), over.mask)
            images = list(mixed.split())[: self.form.samples]
        found: list[Sequence[int]] = []
        for sample, image in enumerate(images):
            table = self._greys() if self.form.photometric == PALETTE else self.form.table(sample)
            levels = image.tobytes()
            found.append(
                [table[level] for level in levels] if self.form.depth == 16 else levels.translate(bytes(table))
            )
        return found

    def put(self, box: Box, samples: Sequence[Sequence[int]]) -> None:
        """Put the values of each sample into a box, and write the strips or tiles that it touches."""
        width = box[2] - box[0]
        spans = list(self._parts.spans)
        for number, plane, region in self.form.regions(box):
            left, top, right, bottom = _overlap(box, region)
            rows = self._rows(number, region, top, bottom)
            planes = samples[plane : plane + self.form.step]
            new = [
                tiff_rows.replaced(
                    row,
                    [values[at + left : at + right] for values in planes],
                    left - region[0],
                    right - region[0],
                    self.form.depth,
                    self.form.layout.order,
                    self.form.differences,
                )
                for at, row in zip(range((top - box[1]) * width - box[0], len(samples[0]), width), rows, strict=False)
            ]
            spans[number] = self._written(number, region, top - region[1], b"".join(new))
        self._store(self._parts.offsets, [start for start, _ in spans])
        self._store(self._parts.lengths, [end - start for start, end in spans])

    def _greys(self) -> list[int]:
        """The entries of the palette for 256 grey levels; entries that no pixel uses are given over to missing ones.

        BadgeError where black and white are neither in the palette nor find room in it, and no two of its colours are
        dark and light enough to stand for them.
        """
        entries = self.page.numbers(_COLOUR_MAP)
        count = 1 << self.form.depth
        field = self.page.directory.find(_COLOUR_MAP)
        if field is None or len(entries) != 3 * count:
            raise MediaError("the TIFF's palette is missing or has the wrong length")
        # Some files have colours of 8 bits where 16 are asked for.
        wide = max(entries) > 255
        colours = [bytes(entry >> 8 * wide for entry in entries[index::count]) for index in range(count)]
        found = palette.greys(b"".join(colours), b"", count)
        if found is not None:
            return list(found.indices)
        used = self._used()
        places = [*sorted(used), *(index for index in range(count) if index not in used)]
        found = palette.greys(b"".join(colours[index] for index in sorted(used)), b"", count)
        if found is None and (near := palette.nearest(b"".join(colours), b"")):
            return list(near)
        if found is None:
            raise BadgeError("no badge can be drawn on a TIFF whose palette has no room for black and white")
        new = list(entries)
        for at in range(len(used), len(found.palette) // 3):
            for channel in range(3):
                new[places[at] + channel * count] = found.palette[3 * at + channel] * (257 if wide else 1)
        self._store(field, new)
        return [places[index] for index in found.indices]

    def _used(self) -> set[int]:
        """The palette's entries that a pixel uses, or bits that fill a row up."""
        form, top = self.form, (1 << self.form.depth) - 1
        used: set[int] = set()
        for number, _, region in form.regions((0, 0, *form.size)):
            for row in self._rows(number, region, region[1], region[3]):
                used |= {value & 0xFF for value in accumulate(row)} if form.differences else set(row)
            self._unpacked.clear()
        return {value >> shift & top for value in used for shift in range(0, 8, form.depth)}

    def _rows(self, number: int, region: Box, top: int, bottom: int) -> list[memoryview]:
        """Rows of a strip or tile."""
        block, length = memoryview(self._block(number, region)), self.form.row_bytes
        return [block[y * length : (y + 1) * length] for y in range(top - region[1], bottom - region[1])]

    def _block(self, number: int, region: Box) -> bytes | memoryview:
        if number not in self._unpacked:
            start, end = self._parts.spans[number]
            if start == end:
                raise BadgeError("no badge can be drawn on a TIFF that leaves out strips or tiles")
            content = memoryview(self.page.data)[start:end]
            self._unpacked[number] = unpacked(
                content, self.form.compression, self.form.row_bytes, region[3] - region[1]
            )
        return self._unpacked[number]

    def _written(self, number: int, region: Box, top: int, rows: bytes) -> Span:
        """Write a strip or tile with new rows from the row ``top`` on; where it stands now."""
        old, at = self._parts.spans[number], top * self.form.row_bytes
        if self.form.compression == NONE and old not in self._shared:
            self._out[old[0] + at : old[0] + at + len(rows)] = rows
            return old
        block = self._block(number, region)
        whole = b"".join((block[:at], rows, block[at + len(rows) :]))
        return self._placed(packed(whole, self.form.compression, self.form.row_bytes, region[3] - region[1]), old)

    def _placed(self, content: bytes, old: Span) -> Span:
        """Write a strip or tile: in the old one's place where it fits and is nobody else's, else at the end."""
        start, end = old
        free = old not in self._shared
        if free:
            self._out[start:end] = (
                content.ljust(end - start, b"\0") if len(content) <= end - start else bytes(end - start)
            )
        if not free or len(content) > end - start:
            start = self._appended(content)
        return start, start + len(content)

    def _store(self, field: Field, values: Sequence[int]) -> None:
        """Write the numbers of a field, in their place where they fit and are nobody else's."""
        layout = self.page.layout
        kind, value = field.kind, tags.packed(layout, field.kind, values)
        if value is not None and (field.start, field.end) not in self._shared:
            self._out[field.start : field.end] = value
            return
        if value is None:
            kind = tags.LONG8 if layout.big else tags.LONG
            value = tags.packed(layout, kind, values)
            if value is None:
                raise MediaError("the TIFF would become larger than its offsets can say")
        inline = value if len(value) <= layout.word else layout.packed(self._appended(value))
        self._out[field.entry : field.entry + layout.entry] = tags.entry(layout, field.tag, kind, len(values), inline)

    def _appended(self, content: bytes) -> int:
        """Where the content stands at the end of the file now, at an even offset."""
        self._out += bytes(len(self._out) % 2)
        start = len(self._out)
        self._out += content
        return start


def _overlap(box: Box, region: Box) -> Box:
    return max(box[0], region[0]), max(box[1], region[1]), min(box[2], region[2]), min(box[3], region[3])
