"""Ledgers filled and shipped, and the law that holds after whatever has happened to either side."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from proxy.archive import Archive, open_archive
from proxy.audit import verify
from proxy.ledger import Ledger
from proxy.outbox import Outbox
from proxy.record.exchange import Record
from proxy.shipper import Shipper
from tests.ledgers import NOTARY
from tests.shelf import record

PATIENCE = 30.0


@contextmanager
def shipper(path: Path, url: str, patience: float = 10.0) -> Iterator[Shipper]:
    """A Shipper at work, which looks for what is new fifty times a second."""
    one = Shipper(path, url, every=0.02)
    one.start()
    try:
        yield one
    finally:
        one.close(patience)


async def append(ledger: Ledger, records: list[Record]) -> None:
    """Append them, and wait until they are on disk."""
    await asyncio.gather(*map(ledger.append, records))


async def filled(path: Path, entries: int, **pace: float) -> None:
    """A ledger with so many more entries, all of them under a checkpoint."""
    with closing(Ledger.open(path, NOTARY, synchronous="normal", **pace)) as ledger:  # type: ignore[arg-type]
        for start in range(0, entries, 1000):
            await append(ledger, [record(number) for number in range(start, min(start + 1000, entries))])


def shipped(path: Path, url: str) -> None:
    """Ship what lies under a checkpoint, and end."""
    with shipper(path, url, PATIENCE) as one:
        pass
    assert (0, "") == (one.backlog, one.last_error)


def read(place: Path | str, writer: str) -> tuple[list[object], list[object]]:
    """All entries and segments of a writer."""
    with closing(open_archive(place)) as archive:
        return list(archive.entries(writer, 1, None)), list(archive.segments(writer))


def arrived_once(path: Path, url: str) -> None:
    """The law: there is the same there as here, under the same checkpoints, and an audit finds nothing."""
    with closing(Outbox(path)) as outbox:
        writer = outbox.writer
    entries, segments = read(path, writer)
    assert entries
    assert (entries, segments) == read(url, writer)
    sound(open_archive(url))


def sound(archive: Archive) -> None:
    """An audit finds nothing, and everything is under a checkpoint."""
    with closing(archive):
        report = verify(archive, NOTARY, NOTARY.all_publics())
        assert ((), 0) == (report.findings, report.behind)


def question(path: Path, statement: str) -> object:
    """What the file answers."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchone()[0]
