"""One picture of a PNG on its way from one datastream to another, with a badge laid on it between.

Law: rows that the badge does not touch are copied with the filters that they have, so that they compress as well as
they did; only those under the badge, and the one below, are filtered anew. Where the form changes, all are. No more is
unfiltered than the rows under the badge depend on, and of a picture without interlace only strips are held at once.
"""

import zlib
from collections.abc import Sequence

from isal import isal_zlib
from PIL import Image

from proxy.media.badge import Box
from proxy.media.drawing.forms import Form
from proxy.media.drawing.patch import Patch
from proxy.media.drawing.rows import STRIP_BYTES, Rows, filtered, packed, stream_bytes, unfiltered
from proxy.media.png import Header

# Below one byte for so many, what is compressed is drawn, not photographed: it takes a thorough search to keep it so
# small, and little time.
_SPARSE = 20
_THOROUGH, _QUICK = 6, 2

# How many strips wait for a row that depends on none before it, which makes unfiltering them needless.
_PATIENCE = 8


def encoded(header: Header, images: Sequence[Image.Image]) -> list[bytes]:
    """A whole picture as a datastream, in parts."""
    writer = _Writer(header)
    writer.write(images)
    return writer.close()


class Redraw:
    """The rows above ``box`` are written, those that it crosses are held as images. MediaError where they are damaged.

    ``parts`` is the old datastream. A box is in pixels of this picture, and may stand partly or wholly outside it.
    """

    def __init__(self, form: Form, parts: Sequence[bytes | memoryview], box: Box) -> None:
        height = form.stored.height
        whole = form.stored.interlaced
        self._form, self._rows = form, Rows(form.stored, parts)
        self._top = 0 if whole else min(max(0, box[1]), height)
        # The row below is filtered by what it finds above it.
        self._bottom = height if whole else min(max(0, box[3]) + 1, height)
        self._writer = _Writer(form.header, sparse=_SPARSE * sum(map(len, parts)) < stream_bytes(form.stored))
        self._above = bytes(form.stored.row_bytes)  # the last row that was read, packed
        self._copy(self._top)
        if whole:
            self.images = form.convert(unfiltered(form.stored, self._rows.take(stream_bytes(form.stored)), b""))
        else:
            raw = b"".join(self._rows.strips(self._bottom - self._top))
            self.images = form.convert(self._unfiltered(raw))

    def holds(self, box: Box) -> bool:
        """Whether the rows that ``box`` crosses are here."""
        return self._top <= box[1] and min(box[3] + 1, self._form.stored.height) <= self._bottom

    def beneath(self, box: Box) -> Image.Image:
        """The picture's own pixels under a box, as RGB of 8 bits."""
        return self.images[0].crop(self._here(box)).convert("RGB")

    def is_opaque(self, box: Box) -> bool:
        """Whether nothing under a box is transparent, in a form that mixes."""
        under = self.images[0].crop(self._here(box))
        return under.mode not in ("LA", "RGBA") or under.getchannel("A").getextrema() == (255, 255)

    def lay(self, patch: Patch) -> None:
        """Lay the badge on, or the part of it that stands on this picture."""
        ink = self._form.ink(patch.levels)
        for image in self.images:
            image.paste(ink, self._here(patch.box), patch.mask)

    def finish(self) -> list[bytes]:
        """The new datastream, in parts. MediaError where a row below the badge is damaged. To be called once."""
        self._writer.write(self.images)
        height = self._form.stored.height
        if self._form.kept:
            for raw in self._rows.strips(height - self._bottom):
                self._writer.copy(raw)
        else:
            self._convert(height - self._bottom)
        self._rows.close()
        return self._writer.close()

    def _copy(self, count: int) -> None:
        if not self._form.kept:
            self._convert(count)
            return
        stride = self._form.stored.row_bytes + 1
        pending: list[bytes] = []
        for raw in self._rows.strips(count):
            self._writer.copy(raw)
            kinds = raw[::stride]
            # None and Sub do not look at the row above.
            start = max(kinds.rfind(0), kinds.rfind(1))
            if start >= 0:
                pending = [raw[start * stride :]]
            else:
                pending.append(raw)
            if len(pending) > _PATIENCE:
                self._unfiltered(pending.pop(0))
        for raw in pending:
            self._unfiltered(raw)
        self._writer.last = self._above

    def _convert(self, count: int) -> None:
        for raw in self._rows.strips(count):
            self._writer.write(self._form.convert(self._unfiltered(raw)))

    def _unfiltered(self, raw: bytes) -> list[Image.Image]:
        stored = self._form.stored
        images = unfiltered(stored, raw, self._above)
        if height := images[0].height:
            self._above = packed(stored, images, height - 1, height)
        return images

    def _here(self, box: Box) -> Box:
        return box[0], box[1] - self._top, box[2], box[3] - self._top


class _Writer:
    """Rows into a datastream."""

    def __init__(self, header: Header, *, sparse: bool = False) -> None:
        self._header = header
        self._deflater = zlib.compressobj(_THOROUGH) if sparse else isal_zlib.compressobj(_QUICK)
        self._written: list[bytes] = []
        self.last = bytes(header.row_bytes)  # the last row that was written, packed

    def write(self, images: Sequence[Image.Image]) -> None:
        """Rows that are filtered here."""
        height = images[0].height
        most = max(1, STRIP_BYTES // self._header.row_bytes)
        for top in range(0, height, most):
            samples = packed(self._header, images, top, min(top + most, height))
            self.copy(filtered(self._header, samples, self.last))
            self.last = samples[-self._header.row_bytes :]

    def copy(self, raw: bytes) -> None:
        """Rows with the filters that they have."""
        if part := self._deflater.compress(raw):
            self._written.append(part)

    def close(self) -> list[bytes]:
        """All of it, in parts."""
        self._written.append(self._deflater.flush())
        return self._written
