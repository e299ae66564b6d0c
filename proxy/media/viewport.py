"""What an SVG picture shows of its own coordinates (SVG 2, sections 8.2, 8.6 and 8.9; CSS Values 4, section 6.2).

Law: one pixel is 1/96 inch. A length that depends on where the picture is put (per cent, ``em``, ``vw``), or that is
not written as the standard asks, is no length; then the viewBox gives the size, as browsers take it.
"""

import re
from collections.abc import Mapping
from math import isfinite
from typing import NamedTuple

from proxy.media.badge import Size
from proxy.media.errors import BadgeError, MediaError

LARGEST = 1e7  # pixels or user units

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?"
_LENGTH = re.compile(rf"\s*({_NUMBER})(px|in|cm|mm|q|pt|pc)?\s*", re.ASCII | re.IGNORECASE)
_PIXELS = {"": 1.0, "px": 1.0, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4, "q": 96 / 101.6, "pt": 96 / 72, "pc": 16.0}
_BETWEEN = r"(?:\s+,?\s*|,\s*)"
_VIEW_BOX = re.compile(rf"\s*({_NUMBER}){_BETWEEN}({_NUMBER}){_BETWEEN}({_NUMBER}){_BETWEEN}({_NUMBER})\s*", re.ASCII)
_ASPECT = re.compile(r"\s*(?:defer\s+)?(?:(none)|x(Min|Mid|Max)Y(Min|Mid|Max))(?:\s+(meet|slice))?\s*")
_ALIGNED = {"Min": 0.0, "Mid": 0.5, "Max": 1.0}

Pair = tuple[float, float]


class Viewport(NamedTuple):
    """What is shown: its width and height in pixels, and how user units lie in it.

    A point ``u`` of the user's coordinates is shown at ``(u - origin) * scale`` pixels from the left or the top, where
    ``origin`` is what the upper left corner shows. ``start`` and ``end`` are the corners, in pixels, of the part of the
    viewBox that is shown. ``absolute`` is false where the picture says no size, only a shape.
    """

    extent: Pair
    scale: Pair
    origin: Pair
    start: Pair
    end: Pair
    absolute: bool

    @property
    def size(self) -> Size:
        """Width and height in whole pixels."""
        return max(1, round(self.extent[0])), max(1, round(self.extent[1]))


def viewport(attributes: Mapping[str, str]) -> Viewport:
    """What a root element with these attributes shows.

    BadgeError where neither ``width`` and ``height`` nor ``viewBox`` give a size; MediaError where it is impossible.
    """
    across, down = _length(attributes.get("width", "")), _length(attributes.get("height", ""))
    box = _view_box(attributes.get("viewBox", ""))
    if box is None:
        if across is None or down is None:
            raise BadgeError("the SVG says no size: it has no viewBox, and its width and height are not absolute")
        extent = _possible(across, down)
        return Viewport(extent, (1.0, 1.0), (0.0, 0.0), (0.0, 0.0), extent, True)
    left, top, wide, high = box
    absolute = across is not None or down is not None
    if across is None:
        across = wide if down is None else down * wide / high
    if down is None:
        down = across * high / wide
    extent = _possible(across, down)
    scale, shift = _fitted(attributes.get("preserveAspectRatio", ""), extent, (wide, high))
    origin = (left - shift[0] / scale[0], top - shift[1] / scale[1])
    start = (max(0.0, shift[0]), max(0.0, shift[1]))
    end = (min(across, shift[0] + wide * scale[0]), min(down, shift[1] + high * scale[1]))
    return Viewport(extent, scale, origin, start, end, absolute)


def _fitted(aspect: str, extent: Pair, box: Pair) -> tuple[Pair, Pair]:
    """Pixels to the user unit, and where the viewBox begins, in pixels from the upper left corner."""
    said = _ASPECT.fullmatch(aspect)
    stretch = (extent[0] / box[0], extent[1] / box[1])
    if said is not None and said[1]:
        return stretch, (0.0, 0.0)
    one = max(stretch) if said is not None and said[4] == "slice" else min(stretch)
    along, upright = (_ALIGNED[said[2]], _ALIGNED[said[3]]) if said is not None else (0.5, 0.5)
    return (one, one), ((extent[0] - box[0] * one) * along, (extent[1] - box[1] * one) * upright)


def _length(text: str) -> float | None:
    said = _LENGTH.fullmatch(text)
    return None if said is None else float(said[1]) * _PIXELS[(said[2] or "").lower()]


def _view_box(text: str) -> tuple[float, float, float, float] | None:
    said = _VIEW_BOX.fullmatch(text)
    if said is None:
        return None
    left, top, wide, high = map(float, said.groups())
    if wide < 0 or high < 0:
        return None
    _possible(wide, high)
    if not (abs(left) <= LARGEST and abs(top) <= LARGEST):
        raise MediaError("the SVG's viewBox is impossibly far away")
    return left, top, wide, high


def _possible(across: float, down: float) -> Pair:
    if not (isfinite(across) and isfinite(down) and 1 / LARGEST < across <= LARGEST and 1 / LARGEST < down <= LARGEST):
        raise MediaError(f"the SVG has an impossible size, {across:g} x {down:g}")
    return across, down
