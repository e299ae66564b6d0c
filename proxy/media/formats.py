"""Every format that can be labelled, in one list; the order is that of ``find``."""

from proxy.media import jpeg, png
from proxy.media.format import Format

FORMATS: tuple[Format, ...] = (png, jpeg)


def find(data: bytes) -> Format | None:
    """The format whose signature ``data`` begins with, whatever the file is called or declared to be."""
    return next((found for found in FORMATS if found.sniff(data)), None)
