"""Removing the oldest records of a ledger's file, once they need not be kept any longer.

Law: whole segments go, the oldest first, each in one transaction, and nothing goes that is too young, that is not
sealed, that has a stream still open, or that was to be shipped and is not. The checkpoint of a segment stays for ever,
so that an audit of what is left holds.

A process may go on appending: it waits for each transaction, and for nothing else. What an index entry leads to goes
first and the index entry after it, a few at a time; where that was broken off, the next pruning goes on with it.
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["Dropped", "Pruning", "PruningError", "prune"]

VERSION: Final = 2

_BATCH: Final = 2_000  # index entries in a transaction
_PATIENCE: Final = 10.0  # seconds to wait for another program's lock

_NEXT: Final = """
    SELECT s.number, s.first, s.begun, s.sealed, (SELECT min(n.first) FROM segments AS n WHERE n.number > s.number)
    FROM segments AS s WHERE NOT s.pruned ORDER BY s.number LIMIT 1 OFFSET ?"""
_NEWEST: Final = "SELECT ifnull(max(at), 0), count(*) FROM entries WHERE seq BETWEEN ? AND ?"
_MARKS: Final = "SELECT name, value FROM ledger WHERE name IN ('settled', 'shipped', 'kept')"
_KEEP: Final = "UPDATE ledger SET value = max(value, ?) WHERE name = 'kept'"
_DROP: Final = "DELETE FROM entries WHERE seq BETWEEN ? AND ?"
_DROPPED: Final = "UPDATE segments SET pruned = 1 WHERE number = ?"
_LEFT: Final = """
    SELECT term, seq FROM terms WHERE (term, seq) > (?, ?) AND seq < ? ORDER BY term, seq LIMIT ?"""
_FORGET: Final = "DELETE FROM terms WHERE term = ? AND seq = ?"


class PruningError(Exception):
    """The file cannot be pruned; the message says why."""


class Dropped(NamedTuple):
    """A segment that was removed: how many entries it had, from which ``seq`` to which, and when the newest was written
    (Unix time in nanoseconds)."""

    number: int
    entries: int
    first: int
    last: int
    newest: int


class Pruning(NamedTuple):
    """What was removed, the oldest first, and why the next segment was not."""

    dropped: tuple[Dropped, ...]
    because: str


def prune(
    path: Path, before: int, *, ships: bool, dry: bool = False, told: Callable[[Dropped], object] | None = None
) -> Pruning:
    """Remove the segments of the ledger at ``path`` whose entries were all written before ``before``, Unix time in
    nanoseconds. ``ships``: only what the database has that the ledger ships to. ``dry``: say it and do nothing.
    ``told`` is told of each segment.

    Raises:
        PruningError: it is no ledger, or the disk refuses.
    """
    dropped: list[Dropped] = []
    try:
        with closing(_connected(path)) as connection:
            while True:
                begun = time.monotonic()
                connection.execute("BEGIN" if dry else "BEGIN IMMEDIATE")
                try:
                    segment = _next(connection, before, len(dropped) if dry else 0, ships=ships)
                    if isinstance(segment, Dropped) and not dry:
                        _drop(connection, segment)
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
                if isinstance(segment, str):
                    break
                dropped.append(segment)
                if not dry:
                    _wait_as_long(begun)
                if told is not None:
                    told(segment)
            if not dry:
                _forget(connection)
    except sqlite3.Error as error:
        raise PruningError(f"{path}: {error}") from error
    return Pruning(tuple(dropped), segment)


def _next(connection: sqlite3.Connection, before: int, offset: int, *, ships: bool) -> Dropped | str:
    """The oldest segment that is left, if it may go; otherwise why not."""
    row = connection.execute(_NEXT, (offset,)).fetchone()
    if row is None:
        return "there is no segment left"
    number, first, begun, sealed, following = row
    if not sealed or following is None:
        return f"segment {number} is still being written"
    last = following - 1
    newest, entries = connection.execute(_NEWEST, (first, last)).fetchone()
    marks = dict(connection.execute(_MARKS).fetchall())
    # When a segment began is not signed, and when its entries were written is: neither may be too late.
    if max(begun, newest) >= before:
        return f"segment {number} has records that are younger"
    if last > marks["settled"]:
        return f"segment {number} has streams that were still open when the last checkpoint was signed"
    # Who shipped once may do so again: what the other side lacks stays, whatever the configuration says now.
    if (ships or marks["shipped"]) and last > marks["shipped"]:
        return f"segment {number} has records that have not been shipped"
    return Dropped(number, entries, first, last, newest)


def _drop(connection: sqlite3.Connection, segment: Dropped) -> None:
    # The tables let entries go only below the mark.
    connection.execute(_KEEP, (segment.last + 1,))
    connection.execute(_DROP, (segment.first, segment.last))
    connection.execute(_DROPPED, (segment.number,))


def _forget(connection: sqlite3.Connection) -> None:
    """Remove what the index still says of entries that are gone."""
    kept = dict(connection.execute(_MARKS).fetchall())["kept"]
    at = (-(2**63), -(2**63))
    while rows := connection.execute(_LEFT, (*at, kept, _BATCH)).fetchall():
        begun = time.monotonic()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_FORGET, rows)
        connection.execute("COMMIT")
        _wait_as_long(begun)
        at = rows[-1]


def _wait_as_long(begun: float) -> None:
    """Leave the file to others for as long as they have been kept from it: SQLite gives nobody his turn."""
    time.sleep(min(_PATIENCE, time.monotonic() - begun))


def _connected(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise PruningError(f"{path}: there is no such file")
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_PATIENCE, isolation_level=None
    )
    try:
        version = connection.execute("SELECT max(version) FROM schema").fetchone()[0]
        if version != VERSION:
            raise PruningError(f"{path}: a ledger of version {version}; this program prunes version {VERSION}")
        connection.execute("PRAGMA recursive_triggers = ON")
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection
