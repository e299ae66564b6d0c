"""A BMP becomes a PNG with every pixel the same, as Pillow's own reader sees it; broken ones are refused."""

import random
import struct
import warnings
from io import BytesIO

import pytest
from PIL import Image, ImageChops, ImageCms

from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement
from proxy.media import bmp, png
from proxy.media.drawing.bmp import to_png
from proxy.media.errors import MediaError
from proxy.media.formats import CONVERTIBLE, find

WIDTH, HEIGHT = 21, 7  # no multiple of anything
MANY = 10**6
RGB_MASKS, NO_MASKS = (0xFF0000, 0xFF00, 0xFF), ()
PALETTE = [(index * 7 % 256, index * 31 % 256, 255 - index) for index in range(256)]


def noise(length: int) -> bytes:
    return random.Random(length).randbytes(length)


def file(
    bits: int, rows: bytes, *, header: int = 40, packing: int = 0, masks: tuple[int, ...] = (),
    colours: list[tuple[int, int, int]] | None = None, top_down: bool = False, used: int = 0,
    resolution: tuple[int, int] = (0, 0), size: tuple[int, int] = (WIDTH, HEIGHT), profile: bytes = b"",
) -> bytes:  # fmt: skip
    """A BMP: its two headers, masks, palette and rows, then a profile."""
    width, height = size
    if header == 12:
        head = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        head = struct.pack("<IiiHHI", header, width, -height if top_down else height, 1, bits, packing)
        head += struct.pack("<IiiII", len(rows), *resolution, used, 0)
    if header > 40:
        head += b"".join(struct.pack("<I", mask) for mask in masks).ljust(16, b"\0")
        masks = ()
    head = head.ljust(header, b"\0")
    head += b"".join(struct.pack("<I", mask) for mask in masks)
    palette = b"".join(bytes((blue, green, red)) + b"\0" * (header != 12) for red, green, blue in colours or ())
    start = 14 + len(head) + len(palette)
    if profile:
        at = start + len(rows) - 14
        head = head[:56] + b"DEBM" + head[60:112] + struct.pack("<II", at, len(profile)) + head[120:]
    length = start + len(rows) + len(profile)
    return b"BM" + struct.pack("<IHHI", length, 0, 0, start) + head + palette + rows + profile


def raw(bits: int) -> bytes:
    return noise((WIDTH * bits + 31) // 32 * 4 * HEIGHT)


FILES = {
    "1 bit": file(1, raw(1), colours=[(200, 30, 30), (30, 30, 200)]),
    "1 bit, black and white": file(1, raw(1), colours=[(0, 0, 0), (255, 255, 255)]),
    "1 bit, white and black": file(1, raw(1), colours=[(255, 255, 255), (0, 0, 0)]),
    "4 bits": file(4, raw(4), colours=PALETTE[:16]),
    "8 bits": file(8, raw(8), colours=PALETTE),
    "8 bits, grey": file(8, raw(8), colours=[(level,) * 3 for level in range(256)]),
    "8 bits, top down": file(8, raw(8), colours=PALETTE, top_down=True),
    "16 bits": file(16, raw(16)),
    "16 bits, 5-6-5": file(16, raw(16), packing=3, masks=(0xF800, 0x7E0, 0x1F)),
    "16 bits, 5-5-5": file(16, raw(16), packing=3, masks=(0x7C00, 0x3E0, 0x1F)),
    "24 bits": file(24, raw(24)),
    "24 bits, top down": file(24, raw(24), top_down=True),
    "24 bits, OS/2": file(24, raw(24), header=12),
    "8 bits, OS/2": file(8, raw(8), header=12, colours=PALETTE),
    "4 bits, OS/2 2": file(4, raw(4), header=64, colours=PALETTE[:16]),
    "32 bits": file(32, raw(32)),
    "32 bits, masks": file(32, raw(32), packing=3, masks=RGB_MASKS),
    "32 bits, alpha": file(32, raw(32), header=108, packing=3, masks=(*RGB_MASKS, 0xFF000000)),
    "32 bits, alpha, red first": file(32, raw(32), header=124, packing=3, masks=(0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
    "32 bits, no alpha": file(32, raw(32), header=56, packing=3, masks=(0xFF000000, 0xFF0000, 0xFF00, 0)),
    "24 bits, version 5": file(24, raw(24), header=124),
}
# Runs, single pixels, a row of one run, a skip of three to the right and two up, and the ends of rows.
RUNS8 = b"\5\1\3\2\0\4\7\x08\x09\x0a\0\0\x15\3\0\0\0\2\3\2\6\4\0\3\1\2\3\0\0\0\4\x63\0\0\x15\7\0\1"
RUNS4 = b"\5\x12\3\x34\0\5\x78\x9a\xb0\0\0\0\x15\x56\0\0\0\2\3\2\6\x9f\0\0\4\x21\0\0\x15\x12\0\1"
FILES |= {
    "8 bits, runs": file(8, RUNS8, packing=1, colours=PALETTE),
    "4 bits, runs": file(4, RUNS4, packing=2, colours=PALETTE[:16]),
}


def opened(data: bytes) -> Image.Image:
    with Image.open(BytesIO(data)) as picture:
        picture.load()
        return picture


@pytest.mark.parametrize("name", FILES)
def test_every_pixel_is_the_same(name: str) -> None:
    before, after = opened(FILES[name]), opened(to_png(FILES[name], MANY))
    assert before.size == after.size == (WIDTH, HEIGHT)
    difference = ImageChops.difference(before.convert("RGBA"), after.convert("RGBA"))
    assert difference.getbbox(alpha_only=False) is None
    assert len(set(after.tobytes())) > 1


@pytest.mark.parametrize(
    ("expected", "name"),
    [
        ((0, 1), "1 bit, black and white"),
        ((3, 1), "1 bit, white and black"),
        ((3, 1), "1 bit"),
        ((3, 4), "4 bits"),
        ((3, 8), "8 bits"),
        ((0, 8), "8 bits, grey"),
        ((2, 8), "16 bits"),
        ((2, 8), "32 bits"),
        ((6, 8), "32 bits, alpha"),
    ],
)
def test_the_form_is_the_nearest_of_png(expected: tuple[int, int], name: str) -> None:
    header, _, _ = png.parse(to_png(FILES[name], MANY))
    assert (header.colour, header.depth) == expected


@pytest.mark.parametrize("name", FILES)
def test_what_it_becomes_can_be_labelled(name: str) -> None:
    label = Aigc.first_write("ACME", "1")
    assert png.read(png.write(to_png(FILES[name], MANY), Statement(label))) == (label,)


def test_the_resolution_is_kept() -> None:
    data = file(24, raw(24), resolution=(11811, 5906))
    assert dict(chunks(to_png(data, MANY)))[b"pHYs"] == struct.pack(">IIB", 11811, 5906, 1)
    for nothing in ((0, 0), (0, 100), (-1, -1)):
        assert b"pHYs" not in dict(chunks(to_png(file(24, raw(24), resolution=nothing), MANY)))


def test_a_profile_is_kept() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    after = opened(to_png(file(24, raw(24), header=124, profile=profile), MANY))
    assert after.info["icc_profile"] == profile
    assert "icc_profile" not in opened(to_png(file(24, raw(24), header=124, profile=b"none"), MANY)).info


def test_no_alpha_at_all_means_no_alpha_channel() -> None:
    rows = bytearray(raw(32))
    rows[3::4] = bytes(len(rows) // 4)
    after = opened(to_png(file(32, bytes(rows), header=108, packing=3, masks=(*RGB_MASKS, 0xFF000000)), MANY))
    assert after.mode == "RGB"


def test_colours_that_are_missing_are_black() -> None:
    data = file(8, bytes((2, 3)) * (12 * HEIGHT), colours=PALETTE[:3], used=3)
    after = opened(to_png(data, MANY)).convert("RGB")
    assert after.getpixel((0, 0)) == PALETTE[2]
    assert after.getpixel((1, 0)) == (0, 0, 0)


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    return [(chunk.kind, bytes(chunk.data)) for chunk in png.parse(data)[1]]


# --- What is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "data"),
    [
        ("header is missing", b"BM"),
        ("header is missing", b"BM" + bytes(60)),
        ("before its header does", file(24, b"")[:40]),
        ("impossible size, 0 x 7", file(24, raw(24), size=(0, 7))),
        ("impossible size, -5 x 7", file(24, raw(24), size=(-5, 7))),
        ("impossible size, 21 x 0", file(24, raw(24), size=(21, 0))),
        ("over the limit of 1000000 pixels", file(24, b"", size=(30_000, 30_000))),
        ("ends inside its rows", file(24, raw(24)[:-1])),
        ("2 bits to the pixel", file(2, raw(4))),
        ("compression 4", file(24, raw(24), packing=4)),
        ("compression 5", file(0, raw(24), packing=5)),
        ("compression 1", file(4, raw(4), packing=1)),
        ("compression 1", file(8, RUNS8, packing=1, colours=PALETTE, top_down=True)),
        ("compression 3", file(32, raw(32), packing=3, masks=(0x3FF00000, 0xFFC00, 0x3FF))),
        ("before its masks", file(32, b"", packing=3)),
        ("leaves its row", file(8, b"\x16\1\0\1", packing=1, colours=PALETTE)),
        ("leaves its row", file(8, b"\0\2\0\x08\1\1\0\1", packing=1, colours=PALETTE)),
        ("ends inside its runs", file(8, b"\x15\1\0\0", packing=1, colours=PALETTE)),
        ("ends inside its runs", file(8, b"\0\5\1\2", packing=1, colours=PALETTE)),
    ],
)
def test_what_cannot_be_converted_is_refused_with_the_reason(message: str, data: bytes) -> None:
    with pytest.raises(MediaError, match=message):
        to_png(data, MANY)


@pytest.mark.parametrize("name", FILES)
def test_any_prefix_and_any_flipped_byte_is_a_media_error_or_a_picture(name: str) -> None:
    data, generator = FILES[name], random.Random(name)
    flipped = bytearray(data)
    broken = [data[:end] for end in range(0, len(data), 3)]
    for _ in range(60):
        flipped = bytearray(data)
        flipped[generator.randrange(2, min(len(data), 80))] ^= 1 << generator.randrange(8)
        broken.append(bytes(flipped))
    for candidate in broken:
        try:
            converted = to_png(candidate, 20_000)
        except MediaError:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            opened(converted)


def test_it_is_told_from_other_formats() -> None:
    assert CONVERTIBLE == {"bmp": bmp}
    for data in FILES.values():
        assert bmp.sniff(data)
        assert bmp.size(data) == (WIDTH, HEIGHT)
        assert find(data) is None
    assert not bmp.sniff(b"BMW is no bitmap but a car")
