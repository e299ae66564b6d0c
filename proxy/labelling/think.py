"""A model's reasoning in front of its answer, in the text itself: ``<think>...</think>``, then what people read.

Clients look for the mark at the very beginning, so the notice goes behind the block. A server with a parser for the
model's reasoning sends it in a member of its own; these are the answers of one without.
"""

_SPACE = " \t\r\n"


def visible(text: str, marks: tuple[str, str] | None) -> int | None:
    """Where the text that people read begins, in characters; None where the block has no end.

    White space behind the block belongs to it.
    """
    if marks is None or not text.lstrip().startswith(marks[0]):
        return 0
    at = text.find(marks[1])
    if at < 0:
        return None
    rest = text[at + len(marks[1]) :]
    return len(text) - len(rest.lstrip(_SPACE))


class Reading:
    """Follows a text that comes in pieces, and tells where in each people begin to read.

    ``unclear``: what came could still become the first mark. ``inside``: the block has begun and what people read has
    not. ``begin`` is where that begins, in characters from the start.
    """

    __slots__ = ("_behind", "_marks", "_seen", "_text", "begin", "inside", "unclear")

    def __init__(self, marks: tuple[str, str] | None) -> None:
        self.unclear = marks is not None
        self.inside = False
        self.begin = 0
        self._marks = marks or ("", "")
        self._behind = False  # the block has ended, and only white space has come since
        self._seen = 0
        self._text = ""  # what may still be the beginning of a mark

    @property
    def endless(self) -> bool:
        """Whether a block has begun and not ended."""
        return self.inside and not self._behind

    def say(self, text: str) -> int | None:
        """As ``visible``, of a text that is said again each time as far as it has come."""
        begun = text.lstrip()
        self.unclear = begun != self._marks[0] and self._marks[0].startswith(begun)
        at = visible(text, self._marks) if self._marks[0] else 0
        self.inside = at is None
        self.begin = at or 0
        return at

    def feed(self, piece: str) -> int | None:
        """The character of this piece with which people begin to read, 0 where they do already; None: not in it."""
        if not (self.unclear or self.inside):
            return 0
        start = self._seen
        self._seen += len(piece)
        self._text += piece
        if self.unclear:
            self._text = begun = self._text.lstrip()  # white space may go on without an end
            if not begun.startswith(self._marks[0]):
                self.unclear = self._marks[0].startswith(begun)
                return 0
            self.unclear, self.inside = False, True
        if not self._behind:
            at = self._text.find(self._marks[1])
            if at < 0:
                self._text = self._text[-len(self._marks[1]) :]
                return None
            self._behind = True
            self._text = self._text[at + len(self._marks[1]) :]
        rest = self._text.lstrip(_SPACE)
        self._text = ""
        if not rest:
            return None
        self.inside = False
        self.begin = self._seen - len(rest)
        return self.begin - start
