from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from proxy.record.checkpoint import Checkpoint
from proxy.record.segment import Segment, place

WRITER = "0123456789abcdef" * 2


def test_a_place_is_32_bytes_that_name_it() -> None:
    assert bytes.fromhex(WRITER) + b"\0" * 7 + b"\x05" + b"\0" * 6 + b"\x01\x02" == place(WRITER, 5, 258)


def test_leaf_0_is_the_note_that_ended_the_segment_before_and_when_this_one_began() -> None:
    expected = sha256(b"\0" + b"the note\n1700000000000000000\n").digest()
    segment = Segment(WRITER, 3, 9, 1_700_000_000_000_000_000, "the note\n")
    assert Checkpoint(f"countermark/{WRITER}/3", 1, expected) == segment.checkpoint()


def test_the_leaves_behind_it_are_the_entries() -> None:
    segment = Segment(WRITER, 0, 1, 0, "")
    segment.add([(b"salt", b"body")])
    leaves = sha256(b"\0" + b"0\n").digest(), sha256(b"\0saltbody").digest()
    assert Checkpoint(f"countermark/{WRITER}/0", 2, sha256(b"\1" + leaves[0] + leaves[1]).digest()) == (
        segment.checkpoint()
    )


@given(st.lists(st.tuples(st.binary(max_size=4), st.binary(max_size=4)), max_size=20), st.integers(0, 20))
def test_it_grows_alike_in_one_step_and_in_many(leaves: list[tuple[bytes, bytes]], cut: int) -> None:
    one, other = Segment(WRITER, 1, 7, 0, "n"), Segment(WRITER, 1, 7, 0, "n")
    one.add(leaves)
    other.add(leaves[:cut])
    assert [place(WRITER, 1, 1 + other.entries + index) for index in range(3)] == other.places(3)
    other.add(leaves[cut:])
    assert one.checkpoint() == other.checkpoint()
    assert (1 + len(leaves), len(leaves), 7 + len(leaves)) == (one.size, one.entries, one.next)
