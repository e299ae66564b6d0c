"""Parcels from an outbox, taken in by the shared PostgreSQL.

Law: a parcel arrives whole or not at all, and one that is sent again changes nothing. What the database holds says how
far a ledger has come, whatever the ledger's own file believes: so a database that was put back to an older state gets
again what it lost, and one that holds records which the file lacks is told from it before the two are mixed, even
where two copies of one file are shipped at the same time.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import orjson
from sqlalchemy import Connection, Delete, and_, delete, func, or_, select, text
from sqlalchemy.dialects.postgresql import insert

from proxy.archive import SegmentRow
from proxy.outbox import Parcel
from proxy.postgres_engine import PostgresError, place, transaction
from proxy.postgres_schema import month, named, partition, partitions, prepare
from proxy.postgres_tables import entries, segments

__all__ = ["Held", "Intake"]

# One parameter for a whole parcel: a statement for each row, or an array for each column, costs the interpreter ten
# times as much (55 us for an entry instead of 5).
_ENTRIES: Final = text(f"""
    INSERT INTO {entries.name} (writer, seq, id, state, at, salt, body, terms)
    SELECT :writer, seq, id, state, at, decode(salt, 'hex'), decode(body, 'hex'), terms
    FROM json_to_recordset(CAST(:lines AS json)) AS line
        (seq bigint, id text, state text, at bigint, salt text, body text, terms bigint[])
    ON CONFLICT (writer, seq, at) DO NOTHING""")  # noqa: S608 - a name of our own

# Half of a ledger's name, as PostgreSQL numbers its advisory locks.
_ALONE: Final = text("SELECT pg_advisory_xact_lock(:number)")

_given = insert(segments)
_SEGMENT: Final = _given.on_conflict_do_update(
    index_elements=[segments.c.writer, segments.c.number],
    set_={
        "size": _given.excluded.size,
        "note": _given.excluded.note,
        "sealed": _given.excluded.sealed,
        "pruned": or_(segments.c.pruned, _given.excluded.pruned),
    },
    where=or_(
        _given.excluded.size > segments.c.size,
        and_(_given.excluded.size == segments.c.size, _given.excluded.sealed, ~segments.c.sealed),
    ),
)


class Held(NamedTuple):
    """What the database has of one ledger: up to which `seq` everything arrived (0: nothing), the salt of that entry
    (None where it is gone already), and the size and the seal of each segment's row, by its number."""

    seq: int
    salt: bytes | None
    segments: Mapping[int, tuple[int, bool]]


class Intake:
    """The tables that a connection leads to, made where they are missing.

    Every call raises SQLAlchemyError where the database refuses, and PostgresError where it holds something else;
    after either, begin with another connection.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        prepare(connection)
        with transaction(connection):
            self._partitions = partitions(connection)

    def held(self, writer: str) -> Held:
        """What there is of the ledger that calls itself `writer`."""
        entry, segment = entries.c, segments.c
        with transaction(self._connection):
            rows = self._connection.execute(
                select(segment.number, segment.first, segment.size, segment.sealed).where(segment.writer == writer)
            ).all()
            newest = self._newest(writer) or 0
            salt = self._connection.scalar(select(entry.salt).where(entry.writer == writer, entry.seq == newest))
        # Entries may have been pruned; the rows of their segments are still there.
        covered = max((row.first + row.size - 2 for row in rows if row.size), default=0)
        arrived = {row.number: (row.size, row.sealed) for row in rows}
        return Held(max(newest, covered), salt if newest >= covered else None, arrived)

    def take(self, parcel: Parcel, after: int) -> None:
        """Take a parcel in; it is there when this returns. `after` is the `seq` up to which everything was there
        already: PostgresError where somebody else has brought more under this ledger's name."""
        months = {month(line["at"]) for line in parcel.lines}
        if {named(one) for one in months} - self._partitions:
            partition(self._connection, months)
            self._partitions |= {named(one) for one in months}
        with transaction(self._connection):
            if parcel.lines:
                self._alone(parcel.segment.writer, after)
                lines = orjson.dumps(parcel.lines).decode()
                self._connection.execute(_ENTRIES, {"writer": parcel.segment.writer, "lines": lines})
            if parcel.segment.pruned:
                self._connection.execute(_within(parcel.segment))
            self._connection.execute(_SEGMENT, parcel.segment._asdict())

    def _alone(self, writer: str, after: int) -> None:
        """From here to the end of the transaction nobody else brings anything of this ledger, nor has anybody before.
        An entry with the same number and another time would be one more, for `at` is a part of the key."""
        self._connection.execute(_ALONE, {"number": int.from_bytes(bytes.fromhex(writer)[:8], signed=True)})
        if (self._newest(writer) or 0) > after:
            raise PostgresError(f"{place(self._connection.engine.url)}: somebody else ships the records of {writer}")

    def _newest(self, writer: str) -> int | None:
        newest: int | None = self._connection.scalar(select(func.max(entries.c.seq)).where(entries.c.writer == writer))
        return newest


def _within(segment: SegmentRow) -> Delete:
    """Away with what arrived of a segment of which the rest never will."""
    last = segment.first + segment.size - 2
    return delete(entries).where(entries.c.writer == segment.writer, entries.c.seq.between(segment.first, last))
