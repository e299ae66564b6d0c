"""How badges are measured: their letters, their lines, their contrast. Nothing here is told by what drew them."""

from collections.abc import Iterator
from itertools import groupby

from PIL import Image, ImageChops

from proxy.media.badge import Box
from proxy.media.drawing.patch import Patch


def contrast(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """The contrast ratio of two colours in sRGB of 8 bits (WCAG 2.2)."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def letters(over: Patch) -> Image.Image:
    """How much of each pixel is letter: the corner of a patch is none."""
    return over.levels if over.levels.getpixel((0, 0)) == 0 else ImageChops.invert(over.levels)


def solid(coverage: Image.Image) -> Image.Image:
    """What is ink: at least half covered."""
    return coverage.point([0] * 128 + [255] * 128)


def runs(coverage: Image.Image) -> Iterator[Box]:
    """The letters of a line, left to right: columns with ink between columns without."""
    ink = solid(coverage)
    columns = [ink.crop((x, 0, x + 1, ink.height)).getbbox() is not None for x in range(ink.width)]
    for inked, group in groupby(range(ink.width), key=columns.__getitem__):
        if inked:
            found = [*group]
            box = ink.crop((found[0], 0, found[-1] + 1, ink.height)).getbbox()
            assert box is not None
            yield found[0], box[1], found[-1] + 1, box[3]


def rows(coverage: Image.Image) -> Iterator[Image.Image]:
    """The lines, from the top."""
    for left, _, right, _ in runs(coverage.transpose(Image.Transpose.TRANSPOSE)):
        yield coverage.crop((0, left, coverage.width, right))


def _luminance(colour: tuple[int, ...]) -> float:
    red, green, blue = (_linear(level / 255) for level in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
