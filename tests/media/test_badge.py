"""The badge in numbers: high enough, in its corner, whole, wherever EXIF turns the picture."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.media.badge import LEGIBLE_INK, Badge, Corner, displayed, ink_height, padding, place, stored
from proxy.media.errors import MediaError

CORNERS: tuple[Corner, ...] = ("top-left", "top-right", "bottom-left", "bottom-right")
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


@given(st.sampled_from(CORNERS), st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES), st.integers(1, 1000))
def test_a_plate_is_whole_and_in_its_corner_or_refused(
    corner: Corner, plate: tuple[int, int], size: tuple[int, int], ink: int
) -> None:
    if plate[0] > size[0] or plate[1] > size[1]:
        with pytest.raises(MediaError, match="too small for a legible badge"):
            place(Badge("AI", corner), ink, plate, size)
        return
    left, top, right, bottom = place(Badge("AI", corner), ink, plate, size)
    assert (right - left, bottom - top) == plate
    assert min(left, top, size[0] - right, size[1] - bottom) >= 0
    assert (left if corner.endswith("left") else size[0] - right) <= ink
    assert (top if corner.startswith("top") else size[1] - bottom) <= ink


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
