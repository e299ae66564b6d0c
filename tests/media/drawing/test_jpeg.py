"""The badge on JPEG: readable in every colour form, on every picture of the file; outside it the stated bound."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageOps, ImageSequence, ImageStat

from proxy.media import mpf
from proxy.media.badge import Badge
from proxy.media.drawing.jpeg import stamp
from proxy.media.errors import BadgeError, MediaError
from proxy.media.segments import parse

PLATE = Badge("AI", backing="plate")
MANY = 10**8
SEVERAL = ("several.jpg", "several-turned.jpg")


def opened(data: bytes) -> Image.Image:
    picture = Image.open(BytesIO(data))
    picture.load()
    return picture


def encoded(picture: Image.Image, **options: object) -> bytes:
    out = BytesIO()
    picture.save(out, "JPEG", **options)
    return out.getvalue()


def difference(before: Image.Image, after: Image.Image, box: tuple[int, int, int, int]) -> ImageStat.Stat:
    """Outside the box and the blocks that it cuts, which are compressed with it."""
    found = ImageChops.difference(before, after)
    left, top, right, bottom = box
    found.paste(tuple([0] * len(found.getbands())), (left - 16, top - 16, right + 16, bottom + 16))
    return ImageStat.Stat(found)


# --- The bound that is stated -----------------------------------------------------------------------------------------


def test_outside_the_box_it_is_nearly_the_same(drawable_jpeg: Path, font: bytes) -> None:
    data = drawable_jpeg.read_bytes()
    stamped = stamp(data, Badge("AI"), font, MANY)
    before, after = opened(data), opened(stamped.data)
    assert (before.mode, before.size) == (after.mode, after.size)
    found = difference(before, after, stamped.box)
    assert max(found.mean) < 1
    assert max(high for _, high in found.extrema) <= 16


@pytest.mark.parametrize("quality", [50, 75, 90, 95])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_what_looks_like_a_photograph_too(subsampling: int, quality: int, font: bytes) -> None:
    grain = Image.effect_noise((640, 480), 12)
    slopes = [Image.linear_gradient("L"), Image.radial_gradient("L"), ImageOps.flip(Image.linear_gradient("L"))]
    bands = [ImageChops.add(slope.resize((640, 480)), grain, 1, -128) for slope in slopes]
    data = encoded(Image.merge("RGB", bands), quality=quality, subsampling=subsampling)
    stamped = stamp(data, PLATE, font, MANY)
    found = difference(opened(data), opened(stamped.data), stamped.box)
    assert max(found.mean) < 1
    assert max(high for _, high in found.extrema) <= 16
    assert len(stamped.data) < 1.1 * len(data)


def test_tables_sampling_and_metadata_are_kept(drawable_jpeg: Path, font: bytes) -> None:
    data = drawable_jpeg.read_bytes()
    after = stamp(data, Badge("AI"), font, MANY).data
    old, new = Image.open(BytesIO(data)), Image.open(BytesIO(after))
    assert old.quantization == new.quantization  # type: ignore[attr-defined]
    if drawable_jpeg.stem not in ("440", "ycck"):  # the first is widened; the second has no encoder, and becomes CMYK
        assert [layer[1:] for layer in old.layer] == [layer[1:] for layer in new.layer]  # type: ignore[attr-defined]
    assert old.info.get("progressive") == new.info.get("progressive")
    kept, found = (
        [segment.whole for segment in parse(version).segments if segment.is_metadata and not segment.is_adobe]
        for version in (data, after)
    )
    if drawable_jpeg.stem == "manifest":
        kept = [whole for whole in kept if b"JP\0\2" not in whole]
    assert [whole for whole in found if b"MPF\0" not in whole] == [whole for whole in kept if b"MPF\0" not in whole]
    assert after.endswith(b"trailer") == data.endswith(b"trailer")


# --- The badge itself -------------------------------------------------------------------------------------------------


def test_the_badge_is_white_on_black_in_every_colour_form(drawable_jpeg: Path, font: bytes) -> None:
    stamped = stamp(drawable_jpeg.read_bytes(), PLATE, font, MANY)
    picture = opened(stamped.data).convert("RGB").crop(stamped.box)
    bands = picture.split()
    darkest, brightest = picture.convert("L").getextrema()
    assert darkest < 50  # type: ignore[operator]
    assert brightest > 205, "a contrast of 10:1 at least (WCAG 2.2)"  # type: ignore[operator]
    assert ImageStat.Stat(picture.convert("L")).mean[0] < 128, "the plate is the dark part"
    for one, other in zip(bands, (*bands[1:], bands[0]), strict=True):
        assert ImageStat.Stat(ImageChops.difference(one, other)).mean[0] < 12


@pytest.mark.parametrize("name", ["cmyk.jpg", "ycck.jpg"])
def test_with_adobes_segment_ink_is_stored_inverted(name: str, font: bytes, load: Callable[[str], bytes]) -> None:
    """Pillow turns what is stored round for every picture of four components, as Adobe's are."""
    stamped = stamp(load(name), PLATE, font, MANY)
    assert any(segment.is_adobe for segment in parse(stamped.data).segments)
    cyan, magenta, yellow, black = opened(stamped.data).crop(stamped.box).split()
    corner = black.getpixel((1, 1))
    assert isinstance(corner, int)
    assert corner > 200, "the plate is black ink"
    for ink in (cyan, magenta, yellow):
        assert ImageStat.Stat(ink).mean[0] < 40


@pytest.mark.parametrize("name", ["grey.jpg", "420.jpg", "rgb.jpg", "progressive.jpg"])
def test_letters_stand_bare_where_pixels_mix(name: str, font: bytes, load: Callable[[str], bytes]) -> None:
    bare, plate = (stamp(load(name), Badge("AI", backing=backing), font, MANY) for backing in ("outline", "plate"))
    assert bare.box != plate.box


@pytest.mark.parametrize("name", ["cmyk.jpg", "ycck.jpg"])
def test_letters_stand_on_a_plate_where_they_do_not(name: str, font: bytes, load: Callable[[str], bytes]) -> None:
    bare, plate = (stamp(load(name), Badge("AI", backing=backing), font, MANY) for backing in ("outline", "plate"))
    assert bare.data == plate.data


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_stands_upright_as_the_picture_is_shown(orientation: int, font: bytes, load: Callable[[str], bytes]) -> None:
    stamped = stamp(load(f"orientation{orientation}.jpg"), PLATE, font, MANY)
    picture = ImageOps.exif_transpose(opened(stamped.data)).convert("L")
    plain = stamp(encoded(Image.new("L", picture.size, 200), quality=95), PLATE, font, MANY)
    badge = opened(plain.data).crop(plain.box)
    assert ImageStat.Stat(ImageChops.difference(picture.crop(plain.box), badge)).mean[0] < 8


# --- Several pictures -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SEVERAL)
def test_every_picture_has_the_badge_by_its_own_orientation(
    name: str, font: bytes, load: Callable[[str], bytes]
) -> None:
    data = load(name)
    after = stamp(data, PLATE, font, MANY).data
    assert len(mpf.pictures(after)) == len(mpf.pictures(data)) > 1
    for old, new in zip(mpf.pictures(data), mpf.pictures(after), strict=True):
        alone = stamp(data[slice(*old)] if old[0] else data[: old[1]].replace(b"MPF\0", b"FPM\0"), PLATE, font, MANY)
        picture = opened(after[slice(*new)])
        assert ImageChops.difference(picture, opened(alone.data)).getbbox() is None
        assert ImageChops.difference(picture, opened(data[slice(*old)])).crop(alone.box).getbbox() is not None


@pytest.mark.parametrize("name", SEVERAL)
def test_pillow_finds_every_picture_by_the_index(name: str, font: bytes, load: Callable[[str], bytes]) -> None:
    before, after = Image.open(BytesIO(load(name))), Image.open(BytesIO(stamp(load(name), PLATE, font, MANY).data))
    assert before.format == after.format == "MPO"
    for old, new in zip(ImageSequence.Iterator(before), ImageSequence.Iterator(after), strict=True):
        assert old.size == new.size
        assert ImageChops.difference(old.convert("RGB"), new.convert("RGB")).getbbox() is not None


def test_all_pictures_together_are_bounded(font: bytes, load: Callable[[str], bytes]) -> None:
    with pytest.raises(MediaError, match="12288 pixels in all are over the limit of 12000"):
        stamp(load("several.jpg"), PLATE, font, 12_000)


def test_a_picture_that_another_measures_gets_no_badge(font: bytes, load: Callable[[str], bytes]) -> None:
    with pytest.raises(BadgeError, match="measures another"):
        stamp(load("gain-map.jpg"), PLATE, font, MANY)


# --- What is refused --------------------------------------------------------------------------------------------------


def framed(data: bytes, process: int = 0xC0, depth: int = 8) -> bytes:
    """The same file with another frame header."""
    at = data.index(b"\xff\xc0")
    return data[: at + 1] + bytes((process,)) + data[at + 2 : at + 4] + bytes((depth,)) + data[at + 5 :]


@pytest.mark.parametrize(
    "changed",
    [
        lambda data: framed(data, depth=12),
        lambda data: framed(data, 0xC1, 12),
        lambda data: framed(data, 0xC3),  # lossless
        lambda data: framed(data, 0xC9),  # arithmetic coding
        lambda data: framed(data, 0xCA),
        lambda data: framed(data, 0xCB),
        lambda data: (
            data[:20] + b"\xff\xde\0\x11\x08\0\x40\0\x60\3\1\x22\0\2\x11\1\3\x11\1" + data[20:]
        ),  # hierarchical
    ],
)
def test_a_sound_file_of_an_unusual_process_gets_no_badge(
    changed: Callable[[bytes], bytes], font: bytes, load: Callable[[str], bytes]
) -> None:
    with pytest.raises(BadgeError, match="no common decoder"):
        stamp(changed(load("420.jpg")), PLATE, font, MANY)


def test_a_broken_one_is_an_error_of_another_kind(font: bytes, load: Callable[[str], bytes]) -> None:
    data = load("420.jpg")
    tables = data.index(b"\xff\xc4")
    with pytest.raises(MediaError, match="cannot be decoded") as caught:
        stamp(data[: tables + 4] + b"\x77" + data[tables + 5 :], PLATE, font, MANY)
    assert not isinstance(caught.value, BadgeError)
