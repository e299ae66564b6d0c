"""A ledger's own file, read while it is written or when its process is long gone.

Law: the file is opened for reading alone, and no question keeps a read open while its answer is looked at: a
write-ahead log can only be folded back into its file when nobody reads from it, and an audit takes minutes.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from proxy.archive import ArchiveError, Entry, Hits, Question, SegmentRow

__all__ = ["SqliteArchive"]

VERSION: Final = 2

_PAGE = 1024  # entries that are read at once
_COMMON = 10_000  # entries: what more of them have, is no way to find one
_NEWEST = 1_000  # entries of one term that count among many terms

# SQLite keeps anything in any column, and somebody may have been at it: what is read has the types of an Entry.
_TYPES = {"id": "TEXT", "state": "TEXT", "at": "INTEGER", "salt": "BLOB", "body": "BLOB"}
_ENTRY = ", ".join(("e.seq", *(f"CAST(e.{name} AS {kind})" for name, kind in _TYPES.items())))
_BY_TIME = "entries AS e INDEXED BY entries_by_at"
_HAS = "EXISTS (SELECT 1 FROM terms AS t WHERE t.term IN ({}) AND t.seq = e.seq)"


class SqliteArchive:
    """One writer's file: an ``Archive``. Any thread may ask, one at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection, writer: str) -> None:
        self.path = path
        self._connection = connection
        self._writer = writer

    @classmethod
    def open(cls, path: Path) -> "SqliteArchive":
        """The ledger at ``path``. Raises ArchiveError where it is none, or of another version."""
        if not path.is_file():
            raise ArchiveError(f"{path}: there is no such file")
        connection = None
        try:
            connection = _connected(path)
            version = _version(connection)
            if version is None:
                raise ArchiveError(f"{path}: a database, but not a ledger")
            if version < VERSION:
                raise ArchiveError(
                    f"{path}: a ledger of version {version}; start the proxy on it once, which brings it to {VERSION}"
                )
            if version > VERSION:
                raise ArchiveError(f"{path}: a ledger of version {version}; this program reads version {VERSION}")
            row = connection.execute("SELECT value FROM ledger WHERE name = 'writer'").fetchone()
            if row is None:
                raise ArchiveError(f"{path}: the ledger does not say who wrote it")
            return cls(path, connection, str(row[0]))
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, sqlite3.Error):
                raise ArchiveError(f"{path}: {error}") from error
            raise

    def writers(self) -> list[str]:
        return [self._writer]

    def segments(self, writer: str) -> list[SegmentRow]:
        if writer != self._writer:
            return []
        rows = self._rows("SELECT number, first, begun, size, note, sealed, pruned FROM segments ORDER BY number")
        return [
            SegmentRow(writer, number, first, begun, size, note, bool(sealed), bool(pruned))
            for number, first, begun, size, note, sealed, pruned in rows
        ]

    def entries(self, writer: str, first: int, last: int | None) -> Iterator[Entry]:
        if writer != self._writer:
            return
        end = "" if last is None else "AND e.seq <= ?"
        statement = f"SELECT {_ENTRY} FROM entries AS e WHERE e.seq >= ? {end} ORDER BY e.seq LIMIT {_PAGE}"  # noqa: S608
        while rows := self._rows(statement, first, *(() if last is None else (last,))):
            for row in rows:
                yield Entry(writer, *row)
            first = rows[-1][0] + 1

    def find(self, question: Question) -> Iterator[Entry]:
        statement, values = self._statement(question)
        for row in self._rows(statement, *values):
            yield Entry(self._writer, *row)

    def hits(self, terms: Iterable[int], most: int) -> list[Hits]:
        statement = f"SELECT seq FROM terms WHERE term = ? ORDER BY seq DESC LIMIT {_NEWEST}"  # noqa: S608
        counts: Counter[int] = Counter()
        try:
            for term in terms:
                counts.update(seq for (seq,) in self._connection.execute(statement, (term,)))
        except sqlite3.Error as error:
            raise ArchiveError(f"{self.path}: {error}") from error
        return [Hits(self._writer, seq, count) for seq, count in counts.most_common(most)]

    def count(self) -> int:
        return int(self._rows("SELECT count(*) FROM entries")[0][0])

    def marks(self) -> dict[str, int | str]:
        """What the file says of itself, by name: ``shipped``, the ``seq`` up to which a database has its entries."""
        return dict(self._rows("SELECT name, value FROM ledger"))

    def close(self) -> None:
        self._connection.close()

    def _statement(self, question: Question) -> tuple[str, list[Any]]:
        """The rarest of what is asked for leads the way, and the rest is looked up for each that it leads to. Where
        all is common, time leads: the newest come first, and the search ends with the last one that is wanted."""
        conditions, values = _span(question)
        source = _BY_TIME
        if question.id:
            source = "entries AS e"
            conditions.append("e.id = ?")
            values.append(question.id)
        elif leading := self._leading(question):
            found = f"SELECT DISTINCT seq FROM terms WHERE term IN ({_marks(leading)})"  # noqa: S608
            source = f"({found}) AS l CROSS JOIN entries AS e"
            conditions.insert(0, "e.seq = l.seq")
            values[:0] = leading
        for terms in (*((term,) for term in question.all_of), question.any_of):
            if terms:
                conditions.append(_HAS.format(_marks(terms)))
                values += terms
        where = " AND ".join(conditions) or "e.at IS NOT NULL"
        order = "ORDER BY e.at DESC, e.seq DESC LIMIT ?"
        return f"SELECT {_ENTRY} FROM {source} WHERE {where} {order}", [*values, question.limit]  # noqa: S608

    def _leading(self, question: Question) -> tuple[int, ...]:
        """The terms of which the fewest entries have one; empty where there are none, or time leads to fewer."""
        choices = [(term,) for term in question.all_of] + [question.any_of] * bool(question.any_of)
        rarest, leading = min(((self._frequency(terms), terms) for terms in choices), default=(_COMMON, ()))
        conditions, values = _span(question)
        if conditions and rarest:
            spanned = f"SELECT 1 FROM entries AS e WHERE {' AND '.join(conditions)} LIMIT {rarest}"  # noqa: S608
            if self._rows(f"SELECT count(*) FROM ({spanned})", *values)[0][0] < rarest:  # noqa: S608
                return ()
        return leading if rarest < _COMMON else ()

    def _frequency(self, terms: Sequence[int]) -> int:
        """How many entries have one of these terms; it stops counting where they are too many to matter."""
        counted = f"SELECT 1 FROM terms WHERE term IN ({_marks(terms)}) LIMIT {_COMMON}"  # noqa: S608
        return int(self._rows(f"SELECT count(*) FROM ({counted})", *terms)[0][0])  # noqa: S608

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise ArchiveError(f"{self.path}: {error}") from error


def _marks(values: Sequence[int]) -> str:
    return ", ".join("?" * len(values))


def _span(question: Question) -> tuple[list[str], list[Any]]:
    """The condition that entries are of the time that is asked for, and its values."""
    bounds = dict(zip(("e.at >= ?", "e.at < ?"), question.span, strict=True))
    return [text for text, at in bounds.items() if at is not None], [at for at in bounds.values() if at is not None]


def _connected(path: Path) -> sqlite3.Connection:
    connection = _opened(path, "mode=ro")
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        if path.with_name(f"{path.name}-wal").exists():
            raise
        # On a disk or in a folder that cannot be written to, the log that a reader makes has no place. A file that has
        # none beside it is whole without one.
        return _opened(path, "mode=ro&immutable=1")
    return connection


def _opened(path: Path, how: str) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?{how}"
    connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
    # A text that is damaged is one to be shown, and not one to stop at.
    connection.text_factory = lambda data: data.decode(errors="replace")
    return connection


def _version(connection: sqlite3.Connection) -> int | None:
    """The version of the ledger's schema; None where this is no ledger."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not {"schema", "entries"} <= tables:
        return None
    return int(connection.execute("SELECT ifnull(max(version), 0) FROM schema").fetchone()[0])
