"""Checkpoints: what a tree was at one size. The text that is signed, in the form of c2sp.org/tlog-checkpoint.

The law: `Checkpoint.parse(checkpoint.text()) == checkpoint`, and no other text reads as the same checkpoint. There are
no extension lines.

    countermark/00112233445566778899aabbccddeeff/7      the origin: which tree; also the name of the key that signs
    20852                                               the number of its leaves
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=        its root at that size
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from proxy.record.merkle import HASH
from proxy.record.note import NoteError, decoded, encoded

__all__ = ["Checkpoint", "number", "origin", "parse_origin"]

_NUMBER: Final = re.compile("0|[1-9][0-9]{0,17}")  # always below 2**63
_ORIGIN: Final = re.compile(f"countermark/([0-9a-f]{{32}})/({_NUMBER.pattern})")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tree ``origin`` had ``size`` leaves and this ``root`` (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The text to be signed."""
        return f"{self.origin}\n{self.size}\n{encoded(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The checkpoint that a note's text says. Believe it when the note's signature has been verified.

        Raises:
            NoteError: it is no checkpoint, or one with extension lines.
        """
        lines = text.split("\n")
        if len(lines) != 4 or not lines[0] or lines[3]:
            raise NoteError("a checkpoint has three lines: its origin, the number of leaves, the root")
        size, root = number(lines[1]), decoded(lines[2])
        if len(root) != HASH:
            raise NoteError(f"the root in a checkpoint has {HASH} bytes, this one has {len(root)}")
        return cls(lines[0], size, root)


def number(text: str) -> int:
    """A number in decimal digits, without leading zeroes.

    Raises:
        NoteError: it is none, or has more than 18 digits.
    """
    if not _NUMBER.fullmatch(text):
        raise NoteError(f"{text[:80]!r} is no number in decimal digits without leading zeroes")
    return int(text)


def origin(writer: str, number: int) -> str:
    """The origin of a writer's tree: ``writer`` is 32 lower-case hex digits, ``number`` its segment's."""
    return f"countermark/{writer}/{number}"


def parse_origin(text: str) -> tuple[str, int]:
    """The writer and the segment's number in an origin of ours.

    Raises:
        NoteError: it is somebody else's.
    """
    found = _ORIGIN.fullmatch(text)
    if not found:
        raise NoteError(f"{text[:80]!r} is no origin of Countermark's: countermark/WRITER/NUMBER")
    return found[1], int(found[2])
