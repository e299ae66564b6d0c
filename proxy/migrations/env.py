"""What Alembic runs to run the steps: on the connection that it was given, within the transaction that is under way."""

from alembic import context

from proxy.postgres_tables import METADATA, VERSIONS

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, version_table=VERSIONS)
context.run_migrations()
