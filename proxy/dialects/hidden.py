"""Text in a form that no rule reads: what is recognised must also be understood, or it could leave unlabelled.

Known and without text are an absent member, null, ``""``, ``[]``, ``{}``, and parts of a list without the member that
would hold their text. Where the rules found plain text, only the members beside it are looked at, so it costs ordinary
answers next to nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from proxy.dialects.dialect import TextRule
from proxy.dialects.paths import MISSING, Each, Path


@dataclass(slots=True)
class _Shape:
    """What the rules know of one place: those that read text there, the members below it, and the names under which
    rules read text elsewhere."""

    rules: list[TextRule] = field(default_factory=list)
    below: dict[str, "_Shape"] = field(default_factory=dict)
    beside: tuple[str, ...] = ()

    def know(self, names: tuple[str, ...]) -> None:
        self.beside = tuple(name for name in names if name not in self.below)
        for shape in self.below.values():
            shape.know(names)


def in_element(rules: tuple[TextRule, ...], each: Path, element: Any) -> bool:
    """Whether an element that ``each`` found holds text that these rules do not read."""
    shape, names = _shape(rules, each.text)
    if type(element) is dict and shape.below.keys().isdisjoint(element):
        return _anywhere(element, names)  # an element of another shape: there is no way to follow
    return _hides(shape, element) or beside_text(rules, each, element)


def beside_text(rules: tuple[TextRule, ...], each: Path, element: Any) -> bool:
    """Whether an element holds text in a sibling of the place where these rules read it: ``message`` by ``delta``."""
    shape, names = _shape(rules, each.text)
    if type(element) is dict:
        for name, value in element.items():
            if type(value) is not dict or name in shape.below:
                continue
            if any(_says(value[name], names) for name in names if name in value):
                return True
    return False


def in_document(rules: tuple[TextRule, ...], document: Any, *, error: bool = False) -> bool:
    """Whether a document in which the rules found no element holds text at its top, or in place of their elements.

    An ``error`` is what lets a document leave without a label, so there it is looked for everywhere.
    """
    if type(document) is not dict:
        return False
    names = tuple({rule.text.names[-1]: None for rule in rules})
    if error and _anywhere(document, names):
        return True
    if any(not is_empty(document.get(name)) for name in names):
        return True
    places = (rule.each.names[0] for rule in rules if rule.each.names)
    return any(type(document.get(name)) is not list and not is_empty(document.get(name)) for name in places)


@lru_cache(maxsize=256)
def _shape(rules: tuple[TextRule, ...], each: str) -> tuple[_Shape, tuple[str, ...]]:
    """The shape of the elements at ``each``, and the names under which the rules read text anywhere."""
    root = _Shape()
    for rule in rules:
        if rule.each.text == each:
            at = root
            for name in (rule.span or rule.text).names:
                at = at.below.setdefault(name, _Shape())
            at.rules.append(rule)
    names = tuple({rule.text.names[-1]: None for rule in rules})
    root.know(names)
    return root, names


def _hides(shape: _Shape, value: Any) -> bool:
    if not value:
        return not is_empty(value)
    if type(value) is dict:  # plain loops: every record of a tool call comes here
        for name in shape.beside:
            if name in value and _is_text(value[name]):
                return True
        for name, below in shape.below.items():
            if name in value and _hides(below, value[name]):
                return True
        return not shape.below
    if type(value) is str:
        return all(rule.span is not None for rule in shape.rules)
    if type(value) is list:
        spans = [(rule.span, rule.text) for rule in shape.rules if rule.span is not None]
        return not spans or any(_part_hides(spans, part) for part in value)
    return True


def _part_hides(spans: Iterable[tuple[Path, Path]], part: Any) -> bool:
    """Whether a part of a list holds text that is no string, or that no filter admits. One that a negated filter
    keeps out (``[?!thought]``) is known: the table says that it is no text for people."""
    if type(part) is not dict:
        return not is_empty(part)
    refused: list[Path] = []
    admitted: list[Path] = []
    for span, text in spans:
        step = span.rest[0] if span.rest else None
        if len(span.rest) > 1 or not isinstance(step, Each):
            return False  # a way that goes on: its parts are not these
        if step.admits(part):
            admitted.append(text)
            value = text.value(part)
            if type(value) is not str and value is not MISSING and not is_empty(value):
                return True
        elif not step.negated:
            refused.append(text)
    return any(
        text not in admitted and value is not MISSING and not is_empty(value)
        for text in refused
        for value in (text.value(part),)
    )


def _says(value: Any, names: tuple[str, ...]) -> bool:
    """Whether a value is text, or holds it under these names; in a list, one of its parts does."""
    for one in value if type(value) is list else (value,):
        if _is_text(one) or (type(one) is dict and any(_is_text(one.get(name)) for name in names)):
            return True
    return False


def _anywhere(value: Any, names: tuple[str, ...]) -> bool:
    left = [value]
    while left:
        one = left.pop()
        if type(one) is dict:
            if any(_is_text(one.get(name)) for name in names):
                return True
            left += one.values()
        elif type(one) is list:
            left += one
    return False


def _is_text(value: Any) -> bool:
    return type(value) is str and value != ""


def is_empty(value: Any) -> bool:
    return not value and type(value) not in (int, float)
