import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from proxy.ledger import Ledger, LedgerError
from proxy.record.exchange import Item, Record, decode, encode
from proxy.record.outcome import Outcome, State
from proxy.record.schema import BATCH
from tests.ledgers import NOTARY


def record(number: int, state: State = State.WHOLE) -> Record:
    return Record(
        id=f"{number:032x}",
        trace_id="a" * 32,
        at=1_000 + number,
        state=state,
        because=("cn-gb45438/text",),
        outcome=Outcome.LABELLED if state != State.OPENED else Outcome.PENDING,
        items=(Item(f"{number:032x}", "text", "choice 0", ("prefix", "body")),),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "countermark.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with closing(Ledger.open(path, NOTARY)) as ledger:
        yield ledger


class Held:
    """Another program that keeps the file locked for writing, as a backup may."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def bodies(path: Path) -> list[bytes]:
    """What lies in the file, seen by somebody who knows nothing of the ledger."""
    with closing(sqlite3.connect(path)) as connection:
        return [body for (body,) in connection.execute("SELECT body FROM entries ORDER BY seq")]


def changed(path: Path, statement: str) -> None:
    """The file, after somebody else has been at it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as stranger:
        stranger.execute(statement)


async def taken(ledger: Ledger) -> None:
    """Until the writer has taken all that waits, and is stuck with it on a file that is held."""
    while ledger.pending:  # noqa: ASYNC110 - a thread takes them, and tells nobody
        await asyncio.sleep(0.001)


# Appending.


async def test_an_entry_whose_future_is_done_lies_in_the_file(ledger: Ledger, path: Path) -> None:
    for number in range(20):
        await ledger.append(record(number))
        assert encode(record(number)) == bodies(path)[-1]


@pytest.mark.parametrize("synchronous", ["full", "normal"])
async def test_entries_lie_in_the_order_of_the_calls(path: Path, synchronous: str) -> None:
    entries = [record(number) for number in range(2 * BATCH + 50)]
    with closing(Ledger.open(path, NOTARY, synchronous=synchronous)) as ledger:  # type: ignore[arg-type]
        await asyncio.gather(*map(ledger.append, entries))
    assert entries == [decode(body) for body in bodies(path)]


async def test_columns_say_what_the_body_says(ledger: Ledger, path: Path) -> None:
    await ledger.append(record(7, State.OPENED))
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute("SELECT id, state, at FROM entries").fetchone()
    assert (record(7).id, "opened", 1_007) == row


async def test_those_who_wait_together_are_answered_together(ledger: Ledger, path: Path) -> None:
    with Held(path):
        first = ledger.append(record(0))
        await taken(ledger)
        others = [ledger.append(record(number)) for number in range(1, BATCH + 1)]
        assert len(others) == ledger.pending
    await first
    await others[0]
    assert all(other.done() for other in others)


async def test_the_loop_runs_on_while_the_disk_makes_it_wait(ledger: Ledger, path: Path) -> None:
    with Held(path):
        written = ledger.append(record(0))
        turns = 0
        started = time.monotonic()
        while time.monotonic() - started < 0.2:
            await asyncio.sleep(0.001)
            turns += 1
        assert not written.done()
    assert turns > 20
    await written


async def test_a_waiter_that_gives_up_spoils_nothing(ledger: Ledger, path: Path) -> None:
    with Held(path):
        written = [ledger.append(record(number)) for number in range(5)]
        written[0].cancel()
        written[3].cancel()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(written[1], 0.01)
    await written[2]
    await written[4]
    assert ledger.count() == 5


async def test_no_more_than_max_pending_wait(path: Path) -> None:
    with closing(Ledger.open(path, NOTARY, max_pending=10)) as ledger:
        with Held(path):
            written = [ledger.append(record(0))]
            await taken(ledger)
            written += [ledger.append(record(number)) for number in range(1, 11)]
            with pytest.raises(LedgerError, match="10 entries wait for the disk already"):
                await ledger.append(record(11))
        await asyncio.gather(*written)
        await ledger.append(record(12))
        assert ledger.count() == 12
        assert ledger.find(record(11).id) == []


async def test_a_file_that_stays_locked_fails_the_batch_and_not_the_next(path: Path) -> None:
    with closing(Ledger.open(path, NOTARY, busy_seconds=0.05)) as ledger:
        with Held(path):
            for number in range(3):
                with pytest.raises(LedgerError, match="database is locked"):
                    await ledger.append(record(number))
        await ledger.append(record(3))
        assert [record(3)] == ledger.recent(10)


async def test_each_waiter_has_an_error_of_its_own(path: Path) -> None:
    with closing(Ledger.open(path, NOTARY, busy_seconds=0.05)) as ledger, Held(path):
        errors = await asyncio.gather(*(ledger.append(record(n)) for n in range(3)), return_exceptions=True)
    assert [LedgerError] * 3 == [type(error) for error in errors]
    assert len(set(map(id, errors))) == 3


async def test_a_record_that_cannot_be_written_down_fails_alone(ledger: Ledger) -> None:
    bad = ledger.append(replace(record(0), model="\ud800"))
    await ledger.append(record(1))
    with pytest.raises(LedgerError, match="cannot be written down"):
        await bad
    assert ledger.count() == 1


async def test_a_number_that_sqlite_does_not_take_fails_and_the_writer_lives(ledger: Ledger) -> None:
    with pytest.raises(LedgerError):
        await ledger.append(replace(record(0), at=2**63))
    await ledger.append(record(1))
    assert ledger.count() == 1


async def test_a_file_that_is_taken_away_is_not_made_anew(path: Path) -> None:
    with closing(Ledger.open(path, NOTARY, busy_seconds=0.05)) as ledger:
        with Held(path), pytest.raises(LedgerError):
            await ledger.append(record(0))  # the next one opens the file again
        os.rename(path, f"{path}.elsewhere")
        with pytest.raises(LedgerError, match="unable to open"):
            await ledger.append(record(1))
        assert path.name not in os.listdir(path.parent)
        os.rename(f"{path}.elsewhere", path)
        await ledger.append(record(2))


# Reading.


async def test_find_recent_count(ledger: Ledger) -> None:
    assert (ledger.find(record(1).id), ledger.recent(5), ledger.count()) == ([], [], 0)
    entries = [record(1, State.OPENED), record(2), record(1, State.CLOSED)]
    for entry in entries:
        await ledger.append(entry)
    assert [entries[0], entries[2]] == ledger.find(record(1).id)
    assert [entries[1]] == ledger.find(record(2).id)
    assert ledger.find("") == []
    assert [entries[2], entries[1]] == ledger.recent(2)
    assert entries[::-1] == ledger.recent(100)
    assert ledger.count() == 3


async def test_any_thread_may_read_and_none_waits_for_the_writer(ledger: Ledger, path: Path) -> None:
    await ledger.append(record(1))
    with Held(path):
        written = ledger.append(record(2))
        assert [[record(1)]] * 8 == await asyncio.gather(
            *(asyncio.to_thread(ledger.find, record(1).id) for _ in range(8)),
        )
    await written


async def test_a_damaged_entry_is_named_as_such(ledger: Ledger, path: Path) -> None:
    changed(path, "INSERT INTO entries (id, state, at, body) VALUES ('x', 'whole', 1, x'00')")
    with pytest.raises(LedgerError, match="not a record"):
        ledger.find("x")


# Closing.


async def test_closing_writes_what_waits(path: Path) -> None:
    ledger = Ledger.open(path, NOTARY)
    written = [ledger.append(record(number)) for number in range(3 * BATCH)]
    await asyncio.to_thread(ledger.close)
    await asyncio.gather(*written)
    assert len(bodies(path)) == 3 * BATCH


async def test_closing_on_the_loop_writes_what_waits(path: Path) -> None:
    ledger = Ledger.open(path, NOTARY)
    written = [ledger.append(record(number)) for number in range(10)]
    ledger.close()
    await asyncio.gather(*written)
    assert len(bodies(path)) == 10


async def test_a_closed_ledger_takes_nothing(path: Path) -> None:
    ledger = Ledger.open(path, NOTARY)
    ledger.close()
    ledger.close()
    with pytest.raises(LedgerError, match="closed"):
        await ledger.append(record(0))


def test_a_loop_that_has_ended_does_not_keep_entries_from_the_file(path: Path) -> None:
    ledger = Ledger.open(path, NOTARY)

    async def leave() -> None:
        for number in range(5):
            ledger.append(record(number))

    with Held(path):
        asyncio.run(leave())
    asyncio.run(leave())
    ledger.close()
    assert len(bodies(path)) == 10


# Opening.


async def test_only_the_owner_may_read_what_is_there(ledger: Ledger, path: Path) -> None:
    await ledger.append(record(0))
    expected = {path.name + end: 0o100600 for end in ("", "-wal", "-shm", ".lock")}
    assert expected == {entry.name: entry.stat().st_mode for entry in path.parent.iterdir()}


@pytest.mark.parametrize("name", ["a b.db", "a?b#c%20d.db", "标识.db", "-x.db"])
async def test_any_name_will_do(tmp_path: Path, name: str) -> None:
    with closing(Ledger.open(tmp_path / name, NOTARY)) as ledger:
        await ledger.append(record(0))
        assert ledger.count() == 1
    assert {name, name + ".lock"} == set(os.listdir(tmp_path))


def test_an_older_ledger_is_opened_again(path: Path) -> None:
    Ledger.open(path, NOTARY).close()
    Ledger.open(path, NOTARY).close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version FROM schema").fetchall() == [(1,), (2,)]


async def test_streams_that_were_never_closed_become_interrupted_once(path: Path) -> None:
    with closing(Ledger.open(path, NOTARY)) as ledger:
        for entry in (
            record(1, State.OPENED),
            record(2, State.OPENED),
            record(3),
            record(1, State.CLOSED),
            record(4, State.OPENED),
        ):
            await ledger.append(entry)
    before = time.time_ns()
    with closing(Ledger.open(path, NOTARY)) as ledger:
        after = time.time_ns()
        assert [entry.state for entry in ledger.find(record(1).id)] == [State.OPENED, State.CLOSED]
        assert [entry.state for entry in ledger.find(record(3).id)] == [State.WHOLE]
        for number in (2, 4):
            opened, interrupted = ledger.find(record(number).id)
            assert opened.state == State.OPENED
            assert before <= interrupted.at <= after
            assert interrupted == replace(
                opened,
                state=State.INTERRUPTED,
                outcome=Outcome.INTERRUPTED,
                at=interrupted.at,
                reason="the process ended before the stream was closed",
            )
    with closing(Ledger.open(path, NOTARY)) as ledger:
        assert ledger.count() == 7


async def test_many_interrupted_streams(path: Path) -> None:
    with closing(Ledger.open(path, NOTARY, synchronous="normal")) as ledger:
        await asyncio.gather(*(ledger.append(record(n, State.OPENED)) for n in range(BATCH + 5)))
    with closing(Ledger.open(path, NOTARY)) as ledger:
        assert ledger.count() == 2 * (BATCH + 5)


def test_one_ledger_has_one_owner(path: Path) -> None:
    with closing(Ledger.open(path, NOTARY)):
        with pytest.raises(LedgerError, match=rf"in use by another process \(id {os.getpid()}\)"):
            Ledger.open(path, NOTARY)
        other = run("Ledger.open(path, NOTARY)", path)
        assert other.returncode != 0
        assert f"{path}: in use by another process (id {os.getpid()})" in other.stderr
    assert run("Ledger.open(path, NOTARY).close()", path).returncode == 0


def test_a_refused_opening_leaves_no_lock_behind(path: Path) -> None:
    path.write_bytes(b"this is a letter, not a ledger" * 100)
    for _ in range(2):
        with pytest.raises(LedgerError, match=f"{path}: file is not a database"):
            Ledger.open(path, NOTARY)
    path.unlink()
    Ledger.open(path, NOTARY).close()


@pytest.mark.parametrize(
    ("expected", "made", "statement"),
    [
        (
            "schema version 99 is from a newer program; this one knows version 2",
            True,
            "INSERT INTO schema (version, at) VALUES (99, 0)",
        ),
        ("a database, but not a ledger", False, "CREATE TABLE recipes (name TEXT)"),
    ],
    ids=["a newer ledger", "another program's"],
)
def test_what_is_not_ours_is_left_alone(path: Path, expected: str, made: bool, statement: str) -> None:
    if made:
        Ledger.open(path, NOTARY).close()
    changed(path, statement)
    content = path.read_bytes()
    with pytest.raises(LedgerError, match=expected):
        Ledger.open(path, NOTARY)
    assert content == path.read_bytes()


async def test_a_stream_that_somebody_else_put_there_is_not_ended_by_us(path: Path) -> None:
    with closing(Ledger.open(path, NOTARY)) as ledger:
        await ledger.append(record(0))
    changed(
        path, "INSERT INTO entries (id, state, at, body) SELECT 'x', 'opened', at, replace(body, id, 'x') FROM entries"
    )
    with closing(Ledger.open(path, NOTARY)) as ledger:
        assert ["whole", "whole"] == [one.state for one in ledger.recent(9)]


async def test_a_damaged_stream_is_not_passed_over_at_the_start(path: Path) -> None:
    with closing(Ledger.open(path, NOTARY)) as ledger:
        await ledger.append(record(0, State.OPENED))
    changed(path, "DROP TRIGGER entries_unchanged")
    changed(path, "UPDATE entries SET body = x'00'")
    with pytest.raises(LedgerError, match="not a record"):
        Ledger.open(path, NOTARY)


@pytest.mark.parametrize(
    ("expected", "name"),
    [("No such file or directory", "missing/x.db"), ("Is a directory", "folder"), ("Not a directory", "file/x.db")],
)
def test_where_no_ledger_can_be(tmp_path: Path, expected: str, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match=f"{name}: {expected}"):
        Ledger.open(tmp_path / name, NOTARY)


# Processes that die and disks that fill up.

PREAMBLE = """
import asyncio, os, resource, sys
from pathlib import Path
from proxy.keys import Keys
from proxy.ledger import Ledger, LedgerError
from proxy.notary import Notary
from proxy.record.exchange import Record
from proxy.record.outcome import State
NOTARY = Notary(Keys.ephemeral(bytes(32)))
path = Path(sys.argv[1])
def record(number, state=State.WHOLE):
    return Record(id=f"{number:032x}", trace_id="a" * 32, at=number, state=state)
"""


def run(program: str, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", PREAMBLE + program, path], capture_output=True, text=True, timeout=60)


CRASHING = """
first = int(sys.argv[2])
ledger = Ledger.open(path, NOTARY, synchronous=sys.argv[3])
def say(word, number):
    os.write(1, f"{word} {number}\\n".encode())
async def stream(number):
    await ledger.append(record(number, State.OPENED))
    say("opened", number)
    await asyncio.sleep(0.001 * (number % 7))
    await ledger.append(record(number, State.CLOSED))
    say("closed", number)
async def whole(number):
    await ledger.append(record(number))
    say("whole", number)
async def worker(turn):
    number = first + turn
    while True:
        await (stream if number % 2 else whole)(number)
        number += 15
async def main():
    await asyncio.gather(*map(worker, range(15)))
say("ready", 0)
asyncio.run(main())
"""


@pytest.mark.parametrize("synchronous", ["full", "normal"])
def test_what_was_confirmed_survives_a_kill(path: Path, synchronous: str) -> None:
    whole: set[int] = set()
    opened: set[int] = set()
    closed: set[int] = set()
    said = {"whole": whole, "opened": opened, "closed": closed}
    for turn in range(10):
        process = subprocess.Popen(
            [sys.executable, "-c", PREAMBLE + CRASHING, path, str(turn * 1_000_000), synchronous],
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        with process.stdout:
            assert process.stdout.readline() == b"ready 0\n"
            time.sleep(random.uniform(0.01, 0.25))
            process.send_signal(signal.SIGKILL)
            for line in process.stdout:
                word, number = line.split()
                said[word.decode()].add(int(number))
        assert process.wait() == -signal.SIGKILL
    assert whole
    assert closed
    with closing(Ledger.open(path, NOTARY)) as ledger:
        kept: dict[int, list[State]] = {}
        for entry in reversed(ledger.recent(ledger.count())):
            kept.setdefault(int(entry.id, 16), []).append(entry.state)
    for answer in whole:
        assert kept[answer] == [State.WHOLE]
    for stream in closed:
        assert kept[stream] == [State.OPENED, State.CLOSED]
    for stream in opened - closed:
        # Closed, if death came between the commit and the word.
        assert kept[stream] in ([State.OPENED, State.INTERRUPTED], [State.OPENED, State.CLOSED])
    assert not [states for states in kept.values() if states == [State.OPENED]]


FILLING = """
ledger = Ledger.open(path, NOTARY)
async def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    kept, lost = [], []
    for number in range(1_000):
        try:
            await ledger.append(record(number))
            kept.append(number)
        except LedgerError as error:
            lost.append(number)
            reason = str(error)
        if len(lost) == 5:
            break
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    for number in range(1_000, 1_010):
        await ledger.append(record(number))
        kept.append(number)
    assert lost, "the limit was never met"
    assert kept == [int(entry.id, 16) for entry in reversed(ledger.recent(10_000))], (kept, lost)
    print(reason)
asyncio.run(main())
ledger.close()
"""


def test_a_full_disk_is_an_error_and_passes(path: Path) -> None:
    # A limit on file sizes stands in for a disk without room: it needs no rights to set up.
    done = run(FILLING, path)
    assert (done.returncode, done.stderr) == (0, "")
    assert str(path) in done.stdout
