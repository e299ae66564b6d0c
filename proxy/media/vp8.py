"""The headers of WebP's two codecs: VP8 (RFC 6386) and VP8L (WebP Lossless Bitstream Specification, RFC 9649).

Law: only what the first bytes say is read, without decoding: the size, whether there is alpha, how finely a lossy
picture was quantised.
"""

from typing import NamedTuple

from proxy.media.errors import MediaError

SEGMENTS = 4


class Header(NamedTuple):
    """What a codec's header says: the size in pixels, and whether the codec itself holds an alpha channel."""

    width: int
    height: int
    alpha: bool


class Quantiser(NamedTuple):
    """A quantiser's number in VP8's tables, 0 (finest) to 127, and the part of the blocks that use it, 0 to 1."""

    number: int
    part: float


def lossy_header(data: memoryview, whole: bool = True) -> Header:
    """VP8's frame header (RFC 6386 section 9.1). MediaError where it is no key frame that is shown.

    ``whole`` says that ``data`` is all of the frame: its first partition has to be in it.
    """
    if len(data) < 10 or bytes(data[3:6]) != b"\x9d\x01\x2a":
        raise MediaError("the WebP's VP8 header is missing or damaged")
    tag = int.from_bytes(data[:3], "little")
    key, version, shown, first_partition = not tag & 1, tag >> 1 & 7, tag >> 4 & 1, tag >> 5
    if not key or not shown or version > 3 or (whole and 10 + first_partition > len(data)):
        raise MediaError("the WebP's VP8 header is damaged, or its data is cut short")
    width, height = (int.from_bytes(data[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    if not width or not height:
        raise MediaError(f"the WebP's VP8 header gives an impossible size, {width} x {height}")
    return Header(width, height, False)


def lossless_header(data: memoryview) -> Header:
    """VP8L's header (RFC 9649 section 3.4). MediaError where there is none."""
    bits = int.from_bytes(data[1:5], "little")
    if len(data) < 6 or data[0] != 0x2F or bits >> 29:
        raise MediaError("the WebP's VP8L header is missing or damaged")
    return Header((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1))


def quantisers(data: memoryview) -> list[Quantiser]:
    """The quantisers of a VP8 frame (RFC 6386 sections 9.2 to 9.6), one for each segment of its blocks.

    The parts are as the encoder's probabilities for the segments tell them, exact to 1/256.
    """
    lossy_header(data)
    bits = _Bits(data[10:])
    bits.number(2)  # colour space, clamping
    segments: list[Quantiser] = []
    absolute = False
    if bits.flag():
        new_map, new_features = bits.flag(), bits.flag()
        indices = [0] * SEGMENTS
        if new_features:
            absolute = bits.flag()
            indices = [bits.signed(7) if bits.flag() else 0 for _ in range(SEGMENTS)]
            for _ in range(SEGMENTS):
                if bits.flag():
                    bits.signed(6)  # the loop filter's level
        tree = [bits.number(8) if new_map and bits.flag() else 255 for _ in range(SEGMENTS - 1)]
        low, zero, two = (chance / 255 for chance in tree)
        parts = (low * zero, low * (1 - zero), (1 - low) * two, (1 - low) * (1 - two))
        segments = [*map(Quantiser, indices, parts)]
    bits.number(1 + 6 + 3)  # the loop filter's type, level, sharpness
    if bits.flag() and bits.flag():
        for _ in range(2 * SEGMENTS):
            if bits.flag():
                bits.signed(6)
    bits.number(2)  # partitions
    base = bits.number(7)
    if not segments:
        return [Quantiser(base, 1.0)]
    start = 0 if absolute else base
    return [Quantiser(max(0, min(127, start + index)), part) for index, part in segments]


class _Bits:
    """VP8's boolean decoder (RFC 6386 section 7.3) for headers, where both values are equally likely."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._value = int.from_bytes(data[:2])
        self._next = 2
        self._range = 255
        self._shifts = 0

    def flag(self) -> bool:
        split = 1 + ((self._range - 1) * 128 >> 8)
        found = self._value >= split << 8
        if found:
            self._range -= split
            self._value -= split << 8
        else:
            self._range = split
        while self._range < 128:
            self._value <<= 1
            self._range <<= 1
            self._shifts += 1
            if self._shifts == 8:
                self._shifts = 0
                # Past its end the data goes on with zeros, as for any decoder.
                self._value |= self._data[self._next] if self._next < len(self._data) else 0
                self._next += 1
        return found

    def number(self, bits: int) -> int:
        value = 0
        for _ in range(bits):
            value = value << 1 | self.flag()
        return value

    def signed(self, bits: int) -> int:
        value = self.number(bits)
        return -value if self.flag() else value
