"""A unit of text - a choice, a message - in one document: what gets one prefix and one suffix."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from proxy.dialects.dialect import TextRule
from proxy.dialects.hidden import Place
from proxy.dialects.paths import MISSING

_OPEN = (None, False, "", "null")  # what servers write into ``close`` while a unit goes on


@dataclass(slots=True)
class Unit:
    """What one document holds of one unit: its element, as place and value, the parts of its text in order, as places
    and texts, whether it ends here or a block of it does, and the block."""

    key: Hashable
    rule: TextRule
    element: Place
    value: Any
    parts: list[tuple[Place, str]] = field(default_factory=list)
    closes: bool = False
    holds: bool = False
    slot: Any = MISSING

    @property
    def text(self) -> str:
        """The unit's text in this document."""
        return "".join([text for _, text in self.parts])

    @property
    def name(self) -> str:
        """The unit as people write it: ``choices[1]``, whatever its place in one record of a stream."""
        place, key = self.element, self.key
        if isinstance(key, int) and place:
            return spell((*place[:-1], key))
        return spell(key) if isinstance(key, tuple) and not place else spell(place)


def key_of(rule: TextRule, document: Any, place: Place, element: Any) -> Hashable:
    """What tells the unit of an element apart from the others of its answer."""
    keys = rule.keys
    if not keys:
        return place
    if len(keys) == 1 and keys[0].path is not None:
        value = keys[0].path.value(document if keys[0].whole else element)
        if type(value) is int or type(value) is str:
            return value
        return place[-1] if place and type(place[-1]) is int else place
    parts: list[int | str] = []
    for key in keys:
        if key.path is None:
            parts += [step for step in place if type(step) is int]
        else:
            value = key.path.value(document if key.whole else element)
            parts.append(value if type(value) is int or type(value) is str else 0)
    return tuple(parts)


def mark_end(rule: TextRule, unit: Unit) -> None:
    """Note what the rule says of the unit beside its text."""
    unit.closes = unit.closes or closes(rule, unit.value)
    if rule.hold:
        unit.holds = True
    if rule.slot is not None:
        unit.slot = rule.slot.value(unit.value)


def closes(rule: TextRule, element: Any) -> bool:
    """Whether the rule says that the element ends its unit."""
    if rule.close is None:
        return False
    closing = rule.close.value(element)
    return closing is not MISSING and closing not in _OPEN


@lru_cache(maxsize=1024)
def spell(place: Place) -> str:
    """A place as people write it: ``choices[0].message``; ``@`` is the document, as in a path."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).lstrip(".") or "@"
