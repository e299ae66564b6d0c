"""A badge's greys in a palette, and a palette given up where they do not fit (PNG, third edition, colour type 3).

Law: no colour that the picture uses changes. Greys that are missing are added while the palette has room; a full
palette without them is drawn with as it is where it has colours that are dark and light enough; where it has not, its
indices take more bits, or the picture becomes truecolour, with alpha where it had transparent entries.
"""

from typing import NamedTuple

from proxy.media.luminance import luminance

# Sixteen greys draw smooth letters; two are enough to read them.
_STEPS = (16, 4, 2)
_CONTRAST = 7
_NEARLY_GREY = 32  # how far the samples of a colour lie apart, of 255


class Greys(NamedTuple):
    """How greys are drawn: the index for each of 256 levels, and the palette with what was added."""

    indices: bytes
    palette: bytes


def greys(palette: bytes, alphas: bytes, room: int) -> Greys | None:
    """The best greys that a palette can give with at most ``room`` entries; None without both black and white.

    ``palette`` is the PLTE chunk's data, three bytes to the entry, ``alphas`` the tRNS chunk's, one byte to the entry.
    """
    colours = [palette[at : at + 3] for at in range(0, len(palette), 3)]
    opaque = {colour: index for index, colour in enumerate(colours) if alphas[index : index + 1] in (b"", b"\xff")}
    if len(alphas) > len(colours):  # entries that were added would take on what is left over
        return None
    for steps in _STEPS:
        levels = [bytes((round(step * 255 / (steps - 1)),)) * 3 for step in range(steps)]
        missing = [level for level in levels if level not in opaque]
        if len(colours) + len(missing) <= room:
            known = opaque | {level: len(colours) + position for position, level in enumerate(missing)}
            nearest = (levels[round(level * (steps - 1) / 255)] for level in range(256))
            return Greys(bytes(known[level] for level in nearest), b"".join([*colours, *missing]))
    return None


def nearest(palette: bytes, alphas: bytes) -> bytes | None:
    """The index for each of 256 levels in a palette that stays as it is; the arguments are those of ``greys``.

    The darkest and the lightest opaque colour stand for black and white: None where their contrast is under 7:1 (WCAG
    2.2, success criterion 1.4.6). Between them only what is nearly grey is drawn with.
    """
    colours = [palette[at : at + 3] for at in range(0, len(palette), 3)]
    opaque = [index for index in range(len(colours)) if alphas[index : index + 1] in (b"", b"\xff")]
    by_light = sorted(opaque, key=lambda index: luminance(colours[index]))
    if not by_light:
        return None
    dark, light = by_light[0], by_light[-1]
    if luminance(colours[light]) + 0.05 < _CONTRAST * (luminance(colours[dark]) + 0.05):
        return None
    between = [index for index in opaque if max(colours[index]) - min(colours[index]) <= _NEARLY_GREY]
    known = {index: sum(colours[index]) / 3 for index in between} | {dark: 0, light: 255}
    return bytes(min(known, key=lambda index: abs(known[index] - level)) for level in range(256))


def channels(palette: bytes, alphas: bytes) -> list[bytes]:
    """The tables that turn indices into red, green, blue, and alpha where any entry is not opaque: 256 bytes each.

    An index beyond the palette is black, as decoders show it.
    """
    tables = [palette[channel::3].ljust(256, b"\0") for channel in range(3)]
    if alphas.strip(b"\xff"):
        tables.append(alphas.ljust(256, b"\xff")[:256])
    return tables


def promoted(kind: bytes, data: bytes, palette: bytes, alpha: bool) -> bytes | None:
    """A chunk that speaks of the palette, as it reads in a truecolour picture; None where it loses its meaning."""
    match kind:
        case b"PLTE" | b"tRNS" | b"hIST":
            return None
        case b"bKGD":
            colour = palette[3 * data[0] : 3 * data[0] + 3] if data else b""
            return b"".join(b"\0" + bytes((sample,)) for sample in colour) or None
        case b"sBIT":
            return data + b"\x08" if alpha else data
    return data
