"""The law of this file: people are told of many cells in few words, and neither more nor fewer than they are.

A box is a set of values for each fact. Cells that differ in one fact alone become one box; a fact of which a box has
every value is not worth a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from proxy.policy.cells import ASKED, Space, Value
from proxy.policy.vocabulary import Fact

__all__ = ["Box", "boxes", "said"]

# The values of each fact, in the order of the space's names.
Box = tuple[frozenset[Value], ...]

# Of a value that fits no pattern, and of patterns that all values fit.
_EVERYTHING: Final = ("", "*", "/**")
_TRUTHS: Final = {
    "streaming": ("streamed", "not streamed"),
    "informed": ("informed before", "not informed before"),
    "granted": ("with a grant", "without a grant"),
}
_WISHES: Final = {
    frozenset(("show",)): "where the client asks for the notice",
    frozenset(("hide",)): "where the client asks for no notice",
    frozenset(("",)): "where the client asks neither for the notice nor for none",
    frozenset(("", "hide")): "unless the client asks for the notice",
    frozenset(("", "show")): "unless the client asks for no notice",
    frozenset(("show", "hide")): "where the client asks for the notice or for none",
}


def boxes(cells: Iterable[Sequence[Value]]) -> list[Box]:
    """Boxes that hold these cells and no others."""
    found: list[Box] = [tuple(frozenset((value,)) for value in cell) for cell in cells]
    for at in range(len(found[0]) if found else 0):
        beside: dict[Box, frozenset[Value]] = {}
        for box in found:
            others = box[:at] + box[at + 1 :]
            beside[others] = beside.get(others, frozenset()) | box[at]
        found = [(*others[:at], values, *others[at:]) for others, values in beside.items()]
    return found


def said(space: Space, box: Box) -> str:
    """A box in words, without the kind; empty where it is everything."""
    return ", ".join(_words(space, box))


def _words(space: Space, box: Box) -> Iterator[str]:
    for name, there, mine in zip(space.names, space.values, box, strict=True):
        if len(mine) == len(there):
            continue
        if name == "min_tokens":
            yield _tokens(there, mine)
        elif ASKED[name].values:
            words = [word for value in there if value in mine for word in value.alike]
            if name in _TRUTHS:
                yield _TRUTHS[name][words[0] == "false"]
            elif name == "wish":
                yield _WISHES[frozenset(words)]
            else:
                yield f"{name} {' or '.join(words)}"
        else:
            yield f"{name} {_patterns(name, there, mine)}"


def _tokens(there: Sequence[Value], mine: frozenset[Value]) -> str:
    """Runs of numbers of tokens; the values stand for all from theirs up to the next."""
    limits = sorted(int(value.value) for value in there)
    runs: list[tuple[int, int | None]] = []
    for least, following in zip(limits, [*limits[1:], None], strict=True):
        if any(int(value.value) == least for value in mine):
            joined = runs and runs[-1][1] == least
            runs = [*runs[:-1], (runs[-1][0], following)] if joined else [*runs, (least, following)]
    return " or ".join(
        f"{least} tokens or more" if end is None else f"{least} to {end - 1} tokens" if least else f"below {end} tokens"
        for least, end in runs
    )


def _patterns(name: str, there: Sequence[Value], mine: frozenset[Value]) -> str:
    """The patterns of some values, each with those that fit it and are not among them."""
    others = [value for value in there if value not in mine]
    if any(value.pattern in _EVERYTHING for value in mine):
        return f"any{_but([value.pattern for value in others])}"
    fact = ASKED[name]
    told: list[str] = []
    chosen = [value for value in there if value in mine]
    for value in chosen:
        wider = (other for other in chosen if other.pattern != value.pattern)
        if not any(_fits(fact, other, value) for other in wider):
            inside = [other.pattern for other in others if other.pattern and _fits(fact, value, other)]
            told.append(f"{value.pattern}{_but(inside)}")
    return " or ".join(dict.fromkeys(told))


def _fits(fact: Fact, one: Value, other: Value) -> bool:
    """Whether ``other`` fits all patterns that ``one`` was made from."""
    return all(fact.match(pattern)(fact.plain(other.value)) for pattern in one.parts or (one.pattern,))


def _but(patterns: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(patterns))
    return f" (but not {' or '.join(distinct)})" if distinct else ""
