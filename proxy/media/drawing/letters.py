"""Letters: what a font can show, how high its ink stands, and words as coverage.

Law: what is measured is ink, the pixels that are at least half covered, never what a font says of itself.
"""

import unicodedata
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

from proxy.media.errors import MediaError

SAMPLE_PIXELS = 100  # to the em, for measuring
_HALF = [0] * 128 + [255] * 128


def missing_glyphs(font: bytes, words: str) -> str:
    """The characters of ``words`` that the font cannot show, each once, in order. MediaError where it is no font.

    What a font lacks is drawn as its ``.notdef`` glyph, so that the masks are compared. Control characters, line breaks
    among them, are no part of a badge.
    """
    face = face_of(font, SAMPLE_PIXELS)
    lacking = mask(face, "\U0010ffff")  # a noncharacter: no font has it

    def missing(character: str) -> bool:
        if unicodedata.category(character) in ("Cc", "Cs"):
            return True
        same = mask(face, character).tobytes() == lacking.tobytes()
        return same and not (character.isspace() and not lacking.width)

    return "".join(filter(missing, dict.fromkeys(words)))


def measured_ink(font: bytes, words: str, pixels: int) -> int:
    """The height of the words' lowest letter that counts, in whole pixels of ink, at ``pixels`` to the em.

    Capitals, figures and ideographs count; lower-case letters only where there are none of these. Glyphs of less than
    half the height of the tallest (a dash, a point, the character for one) are as low as they are meant to be.
    """
    face = face_of(font, pixels)
    letters = [character for character in set(words) if unicodedata.category(character) in ("Lu", "Nd", "Lo")]
    # Ink is what is at least half covered: the faint edge of a letter is not its height.
    masks = (mask(face, letter).point(_HALF).getbbox() for letter in letters or set(words))
    heights = [box[3] - box[1] for box in masks if box]
    return min((height for height in heights if 2 * height >= max(heights)), default=0)


def face_of(font: bytes, pixels: int) -> ImageFont.FreeTypeFont:
    try:
        # The basic layout does not depend on what libraries a machine has.
        return ImageFont.truetype(BytesIO(font), pixels, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        raise MediaError(f"the badge's font cannot be read: {error}") from None


def mask(face: ImageFont.FreeTypeFont, words: str) -> Image.Image:
    """The words as coverage, cut to their ink."""
    left, top, right, bottom = (round(edge) for edge in face.getbbox(words))
    canvas = Image.new("L", (max(1, right - left + 2), max(1, bottom - top + 2)), 0)
    ImageDraw.Draw(canvas).text((1 - left, 1 - top), words, fill=255, font=face)
    return canvas.crop(canvas.getbbox() or (0, 0, 0, 0))
