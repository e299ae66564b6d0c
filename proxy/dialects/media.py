"""Media in a JSON document, where a table's media rules find them.

One member may hold a file in base64, a data URL or the URL of a file, as a request asked: each rule takes what is
written in its own way and leaves the rest to the others. A text may begin like a URL and go on as a text; it is none.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from proxy.dialects.dialect import MediaKind, MediaRule
from proxy.dialects.hidden import Place
from proxy.dialects.paths import Path

_url = re.compile("[!-~]+").fullmatch  # RFC 3986: a URL is ASCII, and has no white space
_data_url = re.compile(r"data:[\w.+-]+/[\w.+-]+[^\s,]{0,256},", re.ASCII | re.IGNORECASE).match  # RFC 2397

_KINDS: dict[str, MediaKind] = {"image": "image", "audio": "audio", "video": "video"}


@dataclass(frozen=True, slots=True)
class Medium:
    """A medium as it is written in a document, in a member of ``holder``. ``kind`` is None where its media type names
    none that we know."""

    place: Place
    holder: Any
    value: str
    rule: MediaRule
    kind: MediaKind | None


def find(rules: Sequence[MediaRule], document: Any, found: list[Medium]) -> tuple[bool, set[Place]]:
    """Add the document's media to ``found``.

    Comes back: whether every element of the lists that rules look into held one, and the places where something is
    written in a way that no rule knows.
    """
    holders: set[Place] = set()
    others: set[Place] = set()
    applied = [rule for rule in rules if not rule.when or all(one.holds(document) for one in rule.when)]
    for rule in applied:
        for place, value in rule.path.find(document):
            if type(value) is not str or not value:
                continue
            if _is_written(value, rule):
                holder = document
                for step in place[:-1]:
                    holder = holder[step]
                found.append(Medium(place, holder, value, rule, _kind(rule, holder)))
                holders.add(place)
            else:
                others.add(place)
    others -= holders
    known = bool(found)
    for rule in applied:
        if rule.path.rest:
            names = rule.path.names
            container = Path("", names).value(document)
            if type(container) is list:
                held = {place[: len(names) + 1] for place in holders if place[: len(names)] == names}
                if len(held) < len(container):
                    return False, others
                known = True
    return known, others


def _is_written(value: str, rule: MediaRule) -> bool:
    begins = value[:8].lower()
    if begins.startswith(("http://", "https://")):
        return rule.encoding == "url" and _url(value) is not None
    if begins.startswith("data:"):
        return rule.encoding == "data_url" and _data_url(value) is not None
    return rule.encoding in ("base64", "hex")


def kind_of(media_type: str) -> MediaKind | None:
    """What kind of medium a media type (RFC 9110 section 8.3.1) names; None for any other."""
    return _KINDS.get(media_type.partition("/")[0].lower())


def _kind(rule: MediaRule, holder: Any) -> MediaKind | None:
    if rule.kind is not None:
        return rule.kind
    media_type = holder.get(rule.media_type)
    return kind_of(media_type) if isinstance(media_type, str) else None
