"""The badge on the pixels: there, legible, upright, opaque, and nothing else changed."""

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from math import ceil
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageFile, ImageOps, ImageStat

from proxy.media import jpeg, png
from proxy.media.badge import Badge, Corner
from proxy.media.drawing.letters import measured_ink, missing_glyphs
from proxy.media.drawing.stamp import stamp
from proxy.media.errors import MediaError

Pixels = list[list[tuple[int, ...]]]
BLACK, WHITE = (0, 0, 0, 65535), (65535,) * 4
MANY = 10**8


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def shown(data: bytes) -> Image.Image:
    """As a viewer shows it: turned upright."""
    picture = Image.open(BytesIO(data))
    picture.load()
    return ImageOps.exif_transpose(picture)


def luminance(level: int) -> float:
    """Relative luminance of a grey of 8 bits (WCAG 2.2)."""
    part = level / 255
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def test_pillow_does_not_accept_half_pictures() -> None:
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


# --- PNG: what is outside, and what is inside ------------------------------------------------------------------------


def test_outside_the_box_every_pixel_is_the_same(
    drawable_png: Path, font: bytes, rgba16: Callable[[bytes], Pixels]
) -> None:
    data = drawable_png.read_bytes()
    stamped = stamp(data, Badge("AI生成"), font, MANY)
    left, top, right, bottom = stamped.box
    before, after = rgba16(data), rgba16(stamped.data)
    inside = []
    for y, (old, new) in enumerate(zip(before, after, strict=True)):
        if top <= y < bottom:
            inside += new[left:right]
            assert old[:left] + old[right:] == new[:left] + new[right:]
        else:
            assert old == new
    assert {pixel[3] for pixel in inside} == {65535}, "a transparent picture shows through"
    levels = {pixel[0] >> 8 for pixel in inside}
    assert all(pixel[0] == pixel[1] == pixel[2] for pixel in inside)
    assert (luminance(max(levels)) + 0.05) / (luminance(min(levels)) + 0.05) >= 4.5


def test_the_form_of_the_picture_is_kept(drawable_png: Path, font: bytes) -> None:
    promoted = {
        "palette1-full": (8, 2),
        "palette2": (8, 2),
        "palette8-full": (8, 2),
        "palette8-full-transparent": (8, 6),
        "palette8-histogram": (8, 2),
        "grey1-key": (8, 0),
        "grey4-key": (8, 0),
    }
    before, _, _ = png.parse(drawable_png.read_bytes())
    after, _, _ = png.parse(stamp(drawable_png.read_bytes(), Badge("AI"), font, MANY).data)
    expected = promoted.get(drawable_png.stem, (before.depth, before.colour))
    assert (after.depth, after.colour) == expected
    assert (after.width, after.height) == (before.width, before.height)


def test_every_other_chunk_is_kept_byte_for_byte_and_in_order(
    drawable_png: Path, font: bytes, chunks: Callable[[bytes], list[tuple[bytes, bytes]]]
) -> None:
    data = drawable_png.read_bytes()
    drawn = {b"IHDR", b"IDAT"}
    if drawable_png.stem.startswith(("palette", "grey1-key", "grey4-key")):  # see the next test
        drawn |= {b"PLTE", b"tRNS", b"bKGD", b"hIST", b"sBIT"}
    expected = [chunk for chunk in chunks(data) if chunk[0] not in drawn | {b"caBX"}]
    after = stamp(data, Badge("AI"), font, MANY).data
    assert [chunk for chunk in chunks(after) if chunk[0] not in drawn] == expected
    assert after.endswith(b"trailer") == data.endswith(b"trailer")


@pytest.mark.parametrize(
    ("expected", "name"),
    [
        ({b"tRNS": None, b"bKGD": b"\0\2\0\xfe\0\x28", b"sBIT": b"\5\6\5\x08"}, "palette8-full-transparent.png"),
        ({b"tRNS": b"\0\xff", b"bKGD": b"\0\x77"}, "grey4-key.png"),
        ({b"tRNS": b"\0\0"}, "grey1-key.png"),
        ({b"hIST": None, b"PLTE": None}, "palette8-histogram.png"),
    ],
)
def test_chunks_that_speak_of_a_form_follow_it(
    expected: dict[bytes, bytes | None], name: str, font: bytes, load: Callable[[str], bytes],
    chunks: Callable[[bytes], list[tuple[bytes, bytes]]],
) -> None:  # fmt: skip
    after = dict(chunks(stamp(load(name), Badge("AI"), font, MANY).data))
    assert {kind: after.get(kind) for kind in expected} == expected


def test_a_palette_grows_and_its_own_colours_stay(
    font: bytes, load: Callable[[str], bytes], chunks: Callable[[bytes], list[tuple[bytes, bytes]]]
) -> None:
    for name, greys in (("palette8.png", 16), ("palette4.png", 4), ("palette8-transparent.png", 16)):
        old = dict(chunks(load(name)))[b"PLTE"]
        new = dict(chunks(stamp(load(name), Badge("AI"), font, MANY).data))[b"PLTE"]
        assert new.startswith(old)
        assert len(new) - len(old) == 3 * greys


def test_a_palette_with_room_for_one_takes_what_fits_or_becomes_truecolour(
    font: bytes, load: Callable[[str], bytes]
) -> None:
    # Three colours of four: black and white do not both fit.
    assert png.parse(stamp(load("palette2.png"), Badge("AI"), font, MANY).data)[0].colour == 2


@pytest.mark.parametrize("height", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("side", [180, 512, 1000, 1024])
@pytest.mark.parametrize("words", ["AI", "AI生成", "人工智能生成合成", "AI 생성", "AI-generated"])
def test_the_ink_is_at_least_as_high_as_asked(words: str, side: int, height: float, font: bytes) -> None:
    width = side * 8 if height > 0.05 else side + 100
    stamped = stamp(encoded(Image.new("L", (width, side), 128)), Badge(words, "top-left", height), font, MANY)
    box = shown(stamped.data).crop(stamped.box)
    ink = box.point([0] * 128 + [255] * 128).getbbox()
    assert ink is not None
    assert ink[3] - ink[1] >= height * side
    if words == "AI":  # nothing but Latin capitals
        assert ink[3] - ink[1] <= ceil(height * side) + 2


def test_the_lowest_letter_is_what_is_measured(font: bytes) -> None:
    """Beside Chinese, Latin capitals are lower; a stroke or a lower-case letter beside capitals does not count."""
    latin, chinese = measured_ink(font, "AI", 200), measured_ink(font, "生成", 200)
    assert latin < chinese
    assert measured_ink(font, "AI生成", 200) == latin
    assert measured_ink(font, "AI·—generated.", 200) == latin
    assert measured_ink(font, "made", 200) < latin
    assert measured_ink(font, " ", 200) == 0


# --- Corners and orientations ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("corner", ["top-left", "top-right", "bottom-left", "bottom-right"])
def test_the_box_is_in_the_corner_that_was_asked_for(corner: Corner, font: bytes) -> None:
    left, top, right, bottom = stamp(encoded(Image.new("RGB", (400, 300))), Badge("AI", corner), font, MANY).box
    near = 15
    assert (0 < left < near, 0 < top < near) == (corner.endswith("left"), corner.startswith("top"))
    assert (0 < 400 - right < near, 0 < 300 - bottom < near) == (corner.endswith("right"), corner.startswith("bottom"))


@pytest.mark.parametrize("corner", ["top-left", "top-right", "bottom-left", "bottom-right"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_badge_stands_upright_as_the_picture_is_shown(orientation: int, corner: Corner, font: bytes) -> None:
    """What is shown is the same as if the picture had been stored upright."""
    size = (200, 150) if orientation < 5 else (150, 200)
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = stamp(encoded(Image.new("L", size, 200), exif=exif), Badge("AI生成", corner), font, MANY)
    upright = stamp(encoded(Image.new("L", (200, 150), 200)), Badge("AI生成", corner), font, MANY)
    assert ImageChops.difference(shown(turned.data), shown(upright.data)).getbbox() is None
    stored = Image.open(BytesIO(turned.data)).convert("L").point(lambda level: 255 * (level != 200)).getbbox()
    assert stored == turned.box


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_jpeg_too(orientation: int, font: bytes, load: Callable[[str], bytes]) -> None:
    stamped = stamp(load(f"orientation{orientation}.jpg"), Badge("AI生成"), font, MANY)
    picture = shown(stamped.data).convert("L")
    plain = stamp(encoded(Image.new("L", picture.size, 200)), Badge("AI生成"), font, MANY)
    badge = shown(plain.data).crop(plain.box)
    assert ImageStat.Stat(ImageChops.difference(picture.crop(plain.box), badge)).mean[0] < 8


# --- JPEG ------------------------------------------------------------------------------------------------------------


def test_a_jpeg_outside_the_box_is_nearly_the_same(drawable_jpeg: Path, font: bytes) -> None:
    """The bound that is stated: one more generation with the same tables, mean difference under 1 level of 255.

    The blocks that the box cuts are compressed with it, so that they are left out of the count.
    """
    data = drawable_jpeg.read_bytes()
    stamped = stamp(data, Badge("AI"), font, MANY)
    before, after = (Image.open(BytesIO(version)) for version in (data, stamped.data))
    assert (before.mode, before.size) == (after.mode, after.size)
    difference = ImageChops.difference(before, after)
    left, top, right, bottom = stamped.box
    difference.paste(tuple([0] * len(difference.getbands())), (left - 16, top - 16, right + 16, bottom + 16))
    statistics = ImageStat.Stat(difference)
    assert max(statistics.mean) < 1
    assert max(high for _, high in statistics.extrema) <= 16


def test_a_jpegs_badge_is_white_on_black(drawable_jpeg: Path, font: bytes) -> None:
    stamped = stamp(drawable_jpeg.read_bytes(), Badge("AI"), font, MANY)
    picture = Image.open(BytesIO(stamped.data)).convert("RGB").crop(stamped.box)
    red, green, blue = picture.split()
    darkest, brightest = picture.convert("L").getextrema()
    assert (luminance(brightest) + 0.05) / (luminance(darkest) + 0.05) >= 4.5
    for one, other in ((red, green), (green, blue), (blue, red)):
        assert ImageStat.Stat(ImageChops.difference(one, other)).mean[0] < 12


def test_a_jpeg_keeps_its_tables_sampling_and_metadata(drawable_jpeg: Path, font: bytes) -> None:
    data = drawable_jpeg.read_bytes()
    after = stamp(data, Badge("AI"), font, MANY).data
    old, new = Image.open(BytesIO(data)), Image.open(BytesIO(after))
    assert old.quantization == new.quantization
    if drawable_jpeg.stem not in ("440", "ycck"):  # the first is widened; the second has no encoder, and becomes CMYK
        assert [layer[1:] for layer in old.layer] == [layer[1:] for layer in new.layer]
    assert old.info.get("progressive") == new.info.get("progressive")
    kept = [segment.whole for segment in jpeg.parse(data).segments if segment.is_metadata and segment.marker != 0xEE]
    if drawable_jpeg.stem == "manifest":
        kept = [whole for whole in kept if b"JP\0\2" not in whole]
    found = [segment.whole for segment in jpeg.parse(after).segments if segment.is_metadata and segment.marker != 0xEE]
    assert found == kept
    assert after.endswith(b"trailer") == data.endswith(b"trailer")


# --- What is refused -------------------------------------------------------------------------------------------------


def huge(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b""))
    return png.SIGNATURE + b"".join(png.chunk_bytes(kind, data) for kind, data in parts)


@pytest.mark.parametrize(
    ("message", "data"),
    [
        ("50000 x 50000 pixels is over the limit of 100000000", huge(50_000, 50_000)),
        ("cannot be decoded", huge(64, 64)),
        ("no badge can be drawn", b"nothing known"),
        ("20 x 20 pixels is too small", encoded(Image.new("RGB", (20, 20)))),
        ("400 x 14 pixels is too small", encoded(Image.new("RGB", (400, 14)))),
        ("20 x 20 pixels is too small", encoded(Image.new("RGB", (20, 20)), "JPEG")),
    ],
)
def test_what_cannot_be_stamped_is_refused_with_the_reason(message: str, data: bytes, font: bytes) -> None:
    with pytest.raises(MediaError, match=message):
        stamp(data, Badge("AI生成"), font, MANY)


def test_animations_and_several_pictures_are_refused(font: bytes, load: Callable[[str], bytes]) -> None:
    for name, message in (("animated.png", "animated PNG"), ("several.jpg", "several pictures")):
        with pytest.raises(MediaError, match=message):
            stamp(load(name), Badge("AI"), font, MANY)


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


def test_words_that_are_too_long_for_the_picture_are_refused(font: bytes) -> None:
    with pytest.raises(MediaError, match="too small for a legible badge"):
        stamp(encoded(Image.new("RGB", (500, 500))), Badge("人工智能生成合成内容" * 3), font, MANY)


def test_words_without_ink_are_refused(font: bytes) -> None:
    with pytest.raises(MediaError, match="no ink"):
        stamp(encoded(Image.new("RGB", (500, 500))), Badge("  "), font, MANY)


def test_a_compressed_bomb_costs_no_more_than_its_picture(font: bytes) -> None:
    """Far more data than the header promises is not inflated."""
    bomb = zlib.compress(bytes(50_000_000), 9)
    header = struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", bomb), (b"IEND", b""))
    data = png.SIGNATURE + b"".join(png.chunk_bytes(kind, body) for kind, body in parts)
    assert len(stamp(data, Badge("AI"), font, MANY).data) < 5_000


# --- The font --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ("", "AI生成 人工智能生成合成内容 由AI生成 本图片由人工智能生成 仅供参考"),
        ("", "本圖片由人工智能生成"),
        ("", "AI 생성 이미지 인공지능 생성물"),
        ("", "AI生成コンテンツ 人工知能による作成"),
        ("", "AI-generated · Généré par l’IA — 【AI】（生成）…「」"),
        ("鑫", "AI鑫生成鑫"),
        ("\n\u200b🤖", "\nAI\u200b🤖"),
        ("सम", "AI सम"),
    ],
)
def test_missing_glyphs_names_what_the_font_lacks(expected: str, words: str, font: bytes) -> None:
    assert missing_glyphs(font, words) == expected


@pytest.mark.parametrize("data", [b"", b"OTTO", b"not a font" * 100])
def test_what_is_no_font_is_refused(data: bytes) -> None:
    with pytest.raises(MediaError, match="font cannot be read"):
        missing_glyphs(data, "AI")


def test_the_font_is_small_and_its_licence_is_with_it(font: bytes) -> None:
    licence = Path(jpeg.__file__).with_name("fonts") / "OFL.txt"
    assert len(font) < 100_000
    assert "SIL OPEN FONT LICENSE Version 1.1" in licence.read_text(encoding="utf-8")
