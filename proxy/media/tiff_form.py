"""How a page of a TIFF stores its samples (TIFF 6.0, sections 3 to 8, 14 and 15), and what the badge's greys are in it.

Law: a form is one that can be drawn on without loss in the rest, or BadgeError names what stands against it. Samples
are whole numbers of 1, 2, 4, 8 or 16 bits, all of a page of the same; the codings are those that pack bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from proxy.media.badge import Box, Size
from proxy.media.errors import BadgeError, MediaError
from proxy.media.tags import Layout
from proxy.media.tiff import Page

MAX_SAMPLES = 8

NONE, LZW, DEFLATE, DEFLATE_OLD, PACKBITS = 1, 5, 8, 32946, 32773
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, SEPARATED = 0, 1, 2, 3, 5

_CODINGS = {
    2: "CCITT", 3: "CCITT group 3", 4: "CCITT group 4", 6: "old JPEG", 7: "JPEG", 34712: "JPEG 2000", 34887: "LERC",
    34925: "LZMA", 50000: "Zstandard", 50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL",
}  # fmt: skip
_COLOURS = {
    4: "a transparency mask", 6: "YCbCr", 8: "CIELab", 9: "ICCLab", 10: "ITULab", 32803: "a camera's raw samples",
    32844: "LogL", 32845: "LogLuv", 34892: "a camera's raw samples", 51177: "depth",
}  # fmt: skip
_DEPTHS = {
    WHITE_IS_ZERO: (1, 2, 4, 8, 16),
    BLACK_IS_ZERO: (1, 2, 4, 8, 16),
    RGB: (8, 16),
    PALETTE: (1, 2, 4, 8),
    SEPARATED: (8, 16),
}
_CHANNELS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, SEPARATED: 4}

_BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 258, 259, 262, 266
_SAMPLES, _ROWS, _PLANAR, _PREDICTOR, _TILE_WIDTH, _TILE_HEIGHT = 277, 278, 284, 317, 322, 323
_INK_SET, _SAMPLE_FORMAT, _STRIPS, _TILES = 332, 339, 273, 324


@dataclass(frozen=True, slots=True)
class Form:
    """How a page is stored.

    ``size`` and ``block``, that of a strip or tile, are pixels; ``depth`` is bits to the sample, ``samples`` counts
    those of a pixel; with ``planes`` each of them has strips or tiles of its own; with ``differences`` a sample is
    stored as its difference from the one to its left (section 14).
    """

    layout: Layout
    size: Size
    block: Size
    tiled: bool
    depth: int
    photometric: int
    samples: int
    compression: int
    differences: bool
    planes: bool

    @property
    def channels(self) -> int:
        """The samples that are colour; the others of a pixel are alpha, or unknown."""
        return _CHANNELS[self.photometric]

    @property
    def step(self) -> int:
        """The samples that make a pixel in a strip or tile."""
        return 1 if self.planes else self.samples

    @property
    def row_bytes(self) -> int:
        """The bytes of a row in a strip or tile."""
        return (self.block[0] * self.step * self.depth + 7) // 8

    @property
    def mixes(self) -> bool:
        """Whether new pixels can be mixed from old ones: opaque grey or RGB of 8 bits."""
        plain = self.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB)
        return plain and self.depth == 8 and self.samples == self.channels

    def table(self, sample: int) -> list[int]:
        """What each of 256 grey levels is in a sample: inverted where white is zero, full where it is alpha."""
        top = (1 << self.depth) - 1
        values = [round(level * top / 255) for level in range(256)]
        if sample >= self.channels:
            return [top] * 256
        if self.photometric == SEPARATED:
            return [0] * 256 if sample < 3 else values[::-1]
        return values[::-1] if self.photometric == WHITE_IS_ZERO else values

    @property
    def pixels(self) -> int:
        """How many pixels the strips or tiles hold, those beyond the picture's edges too."""
        across, down = self._grid()
        return across * self.block[0] * down * self.block[1]

    def count(self) -> int:
        """How many strips or tiles there are."""
        across, down = self._grid()
        return across * down * (self.samples if self.planes else 1)

    def regions(self, box: Box) -> Iterator[tuple[int, int, Box]]:
        """The strips or tiles that a box touches: each one's number, its plane, and the pixels that it holds."""
        left, top, right, bottom = box
        wide, high = self.block
        across, down = self._grid()
        for plane in range(self.samples if self.planes else 1):
            for y in range(top // high, -(-bottom // high)):
                for x in range(left // wide, -(-right // wide)):
                    # The last strip is cut off at the edge; tiles are always whole (section 15).
                    end = (y + 1) * high if self.tiled else min((y + 1) * high, self.size[1])
                    region = (x * wide, y * high, (x + 1) * wide, end)
                    yield (plane * down + y) * across + x, plane, region

    def _grid(self) -> Size:
        return -(-self.size[0] // self.block[0]), -(-self.size[1] // self.block[1])


def form(page: Page) -> Form:
    """The form of a page. BadgeError where nothing can be drawn on it, MediaError where it is impossible."""
    photometric, compression = page.number(_PHOTOMETRIC, BLACK_IS_ZERO), page.number(_COMPRESSION, NONE)
    if photometric not in _DEPTHS:
        raise BadgeError(f"no badge can be drawn on a TIFF that holds {_COLOURS.get(photometric, 'unknown colours')}")
    if compression not in (NONE, LZW, DEFLATE, DEFLATE_OLD, PACKBITS):
        coding = _CODINGS.get(compression, f"the compression {compression}")
        raise BadgeError(f"no badge can be drawn on a TIFF that is packed with {coding}")
    samples, depths = page.number(_SAMPLES, 1), set(page.numbers(_BITS) or (1,))
    if set(page.numbers(_SAMPLE_FORMAT)) - {1, 4} or depths - set(_DEPTHS[photometric]) or len(depths) > 1:
        raise BadgeError("no badge can be drawn on a TIFF with samples of this type and depth")
    (depth,) = depths
    extra = samples - _CHANNELS[photometric]
    if extra < 0 or (extra and (photometric == PALETTE or depth < 8)) or samples > MAX_SAMPLES:
        raise BadgeError(f"no badge can be drawn on a TIFF with {samples} samples to the pixel in these colours")
    if photometric == SEPARATED and page.number(_INK_SET, 1) != 1:
        raise BadgeError("no badge can be drawn on a TIFF with other inks than CMYK")
    predictor = page.number(_PREDICTOR, 1) if compression in (LZW, DEFLATE, DEFLATE_OLD) else 1
    if predictor not in (1, 2) or (predictor == 2 and depth < 8) or page.number(_FILL_ORDER, 1) != 1:
        raise BadgeError("no badge can be drawn on a TIFF with this order of bits or kind of differences")
    width, height = page.size
    tiled = page.directory.find(_TILES) is not None
    if tiled and page.directory.find(_STRIPS):
        raise MediaError("the TIFF has a page in strips and in tiles at once")
    if tiled:
        block = page.number(_TILE_WIDTH), page.number(_TILE_HEIGHT)
    else:
        block = width, min(page.number(_ROWS, height), height)
    if not all(block):
        raise MediaError("the TIFF has strips or tiles without size")
    return Form(
        page.layout,
        (width, height),
        block,
        tiled,
        depth,
        photometric,
        samples,
        compression,
        predictor == 2,
        page.number(_PLANAR, 1) == 2 and samples > 1,
    )
