"""The plan of an animation, played on a canvas of a few pixels and compared with what was to be seen."""

import random
from collections import Counter
from collections.abc import Sequence

import pytest

from proxy.media.badge import Box
from proxy.media.errors import BadgeError, MediaError
from proxy.media.frames import Dispose, Frame, Step, plan

WIDTH, HEIGHT = CANVAS = (8, 6)
BOX: Box = (5, 4, 8, 6)
FULL: Box = (0, 0, WIDTH, HEIGHT)
BADGE = "badge"

# What stands at a place on the canvas: nothing where it is transparent.
Pixel = str | None
Picture = dict[tuple[int, int], Pixel]
Drawing = dict[tuple[int, int], Pixel]


def places(box: Box) -> list[tuple[int, int]]:
    return [(x, y) for y in range(box[1], box[3]) for x in range(box[0], box[2])]


def play(frames: Sequence[tuple[Drawing, bool, Dispose]]) -> list[Picture]:
    """What each frame shows: a reference that knows blending and disposal, and nothing of badges."""
    canvas: Picture = dict.fromkeys(places(FULL))
    shown = []
    for drawing, replaces, dispose in frames:
        before = dict(canvas)
        canvas.update({place: pixel for place, pixel in drawing.items() if replaces or pixel})
        shown.append(dict(canvas))
        if dispose == "previous":
            canvas = before
        elif dispose == "background":
            canvas.update(dict.fromkeys(drawing))
    return shown


def planned(drawing: Drawing, shown: Picture, step: Step, box: Box) -> Drawing:
    """A frame drawn as its step says; ``shown`` is what was to be seen with it."""
    if not step.paint:
        return drawing
    badge, held = set(places(box)), shown if step.composed else drawing
    return {place: BADGE if place in badge else held.get(place) for place in places(step.region)}


def check(
    frames: Sequence[Frame], drawings: Sequence[Drawing], box: Box, grid: int = 1, compose: bool = False
) -> list[Step]:
    steps = plan(frames, box, CANVAS, grid, compose)
    before = play([(drawing, frame.replaces, frame.dispose) for frame, drawing in zip(frames, drawings, strict=True)])
    drawn = []
    for frame, drawing, shown, step in zip(frames, drawings, before, steps, strict=True):
        assert set(places(frame.region)) == set(drawing)
        assert set(places(frame.region)) <= set(places(step.region)) <= set(places(FULL))
        assert (step.region[0] % grid, step.region[1] % grid) == (0, 0)
        assert step.paint or step == Step(frame.region, False, frame.dispose)
        assert compose or (not step.composed and step.dispose == frame.dispose)
        drawn.append((planned(drawing, shown, step, box), step.composed or frame.replaces, step.dispose))
    assert play(drawn) == [{**picture, **dict.fromkeys(places(box), BADGE)} for picture in before]
    return steps


def some_box(chance: random.Random, grid: int = 1) -> Box:
    left, right = sorted(chance.sample(range(WIDTH + 1), 2))
    top, bottom = sorted(chance.sample(range(HEIGHT + 1), 2))
    return left - left % grid, top - top % grid, right, bottom


def some_animation(chance: random.Random, grid: int) -> tuple[list[Frame], list[Drawing]]:
    frames, drawings = [], []
    disposals: list[Dispose] = ["keep", "keep", "background", "background", "previous"]
    for number in range(chance.randint(1, 7)):
        region = FULL if chance.random() < 0.3 else some_box(chance, grid)
        frames.append(Frame(region, chance.choice(disposals), replaces=chance.random() < 0.5))
        holes = chance.random()
        drawings.append({place: None if chance.random() < holes else f"frame {number}" for place in places(region)})
    return frames, drawings


@pytest.mark.parametrize("grid", [1, 2])
@pytest.mark.parametrize("compose", [False, True])
def test_every_frame_shows_what_it_showed_and_the_badge(grid: int, compose: bool) -> None:
    ends: Counter[str] = Counter()
    for seed in range(500):
        chance = random.Random(seed)
        frames, drawings = some_animation(chance, grid)
        box = chance.choice([BOX, some_box(chance)])
        try:
            steps = check(frames, drawings, box, grid, compose)
        except BadgeError:
            # Frames that can be composed never are; nor those that keep or restore the canvas that they are laid over.
            assert not compose
            assert any(frame.replaces or frame.dispose == "background" for frame in frames)
            ends["refused"] += 1
        else:
            ends["composed" if any(step.composed for step in steps) else "as they were"] += 1
    assert min(ends.values()) > 10
    assert set(ends) == {"as they were", "composed" if compose else "refused"}


def opaque(*frames: Frame) -> list[Drawing]:
    return [dict.fromkeys(places(frame.region), f"frame {number}") for number, frame in enumerate(frames)]


SMALL: Box = (0, 0, 2, 2)
UNDER: Box = (6, 4, 8, 6)
TYPICAL = {
    "full frames": ([Frame(FULL, "keep")] * 3, [True] * 3),
    "full frames that replace": ([Frame(FULL, "keep", replaces=True)] * 3, [True] * 3),
    "full frames that clear": ([Frame(FULL, "background")] * 3, [True] * 3),
    "full frames that replace and clear": ([Frame(FULL, "background", replaces=True)] * 3, [True] * 3),
    "a full frame, then what has changed": (
        [Frame(FULL, "keep"), Frame(SMALL, "keep"), Frame((4, 3, 7, 5), "keep", replaces=True)],
        [True, False, True],
    ),
    "a full frame, then something that moves and is taken back": (
        [Frame(FULL, "keep"), Frame(SMALL, "previous"), Frame(UNDER, "previous"), Frame((1, 1, 3, 3), "previous")],
        [True, False, True, False],
    ),
    "a full frame, then something that moves and is cleared far from the badge": (
        [Frame(FULL, "keep"), Frame(SMALL, "background"), Frame((1, 1, 3, 3), "background")],
        [True, False, False],
    ),
    "a sticker that moves, each frame cleared": (
        [Frame(SMALL, "background"), Frame((1, 1, 3, 3), "background", replaces=True), Frame(UNDER, "background")],
        [True, True, True],
    ),
    "a sticker that grows, laid over": ([Frame(SMALL, "keep"), Frame((0, 0, 3, 2), "keep")], [True, False]),
    "a sticker that is taken back": ([Frame(SMALL, "previous")] * 3, [True] * 3),
    "a small first frame, then full ones": ([Frame(SMALL, "keep"), Frame(FULL, "keep", replaces=True)], [True, True]),
    "the badge cleared away over a full frame, then a full frame": (
        [Frame(FULL, "keep"), Frame(UNDER, "background"), Frame(FULL, "background")],
        [True, True, True],
    ),
    "all that stood there cleared, then something new": (
        [Frame(SMALL, "keep"), Frame(FULL, "background"), Frame(SMALL, "keep", replaces=True)],
        [True, True, True],
    ),
    "one frame": ([Frame(FULL, "keep")], [True]),
}


@pytest.mark.parametrize("name", TYPICAL)
@pytest.mark.parametrize("box", [BOX, (5, 0, 8, 1), FULL], ids=str)
def test_what_is_usual_is_never_refused(name: str, box: Box) -> None:
    frames, _ = TYPICAL[name]
    check(frames, opaque(*frames), box)


@pytest.mark.parametrize("name", TYPICAL)
def test_what_needs_no_paint_stays_as_it_is(name: str) -> None:
    frames, expected = TYPICAL[name]
    assert [step.paint for step in check(frames, opaque(*frames), BOX)] == expected


@pytest.mark.parametrize(
    "last",
    [Frame(SMALL, "background"), Frame(SMALL, "keep", replaces=True), Frame(SMALL, "previous", replaces=True)],
    ids=str,
)
def test_what_would_take_away_more_than_the_frame_does_is_composed_or_refused(last: Frame) -> None:
    # The second frame takes the badge with it when it goes; to bring it back, the third would clear what lies between.
    frames = [Frame(FULL, "keep"), Frame(UNDER, "background"), last]
    with pytest.raises(BadgeError, match="frame 3 of the animation"):
        plan(frames, BOX, CANVAS)
    composed = check(frames, opaque(*frames), BOX, compose=True)[2]
    assert composed == Step((0, 0, 8, 6), True, "keep" if last.dispose == "background" else last.dispose, True)


def test_what_a_composed_frame_could_not_clear_the_next_one_does() -> None:
    frames = [Frame(FULL, "keep"), Frame(UNDER, "background"), Frame(SMALL, "background"), Frame((3, 3, 5, 5), "keep")]
    steps = check(frames, opaque(*frames), BOX, compose=True)
    assert steps[2:] == [Step(FULL, True, "keep", True), Step((0, 0, 5, 5), True, "keep", True)]


def test_the_new_edges_are_on_the_grid() -> None:
    assert plan([Frame((6, 0, 8, 6), "keep")], (5, 3, 8, 6), CANVAS, 2)[0].region == (4, 0, 8, 6)


@pytest.mark.parametrize(
    "region", [(0, 0, 9, 6), (0, 0, 8, 7), (-1, 0, 2, 2), (0, -1, 2, 2), (2, 0, 2, 2), (0, 3, 2, 2)]
)
def test_a_frame_that_is_not_on_the_canvas_is_an_error(region: Box) -> None:
    with pytest.raises(MediaError, match="frame 2 of the animation does not lie on its canvas"):
        plan([Frame(FULL, "keep"), Frame(region, "keep")], BOX, CANVAS)


def test_no_frames_no_steps() -> None:
    assert plan([], BOX, CANVAS) == []
