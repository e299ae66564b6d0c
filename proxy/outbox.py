"""A ledger's file as an outbox: what lies under a checkpoint and has not arrived elsewhere yet.

Law: entries leave in their order, and a segment's row leaves with the last entry that its checkpoint covers, never
before it. Where entries have arrived only in part, the row that goes with them has no checkpoint yet.

Whoever serves writes this file at the same time. So one statement reads a whole parcel: the sqlite3 module gives the
interpreter away at every row, and beside a busy event loop each return may cost a switch interval (5 ms). The only
thing written is the mark of how far shipping has come, and it waits for no disk: a mark that a power cut undoes is
told by the database that has the entries. Entries themselves are on disk before they leave, however the file is
written: one that a power cut undid would leave its number to another, and the two histories could not be told apart.
"""

import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from proxy.archive import SegmentRow
from proxy.record.exchange import RecordError, decode
from proxy.record.terms import terms

__all__ = ["BYTES", "ENTRIES", "Backlog", "Line", "Outbox", "Parcel", "ShippingError"]

ENTRIES: Final = 500
"""A parcel has so many entries at most: what is done with all of it at once keeps others from the interpreter."""
BYTES: Final = 2 << 20
"""The bodies in a parcel have so many bytes together at most, unless one alone has more."""

_BUSY_SECONDS: Final = 5.0
_AT_A_TIME: Final = 16  # records decoded before others get the interpreter: half a millisecond

_WRITER: Final = "SELECT value FROM ledger WHERE name = 'writer'"
_SHIPPED: Final = "SELECT ifnull((SELECT value FROM ledger WHERE name = 'shipped'), 0)"
_KEPT: Final = "SELECT ifnull((SELECT value FROM ledger WHERE name = 'kept'), 1)"
_MARK: Final = """INSERT INTO ledger (name, value) VALUES ('shipped', ?)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value"""
_LAST: Final = "SELECT ifnull(max(seq), 0) FROM entries"
_SALT: Final = "SELECT salt FROM entries WHERE seq = ?"
_AT: Final = "SELECT at FROM entries WHERE seq > ? ORDER BY seq LIMIT 1"
_SEGMENTS: Final = (
    "SELECT number, first, begun, size, note, sealed, pruned FROM segments"
    " WHERE size > 0 AND number >= ? ORDER BY number"
)
_LAST_OF_PARCEL: Final = """
    SELECT max(seq) FROM (
        SELECT seq, sum(size) OVER (ORDER BY seq) - size AS before
        FROM (SELECT seq, length(body) AS size FROM entries WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?))
    WHERE before < ?"""
_LINES: Final = """
    SELECT json_group_array(
        json_object('seq', seq, 'id', id, 'state', state, 'at', at, 'salt', hex(salt), 'body', hex(body)))
    FROM entries WHERE seq > ? AND seq <= ?"""

Line = dict[str, Any]
"""An entry as the database takes it: the columns by their names, `salt` and `body` in hex, with its `terms`."""


class ShippingError(Exception):
    """Records cannot be shipped: a sentence that says where, and what is wrong. It never quotes a password."""


class Parcel(NamedTuple):
    """What arrives together or not at all: entries, the oldest first, and the row of their segment."""

    lines: list[Line]
    segment: SegmentRow


class Backlog(NamedTuple):
    """How many entries have not arrived, and when the oldest of them was made (Unix nanoseconds, 0: there is none)."""

    entries: int
    since: int


class Outbox:
    """The outbox of the ledger at `path`, for one thread.

    ShippingError from every call where the file refuses, or an entry that ought to be there is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._over = 0  # the first segment that has not arrived whole, as far as anybody looked
        try:
            address = f"{path.absolute().as_uri()}?mode=rw"
            self._connection = sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
            try:
                self.writer = str(self._value(_WRITER))
                # The one who serves syncs the log and tidies it up, at times of its own choosing.
                self._connection.execute("PRAGMA wal_autocheckpoint = 0")
                self._connection.execute("PRAGMA synchronous = OFF")
            except BaseException:
                self._connection.close()
                raise
        except sqlite3.Error as error:
            raise ShippingError(f"{path}: {error}") from error

    @property
    def shipped(self) -> int:
        """The `seq` up to which every entry has arrived, as far as the file knows."""
        return int(self._value(_SHIPPED))

    @property
    def kept(self) -> int:
        """The lowest `seq` that was not pruned."""
        return int(self._value(_KEPT))

    @property
    def last(self) -> int:
        """The `seq` of the newest entry, 0 where there is none."""
        return int(self._value(_LAST))

    def salt(self, seq: int) -> bytes | None:
        """What tells this entry from every other, None where there is no such entry (any more)."""
        salt = self._value(_SALT, seq)
        return None if salt is None else bytes(salt)

    def backlog(self) -> Backlog:
        """What has not arrived, whether it lies under a checkpoint or not."""
        shipped = max(self.shipped, self.kept - 1)
        return Backlog(max(0, self.last - shipped), int(self._value(_AT, shipped) or 0))

    def mark(self, seq: int) -> None:
        """Every entry up to this one has arrived."""
        self._value(_MARK, seq)

    def parcels(self, after: int, arrived: Mapping[int, tuple[int, bool]]) -> Iterator[Parcel]:
        """All that lies under a checkpoint now and has not arrived, in order.

        `after` is the `seq` of the last entry that has; `arrived` tells the size and the seal that each segment's row
        had when it did, by its number. A segment that was pruned here before it had arrived whole is pruned there too;
        where entries are missing that never were, what there is leaves all the same: an audit of either copy names
        them.
        """
        # Their rows stay in the file for ever.
        while arrived.get(self._over, (0, False))[1]:
            self._over += 1
        rows = self._rows(_SEGMENTS, self._over)
        grown = [row for row in rows if (row[3], bool(row[5])) > arrived.get(row[0], (0, False))]
        if grown:
            self._sync()
        for number, first, begun, size, note, sealed, pruned in grown:
            last = first + size - 2  # leaf 0 is the former segment's last checkpoint
            lost = bool(pruned) and after < last
            segment = SegmentRow(self.writer, number, first, begun, size, note, bool(sealed), lost)
            while after < last and not lost and (lines := self._lines(after, last)):
                after = lines[-1]["seq"]
                if after == last:
                    yield Parcel(lines, segment)
                    break
                yield Parcel(lines, segment._replace(size=0, note="", sealed=False))
            else:
                after = max(after, last)
                yield Parcel([], segment)

    def close(self) -> None:
        """Let go of the file. Who closes last brings its log into it, and removes that: only what is on disk may go."""
        try:
            self._rows("PRAGMA synchronous = FULL")
        finally:
            self._connection.close()

    def _sync(self) -> None:
        """Whatever was read is on disk: what the log no longer holds was synced into the file before it was removed."""
        try:
            log = os.open(f"{self.path}-wal", os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fdatasync(log)
            finally:
                os.close(log)
        except FileNotFoundError:
            return
        except OSError as error:
            raise ShippingError(f"{self.path}-wal: {error.strerror}") from error

    def _lines(self, after: int, last: int) -> list[Line]:
        text = self._value(_LINES, after, self._value(_LAST_OF_PARCEL, after, last, ENTRIES, BYTES))
        try:
            lines: list[Line] = orjson.loads(text)
        except (TypeError, ValueError) as error:
            raise ShippingError(f"{self.path}: an entry after {after} is no text: {error}") from error
        lines.sort(key=lambda line: line["seq"])  # an aggregate promises no order
        if (not lines or lines[0]["seq"] != after + 1) and self.kept > after + 1:
            raise ShippingError(f"{self.path}: entry {after + 1} was pruned just before it could be shipped")
        for number, line in enumerate(lines):
            if number % _AT_A_TIME == 0:
                time.sleep(0)
            line["terms"] = _terms(bytes.fromhex(line["body"]))
        return lines

    def _value(self, statement: str, *values: object) -> Any:
        """The first column of the first row, None where there is no row."""
        for row in self._rows(statement, *values):
            return row[0]
        return None

    def _rows(self, statement: str, *values: object) -> list[Any]:
        try:
            # To the last row, so that no snapshot stays open and the log can start over.
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise ShippingError(f"{self.path}: {error}") from error


def _terms(body: bytes) -> tuple[int, ...]:
    try:
        return terms(decode(body))
    except RecordError:
        # What was made of an entry is not for this file to judge: it leaves as it is, and `verify` names it.
        return ()
