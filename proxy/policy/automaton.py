"""The law of this file: for each set of patterns that some value fits, and no other pattern, one such value is found.

All patterns are followed at once, a character at a time: where one stands in each of them are the bits of one number
(the shift-and of Baeza-Yates and Gonnet, with wildcards). Where two beginnings of values stand in the same places,
whatever follows fits the same patterns, so only one of them goes on; characters that no pattern spells are all one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

__all__ = ["BENEATH", "GAP", "REST", "STRANGE", "Found", "Step", "found"]

# A step of a pattern is a character that it spells, or one of these. In paths, * and ? stay within a segment.
Step = str
ONE: Final = "?"  # any character
ANY: Final = "*"  # any number of them
GAP: Final = "/**/"  # any number of segments, and then a slash
REST: Final = "/**"  # nothing more, or a slash and anything
BENEATH: Final = "-**"  # nothing more, or a hyphen and anything

# A private character, which no policy spells.
STRANGE: Final = "\ue000"

_MOST_STATES: Final = 20_000
_MOST_BITS: Final = 100_000_000  # of all states together


class Found(NamedTuple):
    """Values that fit different sets of patterns; ``whole`` where there is one for each set that any value fits."""

    values: tuple[str, ...]
    whole: bool


def found(patterns: Sequence[Sequence[Step]], literals: Iterable[str] = (), *, cut: bool = False) -> Found:
    """The values, in the spelling in which they are compared; none of them is one of the ``literals``.

    ``cut``: they are paths, in which every segment has its slash before it.
    """
    places = _Places(patterns, cut=cut)
    taken = frozenset(literals)
    beyond: dict[str, set[str]] = {}  # what begins a literal, with the characters that follow it there
    for one in taken:
        for at, character in enumerate(one):
            beyond.setdefault(one[:at], set()).add(character)
    values: dict[int, str] = {}
    waiting = deque([("", places.begin)])
    seen: set[tuple[int, str, bool]] = set()
    while waiting:
        value, state = waiting.popleft()
        slash = cut and value.endswith("/")
        if not slash and value not in taken:
            values.setdefault(state & places.ends, value)
        if not state and value not in beyond:
            continue
        for character in dict.fromkeys((*places.characters, *sorted(beyond.get(value, ())))):
            if cut and (slash if character == "/" else not value):
                continue  # no segment is empty, and each has its slash
            following, after = value + character, places.after(state, character)
            # What begins a literal is followed for itself: else a literal could stand for what is none.
            key = (after, following if following in beyond or following in taken else "", character == "/")
            if key not in seen:
                seen.add(key)
                waiting.append((following, after))
        if len(seen) > _MOST_STATES + sum(map(len, taken)) or len(seen) * places.size > _MOST_BITS:
            return Found(tuple(values.values()), whole=False)
    return Found(tuple(values.values()), whole=True)


class _Places:
    """All places in patterns, a bit for each, and where a character leads from there."""

    def __init__(self, patterns: Iterable[Sequence[Step]], *, cut: bool) -> None:
        self._cut = cut
        self.begin = self.ends = self.size = 0
        self._spelled: dict[str, int] = {STRANGE: 0}
        self._one = self._any = self._all = self._gaps = 0
        for steps in patterns:
            self.begin |= 1 << self.size
            for step in steps:
                self.size += self._step(step, 1 << self.size)
            self.ends |= 1 << self.size
            self.size += 1
        self.characters = tuple(self._spelled)

    def _step(self, step: Step, here: int) -> int:
        """Note a step that begins at the place ``here``; how many places it has."""
        match step:
            case "*":
                self._any |= here
                return 0
            case "?":
                self._one |= here
            case "/**/":
                # Within the segments one stands in a second place: a slash leads there, and past it.
                self._spell("/", here | here << 1)
                self._gaps |= here
                self._all |= here << 1
                return 2
            case "/**" | "-**":
                self._spell(step[0], here)
                self.ends |= here
                self._all |= here << 1
            case _:
                self._spell(step, here)
        return 1

    def _spell(self, character: str, places: int) -> None:
        self._spelled[character] = self._spelled.get(character, 0) | places

    def after(self, state: int, character: str) -> int:
        """Where one stands after ``character``."""
        spelled = self._spelled.get(character, 0)
        if self._cut and character == "/":
            return (state & spelled) << 1 | state & self._all | (state & self._gaps) << 2
        return (state & (spelled | self._one)) << 1 | state & (self._all | self._any)
