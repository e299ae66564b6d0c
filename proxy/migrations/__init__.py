"""How the tables in PostgreSQL came about: Alembic runs what lies in versions/, one file a step.

Law: a step that has been released is never edited; what a later program needs is one more file, and its name goes into
postgres_schema.HEAD. Steps are plain SQL, so that what a database went through does not change with the program.
"""
