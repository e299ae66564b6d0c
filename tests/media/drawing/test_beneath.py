"""What lies beneath: the better colour of letters, and when they need a plate."""

import pytest
from PIL import Image

from proxy.media.drawing.beneath import Ground, ground
from tests.media.drawing.measure import contrast

SIZE = (220, 80)
WHITE_ON_IT, BLACK_ON_IT = Ground(white=True, bare=True), Ground(white=False, bare=True)


def grey(level: int) -> Image.Image:
    return Image.new("RGB", SIZE, (level,) * 3)


def with_spot(level: int, spot: int, box: tuple[int, int, int, int]) -> Image.Image:
    picture = grey(level)
    picture.paste((spot,) * 3, box)
    return picture


@pytest.mark.parametrize(
    ("expected", "picture"),
    [
        (BLACK_ON_IT, grey(255)),
        (WHITE_ON_IT, grey(0)),
        (WHITE_ON_IT, Image.new("RGB", SIZE, "blue")),
        (BLACK_ON_IT, Image.new("RGB", SIZE, "yellow")),
        (WHITE_ON_IT, Image.new("RGB", (1, 1), "red").resize(SIZE).point(lambda level: level // 2)),
        (BLACK_ON_IT, with_spot(250, 0, (0, 0, 7, 7))),  # a speck
    ],
)
def test_a_calm_ground_carries_bare_letters(expected: Ground, picture: Image.Image) -> None:
    assert ground(picture) == expected


@pytest.mark.parametrize(
    ("white", "picture"),
    [
        (False, with_spot(250, 0, (0, 0, 20, 15))),  # one tile of sixteen
        (True, with_spot(10, 255, (200, 60, 220, 80))),
        (False, Image.linear_gradient("L").resize(SIZE).point(lambda level: 128 + level // 2).convert("RGB")),
        (False, Image.linear_gradient("L").resize(SIZE).convert("RGB")),
        (False, Image.effect_noise(SIZE, 60).convert("RGB")),
    ],
)
def test_a_ground_that_is_not_calm_or_too_near_to_the_letters_needs_a_plate(white: bool, picture: Image.Image) -> None:
    assert ground(picture) == Ground(white, bare=False)


@pytest.mark.parametrize("channel", range(3))
def test_bare_letters_reach_the_contrast_on_every_colour(channel: int) -> None:
    """Greys, and every level of a channel beside those of the others: each colour carries white or black at 4.5:1."""
    for level in range(256):
        for others in (level, 0, 64, 128, 192, 255):
            colour = [others] * 3
            colour[channel] = level
            found = ground(Image.new("RGB", (8, 8), tuple(colour)))
            assert found.bare
            assert contrast((255,) * 3 if found.white else (0,) * 3, tuple(colour)) >= 4.5


def test_a_large_ground_is_looked_at_evenly() -> None:
    large = grey(250).resize((2000, 700))
    large.paste((0, 0, 0), (1500, 0, 2000, 170))
    assert ground(large) == Ground(white=False, bare=False)
