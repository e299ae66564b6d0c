"""Removing the oldest months from the shared database, once their records need not be kept any longer.

Law: a month goes whole, as its partition, and takes with it every segment of which it holds something: so each segment
is there whole or not at all, and its checkpoint stays for ever. Nothing goes of a segment that has a record that is too
young, or that is neither sealed nor the last of its writer's. Nobody seals the last one of a replica that is gone for
good: it ends here.

A month is one transaction, under the lock that partitions are made under; who ships or reads meanwhile waits for it.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, select, text, update

from proxy.postgres_engine import PostgresError, connected, engine, place, transaction
from proxy.postgres_schema import HEAD, locked, named, partitions, span, version
from proxy.postgres_tables import entries, segments

__all__ = ["Dropped", "Pruning", "prune"]

_SECONDS: Final = 600.0
_LARGEST: Final = 2**63 - 1


class Dropped(NamedTuple):
    """A month that was removed, such as "2026-05": how many entries it had, and of how many segments."""

    month: str
    entries: int
    segments: int


class Pruning(NamedTuple):
    """What was removed, the oldest first, and why the next month was not."""

    dropped: tuple[Dropped, ...]
    because: str


class _Reach(NamedTuple):
    """The segments of one writer that go, and the `seq` of their first and their last entry."""

    writer: str
    numbers: list[int]
    first: int
    last: int


def prune(url: str, before: int, *, dry: bool = False, told: Callable[[Dropped], object] | None = None) -> Pruning:
    """Remove the months of which every record, and every record in the same segments, was made before `before`, Unix
    time in nanoseconds. `dry`: say it and do nothing. `told` is told of each month.

    Raises:
        PostgresError: the database cannot be reached or refuses, or has no such tables.
    """
    to = engine(url)
    dropped: list[Dropped] = []
    with connected(to) as connection:
        with transaction(connection):
            if version(connection) != HEAD:
                raise PostgresError(
                    f"{place(to.url)}: there are no records, or those of another version of this program"
                )
            months = sorted(map(_month, partitions(connection)))
        for month in months:
            with transaction(connection, _SECONDS):
                if not dry:
                    locked(connection)
                found = _removed(connection, month, before, dry=dry)
            if isinstance(found, str):
                return Pruning(tuple(dropped), found)
            dropped.append(found)
            if told is not None:
                told(found)
    return Pruning(tuple(dropped), "there is no month left")


def _removed(connection: Connection, month: int, before: int, *, dry: bool) -> Dropped | str:
    """Remove a month; why it stays, where it does."""
    name = f"{month // 12:04}-{month % 12 + 1:02}"
    if span(month)[1] > before:
        return f"{name} has records that are younger, or may get some"
    ranges = text(f"SELECT writer, min(seq), max(seq), count(*) FROM {named(month)} GROUP BY writer")  # noqa: S608
    reaches, count = [], 0
    for one, first, last, size in connection.execute(ranges).all():
        reach = _reach(connection, one, first, last, before)
        if isinstance(reach, str):
            return f"{name} {reach}"
        reaches.append(reach)
        count += size
    if not dry:
        for reach in reaches:
            _forget(connection, reach, month)
        connection.execute(text(f"DROP TABLE {named(month)}"))
    return Dropped(name, count, sum(len(reach.numbers) for reach in reaches))


def _reach(connection: Connection, writer: str, first: int, last: int, before: int) -> _Reach | str:
    """What must go with a writer's entries from `first` to `last`; why it must not, where it must not."""
    column = segments.c
    rows = connection.execute(
        select(column.number, column.first, column.begun, column.sealed, column.pruned)
        .where(column.writer == writer)
        .order_by(column.number)
    ).all()
    ends = [row.first - 1 for row in rows[1:]] + [_LARGEST]
    going = [(row, end) for row, end in zip(rows, ends, strict=True) if row.first <= last and not row.pruned]
    # When one ended is when the next began, which an audit can still tell when the entries are gone.
    ended = {end: row.begun for row, end in zip(rows[1:], ends, strict=False)}
    for row, end in going:
        if not row.sealed and end != _LARGEST:
            return f"has records of segment {row.number} of {writer}, which is not sealed"
        if max(row.begun, ended.get(end, 0)) >= before:
            return f"has records of segment {row.number} of {writer}, which is younger"
    low, high = min([first, *(row.first for row, _ in going)]), max([last, *(end for _, end in going)])
    young = entries.c.writer == writer, entries.c.seq.between(low, high), entries.c.at >= before
    if connection.scalar(select(entries.c.seq).where(*young).limit(1)) is not None:
        return f"has records of a segment of {writer} in which others are younger"
    return _Reach(writer, [row.number for row, _ in going], low, high)


def _forget(connection: Connection, reach: _Reach, month: int) -> None:
    """What a writer's segments have in other months goes too; their rows stay, and say so."""
    begin, end = span(month)
    mine = entries.c.writer == reach.writer, entries.c.seq.between(reach.first, reach.last)
    connection.execute(delete(entries).where(*mine, entries.c.at < begin))
    connection.execute(delete(entries).where(*mine, entries.c.at >= end))
    column = segments.c
    gone = column.writer == reach.writer, column.number.in_(reach.numbers)
    connection.execute(update(segments).where(*gone).values(pruned=True, sealed=True))


def _month(name: str) -> int:
    year, month = name.rsplit("_", 2)[1:]
    return int(year) * 12 + int(month) - 1
