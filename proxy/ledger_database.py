"""The ledger's file: whose it is, which schema it has, and who may write.

Law: nothing is written into a file that is not a ledger of a version that we know, and one process alone writes. What a
process that died left open is closed before anything else is appended.

`synchronous="full"` survives a power cut; "normal" survives only the death of the process, and costs no fsync.
"""

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import orjson

from proxy.ledger_tail import Pace, Tail, row
from proxy.notary import Notary
from proxy.record.exchange import Record, RecordError, decode
from proxy.record.outcome import Outcome, State
from proxy.record.schema import BATCH, BODY, CONNECTION, MIGRATED, MIGRATIONS, TABLES, VERSION
from proxy.record.segment import place
from proxy.record.terms import terms

__all__ = ["Database", "LedgerError", "Synchronous", "hold"]

Synchronous = Literal["full", "normal"]


class LedgerError(Exception):
    """The ledger cannot be opened, or this record is not known to be on disk."""


@dataclass(frozen=True, slots=True)
class Database:
    """Where a ledger lies, and how it is written: ``busy_seconds`` is how long to wait for another program's lock, and
    a tenth of it where somebody has waited in vain already."""

    path: Path
    synchronous: Synchronous
    busy_seconds: float

    def prepare(self, notary: Notary, pace: Pace) -> tuple[sqlite3.Connection, Tail]:
        """The first connection, and the file's end: the file made (mode 0600) or brought to the present schema, open
        streams closed, all of it signed.

        Raises:
            LedgerError: a newer program made it, it is something else, the disk refuses.
        """
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            connection = self.connect()
            try:
                _migrate(connection, notary)
                tail = Tail(connection, notary, pace)
                tail.tend(connection, last=True)  # a segment that is over takes nothing more
                _interrupt(connection, tail, time.time_ns())
                tail.tend(connection, last=True)
            except BaseException:
                connection.close()
                raise
        except OSError as error:
            raise LedgerError(f"{self.path}: {error.strerror}") from error
        except (sqlite3.Error, RecordError) as error:
            raise LedgerError(f"{self.path}: {error}") from error
        return connection, tail

    def connect(self, *, again: bool = False) -> sqlite3.Connection:
        """A connection that writes; ``again``: after one that could not. LedgerError as for `prepare`; sqlite3.Error
        where the disk refuses."""
        # `mode=rw`: a file that was moved away from under us is an error, not an empty ledger.
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=self.busy_seconds / 10 if again else self.busy_seconds,
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


def _migrate(connection: sqlite3.Connection, notary: Notary) -> None:
    def salted(writer: str, number: int, index: int, body: bytes) -> bytes:
        return notary.salt(place(writer, number, index), body)

    connection.create_function("salted", 4, salted)
    connection.create_function("termed", 1, lambda body: orjson.dumps(terms(decode(body))).decode())
    connection.execute("BEGIN IMMEDIATE")
    version = connection.execute(VERSION).fetchone()[0] if connection.execute(TABLES).fetchone() else 0
    for number, statements in enumerate(MIGRATIONS[version:], version + 1):
        for statement in statements:
            connection.execute(statement)
        connection.execute(MIGRATED, (number, time.time_ns()))
    connection.execute("COMMIT")


def _interrupt(connection: sqlite3.Connection, tail: Tail, now: int) -> None:
    """Append what a process that died could not: the end of each stream that it had opened."""
    bodies = [connection.execute(BODY, (seq,)).fetchone()[0] for seq in tail.open]
    rows = [row(_interrupted(decode(body), now)) for body in bodies]
    for start in range(0, len(rows), BATCH):
        tail.append(connection, rows[start : start + BATCH])


def _interrupted(opened: Record, now: int) -> Record:
    return replace(
        opened,
        state=State.INTERRUPTED,
        outcome=Outcome.INTERRUPTED,
        at=now,
        reason="the process ended before the stream was closed",
    )
