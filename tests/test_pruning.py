"""Pruning removes what is past its time, whole segments of it, and nothing that is not."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from proxy.archive import Question, open_archive
from proxy.audit_guards import guards
from proxy.ledger import Ledger
from proxy.notary import Notary
from proxy.pruning import SLICE, PruningError, prune
from proxy.record.exchange import Record
from proxy.record.outcome import State
from proxy.record.segment import Segment
from tests.shelf import record
from tests.test_audit_file import NOTARY, asked, audited, latest, spoilt

DAY = 86_400 * 10**9
NOW = time.time_ns()
SEGMENT = 20
LATER = NOW + 300 * DAY  # when all that is written here is old


def old(number: int, state: State = State.WHOLE) -> Record:
    """One a day from long ago on: number 300 is of today."""
    return replace(record(number, state), at=NOW - (300 - number) * DAY)


async def grow(ledger: Ledger, numbers: range) -> None:
    for number in numbers:
        await ledger.append(old(number))


async def made(path: Path, numbers: range = range(90)) -> Path:
    with closing(Ledger.open(path, NOTARY, synchronous="normal", segment_entries=SEGMENT)) as ledger:
        await grow(ledger, numbers)
    return path


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """Four sealed segments and one that grows, all of them old."""
    path = await made(tmp_path / "countermark.db")
    aged(path)
    return path


def aged(path: Path, notary: Notary = NOTARY) -> None:
    """Make it a ledger that has been kept for as long as its records say: who has the secret can."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        ((writer,),) = connection.execute("SELECT value FROM ledger WHERE name = 'writer'")
        former = ""
        for number, first, size in connection.execute("SELECT number, first, size FROM segments").fetchall():
            lines = connection.execute(
                "SELECT salt, body, at FROM entries WHERE seq BETWEEN ? AND ?", (first, first + size - 2)
            ).fetchall()
            segment = Segment(writer, number, first, lines[0][2], former)
            segment.add((salt, body) for salt, body, _ in lines)
            former = notary.sign(segment.checkpoint().text(), segment.origin)
            connection.execute(
                "UPDATE segments SET begun = ?, note = ? WHERE number = ?", (segment.begun, former, number)
            )


def counted(path: Path) -> tuple[int, int, int]:
    """Entries, index entries, and segments that are pruned."""
    return tuple(  # type: ignore[return-value]
        asked(path, question)[0][0]
        for question in (
            "SELECT count(*) FROM entries",
            "SELECT count(*) FROM terms",
            "SELECT sum(pruned) FROM segments",
        )
    )


async def test_whole_segments_go_and_nothing_else(path: Path) -> None:
    exported = latest(path)
    entries, terms, _ = counted(path)

    # Number 45 is of this time: it stands in the third segment.
    done = prune(path, old(45).at, ships=False)

    assert [(0, 20, 1, 20), (1, 20, 21, 40)] == [one[:4] for one in done.dropped]
    assert "segment 2 has records that are younger" == done.because
    assert counted(path) == (entries - 40, terms - 40 * terms // entries, 2)
    report = audited(path, exported)
    assert (report.findings, report.pruned, report.compared) == ((), 2, 5)
    assert [(41,)] == asked(path, "SELECT value FROM ledger WHERE name = 'kept'")


async def test_the_newest_segment_stays_however_old(path: Path) -> None:
    done = prune(path, LATER, ships=False)

    assert [0, 1, 2, 3] == [one.number for one in done.dropped]
    assert "segment 4 is still being written" == done.because
    assert audited(path, latest(path)).findings == ()


async def test_a_dry_run_says_the_same_and_does_nothing(path: Path) -> None:
    before = counted(path)

    planned = prune(path, old(45).at, ships=False, dry=True)

    assert before == counted(path)
    assert planned == prune(path, old(45).at, ships=False)


async def test_a_second_time_there_is_nothing_left_to_do(path: Path) -> None:
    prune(path, old(45).at, ships=False)

    assert ((), "segment 2 has records that are younger") == prune(path, old(45).at, ships=False)


async def test_a_segment_that_began_late_stays_whatever_its_records_say(tmp_path: Path) -> None:
    path = await made(tmp_path / "countermark.db")

    assert ((), "segment 0 has records that are younger") == prune(path, NOW - DAY, ships=False)


@pytest.mark.parametrize(
    ("expected", "ships", "shipped"),
    [(4, False, 0), (0, True, 0), (0, True, 19), (1, True, 20), (2, True, 59), (2, False, 59), (4, True, 90)],
)
async def test_what_was_not_shipped_stays(path: Path, expected: int, ships: bool, shipped: int) -> None:
    spoilt_value(path, "shipped", shipped)

    done = prune(path, LATER, ships=ships)

    assert expected == len(done.dropped)
    assert expected == 4 or done.because.endswith("has records that have not been shipped")


async def test_a_segment_with_a_stream_that_is_still_open_stays(tmp_path: Path) -> None:
    path = tmp_path / "countermark.db"
    with closing(Ledger.open(path, NOTARY, synchronous="normal", segment_entries=SEGMENT)) as ledger:
        await grow(ledger, range(25))
        await ledger.append(old(25, State.OPENED))
        await grow(ledger, range(26, 70))
        done = prune(path, LATER, ships=False)
        assert [0] == [one.number for one in done.dropped]
        assert "segment 1 has streams that were still open when the last checkpoint was signed" == done.because

        await ledger.append(old(25, State.CLOSED))
    assert [1, 2] == [one.number for one in prune(path, LATER, ships=False).dropped]


@pytest.mark.parametrize("change", ["UPDATE ledger SET value = 1000000", "DELETE FROM ledger"])
async def test_what_somebody_wrote_into_the_mark_removes_nothing(path: Path, change: str) -> None:
    before = counted(path)
    spoilt(path, f"{change} WHERE name = 'kept'")

    assert () == prune(path, NOW - 400 * DAY, ships=False).dropped

    assert before == counted(path)


@pytest.mark.parametrize("removed", [0, 7, 20])
async def test_what_a_crash_left_of_a_segment_that_is_gone_goes_the_next_time(path: Path, removed: int) -> None:
    spoilt_value(path, "kept", 21)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE segments SET pruned = 1 WHERE number = 0")
        connection.execute("DELETE FROM entries WHERE seq <= ?", (removed,))
    report = audited(path, latest(path))
    assert (report.findings, report.pruned) == ((), 1)
    assert [] != asked(path, "SELECT 1 FROM terms WHERE seq < 21")

    assert ((), "segment 1 has records that are younger") == prune(path, NOW - 400 * DAY, ships=False)

    assert [] == asked(path, "SELECT 1 FROM entries WHERE seq < 21")
    assert [] == asked(path, "SELECT 1 FROM terms WHERE seq < 21")
    assert [] != asked(path, "SELECT 1 FROM terms WHERE seq = 21")


def test_a_pruning_that_dies_at_any_moment_is_sound_and_the_next_one_ends_it(tmp_path: Path) -> None:
    path = asyncio.run(made(tmp_path / "countermark.db", range(600)))
    died = 0
    for late in range(400):
        script = "from pathlib import Path; from proxy.pruning import prune; print(1, flush=True); "
        script += f"prune(Path({str(path)!r}), {LATER}, ships=False)"
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.015 * (late + 1))
            process.kill()
            process.wait()
        died += process.returncode != 0
        assert audited(path, latest(path)).findings == ()
        assert [] == guards(path, "w")
        if process.returncode == 0:
            break
    assert died > 1
    assert (20, 29) == (counted(path)[0], counted(path)[2])
    assert [] == asked(path, "SELECT 1 FROM terms WHERE seq < (SELECT value FROM ledger WHERE name = 'kept')")


async def test_who_appends_does_not_wait_for_a_segment(tmp_path: Path) -> None:
    """A transaction takes no longer than it should, however large the segment."""
    path = tmp_path / "countermark.db"
    with closing(Ledger.open(path, NOTARY, synchronous="normal", segment_entries=6_000)) as ledger:
        for start in range(0, 12_200, 200):
            await asyncio.gather(*(ledger.append(record(number)) for number in range(start, start + 200)))
    held: list[float] = []
    stop = threading.Event()

    def wait() -> None:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as other:
            while not stop.wait(0.005):
                begun = time.perf_counter()
                other.execute("BEGIN IMMEDIATE")
                held.append(time.perf_counter() - begun)
                other.execute("COMMIT")

    waiting = asyncio.create_task(asyncio.to_thread(wait))
    done = await asyncio.to_thread(prune, path, LATER, ships=False)
    stop.set()
    await waiting

    assert [6_000, 6_000] == [one.entries for one in done.dropped]
    assert sorted(held)[len(held) // 2] < SLICE
    assert max(held) < 20 * SLICE  # this machine has other things to do


async def test_a_process_goes_on_appending_while_it_is_pruned(path: Path) -> None:
    with closing(Ledger.open(path, NOTARY, synchronous="normal", segment_entries=SEGMENT)) as ledger:
        appending = asyncio.create_task(grow(ledger, range(90, 400)))
        await asyncio.sleep(0.05)
        done = await asyncio.to_thread(prune, path, NOW - 100 * DAY, ships=False)
        await appending

        assert [0, 1, 2, 3] == [one.number for one in done.dropped][:4]
        assert [old(399)] == ledger.find(old(399).id)
        assert [] == ledger.find(old(3).id)
    assert audited(path, latest(path)).findings == ()
    # And the process that comes after it finds its way.
    with closing(Ledger.open(path, NOTARY)) as ledger:
        await ledger.append(old(400))
    assert audited(path, latest(path)).findings == ()


async def test_an_audit_that_runs_meanwhile_finds_nothing_wrong(tmp_path: Path) -> None:
    path = await made(tmp_path / "countermark.db", range(300))
    pruning = asyncio.create_task(asyncio.to_thread(prune, path, LATER, ships=False, told=lambda _: time.sleep(0.01)))
    pruned = set()
    while not pruning.done():
        report = await asyncio.to_thread(audited, path)
        assert report.findings == ()
        pruned.add(report.pruned)
    assert 14 == len((await pruning).dropped)
    assert len(pruned) > 2


async def test_what_was_pruned_is_found_no_more(path: Path) -> None:
    prune(path, old(45).at, ships=False)

    with closing(open_archive(path)) as archive:
        assert [] == list(archive.find(Question(id=old(3).id)))
        assert [old(60).id] == [one.id for one in archive.find(Question(id=old(60).id))]


async def test_a_segment_that_was_tampered_with_shows_until_it_goes(path: Path) -> None:
    spoilt(path, "UPDATE entries SET salt = x'00' WHERE seq = 50")
    assert audited(path).findings

    prune(path, LATER, ships=False)

    assert audited(path).findings == ()


@pytest.mark.parametrize("told", ["there is no such file", "a ledger of version 1", "not a database", "no such table"])
def test_what_is_no_ledger_is_not_touched(tmp_path: Path, told: str) -> None:
    path = tmp_path / "x.db"
    if told == "not a database":
        path.write_bytes(b"text " * 1000)
    elif "file" not in told:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(f"CREATE TABLE {'schema' if 'version' in told else 'other'} (version)")
            if "version" in told:
                connection.execute("INSERT INTO schema VALUES (1)")
    before = path.read_bytes() if path.exists() else b""

    with pytest.raises(PruningError, match=told):
        prune(path, LATER, ships=False)

    assert before == (path.read_bytes() if path.exists() else b"")


def spoilt_value(path: Path, name: str, value: int) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE ledger SET value = ? WHERE name = ?", (value, name))
