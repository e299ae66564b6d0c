"""A PNG's rows: inflated as they are asked for, unfiltered, filtered again (PNG, third edition, sections 7, 9 and 10).

Law: nothing is inflated beyond the last row that the header promises, whatever the file holds; what goes through here
comes out the same to the bit. A row is one filter byte and its samples, packed as the file has them.

Pillow undoes the filters: it is handed what another library has inflated, four times as fast, in deflate's own stored
blocks (RFC 1951 section 3.2.4).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from isal import igzip_lib
from isal.isal_zlib import adler32
from PIL import Image, ImageChops

from proxy.media.errors import MediaError
from proxy.media.png import Header

STRIP_BYTES = 1 << 20
_INPUT_BYTES = 1 << 16
_BLOCK_BYTES = 0xFFFF
_DAMAGED = cast(type[Exception], igzip_lib.error)  # isal's stubs call it an instance
_ZLIB_HEADER = b"\x78\x01"
_FILTER_NONE, _FILTER_UP = 0, 2
_FILTERS = bytes(range(5))
# Each pass of Adam7: the first column and the step, the first row and the step (section 8.1).
_ADAM7 = ((0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2))

# How Pillow hands out the samples of each PNG form unchanged: a mode, and one raw mode for each image that it takes.
# It knows no 16-bit colour, so that high and low bytes go apart, into two images or into the channels of one.
_LAYOUTS: dict[tuple[int, int], tuple[str, tuple[str, ...]]] = {
    (0, 8): ("L", ("L",)),
    (2, 8): ("RGB", ("RGB",)),
    (3, 8): ("L", ("L",)),
    (4, 8): ("LA", ("LA",)),
    (6, 8): ("RGBA", ("RGBA",)),
    (0, 16): ("LA", ("LA",)),
    (2, 16): ("RGB", ("RGB;16B", "RGB;16L")),
    (4, 16): ("RGBA", ("RGBA",)),
    (6, 16): ("RGBA", ("RGBA;16B", "RGBA;16L")),
}


class Rows:
    """The rows of one datastream, from the first on. ``parts`` are its pieces, as IDAT or fdAT chunks hold them."""

    def __init__(self, header: Header, parts: Iterable[bytes | memoryview]) -> None:
        self._header = header
        self._parts = (part[at : at + _INPUT_BYTES] for part in parts for at in range(0, len(part), _INPUT_BYTES))
        self._inflater = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_ZLIB)

    def strips(self, count: int) -> Iterator[bytes]:
        """The next ``count`` rows of a picture without interlace, in strips of whole rows; MediaError as for ``take``,
        and where a row has an unknown filter."""
        stride = self._header.row_bytes + 1
        most = max(1, STRIP_BYTES // stride)
        for first in range(0, count, most):
            raw = self.take(min(most, count - first) * stride)
            if raw[::stride].translate(None, _FILTERS):
                raise MediaError("the PNG cannot be decoded: a row has a filter that the standard does not know")
            yield raw

    def take(self, length: int) -> bytes:
        """The next ``length`` bytes. MediaError where the datastream is damaged or ends before."""
        pieces = []
        while length:
            piece = self._inflated(length)
            pieces.append(piece)
            length -= len(piece)
        return b"".join(pieces)

    def close(self) -> None:
        """MediaError where the datastream's checksum does not hold. What stands beyond the last row is passed over."""
        while not self._inflater.eof and not self._inflated(1):
            pass

    def _inflated(self, limit: int) -> bytes:
        part = next(self._parts, None) if self._inflater.needs_input and not self._inflater.eof else b""
        if part is None or self._inflater.eof:
            raise MediaError("the PNG cannot be decoded: its rows end too early")
        try:
            return self._inflater.decompress(part, limit)
        except _DAMAGED as error:
            raise MediaError(f"the PNG cannot be decoded: {error}") from None


def stream_bytes(header: Header) -> int:
    """The bytes of all rows of a picture, filter bytes and the passes of interlace among them."""
    if not header.interlaced:
        return header.height * (header.row_bytes + 1)
    total = 0
    for left, across, top, down in _ADAM7:
        inner = header.sized(-(-(header.width - left) // across), -(-(header.height - top) // down))
        total += inner.height * (inner.row_bytes + 1) if inner.width > 0 and inner.height > 0 else 0
    return total


def unfiltered(header: Header, raw: bytes, above: bytes) -> list[Image.Image]:
    """The samples of whole rows as they are, in one image or two; samples of under 8 bits are a byte each.

    ``above`` holds the packed samples of the row before. An interlaced picture comes whole. MediaError where a row has
    an unknown filter.
    """
    extra = 0 if header.interlaced else 1
    height = header.height if header.interlaced else len(raw) // (header.row_bytes + 1) + extra
    samples = _stored(raw if header.interlaced else b"".join((b"\0", above, raw)))
    del raw  # an interlaced picture is large, and whole
    mode, forms = _LAYOUTS.get((header.colour, header.depth), ("P", (f"P;{header.depth}",)))
    try:
        images = [
            Image.frombytes(mode, (header.width, height), samples, "zip", form, header.interlaced) for form in forms
        ]
    except (OSError, ValueError) as error:
        raise MediaError(f"the PNG cannot be decoded: {error}") from None
    if extra:
        images = [image.crop((0, extra, *image.size)) for image in images]
    return [Image.frombytes("L", image.size, image.tobytes()) if mode == "P" else image for image in images]


def packed(header: Header, images: Sequence[Image.Image], top: int, bottom: int) -> bytes:
    """Rows ``top`` to ``bottom`` (exclusive) of what ``unfiltered`` gave out, packed as PNG stores them."""
    width, depth = header.width, header.depth
    whole = (top, bottom) == (0, images[0].height)
    parts = [(image if whole else image.crop((0, top, width, bottom))).tobytes() for image in images]
    if depth < 8:
        return Image.frombytes("P", (width, bottom - top), parts[0]).tobytes("raw", f"P;{depth}")
    if len(parts) == 1:
        return parts[0]
    woven = bytearray(2 * len(parts[0]))
    woven[0::2], woven[1::2] = parts
    return bytes(woven)


def filtered(header: Header, samples: bytes, above: bytes) -> bytes:
    """Packed rows, each with its filter byte and filtered; ``above`` is the packed row before the first.

    Of the filters, Up alone costs next to nothing to make and serves every kind of picture; indices and packed levels
    compress best without one (section 12.7).
    """
    length = header.row_bytes
    size = (length, len(samples) // length)
    kind = _FILTER_NONE if header.colour == 3 or header.depth < 8 else _FILTER_UP
    lines = Image.frombuffer("L", size, samples, "raw", "L", 0, 1)
    if kind == _FILTER_UP:
        shifted = Image.frombuffer("L", size, above + samples[:-length], "raw", "L", 0, 1)
        lines = ImageChops.subtract_modulo(lines, shifted)
    whole = Image.new("L", (length + 1, size[1]), kind)
    whole.paste(lines, (1, 0))
    return whole.tobytes()


def _stored(raw: bytes) -> bytes:
    """A zlib stream (RFC 1950) of stored blocks."""
    view = memoryview(raw)
    pieces: list[bytes | memoryview] = [_ZLIB_HEADER]
    for at in range(0, len(raw), _BLOCK_BYTES):
        block = view[at : at + _BLOCK_BYTES]
        length, last = len(block), at + _BLOCK_BYTES >= len(raw)
        pieces += (bytes((last,)), length.to_bytes(2, "little"), (length ^ 0xFFFF).to_bytes(2, "little"), block)
    return b"".join([*pieces, adler32(raw).to_bytes(4)])
