"""Blocks: letters and frames set on a plane, as geometry, and their drawing.

Law: what the eye measures by is a block's body: capitals, ideographs and frames from top to bottom. Accents and the
tails of lower-case letters hang over it. Blocks are set, centred and spaced by their bodies, and never touch.

A block is cheap to keep, its drawing is not. The plane's unit is the pixel, its y grows downwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from PIL import Image, ImageDraw

from proxy.media.badge import Box, Size
from proxy.media.drawing.letters import counted_letters, extent, face_of

Side = Literal["left", "middle", "right"]

_FINENESS = 4  # frames are drawn larger, to have smooth edges


class Line(NamedTuple):
    """Words on one baseline, at ``pixels`` to the em."""

    words: str
    pixels: int
    left: int
    baseline: int


class Frame(NamedTuple):
    """A frame with round corners; ``width`` is that of its stroke, which lies inside ``box``."""

    box: Box
    width: int
    radius: int


@dataclass(frozen=True, slots=True)
class Block:
    """Pieces, the box of their bodies, and that of all their ink."""

    body: Box
    ink: Box
    pieces: tuple[Line | Frame, ...]


def moved(block: Block, across: int, down: int) -> Block:
    """The block at another place."""
    pieces = tuple(
        piece._replace(left=piece.left + across, baseline=piece.baseline + down)
        if isinstance(piece, Line)
        else piece._replace(box=_shifted(piece.box, across, down))
        for piece in block.pieces
    )
    return Block(_shifted(block.body, across, down), _shifted(block.ink, across, down), pieces)


def line(font: bytes, words: str, pixels: int) -> Block:
    """Words on one baseline, which is at 0."""
    face = face_of(font, pixels)
    ink = extent(face, words)
    _, top, _, bottom = face.getbbox(counted_letters(font, words) or words, anchor="ls")
    return Block((ink[0], round(top), ink[2], round(bottom)), ink, (Line(words, pixels, 0, 0),))


def framed(block: Block, padding: int, width: int, radius: int) -> Block:
    """The block in a frame that stands ``padding`` away from its body."""
    box = grown(block.body, padding + width, padding + width)
    return Block(box, union(box, block.ink), (*block.pieces, Frame(box, width, radius)))


def stacked(blocks: Sequence[Block], gap: int, side: Side) -> Block:
    """Blocks one under another, ``gap`` between their bodies, flush on a side or centred."""
    whole, *rest = blocks
    for block in rest:
        down = max(whole.body[3] + gap - block.body[1], whole.ink[3] + _clearance(gap) - block.ink[1])
        whole = _joined(whole, moved(block, _flush(whole.body, block.body, side), down))
    return whole


def beside(block: Block, other: Block, gap: int) -> Block:
    """Another block to the right, ``gap`` from body to body, at the same middle height."""
    down = (block.body[1] + block.body[3] - other.body[1] - other.body[3]) // 2
    return _joined(block, moved(other, block.body[2] + gap - other.body[0], down))


def drawn(block: Block, font: bytes, box: Box, spread: int) -> Image.Image:
    """What of the plane is in ``box``, as coverage (mode L), every stroke ``spread`` wider on each side."""
    canvas = Image.new("L", (box[2] - box[0], box[3] - box[1]), 0)
    pen = ImageDraw.Draw(canvas)
    for piece in block.pieces:
        if isinstance(piece, Line):
            at = (piece.left - box[0], piece.baseline - box[1])
            face = face_of(font, piece.pixels)
            pen.text(at, piece.words, fill=255, font=face, anchor="ls", stroke_width=spread)
        else:
            outer = grown(piece.box, spread, spread)
            size = outer[2] - outer[0], outer[3] - outer[1]
            canvas.paste(255, (outer[0] - box[0], outer[1] - box[1]), _frame(piece, size, spread))
    return canvas


def grown(box: Box, across: int, down: int) -> Box:
    """A box that is so much larger on each side."""
    return box[0] - across, box[1] - down, box[2] + across, box[3] + down


def union(box: Box, other: Box) -> Box:
    """The box around two."""
    return min(box[0], other[0]), min(box[1], other[1]), max(box[2], other[2]), max(box[3], other[3])


def _frame(frame: Frame, size: Size, spread: int) -> Image.Image:
    """A frame that fills ``size``, as coverage."""
    width, height = (_FINENESS * length for length in size)
    large = Image.new("L", (width, height), 0)
    ImageDraw.Draw(large).rounded_rectangle(
        (0, 0, width - 1, height - 1),
        radius=_FINENESS * (frame.radius + spread),
        outline=255,
        width=_FINENESS * (frame.width + 2 * spread),
    )
    return large.reduce(_FINENESS)


def _joined(block: Block, other: Block) -> Block:
    return Block(union(block.body, other.body), union(block.ink, other.ink), (*block.pieces, *other.pieces))


def _flush(whole: Box, box: Box, side: Side) -> int:
    if side == "left":
        return whole[0] - box[0]
    return whole[2] - box[2] if side == "right" else (whole[0] + whole[2] - box[0] - box[2]) // 2


def _clearance(gap: int) -> int:
    return gap // 4 + 1


def _shifted(box: Box, across: int, down: int) -> Box:
    return box[0] + across, box[1] + down, box[2] + across, box[3] + down
