"""Greys in a colour table: what the picture shows stays, and the badge is legible, or it is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.media.colour_table import fitted
from proxy.media.errors import BadgeError

RED, BLUE, PALE, BLACK, WHITE = b"\xaa\0\0", b"\0\0\xff", b"\xee\xff\xee", bytes(3), b"\xff" * 3


def entry(table: bytes, index: int) -> bytes:
    return table[3 * index : 3 * index + 3]


def luminance(colour: bytes) -> float:
    """Relative luminance (WCAG 2.2)."""
    linear = [s / 255 / 12.92 if s <= 10 else ((s / 255 + 0.055) / 1.055) ** 2.4 for s in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@given(st.integers(1, 8).flatmap(lambda bits: st.binary(min_size=3 << bits, max_size=3 << bits)), st.data())
def test_what_fitted_gives(table: bytes, data: st.DataObject) -> None:
    entries = len(table) // 3
    # A picture may use entries that its table does not have.
    used = data.draw(st.frozensets(st.integers(0, entries - 1)) | st.just(frozenset(range(entries))), "used")
    beyond = data.draw(st.frozensets(st.integers(0, 255), max_size=1) | st.just(frozenset()), "beyond")
    transparent = data.draw(st.none() | st.integers(0, 255), "transparent")
    filler = data.draw(st.booleans(), "filler")
    try:
        found = fitted(table, used | beyond, transparent, filler)
    except BadgeError:
        return
    size = len(found.table) // 3
    assert size in (2, 4, 8, 16, 32, 64, 128, 256)
    assert size >= entries
    for index in used:
        assert entry(found.table, index) == entry(table, index)
    if any(index >= entries for index in beyond):
        assert size == entries
    assert not filler or found.transparent is not None
    assert found.transparent == transparent or (transparent is None and found.transparent not in used | beyond)
    assert found.transparent not in set(found.indices)
    assert max(found.indices) < size
    dark, light = (luminance(entry(found.table, found.indices[level])) for level in (0, 255))
    assert (light + 0.05) / (dark + 0.05) >= 4.5


@pytest.mark.parametrize(
    ("expected", "table", "used", "transparent", "filler"),
    [
        # entries in the new table, and greys that the badge has
        ((32, 16), RED + BLUE, {0, 1}, None, False),
        ((16, 16), RED * 16, set(), None, False),
        ((32, 16), RED * 16, {0}, None, False),
        ((256, 16), RED * 256, set(range(240)), None, False),
        ((256, 4), RED * 256, set(range(241)), None, False),
        ((256, 4), RED * 256, set(range(252)), None, False),
        ((256, 2), RED * 256, set(range(254)), None, False),
        ((256, 2), RED * 254 + BLACK + RED, set(range(255)), None, False),
        ((256, 2), BLACK + WHITE + RED * 254, set(range(256)), None, False),
        ((4, 4), BLACK + WHITE + RED * 2, {0, 1, 9}, None, False),  # 9 must stay beyond the end
        ((256, 2), RED * 256, set(range(253)), None, True),  # one of the three that are left is transparent
        ((256, 2), BLACK + WHITE + RED * 254, set(range(255)), 255, True),
        ((32, 16), RED + BLUE, {0, 1}, None, True),
    ],
)
def test_how_many_greys_there_are(
    expected: tuple[int, int], table: bytes, used: set[int], transparent: int | None, filler: bool
) -> None:
    found = fitted(table, used, transparent, filler)
    colours = [entry(found.table, index) for index in found.indices]
    assert (len(found.table) // 3, len({colour for colour in colours if len(set(colour)) == 1})) == expected
    assert [colours[0], colours[255]] == [BLACK, WHITE]


def test_a_table_that_has_the_greys_is_not_touched() -> None:
    table = b"".join(bytes((17 * level,)) * 3 for level in range(16))
    assert fitted(table, set(range(16)), None).table == table
    assert list(fitted(table, set(range(16)), None).indices[::17]) == list(range(16))


def test_without_room_the_darkest_and_the_lightest_colour_are_taken_and_what_is_between() -> None:
    between = b"\x77\x80\xf7"
    table = (RED + between) * 127 + PALE + BLUE
    found = fitted(table, set(range(256)), None)
    assert found.table == table
    assert [entry(table, found.indices[level]) for level in (0, 128, 255)] == [BLUE, between, PALE]
    # A transparent colour is none.
    assert entry(table, fitted(table, set(range(255)), 255).indices[0]) == RED


@pytest.mark.parametrize(
    ("message", "table", "used", "filler"),
    [
        ("no two colours that are legible", (RED + BLUE) * 128, set(range(256)), False),
        ("no two colours that are legible", RED + BLUE, {0, 1, 255}, False),
        ("nothing in it can be transparent", (BLACK + WHITE) * 128, set(range(256)), True),
    ],
)
def test_what_has_no_legible_colours_is_refused(message: str, table: bytes, used: set[int], filler: bool) -> None:
    with pytest.raises(BadgeError, match=message):
        fitted(table, used, None, filler)
