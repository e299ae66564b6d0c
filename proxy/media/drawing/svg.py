"""The badge on an SVG: outlines on a plate, as the last child of the root, above all else.

Law: it stands in that part of the viewBox that is shown, as high as on any other picture; whatever the document's own
styles say of paths and groups, they do not reach it. All else is kept byte for byte, but C2PA manifests.

A picture that says its shape alone (a viewBox) is drawn at whatever size it is put into, so that nothing is too small.
"""

from collections.abc import Callable, Iterable
from math import ceil, floor, log10
from typing import Final
from xml.sax.saxutils import quoteattr

from proxy.media import svg
from proxy.media.badge import Badge, Box, ink_height, place
from proxy.media.drawing.composition import compose, plate_box
from proxy.media.drawing.outlines import Plane, outlines, rectangle
from proxy.media.drawing.stamped import Stamped
from proxy.media.errors import BadgeError
from proxy.media.viewport import Viewport, viewport

# The badge is composed with letters so high, in pixels of its own, and then made as large as it is to be: at few pixels
# fonts are hinted, which is for the grid of pixels that an SVG does not have.
_COMPOSED_INK: Final = 200
_UNSEEN: Final = 1 / 256  # of a pixel

# An inline style that is important yields to no stylesheet and to no animation (CSS Cascade 5, sections 6.1 and 6.2).
_FIRM: Final = {
    "display": "inline",
    "visibility": "visible",
    "opacity": "1",
    "filter": "none",
    "clip-path": "none",
    "mask": "none",
    "mix-blend-mode": "normal",
    "transform": "none",
    "translate": "none",
    "rotate": "none",
    "scale": "none",
    "offset-path": "none",
    "animation": "none",
    "transition": "none",
    "fill-opacity": "1",
    "fill-rule": "nonzero",
    "stroke": "none",
}


def stamp(data: bytes, badge: Badge, font: bytes, max_pixels: int) -> Stamped:
    """See ``stamp.Painter``. Nothing is decoded, so that there are no pixels to bound.

    The badge has a plate, whatever ``badge.backing`` asks for: what lies beneath is not known. BadgeError where the
    document says no size, neither an absolute one nor a viewBox.
    """
    data, root = svg.without_manifest(data)
    shown = viewport(root.attributes)
    ink = ink_height(badge, shown.size) if shown.absolute else badge.height * min(shown.extent)
    # The second line of a mark has a least height in pixels, which are those of the picture.
    composed = ceil(ink) if badge.mark and shown.absolute and ink < _COMPOSED_INK else _COMPOSED_INK
    grain = ink / composed  # pixels of the picture to the pixel of the composition
    seen = (shown.end[0] - shown.start[0], shown.end[1] - shown.start[1])
    room = (floor(seen[0] / grain), floor(seen[1] / grain))
    block = compose(badge, font, composed, room)
    plate = plate_box(block, composed)
    needed = (plate[2] - plate[0], plate[3] - plate[1])
    if needed[0] > room[0] or needed[1] > room[1]:
        raise BadgeError(
            f"an SVG that shows {seen[0]:g} x {seen[1]:g} pixels is too small for a legible badge: "
            f"{badge.words!r} takes {needed[0] * grain:g} x {needed[1] * grain:g}"
        )
    box = place(badge, composed, needed, room)
    plane = Plane(
        (
            shown.origin[0] + (shown.start[0] + (box[0] - plate[0]) * grain) / shown.scale[0],
            shown.origin[1] + (shown.start[1] + (box[1] - plate[1]) * grain) / shown.scale[1],
        ),
        (grain / shown.scale[0], grain / shown.scale[1]),
    )
    number = _number(min(plane.unit))
    shapes = (
        (rectangle(plate, plane, number), "#000"),
        (outlines(block, font, plane, number), "#fff"),
    )
    element = _group(badge.words, shapes, root.prefix.decode())
    return Stamped(svg.with_child(data, root, element), _pixels(box, grain, shown))


def _group(words: str, shapes: Iterable[tuple[str, str]], prefix: str) -> bytes:
    """The shapes, each a path and its colour, as one element that says its words to those who cannot see it."""
    said = quoteattr("".join(filter(str.isprintable, words)))
    paths = (
        # Beside the style stands the attribute, for readers that do not understand the style.
        f'<{prefix}path d="{path}" fill="{colour}" style="{_style(fill=colour)}"/>'
        for path, colour in shapes
    )
    return f'<{prefix}g role="img" aria-label={said} style="{_style()}">{"".join(paths)}</{prefix}g>'.encode()


def _style(**more: str) -> str:
    return ";".join(f"{name}:{value}!important" for name, value in {**_FIRM, **more}.items())


def _number(unit: float) -> Callable[[float], str]:
    """How coordinates are written: to a quarter of a pixel of the composition."""
    digits = max(0, ceil(-log10(unit / 4)))

    def written(value: float) -> str:
        text = f"{value:.{digits}f}"
        text = text.rstrip("0").rstrip(".") if digits else text
        return "0" if text == "-0" else text

    return written


def _pixels(box: Box, grain: float, shown: Viewport) -> Box:
    """Where the plate stands, in whole pixels of the picture, as far as it is seen to cover any of one."""
    (left, top), (right, bottom) = (
        tuple(begin + edge * grain for begin, edge in zip(shown.start, corner, strict=True))
        for corner in (box[:2], box[2:])
    )
    width, height = shown.size
    left, top, right, bottom = (
        floor(left + _UNSEEN),
        floor(top + _UNSEEN),
        ceil(right - _UNSEEN),
        ceil(bottom - _UNSEEN),
    )
    return left, top, min(width, right), min(height, bottom)
