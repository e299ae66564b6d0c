"""The mark: ``AI`` in capitals of one height over GENERATED or MODIFIED, in a frame.

Those are the elements that the European Union's Code of Practice on transparency of AI-generated content (10 June 2026,
section 2) gives to its icons: the capitalised letters ``AI`` as the main element, the second line that tells them
apart, one colour. The drawing is our own, from the font's letters; it is not the official artwork.
"""

from math import ceil
from typing import Final

from proxy.media.badge import LEGIBLE_INK, Mark
from proxy.media.drawing.block import Block, framed, line, stacked
from proxy.media.drawing.letters import pixels_for

_MAIN: Final = "AI"
# In parts of the height of AI.
_SECOND, _HIGHEST_SECOND, _GAP, _PADDING, _STROKE, _RADIUS = 0.26, 0.6, 0.3, 0.36, 0.08, 0.3


def mark_block(mark: Mark, font: bytes, ink: int) -> Block:
    """The mark, with ``AI`` at least ``ink`` pixels high and the second line legible, but always the lower one."""
    second = max(LEGIBLE_INK, ceil(ink * _SECOND))
    main = max(ink, ceil(second / _HIGHEST_SECOND))
    heights = ((_MAIN, main), (mark.upper(), second))
    lines = [line(font, words, pixels_for(font, words, height)) for words, height in heights]
    gap, padding, stroke, radius = (max(1, round(main * part)) for part in (_GAP, _PADDING, _STROKE, _RADIUS))
    return framed(stacked(lines, gap, "middle"), padding, stroke, radius)
