"""BMP (the device-independent bitmap of Windows and OS/2): what its header says of the picture.

Law: a file is whole or it is an error: header, palette and rows lie within it, and the form is one that is listed here.
BMP has no place for metadata, and so none for a label: it is read here to be converted, and never written.
"""

import struct
from dataclasses import dataclass

from proxy.media.errors import MediaError

TYPES: tuple[str, ...] = ("image/bmp", "image/x-ms-bmp", "image/x-bmp")

RAW, RLE8, RLE4 = 0, 1, 2
_MASKED, _MASKED_ALPHA = 3, 6

_FILE_HEADER = 14
_CORE, _INFO, _OS2 = 12, 40, 64
_HEADERS = (_CORE, _INFO, 52, 56, _OS2, 108, 124)
_PROFILE = (b"DEBM", 14 + 112)  # "MBED", least byte first; where the profile's offset and length stand
_ICC = b"acsp"  # the signature of an ICC profile (ICC.1, 7.2)
# Bits to the pixel, and the masks of red, green, blue and alpha, in Pillow's name for the form.
_MASKS = {
    (16, 0xF800, 0x7E0, 0x1F, 0): "BGR;16",
    (16, 0x7C00, 0x3E0, 0x1F, 0): "BGR;15",
    (24, 0xFF0000, 0xFF00, 0xFF, 0): "BGR",
    (32, 0xFF0000, 0xFF00, 0xFF, 0): "BGRX",
    (32, 0xFF0000, 0xFF00, 0xFF, 0xFF000000): "BGRA",
    (32, 0xFF, 0xFF00, 0xFF0000, 0): "RGBX",
    (32, 0xFF, 0xFF00, 0xFF0000, 0xFF000000): "RGBA",
    (32, 0xFF000000, 0xFF0000, 0xFF00, 0): "XBGR",
    (32, 0xFF000000, 0xFF0000, 0xFF00, 0xFF): "ABGR",
    (32, 0xFF000000, 0xFF00, 0xFF, 0): "BGXR",
    (32, 0xFF000000, 0xFF00, 0xFF, 0xFF0000): "BGAR",
    (32, 0, 0, 0, 0): "BGRA",
}
_PLAIN = {1: "P;1", 4: "P;4", 8: "P", 16: "BGR;15", 24: "BGR", 32: "BGRX"}


@dataclass(frozen=True, slots=True)
class Bitmap:
    """A picture as it is stored: its ``form`` by Pillow's name, its rows from the bottom up or from the top.

    ``palette`` is red, green and blue of each entry, for forms of up to 8 bits; ``resolution`` is pixels to the metre,
    across and down, (0, 0) where it is not said; ``profile`` is an ICC profile, empty where there is none.
    """

    width: int
    height: int
    bits: int
    packing: int
    form: str
    top_down: bool
    palette: bytes
    resolution: tuple[int, int]
    profile: bytes
    rows: memoryview

    @property
    def is_grey(self) -> bool:
        """Whether the palette is that of a grey picture: from black to white in even steps."""
        top = (1 << self.bits) - 1
        return self.bits <= 8 and self.palette == bytes(
            level * 255 // top for level in range(top + 1) for _ in range(3)
        )

    @property
    def stride(self) -> int:
        """The bytes of a row where they are not packed: a multiple of four."""
        return (self.width * self.bits + 31) // 32 * 4


def sniff(data: bytes) -> bool:
    """Whether the data begins with the file's header and one of the known sizes of the bitmap's."""
    return data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in _HEADERS


def size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels, from the header."""
    if not sniff(data):
        raise MediaError("not a BMP: the header is missing")
    header = int.from_bytes(data[14:18], "little")
    if len(data) < _FILE_HEADER + header:
        raise MediaError("the BMP ends before its header does")
    width, height = struct.unpack_from("<HH" if header == _CORE else "<ii", data, 18)
    if width <= 0 or not height:
        raise MediaError(f"the BMP gives an impossible size, {width} x {abs(height)}")
    return width, abs(height)


def parse(data: bytes) -> Bitmap:
    """The picture as it is stored. MediaError where it is not whole, or of a form that is not supported."""
    width, height = size(data)
    (start,) = struct.unpack_from("<I", data, 10)
    (header,) = struct.unpack_from("<I", data, 14)
    end = _FILE_HEADER + header
    if header == _CORE:
        (bits,) = struct.unpack_from("<H", data, 24)
        packing, used, across, down, top_down = RAW, 0, 0, 0, False
    else:
        bits, packing, across, down, used = struct.unpack_from("<HI4xiiI", data, 28)
        top_down = struct.unpack_from("<i", data, 22)[0] < 0
    form = _PLAIN.get(bits)
    if packing in (_MASKED, _MASKED_ALPHA) and header != _OS2:
        masks = _masks(data, header, packing)
        form = _MASKS.get((bits, *masks))
        end += 4 * (3 + (packing == _MASKED_ALPHA)) if header == _INFO else 0
    elif (packing, bits) not in ((RAW, bits), (RLE8, 8), (RLE4, 4)) or (packing != RAW and top_down):
        form = None
    if form is None:
        raise MediaError(f"a BMP of {bits} bits to the pixel in this form is not supported (compression {packing})")
    palette = _palette(data[end:start], 3 if header == _CORE else 4, used or 1 << bits) if bits <= 8 else b""
    found = Bitmap(
        width,
        height,
        bits,
        packing,
        form,
        top_down,
        palette,
        (across, down) if across > 0 and down > 0 else (0, 0),
        _profile(data) if header == 124 else b"",
        memoryview(data)[start:],
    )
    if start < end or not len(found.rows) or (packing == RAW and len(found.rows) < found.stride * height):
        raise MediaError("the BMP ends inside its rows")
    return found


def _masks(data: bytes, header: int, packing: int) -> tuple[int, int, int, int]:
    """The masks of red, green, blue and alpha: in the header, or behind one that has no room for them."""
    alpha = packing == _MASKED_ALPHA or header > 52
    count = 4 if alpha else 3
    if len(data) < 54 + 4 * count:
        raise MediaError("the BMP ends before its masks")
    found = struct.unpack_from(f"<{count}I", data, 54)
    return (*found[:3], found[3] if alpha else 0)


def _palette(data: bytes, step: int, count: int) -> bytes:
    """The palette's colours as red, green, blue, as many as there are."""
    whole = data[: step * min(count, 256, len(data) // step)]
    found = bytearray(len(whole) // step * 3)
    for channel in range(3):
        found[channel::3] = whole[2 - channel :: step]
    return bytes(found)


def _profile(data: bytes) -> bytes:
    kind, at = _PROFILE
    if data[14 + 56 : 14 + 60] != kind:
        return b""
    offset, length = struct.unpack_from("<II", data, at)
    found = data[_FILE_HEADER + offset : _FILE_HEADER + offset + length]
    return found if found[36:40] == _ICC else b""
