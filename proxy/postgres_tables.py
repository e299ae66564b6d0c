"""The tables of the shared PostgreSQL, as SQLAlchemy Core knows them.

Law: an entry here is an entry of some writer's file, byte for byte, and is told from all others by (writer, seq); `at`
is part of the key only because PostgreSQL wants what it partitions by in there, and it never changes for an entry.

`writer` is the file's name for itself, 32 lower-case hex digits; `seq`, `first` and `number` count as they do in the
file; `at` and `begun` are Unix nanoseconds. Partitions by month are in postgres_schema.py, how the tables came about
in migrations/.
"""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

__all__ = ["METADATA", "VERSIONS", "entries", "segments"]

METADATA: Final = MetaData()

VERSIONS: Final = "countermark_version"
"""The table in which Alembic keeps how far the tables have come."""

entries: Final = Table(
    "countermark_entries",
    METADATA,
    Column("writer", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("salt", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    # What it is found by: see record/terms.py.
    Column("terms", ARRAY(BigInteger), nullable=False),
    Index("countermark_entries_by_id", "id"),
    Index("countermark_entries_by_at", "at"),
    Index("countermark_entries_by_terms", "terms", postgresql_using="gin"),
    postgresql_partition_by="RANGE (at)",
)

segments: Final = Table(
    "countermark_segments",
    METADATA,
    Column("writer", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("first", BigInteger, nullable=False),
    Column("begun", BigInteger, nullable=False),
    # As many leaves as `note` covers; every entry under it is here, unless the segment is pruned.
    Column("size", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    Column("sealed", Boolean, nullable=False),
    Column("pruned", Boolean, nullable=False),
)
