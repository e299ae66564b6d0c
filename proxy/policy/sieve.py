"""The law of this file: what a value costs depends on how long it is, not on how many patterns there are.

A value is looked up, not compared: literal patterns by themselves, patterns with wildcards by what all that fits them
begins with, else by what it ends with, else by a piece that it holds. Only the few that are found so are matched. What
was found is kept, within a bound that no client can push.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from proxy.policy.facts import Facts
from proxy.policy.patterns import Match
from proxy.policy.vocabulary import Fact

__all__ = ["Sieve"]

_MOST_VALUES: Final = 4096
_LONGEST_VALUE: Final = 512  # characters of a value that is remembered beside others: a path may have 64 KiB
# A piece is looked up by its first characters, as many of them as one of these numbers: so a value is gone through a
# few times and no more.
_LENGTHS: Final = (16, 8, 4, 2, 1)
_WORTH_CUTTING: Final = 16  # characters of a value for each piece that is looked for

_Held = tuple[Match, int]  # a pattern, and the rules that it lets through, as bits


class Sieve:
    """All patterns that rules hold one fact against. An outcome is a small number that stands for a set of rules."""

    def __init__(self, fact: Fact, patterns_by_rule: Sequence[tuple[str, ...]]) -> None:
        self._fact = fact
        asked: dict[str, list[int]] = {}
        closed: list[int] = []
        for rule, patterns in enumerate(patterns_by_rule):
            if patterns:
                closed.append(rule)
            for pattern in patterns:
                asked.setdefault(pattern, []).append(rule)
        self._open = ((1 << len(patterns_by_rule)) - 1) ^ _bits(closed)
        self._literals: dict[str, list[int]] = {}
        self._begins: dict[int, dict[str, list[_Held]]] = {}
        self._ends: dict[int, dict[str, list[_Held]]] = {}
        self._holds: dict[int, dict[str, list[_Held]]] = {}
        self._others: list[_Held] = []
        for pattern, rules in asked.items():
            if fact.is_literal(pattern):
                self._literals.setdefault(fact.plain(pattern), []).extend(rules)
            else:
                self._file(pattern, (fact.match(pattern), _bits(rules)))
        self._known: dict[str, int] = {}
        self._long = ""  # the only long value that is remembered: one exchange asks about it many times
        self._outcomes: dict[int, int] = {}
        self._rules: dict[int, int] = {}
        self._next = 0

    def outcome(self, facts: Facts) -> int:
        """What the patterns say of the fact: equal outcomes let the same rules through."""
        value = self._fact.read(facts)
        known = self._known.get(value)
        if known is None:
            known = self._outcome(self._let_through(self._fact.plain(value)))
            if len(value) > _LONGEST_VALUE:
                self._known.pop(self._long, None)
                self._long = value
            elif len(self._known) >= _MOST_VALUES:
                self._known.clear()
            self._known[value] = known
        return known

    def rules(self, outcome: int) -> int:
        """The rules that an outcome of just now lets through, as bits."""
        return self._rules[outcome]

    def _outcome(self, rules: int) -> int:
        """The number of a set of rules; numbers are never used again, so that what others keep by them stays true."""
        known = self._outcomes.get(rules)
        if known is None:
            if len(self._outcomes) >= _MOST_VALUES:
                self._outcomes.clear()
                self._rules.clear()
                self._known.clear()
            known = self._outcomes[rules] = self._next
            self._rules[known] = rules
            self._next += 1
        return known

    def _let_through(self, value: str) -> int:
        held = self._open
        literal = self._literals.get(value)
        if literal is not None:
            held |= _bits(literal)
        for match, rules in self._candidates(value):
            if match(value):
                held |= rules
        return held

    def _candidates(self, value: str) -> Iterator[_Held]:
        for length, found in self._begins.items():
            yield from found.get(value[:length], ())
        for length, found in self._ends.items():
            yield from found.get(value[-length:], ())
        for length, found in self._holds.items():
            # To look for a few pieces is faster by far than to cut a long value into all of its own.
            if len(found) <= len(value) // _WORTH_CUTTING:
                pieces = {piece for piece in found if piece in value}
            else:
                pieces = {value[at : at + length] for at in range(len(value) - length + 1)} & found.keys()
            for piece in pieces:
                yield from found[piece]
        yield from self._others

    def _file(self, pattern: str, held: _Held) -> None:
        clues = self._fact.clues(pattern)
        length = next((length for length in _LENGTHS if length <= len(clues.piece)), 0)
        if clues.begin:
            self._begins.setdefault(len(clues.begin), {}).setdefault(clues.begin, []).append(held)
        elif clues.end:
            self._ends.setdefault(len(clues.end), {}).setdefault(clues.end, []).append(held)
        elif length:
            self._holds.setdefault(length, {}).setdefault(clues.piece[:length], []).append(held)
        else:
            self._others.append(held)


def _bits(rules: Iterable[int]) -> int:
    """Rules, by their indexes, as bits."""
    listed = list(rules)
    if len(listed) < 8:
        return sum(1 << rule for rule in set(listed))
    field = bytearray(max(listed) // 8 + 1)
    for rule in listed:
        field[rule >> 3] |= 1 << (rule & 7)
    return int.from_bytes(field, "little")
