"""Whether a ledger's file still guards its entries: the triggers that let nobody change or remove one.

Law: the triggers are those that this program makes, word for word. Whoever changed an entry had to put them aside, and
an entry that is behind the last checkpoint shows no other trace.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from proxy.archive import ArchiveError
from proxy.record.fault import Fault, Finding
from proxy.record.schema import MIGRATIONS

__all__ = ["guards"]

_TRIGGERS: Final = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"


def guards(path: Path, writer: str) -> list[Finding]:
    """What is wrong with the triggers of the ledger at ``path``. Raises ArchiveError."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            there = dict(connection.execute(_TRIGGERS).fetchall())
    except sqlite3.Error as error:
        raise ArchiveError(f"{path}: {error}") from error
    due = _made()
    wrong = dict.fromkeys(due.keys() - there.keys(), "is gone")
    wrong |= dict.fromkeys(there.keys() - due.keys(), "is none of this program's")
    wrong |= {name: "was changed" for name in due.keys() & there.keys() if due[name] != there[name]}
    told = "the trigger {} of the file {}: nothing kept entries from being changed or removed since"
    return [
        Finding(Fault.GUARD, writer, None, None, None, "", told.format(name, how))
        for name, how in sorted(wrong.items())
    ]


def _made() -> dict[str, str]:
    """The triggers as they are made."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        # An empty ledger needs none of what they give, and SQLite wants to know of them.
        connection.create_function("salted", 4, lambda *_: b"")
        connection.create_function("termed", 1, lambda _: "[]")
        for statements in MIGRATIONS:
            for statement in statements:
                connection.execute(statement)
        return dict(connection.execute(_TRIGGERS).fetchall())
