"""Letters and frames as outlines, for pictures that are made of them.

Law: a block's outlines are what its drawing shows: every glyph begins where the drawing's does. Outlines are written as
SVG's path data (SVG 2, section 9.3), to be filled by the nonzero rule.
"""

from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from typing import Any, Final, NamedTuple

from proxy.media.badge import Box
from proxy.media.drawing.block import Block, Frame, Line
from proxy.media.drawing.letters import face_of
from proxy.media.errors import MediaError

_KEPT_FONTS: Final = 2
_MISSING: Final = ".notdef"

Number = Callable[[float], str]


class Plane(NamedTuple):
    """How a block's plane lies on another: a point ``p`` of it at ``origin + p * unit``, across and down."""

    origin: tuple[float, float]
    unit: tuple[float, float]


def outlines(block: Block, font: bytes, plane: Plane, number: Number) -> str:
    """All pieces of a block, as path data; ``number`` writes a coordinate. The font is one that ``face_of`` reads."""
    return "".join(
        _line(piece, font, plane, number) if isinstance(piece, Line) else _frame(piece, plane, number)
        for piece in block.pieces
    )


def rectangle(box: Box, plane: Plane, number: Number) -> str:
    """A box, as path data."""
    left, top, right, bottom = (number(edge) for edge in _edges(box, plane))
    return f"M{left} {top}H{right}V{bottom}H{left}z"


def _line(line: Line, font: bytes, plane: Plane, number: Number) -> str:
    # Slow to import, and few pictures are made of outlines.
    from fontTools.pens.svgPathPen import SVGPathPen
    from fontTools.pens.transformPen import TransformPen

    glyphs, names, em = _letters(font)
    face = face_of(font, line.pixels)
    path = SVGPathPen(glyphs, number)
    across, down = (unit * line.pixels / em for unit in plane.unit)
    baseline = plane.origin[1] + line.baseline * plane.unit[1]
    for at, character in enumerate(line.words):
        left = plane.origin[0] + (line.left + face.getlength(line.words[:at])) * plane.unit[0]
        pen = TransformPen(path, (across, 0, 0, -down, left, baseline))
        glyphs[names.get(ord(character), _MISSING)].draw(pen)
    return str(path.getCommands())


def _frame(frame: Frame, plane: Plane, number: Number) -> str:
    """Two boxes with round corners, the inner one the other way round, which is what makes it a hole."""
    left, top, right, bottom = frame.box
    inner = (left + frame.width, top + frame.width, right - frame.width, bottom - frame.width)
    return _rounded(frame.box, frame.radius, plane, number, 1) + _rounded(
        inner, max(0, frame.radius - frame.width), plane, number, 0
    )


def _rounded(box: Box, radius: int, plane: Plane, number: Number, clockwise: int) -> str:
    left, top, right, bottom = _edges(box, plane)
    wide, high = (radius * unit for unit in plane.unit)
    corners = [  # where the straight edges begin and end, clockwise
        ((left + wide, top), (right - wide, top)),
        ((right, top + high), (right, bottom - high)),
        ((right - wide, bottom), (left + wide, bottom)),
        ((left, bottom - high), (left, top + high)),
    ]
    if not clockwise:
        corners = [(end, start) for start, end in reversed(corners)]
    arc = f"A{number(wide)} {number(high)} 0 0 {clockwise} "
    edges = (f"{number(start[0])} {number(start[1])}L{number(end[0])} {number(end[1])}" for start, end in corners)
    first = corners[0][0]
    return "M" + arc.join(edges) + f"{arc}{number(first[0])} {number(first[1])}z"


def _edges(box: Box, plane: Plane) -> tuple[float, float, float, float]:
    left, top, right, bottom = box
    (x, y), (across, down) = plane
    return x + left * across, y + top * down, x + right * across, y + bottom * down


@lru_cache(maxsize=_KEPT_FONTS)
def _letters(font: bytes) -> tuple[Any, dict[int, str], int]:
    """The font's glyphs by their names, the names by character, and how many of their units make an em.

    MediaError where its letters are no outlines (a font of bitmaps).
    """
    from fontTools.ttLib import TTFont, TTLibError

    try:
        face = TTFont(BytesIO(font), fontNumber=0, lazy=True)  # the number counts in collections
        return face.getGlyphSet(), face.getBestCmap() or {}, face["head"].unitsPerEm
    except (AssertionError, KeyError, TTLibError) as error:
        raise MediaError(f"the badge's font has no outlines to draw with: {error}") from None
