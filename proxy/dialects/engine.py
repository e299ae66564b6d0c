"""The engine that runs a table over one JSON document: its units of text, its media, and whether it is known.

A document is *recognised* where the container that a rule looks into is there and holds elements of the expected
shape, even when there is no text in it (a tool call, a usage record). What is not recognised may hold generated
content in a place that the table does not know; what is recognised may still hold it in a form that the table does not
know (``unknown``), and then it is not understood.
"""

import re
from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from proxy.dialects import hidden, media
from proxy.dialects.dialect import Dialect, MediaRule, Mode, TextRule
from proxy.dialects.hidden import Place, is_empty
from proxy.dialects.media import Medium
from proxy.dialects.paths import MISSING, Condition, Each, Found, Path
from proxy.dialects.unit import Unit, closes, key_of, mark_end

_escaped = re.compile(rb"\\u00[2-7]").search  # a letter of a name, perhaps


@dataclass(slots=True)
class Content:
    """What a table finds in one document. ``error`` says that it is an error and holds no content, ``unknown`` where
    text stands in a form that no rule reads, ``medium`` where a medium stands for which there is no label yet."""

    units: list[Unit]
    media: list[Medium]
    recognised: bool
    error: bool = False
    unknown: Place | None = None
    medium: Place | None = None

    @property
    def empty(self) -> bool:
        """Whether all that is known of the document is that the container which the rules look into is empty."""
        return self.recognised and not self.units and not self.media


class _Rules:
    """The rules of a table, ready to run: found by the value that they all ask for first, where they do."""

    def __init__(self, rules: tuple[TextRule, ...]) -> None:
        self.all = rules
        self.leaves = frozenset(rule.leaf for rule in rules if rule.leaf)
        self.words = tuple((leaf, f'"{leaf}"'.encode()) for leaf in self.leaves)
        # What a negated filter keeps out (``[?!thought]``) is known: the table says that it is no text for people.
        steps = [step for rule in rules for path in (rule.each, rule.span) if path for step in path.rest]
        self.flags = tuple({step.where for step in steps if isinstance(step, Each) and step.negated})
        self.plain = frozenset(rule.text.names for rule in rules if rule.text and rule.span is None)
        self.several = sum(rule.span is not None for rule in rules) > 1
        self.spanned = frozenset(rule.span.names for rule in rules if rule.span)
        self.containers = tuple(dict.fromkeys(rule.each.names for rule in rules if rule.each.rest and not rule.when))
        self.by: Path | None = None
        self._by_value: dict[str, tuple[TextRule, ...]] = {}
        firsts = [rule.when[0] for rule in rules if rule.when]
        if firsts and len(firsts) == len(rules) and all(one.test == "=" for one in firsts):
            paths = {one.path for one in firsts}
            self.by = paths.pop() if len(paths) == 1 else None
        if self.by is not None:
            for rule in rules:
                for value in rule.when[0].wanted:
                    self._by_value[value] = (*self._by_value.get(value, ()), rule)

    def of(self, document: Any) -> tuple[TextRule, ...]:
        """The rules that the document's first value leaves."""
        if self.by is None:
            return self.all
        value = self.by.value(document)
        return self._by_value.get(value, ()) if type(value) is str else ()


rules_of = lru_cache(maxsize=256)(_Rules)


def content(dialect: Dialect, rules: tuple[TextRule, ...], document: Any, data: bytes = b"") -> Content:
    """Run the text rules ``rules`` and the dialect's media rules over a parsed JSON document.

    ``data``, the JSON text that it was parsed from, if it is known, tells at a glance what need not be looked for.
    """
    table = rules_of(rules)
    data = b"" if b"\\u00" in data and _escaped(data) else data
    found = Content([], [], recognised=False)
    taken: set[Place] = set()
    others: set[Place] = set()
    if dialect.media and (not data or not rules or _holds_one(media_words(dialect.media), data)):
        held, others = media.find(dialect.media, document, found.media)
        found.recognised = held and (not rules or bool(found.media))
        taken = {medium.place for medium in found.media}
    units: dict[tuple[Hashable, Mode | None], Unit] = {}
    read: set[tuple[int, str]] = set()
    each: Path | None = None
    elements: list[Found] = []
    for rule in table.of(document):
        if rule.when and not _all_hold(rule.when, document, table.by):
            continue
        if rule.each is not each:  # paths that read the same are the same
            each = rule.each
            elements = each.find(document)
        if not elements and not found.recognised:
            found.recognised = bool(rule.each.rest) and Path("", rule.each.names).value(document) == []
        for place, element in elements:
            if type(element) is not dict:
                if element and place:
                    found.unknown = place
                continue
            known = not rule.first or rule.first in element or closes(rule, element)
            if not known and not place:
                continue  # the document itself is an element of whatever shape
            found.recognised = found.recognised or known
            unit = _unit(units, rule, document, place, element)
            if rule.text is not None:
                _read(table, rule, unit, found, read, taken)
            mark_end(rule, unit)
            for path in rule.unlabelled:
                if path.names[0] in element:
                    for at, value in path.find(element, place):
                        if not is_empty(value):
                            found.medium = at
    found.units = list(units.values())
    if table.several:
        for unit in found.units:
            unit.parts.sort(key=_in_order)
    if others and (others := others.difference(*({part for part, _ in unit.parts} for unit in found.units))):
        found.medium = min(others, key=len)
    _judge(dialect, table, document, found, data, read)
    return found


def _in_order(part: tuple[Place, str]) -> tuple[tuple[bool, str | int], ...]:
    """Where a part stands among those of its unit that other rules have read."""
    return tuple([(type(step) is str, step) for step in part[0]])


@lru_cache(maxsize=256)
def media_words(rules: tuple[MediaRule, ...]) -> tuple[bytes, ...]:
    """Strings of which the JSON text of a document with media holds one."""
    return tuple({word: None for rule in rules for word in rule.words})


def _holds_one(words: tuple[bytes, ...], data: bytes) -> bool:
    for word in words:  # noqa: SIM110  a plain loop costs half as much, and this runs for every document
        if word in data:
            return True
    return False


def _judge(
    dialect: Dialect, table: _Rules, document: Any, found: Content, data: bytes, read: set[tuple[int, str]]
) -> None:
    """Whether the document is an error, whether it is known, and whether it holds more than was read."""
    silent = False
    if not found.media and not any(unit.parts for unit in found.units):
        # An error that stands beside content is the content's affair.
        found.error = any(condition.is_met(document) for condition in dialect.errors)
    if not found.units:
        silent = any(condition.holds(document) for condition in dialect.silent.records)
        if not found.recognised:
            found.recognised = silent or any(condition.holds(document) for condition in dialect.known)
        if found.unknown is None and not found.media:
            found.unknown = hidden.instead(table.containers, document)
    if found.unknown is None and not silent and table.leaves and not (data and _is_all_read(table, data, read)):
        found.unknown = hidden.residue(document, table.leaves, table.flags, dialect.silent, read)


def _is_all_read(table: _Rules, data: bytes, read: set[tuple[int, str]]) -> bool:
    """Whether every member that a text may stand in was read: there are as many as the names in the JSON text."""
    names = [name for _, name in read]
    for leaf, word in table.words:  # noqa: SIM110  as above
        if data.count(word) != names.count(leaf):
            return False
    return True


def _all_hold(conditions: tuple[Condition, ...], document: Any, known: Path | None) -> bool:
    """Whether all hold; the first does where the rules were found by it."""
    return all(one.holds(document) for one in (conditions if known is None else conditions[1:]))


def _unit(
    units: dict[tuple[Hashable, Mode | None], Unit], rule: TextRule, document: Any, place: Place, element: Any
) -> Unit:
    """The unit that the element is of; what is said of it in another mode stands by itself."""
    key = key_of(rule, document, place, element)
    unit = units.get((key, rule.mode))
    if unit is not None and unit.element != place:  # two elements, one key: neither may hide behind the other
        key = place
        unit = units.get((key, rule.mode))
    if unit is None:
        unit = units[key, rule.mode] = Unit(key, rule, place, element)
    return unit


def _read(
    table: _Rules, rule: TextRule, unit: Unit, found: Content, read: set[tuple[int, str]], taken: set[Place]
) -> None:
    """The texts that the rule finds in its element; what stands there and is no text is noted."""
    text, place = rule.text, unit.element
    assert text is not None
    if rule.span is None:
        value = _take(unit, place, unit.value, text, found, read, taken)
        if value is not None and not _is_read_otherwise(table, text.names, value):
            found.unknown = place + text.names
        return
    holder = Path("", rule.span.names).value(unit.value)
    if holder is not MISSING and type(holder) is not list and not is_empty(holder):
        if not (type(holder) is str and rule.span.names in table.plain):
            found.unknown = place + rule.span.names
        return
    for part, inner in rule.span.find(unit.value, place):
        if not text.names:
            if type(inner) is str and inner and part not in taken:
                unit.parts.append((part, inner))
            elif type(inner) is not str and not is_empty(inner):
                found.unknown = part
        elif type(inner) is dict:
            value = _take(unit, part, inner, text, found, read, taken)
            if value is not None:
                found.unknown = part + text.names
        elif not is_empty(inner):
            found.unknown = part
    if text.names:
        for at, one in enumerate(holder if type(holder) is list else ()):
            if type(one) is not dict and not is_empty(one):
                found.unknown = (*place, *rule.span.names, at)
    else:
        upper = Path("", rule.span.names[:-1]).value(unit.value)
        read.add((id(upper), rule.span.names[-1]))


def _is_read_otherwise(table: _Rules, names: tuple[str, ...], value: Any) -> bool:
    """Whether another rule reads what stands in the place of a text: a list of parts, or an object with one."""
    if type(value) is list:
        return names in table.spanned
    return type(value) is dict and any(
        len(plain) > len(names) and plain[: len(names)] == names for plain in table.plain
    )


def _take(
    unit: Unit,
    place: Place,
    holder: Any,
    text: Path,
    found: Content,
    read: set[tuple[int, str]],
    taken: set[Place],
) -> Any:
    """Note the text under ``holder``; what is there instead of one comes back, None where there is nothing else."""
    for name in text.names[:-1]:
        if type(holder) is not dict:
            break
        holder = holder.get(name)
    if type(holder) is not dict:
        if not is_empty(holder):
            found.unknown = place + text.names
        return None
    value = holder.get(text.names[-1])
    if type(value) is str:
        read.add((id(holder), text.names[-1]))
        if value and place + text.names not in taken:
            unit.parts.append((place + text.names, value))
        return None
    return None if is_empty(value) else value
