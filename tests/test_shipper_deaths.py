"""Records on their way to a real PostgreSQL while one side or the other dies: each arrives, and arrives once."""

import asyncio
import logging
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from proxy.ledger import Ledger
from proxy.outbox import ENTRIES
from tests.command import ROOT
from tests.ledgers import NOTARY
from tests.postgres import Postgres
from tests.running import until
from tests.shelf import record
from tests.shipping import PATIENCE, append, arrived_once, filled, question, shipped, shipper

pytestmark = pytest.mark.slow


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "countermark.db"


@asynccontextmanager
async def load(ledger: Ledger) -> AsyncIterator[list[float]]:
    """Exchanges that go on; how many seconds each took to be recorded."""
    took: list[float] = []

    async def exchanges() -> None:
        number = 0
        while True:
            begun = time.perf_counter()
            await append(ledger, [record(number + one) for one in range(5)])
            took.append(time.perf_counter() - begun)
            number += 5
            await asyncio.sleep(0.002)

    task = asyncio.create_task(exchanges())
    try:
        yield took
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_database_that_is_stopped_and_started_again(
    path: Path, postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    url = postgres.database()
    caplog.set_level(logging.INFO, "countermark")
    with closing(Ledger.open(path, NOTARY, synchronous="normal", checkpoint_seconds=0.05)) as ledger:
        async with load(ledger) as took:
            with shipper(path, url) as one:
                await until(lambda: one.shipped > 100, PATIENCE)
                await asyncio.to_thread(postgres.stop)
                before = len(took)
                await until(lambda: one.failures >= 2 and one.backlog > 200, PATIENCE)
                assert "refused" in one.last_error
                await asyncio.to_thread(postgres.start)
                slowest = max(took[before:])
                await until(lambda: one.last_error == "" and one.shipped > 400, PATIENCE)
    shipped(path, url)

    assert slowest < 2.0  # nobody who serves waits for the database
    arrived_once(path, url)
    said = [line.getMessage() for line in caplog.records if line.name == "countermark"]
    assert ["records cannot be shipped", "records are shipped again"] == [line[:25].strip(" ,;") for line in said[:2]]


async def test_a_database_that_is_killed_while_a_parcel_is_under_way(path: Path, postgres: Postgres) -> None:
    url = postgres.database()
    await filled(path, 16 * ENTRIES, segment_entries=5_000)
    with shipper(path, url) as one:
        for turn in range(4):
            already = one.shipped
            await until(lambda already=already: one.shipped > already or one.shipped >= 16 * ENTRIES, PATIENCE)
            await asyncio.sleep(random.uniform(0, 0.1))
            postgres.kill() if turn % 2 else await asyncio.to_thread(postgres.stop, "immediate")
            await asyncio.to_thread(postgres.start)
        await until(lambda: one.backlog == 0, PATIENCE)
    arrived_once(path, url)


async def test_a_connection_that_is_cut_off(path: Path, postgres: Postgres) -> None:
    url = postgres.database()
    await filled(path, 8 * ENTRIES)
    name = url.rpartition("/")[2]
    with shipper(path, url) as one:
        for _ in range(6):
            await asyncio.sleep(random.uniform(0.1, 0.8))
            postgres.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")  # noqa: S608
        await until(lambda: one.backlog == 0, PATIENCE)
    arrived_once(path, url)


SHIPPING = """
import os, signal, sys
from pathlib import Path
from proxy.outbox import Outbox
from proxy.shipper import Shipper
path, url, dies = sys.argv[1:]
if dies == "before the mark":
    Outbox.mark = lambda outbox, seq: os.kill(os.getpid(), signal.SIGKILL)
shipper = Shipper(Path(path), url, every=0.02)
shipper.start()
print("ready", flush=True)
if dies:
    signal.pause()
shipper.close(60)
print(shipper.backlog, shipper.last_error, flush=True)
"""


def started(path: Path, url: str, dies: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SHIPPING, str(path), url, dies]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


async def test_a_shipper_that_dies_between_the_commit_and_the_mark(path: Path, postgres: Postgres) -> None:
    url = postgres.database()
    await filled(path, 3 * ENTRIES + 1)
    for arrived in (1, 2, 3):
        # It dies at its first mark: in the first turn behind a parcel, then already where the database tells it more.
        with started(path, url, "before the mark") as dying:
            assert -signal.SIGKILL == dying.wait(PATIENCE)
        assert [(ENTRIES,)] == postgres.run("SELECT count(*) FROM countermark_entries", url=url), arrived
        assert 0 == question(path, "SELECT value FROM ledger WHERE name = 'shipped'")
    shipped(path, url)
    arrived_once(path, url)


async def test_a_shipper_that_is_killed_at_any_moment(path: Path, postgres: Postgres) -> None:
    url = postgres.database()
    await filled(path, 10 * ENTRIES, segment_entries=3_000)
    for _ in range(5):
        with started(path, url, "at any moment") as dying:
            assert dying.stdout is not None
            assert "ready\n" == dying.stdout.readline()
            await asyncio.sleep(random.uniform(0.0, 0.6))
            dying.kill()
    shipped(path, url)
    arrived_once(path, url)


SERVING = """
import asyncio, sys
from contextlib import closing
from pathlib import Path
from proxy.ledger import Ledger
from proxy.shipper import Shipper
from tests.ledgers import NOTARY
from tests.shelf import record
path, url = Path(sys.argv[1]), sys.argv[2]
async def main():
    shipper = Shipper(path, url, every=0.02)
    pace = {"checkpoint_seconds": 0.05, "segment_entries": 300}
    with closing(Ledger.open(path, NOTARY, synchronous="normal", **pace)) as ledger:
        shipper.start()
        for start in range(0, 1_000, 40):
            await asyncio.gather(*(ledger.append(record(start + number)) for number in range(40)))
            await asyncio.sleep(0.01)
    shipper.close(60)
    print(shipper.backlog, shipper.last_error, flush=True)
asyncio.run(main())
"""


def test_four_processes_that_begin_together(tmp_path: Path, postgres: Postgres) -> None:
    """On a database without any table: they make it, and all partitions, at once."""
    url = postgres.database()
    paths = [tmp_path / f"{number}.db" for number in range(4)]
    processes = [
        subprocess.Popen([sys.executable, "-c", SERVING, path, url], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for path in paths
    ]
    for process in processes:
        said, _ = process.communicate(timeout=60)
        assert (0, "0 \n") == (process.returncode, said)

    for path in paths:
        arrived_once(path, url)
    assert [(4_000, 4)] == postgres.run(
        "SELECT count(DISTINCT (writer, seq)), count(DISTINCT writer) FROM countermark_entries", url=url
    )
    assert [(4_000,)] == postgres.run("SELECT count(*) FROM countermark_entries", url=url)
