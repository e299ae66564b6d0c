"""Photoshop's image resources, as JPEG and TIFF carry them (Adobe Photoshop File Formats, "Image Resources Section").

Law: nothing is moved, and nothing is believed that does not lie within the resources.

A resource is ``8BIM``, a number, a name (one byte of length, then that many), a length and the data; name and data take
an even number of bytes.
"""

from proxy.media.tags import Span

_SIGNATURE = b"8BIM"
_THUMBNAILS = frozenset((1033, 1036))


def thumbnails(resources: bytes) -> list[Span]:
    """Where the data of each thumbnail stands; what follows a damaged resource is not looked at."""
    found = []
    position = 0
    while resources.startswith(_SIGNATURE, position) and position + 12 <= len(resources):
        number = int.from_bytes(resources[position + 4 : position + 6])
        length_at = position + 6 + (resources[position + 6] + 2) // 2 * 2
        start = length_at + 4
        end = start + int.from_bytes(resources[length_at:start])
        if start > len(resources) or end > len(resources):
            break
        if number in _THUMBNAILS:
            found.append((start, end))
        position = end + (end - start) % 2
    return found
