"""The words that people see, found again in a text: at its start, at its end, or perhaps on the way there.

A notice is bracketed and set off by a blank line, so that taking it away restores the model's own bytes. What was ever
configured counts, not only what is in force today: a conversation may be older than the policy.
"""

import re
from collections.abc import Iterable
from typing import Literal

SEPARATOR = "\n\n"

Opening = Literal["yes", "no", "maybe"]


class Notices:
    """All notices that were ever in force."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = tuple(sorted(words, key=len, reverse=True))
        self._initials = frozenset(word[0] for word in self._words)
        self._finals = frozenset(word.rstrip()[-1:] for word in self._words)
        # As far from the end as all of them in a row can begin, with some white space.
        self._reach = sum(len(word) + 1 for word in self._words) + 16
        one = "|".join(map(re.escape, self._words)) or r"(?!)"
        several = rf"(?:{one})(?: ?(?:{one}))*"
        # The notices of several regimes stand one behind the other, a space between them. A client may have trimmed the
        # blank line, so it is optional; more than it is the model's own.
        self._leading = re.compile(rf"\s*({several}\n{{0,2}})").match
        self._trailing = re.compile(rf"(\n{{0,2}}{several})\s*\Z").search

    def opening(self, text: str) -> Opening:
        """Whether a text begins with a notice; "maybe" where it is so short that it could still become one."""
        begun = text.lstrip()
        if not begun:
            return "maybe" if self._words else "no"
        if begun[0] not in self._initials:
            return "no"
        if begun.startswith(self._words):
            return "yes"
        return "maybe" if any(word.startswith(begun) for word in self._words) else "no"

    def may_go_on(self, text: str) -> bool:
        """Whether a text is so short that it could still become a notice, or a longer one than it is."""
        begun = text.lstrip()
        return any(word.startswith(begun) and word != begun for word in self._words)

    def leading(self, text: str, at: int = 0) -> tuple[int, int] | None:
        """Where the notice at the start of a text, or at ``at`` in it, stands, with its blank line."""
        begun = text[at:] if at else text
        if begun.lstrip()[:1] not in self._initials:
            return None
        match = self._leading(text, at)
        return None if match is None else match.span(1)

    def trailing(self, text: str) -> tuple[int, int] | None:
        """Where the notice at the end of a text stands, with its blank line."""
        offset = max(len(text) - self._reach, 0)
        tail = text[offset:]
        if tail.rstrip()[-1:] not in self._finals:
            return None
        match = self._trailing(tail)
        if match is None:
            return None
        return match.start(1) + offset, match.end(1) + offset
