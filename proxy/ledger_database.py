"""The ledger's file: whose it is, which schema it has, and who may write.

Law: nothing is written into a file that is not a ledger of a version that we know, and one process alone writes. What a
process that died left open is closed before anything else is appended.

`synchronous="full"` survives a power cut; "normal" survives only the death of the process, and costs no fsync.
"""

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from proxy.record.exchange import Record, RecordError, decode, encode
from proxy.record.outcome import Outcome, State
from proxy.record.schema import (
    BATCH,
    CONNECTION,
    MIGRATED,
    MIGRATIONS,
    NEVER_CLOSED,
    TABLES,
    VERSION,
    insertion,
)

__all__ = ["Database", "LedgerError", "Row", "Synchronous", "hold", "insert", "row"]

Synchronous = Literal["full", "normal"]

Row = tuple[str, str, int, bytes]


class LedgerError(Exception):
    """The ledger cannot be opened, or this record is not known to be on disk."""


@dataclass(frozen=True, slots=True)
class Database:
    """Where a ledger lies, and how it is written: ``busy_seconds`` is how long to wait for another program's lock."""

    path: Path
    synchronous: Synchronous
    busy_seconds: float

    def prepare(self) -> sqlite3.Connection:
        """The first connection: the file made (mode 0600) or brought to the present schema, open streams closed.

        Raises:
            LedgerError: a newer program made it, it is something else, the disk refuses.
        """
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            connection = self.connect()
            try:
                _migrate(connection)
                _interrupt(connection, time.time_ns())
            except BaseException:
                connection.close()
                raise
        except OSError as error:
            raise LedgerError(f"{self.path}: {error.strerror}") from error
        except (sqlite3.Error, RecordError) as error:
            raise LedgerError(f"{self.path}: {error}") from error
        return connection

    def connect(self) -> sqlite3.Connection:
        """A connection that writes. LedgerError as for `prepare`; sqlite3.Error where the disk refuses."""
        # `mode=rw`: a file that was moved away from under us is an error, not an empty ledger.
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=self.busy_seconds,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=BATCH + 16,
        )
        try:
            # First of all, for the next line already writes into the file, and it may be somebody else's.
            if fault := _stranger(connection):
                raise LedgerError(f"{self.path}: {fault}")
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            if mode != "wal":
                raise LedgerError(f"{self.path}: the file system cannot carry a write-ahead log (got {mode!r})")
            connection.execute(f"PRAGMA synchronous = {self.synchronous}")
            for statement in CONNECTION:
                connection.execute(statement)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for one question: any thread may ask, and none waits for the writer. LedgerError."""
        try:
            address = f"{self.path.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(address, uri=True, timeout=self.busy_seconds)) as connection:
                yield connection
        except (sqlite3.Error, RecordError) as error:
            raise LedgerError(f"{self.path}: {error}") from error


def hold(path: Path) -> int:
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
    rows = [row(_interrupted(decode(body), now)) for (body,) in connection.execute(NEVER_CLOSED)]
    for start in range(0, len(rows), BATCH):
        insert(connection, rows[start : start + BATCH])


def _interrupted(opened: Record, now: int) -> Record:
    return replace(
        opened,
        state=State.INTERRUPTED,
        outcome=Outcome.INTERRUPTED,
        at=now,
        reason="the process ended before the stream was closed",
    )


def row(record: Record) -> Row:
    """An entry as it lies in the file. RecordError where it cannot be written down."""
    return record.id, str(record.state), record.at, encode(record)


def insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Append up to BATCH entries, all or none. sqlite3.Error where the disk refuses."""
    connection.execute(insertion(len(rows)), [value for one in rows for value in one])
