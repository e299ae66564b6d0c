"""Whether a ledger's file can be searched: the index holds the terms of every entry, and of nothing else.

Law: what `verify` has seen of the entries is summed up, then the index is, and where the sums differ, both are read
again and what differs is named. The sums depend on a number that is drawn for each audit, so that nobody can have made
a wrong index that sums up to the same.

An entry whose terms are gone is still there and under its checkpoint, and no search leads to it.
"""

import secrets
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from proxy.archive import ArchiveError
from proxy.record.exchange import Record, RecordError, decode
from proxy.record.fault import Fault, Finding, span
from proxy.record.terms import terms

__all__ = ["IndexAudit"]

_SHIFT: Final = 8  # entries are summed up 256 at a time
_MOST: Final = 100  # sums that differ are looked into, the first ones
_MASK: Final = (1 << 64) - 1


class IndexAudit:
    """The audit of one file's index. `see` each entry, then ask for the `findings`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._nonce = secrets.randbits(60)
        self._sums: defaultdict[int, int] = defaultdict(int)
        self._last = 0
        self._writer = ""

    def see(self, writer: str, seq: int, record: Record) -> None:
        """An entry, which holds this record."""
        self._writer = writer
        self._last = max(self._last, seq)
        nonce = self._nonce
        self._sums[seq >> _SHIFT] += sum([hash((term, seq, nonce)) for term in terms(record)])

    def findings(self) -> list[Finding]:
        """What is wrong with the index, of the entries that were seen. Raises ArchiveError."""
        try:
            with closing(self._connected()) as connection:
                return list(self._compared(connection))
        except sqlite3.Error as error:
            raise ArchiveError(f"{self._path}: {error}") from error

    def _compared(self, connection: sqlite3.Connection) -> Iterator[Finding]:
        nonce, sums = self._nonce, defaultdict(int, self._sums)
        # What lies below the mark was removed, and its terms may be on their way.
        kept = _kept(connection)
        lowest = kept >> _SHIFT
        for seq, term in self._terms(connection, kept):
            sums[seq >> _SHIFT] -= hash((term, seq, nonce))
        differing = sorted(part for part, total in sums.items() if total & _MASK and part >= lowest)
        if not differing:
            return
        looked = frozenset(differing[:_MOST])
        there: defaultdict[int, set[int]] = defaultdict(set)
        for seq, term in self._terms(connection, kept):
            if seq >> _SHIFT in looked:
                there[seq].add(term)
        for part in differing[:_MOST]:
            yield from self._part(connection, part, kept, there)
        if len(differing) > _MOST:
            first, last = differing[_MOST] << _SHIFT, min(((differing[-1] + 1) << _SHIFT) - 1, self._last)
            yield self._finding(first, last, "the index is wrong for some of them as well")

    def _part(
        self, connection: sqlite3.Connection, part: int, kept: int, there: dict[int, set[int]]
    ) -> Iterator[Finding]:
        first = max(part << _SHIFT, kept)
        last = min(((part + 1) << _SHIFT) - 1, self._last)
        rows = connection.execute("SELECT seq, body FROM entries WHERE seq BETWEEN ? AND ?", (first, last))
        bodies = dict(rows.fetchall())
        kept = _kept(connection)  # what went since the index was read is not missing
        for seq in sorted(bodies.keys() | {seq for seq in there if first <= seq <= last}):
            found = there.get(seq, set())
            if seq < kept:
                continue
            if seq not in bodies:
                yield self._finding(seq, seq, "it is in the index, and there is no such entry")
                continue
            try:
                due = set(terms(decode(bodies[seq])))
            except RecordError:
                continue  # it is named as no record already
            if due - found:
                what = f"{len(due - found)} of the {len(due)} terms that it is found by are not in the index"
                yield self._finding(seq, seq, what)
            if found - due:
                what = f"{len(found - due)} terms of the index lead to it that are not its own"
                yield self._finding(seq, seq, what)

    def _terms(self, connection: sqlite3.Connection, kept: int) -> Iterator[tuple[int, int]]:
        """All of the index that is about what was seen, in pages: a read that lasts keeps the log from being folded."""
        last = (-(2**63), -(2**63))
        page = """SELECT seq, term FROM terms WHERE (term, seq) > (?, ?) ORDER BY term, seq LIMIT 20000"""
        while rows := connection.execute(page, last).fetchall():
            for seq, term in rows:
                if kept <= seq <= self._last:
                    yield seq, term
            last = rows[-1][::-1]

    def _finding(self, first: int, last: int, what: str) -> Finding:
        return Finding(Fault.INDEX, self._writer, None, first, last, "", f"{span(first, last)}: {what}")

    def _connected(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def _kept(connection: sqlite3.Connection) -> int:
    """The lowest ``seq`` that was not pruned. What the mark says is looked at in audit_guards.py."""
    return int(connection.execute("SELECT ifnull(min(first), 1) FROM segments WHERE NOT pruned").fetchone()[0])
