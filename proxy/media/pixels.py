"""Drawing: the badge on the pixels. The only door to Pillow.

Law: outside the badge's box nothing about the picture changes: size, format, colours, alpha, bit depth, metadata. In PNG
every other pixel is the same; in JPEG, which is compressed anew with its own tables and sampling, it is nearly so.
A picture is read whole or it is an error, and nothing is decoded before its size is known to be within the bound.
"""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

from isal import isal_zlib
from PIL import Image, ImageChops, ImageDraw, ImageFont, JpegImagePlugin

from proxy.media import jpeg, palette, png
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

    What a font lacks is drawn as its ``.notdef`` glyph, so that the masks are compared.
    """
    face = _face(font, _SAMPLE_PIXELS)
    lacking = _mask(face, "\U0010ffff")  # a noncharacter: no font has it
    return "".join(
        character
        for character in dict.fromkeys(words)
        if _mask(face, character).tobytes() == lacking.tobytes() and not (character.isspace() and not lacking.width)
    )


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
    segments = jpeg.parse(data).segments
    frame = jpeg.frame(segments)
    patch, box = _placed(badge, font, (frame.width, frame.height), jpeg.orientation(segments))
    encoded = BytesIO()
    try:
        # Without metadata nothing but the picture is left that Pillow could stumble over.
        picture = JpegImagePlugin.JpegImageFile(BytesIO(jpeg.bare(data)))
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
    held = {chunk.kind: bytes(chunk.data) for chunk in chunks if chunk.kind in (b"PLTE", b"tRNS", b"hIST", b"acTL")}
    if b"acTL" in held:
        raise MediaError("an animated PNG is not supported yet")
    patch, box = _placed(badge, font, (header.width, header.height), png.orientation(chunks))
    samples = b"".join(chunk.data for chunk in chunks if chunk.kind == b"IDAT")
    picture = _decode(header, samples)
    changed: dict[bytes, Callable[[bytes], bytes | None]] = {}
    ...
    return Stamped(data, box)
