"""Drawing: the badge on the pixels. The only door to Pillow.

Law: outside the badge's box nothing about the picture changes: size, format, colours, alpha, bit depth, metadata. In
PNG every other pixel is the same; in JPEG, which is compressed anew with its own tables and sampling, nearly so. A
picture is read whole or it is an error, and nothing is decoded before its size is known to be within the bound.
"""

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from io import BytesIO

from isal import isal_zlib
from PIL import Image, ImageChops, ImageDraw, ImageFont, JpegImagePlugin

from proxy.media import exif, jpeg, levels, palette, png
from proxy.media.badge import Badge, Box, Size, displayed, ink_height, padding, place, stored
from proxy.media.errors import MediaError

# What turns an upright patch into the stored rows that a viewer turns upright again (CIPA DC-008, tag 0112).
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
_SAMPLE_PIXELS = 100
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


@dataclass(frozen=True, slots=True)
class Stamped:
    """A picture with its badge, and where that stands in stored pixels: left, top, right, bottom (exclusive)."""

    data: bytes
    box: Box


def stamp(data: bytes, badge: Badge, font: bytes, max_pixels: int) -> Stamped:
    """Draw the badge on a PNG or JPEG; the format, and everything that ``write`` would keep, stays.

    MediaError where the picture is broken, has more than ``max_pixels`` pixels, is animated or of a form that is not
    supported, or is too small for a legible badge. A PNG comes out without interlace. A palette is kept where black and
    white are in it or have room in it; otherwise the picture becomes truecolour. Grey of under 8 bits with a
    transparent level becomes grey of 8 bits.
    """
    for found, draw in ((png, _stamp_png), (jpeg, _stamp_jpeg)):
        if found.sniff(data):
            width, height = found.size(data)
            if width * height > max_pixels:
                raise MediaError(f"a picture of {width} x {height} pixels is over the limit of {max_pixels} pixels")
            return draw(data, badge, font)
    raise MediaError("neither a PNG nor a JPEG")


def missing_glyphs(font: bytes, words: str) -> str:
    """The characters of ``words`` that the font cannot show, each once, in order. MediaError where it is no font.

    What a font lacks is drawn as its ``.notdef`` glyph, so that the masks are compared. Control characters, line breaks
    among them, are no part of a badge.
    """
    face = _face(font, _SAMPLE_PIXELS)
    lacking = _mask(face, "\U0010ffff")  # a noncharacter: no font has it

    def missing(character: str) -> bool:
        if unicodedata.category(character) in ("Cc", "Cs"):
            return True
        same = _mask(face, character).tobytes() == lacking.tobytes()
        return same and not (character.isspace() and not lacking.width)

    return "".join(filter(missing, dict.fromkeys(words)))


def measured_ink(font: bytes, words: str, pixels: int) -> int:
    """The height of the words' lowest letter that counts, in whole pixels of ink, at ``pixels`` to the em.

    Capitals, figures and ideographs count; lower-case letters only where there are none of these. Glyphs of less than
    half the height of the tallest (a dash, a point, the character for one) are as low as they are meant to be.
    """
    face = _face(font, pixels)
    letters = [character for character in set(words) if unicodedata.category(character) in ("Lu", "Nd", "Lo")]
    # Ink is what is at least half covered: the faint edge of a letter is not its height.
    masks = (_mask(face, letter).point(_HALF).getbbox() for letter in letters or set(words))
    heights = [box[3] - box[1] for box in masks if box]
    return min((height for height in heights if 2 * height >= max(heights)), default=0)


_HALF = [0] * 128 + [255] * 128


@lru_cache(maxsize=64)
def _patch(words: str, font: bytes, ink: int) -> Image.Image:
    """The badge as grey levels, white on black, with ink of at least ``ink`` pixels. Never drawn on: it is shared."""
    sample = measured_ink(font, words, _SAMPLE_PIXELS)
    if not sample:
        raise MediaError(f"the badge's words {words!r} have no ink")
    size = max(1, ink * _SAMPLE_PIXELS // sample - 2)
    while measured_ink(font, words, size) < ink:
        size += 1
    letters = _mask(_face(font, size), words)
    across, down = padding(ink)
    plate = Image.new("L", (letters.width + 2 * across, letters.height + 2 * down), 0)
    plate.paste(letters, (across, down))
    return plate


def _face(font: bytes, pixels: int) -> ImageFont.FreeTypeFont:
    try:
        # The basic layout does not depend on what libraries a machine has.
        return ImageFont.truetype(BytesIO(font), pixels, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        raise MediaError(f"the badge's font cannot be read: {error}") from None


def _mask(face: ImageFont.FreeTypeFont, words: str) -> Image.Image:
    """The words as coverage, cut to their ink."""
    left, top, right, bottom = (round(edge) for edge in face.getbbox(words))
    canvas = Image.new("L", (max(1, right - left + 2), max(1, bottom - top + 2)), 0)
    ImageDraw.Draw(canvas).text((1 - left, 1 - top), words, fill=255, font=face)
    return canvas.crop(canvas.getbbox() or (0, 0, 0, 0))


def _placed(badge: Badge, font: bytes, size: Size, orientation: int) -> tuple[Image.Image, Box]:
    """The patch as it is stored, and where."""
    shown = displayed(orientation, size)
    ink = ink_height(badge, shown)
    patch = _patch(badge.words, font, ink)
    box = stored(orientation, place(badge, ink, patch.size, shown), size)
    return (patch.transpose(_TURNS[orientation]) if orientation in _TURNS else patch), box


def _stamp_jpeg(data: bytes, badge: Badge, font: bytes) -> Stamped:
    segments, _, trailer = jpeg.parse(data)
    bare = jpeg.bare(data)
    _check_trailer(trailer)
    frame = jpeg.frame(segments)
    patch, box = _placed(badge, font, (frame.width, frame.height), jpeg.orientation(segments))
    encoded = BytesIO()
    try:
        # Without metadata nothing but the picture is left that Pillow could stumble over.
        picture = JpegImagePlugin.JpegImageFile(BytesIO(bare))
        picture.load()
        picture.paste(patch.convert(picture.mode), box)
        usual = len(frame.components) != 3 or JpegImagePlugin.get_sampling(picture) >= 0
        picture.save(
            encoded,
            "JPEG",
            # Pillow writes three samplings; from any other it takes the one that loses nothing.
            **({"quality": "keep"} if usual else {"qtables": "keep", "subsampling": 0}),
            progressive=frame.progressive,
            keep_rgb=jpeg.stores_rgb(segments),
        )
    except (OSError, SyntaxError, ValueError) as error:
        raise MediaError(f"the JPEG cannot be decoded: {error}") from None
    return Stamped(jpeg.dressed(data, encoded.getvalue()), box)


def _stamp_png(data: bytes, badge: Badge, font: bytes) -> Stamped:
    header, chunks, trailer = png.parse(data)
    _check_trailer(trailer)
    if any(chunk.kind == b"acTL" for chunk in chunks):
        raise MediaError("an animated PNG is not supported yet")
    patch, box = _placed(badge, font, (header.width, header.height), png.orientation(chunks))
    samples = b"".join(chunk.data for chunk in chunks if chunk.kind == b"IDAT")
    colours = {chunk.kind: bytes(chunk.data) for chunk in chunks if chunk.kind in (b"PLTE", b"tRNS", b"hIST")}
    canvas = _canvas(header, _decode(header, samples), patch, colours)
    for image in canvas.images:
        image.paste(canvas.patch, box)
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
    return Stamped(b"".join([*pieces, trailer]), box)


def _check_trailer(trailer: memoryview) -> None:
    if png.sniff(start := bytes(trailer[:8])) or jpeg.sniff(start):
        raise MediaError("another picture follows the picture, and it would stay without a badge")


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
