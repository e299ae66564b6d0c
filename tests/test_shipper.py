"""Records on their way to a real PostgreSQL: what leaves, in which order, and what stops it."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from proxy.archive import open_archive
from proxy.audit import verify
from proxy.ledger import Ledger
from proxy.outbox import BYTES, ENTRIES, Outbox, ShippingError
from proxy.readings import readings
from proxy.record.exchange import Record, decode
from proxy.record.terms import terms
from proxy.shipper import Shipper, shipping
from tests.chats import CHAT, asks, chat
from tests.command import ROOT
from tests.downstream import ask
from tests.ledgers import NOTARY
from tests.postgres import Postgres
from tests.running import countermark, until
from tests.scripted import scripted
from tests.shelf import record
from tests.shipping import PATIENCE, append, arrived_once, filled, question, shipped, shipper


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "countermark.db"


async def test_what_is_under_a_checkpoint_arrives(path: Path, postgres: Postgres) -> None:
    url = postgres.database()
    await filled(path, 3 * ENTRIES, segment_entries=900)
    shipped(path, url)

    arrived_once(path, url)
    assert 3 * ENTRIES == question(path, "SELECT value FROM ledger WHERE name = 'shipped'")
    for body, found in postgres.run("SELECT body, terms FROM countermark_entries", url=url):
        assert isinstance(body, bytes)
        assert list(terms(decode(body))) == found
    assert [(True,)] == postgres.run("SELECT bool_and(sealed) FROM countermark_segments WHERE number = 0", url=url)


async def test_what_is_under_no_checkpoint_waits(path: Path, postgres: Postgres) -> None:
    url = postgres.database()
    with closing(Ledger.open(path, NOTARY, checkpoint_seconds=3600.0)) as ledger:
        await append(ledger, [record(number) for number in range(10)])
        with shipper(path, url, 0.5) as one:
            await until(lambda: one.backlog == 10 and bool(postgres.run("SELECT 1", url=url)), PATIENCE)
            assert one.oldest > time.time() - record(0).at / 1e9 - 60
    with shipper(path, url) as one:
        await until(lambda: one.shipped == 10, PATIENCE)
        assert (0, 0.0, 0, "") == (one.backlog, one.oldest, one.failures, one.last_error)
    arrived_once(path, url)


async def test_whatever_has_arrived_is_sound_at_every_moment(path: Path, postgres: Postgres) -> None:
    url = postgres.database()
    await filled(path, 5 * ENTRIES, segment_entries=1_200)
    with closing(Outbox(path)) as outbox, closing(shipping(outbox, url)) as parcels:
        behind = 0
        for moved in parcels:
            with closing(open_archive(url)) as archive:
                report = verify(archive, NOTARY, NOTARY.all_publics())
            assert () == report.findings
            behind = max(behind, report.behind)
            if not moved:
                break
    assert (0, 5 * ENTRIES) == (report.behind, report.entries)
    assert behind >= ENTRIES  # of the segment that is under way, nothing is under a checkpoint yet


async def test_a_parcel_is_bounded(path: Path, postgres: Postgres) -> None:
    large = [Record(**{**vars(record(number)), "reason": "x" * (BYTES // 3)}) for number in range(7)]
    with closing(Ledger.open(path, NOTARY)) as ledger:
        await append(ledger, large)
    with closing(Outbox(path)) as outbox:
        assert [3, 3, 1] == [len(parcel.lines) for parcel in outbox.parcels(0, {})]
    url = postgres.database()
    shipped(path, url)
    arrived_once(path, url)


def nanoseconds(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * 1_000_000_000  # type: ignore[arg-type, misc]


MOMENTS = {
    nanoseconds(2025, 12, 31, 23, 59, 59) + 999_999_999: "countermark_entries_2025_12",
    nanoseconds(2026, 1, 1): "countermark_entries_2026_01",
    nanoseconds(2026, 1, 31, 23, 59, 59): "countermark_entries_2026_01",
    nanoseconds(2026, 2, 1): "countermark_entries_2026_02",
    nanoseconds(2028, 2, 29): "countermark_entries_2028_02",
    0: "countermark_entries_1970_01",
    2**63 - 2: "countermark_entries_2262_04",
}


async def test_an_entry_lies_in_the_partition_of_its_month(path: Path, postgres: Postgres) -> None:
    url = postgres.database()
    with closing(Ledger.open(path, NOTARY)) as ledger:
        await append(ledger, [Record(**{**vars(record(number)), "at": at}) for number, at in enumerate(MOMENTS)])
    shipped(path, url)

    lies = postgres.run("SELECT at, tableoid::regclass::text FROM countermark_entries", url=url)
    assert MOMENTS == dict(lies)
    arrived_once(path, url)


def wrong_password(postgres: Postgres, url: str) -> str:
    return postgres.way(url.rpartition("/")[2], "guarded:not-the-one")


def only_reads(postgres: Postgres, url: str) -> str:
    return postgres.way(url.rpartition("/")[2], "reader")


REFUSALS: dict[str, tuple[Callable[[Postgres, str], str], str]] = {
    "wrong password": (wrong_password, 'password authentication failed for user "guarded"'),
    "no such database": (lambda postgres, _: postgres.way("nowhere"), 'database "nowhere" does not exist'),
    "no such role": (lambda postgres, _: postgres.way(role="nobody"), 'role "nobody" does not exist'),
    "a role that reads": (only_reads, "permission denied for"),
    "no such host": (lambda *_: "postgresql://localhost.invalid/records", "localhost.invalid"),
    "nobody listens": (lambda *_: "postgresql://127.0.0.1:9/records", "refused"),
    "a word that libpq does not know": (
        lambda _, url: f"{url}?sslmode=sometimes",
        'invalid sslmode value: "sometimes"',
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_database_that_refuses(path: Path, postgres: Postgres, name: str) -> None:
    roles = ("guarded", "LOGIN PASSWORD 'the-right-one'"), ("reader", "LOGIN")
    for role, rights in roles:
        if not postgres.run(f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"):  # noqa: S608
            postgres.run(f"CREATE ROLE {role} {rights}")
    url = postgres.database()
    way, sentence = REFUSALS[name]
    await filled(path, 3)

    begun = time.monotonic()
    with shipper(path, way(postgres, url)) as one:
        await until(lambda: one.failures >= 1, PATIENCE)
        closing_at = time.monotonic()
    assert time.monotonic() - closing_at < 2.0
    assert closing_at - begun < 15.0
    assert sentence in one.last_error
    assert "not-the-one" not in one.last_error
    assert "\n" not in one.last_error
    assert (3, 0) == (one.backlog, one.shipped)


async def test_rights_to_insert_are_enough_where_the_tables_are(path: Path, postgres: Postgres) -> None:
    url = postgres.database()
    await filled(path, 3)
    shipped(path, url)
    if not postgres.run("SELECT 1 FROM pg_roles WHERE rolname = 'writer'"):
        postgres.run("CREATE ROLE writer LOGIN")
    grants = "GRANT SELECT, INSERT, UPDATE, DELETE ON countermark_entries, countermark_segments TO writer"
    postgres.run(grants, "GRANT SELECT ON countermark_version TO writer", url=url)
    await filled(path, 5)
    shipped(path, postgres.way(url.rpartition("/")[2], "writer"))
    arrived_once(path, url)


async def test_a_database_that_was_put_back_gets_again_what_it_lost(path: Path, postgres: Postgres) -> None:
    url = postgres.database()
    await filled(path, 2_500, segment_entries=1_000)
    shipped(path, url)
    postgres.run(
        "DELETE FROM countermark_segments WHERE number >= 1",
        "DELETE FROM countermark_entries WHERE seq > 1300",
        url=url,
    )
    shipped(path, url)
    arrived_once(path, url)
    other = postgres.database()
    shipped(path, other)
    arrived_once(path, other)


@pytest.mark.parametrize("grown", [0, 30], ids=["shorter", "grown meanwhile"])
async def test_an_older_copy_of_the_file_is_not_mixed_with_what_arrived(
    path: Path, postgres: Postgres, grown: int
) -> None:
    url = postgres.database()
    await filled(path, 10)
    older = path.read_bytes()  # noqa: ASYNC240
    await filled(path, 20)
    shipped(path, url)
    before = postgres.run("SELECT writer, seq, salt FROM countermark_entries ORDER BY seq", url=url)
    path.write_bytes(older)  # noqa: ASYNC240
    with closing(Ledger.open(path, NOTARY)) as ledger:
        await append(ledger, [record(1_000 + number) for number in range(grown)])

    with shipper(path, url) as one:
        await until(lambda: one.failures > 0, PATIENCE)
    assert "older copy" in one.last_error
    assert before == postgres.run("SELECT writer, seq, salt FROM countermark_entries ORDER BY seq", url=url)


async def test_a_file_of_which_something_was_cut_out_is_shipped_for_the_audit(path: Path, postgres: Postgres) -> None:
    url = postgres.database()
    await filled(path, 30)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("DROP TRIGGER entries_kept; DELETE FROM entries WHERE seq IN (1, 12, 13, 30)")
    shipper_ended = Shipper(path, url, every=0.02)
    shipper_ended.start()
    shipper_ended.close(PATIENCE)

    assert "" == shipper_ended.last_error
    assert [(26,)] == postgres.run("SELECT count(*) FROM countermark_entries", url=url)
    with closing(open_archive(url)) as archive:
        assert verify(archive, NOTARY, NOTARY.all_publics()).findings


URLS = ["mysql://127.0.0.1/records", "postgresql+asyncpg://127.0.0.1/records", "postgresql//", "postgresql://h:port/d"]


@pytest.mark.parametrize("url", URLS)
async def test_what_is_no_address_of_a_postgresql(path: Path, url: str) -> None:
    await filled(path, 1)
    with shipper(path, url) as one:
        await until(lambda: one.failures > 0, PATIENCE)
    assert "postgresql://" in one.last_error


def test_a_file_that_is_no_ledger(path: Path) -> None:
    path.write_bytes(b"")
    with pytest.raises(ShippingError, match="no such table"):
        Outbox(path)
    with pytest.raises(ShippingError, match="unable to open"):
        Outbox(path.with_name("nothing.db"))


async def test_a_proxy_ships_what_it_records(postgres: Postgres) -> None:
    ledger = {"ship_to": postgres.database(), "checkpoint": "50 ms"}
    async with scripted(chat) as upstream, countermark(upstream.url, ledger=ledger) as here:
        shipper = here.app.services.shipper
        assert shipper is not None
        for streamed in (False, True):
            await ask(here.address, "POST", CHAT, asks(stream=streamed))
        await until(lambda: shipper.shipped == 3 and shipper.backlog == 0, PATIENCE)
        told = {one.name: one.points[0].value for one in readings(here.app.services) if one.name.startswith("shipping")}
        assert {"shipping_backlog": 0, "shipping_oldest": 0, "shipping_failures": 0} == told
        await ask(here.address, "POST", CHAT, asks())
        records = here.records
    # The last one was signed when the ledger was closed, and shipped after that.
    bodies = postgres.run("SELECT body FROM countermark_entries ORDER BY seq", url=ledger["ship_to"])
    assert records == [decode(body) for (body,) in bodies if isinstance(body, bytes)]
    assert len(records) == 4


async def test_a_proxy_serves_without_the_database(caplog: pytest.LogCaptureFixture) -> None:
    ledger = {"ship_to": "postgresql://127.0.0.1:9/records"}
    async with scripted(chat) as upstream, countermark(upstream.url, ledger=ledger) as here:
        shipper = here.app.services.shipper
        assert shipper is not None
        await until(lambda: shipper.failures > 0, PATIENCE)
        answer = await ask(here.address, "POST", CHAT, asks())
        await until(lambda: shipper.backlog == 1, PATIENCE)
        ending = time.monotonic()
    assert 200 == answer.status
    assert time.monotonic() - ending < 3.0
    assert "not everything is shipped yet: 1 records wait in" in caplog.text


WITHOUT = """
import sys
from pathlib import Path
import proxy.cli, proxy.app
assert not {"sqlalchemy", "alembic", "psycopg"} & sys.modules.keys()
sys.modules[sys.argv[1]] = None
from proxy.shipper import Shipper
try:
    Shipper(Path("countermark.db"), "postgresql://host/records")
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("library", ["sqlalchemy", "psycopg"])
def test_the_libraries_are_needed_by_those_who_ship_and_missed_at_once(library: str) -> None:
    command = [sys.executable, "-c", WITHOUT, library]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    told = f"ShippingError to ship to PostgreSQL, {library} is missing: pip install 'countermark[postgres]'\n"
    assert told == done.stdout
