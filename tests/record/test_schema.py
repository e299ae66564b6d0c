import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from proxy.record.schema import BATCH, CONNECTION, FIND, MIGRATIONS, NEVER_CLOSED, insertion


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for statement in (*CONNECTION, *(line for step in MIGRATIONS for line in step)):
            connection.execute(statement)
        yield connection


@pytest.mark.parametrize("entries", [1, 2, BATCH])
def test_insertion_appends_in_order(database: sqlite3.Connection, entries: int) -> None:
    rows = [(f"id{n}", "whole", n, b"%d" % n) for n in range(entries)]
    database.execute(insertion(entries), [value for row in rows for value in row])
    assert rows == list(database.execute("SELECT id, state, at, body FROM entries ORDER BY seq"))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entries SET body = x'00'",
        "UPDATE entries SET seq = 9",
        "DELETE FROM entries",
        "DELETE FROM entries WHERE id = 'a'",
        "INSERT OR REPLACE INTO entries (seq, id, state, at, body) VALUES (1, 'b', 'whole', 2, x'02')",
    ],
)
def test_an_entry_is_never_changed_and_never_removed(database: sqlite3.Connection, change: str) -> None:
    database.execute(insertion(1), ("a", "whole", 1, b"1"))
    with pytest.raises(sqlite3.IntegrityError, match="only ever appended"):
        database.execute(change)
    assert list(database.execute("SELECT * FROM entries")) == [(1, "a", "whole", 1, b"1")]


@pytest.mark.parametrize(
    ("expected", "entries"),
    [
        ([], []),
        ([], ["a whole"]),
        ([], ["a opened", "a closed"]),
        ([], ["a opened", "a interrupted"]),
        ([], ["a opened", "b opened", "b closed", "a closed"]),
        ([0], ["a opened"]),
        ([1], ["a opened", "b opened", "a closed", "c whole"]),
        ([0, 2], ["a opened", "b whole", "c opened"]),
        ([2], ["a opened", "b whole", "a opened"]),
    ],
)
def test_never_closed(database: sqlite3.Connection, expected: list[int], entries: list[str]) -> None:
    for at, entry in enumerate(entries):
        database.execute(insertion(1), (*entry.split(), at, b"%d" % at))
    assert [(b"%d" % at,) for at in expected] == list(database.execute(NEVER_CLOSED))


@pytest.mark.parametrize(("expected", "question"), [("entries_by_id (id=?)", FIND), ("COVERING INDEX", NEVER_CLOSED)])
def test_questions_use_the_index(database: sqlite3.Connection, expected: str, question: str) -> None:
    plan = database.execute(f"EXPLAIN QUERY PLAN {question}", ("a",) if "?" in question else ()).fetchall()
    assert expected in " ".join(step[3] for step in plan)
