"""Records read again, the same from a ledger's own file and from the database that many ship to.

Law: reading changes nothing, and holds back nobody who writes. What is read is what lies there, whole or damaged:
whoever needs it to be sound looks into it.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, Protocol

__all__ = ["Archive", "ArchiveError", "Entry", "Hits", "Question", "SegmentRow", "is_database", "open_archive"]

_LATEST: Final = (1 << 63) - 1  # nanoseconds: what fits into a database, and into no year after 2262

_SCHEMES = ("postgresql://", "postgresql+psycopg://")


class ArchiveError(Exception):
    """The records cannot be read; the message says where, why, and what to do, and quotes no password."""


class Entry(NamedTuple):
    """One entry as it lies there. ``at`` is Unix time in nanoseconds, ``body`` the bytes that ``encode`` made."""

    writer: str
    seq: int
    id: str
    state: str
    at: int
    salt: bytes
    body: bytes


class SegmentRow(NamedTuple):
    """One segment of one writer. ``first`` is the ``seq`` of its first entry, ``begun`` Unix time in nanoseconds,
    ``size`` the leaves under ``note``, its latest signed checkpoint, which is empty where there is none yet."""

    writer: str
    number: int
    first: int
    begun: int
    size: int
    note: str
    sealed: bool
    pruned: bool


class Question(NamedTuple):
    """What entries are looked for: all that is given must hold. ``id`` is an exchange's; of the terms ``any_of`` one
    at least, and all of ``all_of``; from ``since`` up to, and without, ``until`` (Unix time in nanoseconds)."""

    id: str = ""
    any_of: tuple[int, ...] = ()
    all_of: tuple[int, ...] = ()
    since: int | None = None
    until: int | None = None
    limit: int = 100

    @property
    def span(self) -> tuple[int | None, int | None]:
        """``since`` and ``until`` as a database can hold them: no entry is older, or younger, than that."""
        return _held(self.since), _held(self.until)


class Hits(NamedTuple):
    """An entry, and how many of the terms it has."""

    writer: str
    seq: int
    terms: int


class Archive(Protocol):
    """Records that can be read. Every call raises ArchiveError where they cannot."""

    def writers(self) -> list[str]:
        """Whose records these are: 32 hex digits for each ledger, in their order."""
        ...

    def segments(self, writer: str) -> list[SegmentRow]:
        """A writer's segments, by their numbers."""
        ...

    def entries(self, writer: str, first: int, last: int | None) -> Iterator[Entry]:
        """A writer's entries with these ``seq``, both included (None: to the end), in their order, a few at a time."""
        ...

    def find(self, question: Question) -> Iterator[Entry]:
        """The entries that are asked for, newest first: by ``at``, then by ``seq``. Terms are short: look into what
        they have found."""
        ...

    def hits(self, terms: Iterable[int], most: int) -> list[Hits]:
        """The entries that have several of these terms, those with the most first, ``most`` of them at most. Of a term
        that very many entries have, only the newest count."""
        ...

    def count(self) -> int:
        """How many entries there are."""
        ...

    def close(self) -> None:
        """Let go. A second call does nothing."""
        ...


def is_database(place: str) -> bool:
    """Whether this is the address of a database, and not a file's name."""
    return place.startswith(_SCHEMES)


def open_archive(place: Path | str) -> Archive:
    """The records at a path (a ledger's file) or a URL (``postgresql://...``). Raises ArchiveError."""
    # Imported here: who reads a file needs none of what a database needs.
    if isinstance(place, str) and is_database(place):
        try:
            from proxy.archive_postgres import PostgresArchive
        except ImportError as error:
            raise ArchiveError(
                f"to read from PostgreSQL, {error.name} is missing: pip install 'countermark[postgres]'"
            ) from None
        return PostgresArchive.open(place)
    from proxy.archive_sqlite import SqliteArchive

    return SqliteArchive.open(Path(place))


def _held(at: int | None) -> int | None:
    return None if at is None else max(-_LATEST, min(at, _LATEST))
