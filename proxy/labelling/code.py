"""Code: a text that is one fenced block and nothing else (CommonMark 0.31, section 4.5).

The law: white space may stand around the block, and nothing more; whoever reads the text piece by piece comes to the
same end as whoever reads it whole. A block without an end lasts to the end of the text, as the specification says. What
the specification knows and no model writes (an opening line of more than 256 characters) counts as words for people:
in doubt there is a notice.
"""

import re
from collections.abc import Sequence
from typing import Final, Literal

from proxy.dialects.unit import Unit

_LONGEST: Final = 256  # characters of a line that may open or close a block
_OPENS = re.compile(r" {0,3}(`{3,}|~{3,})(.*)").fullmatch
_MAY_OPEN = re.compile(r" {0,3}(?:`{0,2}|`{3,}[^`]*|~{0,2}|~{3,}.*)").fullmatch
_CLOSES = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*").fullmatch
_MAY_CLOSE = re.compile(r"( {0,3})(`*|~*)([ \t]*)").fullmatch
_BEGINS = re.compile(r"\s*[`~]").match
_LINES = re.compile(r"[\r\n]").split

# White space, perhaps with the beginning of an opening line; behind an opening line; behind the block; no block.
State = Literal["before", "inside", "behind", "none"]


class Fence:
    """Follows a text that comes in pieces; ``state`` is where it has come to, ``opened`` whether it began with a block,
    whatever came behind that."""

    __slots__ = ("_by", "_line", "state")

    def __init__(self) -> None:
        self.state: State = "before"
        self._by = ""  # what opened the block
        self._line = ""  # the line that is under way, as far as it may matter

    @property
    def opened(self) -> bool:
        return bool(self._by)

    @property
    def holds(self) -> bool:
        """Whether the text, if it ends here, is a block and nothing else."""
        return self.state in ("inside", "behind") or bool(self.state == "before" and _opened(self._line))

    def copy(self) -> "Fence":
        """One that has come as far."""
        other = Fence()
        other.state, other._by, other._line = self.state, self._by, self._line
        return other

    def feed(self, piece: str) -> None:
        """One more piece of the text."""
        if self.state == "none":
            return
        *whole, rest = _LINES(piece)
        for line in whole:
            self._under_way(line)
            self._ended()
            self._line = ""
        self._under_way(rest)

    def _under_way(self, piece: str) -> None:
        """More of a line: what cannot matter any more is not kept."""
        line = self._line + piece
        match self.state:
            case "before":
                if line.isspace() or not line:
                    line = line[:4]  # more indentation than a block may have
                elif len(line) > _LONGEST or _MAY_OPEN(line) is None:
                    self.state = "none"
            case "inside":
                found = _MAY_CLOSE(line)
                # Anything else is a line of the block's own.
                line = "x" if found is None else found[1] + found[2][:_LONGEST] + found[3][:1]
            case "behind":
                if line.strip():
                    self.state = "none"
                line = ""
        self._line = line if self.state != "none" else ""

    def _ended(self) -> None:
        """The line that was under way is at its end."""
        match self.state:
            case "before" if self._line.strip():
                self._by = _opened(self._line)
                self.state = "inside" if self._by else "none"
            case "inside":
                closing = _CLOSES(self._line)
                if closing and closing[1].startswith(self._by):
                    self.state = "behind"


def is_code(blocks: Sequence[str]) -> bool:
    """Whether this whole text, which an answer may say in several blocks, is a fenced block and nothing else: both as
    it reads where a client puts the blocks together, and where it shows each by itself."""
    return _holds("".join(blocks)) and (len(blocks) < 2 or _holds("\n".join(blocks)))


def _holds(text: str) -> bool:
    if _BEGINS(text) is None:
        return False
    fence = Fence()
    fence.feed(text)
    return fence.holds


def blocks(unit: Unit, begin: int) -> list[str]:
    """The blocks of a unit's text, without its first ``begin`` characters."""
    found: list[str] = []
    for _, text in unit.parts:
        found.append(text[begin:])
        begin = max(begin - len(text), 0)
    return found


def _opened(line: str) -> str:
    """The fence that a line opens a block with; empty where it opens none. Its language may not hold a backtick where
    the fence is made of them, so that ``` ```x``` ``` stays a piece of code within a sentence."""
    found = _OPENS(line)
    if found is None or (found[1][0] == "`" and "`" in found[2]):
        return ""
    return found[1]
