"""What follows the end of a picture in its file."""

from proxy.media.errors import BadgeError
from proxy.media.formats import find

_SIGNATURE = 32  # bytes: longer than any


def check(trailer: memoryview) -> None:
    """BadgeError where another picture follows."""
    if find(bytes(trailer[:_SIGNATURE])) is not None:
        raise BadgeError("another picture follows the picture, and it would stay without a badge")
