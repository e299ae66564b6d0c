"""Proofs made: that an entry of a ledger is one of those that a checkpoint was signed for.

Law: what is handed out has been checked like any stranger will check it; an entry that cannot be proven yet, or no
longer, is said to be so and has no proof.
"""

from collections.abc import Iterable

from proxy.archive import Archive, Entry, SegmentRow
from proxy.notary import NoteError, check, verified
from proxy.record.merkle import inclusion, leaf
from proxy.record.proof import Proof
from proxy.record.segment import beginning

__all__ = ["ProvingError", "prove"]


class ProvingError(Exception):
    """There is no proof of this entry; the message says why, and what to do."""


def prove(archive: Archive, entry: Entry, publics: Iterable[bytes]) -> Proof:
    """The proof that an entry is under the latest checkpoint of its segment, which one of these public keys signed.

    Raises:
        ProvingError: it is not under a checkpoint yet, or what lies there is not what the checkpoint was signed for.
        ArchiveError: the records cannot be read.
    """
    row, former = _around(archive, entry)
    index = entry.seq - row.first + 1
    if index >= row.size:
        raise ProvingError(
            f"entry {entry.seq} ({entry.state}) is not under a checkpoint yet: one is signed after some seconds "
            "(ledger: checkpoint) by the process that serves, and when it ends or starts"
        )
    broken = f"segment {row.number} is not what was signed: countermark ledger verify says what is wrong with it"
    try:
        verified(row.note, publics)
    except NoteError as error:
        raise ProvingError(f"{broken} ({error})") from error
    hashes = [leaf(beginning(former, row.begun))]
    hashes += [leaf(one.salt + one.body) for one in archive.entries(entry.writer, row.first, row.first + row.size - 2)]
    if len(hashes) != row.size:
        raise ProvingError(broken)
    proof = Proof(index, tuple(inclusion(hashes, index)), row.note, entry.salt + entry.body)
    try:
        check(proof.text().encode(), publics)
    except NoteError as error:
        raise ProvingError(f"{broken} ({error})") from error
    return proof


def _around(archive: Archive, entry: Entry) -> tuple[SegmentRow, str]:
    """The segment of an entry, and the note that ended the one before."""
    former = ""
    found: tuple[SegmentRow, str] | None = None
    for row in archive.segments(entry.writer):
        if row.first <= entry.seq:
            found = (row, former)
        former = row.note
    if found is None:
        raise ProvingError(f"entry {entry.seq} belongs to no segment: countermark ledger verify says more")
    return found
