"""AV1's sequence header (AV1 bitstream specification, sections 5.3 to 5.5): what coded data says of itself.

Law: the header is read before anything is decoded, since a container may promise a small picture and hold a large one.
"""

from typing import NamedTuple

from proxy.media.errors import MediaError

_SEQUENCE_HEADER = 1  # the type of unit, section 6.2.2
_MAX_UNITS = 10_000
_UNSPECIFIED = (2, 2, 2)
_RGB = (1, 13, 0)  # BT.709 primaries, sRGB transfer, identity matrix


class Sequence(NamedTuple):
    """Sizes in pixels, ``depth`` in bits per sample, ``sampling`` such as 4:2:0, colours as CICP has them.

    ``colours`` are primaries, transfer and matrix (ITU-T H.273; 2 where nothing is said), ``full`` the range.
    """

    width: int
    height: int
    depth: int
    sampling: str
    colours: tuple[int, int, int]
    full: bool


def sequence(data: bytes) -> Sequence:
    """The sequence header of coded data. MediaError where there is none, or two that differ."""
    found = set()
    position = units = 0
    while position < len(data):
        units += 1
        header = data[position]
        position += 2 if header & 4 else 1
        length = len(data) - position
        if header & 2:
            length, position = _leb128(data, position)
        if header & 0x80 or length < 0 or position + length > len(data) or units > _MAX_UNITS:
            raise MediaError("the AV1 data is cut short or damaged")
        if header >> 3 & 0xF == _SEQUENCE_HEADER:
            found.add(_sequence(_Bits(data[position : position + length])))
        position += length
    if len(found) != 1:
        raise MediaError(f"the AV1 data has {len(found)} sequence headers, not one")
    return found.pop()


def _sequence(bits: "_Bits") -> Sequence:
    """Section 5.5.1."""
    profile, _, reduced = bits.number(3), bits.number(1), bits.number(1)
    if reduced:
        bits.number(5)
    else:
        _operating_points(bits)
    across, down = bits.number(4) + 1, bits.number(4) + 1
    width, height = bits.number(across) + 1, bits.number(down) + 1
    if not reduced and bits.number(1):
        bits.number(4 + 3)
    bits.number(3)
    if not reduced:
        _tools(bits)
    bits.number(3)
    return Sequence(width, height, *_colour(bits, profile))


def _operating_points(bits: "_Bits") -> None:
    """What concerns time and buffers, passed over (sections 5.5.1, 5.5.3 to 5.5.5)."""
    delay = 0
    if bits.number(1):
        bits.number(32 + 32)
        if bits.number(1):
            bits.unary()
        if bits.number(1):
            delay = bits.number(5) + 1
            bits.number(32 + 5 + 5)
    display = bits.number(1)
    for _ in range(bits.number(5) + 1):
        bits.number(12)
        if bits.number(5) > 7:
            bits.number(1)
        if delay and bits.number(1):
            bits.number(2 * delay + 1)
        if display and bits.number(1):
            bits.number(4)


def _tools(bits: "_Bits") -> None:
    """Coding tools, passed over."""
    bits.number(4)
    hinted = bits.number(1)
    if hinted:
        bits.number(2)
    # Screen content tools: chosen frame by frame, or forced on or off.
    if (bits.number(1) or bits.number(1)) and not bits.number(1):
        bits.number(1)
    if hinted:
        bits.number(3)


def _colour(bits: "_Bits", profile: int) -> tuple[int, str, tuple[int, int, int], bool]:
    """Section 5.5.2."""
    high = bits.number(1)
    depth = (12 if profile == 2 and bits.number(1) else 10) if high else 8
    grey = profile != 1 and bits.number(1)
    colours = (bits.number(8), bits.number(8), bits.number(8)) if bits.number(1) else _UNSPECIFIED
    if grey:
        return depth, "4:0:0", colours, bool(bits.number(1))
    if colours == _RGB:
        return depth, "4:4:4", colours, True
    full = bool(bits.number(1))
    if profile < 2:
        return depth, "4:4:4" if profile else "4:2:0", colours, full
    if depth == 12 and not bits.number(1):
        return depth, "4:4:4", colours, full
    return depth, "4:2:0" if depth == 12 and bits.number(1) else "4:2:2", colours, full


def _leb128(data: bytes, position: int) -> tuple[int, int]:
    """A number of seven bits to the byte (section 4.10.5), and where it ends."""
    value = 0
    for at, byte in enumerate(data[position : position + 8]):
        value |= (byte & 0x7F) << 7 * at
        if not byte & 0x80:
            return value, position + at + 1
    raise MediaError("the AV1 data is cut short or damaged")


class _Bits:
    """Numbers of bits, the highest first (section 4.10.2)."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data)
        self._left = 8 * len(data)

    def number(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise MediaError("the AV1 data's sequence header is cut short")
        return self._value >> self._left & (1 << count) - 1

    def unary(self) -> None:
        """A number whose length comes first (section 4.10.3), passed over."""
        zeros = 0
        while not self.number(1):
            zeros += 1
        self.number(zeros)
