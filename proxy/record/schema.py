"""The ledger's tables, as statements for SQLite, and nothing that runs them.

Law: an entry is never changed, and removed only where it lies below the mark `kept`; the tables themselves see to it. A
line of `MIGRATIONS` that has been released is never edited, so that every ledger of one version has one form, however
old it is.

    entries     what was appended, in the order of `seq`: a record's bytes with their salt (see segment.py)
    terms       what an entry is found by (see terms.py)
    segments    the trees over the entries: where each begins, and its latest checkpoint, a note over `size` leaves
    ledger      `writer`: 32 hex digits that name this file among others; `settled`: up to here every stream is closed;
                `kept`: from here on nothing was removed; `shipped`: up to here another database has a copy
    incoming    a view: what is inserted here becomes an entry with its terms, in one statement
"""

from functools import lru_cache
from typing import Final

__all__ = [
    "BATCH",
    "BODY",
    "CONNECTION",
    "COUNT",
    "FIND",
    "LAST",
    "LEAVES",
    "MIGRATED",
    "MIGRATIONS",
    "NOTED",
    "OPENED",
    "RECENT",
    "SEALED",
    "SEGMENTS",
    "SET",
    "TABLES",
    "UNSETTLED",
    "VERSION",
    "insertion",
    "setting",
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
    (
        "DROP TRIGGER entries_unchanged",
        "DROP TRIGGER entries_kept",
        "CREATE TABLE ledger (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID",
        """INSERT INTO ledger (name, value)
            VALUES ('writer', lower(hex(randomblob(16)))), ('settled', 0), ('kept', 1), ('shipped', 0)""",
        """CREATE TABLE segments (
            number INTEGER PRIMARY KEY, first INTEGER NOT NULL, begun INTEGER NOT NULL, size INTEGER NOT NULL DEFAULT 0,
            note TEXT NOT NULL DEFAULT '', sealed INTEGER NOT NULL DEFAULT 0, pruned INTEGER NOT NULL DEFAULT 0)""",
        """INSERT INTO segments (number, first, begun)
            VALUES (0, 1, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000000)""",
        "CREATE TABLE terms (term INTEGER, seq INTEGER, PRIMARY KEY (term, seq)) WITHOUT ROWID",
        "ALTER TABLE entries ADD COLUMN salt BLOB NOT NULL DEFAULT x''",
        "UPDATE entries SET salt = salted((SELECT value FROM ledger WHERE name = 'writer'), 0, seq, body)",
        # In their order: put in as they come, a million of them would be looked for all over the index.
        """INSERT INTO terms (term, seq)
            SELECT term.value, seq FROM entries, json_each(termed(body)) AS term ORDER BY 1, 2""",
        "CREATE INDEX entries_by_at ON entries (at)",
        """CREATE VIEW incoming (seq, id, state, at, salt, body, terms) AS
            SELECT seq, id, state, at, salt, body, '[]' FROM entries""",
        """CREATE TRIGGER incoming_arrives INSTEAD OF INSERT ON incoming BEGIN
            INSERT INTO entries (seq, id, state, at, salt, body)
                VALUES (NEW.seq, NEW.id, NEW.state, NEW.at, NEW.salt, NEW.body);
            INSERT INTO terms (term, seq) SELECT value, NEW.seq FROM json_each(NEW.terms);
            END""",
        """CREATE TRIGGER entries_unchanged BEFORE UPDATE ON entries
            BEGIN SELECT RAISE(ABORT, 'entries are only ever appended'); END""",
        """CREATE TRIGGER entries_kept BEFORE DELETE ON entries
            WHEN OLD.seq >= (SELECT value FROM ledger WHERE name = 'kept')
            BEGIN SELECT RAISE(ABORT, 'entries are only ever appended'); END""",
    ),
)
"""What leads from version 0 (an empty file) to 1, from 1 to 2, and so on. A record of a newer form needs one too.

They may call `salted(writer, segment, index, body)`, the salt of an entry in this place, and `termed(body)`, its terms
as JSON.
"""

CONNECTION: Final = (
    # A burst leaves a long log behind; 64 MiB of it are kept for the next one.
    "PRAGMA journal_size_limit = 67108864",
    # Trace ids and hashes fall anywhere in the index of terms: its pages are kept at hand (16 MiB), and go back into
    # the file when 16 MiB of the log wait for it, for the same page is often written again.
    "PRAGMA cache_size = -16384",
    "PRAGMA wal_autocheckpoint = 4096",
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

UNSETTLED: Final = """
    SELECT seq, id, state FROM entries WHERE seq > (SELECT value FROM ledger WHERE name = 'settled') ORDER BY seq"""
"""The entries among which there may be streams that were never closed."""

BODY: Final = "SELECT body FROM entries WHERE seq = ?"

SET: Final = "UPDATE ledger SET value = ? WHERE name = ?"

SEGMENTS: Final = "SELECT number, first, begun, size, note FROM segments ORDER BY number DESC LIMIT 2"
"""The segment that grows, and the one before it."""
LEAVES: Final = """
    SELECT seq, CAST(salt AS BLOB), CAST(body AS BLOB), id, state FROM entries WHERE seq >= ? ORDER BY seq"""
"""SQLite keeps anything in any column, and somebody may have been at it."""
LAST: Final = "SELECT ifnull(max(seq), 0) FROM entries"
NOTED: Final = "UPDATE segments SET size = ?, note = ? WHERE number = ?"
SEALED: Final = "UPDATE segments SET sealed = 1 WHERE number = ?"
OPENED: Final = "INSERT INTO segments (number, first, begun) VALUES (?, ?, ?)"

BATCH: Final = 256
"""Entries per statement at most. It bounds the statement, and how long the first of a batch waits for the last."""


def setting(name: str) -> str:
    """The question for a value of the table `ledger`."""
    return f"SELECT value FROM ledger WHERE name = '{name}'"  # noqa: S608


@lru_cache(maxsize=BATCH)
def insertion(entries: int) -> str:
    """The one statement that appends so many entries: seven values each, in the order seq, id, state, at, salt, body,
    and the terms as a JSON array."""
    values = ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * entries)
    return f"INSERT INTO incoming (seq, id, state, at, salt, body, terms) VALUES {values}"  # noqa: S608
