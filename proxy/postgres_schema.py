"""The shared tables made, brought up to date, and given a partition for each month.

Law: any number of processes may start together, and none meets a table half made. Whoever changes a table does it in
one transaction under one advisory lock, and looks again once it has the lock. Where nothing is to be changed no right
to change anything is needed: a role that may only read, or only insert, works on tables that another one has made.

A month is one of UTC. A partition is made beside the table and attached, which does not wait for those who read.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from proxy.postgres_engine import PostgresError, transaction
from proxy.postgres_tables import VERSIONS, entries

__all__ = ["HEAD", "locked", "month", "named", "partition", "partitions", "prepare", "span", "upgrade", "version"]

HEAD: Final = "1"
"""The revision in migrations/versions that this program works with."""

MIGRATIONS: Final = Path(__file__).with_name("migrations")

# The eight letters "counterm", as PostgreSQL numbers its advisory locks.
_LOCK: Final = text(f"SELECT pg_advisory_xact_lock({int.from_bytes(b'counterm')})")
_UPGRADE_SECONDS: Final = 3600.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NANOSECONDS: Final = 1_000_000_000
_LARGEST: Final = 2**63 - 1

_IS_THERE: Final = text("SELECT to_regclass(:name) IS NOT NULL")
_VERSION: Final = text(f"SELECT version_num FROM {VERSIONS}")  # noqa: S608 - a name of our own
_PARTITIONS: Final = text(
    "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = to_regclass(:name)"
)


def prepare(connection: Connection) -> None:
    """The tables as this program knows them, made or brought up to date where they are not.

    Raises:
        PostgresError: a newer program made them.
        SQLAlchemyError: the database refuses.
    """
    with transaction(connection):
        known = version(connection)
    if known == HEAD:
        return
    with transaction(connection, _UPGRADE_SECONDS):
        locked(connection)
        upgrade(connection)


def upgrade(connection: Connection) -> None:
    """Run what is missing, within the transaction under way. Raises as `prepare` does."""
    # Imported here: it is needed once in the life of a database.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise PostgresError(f"the tables are from a newer program, or not of its making: {error}") from error


def locked(connection: Connection) -> None:
    """From here to the end of the transaction nobody else changes tables."""
    connection.execute(_LOCK)


def partitions(connection: Connection) -> frozenset[str]:
    """The names of the partitions that there are."""
    return frozenset(connection.scalars(_PARTITIONS, {"name": entries.name}))


def partition(connection: Connection, months: Iterable[int]) -> None:
    """Make the partitions of these months (see `month`) where they are missing, in a transaction of its own."""
    with transaction(connection):
        locked(connection)
        known = partitions(connection)
        for one in sorted(set(months)):
            if (name := named(one)) not in known:
                begin, end = span(one)
                connection.execute(text(f"CREATE TABLE {name} (LIKE {entries.name} INCLUDING DEFAULTS)"))
                # With it come the key and the indexes of the table that it becomes a part of.
                bounds = f"FOR VALUES FROM ({begin}) TO ({end})"
                connection.execute(text(f"ALTER TABLE {entries.name} ATTACH PARTITION {name} {bounds}"))


def month(at: int) -> int:
    """The month of a time in Unix nanoseconds, as months since January of the year 0."""
    day = _EPOCH + timedelta(seconds=at // _NANOSECONDS)
    return day.year * 12 + day.month - 1


def span(months: int) -> tuple[int, int]:
    """When a month begins and when the next one does, in Unix nanoseconds, as far as 64 bits go."""
    return _begin(months), _begin(months + 1)


def named(months: int) -> str:
    """The name of a month's partition."""
    return f"{entries.name}_{months // 12:04}_{months % 12 + 1:02}"


def _begin(months: int) -> int:
    seconds = (datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)
    return max(-_LARGEST - 1, min(seconds * _NANOSECONDS, _LARGEST))


def version(connection: Connection) -> str:
    """The revision that the tables are at; empty where there are none."""
    if not connection.scalar(_IS_THERE, {"name": VERSIONS}):
        return ""
    return str(connection.scalar(_VERSION))
