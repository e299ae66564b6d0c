"""The tables of the shared database: what the steps make is what the program knows, and no start undoes another."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st

from proxy.postgres_engine import PostgresError, connected, engine, place
from proxy.postgres_schema import HEAD, MIGRATIONS, month, named, partition, partitions, prepare, span
from proxy.postgres_tables import METADATA, VERSIONS
from tests.postgres import Postgres


def test_the_newest_step_is_the_one_that_the_program_works_with() -> None:
    assert [HEAD] == ScriptDirectory(str(MIGRATIONS)).get_heads()


def test_the_steps_make_the_tables_that_the_program_knows(postgres: Postgres) -> None:
    def is_ours(name: str | None, kind: str, _: Any) -> bool:
        return kind != "table" or name in METADATA.tables

    with connected(engine(postgres.database())) as connection:
        prepare(connection)
        options = {"version_table": VERSIONS, "include_name": is_ours, "compare_type": True}
        assert [] == compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)


def test_tables_of_a_newer_program_are_left_alone(postgres: Postgres) -> None:
    url = postgres.database()
    with connected(engine(url)) as connection:
        prepare(connection)
    postgres.run(f"UPDATE {VERSIONS} SET version_num = 'ffff'", url=url)  # noqa: S608
    with connected(engine(url)) as connection, pytest.raises(PostgresError, match="from a newer program"):
        prepare(connection)


def test_many_that_begin_at_once_make_everything_once(postgres: Postgres) -> None:
    url = postgres.database()
    barrier, errors = threading.Barrier(8), []

    def begin() -> None:
        barrier.wait()
        try:
            with connected(engine(url)) as connection:
                prepare(connection)
                partition(connection, range(24_300, 24_306))
        except Exception as error:  # noqa: BLE001 - told by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [] == errors
    with connected(engine(url)) as connection:
        assert {named(one) for one in range(24_300, 24_306)} == partitions(connection)


@given(st.integers(-(2**63), 2**63 - 2))
def test_a_time_lies_in_the_span_of_its_month(at: int) -> None:
    begin, end = span(month(at))
    assert begin <= at < end
    year, number = named(month(at)).rsplit("_", 2)[1:]
    day = datetime(int(year), int(number), 1, tzinfo=UTC)
    assert day.timestamp() * 1e9 == pytest.approx(begin) or begin == -(2**63)


def test_months_follow_each_other() -> None:
    for one in range(1970 * 12, 2262 * 12):
        assert span(one)[1] == span(one + 1)[0]


PLACES = {
    "postgresql://user:secret@host:5433/records?password=other": "postgresql://user@host:5433/records",
    "postgresql+psycopg://host/records?sslmode=verify-full": "postgresql://host/records",
    "postgresql:///records?host=/run/postgresql": "postgresql:///records",
}


@pytest.mark.parametrize("url", PLACES)
def test_a_database_is_named_without_its_secrets(url: str) -> None:
    assert PLACES[url] == place(engine(url).url)
