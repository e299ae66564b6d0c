"""The badge on PNG: there, opaque, and outside its box every pixel and every chunk the same."""

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from proxy.media import png
from proxy.media.badge import Badge
from proxy.media.drawing.png import stamp
from proxy.media.drawing.rows import STRIP_BYTES
from proxy.media.errors import BadgeError, MediaError

Pixels = list[list[tuple[int, ...]]]
Chunks = Callable[[bytes], list[tuple[bytes, bytes]]]

PLATE = Badge("AI生成", backing="plate")
POSITIONS = ("bottom-right", "top-left", "left")
MANY = 10**8


def file(size: tuple[int, int], rows: bytes, *before: tuple[bytes, bytes], depth: int = 8, colour: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    parts = ((b"IHDR", header), *before, (b"IDAT", rows), (b"IEND", b""))
    return png.SIGNATURE + b"".join(png.chunk_bytes(kind, data) for kind, data in parts)


def opened(data: bytes) -> Image.Image:
    picture = Image.open(BytesIO(data))
    picture.load()
    return picture


def blanked(picture: Image.Image, box: tuple[int, int, int, int]) -> bytes:
    """The pixels outside a box."""
    copy = picture.copy()
    copy.paste(Image.new(picture.mode, (box[2] - box[0], box[3] - box[1])), box)
    return copy.tobytes()


def test_outside_the_box_every_pixel_is_the_same(
    drawable_png: Path, font: bytes, rgba16: Callable[[bytes], Pixels]
) -> None:
    data = drawable_png.read_bytes()
    position = POSITIONS[len(data) % 3]
    stamped = stamp(data, Badge("AI", position, backing="plate"), font, MANY)  # type: ignore[arg-type]
    left, top, right, bottom = stamped.box
    inside = []
    for y, (old, new) in enumerate(zip(rgba16(data), rgba16(stamped.data), strict=True)):
        if top <= y < bottom:
            inside += new[left:right]
            old, new = old[:left] + old[right:], new[:left] + new[right:]
        assert old == new
    assert {pixel[3] for pixel in inside} == {65535}, "a transparent picture shows through"
    assert all(pixel[0] == pixel[1] == pixel[2] for pixel in inside)
    assert min(inside)[0] < 600
    assert max(inside)[0] > 64_000


@pytest.mark.parametrize("name", ["rgb8.png", "grey8.png", "rgb8-interlaced.png", "rgba8.png", "orientation6.png"])
def test_a_badge_without_a_plate_changes_nothing_outside_its_box(
    name: str, font: bytes, load: Callable[[str], bytes], rgba16: Callable[[bytes], Pixels]
) -> None:
    data = load(name)
    stamped = stamp(data, Badge("AI", backing="outline"), font, MANY)
    left, top, right, bottom = stamped.box
    before, after = rgba16(data), rgba16(stamped.data)
    for y in range(64):
        outside = [x for x in range(96) if not (left <= x < right and top <= y < bottom)]
        assert [before[y][x] for x in outside] == [after[y][x] for x in outside]
    assert {pixel[3] for row in after[top:bottom] for pixel in row[left:right]} == {65535}


@pytest.mark.parametrize(
    ("mixed", "name"),
    [
        (True, "rgb8.png"),
        (True, "grey8.png"),
        (False, "rgba8.png"),  # transparent where the badge stands
        (False, "rgb8-key.png"),
        (False, "rgb16.png"),
        (False, "palette8.png"),
    ],
)
def test_letters_stand_bare_only_on_pixels_that_mix(
    mixed: bool, name: str, font: bytes, load: Callable[[str], bytes]
) -> None:
    bare, plate = (stamp(load(name), Badge("AI", backing=backing), font, MANY) for backing in ("outline", "plate"))
    assert mixed == (bare.box != plate.box)


def test_letters_stand_bare_on_what_is_opaque_under_them(font: bytes) -> None:
    picture = Image.new("RGBA", (200, 100), (90, 90, 90, 255))
    picture.putpixel((0, 0), (0, 0, 0, 0))
    out = BytesIO()
    picture.save(out, "PNG")
    stamped = stamp(out.getvalue(), Badge("AI", backing="outline"), font, MANY)
    colours = opened(stamped.data).crop(stamped.box).getcolors(10_000)
    assert colours is not None
    assert (90, 90, 90, 255) in [colour for _, colour in colours]
    assert {colour[3] for _, colour in colours} == {255}


def test_the_form_of_the_picture_is_kept(drawable_png: Path, font: bytes) -> None:
    promoted = {
        "palette1-full": (8, 3),
        "palette2": (8, 3),
        "palette8-full": (8, 2),
        "palette8-full-transparent": (8, 6),
        "palette8-histogram": (8, 2),
        "grey1-key": (8, 0),
        "grey4-key": (8, 0),
        "animated-grey4-key": (8, 0),
        "animated-palette-full": (8, 6),
        "animated-apart-grey4": (8, 4),
        "animated-apart-grey16": (16, 4),
        "animated-apart-rgb16": (16, 6),
        "animated-apart-palette": (8, 6),
    }
    before = png.parse(drawable_png.read_bytes())[0]
    after = png.parse(stamp(drawable_png.read_bytes(), Badge("AI"), font, MANY).data)[0]
    assert promoted.get(drawable_png.stem, (before.depth, before.colour)) == (after.depth, after.colour)
    assert (after.width, after.height) == (before.width, before.height)


def test_every_other_chunk_is_kept_byte_for_byte_and_in_order(drawable_png: Path, font: bytes, chunks: Chunks) -> None:
    data = drawable_png.read_bytes()
    drawn = {b"IHDR", b"IDAT", b"fcTL", b"fdAT"}
    if any(part in drawable_png.stem for part in ("palette", "grey1-key", "grey4-key")):  # see the next test
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
    expected: dict[bytes, bytes | None], name: str, font: bytes, load: Callable[[str], bytes], chunks: Chunks
) -> None:
    after = dict(chunks(stamp(load(name), Badge("AI"), font, MANY).data))
    assert {kind: after.get(kind) for kind in expected} == expected


def test_a_palette_grows_and_its_own_colours_stay(font: bytes, load: Callable[[str], bytes], chunks: Chunks) -> None:
    for name, greys in (("palette8.png", 16), ("palette4.png", 4), ("palette8-transparent.png", 16)):
        old = dict(chunks(load(name)))[b"PLTE"]
        new = dict(chunks(stamp(load(name), Badge("AI"), font, MANY).data))[b"PLTE"]
        assert new.startswith(old)
        assert len(new) - len(old) == 3 * greys


def test_a_full_palette_of_few_bits_takes_eight(font: bytes, load: Callable[[str], bytes], chunks: Chunks) -> None:
    # Three colours of four: black and white do not both fit. An index without a colour stays black.
    for name, filled in (("palette1-full.png", b""), ("palette2.png", bytes(3))):
        old = dict(chunks(load(name)))
        new = dict(chunks(stamp(load(name), PLATE, font, MANY).data))
        assert (old[b"IHDR"][8] < 8, new[b"IHDR"][8:10]) == (True, b"\x08\x03")
        assert new[b"PLTE"].startswith(old[b"PLTE"] + filled)
        assert 14 <= (len(new[b"PLTE"]) - len(old[b"PLTE"])) // 3 <= 16


def test_a_full_palette_is_drawn_with_as_it_is_where_it_is_dark_and_light_enough(font: bytes) -> None:
    picture = Image.merge("RGB", [Image.linear_gradient("L"), Image.radial_gradient("L"), Image.linear_gradient("L")])
    out = BytesIO()
    picture.resize((600, 400)).quantize(256, method=Image.Quantize.MEDIANCUT).save(out, "PNG")
    stamped = stamp(out.getvalue(), PLATE, font, MANY)
    before, after = opened(out.getvalue()), opened(stamped.data)
    assert before.mode == after.mode == "P"
    assert before.getpalette() == after.getpalette()
    assert blanked(before, stamped.box) == blanked(after, stamped.box)
    darkest, brightest = after.convert("L").crop(stamped.box).getextrema()
    assert brightest - darkest > 180  # type: ignore[operator]


# --- Rows that are copied ---------------------------------------------------------------------------------------------


def woven(size: tuple[int, int], kinds: Callable[[int], int]) -> bytes:
    """Rows of any filter: whatever bytes stand in them, they are some picture."""
    width, height = size
    pattern = bytes(at * at * 7 % 251 for at in range(3 * width + 977))
    return b"".join(
        bytes((kinds(y),)) + pattern[y * 31 % 977 : y * 31 % 977 + 3 * width] for y in range(height)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("position", "kinds"),
    [
        ("bottom-right", lambda y: 4),
        ("top-left", lambda y: 3),
        ("left", lambda y: y % 5),
        ("bottom-right", lambda y: 1 if y == 700 else 2),
        ("bottom-right", lambda y: 0),
    ],
    ids=["Paeth", "Average", "mixed", "one Sub", "None"],
)
def test_large_pictures_of_any_filter_are_the_same_outside_the_box(
    position: str, kinds: Callable[[int], int], font: bytes
) -> None:
    """Longer than one strip, and than what waits for a row that depends on none before."""
    size = 1500, 2400
    assert 3 * size[0] * size[1] > 9 * STRIP_BYTES
    rows = woven(size, kinds)
    data = file(size, zlib.compress(rows, 1))
    stamped = stamp(data, Badge("AI", position), font, MANY)  # type: ignore[arg-type]
    before, after = opened(data), opened(stamped.data)
    assert before.tobytes() != after.tobytes()
    assert blanked(before, stamped.box) == blanked(after, stamped.box)
    written = zlib.decompress(b"".join(bytes(part.data) for part in png.parse(stamped.data)[1] if part.kind == b"IDAT"))
    stride = 3 * size[0] + 1
    top, bottom = stamped.box[1], stamped.box[3] + 1
    assert written[: top * stride] == rows[: top * stride]
    assert written[bottom * stride :] == rows[bottom * stride :]


def test_a_file_grows_by_no_more_than_the_badge_and_a_little(font: bytes) -> None:
    picture = Image.effect_noise((600, 400), 40).resize((1200, 800), Image.Resampling.BICUBIC).convert("RGB")
    out = BytesIO()
    picture.save(out, "PNG")
    assert len(stamp(out.getvalue(), Badge("AI生成"), font, MANY).data) < 1.15 * len(out.getvalue())


# --- What is refused --------------------------------------------------------------------------------------------------

SIZE = (64, 64)
ROWS = bytes(64 * 193)


@pytest.mark.parametrize(
    ("message", "samples"),
    [
        ("end too early", zlib.compress(ROWS[:-1])),
        ("end too early", zlib.compress(ROWS)[:-4]),
        ("end too early", b""),
        ("cannot be decoded", zlib.compress(ROWS)[:-1] + b"\0"),
        ("cannot be decoded", b"not zlib"),
        ("cannot be decoded", zlib.compress(ROWS, wbits=-15)),
        ("a filter that the standard does not know", zlib.compress(b"\5" + ROWS[1:])),
        ("a filter that the standard does not know", zlib.compress(ROWS[:-193] + b"\xff" + ROWS[-192:])),
    ],
)
def test_a_damaged_datastream_is_refused(message: str, samples: bytes, font: bytes) -> None:
    for position in POSITIONS:
        with pytest.raises(MediaError, match=message) as caught:
            stamp(file(SIZE, samples), Badge("AI", position), font, MANY)  # type: ignore[arg-type]
        assert not isinstance(caught.value, BadgeError)


@pytest.mark.parametrize("interlaced", [False, True])
def test_a_compressed_bomb_costs_no_more_than_its_picture(interlaced: bool, font: bytes) -> None:
    """Far more data than the header promises is not inflated; viewers pass over it too."""
    data = file(SIZE, zlib.compress(bytes(50_000_000), 9), colour=0)
    data = data.replace(data[8:33], png.chunk_bytes(b"IHDR", data[16:28] + bytes((interlaced,))))
    assert len(stamp(data, Badge("AI"), font, MANY).data) < 5_000


def test_a_picture_that_is_too_small_gets_no_badge(font: bytes) -> None:
    with pytest.raises(BadgeError, match="too small"):
        stamp(file((20, 14), zlib.compress(bytes(14 * 61))), PLATE, font, MANY)
