import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from proxy.record.schema import BATCH, CONNECTION, FIND, LEAVES, MIGRATIONS, SET, UNSETTLED, insertion


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.create_function("salted", 4, lambda writer, number, index, body: b"salt")
        connection.create_function("termed", 1, lambda body: "[]")
        for statement in (*CONNECTION, *(line for step in MIGRATIONS for line in step)):
            connection.execute(statement)
        yield connection


Row = tuple[int, str, str, int, bytes, bytes, str]


def row(seq: int, id: str, state: str = "whole", terms: str = "[]") -> Row:
    return seq, id, state, seq, b"salt%d" % seq, b"%d" % seq, terms


def append(database: sqlite3.Connection, *rows: Row) -> None:
    database.execute(insertion(len(rows)), [value for one in rows for value in one])


@pytest.mark.parametrize("entries", [1, 2, BATCH])
def test_insertion_appends_in_order(database: sqlite3.Connection, entries: int) -> None:
    rows = [row(n, f"id{n}", terms=f"[{n}, {-n}, {2**63 - 1}]") for n in range(1, entries + 1)]
    append(database, *rows)
    found = list(database.execute("SELECT seq, id, state, at, salt, body FROM entries ORDER BY seq"))
    assert [one[:6] for one in rows] == found
    for n in range(1, entries + 1):
        assert [(n,)] == list(database.execute("SELECT seq FROM terms WHERE term = ?", (-n,)))
    assert (entries,) == database.execute("SELECT count(*) FROM terms WHERE term = ?", (2**63 - 1,)).fetchone()


def test_all_entries_of_a_statement_are_appended_or_none(database: sqlite3.Connection) -> None:
    append(database, row(2, "a"))
    with pytest.raises(sqlite3.IntegrityError):
        append(database, row(1, "b", terms="[1]"), row(2, "c", terms="[2]"))
    assert [("a",)] == list(database.execute("SELECT id FROM entries"))
    assert [] == list(database.execute("SELECT * FROM terms"))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entries SET body = x'00'",
        "UPDATE entries SET seq = 9",
        "DELETE FROM entries",
        "DELETE FROM entries WHERE id = 'a'",
        "INSERT OR REPLACE INTO entries (seq, id, state, at, salt, body) VALUES (1, 'b', 'whole', 2, x'01', x'02')",
    ],
)
def test_an_entry_is_never_changed_and_never_removed(database: sqlite3.Connection, change: str) -> None:
    append(database, row(1, "a"))
    with pytest.raises(sqlite3.IntegrityError, match="only ever appended"):
        database.execute(change)
    assert [(1, "a", b"1")] == list(database.execute("SELECT seq, id, body FROM entries"))


def test_what_lies_below_the_mark_can_be_removed(database: sqlite3.Connection) -> None:
    append(database, row(1, "a"), row(2, "b"))
    database.execute(SET, (2, "kept"))
    database.execute("DELETE FROM entries WHERE seq < 2")
    with pytest.raises(sqlite3.IntegrityError, match="only ever appended"):
        database.execute("DELETE FROM entries")
    assert [(2,)] == list(database.execute("SELECT seq FROM entries"))


def test_what_is_settled_is_not_asked_again(database: sqlite3.Connection) -> None:
    append(database, row(1, "a", "opened"), row(2, "b", "opened"))
    database.execute(SET, (1, "settled"))
    assert [(2, "b", "opened")] == list(database.execute(UNSETTLED))


@pytest.mark.parametrize(
    ("expected", "question"),
    [
        ("INDEX entries_by_id (id=?)", FIND),
        ("PRIMARY KEY (rowid>?)", UNSETTLED),
        ("PRIMARY KEY (rowid>?)", LEAVES),
    ],
)
def test_questions_use_the_index(database: sqlite3.Connection, expected: str, question: str) -> None:
    plan = database.execute(f"EXPLAIN QUERY PLAN {question}", ("1",) if "?" in question else ()).fetchall()
    assert expected in " ".join(step[3] for step in plan)
