"""Media in a JSON document, where a table's media rules find them.

One member may hold a file in base64, a data URL or the URL of a file, as a request asked: each rule takes what is
written in its own way and leaves the rest to the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from proxy.dialects.dialect import MediaKind, MediaRule
from proxy.dialects.hidden import Place
from proxy.dialects.paths import Path

_KINDS: dict[str, MediaKind] = {"image": "image", "audio": "audio", "video": "video"}


@dataclass(frozen=True, slots=True)
class Medium:
    """A medium as it is written in a document. ``kind`` is None where its media type names none that we know."""

    place: Place
    value: str
    rule: MediaRule
    kind: MediaKind | None


def find(rules: Sequence[MediaRule], document: Any, found: list[Medium]) -> tuple[bool, Place | None]:
    """Add the document's media to ``found``.

    Comes back: whether every element of the lists that rules look into held one, and a place where something is
    written in a way that no rule knows.
    """
    holders: set[Place] = set()
    others: list[Place] = []
    applied = [rule for rule in rules if not rule.when or all(one.holds(document) for one in rule.when)]
    for rule in applied:
        for place, value in rule.path.find(document):
            if type(value) is not str or not value:
                continue
            if _is_written(value, rule):
                found.append(Medium(place, value, rule, _kind(rule, document, place)))
                holders.add(place)
            else:
                others.append(place)
    other = next((place for place in others if place not in holders), None)
    known = bool(found)
    for rule in applied:
        if rule.path.rest:
            names = rule.path.names
            container = Path("", names).value(document)
            if type(container) is list:
                held = {place[: len(names) + 1] for place in holders if place[: len(names)] == names}
                if len(held) < len(container):
                    return False, other
                known = True
    return known, other


def _is_written(value: str, rule: MediaRule) -> bool:
    begins = value[:8].lower()
    if begins.startswith(("http://", "https://")):
        return rule.encoding == "url"
    if begins.startswith("data:"):
        return rule.encoding == "data_url"
    return rule.encoding in ("base64", "hex")


def _kind(rule: MediaRule, document: Any, place: Place) -> MediaKind | None:
    if rule.kind is not None:
        return rule.kind
    for step in place[:-1]:
        document = document[step]
    media_type = document.get(rule.media_type)
    return _KINDS.get(media_type.partition("/")[0].lower()) if isinstance(media_type, str) else None
