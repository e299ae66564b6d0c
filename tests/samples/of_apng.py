"""Animated PNG files, chunk by chunk: frames of every disposal and blending, in several forms."""

import struct
import zlib
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from of_png import ADAM7, FEW, FULL, chunk, indices, plte, rows
from parts import HEIGHT, WIDTH, Pixel, alpha, slopes

KEEP, BACKGROUND, PREVIOUS = range(3)
SOURCE, OVER = range(2)
WHOLE = (0, 0, WIDTH, HEIGHT)


class Frame(NamedTuple):
    """Left, top, width, height in pixels; what becomes of the region; how it is laid on the canvas."""

    region: tuple[int, int, int, int] = WHOLE
    dispose: int = KEEP
    blend: int = SOURCE


def animated(
    colour: int,
    depth: int,
    pixel: Pixel,
    *frames: Frame,
    before: bytes = b"",
    default: bool = False,
    interlaced: bool = False,
) -> bytes:
    """An APNG whose frames show ``pixel``, each moved a little; ``default`` puts a picture that is no frame first."""
    number = 0
    out = b"\x89PNG\r\n\x1a\n" + chunk(
        b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, colour, 0, 0, interlaced)
    )  # fmt: skip
    out += chunk(b"acTL", struct.pack(">II", len(frames), 0)) + before
    if default:
        out += chunk(b"IDAT", packed(pixel, depth, WHOLE, 0, interlaced))
    for at, (region, dispose, blend) in enumerate(frames):
        left, top, width, height = region
        out += chunk(b"fcTL", struct.pack(">5IHHBB", number, width, height, left, top, 1, 10, dispose, blend))
        number += 1
        samples = packed(pixel, depth, region, 7 * at, interlaced)
        if at == 0 and not default:
            out += chunk(b"IDAT", samples)
            continue
        for part in (samples[:20], samples[20:]):
            out += chunk(b"fdAT", struct.pack(">I", number) + part)
            number += 1
        out += chunk(b"tEXt", b"Comment\0between frames")
    return out + chunk(b"IEND", b"")


def packed(pixel: Pixel, depth: int, region: tuple[int, int, int, int], shift: int, interlaced: bool) -> bytes:
    left, top, width, height = region

    def moved(x: int, y: int) -> tuple[int, ...]:
        return pixel((left + x + shift) % WIDTH, (top + y + shift) % HEIGHT)

    passes = ADAM7 if interlaced else ((0, 1, 0, 1),)
    return zlib.compress(
        b"".join(rows(moved, depth, range(x, width, dx), range(y, height, dy)) for x, dx, y, dy in passes)
    )


MIXED = (
    Frame(dispose=KEEP),
    Frame((10, 5, 40, 30), PREVIOUS, OVER),
    Frame((50, 40, 46, 24), KEEP, SOURCE),  # under the badge in part
    Frame((60, 30, 36, 34), BACKGROUND, OVER),
    Frame((5, 5, 20, 20), KEEP, OVER),  # the badge is gone, and must come again
    Frame((0, 0, 10, 10), KEEP, OVER),
)
APART = (Frame((4, 4, 20, 20), BACKGROUND, OVER), Frame((30, 10, 20, 20), BACKGROUND, OVER), Frame((8, 30, 30, 30)))
OPAQUE = (Frame(dispose=BACKGROUND), *APART)
FEW_CLEAR = plte(*FEW, (0, 0, 0)) + chunk(b"tRNS", b"\xff\xff\xff\0")
FULL_CLEAR = plte(*FULL) + chunk(b"tRNS", b"\0\x80")

APNGS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "animated-rgba8": ("APNG, truecolour with alpha, all disposals", lambda: animated(6, 8, alpha(3, 8), *MIXED)),
    "animated-rgba16": ("APNG, the same in 16 bits", lambda: animated(6, 16, alpha(3, 16), *MIXED)),
    "animated-grey-alpha16": ("APNG, the same in grey", lambda: animated(4, 16, alpha(1, 16), *MIXED)),
    "animated-rgb8": ("APNG, truecolour", lambda: animated(2, 8, slopes(3, 8), *MIXED[:3])),
    "animated-grey4-key": (
        "APNG, grey of 4 bits, level 3 transparent",
        lambda: animated(0, 4, slopes(1, 4), *MIXED, before=chunk(b"tRNS", b"\0\3")),
    ),
    "animated-rgb16-key": (
        "APNG, truecolour of 16 bits, black transparent",
        lambda: animated(2, 16, slopes(3, 16), *MIXED, before=chunk(b"tRNS", bytes(6))),
    ),
    "animated-palette": (
        "APNG, palette of 4 bits with a transparent entry",
        lambda: animated(3, 4, indices(4), *MIXED, before=FEW_CLEAR),
    ),
    "animated-palette-full": (
        "APNG, palette of 8 bits, full, with transparent entries",
        lambda: animated(3, 8, indices(256), *MIXED[:5], before=FULL_CLEAR),
    ),
    **{
        f"animated-apart-{name}": (f"APNG, {what}, small frames that clear themselves", partial(animated, *form))
        for name, what, form in (
            ("grey4", "grey of 4 bits", (0, 4, slopes(1, 4), *OPAQUE)),
            ("grey16", "grey of 16 bits", (0, 16, slopes(1, 16), *(frame._replace(blend=SOURCE) for frame in OPAQUE))),
            ("rgb16", "truecolour of 16 bits", (2, 16, slopes(3, 16), *OPAQUE)),
        )
    },
    "animated-apart-palette": (
        "APNG, palette of 4 bits, one entry half transparent, small frames that clear themselves",
        lambda: animated(3, 4, indices(3), *OPAQUE, before=plte(*FEW) + chunk(b"tRNS", b"\xff\x80")),
    ),
    "animated-default": (
        "APNG, default image that is no frame, small frames that clear themselves",
        lambda: animated(6, 8, alpha(3, 8), *APART, default=True),
    ),
    "animated-palette-interlaced": (
        "APNG of one frame, palette of 8 bits, Adam7",
        lambda: animated(3, 8, indices(4), Frame(), before=FEW_CLEAR, interlaced=True),
    ),
}
