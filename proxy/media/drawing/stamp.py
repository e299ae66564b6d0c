"""Drawing: the badge on the pixels of any format. With its room the only door to Pillow.

Law: outside the badge's box nothing about the picture changes: size, format, colours, alpha, bit depth, metadata. In
lossless formats every other pixel is the same; in lossy ones, which are compressed anew with their own settings, nearly
so. A picture is read whole or it is an error, and nothing is decoded before its size is known to be within the bound.
"""

from typing import Final, Protocol

from proxy.media import avif, gif, jpeg, png, svg, tiff, webp
from proxy.media.badge import Badge
from proxy.media.drawing import avif as draw_avif
from proxy.media.drawing import gif as draw_gif
from proxy.media.drawing import jpeg as draw_jpeg
from proxy.media.drawing import png as draw_png
from proxy.media.drawing import svg as draw_svg
from proxy.media.drawing import tiff as draw_tiff
from proxy.media.drawing import webp as draw_webp
from proxy.media.drawing.stamped import Stamped
from proxy.media.errors import BadgeError, MediaError
from proxy.media.format import Format
from proxy.media.formats import find


class Painter(Protocol):
    """A module that draws on one format."""

    def stamp(self, data: bytes, badge: Badge, font: bytes, max_pixels: int) -> Stamped:
        """The file with its badge. ``max_pixels`` bounds what is decoded, all frames together: MediaError above it.

        BadgeError where a sound file cannot carry the badge.
        """


PAINTERS: Final[tuple[tuple[Format, Painter], ...]] = (
    (png, draw_png),
    (jpeg, draw_jpeg),
    (gif, draw_gif),
    (svg, draw_svg),
    (webp, draw_webp),
    (avif, draw_avif),
    (tiff, draw_tiff),
)


def stamp(data: bytes, badge: Badge, font: bytes, max_pixels: int) -> Stamped:
    """Draw the badge on a picture; the format, and everything that ``write`` would keep, stays.

    MediaError where the picture is broken or has more than ``max_pixels`` pixels; BadgeError where it is sound, but too
    small for legible words, or in a form that nothing here can decode.
    """
    for found, painter in PAINTERS:
        if found.sniff(data):
            width, height = found.size(data)
            if width * height > max_pixels:
                raise MediaError(f"a picture of {width} x {height} pixels is over the limit of {max_pixels} pixels")
            return painter.stamp(data, badge, font, max_pixels)
    unpainted = find(data)
    if unpainted is None:
        raise MediaError("not a picture of any format that is known here")
    unpainted.has_manifest(data)  # a broken file is told as such
    raise BadgeError(f"no badge can be drawn on {unpainted.TYPES[0]}: nothing here decodes it")
