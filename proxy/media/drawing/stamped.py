"""What drawing gives out."""

from dataclasses import dataclass

from proxy.media.badge import Box


@dataclass(frozen=True, slots=True)
class Stamped:
    """A picture with its badge, and where that stands in stored pixels: left, top, right, bottom (exclusive)."""

    data: bytes
    box: Box
