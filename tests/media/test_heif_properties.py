"""Properties of items: one changes for one item only."""

import pytest

from proxy.media.boxes import box, first, full_box
from proxy.media.heif_properties import Association, Properties, parse_properties

SIZE, GREY, WIDE, TURN = box(b"ispe", b"size"), box(b"av1C", b"grey"), box(b"av1C", b"wide"), box(b"irot", b"\1")
PROFILE, NCLX, OTHER = box(b"colr", b"prof"), box(b"colr", b"nclx1"), box(b"colr", b"nclx2")
SHARED = Properties((SIZE, GREY, PROFILE), (Association(1, (1, 0x8002, 3)), Association(2, (1, 0x8002))))


def packed(found: Properties) -> Properties:
    data = found.pack()
    return parse_properties(data, first(data, b"iprp"))


def test_what_is_packed_is_parsed() -> None:
    assert packed(SHARED) == SHARED
    wide = Properties((SIZE,), (Association(0x12345, (1,)),))
    assert packed(wide) == wide
    assert parse_properties(b"", None) == Properties()


@pytest.mark.parametrize(("expected", "flags", "indices"), [((0x8001, 2), 0, b"\x81\2"), ((0x8101,), 1, b"\x81\1")])
def test_both_widths_of_an_index_are_read(expected: tuple[int, ...], flags: int, indices: bytes) -> None:
    count = len(indices) // (2 if flags else 1)
    association = full_box(b"ipma", 0, flags, b"\0\0\0\1\0\7", bytes((count,)), indices)
    data = box(b"iprp", box(b"ipco", SIZE), association)
    found = parse_properties(data, first(data, b"iprp"))
    assert found.associations == (Association(7, expected),)
    assert found.of(7) == ([SIZE] if not flags else [])
    assert packed(found) == found


def test_a_property_of_two_items_changes_for_one() -> None:
    found = SHARED.having(2, WIDE)
    assert (found.of(1), found.of(2)) == ([SIZE, GREY, PROFILE], [SIZE, WIDE])
    assert found.associations[1].indices[1] == 0x8000 | 4
    assert packed(found) == found


def test_a_property_of_one_item_is_replaced_where_it_stands() -> None:
    alone = SHARED.without({2})
    assert alone.having(1, WIDE).boxes == (SIZE, WIDE, PROFILE)
    assert alone.having(1, WIDE).associations == alone.associations


def test_a_colour_told_by_numbers_leaves_the_profile_alone() -> None:
    once = SHARED.having(1, NCLX)
    assert sorted(once.of(1)) == sorted([SIZE, GREY, PROFILE, NCLX])
    assert sorted(once.having(1, OTHER).of(1)) == sorted([SIZE, GREY, PROFILE, OTHER])
    assert once.of(2) == SHARED.of(2)


def test_what_turns_the_picture_stays_last() -> None:
    found = Properties((SIZE, TURN), (Association(1, (1, 0x8002)),)).having(1, NCLX).having(1, WIDE)
    assert found.of(1)[-1] == TURN
    assert 0x8000 | found.boxes.index(WIDE) + 1 in found.associations[0].indices
