"""How long a text is, in tokens: counted piece by piece, and no further than anybody asks.

The law: the text is cut into stretches of 2,048 characters from its beginning, and their tokens are added up, so that a
text has the same length however it comes; at the longest length that a rule asks about, counting ends.

What an upstream says of its usage is not used: it counts reasoning, tool calls and all choices together.
"""

import re
from collections.abc import Callable
from typing import Final

Count = Callable[[str], int]

_STRETCH: Final = 2048  # characters
# Scripts without spaces between words, in which a token is about one character: Hangul Jamo, CJK with its radicals,
# punctuation and kana, Hangul syllables, compatibility and full-width forms, and the further planes of CJK.
_WIDE = re.compile(
    "[\u1100-\u11ff\u2e80-\ua4cf\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff]+"
).findall


def estimate(text: str) -> int:
    """About how many tokens a text has: one for each character of Chinese, Japanese and Korean, one for four others.

    A rough estimate, and no more: models have vocabularies of their own.
    """
    wide = 0 if text.isascii() else sum(map(len, _WIDE(text)))
    return wide + (len(text) - wide + 3) // 4


class Length:
    """The length of one text that comes in pieces; ``most`` is the number of tokens behind which nobody asks."""

    __slots__ = ("_count", "_counted", "_most", "_rest")

    def __init__(self, count: Count, most: int) -> None:
        self._count, self._most = count, most
        self._counted = 0
        self._rest = ""

    def feed(self, piece: str) -> None:
        """One more piece of the text."""
        if self._counted >= self._most:
            return
        rest = self._rest + piece
        at = 0
        while len(rest) - at >= _STRETCH and self._counted < self._most:
            self._counted += self._count(rest[at : at + _STRETCH])
            at += _STRETCH
        self._rest = rest[at:] if self._counted < self._most else ""

    @property
    def tokens(self) -> int:
        """How long the text is so far; no more than ``most``."""
        counted = self._counted
        if counted < self._most and self._rest:
            counted += self._count(self._rest)
        return min(counted, self._most)


def tokens(text: str, count: Count, most: int) -> int:
    """The length of a whole text, no more than ``most``."""
    length = Length(count, most)
    length.feed(text)
    return length.tokens
