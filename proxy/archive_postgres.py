"""The database that many ledgers ship to, read.

Law: as in archive_sqlite.py, nothing is changed and no question stays open while its answer is looked at. The tables
are those of postgres_tables.py.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Connection, Engine, Select, cast, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from proxy.archive import ArchiveError, Entry, Hits, Question, SegmentRow
from proxy.postgres_engine import PostgresError, connected, engine, place, transaction
from proxy.postgres_tables import entries, segments

__all__ = ["PostgresArchive"]

_PAGE = 4096  # entries that are read at once
_NEWEST = 20_000  # entries that are looked into for many terms
_PATIENCE = 120.0  # seconds for an answer
_UNDEFINED_TABLE = "42P01"  # PostgreSQL, appendix A

_ENTRY: Final = (
    entries.c.writer,
    entries.c.seq,
    entries.c.id,
    entries.c.state,
    entries.c.at,
    entries.c.salt,
    entries.c.body,
)


class PostgresArchive:
    """All writers' records: an ``Archive``. Any thread may ask."""

    def __init__(self, to: Engine) -> None:
        self._engine = to

    @classmethod
    def open(cls, url: str) -> "PostgresArchive":
        """The database at ``postgresql://...``. Raises ArchiveError where there is none, or no records are in it."""
        try:
            archive = cls(engine(url))
        except PostgresError as error:
            raise ArchiveError(str(error)) from None
        archive.writers()
        return archive

    def writers(self) -> list[str]:
        return [row.writer for row in self._rows(select(segments.c.writer).distinct().order_by(segments.c.writer))]

    def segments(self, writer: str) -> list[SegmentRow]:
        columns = (segments.c[name] for name in SegmentRow._fields)
        asked = select(*columns).where(segments.c.writer == writer).order_by(segments.c.number)
        return [SegmentRow(*row) for row in self._rows(asked)]

    def entries(self, writer: str, first: int, last: int | None) -> Iterator[Entry]:
        try:
            with connected(self._engine) as connection:
                while True:
                    asked = select(*_ENTRY).where(entries.c.writer == writer, entries.c.seq >= first)
                    if last is not None:
                        asked = asked.where(entries.c.seq <= last)
                    page = _asked(connection, asked.order_by(entries.c.seq).limit(_PAGE))
                    yield from map(_entry, page)
                    if len(page) < _PAGE:
                        return
                    first = page[-1].seq + 1
        except PostgresError as error:
            raise ArchiveError(str(error)) from None

    def find(self, question: Question) -> Iterator[Entry]:
        asked = select(*_ENTRY).order_by(entries.c.at.desc(), entries.c.seq.desc()).limit(question.limit)
        for row in self._rows(asked.where(*_conditions(question))):
            yield _entry(row)

    def hits(self, terms: Iterable[int], most: int) -> list[Hits]:
        wanted = _bigints(terms)
        near = (
            select(entries.c.writer, entries.c.seq, entries.c.terms)
            .where(entries.c.terms.overlap(wanted))
            .order_by(entries.c.at.desc())
            .limit(_NEWEST)
            .subquery()
        )
        one = func.unnest(near.c.terms).table_valued("term").render_derived()
        held = (
            select(func.count()).select_from(one).where(one.c.term == func.any(wanted)).scalar_subquery().label("held")
        )
        asked = select(near.c.writer, near.c.seq, held).order_by(held.desc()).limit(most)
        return [Hits(*row) for row in self._rows(asked)]

    def count(self) -> int:
        return int(self._rows(select(func.count()).select_from(entries))[0][0])

    def close(self) -> None:
        self._engine.dispose()

    def _rows(self, asked: Select[Any]) -> list[Any]:
        try:
            with connected(self._engine) as connection:
                return _asked(connection, asked)
        except PostgresError as error:
            if getattr(getattr(error.__cause__, "orig", None), "sqlstate", "") == _UNDEFINED_TABLE:
                raise ArchiveError(f"{place(self._engine.url)}: nothing has been shipped there yet") from None
            raise ArchiveError(str(error)) from None


def _asked(connection: Connection, asked: Select[Any]) -> list[Any]:
    with transaction(connection, _PATIENCE):
        return list(connection.execute(asked))


def _conditions(question: Question) -> Iterator[ColumnElement[bool]]:
    if question.id:
        yield entries.c.id == question.id
    if question.any_of:
        yield entries.c.terms.overlap(_bigints(question.any_of))
    if question.all_of:
        yield entries.c.terms.contains(_bigints(question.all_of))
    since, until = question.span
    if since is not None:
        yield entries.c.at >= since
    if until is not None:
        yield entries.c.at < until


def _bigints(terms: Iterable[int]) -> ColumnElement[Any]:
    return cast(literal(list(terms), ARRAY(BigInteger)), ARRAY(BigInteger))


def _entry(row: Any) -> Entry:
    return Entry(row.writer, row.seq, row.id, row.state, row.at, bytes(row.salt), bytes(row.body))
