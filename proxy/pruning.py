"""Removing the oldest records of a ledger's file, once they need not be kept any longer.

Law: whole segments go, the oldest first, and nothing goes that is too young, that is not sealed, that has a stream
still open, or that was to be shipped and is not. The checkpoint of a segment stays for ever, so that an audit of what
is left holds.

A segment goes at once: it is marked, and the mark `kept` is raised above it. What lies below that mark is on its way
out and nothing wrong. Then its entries are removed, and after them what the index says of them, a few at a time: a
process that goes on appending, with answers that wait for it, waits for some `SLICE` seconds and for nothing else.
Where that was broken off, the next pruning goes on with it.
"""

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["Dropped", "Pruning", "PruningError", "prune"]

VERSION: Final = 2
SLICE: Final = 0.02
"""Seconds that a transaction should take."""

_FEWEST: Final = 16  # rows in a transaction, however slow the disk
_MOST: Final = 4_096
_PATIENCE: Final = 10.0  # seconds to wait for another program's lock

_NEXT: Final = """
    SELECT number, first, begun, size, sealed FROM segments WHERE NOT pruned ORDER BY number LIMIT 2 OFFSET ?"""
_NEWEST: Final = "SELECT ifnull(max(at), 0), count(*) FROM entries WHERE seq BETWEEN ? AND ?"
_MARKS: Final = "SELECT name, value FROM ledger WHERE name IN ('settled', 'shipped')"
_KEEP: Final = "UPDATE ledger SET value = max(value, ?) WHERE name = 'kept'"
_DROPPED: Final = "UPDATE segments SET pruned = 1 WHERE number = ?"
# Not the mark, which may be anything where somebody has been at it.
_KEPT: Final = "SELECT min(first) FROM segments WHERE NOT pruned"
_LOWEST: Final = (
    "SELECT seq FROM entries WHERE seq >= (SELECT min(first) FROM segments) AND seq < ? ORDER BY seq LIMIT ?"
)
_DROP: Final = "DELETE FROM entries WHERE seq BETWEEN ? AND ?"
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
            if not dry:
                _remove(connection)
            while isinstance(segment := _next(connection, before, len(dropped) if dry else 0, ships=ships), Dropped):
                dropped.append(segment)
                if not dry:
                    _drop(connection, segment)
                    _remove(connection)
                if told is not None:
                    told(segment)
            if not dry:
                _forget(connection)
    except sqlite3.Error as error:
        raise PruningError(f"{path}: {error}") from error
    return Pruning(tuple(dropped), segment)


def _next(connection: sqlite3.Connection, before: int, offset: int, *, ships: bool) -> Dropped | str:
    """The oldest segment that is left, if it may go; otherwise why not."""
    rows = connection.execute(_NEXT, (offset,)).fetchall()
    if not rows:
        return "there is no segment left"
    number, first, begun, _, sealed = rows[0]
    if not sealed or len(rows) < 2:
        return f"segment {number} is still being written"
    _, following, ended, signed, _ = rows[1]
    if not signed:
        return f"nothing is signed behind segment {number} yet, which would tell when it ended"
    last = following - 1
    newest, entries = connection.execute(_NEWEST, (first, last)).fetchone()
    marks = {"settled": 0, "shipped": 0, **dict(connection.execute(_MARKS).fetchall())}
    # That a segment ended in time is what an audit can still tell when its entries are gone: its end is the beginning
    # of the one that follows, and is signed with that one's entries.
    if max(begun, newest, ended) >= before:
        return f"segment {number} has records that are younger"
    if last > marks["settled"]:
        return f"segment {number} has streams that were still open when the last checkpoint was signed"
    # Who shipped once may do so again: what the other side lacks stays, whatever the configuration says now.
    if (ships or marks["shipped"]) and last > marks["shipped"]:
        return f"segment {number} has records that have not been shipped"
    return Dropped(number, entries, first, last, newest)


def _drop(connection: sqlite3.Connection, segment: Dropped) -> None:
    """Mark a segment as one that is gone; the tables let entries go only below the mark."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(_KEEP, (segment.last + 1,))
        connection.execute(_DROPPED, (segment.number,))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _remove(connection: sqlite3.Connection) -> None:
    """Remove the entries of segments that are marked."""
    (kept,), most = connection.execute(_KEPT).fetchone(), _FEWEST
    while rows := connection.execute(_LOWEST, (kept, most)).fetchall():
        most = _resized(most, _slice(connection, _DROP, [(rows[0][0], rows[-1][0])]))


def _forget(connection: sqlite3.Connection) -> None:
    """Remove what the index still says of entries that are gone."""
    (kept,), most = connection.execute(_KEPT).fetchone(), _FEWEST
    at = -(2**63), -(2**63)
    while rows := connection.execute(_LEFT, (*at, kept, most)).fetchall():
        most = _resized(most, _slice(connection, _FORGET, rows))
        at = rows[-1]


def _slice(connection: sqlite3.Connection, statement: str, values: Sequence[tuple[int, int]]) -> float:
    """Do this in a transaction, then leave the file to others for as long as they have been kept from it, for SQLite
    gives nobody his turn. How many seconds it took."""
    connection.execute("BEGIN IMMEDIATE")
    begun = time.monotonic()
    try:
        connection.executemany(statement, values)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    took = time.monotonic() - begun
    time.sleep(min(_PATIENCE, took))
    return took


def _resized(rows: int, took: float) -> int:
    """How many rows the next transaction should have, after one of so many took so many seconds."""
    if took > SLICE:
        return max(_FEWEST, rows // 2)
    return min(_MOST, rows * 2) if took < SLICE / 4 else rows


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
