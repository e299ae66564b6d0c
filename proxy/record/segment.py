"""One tree of a ledger: a segment, a day of one writer's entries or so many of them.

The law: leaf 0 is the note that ended the segment before (nothing, for the first one), so that no segment can go
missing between two others, and when this one began, so that nobody can make those before it older than they are; leaf 1
and the following are the entries, a salt and the record's bytes each, in the order in which they were appended.

The salt hides what a leaf says from whoever sees its hash alone, as neighbours do in a proof. It is made with a secret
from the entry's place and bytes, so that it names the entry that was changed to whoever has the secret.
"""

from collections.abc import Iterable

from proxy.record.checkpoint import Checkpoint, origin
from proxy.record.merkle import Frontier, leaf

__all__ = ["Segment", "beginning", "place"]


def place(writer: str, number: int, index: int) -> bytes:
    """Where an entry stands, in 32 bytes: its writer (32 hex digits), the segment's number, the leaf's index."""
    return bytes.fromhex(writer) + number.to_bytes(8, "big") + index.to_bytes(8, "big")


def beginning(former: str, begun: int) -> bytes:
    """What leaf 0 holds: the note that ended the segment before, and a line that says when this one began, in Unix
    nanoseconds."""
    return f"{former}{begun}\n".encode()


class Segment:
    """The tree of a segment as it grows. ``first`` is the number in the file of its first entry, ``begun`` its start in
    Unix nanoseconds, ``former`` the note that ended the one before."""

    __slots__ = ("_frontier", "begun", "first", "number", "writer")

    def __init__(self, writer: str, number: int, first: int, begun: int, former: str) -> None:
        self.writer = writer
        self.number = number
        self.first = first
        self.begun = begun
        self._frontier = Frontier()
        self._frontier.add(leaf(beginning(former, begun)))

    @property
    def size(self) -> int:
        """The number of leaves, which is the index of the next one."""
        return self._frontier.size

    @property
    def entries(self) -> int:
        """The number of entries."""
        return self._frontier.size - 1

    @property
    def next(self) -> int:
        """The number in the file of the next entry."""
        return self.first + self.entries

    @property
    def origin(self) -> str:
        """What the tree is called in its checkpoints."""
        return origin(self.writer, self.number)

    def places(self, entries: int) -> list[bytes]:
        """Where so many more entries will stand."""
        return [place(self.writer, self.number, index) for index in range(self.size, self.size + entries)]

    def add(self, leaves: Iterable[tuple[bytes, bytes]]) -> None:
        """Append entries: the salt and the record's bytes of each."""
        for salt, body in leaves:
            self._frontier.add(leaf(salt + body))

    def checkpoint(self) -> Checkpoint:
        """What the tree is now."""
        return Checkpoint(self.origin, self.size, self._frontier.root())
