"""Greys in a palette: its own colours stay, and black and white are there and opaque, or there is no such palette."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.media.palette import channels, greys, nearest, promoted

RED, BLACK, WHITE = b"\xff\0\0", bytes(3), b"\xff" * 3


@given(
    st.lists(st.binary(min_size=3, max_size=3), min_size=1, max_size=256),
    st.binary(max_size=300),
    st.sampled_from([2, 4, 16, 256]),
)
def test_what_greys_gives(colours: list[bytes], alphas: bytes, room: int) -> None:
    palette = b"".join(colours)
    found = greys(palette, alphas, max(room, len(colours)))
    if found is None:
        return
    assert found.palette.startswith(palette)
    assert len(found.palette) <= 3 * max(room, len(colours))
    for level, index in enumerate(found.indices):
        colour = found.palette[3 * index : 3 * index + 3]
        assert colour == bytes((colour[0],)) * 3
        assert abs(colour[0] - level) <= 128
        assert alphas[index : index + 1] in (b"", b"\xff")
    ends = [found.palette[3 * index : 3 * index + 3] for index in (found.indices[0], found.indices[255])]
    assert ends == [BLACK, WHITE]


@pytest.mark.parametrize(
    ("expected", "palette", "alphas", "room"),
    [
        (2, BLACK + WHITE, b"", 2),
        (3, BLACK + RED + WHITE, b"", 3),
        (None, BLACK + WHITE, b"\0", 2),  # black is transparent
        (None, BLACK + RED, b"", 2),
        (3, BLACK + RED, b"", 3),
        (4, RED + RED, b"", 4),
        (None, RED + RED + RED, b"", 4),
        (17, RED, b"", 256),
        (16, BLACK + WHITE, b"", 256),
        (None, RED, b"\xff\0", 256),
    ],
)
def test_how_many_entries_there_are_then(expected: int | None, palette: bytes, alphas: bytes, room: int) -> None:
    found = greys(palette, alphas, room)
    assert (found and len(found.palette) // 3) == expected


@given(st.lists(st.binary(min_size=3, max_size=3), max_size=256), st.binary(max_size=300))
def test_what_nearest_gives(colours: list[bytes], alphas: bytes) -> None:
    found = nearest(b"".join(colours), alphas)
    if found is None:
        return
    assert len(found) == 256
    assert all(alphas[index : index + 1] in (b"", b"\xff") for index in found)
    for index in set(found) - {found[0], found[255]}:
        assert max(colours[index]) - min(colours[index]) <= 32
    assert found[0] != found[255]


@pytest.mark.parametrize(
    ("expected", "palette", "alphas"),
    [
        ((0, 1), b"\x10\x10\x20" + b"\xf0\xe8\xe0", b""),
        ((2, 1), b"\0\0\0" + b"\xf0\xe8\xe0" + b"\x10\x10\x20", b"\0"),  # black is transparent
        ((0, 1), b"\0\0\x80" + b"\xff\xff\0", b""),
        (None, RED + WHITE, b""),  # 4:1
        (None, b"", b""),
        (None, BLACK + WHITE, b"\0\0"),
    ],
)
def test_the_darkest_and_the_lightest_stand_for_black_and_white(
    expected: tuple[int, int] | None, palette: bytes, alphas: bytes
) -> None:
    found = nearest(palette, alphas)
    assert (found and (found[0], found[255])) == expected


def test_channels_have_alpha_only_where_an_entry_needs_it() -> None:
    assert len(channels(RED, b"")) == 3
    assert len(channels(RED, b"\xff")) == 3
    red, _, _, alpha = channels(RED, b"\x80")
    assert (red[:2], alpha[:2], len(red), len(alpha)) == (b"\xff\0", b"\x80\xff", 256, 256)


@pytest.mark.parametrize(
    ("expected", "kind", "data"),
    [
        (None, b"tRNS", b"\0"),
        (None, b"hIST", b"\0\0"),
        (None, b"PLTE", RED),
        (b"\0\xff\0\0\0\0", b"bKGD", b"\0"),
        (None, b"bKGD", b"\7"),
        (None, b"bKGD", b""),
        (b"\5\5\5\x08", b"sBIT", b"\5\5\5"),
        (b"x", b"tEXt", b"x"),
    ],
)
def test_promoted(expected: bytes | None, kind: bytes, data: bytes) -> None:
    assert promoted(kind, data, RED, alpha=True) == expected
