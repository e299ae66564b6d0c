"""The end of the ledger's file: the segment that grows, and what is signed about it.

Law: the tree that is signed is the tree of what lies in the file, entry by entry. What was signed once is never signed
otherwise: a segment whose entries no longer are what its checkpoint says is ended as it is, for an audit to find, and
another begins. So is one in which an entry lies behind the checkpoint that was not written there by whoever has the
secret: nothing is signed that somebody else has put into the file.

What `append` has not seen committed does not count: after a failure the file itself is asked (`catch_up`).
"""

import logging
import sqlite3
import time
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from proxy.notary import Notary, NoteError, verified
from proxy.record.checkpoint import Checkpoint
from proxy.record.exchange import Record, encode
from proxy.record.outcome import State
from proxy.record.schema import LAST, LEAVES, NOTED, OPENED, SEALED, SEGMENTS, SET, UNSETTLED, insertion, setting
from proxy.record.segment import Segment, place
from proxy.record.terms import terms

__all__ = ["Pace", "Row", "Tail", "row"]

log = logging.getLogger("countermark")


class Row(NamedTuple):
    """An entry before it has a place: what its columns say, and its terms as JSON."""

    id: str
    state: str
    at: int
    body: bytes
    terms: bytes


class Pace(NamedTuple):
    """When checkpoints are signed and segments end: so many ``checkpoint_seconds`` after the last one, when anything is
    new; after so many ``segment_entries`` or ``segment_seconds``."""

    checkpoint_seconds: float = 10.0
    segment_entries: int = 65_536
    segment_seconds: float = 86_400.0


def row(record: Record) -> Row:
    """An entry as it will lie in the file. RecordError where it cannot be written down."""
    return Row(record.id, str(record.state), record.at, encode(record), orjson.dumps(terms(record)))


class Tail:
    """What the one who writes knows of the file's end. Methods take the connection that is in use now; sqlite3.Error
    where the disk refuses."""

    def __init__(self, connection: sqlite3.Connection, notary: Notary, pace: Pace) -> None:
        self._notary = notary
        self._pace = pace
        self._signed = 0  # leaves under the latest checkpoint
        self._looked = time.monotonic()
        self._open: dict[str, int] = {}  # streams that are not closed yet, with the number of their first entry
        self.writer: str = connection.execute(setting("writer")).fetchone()[0]
        self._segment = self._load(connection)
        for seq, id, state in connection.execute(UNSETTLED):
            if seq < self._segment.next:
                self._follow_stream(seq, id, state)
        self._take_in_all(connection)

    def append(self, connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
        """Append up to BATCH entries, all or none."""
        if self._segment.entries and self._segment.entries + len(rows) > self._pace.segment_entries:
            self._sign(connection, sealed=True)
        segment = self._segment
        places = zip(segment.places(len(rows)), rows, strict=True)
        salts = [self._notary.salt(place, one.body) for place, one in places]
        values: list[object] = []
        for seq, (salt, one) in enumerate(zip(salts, rows, strict=True), segment.next):
            values += (seq, one.id, one.state, one.at, salt, one.body, one.terms.decode())
        connection.execute(insertion(len(rows)), values)
        for seq, one in enumerate(rows, segment.next):
            if one.state != State.WHOLE:
                self._follow_stream(seq, one.id, one.state)
        segment.add([(salt, one.body) for salt, one in zip(salts, rows, strict=True)])

    def catch_up(self, connection: sqlite3.Connection) -> None:
        """Take in what lies in the file and was not seen to be committed."""
        if connection.execute(SEGMENTS).fetchone()[0] != self._segment.number:
            self._segment = self._load(connection)  # another has begun, and its transaction was thought to have failed
        self._take_in_all(connection)

    def _take_in_all(self, connection: sqlite3.Connection) -> None:
        """Take in what lies behind the tree's end, unless somebody else has put it there."""
        segment = self._segment
        strange: list[int] = []
        for seq, salt, body, id, state in connection.execute(LEAVES, (segment.next,)):
            if not self._notary.holds(place(self.writer, segment.number, seq - segment.first + 1), body, salt):
                strange.append(seq)
            elif strange or seq != segment.next:  # its place in the tree is taken, or not reached
                strange.append(seq)
                self._follow_stream(seq, id, state)
            else:
                self._take_in(salt, body, id, state)
        if strange:
            told = "segment %d of the ledger is ended before entry %d, which was not written there by this program"
            log.error(f"{told} (countermark ledger verify)", segment.number, strange[0])
            self._sign(connection, sealed=True, behind=strange[-1])

    def _take_in(self, salt: bytes, body: bytes, id: str, state: str) -> None:
        self._follow_stream(self._segment.next, id, state)
        self._segment.add(((salt, body),))

    def _follow_stream(self, seq: int, id: str, state: str) -> None:
        if state == State.OPENED:
            self._open[id] = seq
        elif state != State.FINGERPRINTED:
            self._open.pop(id, None)

    @property
    def open(self) -> tuple[int, ...]:
        """The first entries of streams that are not closed yet, by their numbers in the file."""
        return (*self._open.values(),)

    @property
    def patience(self) -> float | None:
        """Seconds until ``tend`` has something to do, 0.0 where it is due, None where only another entry brings that
        about."""
        segment = self._segment
        if not segment.entries:
            return None
        since = time.monotonic() - self._looked
        due = self._pace.segment_seconds - self._age if segment.size == self._signed else 0.0
        return max(0.0, due, self._pace.checkpoint_seconds - since)

    def put_off(self) -> None:
        """What is due could not be done: it is due again after ``checkpoint_seconds``."""
        self._looked = time.monotonic()

    def tend(self, connection: sqlite3.Connection, *, last: bool = False) -> None:
        """Sign what is new and end the segment, where one or the other is due. ``last``: now, whatever the time."""
        segment = self._segment
        if not segment.entries or not (last or time.monotonic() - self._looked >= self._pace.checkpoint_seconds):
            return
        sealed = self._age >= self._pace.segment_seconds
        if sealed or segment.size != self._signed:
            self._sign(connection, sealed=sealed)

    @property
    def _age(self) -> float:
        """Seconds since the segment began, by the clock on the wall. One that was set back by more than a segment lasts
        ends it as well: what began in the future would else be kept until then."""
        return abs(time.time_ns() - self._segment.begun) / 1e9

    def _sign(self, connection: sqlite3.Connection, *, sealed: bool, behind: int = 0) -> None:
        """Sign the segment as it is; ``sealed``: and end it. The next one begins ``behind`` an entry that it lacks."""
        segment = self._segment
        self._looked = time.monotonic()
        note = self._notary.sign(segment.checkpoint().text(), segment.origin)
        settled = min(self._open.values(), default=segment.next) - 1
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute(NOTED, (segment.size, note, segment.number))
            connection.execute(SET, (settled, "settled"))
            if sealed:
                self._follow(connection, max(segment.next, behind + 1), note)
            connection.execute("COMMIT")
        except BaseException:
            self._segment = segment
            if connection.in_transaction:  # SQLite itself may have ended it
                connection.execute("ROLLBACK")
            raise
        self._signed = 0 if sealed else segment.size

    def _follow(self, connection: sqlite3.Connection, first: int, note: str) -> None:
        """Another segment begins, behind the note that ended this one."""
        former, now = self._segment, time.time_ns()
        connection.execute(SEALED, (former.number,))
        connection.execute(OPENED, (former.number + 1, first, now))
        self._segment = Segment(self.writer, former.number + 1, first, now, note)

    def _load(self, connection: sqlite3.Connection) -> Segment:
        """The segment that grows, from the file; another one where it is not what its checkpoint says."""
        (number, first, begun, size, note), *former = connection.execute(SEGMENTS).fetchall()
        self._segment = segment = Segment(self.writer, number, first, begun, former[0][4] if former else "")
        signed: Checkpoint | None = None
        for _, salt, body, _, _ in connection.execute(LEAVES, (first,)) if size > 1 else ():
            segment.add(((salt, body),))
            if segment.size == size:
                signed = segment.checkpoint()
                break
        if note and (fault := self._fault(note, signed)):
            log.error("segment %d of the ledger is not what was signed (countermark ledger verify): %s", number, fault)
            connection.execute("BEGIN IMMEDIATE")
            # What is gone keeps its numbers.
            last = connection.execute(LAST).fetchone()[0]
            self._follow(connection, max(last + 1, first + size - 1), note)
            connection.execute("COMMIT")
            return self._segment
        self._signed = size
        return segment

    def _fault(self, note: str, found: Checkpoint | None) -> str:
        """Why a segment is not what its note says; empty where it is."""
        try:
            said = verified(note, self._notary.all_publics())
        except NoteError as error:
            return str(error)
        if found is None:
            return f"it has fewer entries than the {said.size - 1} that were signed"
        return "" if said == found else "its entries lead to another root"
