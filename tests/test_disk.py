"""Disks that are full, files that another program holds, and disks that are slow, met by a whole process under load.

What `ledger.on_failure` says happens to every answer; memory stays where it was; and when the trouble is over, the
process goes on as if nothing had been, without anybody's help.
"""

import asyncio
import itertools
import resource
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from proxy.archive import open_archive
from proxy.audit import verify
from proxy.keys import Keys
from proxy.ledger import Ledger, LedgerError
from proxy.notary import Notary
from proxy.record.exchange import Record
from proxy.record.outcome import State
from tests.chats import CHAT, asks, chat, told
from tests.downstream import Answer, ask, connected, request
from tests.running import Elsewhere, process
from tests.scripted import Received, Wire, scripted

CLIENTS = 40
MOST_GROWTH = 32 << 20  # bytes
DONE = b"data: [DONE]\n\n"
NOTARY = Notary(Keys.ephemeral(bytes(32)))


class Place(NamedTuple):
    """Where the ledger lies, and which process writes it."""

    file: Path
    process: Elsewhere


Trouble = Callable[[Place], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def limited(place: Place) -> AsyncIterator[None]:
    """No file of the process may grow: EFBIG stands in for a disk without room, and needs no rights to set up."""
    former = resource.prlimit(place.process.id, resource.RLIMIT_FSIZE)
    resource.prlimit(place.process.id, resource.RLIMIT_FSIZE, (1, former[1]))
    yield
    resource.prlimit(place.process.id, resource.RLIMIT_FSIZE, former)


@asynccontextmanager
async def filled(place: Place) -> AsyncIterator[None]:
    """A disk without room (ENOSPC)."""
    stuffing = place.file.with_name("stuffing")
    with stuffing.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        file.writelines(itertools.repeat(bytes(4096)))
    yield
    stuffing.unlink()


@contextmanager
def exclusive(file: Path) -> Iterator[None]:
    with closing(sqlite3.connect(file, timeout=10, isolation_level=None)) as stranger:
        stranger.execute("BEGIN EXCLUSIVE")
        yield


@asynccontextmanager
async def held(place: Place) -> AsyncIterator[None]:
    """Another program has the file for itself, for longer than a batch waits."""
    with exclusive(place.file):
        yield


@asynccontextmanager
async def slow(place: Place) -> AsyncIterator[None]:
    """A disk that takes 300 ms for every write, and has 20 ms between them."""
    over = threading.Event()

    def hold() -> None:
        while not over.wait(0.02):
            with exclusive(place.file):
                time.sleep(0.3)

    holding = asyncio.create_task(asyncio.to_thread(hold))
    await asyncio.sleep(0.1)
    yield
    over.set()
    await holding


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("a file system of its own takes the right to mount one")
    yield disk
    subprocess.run(["umount", disk], check=True)


def settled(file: Path) -> Counter[str]:
    """How many entries of each state lie in the file."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return Counter(state for (state,) in connection.execute("SELECT state FROM entries"))


async def exchange(here: Elsewhere, *, stream: bool) -> Answer:
    return await ask(here.address, "POST", CHAT, asks(stream=stream))


def arrived(answer: Answer) -> bool:
    """Whether a model's answer came, and to its end."""
    streamed = answer.value(b"content-type") != b"application/json"
    return answer.status == 200 and answer.whole and (not streamed or DONE in answer.body)


async def meet(trouble: Trouble, file: Path, on_failure: str, expected: int) -> None:
    troubled = asyncio.Event()

    async def model(request: Received, wire: Wire) -> None:
        if request.json().get("user") != "patient":
            await chat(request, wire)
            return
        await wire.sse_head()
        for number, record in enumerate(told("Hel", "lo")):
            await wire.event(record)
            if number == 1:
                await wire.wait(troubled)
        await wire.event("[DONE]")
        await wire.end()

    ledger = {"path": str(file), "synchronous": "full", "on_failure": on_failure, "checkpoint": "100 ms"}
    keys = file.with_suffix(".keys")
    async with scripted(model) as upstream, process(upstream.url, ledger=ledger, keys=str(keys)) as here:
        calm = [await exchange(here, stream=stream) for stream in (False, True)]
        assert all(map(arrived, calm))
        async with connected(here.address) as patient:
            await patient.send(request("POST", CHAT, asks(stream=True, user="patient")))
            await patient.begin()
            await patient.until(b"Hel")
            before = here.memory
            async with trouble(Place(file, here)):
                troubled.set()
                answers = await asyncio.gather(*(exchange(here, stream=bool(n % 2)) for n in range(CLIENTS)))
                under_way = await patient.rest()
        assert here.most_memory - before < MOST_GROWTH
        assert {expected} == {answer.status for answer in answers}
        if expected == 200:
            assert all(map(arrived, [*answers, under_way]))
        else:
            assert {"not_recorded"} == {answer.error for answer in answers}
            assert not under_way.whole
            assert DONE not in under_way.body, "its record could not be closed, so its end must not look like one"
        recovered = [await exchange(here, stream=stream) for stream in (False, True)]
        assert all(map(arrived, recovered))
        entries = settled(file)
        if on_failure == "block" or trouble is slow:
            received = [*calm, *answers, under_way, *recovered]
            streams = sum(DONE in answer.body for answer in received)
            assert sum(map(arrived, received)) - streams == entries[State.WHOLE]
            assert streams == entries[State.CLOSED]
        else:
            assert (2, 2) == (entries[State.WHOLE], entries[State.CLOSED])
    notary = Notary(Keys.open(keys))
    with closing(open_archive(file)) as archive:
        report = verify(archive, notary, notary.all_publics())
    assert ((), entries.total(), 0) == (report.findings, report.entries, report.behind)


@pytest.mark.parametrize(("on_failure", "expected"), [("block", 503), ("pass", 200)])
async def test_a_full_disk(small_disk: Path, on_failure: str, expected: int) -> None:
    await meet(filled, small_disk / "countermark.db", on_failure, expected)


@pytest.mark.parametrize(
    ("trouble", "blocking"),
    [(limited, 503), pytest.param(slow, 200, marks=pytest.mark.slow), pytest.param(held, 503, marks=pytest.mark.slow)],
)
async def test_a_disk_in_trouble(tmp_path: Path, trouble: Trouble, blocking: int) -> None:
    await asyncio.gather(
        meet(trouble, tmp_path / "block.db", "block", blocking),
        meet(trouble, tmp_path / "pass.db", "pass", 200),
    )


# What waits behind a disk in trouble.


def record(number: int) -> Record:
    return Record(id=f"{number:032x}", trace_id="a" * 32, at=number, state=State.WHOLE)


async def test_who_waits_behind_one_that_waited_in_vain_does_not_wait_as_long(tmp_path: Path) -> None:
    file = tmp_path / "countermark.db"
    with closing(Ledger.open(file, NOTARY, busy_seconds=1.0)) as ledger:
        with exclusive(file):
            began = time.monotonic()
            for number in range(6):
                with pytest.raises(LedgerError, match="database is locked"):
                    await ledger.append(record(number))
            assert 1.0 < time.monotonic() - began < 3.0
        await ledger.append(record(6))
        assert not ledger.failing
        with exclusive(file):
            began = time.monotonic()
            with pytest.raises(LedgerError, match="database is locked"):
                await ledger.append(record(7))
            assert time.monotonic() - began > 0.9, "all is well again, so it is worth waiting again"


async def test_a_file_that_stays_away_is_looked_for_now_and_then(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file, elsewhere = tmp_path / "countermark.db", tmp_path / "elsewhere.db"
    with closing(Ledger.open(file, NOTARY, busy_seconds=0.05, checkpoint_seconds=0.1)) as ledger:
        await ledger.append(record(0))
        with exclusive(file), pytest.raises(LedgerError):
            await ledger.append(record(1))  # the next one opens the file again
        file.rename(elsewhere)
        with pytest.raises(LedgerError, match="unable to open"):
            await ledger.append(record(2))
        began = time.process_time()
        await asyncio.sleep(1)
        assert time.process_time() - began < 0.5
        assert len(caplog.messages) <= 12
        elsewhere.rename(file)
        await ledger.append(record(3))
        assert 2 == ledger.count()
