"""The law of this file: what rules can tell apart falls into finitely many cells, and each cell has a witness.

A fact matters to rules only by which of their patterns it fits. So one value for each combination of patterns that some
value fits stands for all values; where patterns have wildcards, ``automaton.py`` finds them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, product
from math import prod
from typing import Any, Final

from proxy.policy.automaton import Found
from proxy.policy.facts import Facts
from proxy.policy.reach import UNFORESEEN, between, spellings
from proxy.policy.vocabulary import FACTS, TEXT_ONLY, UNSAID, Fact, When

__all__ = ["ASKED", "MOST_CELLS", "Space", "Value"]

ASKED: Final[Mapping[str, Fact]] = FACTS | UNSAID
MOST_CELLS: Final = 20_000
# Of these, the ones that are spent on a single condition, at most.
MOST_OF_ONE: Final = 256
# Beyond so many patterns with wildcards, none are put together two by two.
MOST_GLOBS: Final = 60

_BOOLEANS: Final = ("streaming", "informed", "granted")
_STRANGE: Final = f"{UNFORESEEN}/{UNFORESEEN}/{UNFORESEEN}"


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a fact, for all that fit the same patterns. ``pattern`` is what it was made from, empty for a value
    that fits none; ``parts`` are the patterns where it was made from several. Of a fact with a closed list of values,
    ``alike`` are those that it stands for."""

    value: str
    pattern: str = ""
    alike: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()


class Space:
    """The responses of one ``kind``, cut into cells as far as these conditions tell them apart.

    ``names`` are the facts that are asked about, ``values`` those of each, in the same order; what fits no pattern
    stands last. A cell has one value of each fact. ``whole`` where no combination of patterns can be missing.
    """

    def __init__(self, kind: str, whens: Iterable[When], known: Iterable[Facts] = ()) -> None:
        """``known``: responses that people have in mind, whose values are tried, too."""
        self.kind = kind
        mine = [when for when in map(dict, whens) if kind in when.get("kind", (kind,))]
        alike = [facts for facts in known if facts.kind == kind]
        asked = {name for when in mine for name in when if name != "kind"}
        self._whens = mine
        self.names = tuple(name for name in ASKED if name in asked and (kind == "text" or name not in TEXT_ONLY))
        cut = [
            _values(name, [pattern for when in mine for pattern in when.get(name, ())], alike) for name in self.names
        ]
        self.values = tuple(tuple(values) for values, _ in cut)
        self.whole = all(whole for _, whole in cut)

    @property
    def size(self) -> int:
        """How many cells there are."""
        return prod(map(len, self.values))

    def cells(self) -> Iterator[tuple[Value, ...]]:
        """All cells where they are at most MOST_CELLS; else, up to that number, those that just fit one condition, and
        those in which all facts but two are such as fit no pattern."""
        if self.size <= MOST_CELLS:
            yield from product(*self.values)
            return
        usual = tuple(values[-1] for values in self.values)
        seen = {usual}
        yield usual
        for cell in chain(self._just_fitting(usual), self._in_pairs(usual)):
            if len(seen) == MOST_CELLS:
                return
            if cell not in seen:
                seen.add(cell)
                yield cell

    def _just_fitting(self, usual: tuple[Value, ...]) -> Iterator[tuple[Value, ...]]:
        for when in self._whens:
            chosen = [
                [one for one in values if _fits(name, when[name], one)] if name in when else [same]
                for name, values, same in zip(self.names, self.values, usual, strict=True)
            ]
            yield from islice(product(*chosen), MOST_OF_ONE)

    def _in_pairs(self, usual: tuple[Value, ...]) -> Iterator[tuple[Value, ...]]:
        for first in range(len(usual)):
            for second in range(first + 1, len(usual)):
                for one, other in product(self.values[first], self.values[second]):
                    yield (*usual[:first], one, *usual[first + 1 : second], other, *usual[second + 1 :])

    def facts(self, cell: Sequence[Value]) -> Facts:
        """The response that stands for a cell; a text is there already, and plain where nobody asks."""
        given: dict[str, Any] = {name: one.value for name, one in zip(self.names, cell, strict=True)}
        for name in _BOOLEANS:
            given[name] = given.get(name) == "true"
        tokens = given.pop("min_tokens", "")
        if self.kind == "text":
            given.setdefault("output", "plain")
        return Facts(self.kind, **given, tokens=int(tokens) if tokens else None)


def _fits(name: str, patterns: Sequence[str], one: Value) -> bool:
    fact = ASKED[name]
    return any(fact.match(pattern)(fact.plain(one.value)) for pattern in patterns)


def _values(name: str, patterns: Sequence[str], known: Sequence[Facts]) -> tuple[list[Value], bool]:
    """The values of a fact that these patterns tell apart, and whether these are all."""
    fact, distinct = ASKED[name], list(dict.fromkeys(patterns))
    if name == "min_tokens":
        return [Value(least, least) for least in sorted({"0", *distinct}, key=int, reverse=True)], True
    matches = [fact.match(pattern) for pattern in distinct]
    cells: dict[tuple[bool, ...], list[Value]] = {}
    apart = Found((), whole=True) if fact.values else between(name, distinct)
    for one in map(Value, fact.values) if fact.values else _candidates(fact, distinct, known, apart.values):
        plain = fact.plain(one.value)
        cells.setdefault(tuple(match(plain) for match in matches), []).append(one)
    if fact.values:
        return [Value(values[0].value, alike=tuple(one.value for one in values)) for values in cells.values()], True
    fitting = [values[0] for fits, values in cells.items() if any(fits)]
    others = [Value(values[0].value) for fits, values in cells.items() if not any(fits)]
    return [*fitting, *others], apart.whole


def _candidates(fact: Fact, patterns: Sequence[str], known: Sequence[Facts], apart: Sequence[str]) -> Iterator[Value]:
    globs = [pattern for pattern in patterns if not fact.is_literal(pattern)]
    yield from (Value(pattern, pattern) for pattern in patterns if fact.is_literal(pattern))
    yield from (Value(value, pattern) for pattern in globs for value in spellings(fact, pattern))
    yield from (Value(value, value) for facts in known if (value := fact.read(facts)))
    if len(globs) <= MOST_GLOBS:
        for one, other in product(globs, globs):
            # What begins as one does and ends as the other may fit both, and is short to tell.
            begin, end = one.partition("*")[0], other.rpartition("*")[2]
            yield Value(f"{begin}{UNFORESEEN[0]}{end}".replace("?", UNFORESEEN[0]), f"{begin}*{end}")
    for value in apart:
        plain = fact.plain(value)
        parts = tuple(pattern for pattern in globs if fact.match(pattern)(plain))
        yield Value(value, " and ".join(parts), parts=parts)
    yield from (Value(""), Value(_STRANGE))
