"""What no painter does: draw on what is broken, too large, too small, or followed by another picture."""

import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image, ImageFile

from proxy.media import png
from proxy.media.badge import Badge
from proxy.media.drawing.stamp import stamp
from proxy.media.errors import MediaError

MANY = 10**8


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def test_pillow_does_not_accept_half_pictures() -> None:
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def huge(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b""))
    return png.SIGNATURE + b"".join(png.chunk_bytes(kind, data) for kind, data in parts)


@pytest.mark.parametrize(
    ("message", "data"),
    [
        ("50000 x 50000 pixels is over the limit of 100000000", huge(50_000, 50_000)),
        ("cannot be decoded", huge(64, 64)),
        ("not a picture of any format", b"nothing known"),
        ("20 x 20 pixels is too small", encoded(Image.new("RGB", (20, 20)))),
        ("400 x 14 pixels is too small", encoded(Image.new("RGB", (400, 14)))),
        ("20 x 20 pixels is too small", encoded(Image.new("RGB", (20, 20)), "JPEG")),
    ],
)
def test_what_cannot_be_stamped_is_refused_with_the_reason(message: str, data: bytes, font: bytes) -> None:
    with pytest.raises(MediaError, match=message):
        stamp(data, Badge("AI生成"), font, MANY)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("second", ["PNG", "JPEG"])
def test_a_picture_behind_the_picture_is_refused(kind: str, second: str, font: bytes) -> None:
    picture = Image.new("RGB", (500, 500))
    with pytest.raises(MediaError, match="another picture follows"):
        stamp(encoded(picture, kind) + encoded(picture, second), Badge("AI"), font, MANY)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_no_thumbnail_of_the_picture_as_it_was_is_left(kind: str, font: bytes) -> None:
    small = b"\xff\xd8\xff small \xff\xd9"
    ifds = struct.pack("<IHI H HHII HHII I", 8, 0, 14, 2, 0x0201, 4, 1, 44, 0x0202, 4, 1, len(small), 0)
    data = encoded(Image.new("RGB", (500, 500)), kind, exif=b"Exif\0\0II*\0" + ifds + small)
    assert small in data
    assert small not in stamp(data, Badge("AI"), font, MANY).data
