"""An audit of the ledger: whether it holds what was written, all of it, in its order, and nothing else.

Law: every entry of every writer is read once, and what is found is named. Up to the last checkpoint of a segment no
entry can be changed, moved, removed or added unseen by whoever has the public key. What lies behind the latest
checkpoint of all is only sure where that checkpoint, or a later one, was exported: a file that ends earlier than it did
looks like one that has not grown yet.

Nothing that was read is kept: an audit of a million entries takes the memory of one segment. It may run while others
write and prune.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from proxy.archive import Archive, Entry, SegmentRow
from proxy.notary import Notary, NoteError, verified
from proxy.record.checkpoint import Checkpoint, origin, parse_origin
from proxy.record.exchange import Record
from proxy.record.fault import Fault, Finding, span
from proxy.record.inspection import Inspection
from proxy.record.segment import beginning, place

__all__ = ["Report", "verify"]

STEP: Final = 1024
"""Entries between two words about how far it is, and between two looks at whether a new segment has begun."""

_LOWEST: Final = -(2**63)
_WRITER: Final = re.compile("[0-9a-f]{32}")


class Report(NamedTuple):
    """What an audit found, and how much it went through. ``entries`` were read; ``behind`` of them are not under a
    checkpoint yet; ``pruned`` of the ``segments`` have no entries any more; of the exported checkpoints ``compared``
    were held against the entries, and ``beyond`` belong to segments that are pruned."""

    findings: tuple[Finding, ...]
    writers: int
    segments: int
    pruned: int
    entries: int
    behind: int
    compared: int
    beyond: int


def verify(
    archive: Archive,
    notary: Notary | None,
    publics: Sequence[bytes],
    exported: Sequence[str] = (),
    *,
    young: int | None = None,
    each: Callable[[str, int, Record], object] | None = None,
    progress: Callable[[int], object] | None = None,
) -> Report:
    """Go through all that an archive holds.

    Args:
        archive: what to go through.
        notary: who knows the salts; None where the secret is not at hand, and changed entries are named by ranges.
        publics: the public keys (32 bytes each) that may have signed checkpoints.
        exported: checkpoints (notes) that were kept elsewhere.
        young: Unix time in nanoseconds; a segment that began later should not have been pruned.
        each: told of every entry that holds a record: its writer, its ``seq``, the record.
        progress: told how many more entries have been read, now and then.

    Raises:
        ArchiveError: it cannot be read.
    """
    return _Audit(archive, notary, publics, young, each, progress).report(exported)


class _Audit:
    """One audit under way."""

    def __init__(
        self,
        archive: Archive,
        notary: Notary | None,
        publics: Sequence[bytes],
        young: int | None,
        each: Callable[[str, int, Record], object] | None,
        progress: Callable[[int], object] | None,
    ) -> None:
        self._archive = archive
        self._holds = None if notary is None else notary.holds
        self._publics = tuple(publics)
        self._young, self._each, self._progress = young, each, progress
        self._found: list[Finding] = []
        self._exported: dict[tuple[str, int], list[Checkpoint]] = defaultdict(list)
        self._segments = self._pruned = self._entries = self._behind = self._compared = self._beyond = 0

    def report(self, exported: Sequence[str]) -> Report:
        for number, note in enumerate(exported, 1):
            self._take(number, note)
        writers = self._archive.writers()
        for writer in writers:
            if _WRITER.fullmatch(writer):
                self._writer(writer)
            else:
                self._tell(Fault.SEGMENT, writer, None, f"{writer!r} is no name of a writer, which has 32 hex digits")
        for (writer, number), checkpoints in self._exported.items():
            size = max(checkpoint.size for checkpoint in checkpoints)
            known = f"the segment {number} of writer {writer}" if writer in writers else f"the writer {writer}"
            told = f"{known} is not there, and an exported checkpoint is for {max(size - 1, 0)} of its entries"
            self._tell(Fault.MISSING, writer, number, told)
        return Report(
            tuple(self._found),
            len(writers),
            self._segments,
            self._pruned,
            self._entries,
            self._behind,
            self._compared,
            self._beyond,
        )

    def _take(self, number: int, note: str) -> None:
        """An exported checkpoint, to be compared later."""
        try:
            checkpoint = verified(note, self._publics)
            self._exported[parse_origin(checkpoint.origin)].append(checkpoint)
        except NoteError as error:
            self._tell(Fault.CHECKPOINT, "", None, f"the exported checkpoint {number} cannot be believed: {error}")

    def _writer(self, writer: str) -> None:
        """All of one writer's segments, and what lies outside of them."""
        rows: list[SegmentRow] = []
        for row in self._archive.segments(writer):
            if _is_whole(row):
                rows.append(row)
            else:
                self._tell(Fault.SEGMENT, writer, None, f"segment {row.number}: the row of the segment is damaged")
        self._outside(writer, rows[0].first - 1 if rows else None)
        former: SegmentRow | None = None
        for position, row in enumerate(rows):
            later = rows[position + 1] if position + 1 < len(rows) else None
            self._follows(row, former, later)
            known = row.number == (0 if former is None else former.number + 1)
            before = beginning("" if former is None else former.note, row.begun) if known else None
            self._segment(row, before, later)
            former = row

    def _outside(self, writer: str, last: int | None) -> None:
        """Entries that belong to no segment."""
        outside = [entry.seq for entry in islice(self._archive.entries(writer, _LOWEST, last), STEP)]
        if outside:
            told = f"{span(outside[0], outside[-1])} of writer {writer}, {len(outside)} or more, belong to no segment"
            self._tell(Fault.ADDED, writer, None, told, outside[0], outside[-1])

    def _follows(self, row: SegmentRow, former: SegmentRow | None, later: SegmentRow | None) -> None:
        """Whether a segment stands where it should among the others."""
        number, writer = row.number, row.writer
        due = 0 if former is None else former.number + 1
        if number != due:
            which = f"segment {due}" if number == due + 1 else f"segments {due} to {number - 1}"
            self._tell(Fault.SEGMENT, writer, due, f"{which} missing: there is nothing before segment {number}")
        elif former is not None and row.first != former.first + former.size - 1:
            told = f"begins with entry {row.first}, and segment {due - 1} ended with {former.first + former.size - 2}"
            self._tell(Fault.SEGMENT, writer, number, f"segment {number}: {told}")
        if later is not None and not row.sealed:
            self._tell(Fault.SEGMENT, writer, number, f"segment {number}: not sealed, and segment {later.number} began")
        if row.pruned and former is not None and not former.pruned:
            self._tell(Fault.PRUNED, writer, number, f"segment {number}: pruned, and the one before is not")
        # In a shared database the last segment of a replica that is gone for good may be pruned too.
        if row.pruned and not row.sealed:
            self._tell(Fault.PRUNED, writer, number, f"segment {number}: pruned before it ended")
        elif row.pruned and self._young is not None and max(row.begun, later.begun if later else 0) > self._young:
            self._tell(Fault.PRUNED, writer, number, f"segment {number}: pruned while its entries had to be kept")
        elif row.pruned and later is not None and not (later.note or later.pruned):
            told = f"segment {number}: pruned, and nothing is signed behind it that would tell when it ended"
            self._tell(Fault.PRUNED, writer, number, told)

    def _segment(self, row: SegmentRow, before: bytes | None, later: SegmentRow | None) -> None:
        """One segment, from its checkpoint to its last entry."""
        self._segments += 1
        noted = self._noted(row)
        exported = self._exported.pop((row.writer, row.number), [])
        if row.pruned:
            self._pruned += 1
            self._without_entries(row, noted, exported, later)
            return
        sizes = {checkpoint.size for checkpoint in (*exported, *([noted] if noted else []))}
        last = row.first + row.size - 2 if row.sealed and noted else None
        walk = Inspection(row.writer, row.number, row.first, before, sizes, last, self._holds)
        each = self._each
        lines = self._counted(self._of(row, later))
        walk.walk(lines, None if each is None else lambda seq, record: each(row.writer, seq, record))
        if walk.entries < row.size - 1 and self._has_been_pruned(row):
            self._pruned += 1  # while we looked on
            self._beyond += len(exported)
            return
        if noted is not None:
            walk.miss_after(row.first + noted.size - 2, "the checkpoint of the segment says that they were written")
        for checkpoint in exported:
            told = f"a checkpoint over {checkpoint.size - 1} entries, exported, says that they were written"
            walk.miss_after(row.first + checkpoint.size - 2, told)
        promises = [(checkpoint, "an exported checkpoint") for checkpoint in exported]
        if noted is not None:
            promises.append((noted, "the checkpoint of the segment"))
        kept = [promise.size for promise, _ in promises if walk.roots.get(promise.size) == promise.root]
        single = walk.findings(row.first + max(kept, default=1) - 2)
        self._found += single
        self._compared += len(exported)
        if not row.sealed:
            self._behind += max(0, walk.entries - max(0, row.size - 1))
        self._roots(row, walk.roots, promises, is_sound=self._holds is not None and not single)

    def _noted(self, row: SegmentRow) -> Checkpoint | None:
        """The checkpoint of a segment, when it can be believed."""
        if not row.note:
            if row.sealed or row.size:
                self._tell(Fault.CHECKPOINT, row.writer, row.number, f"segment {row.number}: its checkpoint is gone")
            return None
        try:
            checkpoint = verified(row.note, self._publics)
        except NoteError as error:
            told = f"segment {row.number}: its checkpoint cannot be believed: {error}"
            self._tell(Fault.CHECKPOINT, row.writer, row.number, told)
            return None
        if checkpoint.origin != origin(row.writer, row.number):
            told = f"segment {row.number}: its checkpoint is that of {checkpoint.origin}"
        elif checkpoint.size != row.size:
            told = f"segment {row.number}: its checkpoint is for {checkpoint.size} leaves, its row says {row.size}"
        else:
            return checkpoint
        self._tell(Fault.CHECKPOINT, row.writer, row.number, told)
        return None

    def _without_entries(
        self, row: SegmentRow, noted: Checkpoint | None, exported: Sequence[Checkpoint], later: SegmentRow | None
    ) -> None:
        """A segment that was pruned: what is left of it is its checkpoint, and entries that are on their way out."""
        added = [one.seq for one in self._of(row, later) if not self._was_here(row, one)]
        if added:
            told = f"segment {row.number}: pruned, and among {span(added[0], added[-1])} are {len(added)} never written"
            self._tell(Fault.ADDED, row.writer, row.number, told, added[0], added[-1])
        for checkpoint in exported:
            if noted is None or checkpoint.size < noted.size:
                self._beyond += 1
                continue
            self._compared += 1
            if checkpoint != noted:
                told = f"segment {row.number}: pruned, and its checkpoint is not the one that was exported"
                self._tell(Fault.CHECKPOINT, row.writer, row.number, told)

    def _was_here(self, row: SegmentRow, entry: Entry) -> bool:
        if self._holds is None:
            return True
        if type(entry.body) is not bytes:
            return False
        return self._holds(place(row.writer, row.number, entry.seq - row.first + 1), entry.body, entry.salt)

    def _of(self, row: SegmentRow, later: SegmentRow | None) -> Iterator[Entry]:
        """A segment's entries. The newest one ends where the next begins, which it may do while we read."""
        last = None if later is None else later.first - 1
        entries = self._archive.entries(row.writer, row.first, last)
        if later is not None:
            yield from entries
            return
        while block := list(islice(entries, STEP)):
            begun = [one.first for one in self._archive.segments(row.writer) if one.number > row.number]
            yield from (entry for entry in block if not begun or entry.seq < min(begun))
            if begun:
                return

    def _counted(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        while block := list(islice(entries, STEP)):
            yield from block
            self._entries += len(block)
            if self._progress is not None:
                self._progress(len(block))

    def _has_been_pruned(self, row: SegmentRow) -> bool:
        return any(one.pruned for one in self._archive.segments(row.writer) if one.number == row.number)

    def _roots(
        self, row: SegmentRow, roots: dict[int, bytes], promises: list[tuple[Checkpoint, str]], *, is_sound: bool
    ) -> None:
        """Hold checkpoints against the tree: between the last that fits and the first that does not is the fault."""
        promises.sort(key=lambda promise: promise[0].size)
        sure, fits = 1, any(roots.get(one.size) == one.root for one, _ in promises)
        for checkpoint, who in promises:
            root = roots.get(checkpoint.size)
            if root == checkpoint.root:
                sure = max(sure, checkpoint.size)
            elif root is not None:
                first, last = row.first + sure - 1, row.first + checkpoint.size - 2
                told = (
                    f"segment {row.number}: {who} over {checkpoint.size - 1} entries was not signed for what is there"
                )
                if fits and is_sound:
                    told += ": its entries are sound, and another copy of this ledger has grown by itself"
                elif is_sound or last < first:
                    told += ": its entries are sound; when it began, or the last checkpoint before it, is not"
                else:
                    told += f": look among {span(first, last)}"
                self._tell(Fault.TREE, row.writer, row.number, told, first, max(first, last))

    def _tell(
        self,
        fault: Fault,
        writer: str,
        segment: int | None,
        told: str,
        first: int | None = None,
        last: int | None = None,
    ) -> None:
        self._found.append(Finding(fault, writer, segment, first, last, "", told))


def _is_whole(row: SegmentRow) -> bool:
    """SQLite keeps whatever it is given."""
    numbers = (row.number, row.first, row.begun, row.size)
    return all(type(one) is int for one in numbers) and type(row.note) is str and row.number >= 0 < row.first
