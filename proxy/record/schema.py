"""The ledger's tables, as statements for SQLite, and nothing that runs them.

Law: an entry is never changed and never removed, and the tables themselves see to it; a line of `MIGRATIONS` that has
been released is never edited, so that every ledger of one version has one form, however old it is.
"""

from functools import lru_cache
from typing import Final

__all__ = [
    "BATCH",
    "CONNECTION",
    "COUNT",
    "FIND",
    "MIGRATED",
    "MIGRATIONS",
    "NEVER_CLOSED",
    "RECENT",
    "TABLES",
    "VERSION",
    "insertion",
]

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        "CREATE TABLE schema (version INTEGER PRIMARY KEY, at INTEGER NOT NULL)",
        """CREATE TABLE entries (
            seq INTEGER PRIMARY KEY, id TEXT NOT NULL, state TEXT NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL)""",
        # With the state in it, the search for streams that were never closed reads this index alone.
        "CREATE INDEX entries_by_id ON entries (id, state)",
        """CREATE TRIGGER entries_unchanged BEFORE UPDATE ON entries
            BEGIN SELECT RAISE(ABORT, 'entries are only ever appended'); END""",
        """CREATE TRIGGER entries_kept BEFORE DELETE ON entries
            BEGIN SELECT RAISE(ABORT, 'entries are only ever appended'); END""",
    ),
)
"""What leads from version 0 (an empty file) to 1, from 1 to 2, and so on. A record of a newer form needs one too."""

CONNECTION: Final = (
    # A burst leaves a long log behind; 64 MiB of it are kept for the next one.
    "PRAGMA journal_size_limit = 67108864",
    # Without it, REPLACE deletes a row and no trigger hears of it. A third trigger would cost each insertion 2 us.
    "PRAGMA recursive_triggers = ON",
)
"""What every connection that writes is told first."""

VERSION: Final = "SELECT ifnull(max(version), 0) FROM schema"
MIGRATED: Final = "INSERT INTO schema (version, at) VALUES (?, ?)"
TABLES: Final = "SELECT name FROM sqlite_schema WHERE type = 'table'"

FIND: Final = "SELECT body FROM entries WHERE id = ? ORDER BY seq"
RECENT: Final = "SELECT body FROM entries ORDER BY seq DESC LIMIT ?"
COUNT: Final = "SELECT count(*) FROM entries"

NEVER_CLOSED: Final = """
    SELECT body FROM entries WHERE seq IN
        (SELECT max(seq) FROM entries GROUP BY id HAVING min(state) = 'opened' AND max(state) = 'opened')
    ORDER BY seq"""
"""One entry for each exchange that has `opened` and nothing else."""

BATCH: Final = 256
"""Entries per statement at most. It bounds the statement, and how long the first of a batch waits for the last."""


@lru_cache(maxsize=BATCH)
def insertion(entries: int) -> str:
    """The one statement that appends so many entries: four values each, in the order id, state, at, body."""
    return f"INSERT INTO entries (id, state, at, body) VALUES {', '.join(['(?, ?, ?, ?)'] * entries)}"  # noqa: S608
