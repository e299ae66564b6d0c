"""Records on disk: a local SQLite file that only ever grows.

Law: a future that `append` returned is resolved when its entry is committed, and not before; entries lie in the file in
the order in which they were appended; an entry that lies in the file is never changed and never removed.

One thread writes. It takes whatever waits, commits it as one transaction and wakes all who wait with one call into the
event loop, so that a hundred exchanges share the price of one fsync. A whole batch is one statement, which is its own
transaction: the sqlite3 module drops and retakes the interpreter lock at every step, and beside a busy event loop each
retaking may cost a switch interval (5 ms). Row by row, a batch would pay that for each of its rows.

`synchronous="full"` survives a power cut; "normal" survives only the death of the process, and costs no fsync.
"""

import asyncio
import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Literal, NamedTuple

from proxy.record.exchange import Record, RecordError, decode, encode
from proxy.record.outcome import Outcome, State
from proxy.record.schema import (
    BATCH,
    CONNECTION,
    COUNT,
    FIND,
    MIGRATED,
    MIGRATIONS,
    NEVER_CLOSED,
    RECENT,
    TABLES,
    VERSION,
    insertion,
)

__all__ = ["Ledger", "LedgerError", "Synchronous"]

Synchronous = Literal["full", "normal"]

_Row = tuple[str, str, int, bytes]


class LedgerError(Exception):
    """The ledger cannot be opened, or this record is not known to be on disk."""


class _Entry(NamedTuple):
    row: _Row
    written: asyncio.Future[None]


class Ledger:
    """The ledger of one process. `append` belongs to an event loop; everything else blocks and may be called anywhere.

    `Ledger.open` makes one; `close` must end it.
    """

    def __init__(self, path: Path, synchronous: Synchronous, max_pending: int, busy_seconds: float) -> None:
        self._path = path
        self._synchronous = synchronous
        self._max_pending = max_pending
        self._busy_seconds = busy_seconds
        self._queue: SimpleQueue[_Entry | None] = SimpleQueue()
        self._closed = False
        self._closing = threading.Lock()
        self._lock = _lock(path)
        try:
            self._connection: sqlite3.Connection | None = self._prepare()
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
            row = _row(record)
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
                self._queue.put(_Entry(row, written))
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
        with self._reading() as connection:
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
                    self._connection = self._connect()
                _insert(self._connection, [entry.row for entry in batch])
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

    # Connections.

    def _prepare(self) -> sqlite3.Connection:
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            connection = self._connect()
            try:
                _migrate(connection)
                _interrupt(connection, time.time_ns())
            except BaseException:
                connection.close()
                raise
        except OSError as error:
            raise LedgerError(f"{self._path}: {error.strerror}") from error
        except (sqlite3.Error, RecordError) as error:
            raise LedgerError(f"{self._path}: {error}") from error
        return connection

    def _connect(self) -> sqlite3.Connection:
        # `mode=rw`: a file that was moved away from under us is an error, not an empty ledger.
        connection = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=self._busy_seconds,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=BATCH + 16,
        )
        try:
            # First of all, for the next line already writes into the file, and it may be somebody else's.
            if fault := _stranger(connection):
                raise LedgerError(f"{self._path}: {fault}")
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            if mode != "wal":
                raise LedgerError(f"{self._path}: the file system cannot carry a write-ahead log (got {mode!r})")
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            for statement in CONNECTION:
                connection.execute(statement)
        except BaseException:
            connection.close()
            raise
        return connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except sqlite3.Error:  # what is committed is in the log beside the file and is found at the next opening
                pass

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for one question: any thread may ask, and none waits for the writer."""
        try:
            address = f"{self._path.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(address, uri=True, timeout=self._busy_seconds)) as connection:
                yield connection
        except (sqlite3.Error, RecordError) as error:
            raise LedgerError(f"{self._path}: {error}") from error

    def _read(self, question: str, value: str | int) -> list[Record]:
        with self._reading() as connection:
            return [decode(body) for (body,) in connection.execute(question, (value,))]


def _lock(path: Path) -> int:
    """A descriptor that holds the ledger for this process alone; the kernel lets go when the process dies."""
    try:
        lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LedgerError(f"{path}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(lock, 0)
        os.pwrite(lock, b"%d\n" % os.getpid(), 0)
    except BlockingIOError as error:
        holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        raise LedgerError(f"{path}: in use by another process (id {holder})") from error
    except OSError as error:
        os.close(lock)
        raise LedgerError(f"{path}: {error.strerror}") from error
    return lock


def _stranger(connection: sqlite3.Connection) -> str:
    """Why this database is not one to write to; empty if it is one of ours, or holds nothing yet."""
    tables = {name for (name,) in connection.execute(TABLES)}
    if not tables:
        return ""
    if not {"schema", "entries"} <= tables:
        return "a database, but not a ledger"
    version = connection.execute(VERSION).fetchone()[0]
    if version > len(MIGRATIONS):
        return f"schema version {version} is from a newer program; this one knows version {len(MIGRATIONS)}"
    return ""


def _migrate(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    version = connection.execute(VERSION).fetchone()[0] if connection.execute(TABLES).fetchone() else 0
    for number, statements in enumerate(MIGRATIONS[version:], version + 1):
        for statement in statements:
            connection.execute(statement)
        connection.execute(MIGRATED, (number, time.time_ns()))
    connection.execute("COMMIT")


def _interrupt(connection: sqlite3.Connection, now: int) -> None:
    """Append what a process that died could not: the end of each stream that it had opened."""
    rows = [_row(_interrupted(decode(body), now)) for (body,) in connection.execute(NEVER_CLOSED)]
    for start in range(0, len(rows), BATCH):
        _insert(connection, rows[start : start + BATCH])


def _interrupted(opened: Record, now: int) -> Record:
    return replace(
        opened,
        state=State.INTERRUPTED,
        outcome=Outcome.INTERRUPTED,
        at=now,
        reason="the process ended before the stream was closed",
    )


def _row(record: Record) -> _Row:
    return record.id, str(record.state), record.at, encode(record)


def _insert(connection: sqlite3.Connection, rows: Sequence[_Row]) -> None:
    connection.execute(insertion(len(rows)), [value for row in rows for value in row])


def _settle(entries: Sequence[_Entry], error: str) -> None:
    """Runs in the event loop. A waiter that was cancelled meanwhile is done already."""
    for _, written in entries:
        if written.done():
            continue
        if error:
            written.set_exception(LedgerError(error))
        else:
            written.set_result(None)
