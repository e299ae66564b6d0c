"""The badge on a TIFF: on every page, every sample outside it the same, every byte that is not its own in place."""

import struct
import time
import zlib
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageOps

from proxy.media.badge import Badge, Position
from proxy.media.drawing.stamped import Stamped
from proxy.media.drawing.tiff import stamp
from proxy.media.errors import BadgeError, MediaError
from tests.media.conftest import SAMPLES, UNDRAWABLE
from tests.media.tiff_file import Read, picture, read, tiff

MANY = 10**7
DRAWABLE = sorted(path for path in SAMPLES.glob("*.tiff") if path.name not in UNDRAWABLE)
WHITE_IS_ZERO, GREY, RGB, PALETTE, CMYK = 0, 1, 2, 3, 5

drawable = pytest.mark.parametrize("path", DRAWABLE, ids=[path.name for path in DRAWABLE])


@cache
def plated(path: Path, font: bytes) -> Stamped:
    return stamp(path.read_bytes(), Badge("AI", backing="plate"), font, MANY)


def box_of(before: Read, after: Read) -> tuple[int, int, int, int] | None:
    """The smallest box that holds all that changed."""
    changed = [
        (x, y)
        for y, (old, new) in enumerate(zip(before.pixels, after.pixels, strict=True))
        for x, (one, other) in enumerate(zip(old, new, strict=True))
        if one != other
    ]
    if not changed:
        return None
    xs, ys = zip(*changed, strict=True)
    return min(xs), min(ys), max(xs) + 1, max(ys) + 1


def grey(page: Read, pixel: tuple[int, ...]) -> float:
    """How light an opaque pixel is, 0 to 1; the badge has no other colour, and hides what is beneath it."""
    top = (1 << page.fields[258][0]) - 1
    (photometric,) = page.fields[262]
    channels = {PALETTE: 1, RGB: 3, CMYK: 4}.get(photometric, 1)
    assert set(pixel[channels:]) <= {top}
    if photometric == PALETTE:
        colours, count = page.fields[320], 1 << page.fields[258][0]
        red, green, blue = (colours[pixel[0] + channel * count] for channel in range(3))
        assert red == green == blue
        return red / 65535
    if photometric == CMYK:
        assert pixel[:3] == (0, 0, 0)
        return 1 - pixel[3] / top
    assert len(set(pixel[:channels])) == 1
    return 1 - pixel[0] / top if photometric == WHITE_IS_ZERO else pixel[0] / top


def contrast(levels: list[float]) -> float:
    def luminance(part: float) -> float:
        return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4

    return (luminance(max(levels)) + 0.05) / (luminance(min(levels)) + 0.05)


@drawable
def test_outside_the_box_every_sample_is_the_same_on_every_page(path: Path, font: bytes) -> None:
    data = path.read_bytes()
    stamped = plated(path, font)
    pages = list(zip(read(data), read(stamped.data), strict=True))
    for number, (before, after) in enumerate(pages):
        box = box_of(before, after)
        assert box is not None
        left, top, right, bottom = box
        if number == 0:
            outer = stamped.box
            assert outer[0] <= left < right <= outer[2]
            assert outer[1] <= top < bottom <= outer[3]
            left, top, right, bottom = outer
        if before.fields.get(254) == (1,):
            continue
        assert (right - left) * (bottom - top) < 0.3 * len(before.pixels) * len(before.pixels[0])
        if number == 0:
            inside = [grey(after, pixel) for row in after.pixels[top:bottom] for pixel in row[left:right]]
            assert contrast(inside) >= 4.5


@drawable
def test_nothing_else_in_the_file_changes(path: Path, font: bytes) -> None:
    """But for the strips and tiles of the pages, the numbers that say where they are, and what is named here."""
    data, stamped = path.read_bytes(), plated(path, font).data
    mine = {273, 279, 324, 325}
    if path.stem in ("palette4", "palette8", "palette8-full"):
        mine.add(320)  # entries that no pixel uses
    old, new = bytearray(data), bytearray(stamped[: len(data)])
    for before, after in zip(read(data), read(stamped), strict=True):
        kept = [
            {tag: value for tag, value in table.items() if tag not in mine | {52545}}
            for table in (before.fields, after.fields, before.kinds, after.kinds)
        ]
        assert (kept[0], kept[2]) == (kept[1], kept[3])
        free = [place for tag in mine for place in before.places.get(tag, ())] + before.blocks
        if path.stem == "manifest":
            free += [before.directory, *before.places[52545]]
        for start, end in free:
            old[start:end] = new[start:end] = bytes(end - start)
    assert old == new


@drawable
def test_pillow_opens_every_page(path: Path, font: bytes) -> None:
    data = path.read_bytes()
    stamped = plated(path, font).data
    with Image.open(BytesIO(data)) as old, Image.open(BytesIO(stamped)) as new:
        assert getattr(old, "n_frames", 1) == getattr(new, "n_frames", 1)
        for page in range(getattr(old, "n_frames", 1)):
            old.seek(page)
            new.seek(page)
            assert (old.mode, old.size) == (new.mode, new.size)
            assert old.tobytes() != new.tobytes()


def test_the_strips_that_the_badge_does_not_touch_stay_where_they_are(
    font: bytes, load: Callable[[str], bytes]
) -> None:
    for name in ("rgb8-lzw.tiff", "rgb8-tiles.tiff", "rgb8-planes.tiff", "bigtiff.tiff"):
        data = load(name)
        stamped = stamp(data, Badge("AI"), font, MANY)
        (before,), (after,) = read(data), read(stamped.data)
        tag = 324 if 324 in before.fields else 273
        moved = [
            index
            for index, pair in enumerate(zip(before.fields[tag], after.fields[tag], strict=True))
            if len(set(pair)) > 1
        ]
        wide, high = (before.fields[322][0], before.fields[323][0]) if tag == 324 else (96, before.fields[278][0])
        across, down = -(-96 // wide), -(-64 // high)
        for index in moved:
            row, column = index % (across * down) // across, index % across
            assert column * wide < stamped.box[2]
            assert (column + 1) * wide > stamped.box[0]
            assert row * high < stamped.box[3]
            assert (row + 1) * high > stamped.box[1]


def test_an_uncompressed_picture_keeps_its_length_and_its_place(font: bytes, load: Callable[[str], bytes]) -> None:
    for name in ("rgb8.tiff", "rgb16.tiff", "grey4-tiles.tiff", "grey16-big-endian.tiff", "cmyk16.tiff"):
        data = load(name)
        stamped = stamp(data, Badge("AI"), font, MANY).data
        assert len(stamped) == len(data)
        (before,), (after,) = read(data), read(stamped)
        assert before.fields == after.fields


def test_strips_in_one_place_come_apart_where_they_must(font: bytes, load: Callable[[str], bytes]) -> None:
    stamped = stamp(load("rgb8-shared.tiff"), Badge("AI"), font, MANY)
    (after,) = read(stamped.data)
    above = [start for row, start in enumerate(after.fields[273]) if (row + 1) * 8 <= stamped.box[1]]
    assert len(set(above)) == 1
    assert len(set(after.fields[273])) > 1


def test_the_old_strip_is_gone_where_a_new_one_stands_elsewhere(font: bytes, load: Callable[[str], bytes]) -> None:
    data = load("rgb8-lzw-predictor.tiff")
    (before,), (after,) = read(data), read(stamped := stamp(data, Badge("AI"), font, MANY).data)
    moved = [
        (old, length)
        for old, new, length in zip(before.fields[273], after.fields[273], before.fields[279], strict=True)
        if old != new
    ]
    assert moved
    for start, length in moved:
        assert not any(stamped[start : start + length])


@pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True), (">", True)])
@pytest.mark.parametrize(("depth", "samples"), [(8, 1), (8, 3), (16, 1), (16, 3), (16, 4)])
def test_both_byte_orders_and_both_sizes_of_offsets(
    depth: int, samples: int, order: str, big: bool, font: bytes
) -> None:
    data = picture((120, 90), 200, depth, samples, order=order, big=big)
    stamped = stamp(data, Badge("AI", backing="plate"), font, MANY)
    (before,), (after,) = read(data), read(stamped.data)
    left, top, right, bottom = stamped.box
    for y, (old, new) in enumerate(zip(before.pixels, after.pixels, strict=True)):
        if not top <= y < bottom:
            assert old == new
        assert old[:left] + old[right:] == new[:left] + new[right:]
    inside = {pixel for row in after.pixels[top:bottom] for pixel in row[left:right]}
    assert {(0,) * min(samples, 3), ((1 << depth) - 1,) * min(samples, 3)} <= {pixel[:3] for pixel in inside}


@pytest.mark.parametrize("corner", ["top-left", "top-right", "bottom-left", "bottom-right"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_badge_stands_upright_as_the_picture_is_shown(orientation: int, corner: Position, font: bytes) -> None:
    size = (200, 150) if orientation < 5 else (150, 200)
    turned = stamp(picture(size, more={274: (3, (orientation,))}), Badge("AI生成", corner), font, MANY)
    upright = stamp(picture((200, 150)), Badge("AI生成", corner), font, MANY)
    with Image.open(BytesIO(turned.data)) as one, Image.open(BytesIO(upright.data)) as other:
        assert ImageChops.difference(ImageOps.exif_transpose(one), ImageOps.exif_transpose(other)).getbbox() is None


def test_letters_are_mixed_with_what_lies_beneath_them(font: bytes) -> None:
    """On a calm page of 8 bits there is no plate: the corners of the box stay as they were."""
    for samples in (1, 3):
        stamped = stamp(picture((200, 150), 250, samples=samples), Badge("AI生成"), font, MANY)
        left, top, _, bottom = stamped.box
        (page,) = read(stamped.data)
        assert page.pixels[top][left] == page.pixels[bottom - 1][left] == (250,) * samples


# --- Palettes --------------------------------------------------------------------------------------------------------


def palette_page(colours: list[tuple[int, int, int]], indices: bytes, size: tuple[int, int], scale: int = 257) -> bytes:
    colour_map = tuple(scale * colour[channel] for channel in range(3) for colour in colours)
    fields = {
        256: (3, (size[0],)), 257: (3, (size[1],)), 258: (3, (8,)), 259: (3, (8,)), 262: (3, (3,)), 277: (3, (1,)),
        278: (3, (size[1],)), 284: (3, (1,)), 320: (3, colour_map),
    }  # fmt: skip
    return tiff(fields, zlib.compress(indices), "<")


def test_a_palettes_own_black_and_white_are_taken(font: bytes) -> None:
    colours = [(0, 0, 0), (255, 255, 255), *[(200, 30, 30)] * 254]
    data = palette_page(colours, bytes((2,)) * 8000, (100, 80))
    (before,), (after,) = read(data), read(stamp(data, Badge("AI"), font, MANY).data)
    assert before.fields[320] == after.fields[320]
    assert {pixel for row in after.pixels for pixel in row} == {(0,), (1,), (2,)}


@pytest.mark.parametrize("scale", [257, 1])
def test_entries_that_no_pixel_uses_become_greys(scale: int, font: bytes) -> None:
    colours = [(level, 255 - level // 2, 40) for level in range(256)]
    data = palette_page(colours, bytes(range(200)) * 40, (100, 80), scale)
    (before,), (after,) = read(data), read(stamp(data, Badge("AI"), font, MANY).data)
    kept = [index + 256 * channel for index in range(200) for channel in range(3)]
    assert [after.fields[320][at] for at in kept] == [before.fields[320][at] for at in kept]
    new = {after.fields[320][pixel[0]] for row in after.pixels for pixel in row if pixel[0] >= 200}
    assert {0, 255 * scale} <= new


def test_a_full_palette_is_drawn_with_as_it_is_where_it_is_dark_and_light_enough(font: bytes) -> None:
    colours = [(level, level, level // 2) for level in range(256)]
    data = palette_page(colours, bytes(range(256)) * 40, (128, 80))
    stamped = stamp(data, Badge("AI"), font, MANY)
    (before,), (after,) = read(data), read(stamped.data)
    assert before.fields[320] == after.fields[320]
    left, top, right, bottom = stamped.box
    inside = [pixel for row in after.pixels[top:bottom] for pixel in row[left:right]]
    assert {(0,), (255,)} <= set(inside)
    assert len(inside) == (right - left) * (bottom - top)


def test_a_palette_without_room_is_refused(font: bytes) -> None:
    colours = [(128 + level // 4, 255 - level // 2, 40) for level in range(256)]
    data = palette_page(colours, bytes(range(256)) * 40, (128, 80))
    with pytest.raises(BadgeError, match="palette has no room"):
        stamp(data, Badge("AI"), font, MANY)


# --- Pages -----------------------------------------------------------------------------------------------------------


def test_every_page_has_its_badge_and_a_thumbnail_is_black(font: bytes, load: Callable[[str], bytes]) -> None:
    data = load("pages.tiff")
    before, after = read(data), read(stamp(data, Badge("AI"), font, MANY).data)
    assert len(after) == 3
    second = box_of(before[1], after[1])
    assert second is not None
    # Orientation 6: the bottom right of what is shown is the top right of what is stored.
    assert (second[0] > 55, second[1] < 20) == (True, True)
    assert {pixel for row in after[2].pixels for pixel in row} == {(0, 0, 0)}


def test_a_small_page_that_is_no_thumbnail_is_refused(font: bytes) -> None:
    with pytest.raises(BadgeError, match="too small"):
        stamp(picture((12, 12)), Badge("AI"), font, MANY)
    assert stamp(picture((12, 12), more={254: (4, (1,))}), Badge("AI"), font, MANY).box == (0, 0, 12, 12)


def with_page(data: bytes, fields: dict[int, int]) -> bytes:
    """A classic little-endian file with another directory at its end, of numbers that stand in their entries."""
    data += bytes(len(data) % 2)
    (at,) = struct.unpack_from("<I", data, 4)
    while True:
        link = at + 2 + 12 * int.from_bytes(data[at : at + 2], "little")
        (at,) = struct.unpack_from("<I", data, link)
        if not at:
            break
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(fields.items()))
    directory = struct.pack("<H", len(fields)) + entries + bytes(4)
    return data[:link] + struct.pack("<I", len(data)) + data[link + 4 :] + directory


def test_thumbnails_of_other_forms_go_and_the_pages_stay(font: bytes) -> None:
    small = b"\xff\xd8\xff small \xff\xd9"
    alone = picture((120, 90)) + small * 2
    start = len(alone) - 2 * len(small)
    thumbnail = {256: 16, 257: 12, 259: 6, 513: start, 514: len(small)}
    page = {256: 40, 257: 20, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 20, 279: 800, 284: 1}
    data = with_page(with_page(with_page(alone, thumbnail), thumbnail | {513: start + len(small)}), page)
    stamped = stamp(data, Badge("AI"), font, MANY).data
    assert small not in stamped
    with Image.open(BytesIO(stamped)) as after:
        assert after.n_frames == 2
        after.seek(1)
        assert after.size == (40, 20)
    assert len(read(stamp(with_page(alone, thumbnail), Badge("AI"), font, MANY).data)) == 1


def test_a_thumbnail_among_photoshops_resources_is_blanked(font: bytes) -> None:
    def resource(number: int, content: bytes) -> bytes:
        return b"8BIM" + struct.pack(">HHI", number, 0, len(content)) + content + bytes(len(content) % 2)

    kept = resource(1005, b"resolution"), resource(1061, b"digest!")
    data = picture((120, 90), more={34377: (7, kept[0] + resource(1036, b"thumbnail") + kept[1])})
    (after,) = read(stamp(data, Badge("AI"), font, MANY).data)
    assert after.fields[34377] == kept[0] + resource(1036, bytes(9)) + kept[1]


def test_the_limit_is_for_all_pages_together(font: bytes, load: Callable[[str], bytes]) -> None:
    data = load("sub-pages.tiff")
    pixels = 96 * 64 + 80 * 50
    # The last strip may reach beyond the edge.
    stamp(data, Badge("AI"), font, pixels + 96 * 20 + 80 * 20)
    with pytest.raises(MediaError, match="2 pages are over the limit"):
        stamp(data, Badge("AI"), font, pixels - 1)


# --- What is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "name"),
    [("packed with JPEG", "jpeg"), ("CCITT group 4", "group4"), ("type and depth", "float")],
)
def test_forms_that_nothing_here_decodes_are_named(
    message: str, name: str, font: bytes, load: Callable[[str], bytes]
) -> None:
    with pytest.raises(BadgeError, match=message):
        stamp(load(f"{name}.tiff"), Badge("AI"), font, MANY)


@pytest.mark.parametrize(
    ("message", "more"),
    [
        ("packed with Zstandard", {259: (3, (50000,))}),
        ("the compression 12345", {259: (3, (12345,))}),
        ("YCbCr", {262: (3, (6,))}),
        ("transparency mask", {262: (3, (4,))}),
        ("camera's raw samples", {262: (3, (32803,))}),
        ("unknown colours", {262: (3, (999,))}),
        ("type and depth", {258: (3, (12,))}),
        ("type and depth", {339: (3, (2,))}),
        ("2 samples to the pixel", {262: (3, (2,)), 277: (3, (2,))}),
        ("other inks", {262: (3, (5,)), 277: (3, (4,)), 332: (3, (2,))}),
        ("differences", {259: (3, (5,)), 317: (3, (3,))}),
        ("order of bits", {266: (3, (2,))}),
    ],
)
def test_forms_that_cannot_be_drawn_on_are_named(message: str, more: dict[int, object], font: bytes) -> None:
    with pytest.raises(BadgeError, match=message):
        stamp(picture((120, 90), more=more), Badge("AI"), font, MANY)


@pytest.mark.parametrize(
    ("message", "more"),
    [
        ("strip or tile is too short", {257: (3, (91,)), 278: (3, (91,))}),
        ("1 strips or tiles where it needs 9", {278: (3, (10,))}),
        ("without size", {278: (3, (0,))}),
        ("cannot be decoded", {259: (3, (8,))}),
        ("palette is missing", {262: (3, (3,))}),
        ("over the limit", {257: (4, (4_000_000_000,))}),
    ],
)
def test_pages_that_cannot_be_are_refused(message: str, more: dict[int, object], font: bytes) -> None:
    with pytest.raises(MediaError, match=message) as refused:
        stamp(picture((120, 90), more=more), Badge("AI"), font, MANY)
    assert not isinstance(refused.value, BadgeError)


def test_tiles_that_are_larger_than_any_picture_cost_nothing(font: bytes) -> None:
    more = {322: (4, (60_000,)), 323: (4, (60_000,)), 324: (4, (8,)), 325: (4, (100,)), 273: (4, (8,)), 259: (3, (8,))}
    data = picture((120, 90), more=more)
    fields = struct.pack("<H", 273)
    data = data.replace(fields + struct.pack("<HI", 4, 1), struct.pack("<HHI", 275, 4, 1))
    started = time.process_time()
    with pytest.raises(MediaError, match="over the limit"):
        stamp(data, Badge("AI"), font, MANY)
    assert time.process_time() - started < 1


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_pillows_own_files(compression: str, font: bytes) -> None:
    slope = Image.linear_gradient("L").resize((512, 512))
    picture = Image.merge("RGB", (slope, slope.rotate(90), slope.rotate(180)))
    out = BytesIO()
    picture.save(out, "TIFF", compression=compression, tiffinfo={317: 2} if "_" in compression else {})
    stamped = stamp(out.getvalue(), Badge("AI生成"), font, MANY)
    with Image.open(BytesIO(stamped.data)) as after:
        difference = ImageChops.difference(picture, after).getbbox()
    assert difference is not None
    left, top, right, bottom = difference
    assert stamped.box[0] <= left < right <= stamped.box[2]
    assert stamped.box[1] <= top < bottom <= stamped.box[3]
