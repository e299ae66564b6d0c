"""A badge's greys in the colour table of one picture of a GIF.

Law: no colour that the picture shows changes, and no pixel's index. Greys that are missing take entries that the
picture does not use, in the table or beyond its end; where there are none left, the darkest and the lightest colour of
the table stand for black and white, and others for what is between, if their contrast is enough to read by.
"""

from collections.abc import Collection
from functools import lru_cache
from math import dist
from typing import NamedTuple

from proxy.media.errors import BadgeError
from proxy.media.luminance import luminance

ENTRIES = 256

# Sixteen greys draw smooth letters; two are enough to read them.
_STEPS = (16, 4, 2)
# WCAG 2.2, success criterion 1.4.3.
_CONTRAST = 4.5
_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)


class Fitted(NamedTuple):
    """How a badge is drawn: the index for each of 256 levels, the table (three bytes an entry), what is transparent."""

    indices: bytes
    table: bytes
    transparent: int | None


def fitted(table: bytes, used: Collection[int], transparent: int | None, filler: bool = False) -> Fitted:
    """The best greys that a table can give to a picture that uses the entries ``used`` outside of its badge.

    With ``filler`` there is a transparent entry too. The table is the same, or another whose size is a power of two.
    BadgeError where there is no entry for what is transparent, or not enough contrast.
    """
    colours = [table[at : at + 3] for at in range(0, len(table), 3)]
    # What an entry beyond the end looks like is the viewer's choice: it must stay beyond the end.
    room = len(colours) if any(index >= len(colours) for index in used) else ENTRIES
    free = [index for index in range(room) if index not in used and index != transparent]
    if filler and transparent is None:
        if not free:
            raise BadgeError("a frame of the GIF uses every colour of its table: nothing in it can be transparent")
        transparent = free.pop(0)
        colours += [bytes(3)] * (transparent + 1 - len(colours))
    opaque = {colour: index for index, colour in enumerate(colours) if index != transparent}
    added: dict[bytes, int] = {}
    for steps in _STEPS:
        levels = [bytes((round(step * 255 / (steps - 1)),)) * 3 for step in range(steps)]
        known = {opaque[level] for level in levels if level in opaque}
        spare = [index for index in free if index not in known]
        missing = [level for level in levels if level not in opaque]
        if len(missing) <= len(spare):
            added = dict(zip(missing, spare, strict=False))
            break
    table = _with(colours, added)
    return Fitted(_ramp(table, transparent), table, transparent)


@lru_cache(maxsize=64)
def _ramp(table: bytes, transparent: int | None) -> bytes:
    """For each of 256 levels the index of what is nearest to it on the way from the darkest colour to the lightest."""
    colours = enumerate(zip(table[::3], table[1::3], table[2::3], strict=True))
    opaque: dict[tuple[float, ...], int] = {colour: index for index, colour in colours if index != transparent}
    dark = _BLACK if _BLACK in opaque else min(opaque, key=luminance)
    light = _WHITE if _WHITE in opaque else max(opaque, key=luminance)
    if (luminance(light) + 0.05) / (luminance(dark) + 0.05) < _CONTRAST:
        raise BadgeError("a frame of the GIF has no room for black and white, and no two colours that are legible")
    steps = _STEPS[0]
    nearest = []
    for step in range(steps):
        wanted = tuple(low + (high - low) * step / (steps - 1) for low, high in zip(dark, light, strict=True))
        exact = wanted if wanted in opaque else min(opaque, key=lambda colour: dist(colour, wanted))
        nearest.append(opaque[exact])
    return bytes(nearest[round(level * (steps - 1) / 255)] for level in range(256))


def _with(colours: list[bytes], added: dict[bytes, int]) -> bytes:
    """A table with more colours, filled up with black to a power of two."""
    size = max(2, len(colours), *(index + 1 for index in added.values()))
    entries = colours + [bytes(3)] * ((1 << (size - 1).bit_length()) - len(colours))
    for colour, index in added.items():
        entries[index] = colour
    return b"".join(entries)
