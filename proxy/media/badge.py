"""The badge: where the explicit label stands on a picture, in numbers (GB 45438-2025 clause 5.2).

Law: the words' ink is at least 5 % of the picture's shorter side, and never too small to read; the plate stands in a
corner as a viewer shows the picture, whole, or there is no badge but an error.

White words stand on a black plate, which nothing shows through: the contrast is 21:1 on any picture (WCAG 2.2 asks for
4.5:1, success criterion 1.4.3). All lengths are pixels; a box is left, top, right, bottom, the last two exclusive.
"""

from dataclasses import dataclass
from math import ceil
from typing import Literal

from proxy.media.errors import BadgeError

Corner = Literal["top-left", "top-right", "bottom-left", "bottom-right"]
Size = tuple[int, int]
Box = tuple[int, int, int, int]

MINIMUM_HEIGHT = 0.05
# Chinese characters run together below about 12 pixels to the em, which is 9 pixels to the capital.
LEGIBLE_INK = 9

# In parts of the ink's height.
_PADDING_X, _PADDING_Y, _MARGIN = 0.6, 0.45, 0.4

# What EXIF's orientation does to the stored rows and columns (CIPA DC-008, tag 0112).
_SWAPPED = frozenset((5, 6, 7, 8))
_MIRRORED_X = frozenset((2, 3, 7, 8))
_MIRRORED_Y = frozenset((3, 4, 6, 7))


@dataclass(frozen=True, slots=True)
class Badge:
    """A badge as policy asks for it: ``height`` is the least height of the ink, in parts of the shorter side."""

    words: str
    corner: Corner = "bottom-right"
    height: float = MINIMUM_HEIGHT


def ink_height(badge: Badge, size: Size) -> int:
    """The least height of the words' ink, in whole pixels."""
    return max(LEGIBLE_INK, ceil(badge.height * min(size)))


def padding(ink: int) -> Size:
    """What the plate adds on each side of the words, across and down."""
    return ceil(ink * _PADDING_X), ceil(ink * _PADDING_Y)


def place(badge: Badge, ink: int, plate: Size, size: Size) -> Box:
    """Where a plate of the size ``plate`` stands on a picture of the displayed size ``size``.

    BadgeError where it does not fit; the margin to the edges gives way first.
    """
    if plate[0] > size[0] or plate[1] > size[1]:
        raise BadgeError(
            f"a picture of {size[0]} x {size[1]} pixels is too small for a legible badge: "
            f"{badge.words!r} takes {plate[0]} x {plate[1]}"
        )
    vertical, _, horizontal = badge.corner.partition("-")
    across, down = (min(ceil(ink * _MARGIN), outer - inner) for outer, inner in zip(size, plate, strict=True))
    left = across if horizontal == "left" else size[0] - plate[0] - across
    top = down if vertical == "top" else size[1] - plate[1] - down
    return left, top, left + plate[0], top + plate[1]


def displayed(orientation: int, size: Size) -> Size:
    """The size that a viewer shows of a picture stored with ``size`` and EXIF's ``orientation`` (1 to 8)."""
    return (size[1], size[0]) if orientation in _SWAPPED else size


def stored(orientation: int, box: Box, size: Size) -> Box:
    """Where a displayed box stands in a picture stored with ``size``."""
    left, top, right, bottom = box
    if orientation in _SWAPPED:
        left, top, right, bottom = top, left, bottom, right
    if orientation in _MIRRORED_X:
        left, right = size[0] - right, size[0] - left
    if orientation in _MIRRORED_Y:
        top, bottom = size[1] - bottom, size[1] - top
    return left, top, right, bottom
