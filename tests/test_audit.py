"""An audit finds what somebody with the file at hand has done to it, and names it; and it finds nothing else."""

from collections.abc import Sequence
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.audit import Report, verify
from proxy.keys import Keys
from proxy.notary import Notary
from proxy.record.exchange import encode
from proxy.record.fault import Fault, Finding
from proxy.record.segment import Segment
from tests.shelf import BEGUN, WRITER, Shelf, record

NOTARY = Notary(Keys.ephemeral(b"s" * 32))
STRANGER = Notary(Keys.ephemeral(b"t" * 32))
SIZES = (9, 16, 13)  # entries: 1 to 9, 10 to 25, 26 to 38
BEHIND = 3  # 39 to 41


_made = cache(Shelf)


def shelf(notary: Notary = NOTARY, sizes: tuple[int, ...] = SIZES, behind: int = BEHIND, writer: str = WRITER) -> Shelf:
    """One of its own for each who asks."""
    return _made(notary, sizes, behind, writer).copy()


def audited(shelf: Shelf, exported: Sequence[str] = (), *, secret: bool = True, young: int | None = None) -> Report:
    return verify(shelf, NOTARY if secret else None, NOTARY.all_publics(), exported, young=young)


def told(report: Report) -> list[tuple[str, int | None, int | None]]:
    """What was found, without the trees that the same entries spoil."""
    return [(str(one.fault), one.first, one.last) for one in report.findings if one.fault is not Fault.TREE]


def faults(report: Report) -> set[Fault]:
    return {finding.fault for finding in report.findings}


# Sound ledgers.


@pytest.mark.parametrize("secret", [True, False])
@pytest.mark.parametrize("sizes", [(), (1,), (5,), (1, 1, 1), SIZES, (40, 1)])
@pytest.mark.parametrize("behind", [0, 2])
def test_a_sound_ledger_is_sound(sizes: tuple[int, ...], behind: int, secret: bool) -> None:
    whole = shelf(sizes=sizes, behind=behind)
    exported = [note for notes in whole.exported.values() for note in notes]

    report = audited(whole, exported, secret=secret)

    assert report.findings == ()
    assert report.entries == len(whole.lines)
    assert report.behind == (behind if sizes else 0)
    assert report.compared == len(exported)


def test_segments_without_a_checkpoint_yet_are_sound() -> None:
    young = shelf(sizes=(4,), behind=2)
    young.rows[0] = young.rows[0]._replace(note="", size=0)

    report = audited(young)

    assert (report.findings, report.behind) == ((), 6)


def test_what_retired_secrets_salted_and_signed_is_sound() -> None:
    rotated = Notary(Keys.ephemeral(b"n" * 32, b"s" * 32))

    assert verify(shelf(), rotated, rotated.all_publics()).findings == ()
    assert Fault.CHECKPOINT in faults(verify(shelf(), None, STRANGER.all_publics()))


def test_what_a_secret_that_is_lost_salted_is_sound_by_its_public_key() -> None:
    report = verify(shelf(behind=0), STRANGER, NOTARY.all_publics())
    assert report.findings == ()

    (finding,) = verify(shelf(), STRANGER, NOTARY.all_publics()).findings
    assert (Fault.CHANGED, 39, 41) == (finding.fault, finding.first, finding.last)


def test_writers_beside_each_other_are_sound() -> None:
    both = shelf()
    other = shelf(writer="f" * 32)
    both.rows += other.rows
    both.lines += other.lines

    report = audited(both, [other.exported[2][4]])

    assert (report.findings, report.writers, report.segments) == ((), 2, 2 * len(SIZES))


def test_a_pruned_ledger_is_sound() -> None:
    whole = shelf()
    exported = [note for notes in whole.exported.values() for note in notes]
    whole.rows[0] = whole.rows[0]._replace(pruned=True)
    whole.lines = [line for line in whole.lines if line.seq >= whole.rows[1].first]

    report = audited(whole, exported, young=whole.rows[1].begun)

    assert (report.findings, report.pruned, report.beyond) == ((), 1, SIZES[0] - 1)


def test_everything_is_read_once_and_told_in_steps() -> None:
    seen: list[int] = []
    steps: list[int] = []

    verify(shelf(), NOTARY, NOTARY.all_publics(), each=lambda _, seq, record: seen.append(seq), progress=steps.append)

    assert seen == list(range(1, sum(SIZES) + BEHIND + 1))
    assert sum(steps) == len(seen)


# Single bytes.


@given(st.integers(0, sum(SIZES) + BEHIND - 1), st.sampled_from(["id", "state", "at", "salt", "body"]), st.randoms())
def test_any_byte_of_an_entry(position: int, field: str, random: Random) -> None:
    spoilt = shelf()
    line = spoilt.lines[position]
    spoilt.lines[position] = line._replace(**{field: _other(getattr(line, field), random)})

    report = audited(spoilt)

    expected = {Fault.DISAGREEING} if field in ("id", "state", "at") else {Fault.CHANGED, Fault.UNREADABLE, Fault.TREE}
    named = [one for one in report.findings if (one.first, one.last) == (line.seq, line.seq)]
    assert {one.fault for one in named} - {Fault.DISAGREEING} <= expected
    assert {one.fault for one in named} & (expected - {Fault.TREE}), report.findings
    assert all(one in named or one.fault is Fault.TREE for one in report.findings)


@given(st.integers(0, sum(SIZES) - 1), st.sampled_from(["salt", "body"]), st.randoms())
def test_any_byte_under_a_checkpoint_without_the_secret(position: int, field: str, random: Random) -> None:
    spoilt = shelf()
    line = spoilt.lines[position]
    spoilt.lines[position] = line._replace(**{field: _other(getattr(line, field), random)})

    (tree,) = [one for one in audited(spoilt, secret=False).findings if one.fault is Fault.TREE]

    assert tree.first is not None
    assert tree.last is not None
    assert tree.first <= line.seq <= tree.last


def test_exported_checkpoints_narrow_down_where_it_is() -> None:
    spoilt = shelf()
    spoilt.lines[16] = spoilt.lines[16]._replace(salt=bytes(16))  # entry 17, the eighth of its segment
    exported = [spoilt.exported[1][5], spoilt.exported[1][9], spoilt.exported[1][2]]

    trees = [(one.first, one.last) for one in audited(spoilt, exported, secret=False).findings]

    assert (16, 19) == trees[0]


@given(st.integers(0, 2), st.randoms())
def test_any_character_of_a_checkpoint(number: int, random: Random) -> None:
    spoilt = shelf()
    note = spoilt.rows[number].note
    spoilt.rows[number] = spoilt.rows[number]._replace(note=_other(note, random))

    report = audited(spoilt)

    assert (Fault.CHECKPOINT, number) in [(one.fault, one.segment) for one in report.findings]


@given(st.integers(0, 12), st.randoms())
def test_any_character_of_an_exported_checkpoint(index: int, random: Random) -> None:
    whole = shelf()

    report = audited(whole, [_other(whole.exported[2][index], random)])

    assert {Fault.CHECKPOINT} == faults(report)


@pytest.mark.parametrize("column", ["number", "first", "size", "sealed", "pruned"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_any_column_of_a_segment(number: int, column: str) -> None:
    for change in (-1, 1, 100):
        spoilt = shelf()
        row = spoilt.rows[number]
        before = getattr(row, column)
        after = not before if isinstance(before, bool) else before + change
        if (number, column) == (0, "pruned"):
            continue  # the entries of a segment that was just pruned are on their way out
        spoilt.rows[number] = row._replace(**{column: after})

        assert audited(spoilt).findings, spoilt.rows[number]


# Entries.


def test_two_that_changed_places_are_both_named() -> None:
    for first, second in ((3, 5), (12, 24), (4, 30), (12, 13)):
        spoilt = shelf()
        a, b = spoilt.lines[first - 1], spoilt.lines[second - 1]
        spoilt.lines[first - 1], spoilt.lines[second - 1] = b._replace(seq=first), a._replace(seq=second)

        report = audited(spoilt)

        assert {first, second} == {one.first for one in report.findings if one.fault in (Fault.MOVED, Fault.CHANGED)}
        assert Fault.TREE in faults(report)
        assert {Fault.TREE} == faults(audited(spoilt, secret=False))


@pytest.mark.parametrize("seq", [1, 2, 9, 10, 20, 25, 26, 37])
@pytest.mark.parametrize("secret", [True, False])
def test_one_that_is_missing_is_named(seq: int, secret: bool) -> None:
    spoilt = shelf()
    del spoilt.lines[seq - 1]

    assert [("missing", seq, seq)] == told(audited(spoilt, secret=secret))


def test_several_that_are_missing_are_one_finding() -> None:
    spoilt = shelf()
    del spoilt.lines[11:15]

    (missing,) = audited(spoilt).findings

    assert (Fault.MISSING, 12, 15) == (missing.fault, missing.first, missing.last)
    assert missing.message == "segment 1: entries 12 to 15 are missing: the numbers before and after are there"


def test_one_that_is_missing_where_the_others_moved_up() -> None:
    spoilt = shelf()
    del spoilt.lines[11]  # entry 12
    spoilt.lines[11:] = [line._replace(seq=line.seq - 1) for line in spoilt.lines[11:]]

    report = audited(spoilt)

    assert ("moved", 12, 24) in told(report)
    assert Fault.MOVED in faults(report)


def test_one_that_was_added_where_the_others_moved_down() -> None:
    spoilt = shelf()
    spoilt.lines[11:] = [line._replace(seq=line.seq + 1) for line in spoilt.lines[11:]]
    spoilt.lines.insert(11, spoilt.lines[3]._replace(seq=12))

    assert ("changed", 12, 12) in told(audited(spoilt))
    assert ("moved", 13, 25) in told(audited(spoilt))


def test_a_copy_is_named_as_one() -> None:
    for copy, original in ((12, 20), (20, 12), (12, 13), (13, 12)):
        spoilt = shelf()
        spoilt.lines[copy - 1] = spoilt.lines[original - 1]._replace(seq=copy)

        report = audited(spoilt)

        assert [("repeated", copy, copy)] == told(report)
        assert f"a copy of entry {original}" in report.findings[0].message


def test_one_that_was_added_at_the_end_is_named_by_who_has_the_secret() -> None:
    spoilt = shelf()
    made_up = record(99)
    line = spoilt.lines[-1]
    spoilt.lines.append(line._replace(seq=line.seq + 1, id=made_up.id, at=made_up.at, body=b"{}"))

    assert ("changed", line.seq + 1, line.seq + 1) in told(audited(spoilt))


def test_one_that_was_written_under_another_secret_is_named() -> None:
    spoilt = shelf()
    spoilt.lines[19] = shelf(STRANGER).lines[19]

    assert [("changed", 20, 20)] == told(audited(spoilt))


def test_a_number_that_two_have() -> None:
    spoilt = shelf()
    spoilt.lines.append(spoilt.lines[19])

    assert ("added", 20, 20) in told(audited(spoilt))


def test_what_lies_outside_of_all_segments() -> None:
    spoilt = shelf()
    spoilt.lines.append(spoilt.lines[0]._replace(seq=-5))
    assert [("added", -5, -5)] == told(audited(spoilt))

    spoilt.rows.clear()
    assert [("added", -5, len(spoilt.lines) - 1)] == told(audited(spoilt))


@pytest.mark.parametrize("line", [{"salt": None}, {"body": "text"}, {"body": 5}, {"id": None}, {"at": "now"}])
def test_what_has_not_even_the_right_type(line: dict[str, object]) -> None:
    spoilt = shelf()
    spoilt.lines[19] = spoilt.lines[19]._replace(**line)  # type: ignore[arg-type]

    assert {20} == {one.first for one in audited(spoilt).findings if one.fault is not Fault.TREE}


# The end.


@pytest.mark.parametrize("secret", [True, False])
def test_a_dropped_tail_shows_beside_the_checkpoint_of_the_segment(secret: bool) -> None:
    spoilt = shelf()
    del spoilt.lines[30:]

    assert [("missing", 31, 38)] == told(audited(spoilt, secret=secret))


def test_a_dropped_tail_shows_beside_an_exported_checkpoint() -> None:
    whole, older = shelf(), shelf(sizes=(9, 16, 5), behind=0)  # the same file, as it was

    assert audited(older).findings == ()
    report = audited(older, [whole.exported[2][11]])

    assert [("missing", 31, 37)] == told(report)
    assert "a checkpoint over 12 entries, exported" in report.findings[0].message


def test_a_file_that_was_put_back_by_segments_shows_beside_an_exported_checkpoint() -> None:
    whole, older = shelf(), shelf(sizes=(9, 4), behind=0)

    (finding,) = audited(older, [whole.exported[2][11]]).findings

    assert (Fault.MISSING, 2) == (finding.fault, finding.segment)
    assert "12 of its entries" in finding.message


def test_another_file_shows_beside_an_exported_checkpoint() -> None:
    other = shelf(writer="f" * 32)

    (finding,) = audited(other, [shelf().exported[2][11]]).findings

    assert (Fault.MISSING, WRITER) == (finding.fault, finding.writer)


def test_a_tail_that_was_written_anew_shows_beside_an_exported_checkpoint() -> None:
    whole, other = shelf(), shelf(sizes=(9, 17, 12))

    assert {Fault.MISSING, Fault.TREE} & faults(audited(other, [whole.exported[1][15], whole.exported[2][3]]))


# Segments.


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_segment_that_is_missing(number: int) -> None:
    spoilt = shelf()
    row = spoilt.rows.pop(number)
    spoilt.lines = [line for line in spoilt.lines if not row.first <= line.seq < row.first + row.size - 1 + BEHIND]

    # Nothing speaks of the last one but what was exported.
    report = audited(spoilt, [row.note])

    assert number in {one.segment for one in report.findings if one.fault in (Fault.SEGMENT, Fault.MISSING)}
    assert bool(audited(spoilt).findings) is (number < 2)


def test_a_segment_that_is_missing_where_the_others_moved_up() -> None:
    spoilt = shelf()
    del spoilt.rows[1]
    spoilt.rows[1] = spoilt.rows[1]._replace(number=1, first=10)
    spoilt.lines = [line for line in spoilt.lines if line.seq < 10] + [
        line._replace(seq=line.seq - 16) for line in spoilt.lines if line.seq >= 26
    ]

    assert {Fault.CHECKPOINT, Fault.CHANGED} <= faults(audited(spoilt))
    assert {Fault.CHECKPOINT} == faults(audited(spoilt, secret=False))


def test_an_earlier_checkpoint_in_the_place_of_the_last() -> None:
    spoilt = shelf()
    spoilt.rows[1] = spoilt.rows[1]._replace(note=spoilt.exported[1][10], size=12)

    assert {Fault.SEGMENT, Fault.ADDED, Fault.TREE} == faults(audited(spoilt))


def test_a_former_checkpoint_that_was_signed_again_shows_in_the_next_tree() -> None:
    spoilt = shelf()
    rotated = Notary(Keys.ephemeral(b"n" * 32, b"s" * 32))
    text, _, _ = spoilt.rows[0].note.partition("\n\n")
    spoilt.rows[0] = spoilt.rows[0]._replace(note=rotated.sign(f"{text}\n", f"countermark/{WRITER}/0"))

    (finding,) = verify(spoilt, rotated, rotated.all_publics()).findings

    assert (Fault.TREE, 1) == (finding.fault, finding.segment)
    assert "the last checkpoint before it, is not" in finding.message


@pytest.mark.parametrize(
    ("told", "row"),
    [
        ("the row of the segment is damaged", {"first": "x"}),
        ("the row of the segment is damaged", {"note": b""}),
        ("its checkpoint is gone", {"note": ""}),
        ("its checkpoint cannot be believed", {"note": "x"}),
        ("its checkpoint is for 17 leaves, its row says 18", {"size": 18}),
        ("segment 1: not sealed, and segment 2 began", {"sealed": False}),
        ("segment 1: pruned, and the one before is not", {"pruned": True}),
    ],
)
def test_a_row_that_is_not_as_it_was(told: str, row: dict[str, object]) -> None:
    spoilt = shelf()
    spoilt.rows[1] = spoilt.rows[1]._replace(**row)  # type: ignore[arg-type]

    assert any(told in one.message for one in audited(spoilt).findings), audited(spoilt).findings


def test_a_checkpoint_of_another_segment() -> None:
    spoilt = shelf()
    spoilt.rows[1] = spoilt.rows[1]._replace(note=spoilt.rows[0].note, size=spoilt.rows[0].size)

    assert f"segment 1: its checkpoint is that of countermark/{WRITER}/0" in [
        one.message for one in audited(spoilt).findings
    ]


def test_what_was_pruned_too_early() -> None:
    spoilt = shelf()
    spoilt.rows[0] = spoilt.rows[0]._replace(pruned=True)
    spoilt.lines = spoilt.lines[9:]

    ended = spoilt.rows[1].begun
    assert audited(spoilt, young=ended).findings == ()
    assert {Fault.PRUNED} == faults(audited(spoilt, young=ended - 1))

    # Who makes it older than it is, has to make the one behind it older, too, and that is under a checkpoint.
    spoilt.rows[0] = spoilt.rows[0]._replace(begun=0)
    assert {Fault.PRUNED} == faults(audited(spoilt, young=ended - 1))
    spoilt.rows[1] = spoilt.rows[1]._replace(begun=0)
    (finding,) = audited(spoilt, young=ended - 1).findings
    assert (Fault.TREE, 1) == (finding.fault, finding.segment)


def test_two_copies_that_were_both_continued() -> None:
    other = shelf(sizes=(9, 16, 10), behind=0)
    place = Segment(WRITER, 2, 26, other.rows[2].begun, other.rows[1].note)
    for number in range(101, 114):
        salt = NOTARY.salt(place.places(1)[0], encode(record(number)))
        place.add([(salt, encode(record(number)))])
    note = NOTARY.sign(place.checkpoint().text(), place.origin)
    (longer,) = audited(other, [note]).findings
    assert (Fault.MISSING, 36, 38) == (longer.fault, longer.first, longer.last)

    (finding,) = audited(shelf(), [note]).findings
    assert (Fault.TREE, 2) == (finding.fault, finding.segment)
    assert "its entries are sound, and another copy of this ledger has grown by itself" in finding.message


def test_what_was_pruned_with_nothing_signed_behind_it() -> None:
    spoilt = shelf(sizes=(9, 4), behind=0)
    spoilt.rows[0] = spoilt.rows[0]._replace(pruned=True, begun=0)
    spoilt.rows[1] = spoilt.rows[1]._replace(note="", size=0, begun=0)
    spoilt.lines = spoilt.lines[9:]

    assert {Fault.PRUNED} == faults(audited(spoilt, young=BEGUN))


def test_what_lies_where_entries_were_pruned() -> None:
    spoilt = shelf()
    spoilt.rows[0] = spoilt.rows[0]._replace(pruned=True)
    spoilt.lines = spoilt.lines[4:]
    assert audited(spoilt).findings == ()

    spoilt.lines[1] = spoilt.lines[1]._replace(body=spoilt.lines[2].body)
    (finding,) = audited(spoilt).findings
    assert (Fault.ADDED, 6, 6) == (finding.fault, finding.first, finding.last)


def test_a_pruned_segment_whose_checkpoint_is_not_the_one_that_was_exported() -> None:
    spoilt, other = shelf(), shelf(writer=WRITER, sizes=(10, 5))
    spoilt.rows[0] = spoilt.rows[0]._replace(pruned=True)
    spoilt.lines = spoilt.lines[9:]

    assert {Fault.CHECKPOINT} == faults(audited(spoilt, [other.exported[0][9]]))


def test_the_ledger_grows_and_is_pruned_while_it_is_gone_through() -> None:
    class Growing(Shelf):
        """Whose last segment ends, and whose first is pruned, once the segments have been read."""

        asked = 0

        def segments(self, writer: str) -> list:  # type: ignore[type-arg]
            self.asked += 1
            if self.asked == 2:
                whole = shelf(sizes=(9, 16, 13, 7), behind=4)
                self.rows = [whole.rows[0]._replace(pruned=True), *whole.rows[1:]]
                self.lines = whole.lines
            return super().segments(writer)

        def entries(self, writer: str, first: int, last: int | None):  # type: ignore[no-untyped-def]
            if first > 0:
                self.lines = [line for line in self.lines if line.seq >= 10]
            return super().entries(writer, first, last)

    report = audited(Growing(NOTARY, SIZES))

    assert (report.findings, report.pruned) == ((), 1)


def test_a_finding_reads_the_same_to_programs() -> None:
    finding = Finding(Fault.CHANGED, WRITER, 1, 5, 5, "ab", "words")

    assert {
        "fault": "changed", "writer": WRITER, "segment": 1, "first": 5, "last": 5, "id": "ab", "message": "words"
    } == finding.document()  # fmt: skip


def _other(value: Any, random: Random) -> Any:
    """The same with one byte changed."""
    if isinstance(value, int):
        return value ^ (1 << random.randrange(60))
    position = random.randrange(len(value))
    if isinstance(value, str):
        return value[:position] + chr(ord(value[position]) ^ (1 << random.randrange(6))) + value[position + 1 :]
    return value[:position] + bytes([value[position] ^ (1 << random.randrange(8))]) + value[position + 1 :]
