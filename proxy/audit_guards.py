"""Whether a ledger's file still guards its entries: the triggers that let nobody change or remove one, and the marks.

Law: the triggers are those that this program makes, word for word. Whoever changed an entry had to put them aside, and
an entry that is behind the last checkpoint shows no other trace. The mark `kept`, below which they let go of entries,
is where the oldest segment begins that was not pruned; and there always is one that grows.
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
_MARKS: Final = """
    SELECT (SELECT value FROM ledger WHERE name = 'kept'), (SELECT min(first) FROM segments WHERE NOT pruned),
        (SELECT ifnull(max(seq), 0) FROM entries), (SELECT NOT sealed FROM segments ORDER BY number DESC LIMIT 1),
        (SELECT value FROM ledger WHERE name = 'settled')"""


def guards(path: Path, writer: str) -> list[Finding]:
    """What is wrong with the triggers of the ledger at ``path``. Raises ArchiveError."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            there = dict(connection.execute(_TRIGGERS).fetchall())
            kept, first, last, grows, settled = connection.execute(_MARKS).fetchone()
    except sqlite3.Error as error:
        raise ArchiveError(f"{path}: {error}") from error
    due = _made()
    wrong = dict.fromkeys(due.keys() - there.keys(), "is gone")
    wrong |= dict.fromkeys(there.keys() - due.keys(), "is none of this program's")
    wrong |= {name: "was changed" for name in due.keys() & there.keys() if due[name] != there[name]}
    told = "the trigger {} of the file {}: nothing kept entries from being changed or removed since"
    found = [told.format(name, how) for name, how in sorted(wrong.items())]
    if not grows:
        found.append("no segment is there that grows: the end of the file was removed")
    elif kept != first:
        found.append(
            f"the mark below which entries may be removed is {kept}, and those from {first} on were not pruned"
        )
    if type(settled) is not int or not 0 <= settled <= max(last, first or 1):
        found.append(f"the mark up to which streams are closed is {settled}, and the last entry is {last}")
    return [Finding(Fault.GUARD, writer, None, None, None, "", one) for one in found]


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
