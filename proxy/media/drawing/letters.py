"""Letters: what a font can show, how high its ink stands, and words as coverage.

Law: what is measured is ink, the pixels that are at least half covered, never what a font says of itself; and each
script that the words are written in is as high as asked, not only the highest.

Words are taken in their composed form (Unicode's NFC), which is what fonts have glyphs for. A face is kept and shared,
which FreeType forbids to threads that draw at once: Pillow never lets go of the interpreter's lock while it calls
FreeType, and each worker is a process that draws on one thread.
"""

import unicodedata
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from proxy.media.errors import MediaError

SAMPLE_PIXELS: Final = 200  # to the em, for measuring
LEGIBLE_PIXELS: Final = 12  # to the em: below that ideographs and Hangul run together
_KEPT_CHARACTERS: Final = 4096
_KEPT_FACES: Final = 16  # a face holds its own copy of the font


def composed(words: str) -> str:
    """The words in the form that fonts have glyphs for."""
    return unicodedata.normalize("NFC", words)


def missing_glyphs(font: bytes, words: str) -> str:
    """The characters of ``words`` that the font cannot show, each once, in order. MediaError where it is no font.

    What a font lacks is drawn as its ``.notdef`` glyph, so that the masks are compared. Control characters, line breaks
    among them, are no part of a badge.
    """
    return "".join(filter(_lacks(font), dict.fromkeys(composed(words))))


@lru_cache(maxsize=1)  # the same font again, for as long as a configuration names no other
def _lacks(font: bytes) -> Callable[[str], bool]:
    face = face_of(font, SAMPLE_PIXELS)
    lacking = mask(face, "\U0010ffff")  # a noncharacter: no font has it

    @lru_cache(maxsize=_KEPT_CHARACTERS)
    def missing(character: str) -> bool:
        if unicodedata.category(character) in ("Cc", "Cs"):
            return True
        same = mask(face, character).tobytes() == lacking.tobytes()
        return same and not (character.isspace() and not lacking.width)

    return missing


@lru_cache(maxsize=64)
def counted_letters(font: bytes, words: str) -> str:
    """The letters by which the height of the words is measured, the lowest first; none where the words have no ink.

    Capitals, figures, ideographs and syllables count; lower-case letters only where there are none of these. What is
    low because it is meant to be does not: small kana, and what is less than half as high as the tallest (a dash, the
    character for one).
    """
    face = face_of(font, SAMPLE_PIXELS)
    found = dict.fromkeys(composed(words))
    letters = [letter for letter in found if unicodedata.category(letter) in ("Lu", "Nd", "Lo") and not _small(letter)]
    heights = {letter: _half_ink(face, letter) for letter in letters or found}
    least = max(1, max(heights.values(), default=0) / 2)
    return "".join(letter for letter in sorted(heights, key=heights.__getitem__) if heights[letter] >= least)


def measured_ink(font: bytes, words: str, pixels: int) -> int:
    """The height of the words' lowest letter that counts, in whole pixels of ink, at ``pixels`` to the em."""
    face = face_of(font, pixels)
    return min((_half_ink(face, letter) for letter in counted_letters(font, words)), default=0)


@lru_cache(maxsize=64)
def pixels_for(font: bytes, words: str, ink: int) -> int:
    """The least size, in pixels to the em, at which the words' ink is ``ink`` pixels high and the words are legible.

    MediaError where the words have no ink.
    """
    sample = measured_ink(font, words, SAMPLE_PIXELS)
    if not sample:
        raise MediaError(f"the badge's words {words!r} have no ink")
    size = max(LEGIBLE_PIXELS, ink * SAMPLE_PIXELS // sample - 1)
    letters = counted_letters(font, words)
    while any(_half_ink(face_of(font, size), letter) < ink for letter in letters):
        size += 1
    return size


@lru_cache(maxsize=_KEPT_FACES)
def face_of(font: bytes, pixels: int) -> ImageFont.FreeTypeFont:
    """The font at ``pixels`` to the em. MediaError where it is none."""
    try:
        # The basic layout does not depend on what libraries a machine has.
        return ImageFont.truetype(BytesIO(font), pixels, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        raise MediaError(f"the badge's font cannot be read: {error}") from None


def mask(face: ImageFont.FreeTypeFont, words: str) -> Image.Image:
    """The words as coverage, cut to their ink."""
    return _inked(face, words)[0]


def extent(face: ImageFont.FreeTypeFont, words: str) -> tuple[int, int, int, int]:
    """The box of the words' ink (left, top, right, bottom), seen from where their baseline begins."""
    ink, left, top = _inked(face, words)
    return left, top, left + ink.width, top + ink.height


def _inked(face: ImageFont.FreeTypeFont, words: str) -> tuple[Image.Image, int, int]:
    """The ink of the words, and where it stands from the beginning of their baseline."""
    left, top, right, bottom = (round(edge) for edge in face.getbbox(words, anchor="ls"))
    canvas = Image.new("L", (max(1, right - left + 2), max(1, bottom - top + 2)), 0)
    ImageDraw.Draw(canvas).text((1 - left, 1 - top), words, fill=255, font=face, anchor="ls")
    box = canvas.getbbox() or (0, 0, 0, 0)
    return canvas.crop(box), box[0] + left - 1, box[1] + top - 1


def _half_ink(face: ImageFont.FreeTypeFont, letter: str) -> int:
    # Ink is what is at least half covered: the faint edge of a letter is not its height.
    box = mask(face, letter).convert("1", dither=Image.Dither.NONE).getbbox()
    return box[3] - box[1] if box else 0


def _small(letter: str) -> bool:
    """Whether it is a letter that Unicode calls small, but not a lower-case one: a small kana."""
    return " LETTER SMALL " in unicodedata.name(letter, "")
