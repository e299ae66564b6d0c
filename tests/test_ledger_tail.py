"""What lies in the file beside the entries: salts, terms, segments and what is signed about them."""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from proxy.archive import open_archive
from proxy.audit import verify
from proxy.keys import Keys
from proxy.ledger import Ledger, LedgerError
from proxy.notary import Notary, verified
from proxy.record.checkpoint import Checkpoint, origin
from proxy.record.exchange import Item, Record, decode, encode
from proxy.record.outcome import State
from proxy.record.schema import MIGRATIONS
from proxy.record.segment import Segment, place
from proxy.record.terms import terms
from tests.ledgers import NOTARY
from tests.running import until
from tests.test_audit_file import spoilt


def record(number: int, state: State = State.WHOLE) -> Record:
    item = Item(f"{number:032x}", "text", "choice 0", text=f"{number:032x}")
    return Record(f"{number:032x}", "a" * 32, 1_000 + number, state, items=(item,))


class Row(NamedTuple):
    number: int
    first: int
    begun: int
    size: int
    note: str
    sealed: int


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "countermark.db"


def asked(path: Path, question: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(question, values).fetchall()


def segments(path: Path) -> list[Row]:
    columns = ", ".join(Row._fields)
    return [Row(*row) for row in asked(path, f"SELECT {columns} FROM segments ORDER BY number")]  # noqa: S608


def signed(path: Path, writer: str) -> list[int]:
    """The entries under each segment's checkpoint; each is checked against what lies in the file."""
    found = []
    former = ""
    for row in segments(path):
        segment = Segment(writer, row.number, row.first, row.begun, former)
        if row.note:
            segment.add(
                asked(
                    path, "SELECT salt, body FROM entries WHERE seq >= ? ORDER BY seq LIMIT ?", row.first, row.size - 1
                )  # type: ignore[arg-type]
            )
            assert segment.checkpoint() == verified(row.note, [NOTARY.public])
        found.append(row.size - 1 if row.note else 0)
        former = row.note
    return found


def open_ledger(path: Path, notary: Notary = NOTARY, **pace: float) -> "closing[Ledger]":
    return closing(Ledger.open(path, notary, synchronous="normal", **pace))  # type: ignore[arg-type]


async def test_each_entry_is_salted_for_its_place(path: Path) -> None:
    with open_ledger(path, segment_entries=3) as ledger:
        for number in range(7):
            await ledger.append(record(number))
    places = [(number, index) for number in range(3) for index in (1, 2, 3)][:7]
    expected = [NOTARY.salt(place(ledger.writer, *one), encode(record(n))) for n, one in enumerate(places)]
    assert expected == [salt for (salt,) in asked(path, "SELECT salt FROM entries ORDER BY seq")]


async def test_each_entry_is_found_by_its_terms(path: Path) -> None:
    with open_ledger(path) as ledger:
        await asyncio.gather(*(ledger.append(record(number)) for number in range(10)))
    expected = sorted((term, seq) for seq in range(1, 11) for term in terms(record(seq - 1)))
    assert expected == asked(path, "SELECT term, seq FROM terms ORDER BY term, seq")


async def test_what_is_new_is_signed_soon_and_at_the_end(path: Path) -> None:
    with open_ledger(path, checkpoint_seconds=0.05) as ledger:
        await ledger.append(record(0))
        await until(lambda: signed(path, ledger.writer) == [1])
        await ledger.append(record(1))
        await until(lambda: signed(path, ledger.writer) == [2])
    with open_ledger(path, checkpoint_seconds=3600) as ledger:
        await ledger.append(record(2))
        assert [2] == signed(path, ledger.writer)
    assert [3] == signed(path, ledger.writer)


async def test_a_segment_that_is_full_is_sealed_and_another_begins(path: Path) -> None:
    with open_ledger(path, segment_entries=3) as ledger:
        for number in range(8):
            await ledger.append(record(number))
    assert [(0, 1, 1), (1, 4, 1), (2, 7, 0)] == [(row.number, row.first, row.sealed) for row in segments(path)]
    assert [3, 3, 2] == signed(path, ledger.writer)


async def test_a_segment_that_is_old_is_sealed_though_nothing_comes(path: Path) -> None:
    with open_ledger(path, checkpoint_seconds=0.02, segment_seconds=1) as ledger:
        await ledger.append(record(0))
        assert [0] == [row.sealed for row in segments(path)]
        await until(lambda: [1, 0] == [row.sealed for row in segments(path)])
        # The new one is empty, and stays.
        await asyncio.sleep(1.2)
        assert [1, 0] == [row.sealed for row in segments(path)]
        await ledger.append(record(1))
        await until(lambda: [1, 1, 0] == [row.sealed for row in segments(path)])
    assert [1, 1, 0] == signed(path, ledger.writer)


async def test_a_segment_that_began_in_the_future_is_sealed_when_something_came(path: Path) -> None:
    """As after a start with a clock that was wrong."""
    with open_ledger(path):
        pass
    asked(path, "UPDATE segments SET begun = begun + 1000000000 * 86400 * 365")
    with open_ledger(path) as ledger:
        await ledger.append(record(0))
    assert [(1, 2), (0, 0)] == [(row.sealed, row.size) for row in segments(path)]
    assert abs(segments(path)[1].begun - time.time_ns()) < 10**11
    assert [1, 0] == signed(path, ledger.writer)


async def test_a_ledger_that_is_opened_again_goes_on_where_it_was(path: Path) -> None:
    writers = set()
    for number in range(7):
        with open_ledger(path, segment_entries=3) as ledger:
            await ledger.append(record(number))
            writers.add(ledger.writer)
    (writer,) = writers
    assert [3, 3, 1] == signed(path, writer)


async def test_streams_that_are_open_are_looked_for_and_no_others(path: Path) -> None:
    with open_ledger(path) as ledger:
        for one in (record(0), record(1, State.OPENED), record(2), record(3, State.OPENED), record(3, State.CLOSED)):
            await ledger.append(one)
    assert [(1,)] == asked(path, "SELECT value FROM ledger WHERE name = 'settled'")
    with open_ledger(path) as ledger:
        assert [State.OPENED, State.INTERRUPTED] == [one.state for one in ledger.find(record(1).id)]
    assert [(6,)] == asked(path, "SELECT value FROM ledger WHERE name = 'settled'")
    assert [6] == signed(path, ledger.writer)


@pytest.mark.parametrize(
    ("expected", "entries"),
    [
        ([], []),
        ([], ["0 whole"]),
        ([], ["0 opened", "0 closed"]),
        ([], ["0 opened", "1 opened", "1 closed", "0 closed", "0 fingerprinted"]),
        ([0], ["0 opened"]),
        ([0], ["0 opened", "0 fingerprinted"]),
        ([1], ["0 opened", "1 opened", "0 closed", "2 whole"]),
        ([0, 2], ["0 opened", "1 whole", "2 opened"]),
    ],
)
async def test_what_was_never_closed_is_interrupted(expected: list[int], entries: list[str], path: Path) -> None:
    with open_ledger(path) as ledger:
        for number, state in map(str.split, entries):
            await ledger.append(record(int(number), State(state)))
    for _ in range(2):  # once
        with open_ledger(path) as ledger:
            ends = [one for one in ledger.recent(20) if one.state is State.INTERRUPTED]
            assert [record(number).id for number in expected] == [one.id for one in reversed(ends)]


async def test_a_segment_that_is_over_takes_nothing_more(path: Path) -> None:
    """Not even the ends of streams that it holds the beginnings of: it may have been shipped, and pruned there."""
    with open_ledger(path) as ledger:
        await ledger.append(record(0, State.OPENED))
    await asyncio.sleep(0.1)
    with open_ledger(path, segment_seconds=0.1) as ledger:
        assert [State.OPENED, State.INTERRUPTED] == [one.state for one in ledger.find(record(0).id)]
    assert [(0, 1, 1), (1, 2, 0)] == [(row.number, row.first, row.sealed) for row in segments(path)]
    assert [1, 1] == signed(path, ledger.writer)


@pytest.mark.parametrize(
    ("expected", "change"),
    [
        ("another root", "UPDATE entries SET body = x'7b7d' WHERE seq = 2"),
        ("another root", "UPDATE entries SET salt = x'00' WHERE seq = 1"),
        ("fewer entries than the 3 that were signed", "DELETE FROM entries WHERE seq = 3"),
        (
            "signature",
            "UPDATE segments SET note = replace(note, char(10) || '4' || char(10), char(10) || '3' || char(10))",
        ),
        ("three lines", "UPDATE segments SET note = 'x' || char(10) || char(10) || substr(note, instr(note, '—'))"),
    ],
)
async def test_a_segment_that_is_not_what_was_signed_is_ended_as_it_is(
    expected: str, change: str, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_ledger(path) as ledger:
        for number in range(3):
            await ledger.append(record(number))
    asked(path, "DROP TRIGGER entries_unchanged")
    asked(path, "DROP TRIGGER entries_kept")
    asked(path, change)
    before = segments(path)
    with open_ledger(path) as ledger:
        await ledger.append(record(3))
    assert expected in caplog.text
    kept, new = segments(path)
    assert before == [kept._replace(sealed=0)]
    assert (1, 1, 4, 2) == (kept.sealed, new.number, new.first, new.size)
    with open_ledger(path) as ledger:  # and that is told once
        await ledger.append(record(4))
    assert [(4, encode(record(3))), (5, encode(record(4)))] == asked(
        path, "SELECT seq, body FROM entries WHERE seq > 3 ORDER BY seq"
    )
    assert 1 == caplog.text.count("is not what was signed")


COPIED = """INSERT INTO entries (seq, id, state, at, salt, body)
    SELECT 5, 'f', 'whole', at, salt, replace(body, '"status":0', '"status":1') FROM entries WHERE seq = 4"""


@pytest.mark.parametrize(
    ("expected", "signed_for", "first", "changes"),
    [
        ((), 4, 1, []),
        (("added", 5, 5), 4, 6, [COPIED]),
        (("added", 3, 3), 2, 5, ["UPDATE entries SET body = replace(body, '}', ' }') WHERE seq = 3"]),
        (("added", 4, 4), 3, 5, ["UPDATE entries SET body = 'text' WHERE seq = 4"]),
        (("missing", 3, 3), 2, 5, ["DELETE FROM entries WHERE seq = 3"]),
        (("missing", 3, 3), 2, 6, ["DELETE FROM entries WHERE seq = 3", COPIED]),
    ],
)
async def test_nothing_is_signed_that_somebody_else_put_behind_the_checkpoint(
    expected: tuple[str, int, int], signed_for: int, first: int, changes: list[str], path: Path
) -> None:
    """As after a crash: two entries are signed, two are not yet; then somebody without the secret comes by."""
    with open_ledger(path) as ledger:
        for number in range(2):
            await ledger.append(record(number))
    (row,) = segments(path)
    with open_ledger(path) as ledger:
        for number in range(2, 4):
            await ledger.append(record(number))
    spoilt(path, f"UPDATE segments SET size = 3, note = '{row.note}'", *changes)  # noqa: S608

    with open_ledger(path) as ledger:
        await ledger.append(record(9))
    assert [signed_for + (not changes)] == signed(path, ledger.writer)[:1]
    assert first == segments(path)[-1].first
    with closing(open_archive(path)) as archive:
        found = verify(archive, NOTARY, [NOTARY.public]).findings
    assert not changes or expected in [(one.fault, one.first, one.last) for one in found]
    assert bool(changes) == bool(found)


async def test_an_entry_that_somebody_puts_in_while_it_runs_is_not_signed(path: Path) -> None:
    with open_ledger(path, checkpoint_seconds=0.02) as ledger:
        for number in range(4):
            await ledger.append(record(number))
        spoilt(path, COPIED)
        with pytest.raises(LedgerError, match="UNIQUE"):
            await ledger.append(record(5))
        await ledger.append(record(6))
    assert [4, 1] == signed(path, ledger.writer)


async def test_a_segment_whose_end_was_not_seen_to_be_committed_has_ended(path: Path) -> None:
    """SQLite may say that a transaction failed, and find it in its log when the file is opened again."""
    with open_ledger(path, segment_entries=2) as ledger:
        for number in range(2):
            await ledger.append(record(number))
        begun = time.time_ns()
        note = NOTARY.sign(checkpoint_of(path, ledger.writer).text(), f"countermark/{ledger.writer}/0")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("UPDATE segments SET size = 3, note = ?, sealed = 1 WHERE number = 0", (note,))
            other.execute("INSERT INTO segments (number, first, begun) VALUES (1, 3, ?)", (begun,))
        with pytest.raises(LedgerError):
            await ledger.append(record(2))
        await ledger.append(record(3))
        await ledger.append(record(4))
    assert [2, 2] == signed(path, ledger.writer)


def checkpoint_of(path: Path, writer: str) -> Checkpoint:
    """What the first segment is now."""
    row = segments(path)[0]
    segment = Segment(writer, 0, row.first, row.begun, "")
    segment.add(asked(path, "SELECT salt, body FROM entries ORDER BY seq"))  # type: ignore[arg-type]
    return segment.checkpoint()


async def test_a_ledger_whose_keys_are_gone_goes_on_under_new_ones(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_ledger(path) as ledger:
        await ledger.append(record(0))
    others = Notary(Keys.ephemeral(b"o" * 32))
    with open_ledger(path, others) as ledger:
        await ledger.append(record(1))
    assert "no signature by a key that is known here" in caplog.text
    old, new = segments(path)
    assert Checkpoint(origin(ledger.writer, 0), 2, verified(old.note, [NOTARY.public]).root) == verified(
        old.note, [NOTARY.public]
    )
    assert 2 == verified(new.note, [others.public]).size


async def test_what_was_not_seen_to_be_committed_is_taken_in(path: Path) -> None:
    """Another program holds the file for longer than the ledger waits, and then lets go: what is signed is what is
    there."""
    with open_ledger(path, busy_seconds=0.05, checkpoint_seconds=0.02) as ledger:
        await ledger.append(record(0))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerError, match="locked"):
                await ledger.append(record(1))
            assert "locked" in ledger.failing
            other.execute("ROLLBACK")
        await ledger.append(record(2))
        assert "" == ledger.failing
    assert [2] == signed(path, ledger.writer)


def test_a_ledger_of_version_1_is_brought_to_this_one(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as former:
        for statement in MIGRATIONS[0]:
            former.execute(statement)
        former.execute("INSERT INTO schema (version, at) VALUES (1, 0)")
        for number, state in ((0, State.WHOLE), (1, State.OPENED), (2, State.WHOLE)):
            body = encode(record(number, state)).replace(b'{"v":2', b'{"v":1').split(b',"subject"')[0] + b"}"
            body = body.replace(b',"text":"%032x","sketch":[]' % number, b"")
            former.execute(
                "INSERT INTO entries (id, state, at, body) VALUES (?, ?, ?, ?)",
                (record(number).id, str(state), number, body),
            )
    with open_ledger(path) as ledger:
        states = [one.state for one in ledger.recent(10)]
    assert [State.INTERRUPTED, State.WHOLE, State.OPENED, State.WHOLE] == states
    assert [4] == signed(path, ledger.writer)
    for seq, salt, body in asked(path, "SELECT seq, salt, body FROM entries"):
        assert NOTARY.holds(place(ledger.writer, 0, seq), body, salt)
        assert {(term,) for term in terms(decode(body))} == set(
            asked(path, "SELECT term FROM terms WHERE seq = ?", seq)
        )


async def test_an_idle_ledger_does_nothing(path: Path) -> None:
    with open_ledger(path, checkpoint_seconds=0.01) as ledger:
        await ledger.append(record(0))
        await until(lambda: signed(path, ledger.writer) == [1])
        before = time.process_time()
        await asyncio.sleep(0.5)
        assert time.process_time() - before < 0.1
