"""Animations as geometry: which frames a badge must be painted on, and where, so that every frame shows it whole.

Law: drawn as planned, every frame shows what it showed before, with the whole badge over it and nothing else changed. A
frame that finds the badge on the canvas is painted only where it covers it; one that does not takes in the badge's box.
Where that would take away more of the canvas than the frame does, the frame is composed: it holds the finished picture.
A painter that cannot do so gets a BadgeError, never a frame without its badge.

The disposals are those of GIF 89a section 23, APNG's ``fcTL`` (PNG, third edition, section 11.3.6.2) and WebP's
``ANMF``. The canvas begins transparent and empty, each time that the animation plays. A plan is for a badge that
nothing shows through, so that what lies under it is of no account.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from proxy.media.badge import Box, Size
from proxy.media.errors import BadgeError, MediaError

Dispose = Literal["keep", "background", "previous"]

_NOWHERE: Box = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as the file has it: its region of the canvas in pixels, and what becomes of that when its time is over.

    ``background`` makes the region transparent, ``previous`` what it was before the frame. ``replaces`` says that the
    frame's transparent pixels take the place of what is under them; without it they let that show. A frame of opaque
    pixels only does the same either way, and is better planned without.
    """

    region: Box
    dispose: Dispose
    replaces: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Step:
    """A frame as it is to be written: its new region, which the old one is a part of, and how it is to be disposed of.

    Where ``paint`` is set, the badge covers what its box and the region share; what the region has beyond the old one
    and the badge is transparent, and laid over the canvas if the frame was. Where ``composed`` is set, too, the region
    holds all that was to be seen there of the whole canvas with this frame, and takes the place of what is under it.
    Without ``paint`` the frame stays as it is.
    """

    region: Box
    paint: bool
    dispose: Dispose
    composed: bool = False


def plan(frames: Sequence[Frame], box: Box, canvas: Size, grid: int = 1, compose: bool = False) -> list[Step]:
    """A step for each frame, so that all show the badge in ``box``; new left and top edges are multiples of ``grid``.

    MediaError where a region is empty or goes beyond the canvas. Without ``compose`` no step is composed; BadgeError
    where a frame would have to be.
    """
    steps: list[Step] = []
    # What is said of the canvas holds before each frame, and not for the box.
    covered = False  # the canvas shows the whole badge
    filled = _NOWHERE  # outside it the canvas is empty
    stale = _NOWHERE  # here it shows what should have been cleared
    for number, frame in enumerate(frames, 1):
        if not _shared(frame.region, (0, 0, *canvas)) == frame.region != _NOWHERE:
            raise MediaError(f"frame {number} of the animation does not lie on its canvas")
        clears = frame.dispose == "background"
        region = _around(frame.region, stale)
        if not covered:
            left, top, right, bottom = _around(region, box)
            region = (left - left % grid, top - top % grid, right, bottom)
        harms = _overlap_beyond(region, filled, frame.region, box)
        composed = area(stale) > 0 or (harms and (clears or frame.replaces))
        if composed and not compose:
            raise BadgeError(
                f"frame {number} of the animation cannot show the whole badge and leave the rest of it as it is"
            )
        met = not covered or area(_shared(region, box)) > 0
        late = clears and harms  # the next frame does what this one's disposal cannot
        dispose: Dispose = "keep" if late else frame.dispose
        steps.append(Step(region, met or composed, dispose, composed))
        if dispose != "previous":
            covered = dispose == "keep" or (covered and not met)
            stale = frame.region if late else _NOWHERE
        if frame.dispose == "keep":
            filled = _around(filled, frame.region)
        elif clears and _shared(filled, frame.region) == filled:
            filled = _NOWHERE
    return steps


def _overlap_beyond(region: Box, filled: Box, own: Box, box: Box) -> bool:
    """Whether ``region`` meets ``filled`` anywhere outside ``own`` and ``box``."""
    met = _shared(region, filled)
    in_own, in_box = _shared(met, own), _shared(met, box)
    return area(met) > area(in_own) + area(in_box) - area(_shared(in_own, in_box))


def _around(one: Box, other: Box) -> Box:
    """The least box that holds both; an empty one holds nothing."""
    if not area(one) or not area(other):
        return one if area(one) else other
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _shared(one: Box, other: Box) -> Box:
    """What both hold, all zeros where that is nothing."""
    left, top, right, bottom = (
        max(one[0], other[0]),
        max(one[1], other[1]),
        min(one[2], other[2]),
        min(one[3], other[3]),
    )
    return (left, top, right, bottom) if left < right and top < bottom else _NOWHERE


def area(box: Box) -> int:
    """How many pixels a box holds."""
    return (box[2] - box[0]) * (box[3] - box[1])
