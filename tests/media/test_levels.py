import pytest

from proxy.media.levels import narrowed, opaque, widened, widened_chunk


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_black_and_white_stay_what_they_are(depth: int) -> None:
    top = (1 << depth) - 1
    assert (0, top) == (narrowed(depth)[0], narrowed(depth)[255])
    assert (0, 255) == (widened(depth)[0], widened(depth)[top])


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_level_that_is_widened_and_narrowed_is_the_same_again(depth: int) -> None:
    levels = list(range(1 << depth))
    assert levels == [narrowed(depth)[widened(depth)[level]] for level in levels]


@pytest.mark.parametrize(
    ("expected", "data", "depth"), [(b"\0\0", b"\0\0", 1), (b"\0\xff", b"\0\1", 1), (b"\0\x77", b"\0\7", 4)]
)
def test_a_level_in_a_chunk_is_widened_with_the_picture(expected: bytes, data: bytes, depth: int) -> None:
    assert expected == widened_chunk(data, depth)


@pytest.mark.parametrize(
    ("expected", "key", "depth"),
    [
        ({}, b"", 8),
        ({0: 1}, b"\0\0", 8),
        ({255: 254}, b"\0\xff", 8),
        ({7: 6}, b"\0\7\0\7\0\7", 8),
        ({}, b"\0\7\0\7\0\x08", 8),  # a colour
        ({7: 6}, b"\7\7", 16),
        ({}, b"\7\x08", 16),  # between the levels that are drawn
    ],
)
def test_the_transparent_level_is_avoided_and_no_other_changes(
    expected: dict[int, int], key: bytes, depth: int
) -> None:
    assert {**{level: level for level in range(256)}, **expected} == dict(enumerate(opaque(key, depth)))
