"""The codings of TIFF that pack bytes, whatever the bytes mean (TIFF 6.0, sections 9 and 13; Adobe's deflate).

Law: what is packed is unpacked the same. No more is unpacked than a strip or tile can hold; less is an error. LZW and
PackBits go through Pillow, as a grey picture that is as wide as a row has bytes.
"""

import struct
from io import BytesIO

from isal import isal_zlib
from PIL import Image, TiffImagePlugin

from proxy.media import tags, tiff
from proxy.media.errors import MediaError
from proxy.media.tiff_form import DEFLATE, DEFLATE_OLD, LZW, NONE

_NAMES = {LZW: "tiff_lzw"}
_LEVEL = 2  # of isal's: near zlib's usual size at several times its speed


def unpacked(packed: memoryview, coding: int, row_bytes: int, rows: int) -> bytes | memoryview:
    """The rows of a strip or tile. MediaError where they are damaged or too few."""
    length = row_bytes * rows
    try:
        if coding == NONE:
            found: bytes | memoryview = packed[:length]
        elif coding in (DEFLATE, DEFLATE_OLD):
            found = isal_zlib.decompressobj().decompress(packed, length)
        else:
            with TiffImagePlugin.TiffImageFile(BytesIO(_wrapped(packed, coding, row_bytes, rows))) as picture:
                picture.load()
                found = picture.tobytes()
    # isal's types declare its error as an instance.
    except (OSError, SyntaxError, ValueError, isal_zlib.error) as error:  # type: ignore[misc]
        raise MediaError(f"the TIFF cannot be decoded: {error}") from None
    if len(found) != length:
        raise MediaError("the TIFF cannot be decoded: a strip or tile is too short")
    return found


def packed(unpacked: bytes, coding: int, row_bytes: int, rows: int) -> bytes:
    """The strip or tile that holds these rows."""
    if coding == NONE:
        return unpacked
    if coding in (DEFLATE, DEFLATE_OLD):
        return isal_zlib.compress(unpacked, _LEVEL)
    out = BytesIO()
    picture = Image.frombuffer("L", (row_bytes, rows), unpacked, "raw", "L", 0, 1)
    # One strip: all rows in it.
    picture.save(out, "TIFF", compression=_NAMES.get(coding, "packbits"), tiffinfo={278: rows})
    data = out.getvalue()
    ((start, end),) = tiff.parse(data)[0].parts[0].spans
    return data[start:end]


def _wrapped(packed: memoryview, coding: int, row_bytes: int, rows: int) -> bytes:
    """A TIFF of one strip, grey, 8 bits to the sample."""
    fields = (
        (256, row_bytes), (257, rows), (258, 8), (259, coding), (262, 1), (273, 8), (277, 1), (278, rows),
        (279, len(packed)),
    )  # fmt: skip
    directory = b"".join(struct.pack("<HHII", tag, tags.LONG, 1, value) for tag, value in fields)
    start = 8 + len(packed) + len(packed) % 2
    head = struct.pack("<2sHI", b"II", 42, start)
    return b"".join((head, packed, bytes(len(packed) % 2), struct.pack("<H", len(fields)), directory, bytes(4)))
