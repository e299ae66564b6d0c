"""One sheet of badges to look at, of which everything that can be measured is.

It is written to where ``COUNTERMARK_CONTACT_SHEET`` says, else to a temporary folder.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import pytest
from PIL import Image, ImageChops, ImageOps

from proxy.media.badge import LEGIBLE_INK, Backing, Badge, Mark, Position
from proxy.media.drawing.patch import Patch, lay, patch
from tests.media.drawing.measure import contrast, letters, rows, runs, solid

CELL = (360, 270)
COLUMNS = 6
GAP = 8
AI = Badge("AI生成")
SEVERAL = "AI生成 · AI-generated · AI 생성 · AIで生成"


@dataclass(frozen=True)
class Cell:
    """A badge on a ground, stored with an orientation."""

    name: str
    badge: Badge
    ground: Image.Image
    orientation: int = 1

    def picture(self, font: bytes) -> tuple[Image.Image, Patch]:
        """As it is stored, with the badge."""
        stored = self.ground.copy()
        below = None if stored.mode == "RGBA" else stored.crop
        over = patch(self.badge, font, stored.size, self.orientation, below)
        lay(stored, over)
        return stored, over

    def shown(self, stored: Image.Image) -> Image.Image:
        """As a viewer shows it."""
        if self.orientation == 1:
            return stored
        turned = stored.copy()
        turned.getexif()[0x0112] = self.orientation
        return ImageOps.exif_transpose(turned)


def sky(size: tuple[int, int]) -> Image.Image:
    slope = Image.linear_gradient("L").resize(size)
    red, green, blue = (slope.point([low + level // 5 for level in range(256)]) for low in (110, 150, 190))
    return Image.merge("RGB", (red, green, blue))


def cells() -> list[Cell]:
    grounds = {
        "white": Image.new("RGB", CELL, "white"),
        "black": Image.new("RGB", CELL, "black"),
        "noise": Image.effect_noise(CELL, 100).convert("RGB"),
        "transparent": Image.new("RGBA", CELL),
    }
    languages = (
        "AI生成",
        "人工智能生成合成",
        "AI-generated",
        "AI généré",
        "AI 생성",
        "AI로 생성됨",
        "AIで生成",
        "Nội dung do AI tạo",
    )
    positions: tuple[Position, ...] = get_args(Position)
    backings: tuple[Backing, ...] = ("plate", "outline")
    marks: tuple[Mark, ...] = get_args(Mark)
    return [
        *(Cell(f"{name}-{backing}", replace(AI, backing=backing), ground)
          for name, ground in grounds.items() for backing in get_args(Backing)),
        *(Cell(f"{words}-{backing}", Badge(words, height=0.08, backing=backing), sky(CELL))
          for words in languages for backing in backings),
        *(Cell(f"several-{backing}", Badge(SEVERAL, height=0.07, backing=backing), sky(CELL)) for backing in backings),
        *(Cell(position, replace(AI, position=position, backing=backing), sky(CELL))
          for position in positions for backing in backings),
        *(Cell(f"{mark}-{words}-{backing}", Badge(words, "top-right", 0.08, mark, backing), sky(CELL))
          for mark in marks for words in ("", "AI生成", "AI 생성 · AI-generated") for backing in backings),
        *(Cell(f"portrait-{backing}", replace(AI, backing=backing), sky(CELL), 6) for backing in backings),
        *(Cell(f"small-{backing}", replace(AI, backing=backing), sky((64, 64))) for backing in backings),
        *(Cell(f"wide-{backing}", replace(AI, mark=mark, backing=backing), sky((4096, 256)))
          for mark in (None, "generated") for backing in backings),
    ]  # fmt: skip


CELLS = cells()


@pytest.mark.parametrize("cell", CELLS, ids=[f"{number}-{cell.name}" for number, cell in enumerate(CELLS)])
def test_a_cell(cell: Cell, font: bytes) -> None:
    shown = cell.shown(cell.picture(font)[0])
    upright = replace(cell, ground=cell.shown(cell.ground), orientation=1)
    same, there = upright.picture(font)
    assert ImageChops.difference(shown, same).getbbox() is None, "it is not upright"
    check_height(cell.badge, letters(there), min(shown.size))
    check_edges(cell.badge.position, there, shown.size)
    check_contrast(there, shown.convert("RGB"))


def check_height(badge: Badge, coverage: Image.Image, shorter: int) -> None:
    """The lines, and in them every capital, are high enough; of a mark, its second line alone may be lower."""
    if badge.mark and not badge.words:
        return  # its frame is around them: see the tests of the mark
    least = max(LEGIBLE_INK, badge.height * shorter)
    lines = [row for row in rows(coverage) if row.height >= least / 2]  # without the dots over and under letters
    assert lines
    assert min(row.height for row in lines) >= least
    if badge.words.startswith("AI") and not badge.mark:
        assert min(bottom - top for _, top, _, bottom in [*runs(lines[0])][:2]) >= least


def check_edges(position: Position, over: Patch, size: tuple[int, int]) -> None:
    ink = solid(letters(over)).getbbox()
    assert ink is not None
    left, top, right, bottom = over.box
    near = max(LEGIBLE_INK, 0.08 * min(size))
    for name, distance in (("left", left), ("top", top), ("right", size[0] - right), ("bottom", size[1] - bottom)):
        assert distance >= 0
        assert name not in position or distance <= near
    for one, other, first, second in (
        (left, size[0] - right, "left", "right"),
        (top, size[1] - bottom, "top", "bottom"),
    ):
        assert first in position or second in position or abs(one - other) <= 1
    if over.mask is None:
        spare = (ink[0], ink[1], over.levels.width - ink[2], over.levels.height - ink[3])
        assert min(spare) >= 2, "letters touch the edge of the plate"


def check_contrast(over: Patch, shown: Image.Image) -> None:
    """4.5:1 between the letters and what is beside them."""
    coverage = letters(over)
    inked = coverage.point([0] + [255] * 255)
    around = Image.new("L", inked.size)
    for across, down in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        around = ImageChops.lighter(around, ImageChops.subtract(ImageChops.offset(inked, across, down), inked))
    inside = shown.crop(over.box)
    core = set(pixels(inside, coverage.point([0] * 250 + [255] * 6)))
    beside = set(pixels(inside, around))
    assert core
    assert beside
    assert min(contrast(one, other) for one in core for other in beside) >= 4.5


def pixels(picture: Image.Image, where: Image.Image) -> Iterator[tuple[int, ...]]:
    colours = zip(*[iter(picture.tobytes())] * 3, strict=True)
    return (colour for colour, wanted in zip(colours, where.tobytes(), strict=True) if wanted)


def test_the_sheet(font: bytes, tmp_path: Path) -> None:
    """All cells in one picture, small ones three times as large, wide ones cut to their badge."""
    drawn = []
    for cell in CELLS:
        picture = cell.shown(cell.picture(font)[0])
        if picture.mode == "RGBA":
            checks = Image.frombytes("L", (2, 2), b"\xc0\xff\xff\xc0").resize((24, 24), Image.Resampling.NEAREST)
            under = Image.new("RGB", picture.size)
            for x in range(0, under.width, 24):
                for y in range(0, under.height, 24):
                    under.paste(checks.convert("RGB"), (x, y))
            under.paste(picture, mask=picture.getchannel("A"))
            picture = under
        if picture.width < 100:
            picture = picture.resize((3 * picture.width, 3 * picture.height), Image.Resampling.NEAREST)
        if picture.width > CELL[0]:
            picture = picture.crop((picture.width - CELL[0], 0, *picture.size))
        drawn.append(picture)
    side = max(CELL) + GAP
    sheet = Image.new("RGB", (COLUMNS * side, -(-len(drawn) // COLUMNS) * side), (96, 64, 96))
    for number, picture in enumerate(drawn):
        sheet.paste(picture, (number % COLUMNS * side + GAP // 2, number // COLUMNS * side + GAP // 2))
    target = Path(os.environ.get("COUNTERMARK_CONTACT_SHEET") or tmp_path / "contact-sheet.png")
    sheet.save(target)
    with Image.open(target) as written:
        assert written.size == sheet.size
        assert len(written.convert("RGB").getcolors(1 << 24) or ()) > 1000
