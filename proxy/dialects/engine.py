"""The engine that runs a table over one JSON document: its units of text, its media, and whether it is known.

A document is *recognised* where the container that a rule looks into is there and holds elements of the expected
shape, even when there is no text in it (a tool call, a usage record). What is not recognised may hold generated
content in a place that the table does not know; what is recognised may still hold it in a form that the table does not
know (``unknown``), and then it is not understood.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from proxy.dialects import hidden
from proxy.dialects.dialect import Dialect, MediaRule, TextRule
from proxy.dialects.paths import MISSING, Found, Path

Place = tuple[str | int, ...]

_OPEN = (None, False, "", "null")  # what servers write into ``close`` while a unit goes on


@dataclass(slots=True)
class Unit:
    """What one document holds of one unit: its element, as place and value, the parts of its text in order, as places
    and texts, whether it ends here, and whether the parts are those of a list."""

    key: Hashable
    rule: TextRule
    element: Place
    value: Any
    parts: list[tuple[Place, str]] = field(default_factory=list)
    closes: bool = False
    listed: bool = False

    @property
    def text(self) -> str:
        """The unit's text in this document."""
        return "".join(text for _, text in self.parts)

    @property
    def name(self) -> str:
        """The unit as people write it: ``choices[1]``, whatever its place in one record of a stream."""
        place = self.element
        return spell((*place[:-1], self.key) if isinstance(self.key, int) and place else place)


@dataclass(slots=True)
class Content:
    """What a table finds in one document. ``error`` says that it is an error and holds no content, ``unknown`` where
    text stands in a form that no rule reads, ``medium`` where a medium stands for which there is no label yet."""

    units: list[Unit]
    media: list[tuple[Place, str, MediaRule]]
    recognised: bool
    error: bool
    unknown: Place | None = None
    medium: Place | None = None

    @property
    def empty(self) -> bool:
        """Whether all that is known of the document is that the container which the rules look into is empty."""
        return self.recognised and not self.units and not self.media


def content(dialect: Dialect, rules: tuple[TextRule, ...], document: Any) -> Content:
    """Run the text rules ``rules`` and the dialect's media rules over a parsed JSON document."""
    units: dict[Hashable, Unit] = {}
    recognised = False
    unknown: Place | None = None
    medium: Place | None = None
    each: Path | None = None
    elements: list[Found] = []
    for rule in rules:
        if rule.each is not each:  # paths that read the same are the same
            each = rule.each
            elements = each.find(document)
        if not elements and not recognised:
            recognised = _container(rule.each, document) == []
        for place, element in elements:
            if type(element) is not dict:
                if element:
                    unknown = place
                continue
            recognised = recognised or rule.first in element
            key = place if rule.key is None else rule.key.value(element)
            if type(key) is not int and type(key) is not str:
                key = place
            unit = units.get(key)
            if unit is not None and unit.element != place:  # two elements, one key: neither may hide behind the other
                key, unit = place, units.get(place)
            if unit is None:
                unit = units[key] = Unit(key, rule, place, element)
            _read(rule, place, element, unit)
            for path in rule.unlabelled:
                for at, value in path.find(element, place) if path.names[0] in element else ():
                    if not hidden.is_empty(value):
                        medium = at
    media, known = _media(dialect.media, document) if dialect.media else ([], False)
    for unit in units.values():
        look = hidden.in_element if not unit.parts or unit.listed else hidden.beside_text
        if look(rules, unit.rule.each, unit.value):
            unknown = unit.element
    error = False
    if not units and not media:
        # An error that stands beside content is the content's affair.
        error = any(condition.is_met(document) for condition in dialect.errors)
        if unknown is None and hidden.in_document(rules, document, error=error):
            unknown = ()
    return Content(list(units.values()), media, recognised or known, error, unknown, medium)


def _read(rule: TextRule, place: Place, element: Any, unit: Unit) -> None:
    text = rule.text
    if rule.span is None:
        value = text.value(element)
        if type(value) is str and value:
            unit.parts.append((place + text.names, value))
    else:
        for part, inner in rule.span.find(element, place):
            value = text.value(inner)
            if type(value) is str and value:
                unit.parts.append((part + text.names, value))
                unit.listed = True
    if rule.close is not None and not unit.closes:
        closing = rule.close.value(element)
        unit.closes = closing is not MISSING and closing not in _OPEN


def _container(path: Path, document: Any) -> Any:
    """What stands where the path's first ``[*]`` looks; None where the path has none."""
    return Path("", path.names).value(document) if path.rest else None


def _media(rules: Sequence[MediaRule], document: Any) -> tuple[list[tuple[Place, str, MediaRule]], bool]:
    """The media, and whether every element of the containers that the rules look into held one of them."""
    found: list[tuple[Place, str, MediaRule]] = []
    holders: set[Place] = set()
    for rule in rules:
        for path, value in rule.path.find(document):
            if isinstance(value, str) and value:
                found.append((path, value, rule))
                holders.add(path[:-1])
    for rule in rules:
        container = _container(rule.path, document)
        if isinstance(container, list):
            return found, len(holders) >= len(container)
    return found, bool(found)


@lru_cache(maxsize=1024)
def spell(place: Place) -> str:
    """A place as people write it: ``choices[0].message``; ``@`` is the document, as in a path."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).lstrip(".") or "@"
