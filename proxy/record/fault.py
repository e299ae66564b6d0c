"""What an audit of the ledger finds: values that name it, in words for people and for programs.

Law: a finding says which record, or between which ones, and what is wrong with it; of entries that stand side by side
and suffer from the same, it is one finding.
"""

from enum import StrEnum
from typing import Any, NamedTuple

__all__ = ["Fault", "Finding", "span"]


class Fault(StrEnum):
    """What may be wrong with a ledger."""

    CHANGED = "changed"
    """An entry is not what was written in its place."""
    MOVED = "moved"
    """An entry was written, and in another place."""
    REPEATED = "repeated"
    """An entry is there twice."""
    MISSING = "missing"
    """An entry was written and is not there."""
    ADDED = "added"
    """An entry is there and was never written there."""
    UNREADABLE = "unreadable"
    """What an entry holds is no record."""
    DISAGREEING = "disagreeing"
    """What an entry is found by says something else than its record."""
    TREE = "tree"
    """The entries up to a checkpoint are not those that it was signed for."""
    CHECKPOINT = "checkpoint"
    """A checkpoint is not one of this ledger's: its signature, its origin or its size is wrong."""
    SEGMENT = "segment"
    """The segments do not follow upon one another."""
    PRUNED = "pruned"
    """A segment was not pruned as segments are."""
    GUARD = "guard"
    """What keeps entries from being changed was put aside."""
    INDEX = "index"
    """Records are sound, and a search would miss some or look in vain for others."""


class Finding(NamedTuple):
    """One thing that is wrong. ``segment``, and the entries ``first`` to ``last`` (their ``seq``), where it is known;
    ``id``, the exchange, where it is one entry; ``message`` says all of it in words."""

    fault: Fault
    writer: str
    segment: int | None
    first: int | None
    last: int | None
    id: str
    message: str

    def document(self) -> dict[str, Any]:
        """For programs."""
        return self._asdict() | {"fault": str(self.fault)}


def span(first: int, last: int, id: str = "") -> str:
    """Entries, as messages name them."""
    if first == last:
        return f"entry {first}{f' (exchange {id})' if id else ''}"
    return f"entries {first} to {last}"
