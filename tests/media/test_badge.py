"""The badge in numbers: high enough, at its edge, whole, wherever EXIF turns the picture."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.media.badge import LEGIBLE_INK, Badge, Position, displayed, ink_height, padding, place, stored
from proxy.media.errors import BadgeError

POSITIONS: tuple[Position, ...] = get_args(Position)
SIDES = st.integers(1, 20_000)


@pytest.mark.parametrize(
    ("expected", "height", "size"),
    [
        (26, 0.05, (512, 512)),
        (52, 0.05, (1024, 1024)),
        (54, 0.05, (1920, 1080)),
        (39, 0.05, (768, 1024)),
        (103, 0.1, (1024, 1024)),
        (LEGIBLE_INK, 0.05, (64, 64)),
    ],
)
def test_ink_height(expected: int, height: float, size: tuple[int, int]) -> None:
    assert ink_height(Badge("AI", height=height), size) == expected


@given(st.sampled_from(POSITIONS), st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES), st.integers(1, 1000))
def test_a_badge_is_whole_and_at_its_edge_or_refused(
    position: Position, extent: tuple[int, int], size: tuple[int, int], ink: int
) -> None:
    if extent[0] > size[0] or extent[1] > size[1]:
        with pytest.raises(BadgeError, match="too small for a legible badge: 'AI' takes"):
            place(Badge("AI", position), ink, extent, size)
        return
    left, top, right, bottom = place(Badge("AI", position), ink, extent, size)
    assert (right - left, bottom - top) == extent
    spare = {"left": left, "top": top, "right": size[0] - right, "bottom": size[1] - bottom}
    assert min(spare.values()) >= 0
    for one, other in (("left", "right"), ("top", "bottom")):
        near = [edge for edge in (one, other) if edge in position.split("-")]
        assert abs(spare[one] - spare[other]) <= 1 if not near else spare[near[0]] <= ink


def test_a_mark_without_words_is_named() -> None:
    with pytest.raises(BadgeError, match="the mark 'modified' takes 9 x 9"):
        place(Badge("", mark="modified"), 9, (9, 9), (8, 8))


@given(st.integers(1, 8), st.data())
def test_a_stored_box_is_as_large_as_the_displayed_one(orientation: int, data: st.DataObject) -> None:
    size = data.draw(st.tuples(st.integers(2, 500), st.integers(2, 500)))
    width, height = displayed(orientation, size)
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    right, bottom = data.draw(st.integers(left + 1, width)), data.draw(st.integers(top + 1, height))
    box = stored(orientation, (left, top, right, bottom), size)
    assert displayed(orientation, (box[2] - box[0], box[3] - box[1])) == (right - left, bottom - top)
    assert 0 <= box[0] < box[2] <= size[0]
    assert 0 <= box[1] < box[3] <= size[1]


@given(st.integers(1, 1000))
def test_the_plate_is_wider_than_the_words_on_every_side(ink: int) -> None:
    across, down = padding(ink)
    assert across >= ink / 2
    assert down >= ink / 3
