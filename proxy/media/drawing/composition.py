"""The badge composed: its words in lines, its mark, and the room they take.

Law: words stand on one line where that fits, else on the fewest lines that do, broken at spaces; only where no such
lines fit, on the fewest broken between ideographs. Words and a mark stand side by side or one under the other,
whichever covers less of the picture. What fits on a plate fits: the lines are the same without one.
"""

from collections.abc import Callable
from functools import cache, lru_cache
from math import ceil
from typing import Final

from proxy.media.badge import Badge, Box, Size, padding
from proxy.media.drawing.block import Block, Side, beside, grown, line, stacked, union
from proxy.media.drawing.letters import composed, face_of, pixels_for
from proxy.media.drawing.lines import broken, unbroken
from proxy.media.drawing.mark import mark_block

_LEAST_OUTLINE: Final = 2  # pixels: beyond the faint edge of a letter one is of the outline alone
# In parts of the ink's height.
_LEADING, _BESIDE, _UNDER, _CLEARANCE, _OUTLINE = 0.5, 0.6, 0.6, 0.25, 0.11


def outline_width(ink: int) -> int:
    """How far an outline goes beyond the letters, in pixels."""
    # A whole number: Pillow sets strokes of a fraction half a pixel too high.
    return max(_LEAST_OUTLINE, round(ink * _OUTLINE))


def plate_box(block: Block, ink: int) -> Box:
    """What a plate covers: even around the block's body, and beyond all its ink."""
    least = ceil(ink * _CLEARANCE)
    return union(grown(block.body, *padding(ink)), grown(block.ink, least, least))


def outline_box(block: Block, ink: int) -> Box:
    """What letters with their outline cover."""
    return grown(block.ink, outline_width(ink), outline_width(ink))


@lru_cache(maxsize=64)
def compose(badge: Badge, font: bytes, ink: int, size: Size) -> Block:
    """The badge's words and mark with ink of at least ``ink`` pixels, for a picture of the displayed size ``size``.

    Where nothing fits, one that does not. MediaError where there is nothing to show.
    """
    words = composed(badge.words).strip()
    sign = badge.mark and mark_block(badge.mark, font, ink)
    if sign and not words:
        return sign
    pixels = pixels_for(font, words, ink)
    length = cache(face_of(font, pixels).getlength)
    leading = ceil(ink * _LEADING)
    most = size[1] // (ink + leading)

    def taken(block: Block) -> Size:
        return _size(plate_box(block, ink))

    def fits(block: Block) -> bool:
        return all(inner <= outer for inner, outer in zip(taken(block), size, strict=True))

    def on_fewest_lines(arrange: Callable[[Block], Block], limit: int, flush: Side) -> Block:
        if fits(arrange(whole)):
            return arrange(whole)
        for parts in unbroken(words), unbroken(words, anywhere=True):
            for count in range(2, min(len(parts), most) + 1):
                lines = broken(parts, count, limit, length)
                if lines:
                    block = arrange(stacked([line(font, each, pixels) for each in lines], leading, flush))
                    if fits(block):
                        return block
        return arrange(whole)

    whole, side = line(font, words, pixels), _side(badge)
    limit = size[0] - taken(whole)[0] + _size(whole.ink)[0]
    if not sign:
        return on_fewest_lines(lambda text: text, limit, side)
    gap = ceil(ink * _BESIDE)
    arrangements = (
        on_fewest_lines(lambda text: beside(sign, text, gap), limit - _size(sign.ink)[0] - gap, "left"),
        on_fewest_lines(lambda text: stacked((sign, text), ceil(ink * _UNDER), side), limit, side),
    )
    return min(arrangements, key=lambda block: (not fits(block), taken(block)[0] * taken(block)[1]))


def _side(badge: Badge) -> Side:
    """Lines are flush where the badge is at the edge."""
    if badge.position.endswith("left"):
        return "left"
    return "right" if badge.position.endswith("right") else "middle"


def _size(box: Box) -> Size:
    return box[2] - box[0], box[3] - box[1]
