"""The badge: where the explicit label stands on a picture, in numbers (GB 45438-2025 clause 5.2).

Law: the ink of its letters is at least 5 % of the picture's shorter side, and never too small to read; the badge stands
at an edge or in a corner as a viewer shows the picture, whole, or there is no badge but an error.

It is a plate, white on black, which nothing shows through: the contrast is 21:1 on any picture (WCAG 2.2 asks for
4.5:1, success criterion 1.4.3). Or it is letters with an outline of the opposite colour. All lengths are pixels; a box
is left, top, right, bottom, the last two exclusive.
"""

from dataclasses import dataclass
from math import ceil
from typing import Literal

from proxy.media.errors import BadgeError

Position = Literal[
    "top-left", "top", "top-right", "left", "right", "bottom-left", "bottom", "bottom-right",
]  # fmt: skip
Mark = Literal["generated", "modified"]
Backing = Literal["auto", "plate", "outline"]
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
    """A badge as policy asks for it.

    ``words`` may be in several languages; they may be empty where there is a ``mark``, which tells what was made from
    what was changed. ``height`` is the least height of the ink, in parts of the shorter side. ``backing`` is what the
    letters stand on: a plate, no more than an outline, or an outline where that is legible (``auto``).
    """

    words: str
    position: Position = "bottom-right"
    height: float = MINIMUM_HEIGHT
    mark: Mark | None = None
    backing: Backing = "auto"


def ink_height(badge: Badge, size: Size) -> int:
    """The least height of the letters' ink, in whole pixels."""
    return max(LEGIBLE_INK, ceil(badge.height * min(size)))


def padding(ink: int) -> Size:
    """What a plate adds on each side of the letters, across and down."""
    return ceil(ink * _PADDING_X), ceil(ink * _PADDING_Y)


def place(badge: Badge, ink: int, extent: Size, size: Size) -> Box:
    """Where a badge that covers ``extent`` stands on a picture of the displayed size ``size``.

    BadgeError where it does not fit; the margin to the edges gives way first.
    """
    if extent[0] > size[0] or extent[1] > size[1]:
        what = repr(badge.words) if badge.words.strip() else f"the mark {badge.mark!r}"
        raise BadgeError(
            f"a picture of {size[0]} x {size[1]} pixels is too small for a legible badge: "
            f"{what} takes {extent[0]} x {extent[1]}"
        )
    edges = badge.position.split("-")
    left, top = (
        _along(ceil(ink * _MARGIN), outer - inner, near in edges, far in edges)
        for outer, inner, near, far in zip(size, extent, ("left", "top"), ("right", "bottom"), strict=True)
    )
    return left, top, left + extent[0], top + extent[1]


def _along(margin: int, room: int, near: bool, far: bool) -> int:
    """Where on one axis: at the near edge, at the far one, or in the middle."""
    margin = min(margin, room)
    if near:
        return margin
    return room - margin if far else room // 2


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
