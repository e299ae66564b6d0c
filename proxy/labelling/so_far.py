"""What a text of a stream is, as far as it has come: code or words for people, and how long."""

from collections.abc import Sequence
from typing import Literal

from proxy.dialects.unit import Unit
from proxy.labelling.code import Fence, blocks, is_code
from proxy.labelling.length import Count, Length, tokens
from proxy.policy.facts import Output


class SoFar:
    """Follows one text, piece by piece, or said anew each time; ``most`` is the number of tokens behind which nobody
    asks. It may come in several blocks, which a client puts together, or shows each by itself."""

    __slots__ = ("_apart", "_count", "_length", "_most", "_said", "_together")

    def __init__(self, count: Count, most: int) -> None:
        self._count, self._most = count, most
        self._said: Sequence[str] | None = None
        self.forget()

    def forget(self) -> None:
        """What came was no text for people: it begins now."""
        self._together = Fence()
        self._apart: Fence | None = None  # as it reads block by block, where it has more than one
        self._length = Length(self._count, self._most)

    def feed(self, found: Unit, begin: int) -> None:
        """More of it, from the character ``begin`` on; its parts are blocks."""
        for number, piece in enumerate(blocks(found, begin)):
            if number:
                self.begin_block()
            self._together.feed(piece)
            if self._apart is not None:
                self._apart.feed(piece)
            self._length.feed(piece)

    def begin_block(self) -> None:
        """Another block begins."""
        if self._apart is None:
            self._apart = self._together.copy()
        self._apart.feed("\n")

    def say(self, found: Unit, begin: int) -> None:
        """All of it, as far as it has come, from the character ``begin`` on."""
        self._said = blocks(found, begin)

    @property
    def opens(self) -> Literal["yes", "maybe", "no"]:
        """Whether it begins with a block of code."""
        fence = self._together
        if self._said is not None:
            fence = Fence()
            fence.feed("".join(self._said))
        if fence.opened:
            return "yes"
        return "maybe" if fence.state == "before" else "no"

    @property
    def output(self) -> Output:
        """What it is, if it ends here."""
        if self._said is not None:
            return "code" if is_code(self._said) else "plain"
        return "code" if self._together.holds and (self._apart is None or self._apart.holds) else "plain"

    @property
    def tokens(self) -> int:
        """How long it is, if it ends here, up to ``most``."""
        if self._said is not None:
            return tokens("".join(self._said), self._count, self._most)
        return self._length.tokens
