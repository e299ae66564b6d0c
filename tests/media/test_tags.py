"""Directories of fields: either byte order, either size of offsets, and nothing believed that is out of bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.media import tags
from proxy.media.errors import MediaError
from proxy.media.tags import Layout

HEADERS = {
    b"II*\0": Layout("<", False),
    b"MM\0*": Layout(">", False),
    b"II+\0\x08\0\0\0": Layout("<", True),
    b"MM\0+\0\x08\0\0": Layout(">", True),
}


@pytest.mark.parametrize("header", HEADERS)
def test_the_layout_is_in_the_first_bytes(header: bytes) -> None:
    assert tags.layout(header + bytes(20)) == HEADERS[header]
    assert tags.layout(header[:-1] + b"x" + bytes(20)) is None
    assert tags.layout(header[:3]) is None


@pytest.mark.parametrize("layout", HEADERS.values())
def test_what_is_packed_is_read_back(layout: Layout) -> None:
    kind = tags.LONG8 if layout.big else tags.LONG
    value = tags.packed(layout, kind, (7, 8, 9))
    assert value is not None
    entries = [tags.entry(layout, 256, tags.SHORT, 1, tags.packed(layout, tags.SHORT, (5,)) or b"")]
    entries.append(tags.entry(layout, 273, kind, 3, layout.packed(16)))
    data = bytes(16) + value + tags.counted(layout, 2) + b"".join(entries) + layout.packed(1234)
    found = tags.directory(data, layout, 16 + len(value))
    assert [(field.tag, tags.numbers(data, layout, field)) for field in found.fields] == [(256, (5,)), (273, (7, 8, 9))]
    assert (found.next, found.end) == (1234, len(data))
    assert found.find(273) == found.fields[1]
    assert found.find(1) is None


@pytest.mark.parametrize(
    ("expected", "kind", "values"),
    [(None, tags.SHORT, (65_536,)), (None, tags.LONG, (1 << 32,)), (b"\xff\xff", tags.SHORT, (65_535,))],
)
def test_numbers_that_do_not_fit_are_not_packed(expected: bytes | None, kind: int, values: tuple[int, ...]) -> None:
    assert tags.packed(Layout("<", False), kind, values) == expected


def test_a_classic_file_ends_at_four_gibibytes() -> None:
    assert Layout("<", True).packed(1 << 32) == (1 << 32).to_bytes(8, "little")
    with pytest.raises(MediaError, match="larger than its offsets can say"):
        Layout("<", False).packed(1 << 32)


def test_a_classic_directory_has_room_for_65535_fields() -> None:
    assert tags.counted(Layout(">", False), 65_535) == b"\xff\xff"
    assert tags.counted(Layout(">", True), 65_536) == (65_536).to_bytes(8)
    with pytest.raises(MediaError, match="no room for another field"):
        tags.counted(Layout(">", False), 65_536)


@pytest.mark.parametrize(
    ("expected", "spans"),
    [
        (set(), []),
        (set(), [(0, 4), (4, 8)]),
        (set(), [(0, 4), (2, 2), (4, 4)]),
        ({(0, 4)}, [(0, 4), (0, 4)]),
        ({(0, 5), (4, 8)}, [(4, 8), (0, 5)]),
        ({(0, 100), (10, 20), (30, 40)}, [(0, 100), (10, 20), (30, 40), (100, 110)]),
        ({(5, 30), (20, 25), (0, 10)}, [(0, 10), (5, 30), (20, 25)]),
    ],
)
def test_spans_that_share_a_byte(expected: set[tags.Span], spans: list[tags.Span]) -> None:
    assert tags.shared(spans) == expected


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 6))))
def test_spans_that_share_a_byte_are_all_found(pairs: list[tuple[int, int]]) -> None:
    spans = [(start, start + length) for start, length in pairs]
    expected = {
        one
        for at, one in enumerate(spans)
        for to, other in enumerate(spans)
        if at != to and one[0] < other[1] and other[0] < one[1]
    }
    assert tags.shared(spans) == expected


@pytest.mark.parametrize("layout", HEADERS.values())
def test_no_more_entries_are_read_than_a_classic_directory_has(layout: Layout) -> None:
    entries = tags.MAX_ENTRIES + layout.big
    data = tags.counted(layout, entries) + tags.entry(layout, 1, tags.SHORT, 1, b"\0") * entries + bytes(layout.word)
    found = tags.directory(data, layout, 0)
    assert (len(found.fields), found.end) == (tags.MAX_ENTRIES, len(data))


@given(st.binary(max_size=300), st.sampled_from(list(HEADERS.values())), st.integers(0, 400))
def test_no_bytes_break_it(data: bytes, layout: Layout, start: int) -> None:
    found = tags.directory(data, layout, start)
    for field in found.fields:
        assert field.end >= field.start
        try:
            assert len(tags.numbers(data, layout, field)) == field.amount
        except MediaError:
            continue
