"""What lies beneath a badge: which colour of letters it carries, and whether they need a plate.

Law: a ground carries bare letters where they reach a contrast of 4.5:1 (WCAG 2.2, success criterion 1.4.3) against 19
of 20 of its pixels, in each of 16 tiles, and where it is calm: 9 of 10 of its levels lie within a quarter of the range.
Of a large ground as many pixels are looked at as a small one has, evenly taken.

The relative luminance of every level of sRGB is either low enough for white letters (at most 0.1833) or high enough for
black ones (at least 0.175). In 255 parts, with the two roundings that come of them, the border is between 45 and 46.
"""

from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from PIL import Image

from proxy.media.luminance import WEIGHTS, linear

_DARKEST_FOR_BLACK: Final = 46
_WEIGHTS: Final = (*WEIGHTS, 0)
_TILES: Final = (4, 4)
_SHARE: Final = 0.05
_CALM: Final = 64
_SAMPLE: Final = (96, 48)


_LINEAR: Final = [round(255 * linear(level / 255)) for level in range(256)]
_DARK: Final = [255 * (level < _DARKEST_FOR_BLACK) for level in range(256)]


@dataclass(frozen=True, slots=True)
class Ground:
    """``white``: white letters have the better contrast, else black ones. ``bare``: they need no plate."""

    white: bool
    bare: bool


def ground(pixels: Image.Image) -> Ground:
    """What the pixels (RGB) carry."""
    if pixels.width > _SAMPLE[0] or pixels.height > _SAMPLE[1]:
        size = min(pixels.width, _SAMPLE[0]), min(pixels.height, _SAMPLE[1])
        pixels = pixels.resize(size, Image.Resampling.NEAREST)
    luminances = pixels.point(_LINEAR * 3).convert("L", _WEIGHTS)
    # Seen from the letters that suit most of it: the share of each tile that is dark, in 255 parts.
    dark = luminances.point(_DARK).resize(_TILES, Image.Resampling.BOX)
    shares = list(dark.tobytes())
    white = sum(shares) >= 255 * len(shares) / 2
    worst = 255 - min(shares) if white else max(shares)
    return Ground(white, worst <= 255 * _SHARE and _spread(pixels.convert("L").histogram()) <= _CALM)


def _spread(histogram: list[int]) -> int:
    """The range in which the middle nine tenths of the levels lie."""
    sums = list(accumulate(histogram))
    low, high = (bisect_left(sums, share * sums[-1]) for share in (0.05, 0.95))
    return high - low
