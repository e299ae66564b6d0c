"""The badge as pixels, ready to be laid over a picture.

Law: a patch stands where ``badge.place`` says, turned as the picture is stored, so that a viewer shows it upright. It
is a plate that nothing shows through, or letters with an outline of the opposite colour all around.

Patches are kept, up to 32 of up to half a megabyte each, by their composition; larger ones are drawn anew.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from PIL import Image, ImageChops

from proxy.media.badge import Badge, Box, Size, displayed, ink_height, place, stored
from proxy.media.drawing.beneath import ground
from proxy.media.drawing.block import Block, drawn
from proxy.media.drawing.composition import compose, outline_box, outline_width, plate_box

_KEPT: Final = 32
_KEPT_PIXELS: Final = 1 << 18  # a patch has one byte for each, and another for its mask

# What turns an upright patch into the stored rows that a viewer turns upright again (CIPA DC-008, tag 0112).
_TURNS: Final = {
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

_Form = Literal["plate", "white", "black"]  # the colour is that of letters in an outline


@dataclass(frozen=True, slots=True)
class Patch:
    """What is laid over a picture, in stored pixels: where, the grey levels (mode L), and how much of each pixel they
    cover (mode L; None: all of it). The images are shared: they are never drawn on."""

    box: Box
    levels: Image.Image
    mask: Image.Image | None = None


class _Pixels(NamedTuple):
    levels: Image.Image
    mask: Image.Image | None


def patch(badge: Badge, font: bytes, size: Size, orientation: int = 1, beneath: Beneath | None = None) -> Patch:
    """The badge for a picture stored with ``size`` and EXIF's ``orientation`` (1 to 8).

    Without ``beneath`` it is a plate that covers its box: the form for pictures whose pixels do not mix (palettes,
    bilevel) or change (animations), and for those that are transparent. With it, ``auto`` bares letters where the
    ground carries them (see ``beneath``); a mark has a plate unless an outline is asked for. BadgeError where no plate
    fits, whatever lies beneath; MediaError where there is nothing to show.
    """
    shown = displayed(orientation, size)
    ink = ink_height(badge, shown)
    block = compose(badge, font, ink, shown)
    plate = _placed(plate_box(block, ink), badge, ink, size, orientation)
    if beneath is not None and (badge.backing == "outline" or (badge.backing == "auto" and not badge.mark)):
        box = _placed(outline_box(block, ink), badge, ink, size, orientation)
        below = ground(beneath(box))
        if below.bare or badge.backing == "outline":
            return Patch(box, *_pixels(block, font, ink, "white" if below.white else "black", orientation))
    return Patch(plate, *_pixels(block, font, ink, "plate", orientation))


def lay(image: Image.Image, patch: Patch) -> None:
    """Lay the patch over an image of 8 bits to the sample."""
    image.paste(patch.levels.convert(image.mode), patch.box, patch.mask)


def _placed(box: Box, badge: Badge, ink: int, size: Size, orientation: int) -> Box:
    extent = box[2] - box[0], box[3] - box[1]
    return stored(orientation, place(badge, ink, extent, displayed(orientation, size)), size)


def _pixels(block: Block, font: bytes, ink: int, form: _Form, orientation: int) -> _Pixels:
    left, top, right, bottom = plate_box(block, ink)
    small = (right - left) * (bottom - top) <= _KEPT_PIXELS
    return (_kept if small else _made)(block, font, ink, form, orientation)


def _made(block: Block, font: bytes, ink: int, form: _Form, orientation: int) -> _Pixels:
    if form == "plate":
        return _Pixels(_turned(drawn(block, font, plate_box(block, ink), 0), orientation), None)
    box = outline_box(block, ink)
    levels, mask = (_turned(drawn(block, font, box, spread), orientation) for spread in (0, outline_width(ink)))
    return _Pixels(ImageChops.invert(levels) if form == "black" else levels, mask)


_kept = lru_cache(maxsize=_KEPT)(_made)


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image
