"""The law of this file: a rule that no response can reach is a mistake, and is found before the first response.

Rules are tried from the top. Whether an earlier one always wins is asked of witnesses: facts made so that they just fit
the later rule, its wildcards standing once for nothing and once for something that no pattern foresees. If every
witness goes to an earlier rule, so does everything else that the later rule could mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from proxy.policy.conditions import Conditions
from proxy.policy.facts import Facts
from proxy.policy.vocabulary import FACTS, Fact, When

__all__ = ["UNFORESEEN", "spellings", "unreachable", "witnesses"]

# Private characters that no policy spells out, and more of them than any pattern has question marks.
UNFORESEEN = "\ue000" * 300
# A rule with more combinations than this is taken to be reachable.
MOST_WITNESSES = 4096


def unreachable(whens: Sequence[When]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """The index of each rule that can never win, with those of the rules that always come first."""
    conditions = Conditions(whens)
    for index, when in enumerate(whens):
        winners = _winners(conditions, index, when)
        if winners:
            yield index, tuple(sorted(winners))


def _winners(conditions: Conditions, index: int, when: When) -> set[int]:
    """The earlier rules that share all witnesses of the rule at ``index`` among them; empty where one is left to it."""
    earlier = (1 << index) - 1
    winners: set[int] = set()
    for count, facts in enumerate(witnesses(when, conditions.names)):
        held = conditions.rules(conditions.outcomes(facts)) & earlier
        if not held or count == MOST_WITNESSES:
            return set()
        winners.add((held & -held).bit_length() - 1)
    return winners


def witnesses(when: When, asked: frozenset[str]) -> Iterator[Facts]:
    """Facts that just fit ``when``, in all ways that make a difference to rules that ask for the facts ``asked``."""
    wanted = dict(when)
    names = [name for name in FACTS if name in asked or name in wanted]
    for values in product(*(_values(name, wanted.get(name)) for name in names)):
        yield _facts(dict(zip(names, values, strict=True)))


def _facts(values: dict[str, str]) -> Facts:
    given: dict[str, Any] = {"kind": "", **values}
    for name in ("streaming", "informed"):
        given[name] = given.get(name) == "true"
    tokens = given.pop("min_tokens", "")
    return Facts(**given, tokens=int(tokens) if tokens else None)


def _values(name: str, patterns: tuple[str, ...] | None) -> Sequence[str]:
    fact = FACTS[name]
    if name == "min_tokens":
        return patterns or ("0",)
    if patterns is None:
        return fact.values or ("", f"{UNFORESEEN}/{UNFORESEEN}/{UNFORESEEN}")
    return [value for pattern in patterns for value in spellings(fact, pattern)]


def spellings(fact: Fact, pattern: str) -> Iterator[str]:
    """Values that fit ``pattern``, its wildcards standing for nothing, for little and for much."""
    if fact.is_literal(pattern):
        yield pattern
        return
    fits = fact.match(pattern)
    one = pattern.replace("?", UNFORESEEN[0])
    for segments in ("", f"{UNFORESEEN}/{UNFORESEEN}"):
        for characters in ("", UNFORESEEN[0], UNFORESEEN):
            value = one.replace("**", segments).replace("*", characters)
            if fits(fact.plain(value)):
                yield value
