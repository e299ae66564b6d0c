"""Months that go from the shared database: whole ones, with whole segments, and an audit of the rest holds."""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from proxy.archive import open_archive
from proxy.audit import verify
from proxy.ledger import Ledger
from proxy.outbox import Outbox
from proxy.postgres_engine import PostgresError
from proxy.postgres_pruning import Dropped, prune
from proxy.shipper import Shipper
from tests.ledgers import NOTARY
from tests.postgres import Postgres
from tests.shelf import record


def at(year: int, month: int, day: int) -> int:
    """Segments of these tests begin now, so that what is pruned lies in years to come."""
    return int(datetime(year, month, day, tzinfo=UTC).timestamp()) * 1_000_000_000


async def shipped(path: Path, url: str, batches: Sequence[tuple[int, ...]]) -> str:
    """Ship a ledger with these times, a segment for each batch; its name."""
    with closing(Ledger.open(path, NOTARY, segment_entries=1)) as ledger:
        number = 0
        for batch in batches:
            # What is appended together comes into one segment, however large it is.
            entries = [replace(record(number + one), at=moment) for one, moment in enumerate(batch)]
            await asyncio.gather(*map(ledger.append, entries))
            number += len(batch)
    shipper = Shipper(path, url)
    shipper.start()
    shipper.close(30)
    assert ("", 0) == (shipper.last_error, shipper.backlog)
    with closing(Outbox(path)) as outbox:
        return outbox.writer


def left(postgres: Postgres, url: str) -> list[object]:
    return [seq for (seq,) in postgres.run("SELECT seq FROM countermark_entries ORDER BY writer, seq", url=url)]


def pruned(postgres: Postgres, url: str) -> list[object]:
    rows = postgres.run("SELECT number FROM countermark_segments WHERE pruned ORDER BY writer, number", url=url)
    return [number for (number,) in rows]


def sound(url: str) -> None:
    with closing(open_archive(url)) as archive:
        assert () == verify(archive, NOTARY, NOTARY.all_publics()).findings


BATCHES = [
    (at(2040, 1, 5), at(2040, 1, 6)),
    (at(2040, 1, 31), at(2040, 2, 1)),  # over the end of a month
    (at(2040, 2, 20),),
    (at(2040, 3, 1), at(2040, 3, 2)),
]

# Up to when, what is said to go, which entries and segments are left, and why no more goes.
PRUNINGS: dict[str, tuple[int, list[Dropped], list[int], list[int], str]] = {
    "nothing is old enough": (
        at(2040, 1, 31), [], [1, 2, 3, 4, 5, 6, 7], [], "2040-01 has records that are younger, or may get some"
    ),
    "a month is, but not all of its segments": (
        at(2040, 2, 1), [], [1, 2, 3, 4, 5, 6, 7], [], "in which others are younger"
    ),
    "a month, with what its last segment has in the next": (
        at(2040, 2, 2), [Dropped("2040-01", 3, 2)], [5, 6, 7], [0, 1], "2040-02 has records that are younger"
    ),
    "two months": (
        at(2040, 3, 1), [Dropped("2040-01", 3, 2), Dropped("2040-02", 1, 1)], [6, 7], [0, 1, 2], "2040-03 has records"
    ),
    "all, for who wrote it is gone": (
        at(2041, 1, 1),
        [Dropped("2040-01", 3, 2), Dropped("2040-02", 1, 1), Dropped("2040-03", 2, 1)],
        [],
        [0, 1, 2, 3],
        "there is no month left",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PRUNINGS)
async def test_what_goes_is_whole(tmp_path: Path, postgres: Postgres, name: str) -> None:
    before, dropped, entries, segments, because = PRUNINGS[name]
    url = postgres.database()
    await shipped(tmp_path / "countermark.db", url, BATCHES)

    assert [1, 2, 3, 4, 5, 6, 7] == left(postgres, url)
    planned = prune(url, before, dry=True)
    assert [one.month for one in dropped] == [one.month for one in planned.dropped][: len(dropped)]
    assert [1, 2, 3, 4, 5, 6, 7] == left(postgres, url)

    done = prune(url, before)
    assert tuple(dropped) == done.dropped
    assert because in done.because
    assert (entries, segments) == (left(postgres, url), pruned(postgres, url))
    sound(url)
    assert () == prune(url, before).dropped


async def test_a_month_stays_as_long_as_one_writer_needs_it(tmp_path: Path, postgres: Postgres) -> None:
    url = postgres.database()
    await shipped(tmp_path / "one.db", url, BATCHES)
    writer = await shipped(tmp_path / "other.db", url, [(at(2040, 1, 7), at(2040, 6, 1)), (at(2040, 6, 2),)])

    assert writer in prune(url, at(2040, 5, 1)).because
    assert 10 == len(left(postgres, url))
    assert ["2040-01", "2040-02", "2040-03"] == [one.month for one in prune(url, at(2040, 6, 2)).dropped]
    sound(url)


async def test_a_segment_that_ended_late_stays(tmp_path: Path, postgres: Postgres) -> None:
    """An audit knows by the beginning of the next one, which is signed, that nothing went too early."""
    url = postgres.database()
    await shipped(tmp_path / "countermark.db", url, BATCHES)
    late = f"UPDATE countermark_segments SET begun = {at(2040, 2, 3)} WHERE number = 2"  # noqa: S608
    postgres.run(late, url=url)

    assert "which is younger" in prune(url, at(2040, 2, 2)).because
    assert ["2040-01"] == [one.month for one in prune(url, at(2040, 2, 4)).dropped]


async def test_what_is_shipped_after_a_pruning_finds_its_place(tmp_path: Path, postgres: Postgres) -> None:
    url = postgres.database()
    path = tmp_path / "countermark.db"
    await shipped(path, url, BATCHES)
    prune(url, at(2040, 3, 1))
    await shipped(path, url, [*[(at(2040, 3, 5),)] * 3, (at(2040, 2, 29),)])

    assert [6, 7, 8, 9, 10, 11] == left(postgres, url)
    sound(url)


def test_a_database_without_records(postgres: Postgres) -> None:
    with pytest.raises(PostgresError, match="there are no records"):
        prune(postgres.database(), 0)
