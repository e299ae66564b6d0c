"""The badge on a PNG: the samples as they are stored, written again without loss.

Law: every pixel outside the box is the same to the bit. The result has no interlace. A palette is kept where black and
white are in it or have room in it; otherwise the picture becomes truecolour. Grey of under 8 bits with a transparent
level becomes grey of 8 bits.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from isal import isal_zlib
from PIL import Image, ImageChops

from proxy.media import exif, levels, palette, png
from proxy.media.badge import Badge
from proxy.media.drawing import trailer
from proxy.media.drawing.patch import patch
from proxy.media.drawing.stamped import Stamped
from proxy.media.errors import BadgeError, MediaError

_STRIP_BYTES = 1 << 20
_FILTER_NONE, _FILTER_UP = 0, 2

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


def stamp(data: bytes, badge: Badge, font: bytes, max_pixels: int) -> Stamped:
    """See ``stamp.Painter``."""
    header, chunks, rest = png.parse(data)
    trailer.check(rest)
    if any(chunk.kind == b"acTL" for chunk in chunks):
        raise BadgeError("no badge can be drawn on an animated PNG yet")
    over = patch(badge, font, (header.width, header.height), png.orientation(chunks))
    samples = b"".join(chunk.data for chunk in chunks if chunk.kind == b"IDAT")
    colours = {chunk.kind: bytes(chunk.data) for chunk in chunks if chunk.kind in (b"PLTE", b"tRNS", b"hIST")}
    canvas = _canvas(header, _decode(header, samples), over.levels, colours)
    for image in canvas.images:
        image.paste(canvas.patch, over.box)
    pieces: list[bytes | memoryview] = [png.SIGNATURE]
    drawn = False
    for chunk in chunks:
        if chunk.kind == b"IDAT":
            pieces += () if drawn else (png.chunk_bytes(b"IDAT", part) for part in _encode(canvas))
            drawn = True
        elif chunk.kind == b"IHDR":
            pieces.append(png.chunk_bytes(b"IHDR", canvas.header.pack()))
        elif chunk.kind != b"caBX":
            old = bytes(chunk.data)
            new = canvas.rewrite(chunk.kind, old)
            if new is not None:
                if chunk.kind == b"eXIf":
                    new = exif.without_thumbnail(new)
                pieces.append(chunk.whole if new == old else png.chunk_bytes(chunk.kind, new))
    return Stamped(b"".join([*pieces, rest]), over.box)


@dataclass(frozen=True, slots=True)
class _Canvas:
    """What is drawn on, the patch in its terms, and what the other chunks become (None: nothing) to be read right."""

    header: png.Header
    images: list[Image.Image]
    patch: Image.Image
    rewrite: Callable[[bytes, bytes], bytes | None] = lambda kind, data: data


def _canvas(header: png.Header, images: list[Image.Image], patch: Image.Image, colours: dict[bytes, bytes]) -> _Canvas:
    transparent = colours.get(b"tRNS", b"")
    header = replace(header, interlaced=False)
    if header.colour == 3:
        return _indexed_canvas(header, images[0], patch, colours)
    if header.depth < 8:
        if not transparent:
            return _Canvas(header, images, patch.point(levels.narrowed(header.depth)))
        # With so few levels, the transparent one can be black or white itself.
        return _Canvas(
            replace(header, depth=8),
            [images[0].point(levels.widened(header.depth))],
            patch.point(levels.opaque(levels.widened_chunk(transparent, header.depth), 8)),
            lambda kind, data: levels.widened_chunk(data, header.depth) if kind in (b"tRNS", b"bKGD") else data,
        )
    if transparent and header.colour in (0, 2):
        patch = patch.point(levels.opaque(transparent, header.depth))
    if (header.colour, header.depth) == (0, 16):
        patch = Image.merge("LA", (patch, patch))
    elif (header.colour, header.depth) == (4, 16):
        opaque = Image.new("L", patch.size, 255)
        patch = Image.merge("RGBA", (patch, patch, opaque, opaque))
    return _Canvas(header, images, patch.convert(images[0].mode))


def _indexed_canvas(header: png.Header, image: Image.Image, patch: Image.Image, colours: dict[bytes, bytes]) -> _Canvas:
    entries, alphas = colours[b"PLTE"], colours.get(b"tRNS", b"")
    # A histogram counts the entries that there are.
    room = len(entries) // 3 if b"hIST" in colours else 1 << header.depth
    greys = palette.greys(entries, alphas, room)
    if greys is not None:
        return _Canvas(
            header,
            [image],
            patch.point(list(greys.indices)),
            lambda kind, data: greys.palette if kind == b"PLTE" else data,
        )
    tables = palette.channels(entries, alphas)
    mode = "RGBA" if len(tables) == 4 else "RGB"
    return _Canvas(
        replace(header, depth=8, colour=6 if mode == "RGBA" else 2),
        [Image.merge(mode, [image.point(list(table)) for table in tables])],
        patch.convert(mode),
        lambda kind, data: palette.promoted(kind, data, entries, mode == "RGBA"),
    )


def _decode(header: png.Header, samples: bytes) -> list[Image.Image]:
    """The samples as they are, in one image or two (see ``_LAYOUTS``); under 8 bits each level is a byte."""
    size = (header.width, header.height)
    mode, forms = _LAYOUTS.get((header.colour, header.depth), ("P", (f"P;{header.depth}",)))
    try:
        images = [Image.frombytes(mode, size, samples, "zip", form, header.interlaced) for form in forms]
    except (OSError, ValueError) as error:
        raise MediaError(f"the PNG cannot be decoded: {error}") from None
    return [Image.frombytes("L", size, image.tobytes()) if mode == "P" else image for image in images]


def _encode(canvas: _Canvas) -> Iterator[bytes]:
    """The picture as parts of one zlib stream, made strip by strip so that a large one is never held twice.

    Of the filters, Up alone costs next to nothing to make and serves every kind of picture; indices and packed levels
    compress best without one (PNG, third edition, section 12.7).
    """
    header = canvas.header
    length = header.row_bytes
    kind = _FILTER_NONE if header.colour == 3 or header.depth < 8 else _FILTER_UP
    compressor = isal_zlib.compressobj(level=1)
    rows = max(1, _STRIP_BYTES // length)
    above = bytes(length)
    for top in range(0, header.height, rows):
        raw = _rows(canvas, top, min(top + rows, header.height))
        size = (length, len(raw) // length)
        lines = Image.frombuffer("L", size, raw, "raw", "L", 0, 1)
        if kind == _FILTER_UP:
            shifted = Image.frombuffer("L", size, above + raw[:-length], "raw", "L", 0, 1)
            lines = ImageChops.subtract_modulo(lines, shifted)
            above = raw[-length:]
        filtered = Image.new("L", (length + 1, size[1]), kind)
        filtered.paste(lines, (1, 0))
        if part := compressor.compress(filtered.tobytes()):
            yield part
    yield compressor.flush()


def _rows(canvas: _Canvas, top: int, bottom: int) -> bytes:
    """Rows of samples as PNG stores them, unfiltered."""
    width, depth = canvas.header.width, canvas.header.depth
    parts = [image.crop((0, top, width, bottom)).tobytes() for image in canvas.images]
    if depth < 8:
        return Image.frombytes("P", (width, bottom - top), parts[0]).tobytes("raw", f"P;{depth}")
    if len(parts) == 1:
        return parts[0]
    woven = bytearray(2 * len(parts[0]))
    woven[0::2], woven[1::2] = parts
    return bytes(woven)
