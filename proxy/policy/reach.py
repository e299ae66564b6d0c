"""The law of this file: a rule that no response can reach is a mistake, and is found before the first response.

Rules are tried from the top. Whether an earlier one always wins is asked of witnesses: facts made so that they just fit
the later rule, its wildcards standing once for nothing and once for something that no pattern foresees. If every
witness goes to an earlier rule, witnesses are looked for that none of these rules takes, until another rule takes what
was found, or nobody does, or there are none: then everything else that the later rule could mean goes the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice, product
from typing import Any

from proxy.policy.automaton import Found, found
from proxy.policy.conditions import Conditions
from proxy.policy.facts import Facts
from proxy.policy.vocabulary import FACTS, Fact, When

__all__ = ["UNFORESEEN", "between", "spellings", "unreachable", "witnesses"]

# Private characters that no policy spells out, and more of them than any pattern has question marks.
UNFORESEEN = "\ue000" * 300
# A rule with more combinations than this is taken to be reachable.
MOST_WITNESSES = 4096


def unreachable(whens: Sequence[When]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """The index of each rule that can never win, with those of the rules that always come first."""
    conditions = Conditions(whens)
    for index in range(len(whens)):
        winners = _winners(conditions, whens, index)
        if winners:
            yield index, tuple(sorted(winners))


def _winners(conditions: Conditions, whens: Sequence[When], index: int) -> set[int]:
    """The earlier rules that share all that the rule at ``index`` could mean among them; empty where some is left."""
    earlier = (1 << index) - 1
    winners: set[int] = set()
    tried = islice(witnesses(whens[index], conditions.names), MOST_WITNESSES + 1)
    for count, facts in enumerate(chain(tried, _missed(whens, index, winners))):
        held = conditions.rules(conditions.outcomes(facts)) & earlier
        if not held or count >= MOST_WITNESSES:
            return set()
        winners.add((held & -held).bit_length() - 1)
    return winners


def _missed(whens: Sequence[When], index: int, winners: set[int]) -> Iterator[Facts]:
    """Facts that fit the rule at ``index`` and none of the ``winners``, which may grow meanwhile."""
    known: set[int] = set()
    while known != winners:
        known = set(winners)
        among = [*(whens[winner] for winner in sorted(known)), whens[index]]
        conditions = Conditions(among)
        for facts in _apart(among):
            if conditions.rules(conditions.outcomes(facts)) == 1 << len(known):
                yield facts
                break


def _apart(whens: Sequence[When]) -> Iterator[Facts]:
    """Facts in all ways that these rules tell apart, as far as they fit the last one."""
    wanted = dict(whens[-1])
    asked = {name: [pattern for when in whens for pattern in dict(when).get(name, ())] for name in FACTS}
    values: list[Sequence[str]] = []
    names = [name for name in FACTS if asked[name]]
    for name in names:
        fact = FACTS[name]
        patterns = [*dict.fromkeys(asked[name])]
        there: Sequence[str] = _values(name, wanted.get(name))
        if not fact.values and name != "min_tokens":
            literals = [pattern for pattern in patterns if fact.is_literal(pattern)]
            there = [*literals, *there, *between(name, patterns).values]
            if name in wanted:
                fits = [fact.match(pattern) for pattern in wanted[name]]
                there = [value for value in there if any(match(fact.plain(value)) for match in fits)]
        values.append(there)
    for chosen in product(*values):
        yield _facts(dict(zip(names, chosen, strict=True)))


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


def between(name: str, patterns: Sequence[str]) -> Found:
    """Values of the fact ``name`` for each set of those of the patterns that have wildcards."""
    fact, cut = FACTS[name], name == "path"
    literals = [fact.plain(pattern) for pattern in patterns if fact.is_literal(pattern)]
    globs = [fact.steps(pattern) for pattern in patterns if not fact.is_literal(pattern)]
    return found(globs, [f"/{one}" if cut and one else one for one in literals], cut=cut)
