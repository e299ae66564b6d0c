import asyncio
import os
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from proxy.archive import Archive, ArchiveError, Entry, Question, open_archive
from proxy.ledger import Ledger
from proxy.record.exchange import Item, Record, decode, encode
from proxy.record.outcome import Outcome, State
from proxy.record.terms import term, terms
from proxy.shipper import Shipper
from tests.ledgers import NOTARY
from tests.postgres import Postgres
from tests.running import until

DAY = 86_400 * 10**9
BEGUN = 1_700_000_000 * 10**9
MANY = 2_600  # more than an archive reads at once, of a file
COMMON = 10_500  # more than a file follows a term for


def record(number: int) -> Record:
    """One of many that share some values and not others. Several begin at the same moment."""
    return Record(
        id=f"{number // 2:032x}",
        trace_id=f"{number // 2 + 1:08x}" * 4,
        at=BEGUN + number // 3 * 10**9 * 977,
        state=State.CLOSED if number % 2 else State.OPENED,
        model=f"model-{number % 7}",
        tenant=f"tenant-{number % 3}",
        outcome=Outcome.LABELLED if number % 2 else Outcome.PENDING,
        items=(
            Item(f"item-{number}", "text", "choice 0", sketch=(f"{number % 50:016x}", f"{number % 11 + 100:016x}")),
        ),
    )


async def filled(path: Path, records: list[Record], **pace: Any) -> None:
    with closing(Ledger.open(path, NOTARY, synchronous="normal", max_pending=20_000, **pace)) as ledger:
        await asyncio.gather(*map(ledger.append, records))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of many entries in several segments."""
    path = tmp_path_factory.mktemp("kept") / "countermark.db"
    asyncio.run(filled(path, list(map(record, range(MANY))), segment_entries=512))
    return path


@pytest.fixture(scope="module")
def shipped(kept: Path, postgres_server: Postgres) -> str:
    """The same in a database."""
    if not postgres_server.is_up:
        postgres_server.start()
    url = postgres_server.database()
    shipper = Shipper(kept, url, every=0.01)
    shipper.start()
    try:
        asyncio.run(until(lambda: shipper.shipped == MANY))
    finally:
        shipper.close(10)
    return url


@pytest.fixture(params=["file", "database"])
def archive(request: pytest.FixtureRequest) -> Iterator[Archive]:
    place: Path | str = request.getfixturevalue("kept" if request.param == "file" else "shipped")
    with closing(open_archive(place)) as one:
        yield one


@pytest.fixture(scope="module")
def entries(kept: Path) -> list[Entry]:
    """What lies in the file, seen by somebody who knows nothing of archives."""
    with closing(sqlite3.connect(kept)) as connection:
        writer = connection.execute("SELECT value FROM ledger WHERE name = 'writer'").fetchone()[0]
        rows = connection.execute("SELECT seq, id, state, at, salt, body FROM entries ORDER BY seq").fetchall()
    return [Entry(writer, *row) for row in rows]


# What is read.


def test_what_lies_there_is_read_in_its_order(archive: Archive, entries: list[Entry]) -> None:
    (writer,) = archive.writers()
    assert entries == list(archive.entries(writer, 0, None))
    assert MANY == archive.count() == len(entries)


@pytest.mark.parametrize(
    ("first", "last"), [(1, 1), (5, 9), (1, 1024), (1024, 1025), (MANY - 3, None), (9, 5), (MANY + 1, None), (-9, 2)]
)
def test_both_ends_belong_to_it(archive: Archive, entries: list[Entry], first: int, last: int | None) -> None:
    (writer,) = archive.writers()
    expected = [one for one in entries if first <= one.seq and (last is None or one.seq <= last)]
    assert expected == list(archive.entries(writer, first, last))


def test_segments_are_read_by_their_numbers(archive: Archive, kept: Path) -> None:
    (writer,) = archive.writers()
    with closing(sqlite3.connect(kept)) as connection:
        rows = connection.execute(
            "SELECT number, first, begun, size, note, sealed, pruned FROM segments ORDER BY number"
        ).fetchall()
    found = archive.segments(writer)
    assert len(rows) > 5
    assert rows == [tuple(one)[1:] for one in found]
    assert all(one.writer == writer and one.note.startswith("countermark/") for one in found)


def test_a_stranger_has_nothing(archive: Archive) -> None:
    assert ([], []) == (archive.segments("f" * 32), list(archive.entries("f" * 32, 0, None)))


# What is found.


@cache
def held_by(body: bytes) -> frozenset[int]:
    return frozenset(terms(decode(body)))


def answer(entries: list[Entry], question: Question) -> list[Entry]:
    """The law of `find`, said without an index."""
    found = []
    for one in entries:
        held = held_by(one.body)
        if (
            question.id in ("", one.id)
            and held.issuperset(question.all_of)
            and (not question.any_of or held.intersection(question.any_of))
            and (question.since is None or one.at >= question.since)
            and (question.until is None or one.at < question.until)
        ):
            found.append(one)
    found.sort(key=lambda one: (one.at, one.seq), reverse=True)
    return found[: question.limit]


def asked(chance: random.Random) -> Question:
    """Something that somebody may ask."""
    known: list[Callable[[], int]] = [
        lambda: term("model", f"model-{chance.randrange(8)}"),
        lambda: term("tenant", f"tenant-{chance.randrange(4)}"),
        lambda: term("item", f"item-{chance.randrange(MANY)}"),
        lambda: term("trace", f"{chance.randrange(MANY // 2):08x}" * 4),
        lambda: term("sketch", f"{chance.randrange(130):016x}"),
    ]

    def some(most: int) -> tuple[int, ...]:
        return tuple(chance.choice(known)() for _ in range(chance.randint(0, most)))

    def moment() -> int | None:
        return chance.choice([None, None, BEGUN + chance.randrange(MANY // 3) * 10**9 * 977])

    identifier = f"{chance.randrange(MANY // 2):032x}" if chance.random() < 0.2 else ""
    return Question(identifier, some(4), some(2), moment(), moment(), chance.choice([1, 5, 100, 5_000]))


def test_what_is_found_is_what_is_there(archive: Archive, entries: list[Entry]) -> None:
    chance = random.Random(6)
    found = 0
    for _ in range(100):
        question = asked(chance)
        expected = answer(entries, question)
        assert expected == list(archive.find(question)), question
        found += bool(expected)
    assert found > 25


def test_what_very_many_entries_have_is_found_by_time(tmp_path: Path) -> None:
    path = tmp_path / "countermark.db"
    asyncio.run(filled(path, []))
    records = [
        replace(record(number), state=State.WHOLE, model="common", tenant="rare" if number % 3_000 == 0 else "common")
        for number in range(COMMON)
    ]
    with closing(sqlite3.connect(path)) as connection:
        connection.executemany(
            "INSERT INTO entries (id, state, at, salt, body) VALUES (?, ?, ?, x'', ?)",
            [(one.id, one.state, one.at, encode(one)) for one in records],
        )
        connection.executemany(
            "INSERT INTO terms VALUES (?, ?)", [(key, seq) for seq, one in enumerate(records, 1) for key in terms(one)]
        )
        connection.commit()
    common, rare = term("model", "common"), term("tenant", "rare")
    with closing(open_archive(path)) as archive:
        everything = list(archive.entries(archive.writers()[0], 0, None))
        for question in (
            Question(all_of=(common,), limit=30),
            Question(any_of=(common, term("model", "other")), limit=30),
            Question(all_of=(common, rare)),
            Question(all_of=(common,), since=BEGUN + DAY, until=BEGUN + 2 * DAY, limit=30),
            Question(all_of=(common,), any_of=(rare,), until=BEGUN + 2 * DAY, limit=30),
            Question(since=-(10**30), until=10**30, limit=30),  # as years go that no database can count
        ):
            expected = answer(everything, question)
            assert expected
            assert expected == list(archive.find(question))


def test_those_with_the_most_of_many_terms_come_first(archive: Archive, entries: list[Entry]) -> None:
    wanted = {term("sketch", f"{number:016x}") for number in (3, 7, 103, 104)} | {term("item", "item-3")}
    counts: Counter[tuple[str, int]] = Counter()
    for one in entries:
        counts[one.writer, one.seq] = len(wanted & held_by(one.body))
    best = archive.hits(wanted, 10)
    assert sorted(counts.values(), reverse=True)[:10] == [one.terms for one in best]
    assert all(counts[one.writer, one.seq] == one.terms for one in best)
    assert ("item-3", 3) == (decode(entries[best[0].seq - 1].body).items[0].produce_id, best[0].terms)
    assert [] == archive.hits([], 10) == archive.hits([term("item", "nobody's")], 10)


# Nobody is held up.


async def test_who_reads_holds_up_nobody(tmp_path: Path) -> None:
    path = tmp_path / "countermark.db"
    with closing(Ledger.open(path, NOTARY, busy_seconds=0.05)) as ledger:
        await asyncio.gather(*(ledger.append(record(number)) for number in range(1_500)))
        with closing(open_archive(path)) as archive:
            reading = archive.entries(archive.writers()[0], 0, None)
            finding = archive.find(Question(limit=1_000))
            assert (1, 1_500) == (next(reading).seq, next(finding).seq)
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            assert busy == 0
            await ledger.append(record(1_500))
            # What comes while it is read is read, too.
            assert 1_500 == sum(1 for _ in reading)
            assert 999 == sum(1 for _ in finding)


def test_nothing_is_changed(kept: Path, tmp_path: Path) -> None:
    path = tmp_path / "countermark.db"
    shutil.copy(kept, path)
    before = path.read_bytes()
    with closing(open_archive(path)) as archive:
        assert archive.count() == MANY
        list(archive.entries(archive.writers()[0], 0, None))
    assert before == path.read_bytes()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_where_nothing_can_be_written_it_is_read(kept: Path, tmp_path: Path) -> None:
    path = tmp_path / "countermark.db"
    shutil.copy(kept, path)
    tmp_path.chmod(0o500)
    try:
        with closing(open_archive(path)) as archive:
            assert archive.count() == MANY
    finally:
        tmp_path.chmod(0o700)


def test_what_is_damaged_is_shown_as_it_lies_there(kept: Path, tmp_path: Path) -> None:
    path = tmp_path / "countermark.db"
    shutil.copy(kept, path)
    with closing(sqlite3.connect(path)) as stranger:
        stranger.execute("DROP TRIGGER entries_unchanged")
        stranger.execute("UPDATE entries SET id = CAST(x'ff41' AS TEXT), body = x'00' WHERE seq = 2")
        stranger.commit()
    with closing(open_archive(path)) as archive:
        first, second, third = archive.entries(archive.writers()[0], 1, 3)
    assert ("�A", b"\x00") == (second.id, second.body)
    assert (encode(record(0)), encode(record(2))) == (first.body, third.body)


# What is no ledger.


def nothing(path: Path) -> None:
    pass


def a_text(path: Path) -> None:
    path.write_text("These are no records. " * 100)


def another_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE entries (id)")


def of_version(number: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE entries (id)")
            connection.execute("CREATE TABLE schema (version)")
            connection.execute("INSERT INTO schema VALUES (?)", (number,))
            connection.commit()

    return make


@pytest.mark.parametrize(
    ("says", "make"),
    [
        (r"countermark\.db: there is no such file", nothing),
        (r"countermark\.db: there is no such file", Path.mkdir),
        (r"countermark\.db: file is not a database", a_text),
        (r"countermark\.db: a database, but not a ledger", another_database),
        (r"a ledger of version 1; start the proxy on it once, which brings it to 2", of_version(1)),
        (r"a ledger of version 3; this program reads version 2", of_version(3)),
    ],
)
def test_what_is_no_ledger_is_called_so(tmp_path: Path, says: str, make: Callable[[Path], None]) -> None:
    path = tmp_path / "countermark.db"
    make(path)
    with pytest.raises(ArchiveError, match=says):
        open_archive(path)
    assert not path.with_name("countermark.db-wal").exists()


def test_a_database_without_records_is_called_so(postgres: Postgres) -> None:
    with pytest.raises(ArchiveError, match="nothing has been shipped there yet"):
        open_archive(postgres.database())


def test_what_cannot_be_reached_is_told_without_its_password(postgres: Postgres) -> None:
    with pytest.raises(ArchiveError) as refused:
        open_archive(f"postgresql://owner:hush-hush@127.0.0.1:{postgres.port}/nowhere")
    assert "nowhere" in str(refused.value)
    assert "hush" not in str(refused.value)
