"""Records on disk: a local SQLite file that only ever grows.

Law: a future that `append` returned is resolved when its entry is committed, and not before; entries lie in the file in
the order in which they were appended; an entry that lies in the file is never changed and never removed.

One thread writes. It takes whatever waits, commits it as one transaction and wakes all who wait with one call into the
event loop, so that a hundred exchanges share the price of one fsync. A whole batch is one statement, which is its own
transaction: the sqlite3 module drops and retakes the interpreter lock at every step, and beside a busy event loop each
retaking may cost a switch interval (5 ms). Row by row, a batch would pay that for each of its rows.
"""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NamedTuple

from proxy.ledger_database import Database, LedgerError, Row, Synchronous, hold, insert, row
from proxy.record.exchange import Record, RecordError, decode
from proxy.record.schema import BATCH, COUNT, FIND, RECENT

__all__ = ["Ledger", "LedgerError", "Synchronous"]


class _Entry(NamedTuple):
    row: Row
    written: asyncio.Future[None]


class Ledger:
    """The ledger of one process. `append` belongs to an event loop; everything else blocks and may be called anywhere.

    `Ledger.open` makes one; `close` must end it.
    """

    def __init__(self, path: Path, synchronous: Synchronous, max_pending: int, busy_seconds: float) -> None:
        self._path = path
        self._database = Database(path, synchronous, busy_seconds)
        self._max_pending = max_pending
        self._queue: SimpleQueue[_Entry | None] = SimpleQueue()
        self._closed = False
        self._closing = threading.Lock()
        self._lock = hold(path)
        try:
            self._connection: sqlite3.Connection | None = self._database.prepare()
        except BaseException:
            os.close(self._lock)
            raise
        self._writer = threading.Thread(target=self._write, name="ledger", daemon=True)
        self._writer.start()

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        synchronous: Synchronous = "full",
        max_pending: int = 10_000,
        busy_seconds: float = 5.0,
    ) -> "Ledger":
        """The ledger at `path`: made (mode 0600) or brought to the present schema, and held alone until `close`.

        A stream that an earlier process opened and never closed gets an `interrupted` entry.

        At most `max_pending` entries wait for the disk. Where another program (a backup, say) holds the file, a batch
        waits `busy_seconds` for it and then fails.

        Raises:
            LedgerError: another process has it, a newer program made it, it is something else, the disk refuses.
        """
        return cls(path, synchronous, max_pending, busy_seconds)

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
        while batch := self._take():
            error = ""
            try:
                if self._connection is None:
                    self._connection = self._database.connect()
                insert(self._connection, [entry.row for entry in batch])
            except Exception as problem:  # noqa: BLE001 - whatever it was, somebody waits to hear of it
                error = f"{self._path}: {problem}"
                # A fresh connection reads the file again and believes nothing that this one remembers.
                self._disconnect()
            for loop, entries in groupby(batch, lambda entry: entry.written.get_loop()):
                try:
                    loop.call_soon_threadsafe(_settle, tuple(entries), error)
                except RuntimeError:  # the loop is closed: nobody waits any more
                    pass

    def _take(self) -> list[_Entry]:
        """What waits now, at least one entry and at most BATCH; empty when the ledger closes."""
        batch: list[_Entry] = []
        entry = self._queue.get()
        try:
            while entry is not None:
                batch.append(entry)
                if len(batch) == BATCH:
                    return batch
                entry = self._queue.get_nowait()
            if batch:
                self._queue.put(None)  # the closing mark is the last thing in the queue, and is met again next time
        except Empty:
            pass
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
