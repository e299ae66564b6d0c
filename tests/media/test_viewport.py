"""What an SVG shows of its own coordinates, by the standard's own arithmetic."""

from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.media.errors import BadgeError, MediaError
from proxy.media.viewport import viewport

ASPECTS = [
    "",
    "none",
    *(f"x{x}Y{y}{fit}" for x in ("Min", "Mid", "Max") for y in ("Min", "Max") for fit in ("", " slice")),
]
SIDES = st.floats(0.01, 10_000)


def shown(**attributes: str) -> tuple[tuple[int, int], bool]:
    found = viewport(attributes)
    return found.size, found.absolute


@pytest.mark.parametrize(
    ("expected", "width", "height"),
    [
        ((96, 64), "96", "64"),
        ((96, 64), " 96px ", "6.4e1PX"),
        ((96, 96), "1in", "2.54cm"),
        ((96, 96), "25.4mm", "101.6q"),
        ((96, 96), "72pt", "6pc"),
        ((794, 1123), "210mm", "297mm"),
        ((1, 1), ".1", "+0.2"),
        ((10, 10), "9.6", "10.4"),
    ],
)
def test_lengths(expected: tuple[int, int], width: str, height: str) -> None:
    assert shown(width=width, height=height) == (expected, True)


@pytest.mark.parametrize(
    "text", ["", "100%", "auto", "10em", "10vw", "ten", "10 px", "1e4567", "10px;", "calc(1px)", "٣"]
)
def test_what_is_no_length_leaves_the_size_to_the_view_box(text: str) -> None:
    assert shown(width=text, height=text, viewBox="0 0 30 20") == ((30, 20), False)
    assert shown(width=text, height="40", viewBox="0 0 30 20") == ((60, 40), True)
    assert shown(width="60", height=text, viewBox="0 0 30 20") == ((60, 40), True)
    for attributes in ({"width": text, "height": text}, {"width": "9", "height": text}):
        with pytest.raises(BadgeError, match="says no size"):
            viewport(attributes)


@pytest.mark.parametrize("text", ["0 0 30 20", "0,0,30,20", " 0 , 0 , 30 , 20 ", "-5 1e2 30. 20", "0 0\n30\t20.0"])
def test_a_view_box(text: str) -> None:
    assert shown(viewBox=text) == ((30, 20), False)


@pytest.mark.parametrize("text", ["", "0 0 30", "0 0 30 20 10", "0 0 30 -20", "0,,0 30 20", "0 0 30 20px", "a b c d"])
def test_what_is_no_view_box(text: str) -> None:
    assert shown(viewBox=text, width="9", height="8") == ((9, 8), True)
    with pytest.raises(BadgeError):
        viewport({"viewBox": text})


@pytest.mark.parametrize(
    "attributes",
    [
        {"width": "0", "height": "9"},
        {"width": "-1", "height": "9"},
        {"width": "1e99", "height": "9"},
        {"width": "1e999", "height": "1e999"},
        {"viewBox": "0 0 0 9"},
        {"viewBox": "0 0 1e9 9"},
        {"viewBox": "1e9 0 9 9"},
        {"viewBox": "0 0 1e-7 9"},
        {"viewBox": "0 0 1 1000000", "width": "1e5"},
    ],
)
def test_what_is_impossible(attributes: dict[str, str]) -> None:
    with pytest.raises(MediaError, match="impossibl"):
        viewport(attributes)


@pytest.mark.parametrize(
    ("expected", "aspect"),
    [
        # Of 200 x 100 units, 300 x 300 pixels: the scale, what the corner shows, the corners of what is seen of them.
        (((1.5, 1.5), (10, -30), (0, 75), (300, 225)), ""),
        (((1.5, 1.5), (10, -30), (0, 75), (300, 225)), "xMidYMid meet"),
        (((1.5, 1.5), (10, 20), (0, 0), (300, 150)), "xMaxYMin"),
        (((1.5, 1.5), (10, -80), (0, 150), (300, 300)), "xMinYMax meet"),
        (((3, 3), (60, 20), (0, 0), (300, 300)), "xMidYMid slice"),
        (((3, 3), (10, 20), (0, 0), (300, 300)), "defer xMinYMid slice"),
        (((3, 3), (110, 20), (0, 0), (300, 300)), "xMaxYMax slice"),
        (((1.5, 3), (10, 20), (0, 0), (300, 300)), "none"),
        (((1.5, 3), (10, 20), (0, 0), (300, 300)), "none slice"),
        (((1.5, 1.5), (10, -30), (0, 75), (300, 225)), "xmidymid slice"),
    ],
)
def test_how_the_view_box_is_fitted(expected: tuple[tuple[float, float], ...], aspect: str) -> None:
    attributes = {"width": "300", "height": "300", "viewBox": "10 20 200 100", "preserveAspectRatio": aspect}
    assert viewport(attributes)[1:5] == expected


@given(st.sampled_from(ASPECTS), st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES))
def test_what_is_seen_lies_in_the_picture_and_in_the_view_box(
    aspect: str, extent: tuple[float, float], corner: tuple[float, float], box: tuple[float, float]
) -> None:
    numbers = " ".join(f"{number:.9f}" for number in (*corner, *box))
    found = viewport(
        {"width": f"{extent[0]:.9f}", "height": f"{extent[1]:.9f}", "viewBox": numbers, "preserveAspectRatio": aspect}
    )
    for axis in (0, 1):
        start, end = found.start[axis], found.end[axis]
        assert 0 <= start < end <= found.extent[axis] * (1 + 1e-9)
        first, last = (found.origin[axis] + edge / found.scale[axis] for edge in (start, end))
        slack = 1e-6 * (corner[axis] + box[axis] + found.extent[axis] / found.scale[axis])
        assert corner[axis] - slack <= first < last <= corner[axis] + box[axis] + slack
    assert aspect == "none" or isclose(*found.scale)
