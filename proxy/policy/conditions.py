"""The law of this file: a condition is asked once per decision, and only if some rule depends on it.

Conditions turns the ``when`` of many rules into tables, so that a decision costs one look per fact that any rule asks
about, however many rules there are: what the patterns say of a fact is a small number (see ``sieve.py``), and the
numbers of all facts together say which rules hold.
"""

from __future__ import annotations

from collections.abc import Sequence

from proxy.policy.facts import Facts
from proxy.policy.sieve import Sieve
from proxy.policy.vocabulary import FACTS, UNSAID, When

__all__ = ["Conditions"]

_ALL = FACTS | UNSAID


class Conditions:
    """The ``when`` of a list of rules, compiled."""

    def __init__(self, whens: Sequence[When]) -> None:
        asked = [dict(when) for when in whens]
        self._all = (1 << len(whens)) - 1
        self.names = frozenset(name for when in asked for name in when)
        self._sieves = tuple(
            Sieve(fact, [when.get(name, ()) for when in asked]) for name, fact in _ALL.items() if name in self.names
        )
        self._outcomes = tuple(sieve.outcome for sieve in self._sieves)

    def outcomes(self, facts: Facts) -> tuple[int, ...]:
        """What the conditions say about ``facts``: equal outcomes mean that the same rules hold."""
        return tuple([outcome(facts) for outcome in self._outcomes])

    def rules(self, outcomes: tuple[int, ...]) -> int:
        """The rules that hold, as bits, by outcomes of just now: bit n stands for the nth rule."""
        held = self._all
        for sieve, outcome in zip(self._sieves, outcomes, strict=True):
            held &= sieve.rules(outcome)
        return held
