"""Members of objects in a JSON text (RFC 8259 section 4), set and taken out.

The law: afterwards every reader finds the same there, whether it takes the first or the last of two members of one
name, joins two objects of one name, or passes over upper and lower case; all other members stay as they are spelled.
A text that says so already stays the same.

``names`` are those on the way to the member, from the root. Every function raises FramingError where the text is no
object, or where something else than an object stands on the way.
"""

import json
import re
from collections.abc import Callable, Sequence
from json.decoder import scanstring  # type: ignore[attr-defined]  # the C scanner, absent from the stubs
from typing import Any, NamedTuple

from proxy.framing.errors import FramingError
from proxy.framing.json_elements import Place, in_runs
from proxy.framing.json_text import cut, parse, quote

_scan: Any = json.JSONDecoder(strict=False).scan_once  # type: ignore[attr-defined]  # (text, index) -> (value, end)
_space = re.compile(r"[ \t\n\r]*").match


class _Member(NamedTuple):
    """A member, from the quotation mark that opens its name to the end of its value, which begins at ``value``."""

    name: str
    start: int
    value: int
    end: int


def with_member(data: bytes, names: Sequence[str], value: bytes) -> bytes:
    """The text with this member, whose value is the JSON text ``value``. Objects that are missing on the way, or null,
    are made."""
    return _edited(data, lambda text, at: _setting(text, at, names, value))


def without_member(data: bytes, names: Sequence[str]) -> bytes:
    """The text without this member."""
    return _edited(data, lambda text, at: _dropping(text, at, names))


def _edited(data: bytes, places: Callable[[str, int], list[Place]]) -> bytes:
    parse(data)
    text = data.decode("latin-1")  # so that positions are bytes
    try:
        found = places(text, _skip(text, 0))
    except RecursionError:
        raise FramingError("it is nested too deeply") from None
    return b"".join(cut(data, found)) if found else data


def _setting(text: str, at: int, names: Sequence[str], value: bytes) -> list[Place]:
    """The places to ``cut`` for the object at ``at`` to have the member."""
    (name, *below), members = names, _members(text, at)
    alike = _alike(members, name)
    if not below:
        return _set(text, members, alike, name, value) if alike else [_last(at, members, name, value)]
    places: list[Place] = []
    for holder in alike:
        if _is_object(text, holder):
            places += _setting(text, holder.value, below, value)
        else:
            places.append((holder.value, holder.end, _nested(below, value)))
    if all(holder.name != name for holder in alike):
        places.append(_last(at, members, name, _nested(below, value)))
    return places


def _set(text: str, members: list[_Member], alike: list[_Member], name: str, value: bytes) -> list[Place]:
    """One of those that are alike says it, and the others go."""
    kept = next((one for one in reversed(alike) if one.name == name), alike[-1])
    places = _cuts(members, [one for one in alike if one is not kept])
    if kept.name != name:
        places.append((kept.start, kept.end, b'"%b":%b' % (quote(name), value)))
    elif _meaning(text[kept.value : kept.end]) != _meaning(value.decode("latin-1")):
        places.append((kept.value, kept.end, value))
    return places


def _dropping(text: str, at: int, names: Sequence[str]) -> list[Place]:
    (name, *below), members = names, _members(text, at)
    alike = _alike(members, name)
    if not below:
        return _cuts(members, alike)
    return [place for holder in alike if _is_object(text, holder) for place in _dropping(text, holder.value, below)]


def _members(text: str, at: int) -> list[_Member]:
    """The members of the object at ``at``, all of them, in order."""
    if text[at] != "{":
        raise FramingError("it is no object")
    found: list[_Member] = []
    at = _skip(text, at + 1)
    while text[at] != "}":
        name, colon = scanstring(text, at + 1, False)
        value = _skip(text, _skip(text, colon) + 1)
        end = _scan(text, value)[1]
        found.append(_Member(name, at, value, end))
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return found


def _skip(text: str, at: int) -> int:
    return _space(text, at).end()  # type: ignore[union-attr]  # it matches nothing at all, too


def _alike(members: list[_Member], name: str) -> list[_Member]:
    """Those whose name some reader takes for this one: Go's passes over case, as Unicode folds it."""
    folded = name.casefold()
    return [one for one in members if one.name == name or _spelled(one.name).casefold() == folded]


def _spelled(name: str) -> str:
    """A name that was read as Latin-1, as it is in UTF-8; one with escapes beyond Latin-1 holds its characters."""
    try:
        return name.encode("latin-1").decode()
    except UnicodeError:
        return name


def _is_object(text: str, holder: _Member) -> bool:
    """Whether a member on the way is an object; it may also be null."""
    if text[holder.value] == "{":
        return True
    if text[holder.value : holder.end] == "null":
        return False
    raise FramingError(f"{holder.name} is no object")


def _cuts(members: list[_Member], gone: list[_Member]) -> list[Place]:
    """A run goes with the comma behind it; the last one of an object, with the comma in front."""
    places: list[Place] = []
    for first, last in in_runs([members.index(one) for one in gone]):
        if last + 1 < len(members):
            places.append((members[first].start, members[last + 1].start, b""))
        elif first:
            places.append((members[first - 1].end, members[last].end, b""))
        else:
            places.append((members[first].start, members[last].end, b""))
    return places


def _last(at: int, members: list[_Member], name: str, value: bytes) -> Place:
    """A new last member of the object at ``at``."""
    comma, end = (b",", members[-1].end) if members else (b"", at + 1)
    return (end, end, b'%b"%b":%b' % (comma, quote(name), value))


def _nested(names: Sequence[str], value: bytes) -> bytes:
    for name in reversed(names):
        value = b'{"%b":%b}' % (quote(name), value)
    return value


def _meaning(value: str) -> str:
    """What tells values apart: 1 is not true, and of two members of one name each is one."""
    return repr(json.loads(value, object_pairs_hook=tuple))
