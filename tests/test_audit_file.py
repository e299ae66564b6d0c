"""An audit of real ledgers: of files that the product wrote, and that somebody has been at since."""

import asyncio
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.archive import open_archive
from proxy.audit import Report, verify
from proxy.audit_guards import guards
from proxy.audit_index import IndexAudit
from proxy.keys import Keys
from proxy.ledger import Ledger
from proxy.notary import Notary
from proxy.record.exchange import Record, encode
from proxy.record.fault import Fault
from proxy.record.outcome import State
from proxy.record.schema import MIGRATIONS
from tests.shelf import record

KEYS = Keys.ephemeral(b"s" * 32)
NOTARY = Notary(KEYS)
EXCHANGES = 200
SEGMENT = 60  # entries at most
COPY = """
    INSERT INTO entries (seq, id, state, at, salt, body)
    SELECT SEQ, id, state, at, salt, body FROM entries WHERE seq = 70"""


def exchange(number: int) -> list[Record]:
    """Every third one is a stream."""
    if number % 3:
        return [record(number)]
    return [record(number, State.OPENED), replace(record(number, State.CLOSED), at=record(number).at + 5)]


async def appended(path: Path, numbers: range, notary: Notary = NOTARY, segment: int = SEGMENT) -> None:
    """A ledger that has grown by these exchanges, a few at a time."""
    with closing(Ledger.open(path, notary, synchronous="normal", segment_entries=segment)) as ledger:
        for number in numbers:
            await asyncio.gather(*map(ledger.append, exchange(number)))


def audited(path: Path, exported: Sequence[str] = (), notary: Notary | None = NOTARY) -> Report:
    index = IndexAudit(path)
    with closing(open_archive(path)) as archive:
        report = verify(archive, notary, (notary or NOTARY).all_publics(), exported, each=index.see)
    return report._replace(findings=(*report.findings, *index.findings()))


def latest(path: Path) -> list[str]:
    """The checkpoints that somebody would export."""
    return [note for (note,) in asked(path, "SELECT note FROM segments WHERE note <> '' ORDER BY number")]


def asked(path: Path, question: str, *values: Any) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(question, values).fetchall()


def spoilt(path: Path, *statements: str, values: Sequence[Any] = ()) -> None:
    """The file, after somebody has been at it who knows his way around, and left it as it was otherwise."""
    with closing(sqlite3.connect(path, isolation_level=None)) as stranger:
        triggers = stranger.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            stranger.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            stranger.execute(statement, values)
        for _, made in triggers:
            stranger.execute(made)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of a few hundred entries in several segments; not to be written to."""
    path = tmp_path_factory.mktemp("sound") / "countermark.db"
    asyncio.run(appended(path, range(EXCHANGES)))
    return path


@pytest.fixture
def path(sound: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copy(sound, tmp_path / "countermark.db"))


def test_what_the_product_wrote_is_sound(sound: Path) -> None:
    report = audited(sound, latest(sound))

    assert report.findings == ()
    assert (1, len(asked(sound, "SELECT seq FROM entries"))) == (report.writers, report.entries)
    assert report.segments > 3
    assert (report.behind, report.compared) == (0, report.segments)
    assert audited(sound, latest(sound), None).findings == ()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, EXCHANGES), st.sampled_from(["id", "state", "at", "salt", "body"]), st.randoms())
def test_any_byte_of_any_entry_is_found_and_the_entry_is_named(
    sound: Path, tmp_path: Path, seq: int, column: str, random: Random
) -> None:
    path = Path(shutil.copy(sound, tmp_path / "countermark.db"))
    reading = "SELECT CAST(COLUMN AS BLOB), typeof(COLUMN) FROM entries WHERE seq = ?".replace("COLUMN", column)
    ((value, type_of),) = asked(path, reading, seq)
    writing = "UPDATE entries SET COLUMN = CAST(? AS TYPE) WHERE seq = ?"
    spoilt(path, writing.replace("COLUMN", column).replace("TYPE", type_of), values=[_other(value, random), seq])
    if asked(path, reading, seq) == [(value, type_of)]:
        return  # a digit that became no digit: SQLite read the same number

    report = audited(path)

    assert any((seq, seq) == (one.first, one.last) for one in report.findings), report.findings
    assert all(one.fault is Fault.TREE or (seq, seq) == (one.first, one.last) for one in report.findings)


@pytest.mark.parametrize("number", range(3))
def test_any_byte_of_any_note_is_found(path: Path, number: int) -> None:
    note = latest(path)[number].encode()
    random = Random(number)
    for _ in range(20):
        writing = "UPDATE segments SET note = CAST(? AS TEXT) WHERE number = ?"
        spoilt(path, writing, values=[_other(note, random), number])
        assert Fault.CHECKPOINT in {one.fault for one in audited(path).findings}


@pytest.mark.parametrize(
    ("expected", "statements"),
    [
        ({("missing", 70, 70)}, ["DELETE FROM entries WHERE seq = 70"]),
        ({("missing", 65, 75)}, ["DELETE FROM entries WHERE seq BETWEEN 65 AND 75"]),
        ({("moved", 70, 70), ("moved", 90, 90)}, [
            "UPDATE entries SET seq = -1 WHERE seq = 70",
            "UPDATE entries SET seq = 70 WHERE seq = 90",
            "UPDATE entries SET seq = 90 WHERE seq = -1",
        ]),
        ({("repeated", 71, 71)}, [
            "DELETE FROM entries WHERE seq = 71",
            COPY.replace("SEQ", "71"),
        ]),
        ({("added", -1, -1)}, [COPY.replace("SEQ", "-1")]),
        ({("changed", 268, 268)}, [
            COPY.replace("SEQ", "268"),
        ]),
    ],
)  # fmt: skip
def test_what_was_done_to_entries_is_named(
    path: Path, expected: set[tuple[str, int, int]], statements: list[str]
) -> None:
    spoilt(path, *statements)

    report = audited(path)

    faults = {(str(one.fault), one.first, one.last) for one in report.findings}
    assert expected <= faults
    assert {fault for fault, _, _ in faults - expected} <= {"tree", "index"}


def test_a_dropped_tail_is_found_with_an_exported_checkpoint(path: Path) -> None:
    exported = latest(path)
    ((first,),) = asked(path, "SELECT first FROM segments ORDER BY number DESC LIMIT 1")
    for statement in ("DELETE FROM entries WHERE seq >= ?", "DELETE FROM terms WHERE seq >= ?"):
        spoilt(path, statement, values=[first])
    spoilt(path, "DELETE FROM segments WHERE first = ?", values=[first])

    assert audited(path).findings == ()
    (finding,) = audited(path, exported).findings
    assert finding.fault is Fault.MISSING
    assert f"for {267 - first + 1} of its entries" in finding.message


async def test_an_older_copy_that_was_put_back_is_found_with_an_exported_checkpoint(path: Path, tmp_path: Path) -> None:
    older = Path(shutil.copy(path, tmp_path / "older.db"))
    await appended(path, range(EXCHANGES, EXCHANGES + 6))
    exported = latest(path)[-1:]

    assert audited(path, exported).findings == ()
    (finding,) = audited(older, exported).findings
    assert (Fault.MISSING, 268, 275) == (finding.fault, finding.first, finding.last)

    await appended(older, range(500, 509))  # and which went on
    assert {Fault.TREE} == {one.fault for one in audited(older, exported).findings}


async def test_another_file_in_its_place_is_found_with_an_exported_checkpoint(path: Path, tmp_path: Path) -> None:
    await appended(tmp_path / "other.db", range(EXCHANGES))

    report = audited(tmp_path / "other.db", latest(path))

    assert {Fault.MISSING} == {one.fault for one in report.findings}


def test_a_whole_segment_that_is_gone_is_found(path: Path) -> None:
    ((first,), (following,)) = asked(path, "SELECT first FROM segments WHERE number IN (1, 2) ORDER BY number")
    for statement in ("DELETE FROM entries WHERE seq >= ? AND seq < ?", "DELETE FROM terms WHERE seq >= ? AND seq < ?"):
        spoilt(path, statement, values=[first, following])
    spoilt(path, "DELETE FROM segments WHERE number = 1")

    assert {(Fault.SEGMENT, 1)} == {(one.fault, one.segment) for one in audited(path).findings}


# The index.


@pytest.mark.parametrize(
    ("expected", "statement"),
    [
        ("3 of the 3 terms that it is found by are not", "DELETE FROM terms WHERE seq = 70"),
        (
            "1 of the 3 terms that it is found by are not",
            "DELETE FROM terms WHERE seq = 70 AND term = (SELECT min(term) FROM terms WHERE seq = 70)",
        ),
        ("1 terms of the index lead to it that are not its own", "INSERT INTO terms VALUES (5, 70)"),
    ],
)
def test_records_that_a_search_would_miss_are_named(path: Path, expected: str, statement: str) -> None:
    spoilt(path, statement)

    (finding,) = audited(path).findings

    assert (Fault.INDEX, 70, 70) == (finding.fault, finding.first, finding.last)
    assert expected in finding.message


def test_an_index_is_looked_at_whatever_the_mark_says(path: Path) -> None:
    spoilt(path, "DELETE FROM terms WHERE seq = 70", "UPDATE ledger SET value = 1000000 WHERE name = 'kept'")

    assert [(Fault.INDEX, 70)] == [(one.fault, one.first) for one in audited(path).findings]


def test_what_pruning_may_have_left_in_the_index_is_nothing_wrong(path: Path) -> None:
    spoilt(path, "INSERT INTO terms VALUES (5, -3)")

    assert audited(path).findings == ()


def test_an_index_that_is_gone_is_told_in_few_words(path: Path) -> None:
    spoilt(path, "DELETE FROM terms")

    assert {Fault.INDEX} == {one.fault for one in audited(path).findings}


# The guards.


@pytest.mark.parametrize(
    ("expected", "statements"),
    [
        ([], []),
        (["the trigger entries_kept of the file is gone"], ["DROP TRIGGER entries_kept"]),
        (["the trigger mine of the file is none of this program's"],
         ["CREATE TRIGGER mine AFTER INSERT ON entries BEGIN DELETE FROM terms WHERE seq = NEW.seq; END"]),
        (["the trigger entries_unchanged of the file was changed"],
         ["DROP TRIGGER entries_unchanged",
          "CREATE TRIGGER entries_unchanged BEFORE UPDATE ON entries BEGIN SELECT 1; END"]),
        (["the mark below which entries may be removed is 1000000, and those from 1 on were not pruned"],
         ["UPDATE ledger SET value = 1000000 WHERE name = 'kept'"]),
        (["the mark below which entries may be removed is None, and those from 1 on were not pruned"],
         ["DELETE FROM ledger WHERE name = 'kept'"]),
        (["the mark below which entries may be removed is 1, and those from 61 on were not pruned"],
         ["UPDATE segments SET pruned = 1, begun = 0 WHERE number = 0"]),
        (["the mark up to which streams are closed is 1000000, and the last entry is 267"],
         ["UPDATE ledger SET value = 1000000 WHERE name = 'settled'"]),
        (["no segment is there that grows"],
         ["UPDATE segments SET pruned = 1, begun = 0", "DELETE FROM segments WHERE number = 4"]),
    ],
)  # fmt: skip
def test_who_put_the_guards_aside_is_found(path: Path, expected: list[str], statements: list[str]) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as stranger:
        for statement in statements:
            stranger.execute(statement)

    assert expected == [one.message.partition(":")[0] for one in guards(path, "w")]


# Sound ledgers with a history.


async def test_a_ledger_is_sound_after_its_process_was_killed(path: Path, tmp_path: Path) -> None:
    ledger = Ledger.open(path, NOTARY, checkpoint_seconds=600)
    try:
        for number in range(500, 505):
            await asyncio.gather(*map(ledger.append, exchange(number)))
        await ledger.append(record(510, State.OPENED))
        exported = latest(path)
        # What a kill leaves behind: the file, and its log.
        for suffix in ("", "-wal"):
            shutil.copy(f"{path}{suffix}", tmp_path / f"killed.db{suffix}")
    finally:
        ledger.close()
    killed = tmp_path / "killed.db"

    report = audited(killed, exported)
    assert (report.findings, report.behind) == ((), 8)

    await appended(killed, range(600, 603))
    report = audited(killed, [*exported, *latest(killed)])
    assert (report.findings, report.behind) == ((), 0)
    states = asked(killed, "SELECT state FROM entries WHERE id = ? ORDER BY seq", record(510).id)
    assert [("opened",), ("interrupted",)] == states


async def test_a_ledger_is_sound_after_its_secret_was_replaced(path: Path) -> None:
    exported = latest(path)
    rotated = Notary(Keys.ephemeral(b"n" * 32, b"s" * 32))
    await appended(path, range(EXCHANGES, EXCHANGES + 90), rotated)

    assert audited(path, exported, rotated).findings == ()
    # Who has the retired secret alone does not know what came after.
    assert {Fault.CHECKPOINT, Fault.CHANGED} <= {one.fault for one in audited(path, exported).findings}


async def test_a_ledger_is_sound_after_it_came_from_version_1(tmp_path: Path) -> None:
    path = tmp_path / "countermark.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in MIGRATIONS[0]:
            connection.execute(statement)
        connection.execute("INSERT INTO schema VALUES (1, 0)")
        for number in range(150):
            one = record(number)
            body = encode(one).replace(b'{"v":2', b'{"v":1', 1)
            connection.execute(
                "INSERT INTO entries (id, state, at, body) VALUES (?, ?, ?, ?)", (one.id, one.state, one.at, body)
            )
    await appended(path, range(150, 160))

    report = audited(path, latest(path))

    assert report.findings == ()
    assert report.entries == 164
    assert [] == guards(path, "w")


async def test_a_ledger_is_sound_while_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "countermark.db"
    with closing(
        Ledger.open(path, NOTARY, synchronous="normal", segment_entries=50, checkpoint_seconds=0.01)
    ) as ledger:
        grown = asyncio.create_task(_grow(ledger, 2000))
        audits = 0
        while not grown.done():
            report = await asyncio.to_thread(audited, path)
            assert report.findings == ()
            audits += 1
        await grown
    assert audits > 2
    assert audited(path).segments >= 40


async def _grow(ledger: Ledger, entries: int) -> None:
    for number in range(0, entries, 10):
        await asyncio.gather(*(ledger.append(record(one)) for one in range(number, number + 10)))


def _other(value: bytes, random: Random) -> bytes:
    position = random.randrange(len(value))
    return value[:position] + bytes([value[position] ^ (1 << random.randrange(8))]) + value[position + 1 :]
