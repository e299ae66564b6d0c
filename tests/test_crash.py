"""Processes that are killed under load: what a client has received is on record, and what was under way is told of.

A nursery imports the program once and forks a Countermark for each line that it reads: fifty starts cost fifty forks.
"""

import asyncio
import os
import random
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from proxy.archive import open_archive
from proxy.audit import Report, verify
from proxy.keys import Keys
from proxy.notary import Notary
from proxy.record.exchange import Record, decode
from proxy.record.outcome import Outcome, State
from tests.chats import CHAT, asks, completion, told
from tests.command import ROOT
from tests.downstream import connected, request
from tests.running import configure
from tests.scripted import Received, Wire, scripted

KILLS = 50
PATIENCE = 30  # seconds
CLIENTS = 12

_NURSERY = """
import os, sys
from pathlib import Path
from proxy.app import app
from proxy.ledger import Ledger
from proxy.server import Server
from proxy.settings import load
Ledger.open.__func__.__kwdefaults__["segment_entries"] = 300  # so that death meets the end of segments, too
for line in sys.stdin:
    child = os.fork()
    if not child:
        print("born", os.getpid(), flush=True)
        application = app(load(Path(line.rstrip())))
        Server(application, listening=lambda address: print("listens", *address, flush=True)).run()
        os._exit(0)
    print("ended", os.waitpid(child, 0)[1], flush=True)
"""

WHOLE = [State.WHOLE]
CLOSED = [State.OPENED, State.CLOSED]
INTERRUPTED = [State.OPENED, State.INTERRUPTED]


@dataclass
class Child:
    """A Countermark in a process of its own, which is killed and never asked to end."""

    id: int
    address: tuple[str, int]


class Nursery:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @asynccontextmanager
    async def born(self, config: Path) -> AsyncIterator[Child]:
        """A child that serves; dead at the block's end."""
        number = await self._begun(config)
        try:
            host, port = await self._told("listens")
            yield Child(number, (host, int(port)))
        finally:
            os.kill(number, signal.SIGKILL)
            assert [str(int(signal.SIGKILL))] == await self._told("ended")

    async def dies_young(self, config: Path) -> None:
        """A child that is killed while it starts."""
        number = await self._begun(config)
        await asyncio.sleep(random.uniform(0, 0.15))
        os.kill(number, signal.SIGKILL)
        await self._told("ended")

    async def _begun(self, config: Path) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{config}\n".encode())
        return int((await self._told("born"))[0])

    async def _told(self, word: str) -> list[str]:
        """The rest of the next line that begins so."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while line := await self._process.stdout.readline():
                first, *rest = line.decode().split()
                if first == word:
                    return rest
        raise AssertionError(f"the nursery has ended, and {word!r} was not said")


@asynccontextmanager
async def nursery() -> AsyncIterator[Nursery]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _NURSERY, cwd=ROOT, stdin=pipe, stdout=pipe)
    try:
        yield Nursery(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        assert 0 == await asyncio.wait_for(process.wait(), PATIENCE)


async def model(request: Received, wire: Wire) -> None:
    """Answers at once or after a while, and streams at any pace, so that death meets exchanges at every point."""
    if not request.json().get("stream"):
        await asyncio.sleep(random.choice((0, 0.005, 0.03)))
        await wire.json(completion("Hello world"))
        return
    pause = random.choice((0, 0.002, 0.02))
    await wire.sse(told("Hel", "lo", " wor", "ld"), pause)


@dataclass
class Seen:
    """What a client has received of one exchange: the response's head, and all that makes it complete."""

    streaming: bool
    began: bool = False
    complete: bool = False


async def ask_on(address: tuple[str, int], seen: dict[str, Seen]) -> None:
    """One exchange after the other, until the connection breaks."""
    async with connected(address) as client:
        try:
            while True:
                trace = random.randbytes(16).hex()
                one = seen[trace] = Seen(random.random() < 0.5)
                traced = (b"traceparent", f"00-{trace}-{trace[:16]}-01".encode())
                await client.send(request("POST", CHAT, asks(stream=one.streaming), [traced]))
                answer = await client.begin()
                assert 200 == answer.status
                one.began = True
                await client.rest()
                one.complete = b"data: [DONE]\n\n" in answer.body if one.streaming else answer.whole
        except (ConnectionError, EOFError):
            pass


class File:
    """The ledger's file, read by somebody who knows nothing of the program that writes it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seq = 0
        self.records: dict[str, list[Record]] = {}

    def read(self) -> None:
        """Take in what was appended since."""
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as connection:
            for seq, body in connection.execute(
                "SELECT seq, body FROM entries WHERE seq > ? ORDER BY seq", (self._seq,)
            ):
                self._seq = seq
                record = decode(body)
                self.records.setdefault(record.trace_id, []).append(record)

    def checkpoint(self) -> list[str]:
        """The latest one, which is kept elsewhere from now on."""
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as connection:
            notes = [note for (note,) in connection.execute("SELECT note FROM segments ORDER BY number") if note]
        return notes[-1:]

    def states(self, trace: str) -> list[State]:
        return [record.state for record in self.records.get(trace, ())]


def audited(folder: Path, exported: Sequence[str]) -> Report:
    """What an audit finds in the ledger of a process that serves."""
    notary = Notary(Keys.open(folder / "keys"))
    with closing(open_archive(folder / "countermark.db")) as archive:
        return verify(archive, notary, notary.all_publics(), exported)


def promised(one: Seen) -> list[list[State]]:
    """What may lie in the ledger of an exchange of which a client saw this, once the next process has started."""
    if not one.streaming:
        return [WHOLE] if one.complete else [WHOLE, []]
    if one.complete:
        return [CLOSED]
    return [INTERRUPTED, CLOSED] if one.began else [INTERRUPTED, CLOSED, []]


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_what_clients_have_received_is_on_record_whenever_the_process_is_killed(tmp_path: Path) -> None:
    met: Counter[tuple[bool, tuple[State, ...]]] = Counter()
    file = File(tmp_path / "countermark.db")
    async with scripted(model) as upstream, nursery() as children:
        config = configure(tmp_path, upstream.url, ledger={"synchronous": "full", "checkpoint": "50 ms"})
        seen: dict[str, Seen] = {}
        exported: list[str] = []
        for turn in range(KILLS + 1):
            async with children.born(config) as child:
                report = await asyncio.to_thread(audited, tmp_path, exported)
                assert not report.findings, (turn, report.findings)
                assert (len(exported), 0) == (report.compared, report.behind)
                file.read()
                for trace, one in seen.items():
                    states = file.states(trace)
                    assert states in promised(one), (turn, one)
                    met[one.complete, tuple(states)] += 1
                    last = file.records[trace][-1].outcome if states else None
                    assert last == (Outcome.INTERRUPTED if states == INTERRUPTED else Outcome.LABELLED) or not states
                if turn == KILLS:
                    break
                seen = {}
                clients = [asyncio.create_task(ask_on(child.address, seen)) for _ in range(CLIENTS)]
                await asyncio.sleep(random.uniform(0.1, 0.5))
                exported += file.checkpoint()
            await asyncio.gather(*clients)
            if turn % 4 == 0:
                await children.dies_young(config)
    assert report.segments > 5
    for complete, states in ((True, WHOLE), (True, CLOSED), (False, INTERRUPTED)):
        assert met[complete, tuple(states)] >= KILLS, met
