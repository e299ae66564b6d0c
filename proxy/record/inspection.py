"""One segment of the ledger, gone through from its first entry to its last.

Law: each entry is looked at once, in its place, and nothing is kept of it but, of the first many, the salt, so that a
segment of any size is gone through in a bounded memory. Nothing that the entries say is believed: not their order, not
their columns, not that they are records.

With the secret, a salt tells for each entry whether it is what was written in its place. Without it, the tree's roots
tell between which two checkpoints something is not.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final, NamedTuple

from proxy.record.exchange import Record, RecordError, decode
from proxy.record.fault import Fault, Finding, span
from proxy.record.merkle import Frontier, leaf
from proxy.record.segment import place

__all__ = ["Holds", "Inspection", "Line"]

Line = tuple[str, int, str, str, int, bytes, bytes]
"""An entry as it lies there: its writer, seq, id, state, at, salt and body. Whatever they are said to be, they may be
anything where somebody has been at them."""

Holds = Callable[[bytes, bytes, bytes], bool]
"""Whether a place and a body have this salt."""

MOST: Final = 256
"""So many entries that do not belong in their places are looked for in each other's."""
SALTS: Final = 1 << 17
"""So many entries of a segment are known again where they are there twice."""

_NOWHERE: Final = 0


_BY_SALT: Final = frozenset({Fault.CHANGED, Fault.MOVED, Fault.REPEATED})


class _Stray(NamedTuple):
    seq: int
    id: str
    salt: bytes
    body: bytes


class Inspection:
    """A segment under inspection. `walk` goes through its entries, once; then the attributes say what was there.

    ``first`` is the ``seq`` of the first entry, ``before`` what leaf 0 holds (None where it is not known, so that no
    root is), ``sizes`` those at which the tree's root is wanted, ``last`` the ``seq`` at which a sealed segment ends.

    Attributes:
        roots: the root at each of the sizes that were reached with no entry missing.
        entries: how many entries there are.
        end: the ``seq`` after the last one.
    """

    def __init__(
        self,
        writer: str,
        number: int,
        first: int,
        before: bytes | None,
        sizes: Collection[int] = (),
        last: int | None = None,
        holds: Holds | None = None,
    ) -> None:
        self._writer, self._number, self._first, self._last = writer, number, first, last
        self._sizes = frozenset(sizes)
        self._holds = holds
        self._tree: Frontier | None = None if before is None else Frontier()
        self._salts: dict[bytes, int] = {}
        self._strays: list[_Stray] = []
        self._moves: list[tuple[int, int, str]] = []
        self._gaps: list[int] = []  # the first few places whose entries are missing
        self._offset = _NOWHERE  # how far the last stray stood from its place
        self._runs: dict[tuple[Fault, str], list[tuple[int, int, str]]] = {}
        self.roots: dict[int, bytes] = {}
        self.entries = 0
        self.end = first
        if self._tree is not None and before is not None:
            self._root()
            self._tree.add(leaf(before))
            self._root()

    def walk(self, lines: Iterable[Line], each: Callable[[int, Record], object] | None = None) -> None:
        """Go through the entries, in the order of their ``seq``; ``each`` is told of every one that holds a record."""
        first, holds, sizes, salts = self._first, self._holds, self._sizes, self._salts
        prefix = place(self._writer, self._number, 0)[:-8]
        for _, seq, id, state, at, salt, body in lines:
            self.entries += 1
            if seq != self.end:
                if seq < self.end:
                    self._tell(Fault.ADDED, "there under a number that another one has", seq, seq, id)
                    continue
                self._miss(self.end, seq - 1, "missing: the numbers before and after are there")
            self.end = seq + 1
            if self._last is not None and seq > self._last:
                what = "behind the end of the segment, which its last checkpoint says"
                if (
                    holds is not None
                    and type(body) is bytes
                    and holds(prefix + (seq - first + 1).to_bytes(8), body, salt)
                ):
                    what += "; it was written there, and nothing was signed for it"
                self._tell(Fault.ADDED, what, seq, seq, id)
                continue
            if type(salt) is not bytes or type(body) is not bytes:
                self._tell(Fault.UNREADABLE, "no bytes, and every record is", seq, seq, _named(id))
                salt = body = b""
            index = seq - first + 1
            if self._tree is not None:
                self._tree.add(leaf(salt + body))
                if index + 1 in sizes:
                    self._root()
            if holds is not None:
                if not holds(prefix + index.to_bytes(8), body, salt):
                    self._stray(_Stray(seq, _named(id), salt, body))
                elif index < SALTS:
                    salts[salt] = seq
            try:
                record = decode(body)
            except RecordError as error:
                self._tell(Fault.UNREADABLE, f"no record ({error})", seq, seq, _named(id))
                continue
            if record.id != id or record.state != state or record.at != at:
                wrong = [
                    name
                    for name, said, column in (
                        ("id", record.id, id),
                        ("state", record.state, state),
                        ("at", record.at, at),
                    )
                    if said != column
                ]
                what = f"filed under another {' and '.join(wrong)} than its record says"
                self._tell(Fault.DISAGREEING, what, seq, seq, record.id)
            if each is not None:
                each(seq, record)

    def miss_after(self, last: int, why: str) -> None:
        """Hold that the entries up to ``last`` were written; ``why`` says who says so."""
        if self.end <= last:
            self._miss(self.end, last, f"missing: {why}")
            self.end = last + 1

    def findings(self, sure: int = 0) -> list[Finding]:
        """What is wrong with single entries, in their order. Those up to the ``seq`` ``sure`` are under a checkpoint
        that fits: where a salt of theirs is strange to us, it was made with a secret that is not here any more."""
        for stray in self._strays:
            self._place(stray)
        self._strays.clear()
        sound = frozenset(self._salts.values())
        for seq, original, id in self._moves:
            if original in sound:
                self._tell(Fault.REPEATED, f"a copy of entry {original}, and not what was written there", seq, seq, id)
            else:
                where = f"{abs(seq - original)} {'behind' if seq > original else 'before'} where written"
                self._tell(Fault.MOVED, where, seq, seq, id)
        self._moves.clear()
        found = [
            Finding(
                fault,
                self._writer,
                self._number,
                first,
                last,
                id if first == last else "",
                f"segment {self._number}: {span(first, last, id)} {'is' if first == last else 'are'} {what}",
            )
            for (fault, what), runs in self._runs.items()
            for first, last, id in _merged(_behind(runs, sure) if fault in _BY_SALT else runs)
        ]
        return sorted(found, key=lambda finding: finding.first or 0)

    def _root(self) -> None:
        if self._tree is not None and self._tree.size in self._sizes:
            self.roots[self._tree.size] = self._tree.root()

    def _miss(self, first: int, last: int, what: str) -> None:
        self._tell(Fault.MISSING, what, first, last)
        self._gaps += range(first, min(last + 1, first + MOST - len(self._gaps)))
        self._tree = None  # no root can be right from here on

    def _stray(self, stray: _Stray) -> None:
        """An entry that does not belong in its place. Where many do, they were all moved by as much."""
        few = len(self._strays) < MOST
        for offset in (self._offset, 1, -1) if few else (self._offset,):
            if offset and self._belongs(stray, stray.seq - offset):
                self._offset = offset
                self._moves.append((stray.seq, stray.seq - offset, stray.id))
                return
        if few:
            self._strays.append(stray)
        else:
            self._tell(Fault.CHANGED, "not what was written there", stray.seq, stray.seq, stray.id)

    def _place(self, stray: _Stray) -> None:
        original = self._salts.get(stray.salt, 0)
        for seq in (original, *(other.seq for other in self._strays), *self._gaps):
            if self._belongs(stray, seq):
                self._moves.append((stray.seq, seq, stray.id))
                return
        self._tell(Fault.CHANGED, "not what was written there", stray.seq, stray.seq, stray.id)

    def _belongs(self, stray: _Stray, seq: int) -> bool:
        index = seq - self._first + 1
        if index < 1 or self._holds is None:
            return False
        return self._holds(place(self._writer, self._number, index), stray.body, stray.salt)

    def _tell(self, fault: Fault, what: str, first: int, last: int, id: str = "") -> None:
        runs = self._runs.setdefault((fault, what), [])
        if runs and runs[-1][1] == first - 1:
            runs[-1] = (runs[-1][0], last, "")
        else:
            runs.append((first, last, id))


def _behind(runs: Iterable[tuple[int, int, str]], sure: int) -> Iterator[tuple[int, int, str]]:
    return ((max(first, sure + 1), last, id) for first, last, id in runs if last > sure)


def _merged(runs: Iterable[tuple[int, int, str]]) -> Iterator[tuple[int, int, str]]:
    """Runs in their order, and those that have come to touch as one."""
    merged: list[tuple[int, int, str]] = []
    for first, last, id in sorted(runs):
        if merged and merged[-1][1] >= first - 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]), "")
        else:
            merged.append((first, last, id))
    return iter(merged)


def _named(id: object) -> str:
    return id if isinstance(id, str) else ""
