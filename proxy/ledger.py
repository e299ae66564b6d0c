"""Records on disk: a local SQLite file that only ever grows.

Law: a future that `append` returned is resolved when its entry is committed, and not before; entries lie in the file in
the order in which they were appended; an entry that lies in the file is never changed here and never removed.

One thread writes. It takes whatever waits, commits it as one transaction and wakes all who wait with one call into the
event loop, so that a hundred exchanges share the price of one fsync. A whole batch is one statement, which is its own
transaction: the sqlite3 module drops and retakes the interpreter lock at every step, and beside a busy event loop each
retaking may cost a switch interval (5 ms). Row by row, a batch would pay that for each of its rows. Behind a batch of
several entries the thread rests for some times as long as it took, 10 ms at most, so that the next one is larger; who
comes alone does not wait.
"""

import asyncio
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple

from proxy.ledger_database import Database, LedgerError, Synchronous, hold
from proxy.ledger_tail import Pace, Row, row
from proxy.notary import Notary
from proxy.record.exchange import Record, RecordError, decode
from proxy.record.schema import BATCH, COUNT, FIND, RECENT

__all__ = ["Ledger", "LedgerError", "Synchronous"]

_REST: Final = 5  # times as long as a commit took
_MOST_REST: Final = 0.01  # seconds

log = logging.getLogger("countermark")


class _Entry(NamedTuple):
    row: Row
    written: asyncio.Future[None]


class Ledger:
    """The ledger of one process. `append` belongs to an event loop; everything else blocks and may be called anywhere.

    `Ledger.open` makes one; `close` must end it.
    """

    def __init__(self, database: Database, notary: Notary, max_pending: int, pace: Pace) -> None:
        self._path = path = database.path
        self._database = database
        self._max_pending = max_pending
        self._failing = ""
        self._in_vain = False  # whether the disk refused the last time
        self._queue: SimpleQueue[_Entry | None] = SimpleQueue()
        self._closed = False
        self._closing = threading.Lock()
        self._lock = hold(path)
        try:
            prepared, self._tail = database.prepare(notary, pace)
            self._connection: sqlite3.Connection | None = prepared
        except BaseException:
            os.close(self._lock)
            raise
        self._writer = threading.Thread(target=self._write, name="ledger", daemon=True)
        self._writer.start()

    @classmethod
    def open(
        cls,
        path: Path,
        notary: Notary,
        *,
        synchronous: Synchronous = "full",
        max_pending: int = 10_000,
        busy_seconds: float = 5.0,
        checkpoint_seconds: float = 10.0,
        segment_entries: int = 65_536,
        segment_seconds: float = 86_400.0,
    ) -> "Ledger":
        """The ledger at `path`: made (mode 0600) or brought to the present schema, and held alone until `close`.

        A stream that an earlier process opened and never closed gets an `interrupted` entry.

        At most `max_pending` entries wait for the disk. Where another program (a backup, say) holds the file, a batch
        waits `busy_seconds` for it and then fails; those behind it wait a tenth of that, until one succeeds.

        What is new is signed `checkpoint_seconds` after it came; a segment (see record/segment.py) ends when another
        batch would be more than `segment_entries`, or after `segment_seconds`.

        Raises:
            LedgerError: another process has it, a newer program made it, it is something else, the disk refuses.
        """
        pace = Pace(checkpoint_seconds, segment_entries, segment_seconds)
        return cls(Database(path, synchronous, busy_seconds), notary, max_pending, pace)

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return self._path

    @property
    def writer(self) -> str:
        """The 32 hex digits that name this file among others."""
        return self._tail.writer

    @property
    def failing(self) -> str:
        """What the disk last said, as long as it refuses; empty while it does not."""
        return self._failing

    @property
    def pending(self) -> int:
        """How many entries wait for the disk."""
        return self._queue.qsize()

    def append(self, record: Record) -> asyncio.Future[None]:
        """Queue one entry; the future is done when it is on disk. Call it on the event loop.

        Entries are written in the order of the calls. A caller that gives up waiting changes nothing: the entry is
        written all the same.

        Errors: the future fails with LedgerError when the record cannot be encoded, too many entries wait, the disk
        refuses, or the ledger is closed. After a refusal the next entry is tried afresh.
        """
        written = asyncio.get_running_loop().create_future()
        try:
            line = row(record)
        except RecordError as error:
            written.set_exception(LedgerError(str(error)))
            return written
        with self._closing:
            if self._closed:
                written.set_exception(LedgerError(f"{self._path}: the ledger is closed"))
            elif self._queue.qsize() >= self._max_pending:
                written.set_exception(
                    LedgerError(f"{self._path}: {self._max_pending} entries wait for the disk already")
                )
            else:
                self._queue.put(_Entry(line, written))
        return written

    def find(self, id: str) -> list[Record]:
        """Every entry of one exchange, in the order in which they were appended; empty if there is none.

        Raises:
            LedgerError: the disk refuses, or an entry is damaged.
        """
        return self._read(FIND, id)

    def recent(self, n: int) -> list[Record]:
        """The last `n` entries, the newest first. Raises LedgerError as `find` does."""
        return self._read(RECENT, n)

    def count(self) -> int:
        """How many entries there are. Raises LedgerError when the disk refuses."""
        with self._database.reading() as connection:
            return int(connection.execute(COUNT).fetchone()[0])

    def close(self) -> None:
        """Write what still waits, then let go of the file. A second call does nothing."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._writer.join()
        self._disconnect()
        os.close(self._lock)

    # The writer's thread.

    def _write(self) -> None:
        while (batch := self._take()) is not None:
            if batch:
                self._commit(batch)
            self._tend()
        self._tend(last=True)

    def _commit(self, batch: Sequence[_Entry]) -> None:
        error, since = "", time.monotonic()
        try:
            self._tail.append(self._connected(), [entry.row for entry in batch])
        except Exception as problem:  # noqa: BLE001 - whatever it was, somebody waits to hear of it
            error = f"{self._path}: {problem}"
            # A fresh connection reads the file again and believes nothing that this one remembers.
            self._disconnect()
        if self._in_vain and not error:
            self._disconnect()  # the next connection has patience again
        self._failing, self._in_vain = error, bool(error)
        for loop, entries in groupby(batch, lambda entry: entry.written.get_loop()):
            try:
                loop.call_soon_threadsafe(_settle, tuple(entries), error)
            except RuntimeError:  # the loop is closed: nobody waits any more
                pass
        if len(batch) > 1:  # where many come at a time, more of them share the next commit
            time.sleep(min(_MOST_REST, _REST * (time.monotonic() - since)))

    def _tend(self, *, last: bool = False) -> None:
        """Sign what is new, where that is due."""
        if not last and self._tail.patience != 0.0:
            return
        try:
            self._tail.tend(self._connected(), last=last)
        except Exception as problem:  # noqa: BLE001 - it is due again in a while, and entries go on meanwhile
            log.error("%s: no checkpoint could be written: %s", self._path, problem)
            self._tail.put_off()
            self._in_vain = True
            self._disconnect()

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = self._database.connect(again=self._in_vain)
            try:
                self._tail.catch_up(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _take(self) -> list[_Entry] | None:
        """What waits now, BATCH entries at most; none where something else is due, None when the ledger closes."""
        batch: list[_Entry] = []
        try:
            entry = self._queue.get(timeout=self._tail.patience)
            while entry is not None:
                batch.append(entry)
                if len(batch) == BATCH:
                    return batch
                entry = self._queue.get_nowait()
        except Empty:
            return batch
        if not batch:
            return None
        self._queue.put(None)  # the closing mark is the last thing in the queue, and is met again next time
        return batch

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except sqlite3.Error:  # what is committed is in the log beside the file and is found at the next opening
                pass

    def _read(self, question: str, value: str | int) -> list[Record]:
        with self._database.reading() as connection:
            return [decode(body) for (body,) in connection.execute(question, (value,))]


def _settle(entries: Sequence[_Entry], error: str) -> None:
    """Runs in the event loop. A waiter that was cancelled meanwhile is done already."""
    for _, written in entries:
        if written.done():
            continue
        if error:
            written.set_exception(LedgerError(error))
        else:
            written.set_result(None)
