"""The law of this file: two sets of rules are the same if they decide the same in every cell of what both ask about.

Where they differ, the cells of one and the same difference are told together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from proxy.policy.boxes import boxes, said
from proxy.policy.cells import MOST_CELLS, Space, Value
from proxy.policy.decision import Decision
from proxy.policy.facts import KINDS, Facts
from proxy.policy.policies import Rules
from proxy.policy.together import decided
from proxy.policy.vocabulary import When

__all__ = ["NOTHING", "Change", "Differences", "asked_by", "differences"]

Decide = Callable[[Facts], Decision]
# The fields of two decisions that differ: their names, and in words what each says.
Fields = tuple[tuple[str, str, str], ...]

NOTHING: Final = "nothing"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: the responses that it is about, in words, and what is different of their decisions, as triples
    of the field's name and what it says before and after."""

    responses: tuple[str, ...]
    fields: Fields


@dataclass(frozen=True, slots=True)
class Differences:
    """All differences that were found; ``complete`` where every cell was tried."""

    changes: tuple[Change, ...]
    complete: bool


def asked_by(rules: Rules) -> Iterator[When]:
    """All conditions on which decisions of these rules depend."""
    for policy in rules.policies:
        yield from (rule.when for rule in policy.rules)
        yield from (row.when for row in policy.upstream_marks)
    if rules.asks("deepfake"):
        yield (("deepfake", ("no",)),)
    if rules.asks("wish"):
        yield from ((("wish", (wish,)),) for wish in ("show", "hide"))
    if rules.asks("granted"):
        yield (("granted", ("true",)),)


def differences(old: Decide, new: Decide, whens: Iterable[When], known: Iterable[Facts] = ()) -> Differences:
    """What ``new`` decides otherwise than ``old``, where both depend on these conditions; ``known`` as in Space."""
    asked, mine = list(whens), list(known)
    found: dict[Fields, dict[str, list[str]]] = {}
    complete = True
    for kind in KINDS:
        space = Space(kind, asked, mine)
        complete = complete and space.whole and space.size <= MOST_CELLS
        differing: dict[Fields, list[tuple[Value, ...]]] = {}
        for cell in space.cells():
            facts = space.facts(cell)
            before, after = old(facts), new(facts)
            if before != after and (fields := tuple(_differing(before, after))):
                differing.setdefault(fields, []).append(cell)
        for fields, cells in differing.items():
            kinds = found.setdefault(fields, {})
            for box in boxes(cells):
                kinds.setdefault(said(space, box), []).append(kind)
    changes = (
        Change(tuple(_response(kinds, words) for words, kinds in where.items()), fields)
        for fields, where in found.items()
    )
    return Differences(tuple(changes), complete)


def _response(kinds: list[str], words: str) -> str:
    of = "every kind" if len(kinds) == len(KINDS) else ", ".join(kinds)
    return f"{of}: {words}" if words else of


def _differing(before: Decision, after: Decision) -> Iterator[tuple[str, str, str]]:
    """The fields that differ. Of a notice that comes or goes, its words say enough."""
    both = before.notice is not None and type(before.notice) is type(after.notice)
    one, other = ((decided(of) | _by_language(of)) if both else _around(of) for of in (before, after))
    one, other = _reasons(before) | one, _reasons(after) | other
    for name in dict.fromkeys([*one, *other]):
        if one.get(name, NOTHING) != other.get(name, NOTHING):
            yield name, one.get(name, NOTHING), other.get(name, NOTHING)


def _reasons(decision: Decision) -> dict[str, str]:
    """What a decision says besides what is done to the answer."""
    return {
        "rules": ", ".join(decision.because) or "none speaks",
        "gaps": ", ".join(sorted(decision.gaps)) or NOTHING,
        "upstream's marks": ", ".join(sorted(decision.upstream_marks)) or NOTHING,
    }


def _by_language(decision: Decision) -> dict[str, str]:
    """The words of a notice, one by one; those for everybody else stand first."""
    words = decision.notice.words.by_language if decision.notice is not None else ()
    first = {"first language": words[0][0]} if words else {}
    return {"words": "", **first, **{f"words {language}": text for language, text in words}}


def _around(decision: Decision) -> dict[str, str]:
    """What is done to the answer, its notice in short."""
    notice = f"none: {decision.hidden}" if decision.hidden else "none"
    if decision.notice is not None:
        notice = decision.notice.words.pick("") or decided(decision).get("mark", "one without words")
    return {"notice": notice} | decided(replace(decision, notice=None))
