"""Animated PNG as a container: which chunks are which frame, and broken animations refused."""

import pytest

from proxy.media import png
from proxy.media.apng import control_data
from proxy.media.errors import MediaError
from tests.media.apng_file import FIRST, SECOND, WHOLE, animation, frame


def test_each_picture_has_its_region_its_manner_and_its_chunks() -> None:
    second = frame(1, (3, 4, 9, 9), dispose=2, blend=1)
    data = animation(*FIRST, (b"tEXt", b"a\0b"), second, SECOND[1], (b"fdAT", b"\0\0\0\3"))
    one, two = png.animation(*png.parse(data)[:2])
    assert (one.region, one.dispose, one.blends, one.control, one.samples) == (WHOLE, "keep", False, 2, [3])
    assert (two.region, two.dispose, two.blends) == ((3, 4, 12, 13), "previous", True)
    assert (two.control, two.samples) == (5, [6, 7])


def test_a_default_image_may_be_no_frame() -> None:
    data = animation(FIRST[1], frame(0, (0, 0, 9, 9)), (b"fdAT", b"\0\0\0\1" + SECOND[1][1][4:]), frames=1)
    default, only = png.animation(*png.parse(data)[:2])
    assert (default.control, default.region) == (None, WHOLE)
    assert (only.control, only.samples) == (3, [4])


def test_a_frame_keeps_its_time_and_disposal_where_it_moves() -> None:
    old = frame(1, (0, 0, 9, 9), dispose=1)[1]
    assert control_data(memoryview(old), 5, (2, 1, 8, 8), blends=True) == frame(5, (2, 1, 6, 7), dispose=1, blend=1)[1]


@pytest.mark.parametrize(
    ("message", "data"),
    [
        ("2 frames, not as many", animation(*FIRST, *SECOND, frames=3)),
        ("0 frames, not as many", animation(FIRST[1], frames=0)),
        ("numbered in order", animation(*FIRST, frame(2, (0, 0, 9, 9)), SECOND[1])),
        ("numbered in order", animation(*FIRST, SECOND[0], (b"fdAT", b"\0\0"))),
        ("without samples", animation(*FIRST, SECOND[0])),
        ("without samples", animation(*FIRST, SECOND[0], frame(2, (0, 0, 9, 9)), frames=3)),
        ("belong to no frame", animation(FIRST[0], (b"fdAT", b"\0\0\0\1"), FIRST[1])),
        ("belong to no frame", animation(*FIRST, (b"fdAT", b"\0\0\0\1"), frames=1)),
        ("not lie on its canvas", animation(*FIRST, frame(1, (90, 0, 9, 9)), SECOND[1])),
        ("not lie on its canvas", animation(*FIRST, frame(1, (0, 0, 0, 9)), SECOND[1])),
        ("default image of another size", animation(frame(0, (0, 0, 95, 64)), FIRST[1], *SECOND)),
        ("standard does not know", animation(*FIRST, frame(1, (0, 0, 9, 9), dispose=3), SECOND[1])),
        ("standard does not know", animation(*FIRST, frame(1, (0, 0, 9, 9), blend=2), SECOND[1])),
        ("wrong length", animation(*FIRST, (b"fcTL", SECOND[0][1] + b"\0"), SECOND[1])),
        ("fdAT chunk is damaged", animation(*FIRST, *SECOND).replace(b"fdAT\0\0\0\2x", b"fdAT\0\0\0\2y")),
    ],
)
def test_a_broken_animation_is_refused_with_the_reason(message: str, data: bytes) -> None:
    with pytest.raises(MediaError, match=message):
        png.read(data)


def test_frames_without_the_chunk_that_counts_them_are_no_animation() -> None:
    data = animation(*FIRST, *SECOND).replace(b"acTL", b"acTl")
    mended = data.replace(data[33:53], png.chunk_bytes(b"acTl", data[41:49]))
    assert png.animation(*png.parse(mended)[:2]) == []
