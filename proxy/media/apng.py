"""Animated PNG (PNG, third edition, sections 11.3.6 and 12.2): which chunks make up which frame.

Law: an animation is whole or it is an error: as many frames as ``acTL`` says, numbered in order, each with samples and
on the canvas. Without ``acTL`` before the picture there is no animation, whatever else is there.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from proxy.media.badge import Box, Size
from proxy.media.errors import MediaError
from proxy.media.frames import Dispose

CHUNKS = frozenset((b"acTL", b"fcTL", b"fdAT"))
NUMBER_BYTES = 4  # the sequence number that opens fcTL and fdAT

_CONTROL = struct.Struct(">IIIIIHHBB")  # number, width, height, left, top, delay, its unit, disposal, blending
_DISPOSALS: tuple[Dispose, ...] = ("keep", "background", "previous")
_OVER = 1


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame, or the default image that is none: where it stands, and its chunks by their places in the file."""

    region: Box
    control: int | None
    """The place of its ``fcTL``; None for a default image that is no frame."""
    dispose: Dispose = "keep"
    blends: bool = False
    """Whether it is laid over what the canvas shows, not put in its place."""
    samples: list[int] = field(default_factory=list)
    """The places of its ``IDAT`` or ``fdAT`` chunks."""


def animation(canvas: Size, chunks: Sequence[tuple[bytes, memoryview]]) -> list[Picture]:
    """The pictures of an animation in the order of the file; none where there is no animation.

    ``canvas`` is the size that the header gives, ``chunks`` the type and data of every chunk. MediaError where the
    animation is not whole.
    """
    kinds = [kind for kind, _ in chunks]
    first = kinds.index(b"IDAT")
    if b"acTL" not in kinds[:first]:
        return []
    pictures: list[Picture] = []
    number = 0
    for place, (kind, data) in enumerate(chunks):
        if kind in (b"fcTL", b"fdAT"):
            if len(data) < NUMBER_BYTES or int.from_bytes(data[:NUMBER_BYTES]) != number:
                raise MediaError("the PNG's animation is damaged: its frames are not numbered in order")
            number += 1
        if kind == b"fcTL":
            if pictures and not pictures[-1].samples:
                raise MediaError("the PNG's animation has a frame without samples")
            pictures.append(_picture(canvas, place, data))
        elif kind == b"IDAT":
            if place == first and not pictures:
                pictures.append(Picture((0, 0, *canvas), None))
            pictures[-1].samples.append(place)
        elif kind == b"fdAT":
            if place < first or pictures[-1].samples[:1] == [first]:
                raise MediaError("the PNG's animation has samples that belong to no frame")
            pictures[-1].samples.append(place)
    frames = [picture for picture in pictures if picture.control is not None]
    if kinds.count(b"acTL") != 1 or chunks[kinds.index(b"acTL")][1][:4] != len(frames).to_bytes(4) or not frames:
        raise MediaError(f"the PNG's animation has {len(frames)} frames, not as many as it says")
    if not pictures[-1].samples or pictures[0].region != (0, 0, *canvas):
        raise MediaError("the PNG's animation has a frame without samples, or a default image of another size")
    return pictures


def control_data(old: memoryview, number: int, region: Box, blends: bool) -> bytes:
    """The data of an ``fcTL`` chunk with another sequence number, region and blending."""
    left, top, right, bottom = region
    return struct.pack(">5I", number, right - left, bottom - top, left, top) + bytes(old[20:-1]) + bytes((blends,))


def _picture(canvas: Size, place: int, data: memoryview) -> Picture:
    if len(data) != _CONTROL.size:
        raise MediaError("the PNG's animation has a frame control chunk of a wrong length")
    _, width, height, left, top, _, _, dispose, blend = _CONTROL.unpack(data)
    if not (width and height and left + width <= canvas[0] and top + height <= canvas[1]):
        raise MediaError("the PNG's animation has a frame that does not lie on its canvas")
    if dispose >= len(_DISPOSALS) or blend > _OVER:
        raise MediaError("the PNG's animation has a disposal or blending that the standard does not know")
    return Picture((left, top, left + width, top + height), place, _DISPOSALS[dispose], blend == _OVER)
