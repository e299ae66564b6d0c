"""A text as people see it, kept for what is made of it when the answer has left (see likeness.py).

The law: of a text its beginning is kept, as much as counts there and no more, and of an answer so many texts; what is
cut off is known to be missing.
"""

from typing import Final, NamedTuple

from proxy.record.likeness import LONGEST

MOST: Final = 16  # texts of an answer

_PIECES: Final = 256  # that lie apart: short ones take ten times the room of what they say, and more


class Said(NamedTuple):
    """A text of an answer: the id and the place of its item, and what people see of it. ``is_known``: the item has its
    hash already; ``is_whole``: nothing of it is missing."""

    produce_id: str
    unit: str
    text: str
    is_known: bool
    is_whole: bool


class Gathered:
    """One text of a stream, piece by piece or said anew each time."""

    __slots__ = ("_pieces", "_size")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._size = 0

    def feed(self, text: str, begin: int | None, *, inside: bool) -> None:
        """More of it. It begins with the character ``begin`` where that is not 0 or the text was ``inside`` of
        reasoning, None while it is there yet: what came before was none of it then."""
        if begin or (inside and begin is not None):
            self._forget()
        self._add(text[begin or 0 :])

    def say(self, text: str) -> None:
        """All of it, as far as it has come; or a part of it that was closed, where that is less."""
        if len(text) >= self._size:
            self._forget()
            self._add(text)

    def _add(self, text: str) -> None:
        if self._size <= LONGEST:
            self._pieces.append(text[: LONGEST + 1 - self._size])
            self._size += len(self._pieces[-1])
            if len(self._pieces) > _PIECES:
                self._pieces = [self.text]

    def _forget(self) -> None:
        self._pieces.clear()
        self._size = 0

    @property
    def text(self) -> str:
        """What has come; one character more than counts where there is more."""
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""
