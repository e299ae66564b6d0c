"""The law of this file: a condition is asked once per decision, and only if some rule depends on it.

FACTS is the vocabulary of ``when``. Conditions turns the ``when`` of many rules into tables, so that a decision costs
one look per fact that any rule asks about, however many rules there are: each pattern owns one bit, a fact's outcome is
the bits of the patterns that it fits, and the outcomes of all facts say which rules hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from proxy.policy.facts import Facts
from proxy.policy.patterns import Match, is_glob, match_name, match_path, plain_name, plain_path

__all__ = ["FACTS", "KINDS", "Conditions", "Fact", "When"]

KINDS = ("text", "image", "audio", "video")

_MOST_VALUES = 1024
_LONGEST_VALUE = 512  # characters of a value that is remembered: a client may name a model with a megabyte

# What a rule asks for: each fact that it names, with the patterns of which one must fit.
When = tuple[tuple[str, tuple[str, ...]], ...]


def _exactly(pattern: str) -> Match:
    return pattern.__eq__


def _streaming(facts: Facts) -> str:
    return "true" if facts.streaming else "false"


def _as_it_stands(value: str) -> str:
    return value


@dataclass(frozen=True, slots=True)
class Fact:
    """How one fact is read, spelled and matched. ``values`` lists all that it can be, where that is a closed list."""

    read: Callable[[Facts], str]
    match: Callable[[str], Match]
    plain: Callable[[str], str]
    globs: bool
    values: tuple[str, ...] = ()

    def is_literal(self, pattern: str) -> bool:
        """Whether ``pattern`` fits exactly one value."""
        return not (self.globs and is_glob(pattern))


FACTS: dict[str, Fact] = {
    "kind": Fact(attrgetter("kind"), _exactly, _as_it_stands, globs=False, values=KINDS),
    "dialect": Fact(attrgetter("dialect"), match_name, plain_name, globs=True),
    "path": Fact(attrgetter("path"), match_path, plain_path, globs=True),
    "model": Fact(attrgetter("model"), match_name, plain_name, globs=True),
    "upstream": Fact(attrgetter("upstream"), _exactly, _as_it_stands, globs=False),
    # A route is known by its own pattern, whose stars are part of its name.
    "route": Fact(attrgetter("route"), _exactly, _as_it_stands, globs=False),
    "streaming": Fact(_streaming, _exactly, _as_it_stands, globs=False, values=("true", "false")),
}


class _Sieve:
    """All patterns that rules hold one fact against, and the rules that each lets through."""

    def __init__(self, fact: Fact, patterns_by_rule: Sequence[tuple[str, ...]]) -> None:
        self.fact = fact
        self.open_to = 0
        self.lets_through: dict[int, int] = {}
        bits: dict[str, int] = {}
        for rule, patterns in enumerate(patterns_by_rule):
            if not patterns:
                self.open_to |= 1 << rule
            for pattern in patterns:
                bit = bits.setdefault(pattern, 1 << len(bits))
                self.lets_through[bit] = self.lets_through.get(bit, 0) | 1 << rule
        self.globs = tuple((fact.match(p), bit) for p, bit in bits.items() if not fact.is_literal(p))
        self.known: dict[str, int] = {}
        literals = {fact.plain(p): 0 for p in bits if fact.is_literal(p)}
        for pattern, bit in bits.items():
            if fact.is_literal(pattern):
                literals[fact.plain(pattern)] |= bit
        self.literals = {value: bit | self._globs_that_fit(value) for value, bit in literals.items()}

    def outcome(self, facts: Facts) -> int:
        value = self.fact.plain(self.fact.read(facts))
        known = self.literals.get(value)
        if known is None:
            known = self.known.get(value)
        if known is None:
            known = self._globs_that_fit(value)
            if self.globs and len(value) <= _LONGEST_VALUE:
                if len(self.known) >= _MOST_VALUES:
                    self.known.clear()
                self.known[value] = known
        return known

    def rules(self, outcome: int) -> int:
        held = self.open_to
        while outcome:
            bit = outcome & -outcome
            held |= self.lets_through[bit]
            outcome ^= bit
        return held

    def _globs_that_fit(self, value: str) -> int:
        fitting = 0
        for match, bit in self.globs:
            if match(value):
                fitting |= bit
        return fitting


class Conditions:
    """The ``when`` of a list of rules, compiled."""

    def __init__(self, whens: Sequence[When]) -> None:
        asked = [dict(when) for when in whens]
        self._all = (1 << len(whens)) - 1
        self._sieves = tuple(
            _Sieve(fact, [when.get(name, ()) for when in asked])
            for name, fact in FACTS.items()
            if any(name in when for when in asked)
        )
        self._outcomes = tuple(sieve.outcome for sieve in self._sieves)

    def outcomes(self, facts: Facts) -> tuple[int, ...]:
        """What the conditions say about ``facts``: equal outcomes mean that the same rules hold."""
        return tuple([outcome(facts) for outcome in self._outcomes])

    def rules(self, outcomes: tuple[int, ...]) -> int:
        """The rules that hold, as bits: bit n stands for the nth rule."""
        held = self._all
        for sieve, outcome in zip(self._sieves, outcomes, strict=True):
            held &= sieve.rules(outcome)
        return held
