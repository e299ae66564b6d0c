"""The mark, and its place beside or over words."""

from typing import get_args

import pytest
from PIL import Image, ImageChops

from proxy.media.badge import LEGIBLE_INK, Badge, Mark
from proxy.media.drawing.patch import patch
from tests.media.drawing.measure import letters, rows, runs, solid


def inside(coverage: Image.Image) -> Image.Image:
    """What the frame holds, without its round corners."""
    ink = solid(coverage)
    box = ink.getbbox()
    assert box is not None
    row = ink.crop((0, ink.height // 2, ink.width, ink.height // 2 + 1))
    (left, _, right, _), *_ = runs(row)
    edge = 2 * (right - left) + 2
    return coverage.crop((box[0] + edge, box[1] + edge, box[2] - edge, box[3] - edge))


@pytest.mark.parametrize("mark", get_args(Mark))
@pytest.mark.parametrize(("side", "height"), [(128, 0.05), (512, 0.05), (1024, 0.05), (1024, 0.1), (3000, 0.05)])
def test_capitals_of_one_height_over_a_lower_line(side: int, height: float, mark: Mark, font: bytes) -> None:
    main, second = (
        [bottom - top for _, top, _, bottom in runs(row)]
        for row in rows(inside(patch(Badge("", height=height, mark=mark), font, (side, side)).levels))
    )
    assert len(main) == 2
    assert min(main) == max(main) >= max(height * side, LEGIBLE_INK)
    assert len(mark) - 2 <= len(second) <= len(mark)  # some touch
    assert min(second) >= LEGIBLE_INK
    assert max(second) < 0.7 * main[0]


def test_the_marks_differ(font: bytes) -> None:
    one, other = (patch(Badge("", mark=mark), font, (500, 500)) for mark in get_args(Mark))
    assert one.levels.tobytes() != other.levels.tobytes()


def test_the_frame_is_closed_and_its_corners_are_round(font: bytes) -> None:
    ink = solid(patch(Badge("", mark="modified"), font, (1024, 1024)).levels)
    left, top, right, bottom = ink.getbbox() or (0, 0, 0, 0)
    for y in range(top + 30, bottom - 30):
        assert ink.getpixel((left, y)) == ink.getpixel((right - 1, y)) == 255
    for x in range(left + 30, right - 30):
        assert ink.getpixel((x, top)) == ink.getpixel((x, bottom - 1)) == 255
    assert {ink.getpixel((x, y)) for x in (left, right - 1) for y in (top, bottom - 1)} == {0}


@pytest.mark.parametrize(
    ("beside", "words", "size"),
    [
        (False, "AI生成", (1000, 1000)),
        (False, "AI生成", (100, 600)),
        (True, "AI生成", (900, 56)),  # no room under it
        (True, "人工智能生成合成", (2000, 1000)),  # less of the picture is covered
    ],
)
def test_words_stand_where_they_cover_less(beside: bool, words: str, size: tuple[int, int], font: bytes) -> None:
    over = patch(Badge(words, mark="generated"), font, size)
    left, top, right, bottom = over.box
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]
    alone = patch(Badge("", mark="generated"), font, size)
    wider, higher = (over.levels.size[axis] - alone.levels.size[axis] for axis in (0, 1))
    assert (wider > 0 and higher <= 0) == beside
    assert (higher > 0) == (not beside)


@pytest.mark.parametrize("words", ["AI生成", "AI 생성 · AI-generated", "人工智能生成合成"])
def test_words_beside_a_mark_are_as_high_as_without_it(words: str, font: bytes) -> None:
    size = (2000, 400)
    alone = letters(patch(Badge(words), font, size))
    both = letters(patch(Badge(words, mark="generated"), font, size))
    box = solid(alone).getbbox()
    assert box is not None
    found = alone.crop(box)
    places = [
        (x, y)
        for x in range(both.width - found.width + 1)
        for y in range(both.height - found.height + 1)
        if both.getpixel((x + 1, y + found.height // 2)) == found.getpixel((1, found.height // 2))
        and ImageChops.difference(both.crop((x, y, x + found.width, y + found.height)), found).getbbox() is None
    ]
    assert len(places) == 1


def test_a_mark_has_a_plate_unless_an_outline_is_asked_for(font: bytes) -> None:
    white = Image.new("RGB", (500, 500), "white")
    assert patch(Badge("", mark="generated"), font, white.size, 1, white.crop).mask is None
    outlined = patch(Badge("", mark="generated", backing="outline"), font, white.size, 1, white.crop)
    assert outlined.mask is not None
    assert outlined.levels.getpixel((0, 0)) == 255
    assert ImageChops.subtract(letters(outlined), outlined.mask).getbbox() is None
