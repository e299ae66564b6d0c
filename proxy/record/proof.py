"""Proofs: that one entry stands in a tree that a checkpoint signs for. The form of c2sp.org/tlog-proof@v1.

The law: `Proof.parse(proof.text()) == proof`, and no other text reads as the same proof. A file of it needs nothing
beside it but the public key: the entry itself lies in it as extra data.

    c2sp.org/tlog-proof@v1
    extra BASE64                the leaf: the entry's salt and body
    index 4711                  which leaf of the tree
    BASE64                      its path, a hash a line, from its sibling to the root's child
                                an empty line
    ...                         the checkpoint, a signed note

What "extra" holds is believed for its hash leading to the root that is signed, and for nothing else.
"""

from dataclasses import dataclass
from typing import Final, Self

from proxy.record.checkpoint import number
from proxy.record.merkle import HASH
from proxy.record.note import NoteError, decoded, encoded

__all__ = ["Proof"]

FORM: Final = "c2sp.org/tlog-proof@v1"
LONGEST: Final = 64 << 20  # characters of a proof
DEEPEST: Final = 63  # hashes in a path: a tree has fewer than 2**63 leaves

_EXTRA: Final = "extra "
_INDEX: Final = "index "


@dataclass(frozen=True, slots=True)
class Proof:
    """The leaf's ``index``, the ``hashes`` of its path, the checkpoint's note, and ``extra``, what the leaf holds."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint_note: str
    extra: bytes = b""

    def text(self) -> str:
        """The file."""
        extra = [f"{_EXTRA}{encoded(self.extra)}"] if self.extra else []
        lines = [FORM, *extra, f"{_INDEX}{self.index}", *map(encoded, self.hashes), ""]
        return "\n".join(lines) + "\n" + self.checkpoint_note

    @classmethod
    def parse(cls, text: str) -> Self:
        """The parts of a proof. Nothing of it has been checked, the note has not been read.

        Raises:
            NoteError: it is no proof of this form.
        """
        if len(text) > LONGEST:
            raise NoteError(f"a proof has at most {LONGEST} characters, this one has {len(text)}")
        head, blank, note = text.partition("\n\n")
        form, *lines = head.split("\n")
        if form != FORM or not blank:
            raise NoteError(f"a proof begins with the line {FORM} and has an empty line before its checkpoint")
        extra = b""
        if lines and lines[0].startswith(_EXTRA):
            extra = decoded(lines.pop(0).removeprefix(_EXTRA))
            if not extra:
                raise NoteError("a proof without extra data has no line for it")
        if not lines or not lines[0].startswith(_INDEX):
            raise NoteError("a proof says the index of its leaf before the hashes of its path")
        index, hashes = number(lines[0].removeprefix(_INDEX)), tuple(map(decoded, lines[1:]))
        if len(hashes) > DEEPEST or any(len(one) != HASH for one in hashes):
            raise NoteError(f"the path of a proof is at most {DEEPEST} lines, each the base64 of {HASH} bytes")
        return cls(index, hashes, note, extra)
