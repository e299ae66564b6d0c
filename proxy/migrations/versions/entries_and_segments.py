"""The first tables: entries, partitioned by the month of `at`, and segments with their signed checkpoints."""

from alembic import op

revision = "1"
down_revision = None

STATEMENTS = (
    """CREATE TABLE countermark_entries (
        writer TEXT NOT NULL, seq BIGINT NOT NULL, id TEXT NOT NULL, state TEXT NOT NULL, at BIGINT NOT NULL,
        salt BYTEA NOT NULL, body BYTEA NOT NULL, terms BIGINT[] NOT NULL,
        PRIMARY KEY (writer, seq, at)) PARTITION BY RANGE (at)""",
    "CREATE INDEX countermark_entries_by_id ON countermark_entries (id)",
    "CREATE INDEX countermark_entries_by_at ON countermark_entries (at)",
    "CREATE INDEX countermark_entries_by_terms ON countermark_entries USING gin (terms)",
    """CREATE TABLE countermark_segments (
        writer TEXT NOT NULL, number BIGINT NOT NULL, first BIGINT NOT NULL, begun BIGINT NOT NULL,
        size BIGINT NOT NULL, note TEXT NOT NULL, sealed BOOLEAN NOT NULL, pruned BOOLEAN NOT NULL,
        PRIMARY KEY (writer, number))""",
)


def upgrade() -> None:
    """From nothing."""
    for statement in STATEMENTS:
        op.execute(statement)
