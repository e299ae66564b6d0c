"""The badge as pixels, ready to be laid over a picture.

Law: a patch stands where ``badge.place`` says, turned as the picture is stored, so that a viewer shows it upright; what
it covers nothing shows through. It is drawn once for each wording and size.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image

from proxy.media.badge import Badge, Box, Size, displayed, ink_height, padding, place, stored
from proxy.media.drawing.letters import SAMPLE_PIXELS, face_of, mask, measured_ink
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

# The picture's own pixels in a box of stored pixels, as RGB.
Beneath = Callable[[Box], Image.Image]


@dataclass(frozen=True, slots=True)
class Patch:
    """What is laid over a picture, in stored pixels: where, the grey levels (mode L), and how much of each pixel they
    cover (mode L; None: all of it)."""

    box: Box
    levels: Image.Image
    mask: Image.Image | None = None


def patch(badge: Badge, font: bytes, size: Size, orientation: int = 1, beneath: Beneath | None = None) -> Patch:
    """The badge for a picture stored with ``size`` and EXIF's ``orientation`` (1 to 8).

    Without ``beneath`` it is a plate that covers its box: the form for pictures whose pixels do not mix (palettes,
    bilevel) or change (animations), and for those that are transparent. BadgeError where it does not fit.
    """
    shown = displayed(orientation, size)
    ink = ink_height(badge, shown)
    levels = _plate(badge.words, font, ink)
    box = stored(orientation, place(badge, ink, levels.size, shown), size)
    return Patch(box, levels.transpose(_TURNS[orientation]) if orientation in _TURNS else levels)


def lay(image: Image.Image, patch: Patch) -> None:
    """Lay the patch over an image of 8 bits to the sample."""
    image.paste(patch.levels.convert(image.mode), patch.box, patch.mask)


@lru_cache(maxsize=64)
def _plate(words: str, font: bytes, ink: int) -> Image.Image:
    """The badge as grey levels, white on black, with ink of at least ``ink`` pixels. Never drawn on: it is shared."""
    sample = measured_ink(font, words, SAMPLE_PIXELS)
    if not sample:
        raise MediaError(f"the badge's words {words!r} have no ink")
    size = max(1, ink * SAMPLE_PIXELS // sample - 2)
    while measured_ink(font, words, size) < ink:
        size += 1
    letters = mask(face_of(font, size), words)
    across, down = padding(ink)
    plate = Image.new("L", (letters.width + 2 * across, letters.height + 2 * down), 0)
    plate.paste(letters, (across, down))
    return plate
