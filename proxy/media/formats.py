"""Every format that can be labelled, in one list; the order is that of ``find``."""

from proxy.media import avif, bmp, gif, heif, jpeg, jxl, png, svg, tiff, webp
from proxy.media.format import Convertible, Format

FORMATS: tuple[Format, ...] = (png, jpeg, gif, tiff, webp, avif, heif, jxl, svg)

# These have no place for a label: they are converted, or nothing is done to them. Policies call them by these names.
CONVERTIBLE: dict[str, Convertible] = {"bmp": bmp}


def find(data: bytes) -> Format | None:
    """The format whose signature ``data`` begins with, whatever the file is called or declared to be."""
    return next((found for found in FORMATS if found.sniff(data)), None)
