"""The law of this file: a rule that no response can reach is a mistake, and is found before the first response.

Rules are tried from the top. Whether an earlier one always wins is asked of witnesses: facts made so that they just fit
the later rule, its wildcards standing once for nothing and once for something that no pattern foresees. If every
witness goes to an earlier rule, so does everything else that the later rule could mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from proxy.policy.conditions import FACTS, Conditions, Fact, When
from proxy.policy.facts import Facts

__all__ = ["unreachable"]

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
    for count, facts in enumerate(_witnesses(when)):
        held = conditions.rules(conditions.outcomes(facts)) & earlier
        if not held or count == MOST_WITNESSES:
            return set()
        winners.add((held & -held).bit_length() - 1)
    return winners


def _witnesses(when: When) -> Iterator[Facts]:
    asked = dict(when)
    values = [_values(name, asked.get(name)) for name in FACTS]
    for combination in product(*values):
        facts = dict(zip(FACTS, combination, strict=True))
        streaming = facts.pop("streaming") == "true"
        yield Facts(**facts, streaming=streaming)


def _values(name: str, patterns: tuple[str, ...] | None) -> Sequence[str]:
    fact = FACTS[name]
    if patterns is None:
        return fact.values or ("", f"{UNFORESEEN}/{UNFORESEEN}/{UNFORESEEN}")
    return [value for pattern in patterns for value in _spellings(fact, pattern)]


def _spellings(fact: Fact, pattern: str) -> Iterator[str]:
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
