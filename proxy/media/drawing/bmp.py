"""A BMP as a PNG: for files that have no place for a label.

Law: every pixel is the same. A palette stays one, of as many bits, or becomes grey where it is no more than that; the
resolution and an embedded colour profile are kept. An alpha channel that is nothing everywhere is no alpha channel, as
in browsers.
"""

import struct

from isal import isal_zlib
from PIL import Image

from proxy.media import bmp, bmp_runs, png
from proxy.media.drawing.redraw import encoded
from proxy.media.errors import MediaError

_METRE = 1  # the unit of a pHYs chunk (PNG, third edition, section 11.3.4.3)


def to_png(data: bytes, max_pixels: int) -> bytes:
    """The same picture as a PNG. MediaError where it is broken, not supported, or has more than ``max_pixels``."""
    width, height = bmp.size(data)
    if width * height > max_pixels:
        raise MediaError(f"a picture of {width} x {height} pixels is over the limit of {max_pixels} pixels")
    bitmap = bmp.parse(data)
    picture = _decoded(bitmap)
    colour = 0 if bitmap.is_grey else {"P": 3, "RGB": 2, "RGBA": 6}[picture.mode]
    header = png.Header(width, height, min(bitmap.bits, 8), colour, False)
    chunks = [png.chunk_bytes(b"IHDR", header.pack())]
    if bitmap.profile and colour:  # a grey PNG takes a grey profile only
        chunks.append(png.chunk_bytes(b"iCCP", b"ICC profile\0\0" + isal_zlib.compress(bitmap.profile)))
    if any(bitmap.resolution):
        chunks.append(png.chunk_bytes(b"pHYs", struct.pack(">IIB", *bitmap.resolution, _METRE)))
    if colour == 3:
        # An index beyond the palette is black.
        chunks.append(png.chunk_bytes(b"PLTE", bitmap.palette.ljust(3 << bitmap.bits, b"\0")[: 3 << bitmap.bits]))
    if picture.mode == "P":
        picture = Image.frombytes("L", picture.size, picture.tobytes())
    chunks += [png.chunk_bytes(b"IDAT", part) for part in encoded(header, [picture])]
    return b"".join([png.SIGNATURE, *chunks, png.chunk_bytes(b"IEND", b"")])


def _decoded(bitmap: bmp.Bitmap) -> Image.Image:
    """The pixels: indices, RGB or RGBA."""
    size = (bitmap.width, bitmap.height)
    form, stride, rows = bitmap.form, bitmap.stride, bytes(bitmap.rows)
    if bitmap.packing != bmp.RAW and bitmap.bits <= 8:
        rows = bmp_runs.unpacked(bitmap.rows, bitmap.width, bitmap.height, bitmap.bits)
        form, stride = "P", bitmap.width
    mode = "P" if bitmap.bits <= 8 else "RGBA" if "A" in form else "RGB"
    try:
        picture = Image.frombytes(mode, size, rows, "raw", form, stride, 1 if bitmap.top_down else -1)
    except (OSError, ValueError) as error:
        raise MediaError(f"the BMP cannot be decoded: {error}") from None
    if mode == "RGBA" and picture.getchannel("A").getextrema() == (0, 0):
        return picture.convert("RGB")
    return picture
