"""The picture that the demo's model draws: hills at dusk, a different evening for every prompt.

Drawn without Pillow, so that what comes out owes nothing to the code that labels it: plain truecolour, no metadata.
"""

import math
import random
import zlib
from typing import NamedTuple

from proxy.media.png import SIGNATURE, Header, chunk_bytes

__all__ = ["draw"]

Colour = tuple[float, float, float]

# Zenith, middle, horizon, and the nearest hill, of the evenings that there are.
_EVENINGS: tuple[tuple[Colour, Colour, Colour, Colour], ...] = (
    ((24, 28, 70), (150, 74, 110), (255, 178, 110), (18, 20, 44)),
    ((18, 44, 78), (74, 124, 150), (250, 214, 160), (12, 32, 44)),
    ((44, 22, 66), (190, 76, 92), (255, 204, 128), (30, 14, 40)),
    ((14, 38, 58), (60, 130, 130), (236, 226, 170), (8, 28, 32)),
)
_RIDGES = 4
_SUN: Colour = (255, 244, 214)


class Sun(NamedTuple):
    """Where the sun stands, in pixels."""

    x: float
    y: float
    radius: float


def draw(prompt: str, width: int, height: int) -> bytes:
    """A PNG of this size in pixels; the same prompt gives the same picture."""
    chance = random.Random(prompt)  # noqa: S311 - it draws hills
    zenith, middle, horizon, near = chance.choice(_EVENINGS)
    sun = Sun(width * chance.uniform(0.25, 0.75), height * chance.uniform(0.38, 0.5), min(width, height) * 0.075)
    hills = [
        (_ridge(chance, width, height, depth), _mix(horizon, near, 0.25 + 0.75 * depth / (_RIDGES - 1)))
        for depth in range(_RIDGES)
    ]
    sky = [_evening(zenith, middle, horizon, y / (height * 0.62)) for y in range(height)]
    stride = 1 + 3 * width
    rows = bytearray(stride * height)  # each row begins with its filter: 0, none
    for x in range(width):
        column = _column(x, sky, sun, [(tops[x], colour) for tops, colour in hills])
        for channel in range(3):
            rows[1 + 3 * x + channel :: stride] = column[channel::3]
    return b"".join(
        (
            SIGNATURE,
            chunk_bytes(b"IHDR", Header(width, height, depth=8, colour=2, interlaced=False).pack()),
            chunk_bytes(b"IDAT", zlib.compress(bytes(rows), 6)),
            chunk_bytes(b"IEND", b""),
        )
    )


def _column(x: int, sky: list[Colour], sun: Sun, hills: list[tuple[float, Colour]]) -> bytearray:
    """One column of pixels from top to bottom: the sky, the sun before it, the hills before both."""
    height = len(sky)
    lit = list(sky)
    for y in range(max(0, int(sun.y - 5 * sun.radius)), min(height, int(sun.y + 5 * sun.radius))):
        away = math.hypot(x - sun.x, y - sun.y) - sun.radius
        if away < 4 * sun.radius:
            # Its edge one pixel soft, its glow fading over four of its radii.
            lit[y] = _mix(sky[y], _SUN, max(0.5 - away, 0.42 * min(1.0, 1 - away / (4 * sun.radius)) ** 2))
    for top, colour in hills:
        solid = min(height, math.ceil(top + 0.5))  # the first pixel that the hill covers whole
        if 0 < solid < height:
            lit[solid - 1] = _mix(lit[solid - 1], colour, solid - 0.5 - top)
        lit[solid:] = [colour] * (height - solid)
    return bytearray(int(value) for colour in lit for value in colour)


def _evening(zenith: Colour, middle: Colour, horizon: Colour, share: float) -> Colour:
    return _mix(zenith, middle, share * 2) if share < 0.5 else _mix(middle, horizon, share * 2 - 1)


def _ridge(chance: random.Random, width: int, height: int, depth: int) -> list[float]:
    """The top of a range of hills, for each column: waves of falling size; the nearer, the lower and the smoother."""
    level = height * (0.56 + 0.12 * depth)
    waves = [
        (height * 0.07 / number, number * chance.uniform(0.7, 1.3) * (1.6 - 0.25 * depth), chance.uniform(0, math.tau))
        for number in (1, 2, 4, 7)
    ]
    return [
        level + sum(size * math.sin(math.tau * often * x / width + start) for size, often, start in waves)
        for x in range(width)
    ]


def _mix(one: Colour, other: Colour, share: float) -> Colour:
    """``one`` with a share (kept between 0 and 1) of ``other``."""
    share = min(1.0, max(0.0, share))
    return (
        one[0] + (other[0] - one[0]) * share,
        one[1] + (other[1] - one[1]) * share,
        one[2] + (other[2] - one[2]) * share,
    )
