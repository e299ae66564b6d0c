"""The badge as pixels: high enough, legible on any ground, upright, in its place, whole or refused."""

from math import ceil
from typing import get_args

import pytest
from PIL import Image, ImageChops, ImageFilter, ImageOps

from proxy.media.badge import LEGIBLE_INK, Backing, Badge, Box, Position, displayed
from proxy.media.drawing.patch import Patch, lay, patch
from proxy.media.errors import BadgeError, MediaError
from tests.media.drawing.measure import contrast, letters, rows, runs, solid

SIZE = (420, 300)
POSITIONS: tuple[Position, ...] = get_args(Position)
SEVERAL = "AI生成 · AI-generated · AI 생성 · AIで生成"
WORDS = (
    "AI", "AI生成", "人工智能生成合成", "AI 생성", "AI로 생성됨", "AIで生成", "AI-generated", "AI généré",
    "Nội dung do AI tạo", "KI-generiert", SEVERAL,
)  # fmt: skip
LONG = ("AI-generated", "KI-generiert", SEVERAL)  # for 64 pixels


def grey(level: int) -> Image.Image:
    return Image.new("RGB", SIZE, (level,) * 3)


def photo() -> Image.Image:
    """Like a photograph: slopes of colour, soft shapes, edges, and grain."""
    across, down = Image.linear_gradient("L").rotate(90).resize(SIZE), Image.linear_gradient("L").resize(SIZE)
    shapes = Image.effect_mandelbrot(SIZE, (-1.6, -1.1, 0.6, 1.1), 60).filter(ImageFilter.GaussianBlur(2))
    picture = Image.merge("RGB", (ImageChops.blend(across, shapes, 0.4), ImageChops.blend(down, shapes, 0.5), shapes))
    return ImageChops.add(picture, Image.effect_noise(SIZE, 12).convert("RGB"), 1, -128)


def tiled(tile: Image.Image) -> Image.Image:
    picture = Image.new("RGB", SIZE)
    for x in range(0, SIZE[0], tile.width):
        for y in range(0, SIZE[1], tile.height):
            picture.paste(tile.convert("RGB"), (x, y))
    return picture


GROUNDS = {
    "white": grey(255),
    "black": grey(0),
    "mid-grey": grey(118),
    "yellow": Image.new("RGB", SIZE, "yellow"),
    "noise": Image.effect_noise(SIZE, 100).convert("RGB"),
    "gradient": Image.linear_gradient("L").resize(SIZE).convert("RGB"),
    "steep": tiled(Image.linear_gradient("L").rotate(90).resize((70, 60))),
    "stripes": tiled(Image.frombytes("L", (2, 1), b"\0\xff")),
    "squares": tiled(Image.frombytes("L", (2, 2), b"\0\xff\xff\0").resize((10, 10), Image.Resampling.NEAREST)),
    "photo": photo(),
}


def laid(badge: Badge, font: bytes, picture: Image.Image) -> tuple[Image.Image, Patch]:
    over = patch(badge, font, picture.size, 1, picture.crop)
    after = picture.copy()
    lay(after, over)
    return after, over


# --- Height ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backing", ["plate", "outline"])
@pytest.mark.parametrize(("side", "height"), [(64, 0.05), (180, 0.05), (512, 0.1), (1000, 0.05), (1024, 0.2)])
@pytest.mark.parametrize("words", ["AI", "AI生成", "人工智能", "한국", "AI 생성", "コン", "AIで生成"])
def test_every_letter_of_every_script_is_as_high_as_asked(
    words: str, side: int, height: float, backing: Backing, font: bytes
) -> None:
    picture = Image.new("RGB", (side * 2, side), "white")
    _, over = laid(Badge(words, "left", height, backing=backing), font, picture)
    (coverage,) = rows(letters(over))
    heights = [bottom - top for _, top, _, bottom in runs(coverage)]
    least = max(LEGIBLE_INK, height * side)
    if words.startswith("AI"):
        assert min(heights[:2]) >= least
    if words == "AI":
        assert max(heights) <= ceil(least) + 2
        return
    # Ideographs and syllables can be of several pieces: the whole of them is measured.
    left = [*runs(coverage)][2][0] if words.startswith("AI") else 0
    box = solid(coverage).crop((left, 0, coverage.width, coverage.height)).getbbox()
    assert box is not None
    assert box[3] - box[1] >= least


def test_ideographs_are_legible_where_the_picture_is_small(font: bytes) -> None:
    over = patch(Badge("生成"), font, (64, 64))
    assert min(solid(letters(over)).getbbox()[3:]) >= 12


# --- Contrast --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("height", [0.05, 0.1])
@pytest.mark.parametrize("backing", get_args(Backing))
@pytest.mark.parametrize("name", GROUNDS)
def test_what_touches_a_letter_contrasts_with_it(name: str, backing: Backing, height: float, font: bytes) -> None:
    """4.5:1 between the letters and every pixel around them that is no letter."""
    after, over = laid(Badge("AI生成", "bottom", height, backing=backing), font, GROUNDS[name])
    inside, coverage = after.crop(over.box), letters(over)
    inked = coverage.point([0] + [255] * 255)
    around = Image.new("L", inked.size)
    for across, down in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        beside = ImageChops.subtract(ImageChops.offset(inked, across, down), inked)
        around = ImageChops.lighter(around, beside)
    core = coverage.point([0] * 250 + [255] * 6)
    pixels, ink, edge = (list(zip(*[iter(image.tobytes())] * bands, strict=True)) for image, bands in (
        (inside, 3), (core, 1), (around, 1)
    ))  # fmt: skip
    inner = {pixel for pixel, (level,) in zip(pixels, ink, strict=True) if level}
    outer = {pixel for pixel, (level,) in zip(pixels, edge, strict=True) if level}
    assert inner
    assert outer
    assert min(contrast(one, other) for one in inner for other in outer) >= 4.5


@pytest.mark.parametrize(
    ("plate", "name"),
    [
        (False, "white"),
        (False, "black"),
        (False, "mid-grey"),
        (False, "yellow"),
        (True, "noise"),
        (True, "steep"),
        (True, "stripes"),
        (True, "squares"),
        (True, "photo"),
    ],
)
def test_auto_bares_letters_where_the_ground_carries_them(plate: bool, name: str, font: bytes) -> None:
    ground = GROUNDS[name]
    over = patch(Badge("AI生成", "right"), font, SIZE, 1, ground.crop)
    assert (over.mask is None) == plate
    if not plate:
        colour = (255,) * 3 if over.levels.getpixel((0, 0)) == 0 else (0,) * 3
        assert contrast(colour, ground.getpixel((0, 0))) >= 4.5


@pytest.mark.parametrize("backing", get_args(Backing))
def test_without_the_ground_it_is_a_plate(backing: Backing, font: bytes) -> None:
    over = patch(Badge("AI生成", backing=backing), font, SIZE)
    assert over.mask is None
    assert over.levels.getextrema() == (0, 255)


def test_an_outline_covers_its_letters_and_fades_at_its_edge(font: bytes) -> None:
    over = patch(Badge("AI生成", height=0.1, backing="outline"), font, SIZE, 1, GROUNDS["noise"].crop)
    assert over.mask is not None
    assert over.mask.size == over.levels.size == (over.box[2] - over.box[0], over.box[3] - over.box[1])
    assert ImageChops.subtract(letters(over), over.mask).getbbox() is None
    assert len(over.mask.getcolors() or ()) > 20
    assert over.mask.getbbox() is not None
    assert min(over.mask.getpixel(corner) == 0 for corner in ((0, 0), (over.mask.width - 1, 0)))


@pytest.mark.parametrize(("mode", "black", "white"), [("L", 0, 255), ("RGB", (0, 0, 0), (255, 255, 255))])
@pytest.mark.parametrize("backing", get_args(Backing))
def test_outside_its_box_nothing_is_laid(
    mode: str, black: object, white: object, backing: Backing, font: bytes
) -> None:
    before = GROUNDS["photo"].convert(mode)
    over = patch(Badge("AI生成", backing=backing), font, SIZE, 1, GROUNDS["photo"].crop)
    after = before.copy()
    lay(after, over)
    colours = {colour for _, colour in after.crop(over.box).getcolors(100_000) or ()}
    assert {black, white} <= colours
    difference = ImageChops.difference(before, after)
    difference.paste(black, over.box)
    assert difference.getbbox() is None


# --- Place -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("backing", ["plate", "outline"])
def test_it_stands_where_it_was_asked_for(position: Position, backing: Backing, font: bytes) -> None:
    left, top, right, bottom = patch(Badge("AI", position, backing=backing), font, SIZE, 1, grey(0).crop).box
    for near, far, first, last in ((left, SIZE[0] - right, "left", "right"), (top, SIZE[1] - bottom, "top", "bottom")):
        if first in position:
            assert 0 < near < 10 < far
        elif last in position:
            assert 0 < far < 10 < near
        else:
            assert abs(near - far) <= 1


@pytest.mark.parametrize("position", ["top-left", "right", "bottom"])
@pytest.mark.parametrize("backing", ["plate", "outline"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_stands_upright_as_the_picture_is_shown(
    orientation: int, backing: Backing, position: Position, font: bytes
) -> None:
    """What is shown is the same as if the picture had been stored upright."""
    badge = Badge("AI生成", position, backing=backing)
    stored = Image.new("RGB", displayed(orientation, (200, 150)), (90, 200, 255))
    asked: list[Box] = []

    def beneath(box: Box) -> Image.Image:
        asked.append(box)
        return stored.crop(box)

    over = patch(badge, font, stored.size, orientation, beneath)
    assert asked == ([over.box] if backing == "outline" else [])
    lay(stored, over)
    exif = stored.getexif()
    exif[0x0112] = orientation
    upright, _ = laid(badge, font, Image.new("RGB", (200, 150), (90, 200, 255)))
    assert ImageChops.difference(ImageOps.exif_transpose(stored), upright).getbbox() is None


@pytest.mark.parametrize("backing", ["plate", "outline"])
@pytest.mark.parametrize("size", [(64, 64), (300, 128), (4096, 256), (256, 4096), (1024, 1024), (16, 16)])
@pytest.mark.parametrize("words", WORDS)
def test_it_is_whole_or_refused(words: str, size: tuple[int, int], backing: Backing, font: bytes) -> None:
    badge = Badge(words, backing=backing)
    picture = Image.new("RGB", size)
    if size == (16, 16) or (size == (64, 64) and words in LONG):
        with pytest.raises(BadgeError, match="too small for a legible badge"):
            patch(badge, font, size, 1, picture.crop)
        return
    over = patch(badge, font, size, 1, picture.crop)
    left, top, right, bottom = over.box
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]
    # Its letters end before it does.
    box = letters(over).getbbox()
    assert box is not None
    assert min(box[0], box[1], over.levels.width - box[2], over.levels.height - box[3]) >= 1


def test_a_picture_of_a_hundred_megapixels(font: bytes) -> None:
    over = patch(Badge("AI生成"), font, (10_000, 10_000))
    heights = [bottom - top for _, top, _, bottom in runs(over.levels)]
    assert 500 <= min(heights[:2]) <= 503


@pytest.mark.parametrize(
    ("lines", "size"), [(1, (1200, 512)), (2, (512, 512)), (4, (110, 512))]
)  # fmt: skip
def test_several_languages_take_the_lines_they_need(lines: int, size: tuple[int, int], font: bytes) -> None:
    over = patch(Badge(SEVERAL), font, size)
    least = 0.05 * min(size)
    found = [each for each in rows(over.levels) if each.height > least / 2]
    assert len(found) == lines
    assert min(each.height for each in found) >= least


def test_ideographs_go_to_a_second_line_rather_than_to_none(font: bytes) -> None:
    over = patch(Badge("人工智能生成合成"), font, (64, 64))
    assert len([*rows(over.levels)]) == 2


# --- What is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "badge", "size"),
    [
        ("20 x 20 pixels is too small", Badge("AI生成"), (20, 20)),
        ("16 x 16 pixels is too small", Badge("AI"), (16, 16)),
        ("400 x 14 pixels is too small", Badge("AI生成"), (400, 14)),
        ("the mark 'generated' takes", Badge("", mark="generated"), (50, 50)),
        ("too small for a legible badge: 'AI-gen", Badge("AI-generated"), (64, 64)),
        ("too small for a legible badge", Badge("AI-generated " * 15, height=0.1), (500, 500)),
    ],
)
def test_a_picture_that_is_too_small_is_refused(message: str, badge: Badge, size: tuple[int, int], font: bytes) -> None:
    with pytest.raises(BadgeError, match=message):
        patch(badge, font, size)


@pytest.mark.parametrize("words", ["", "  ", "\u3000"])
def test_words_without_ink_are_no_badge(words: str, font: bytes) -> None:
    with pytest.raises(MediaError, match="no ink"):
        patch(Badge(words), font, (500, 500))


def test_a_font_that_is_none_is_refused() -> None:
    with pytest.raises(MediaError, match="font cannot be read"):
        patch(Badge("AI"), b"no font", (500, 500))


# --- What is kept ----------------------------------------------------------------------------------------------------


def test_what_is_small_is_drawn_once_and_what_is_large_is_not_kept(font: bytes) -> None:
    small = [patch(Badge("AI生成"), font, (1000, 1000)) for _ in range(2)]
    assert small[0].levels is small[1].levels
    large = [patch(Badge("AI生成"), font, (8000, 8000)) for _ in range(2)]
    assert large[0].levels is not large[1].levels
    assert large[0].levels.tobytes() == large[1].levels.tobytes()
