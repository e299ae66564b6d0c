"""What is not as it should be on either side of shipping: two files of one name, a server that hangs, a log."""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from proxy import postgres_engine
from proxy.ledger import Ledger
from proxy.outbox import Outbox
from proxy.postgres_engine import PostgresError, connected, engine, transaction
from proxy.shipper import Shipper, shipping
from tests.ledgers import NOTARY
from tests.postgres import Postgres
from tests.running import until
from tests.shelf import record
from tests.shipping import PATIENCE, append, arrived_once, filled, question, shipped


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "countermark.db"


async def test_two_copies_of_a_file_that_are_shipped_at_once_are_not_mixed(path: Path, postgres: Postgres) -> None:
    url = postgres.database()
    await filled(path, 3)
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    outboxes = [Outbox(one) for one in (path, copy)]
    both = [shipping(outbox, url) for outbox in outboxes]
    for one in both:
        while next(one):  # both have seen that the database has no other history
            pass
    for number, one in enumerate((path, copy), 1):
        with closing(Ledger.open(one, NOTARY)) as ledger:
            await append(ledger, [replace(record(10 * number), at=number)])
    assert next(both[0])
    with pytest.raises(Exception, match="somebody else ships the records of"):
        next(both[1])
    for one, outbox in zip(both, outboxes, strict=True):
        one.close()
        outbox.close()

    arrived_once(path, url)
    with closing(Outbox(copy)) as outbox, pytest.raises(Exception, match="the copy of one that is in use"):
        next(shipping(outbox, url))


@contextmanager
def hanging(postgres: Postgres, url: str) -> Iterator[None]:
    """The server's side of each connection of ours stands still, as behind a disk that does not answer."""
    name = url.rpartition("/")[2]
    ours = f"SELECT pid FROM pg_stat_activity WHERE datname = '{name}' AND application_name = 'countermark'"  # noqa: S608
    processes = [int(str(number)) for (number,) in postgres.run(ours)]
    assert processes
    for one in processes:
        os.kill(one, signal.SIGSTOP)
    try:
        yield
    finally:
        for one in processes:
            os.kill(one, signal.SIGCONT)


async def test_the_backlog_is_seen_while_the_database_hangs(path: Path, postgres: Postgres) -> None:
    url = postgres.database()
    with closing(Ledger.open(path, NOTARY, checkpoint_seconds=0.05)) as ledger:
        await append(ledger, [record(0)])
        shipper = Shipper(path, url, every=0.02)
        shipper.start()
        await until(lambda: shipper.shipped == 1, PATIENCE)
        with hanging(postgres, url):
            await append(ledger, [record(number) for number in range(1, 8)])
            await until(lambda: shipper.backlog == 7, PATIENCE)
            assert shipper.oldest > 0
        await until(lambda: shipper.shipped == 8 and shipper.backlog == 0, PATIENCE)
        shipper.close(PATIENCE)


async def test_what_waits_at_the_end_is_told_though_the_database_hangs(
    path: Path, postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    url = postgres.database()
    with closing(Ledger.open(path, NOTARY, checkpoint_seconds=0.05)) as ledger:
        await append(ledger, [record(0)])
        shipper = Shipper(path, url, every=0.02)
        shipper.start()
        await until(lambda: shipper.shipped == 1, PATIENCE)
        with hanging(postgres, url):
            await append(ledger, [record(1)])
            ledger.close()
            await asyncio.to_thread(shipper.close, 0.5)
        await asyncio.to_thread(shipper.close, PATIENCE)
    assert "not everything is shipped yet: 1 records wait in" in caplog.text


def test_a_server_that_hangs_is_not_waited_for_without_end(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_engine, "LOCK_SECONDS", 0.2)
    url = postgres.database()

    def answer(connection: Connection) -> object:
        with transaction(connection, 0.8):
            return connection.scalar(text("SELECT 1"))

    begun = time.monotonic()
    with connected(engine(url)) as connection:
        assert 1 == answer(connection)
        with hanging(postgres, url), pytest.raises(PostgresError, match="no answer in 3 seconds"):
            answer(connection)
    assert time.monotonic() - begun < 15.0


async def test_the_last_one_to_close_the_file_leaves_its_log_on_disk(path: Path, postgres: Postgres) -> None:
    """Only what is synced into the file may be removed from the log beside it, which the last one to close does."""
    await filled(path, 3)
    outbox = Outbox(path)
    said: list[str] = []
    outbox._connection.set_trace_callback(said.append)
    outbox.close()
    assert ["PRAGMA synchronous = FULL"] == said
    shipped(path, postgres.database())
    assert not path.with_name(path.name + "-wal").exists()


async def test_what_leaves_is_on_disk_however_the_file_is_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a power cut would give the numbers of what has left to other entries."""
    synced: list[str] = []
    monkeypatch.setattr(os, "fdatasync", lambda number: synced.append(os.readlink(f"/proc/self/fd/{number}")))
    with closing(Ledger.open(path, NOTARY, synchronous="normal", checkpoint_seconds=0.05)) as ledger:
        await append(ledger, [record(0)])
        await until(lambda: bool(question(path, "SELECT size > 0 FROM segments")), PATIENCE)
        with closing(Outbox(path)) as outbox:
            (parcel,) = outbox.parcels(0, {})
            assert [f"{path}-wal"] == synced
            assert [] == list(outbox.parcels(1, {0: (parcel.segment.size, parcel.segment.sealed)}))
            assert 1 == len(synced), "nothing leaves"
