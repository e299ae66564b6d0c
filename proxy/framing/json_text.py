"""Where in a JSON text (RFC 8259) a value stands, and the same text with some places replaced.

The law: a text with no place replaced is the same text, and what is replaced touches no other byte. So white space,
the spelling of numbers, the order of members and escapes survive, whatever a library would do to them.

A path is a tuple of member names and array indexes from the root; ``()`` is the whole value. Where a name stands
twice in one object the last one counts, as in every JSON library that an SDK uses.
"""

import json
import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import islice
from json.decoder import scanstring  # type: ignore[attr-defined]  # the C scanner, absent from the stubs
from typing import Any, TypeVar

import orjson

from proxy.framing.errors import FramingError

Path = tuple[str | int, ...]
Span = tuple[int, int]
T = TypeVar("T")

_BACKSLASH, _QUOTE = b'\\"'
_LONGEST_CHARACTER = 12  # bytes: a pair of escapes

_decoder = json.JSONDecoder(strict=False)
_scan: Any = _decoder.scan_once  # type: ignore[attr-defined]  # (text, index) -> (value, end)
_next_name = re.compile(r'[ \t\n\r]*(?:"([^"\\]*)"|(?="))').match
_colon = re.compile(r"[ \t\n\r]*:[ \t\n\r]*").match
_space = re.compile(r"[ \t\n\r]*").match
_after_name = re.compile(rb"[ \t\n\r]*:[ \t\n\r]*").match
_escaped_ascii = re.compile(rb"\\u00[2-7]").search
_high_surrogate = re.compile(rb"\\u[dD][89abAB]").match
_low_surrogate = re.compile(rb"\\u[dD][c-fC-F]").match
_characters = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[\x00-\x7f]|[\xc0-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf7][\x80-\xbf]{3}",
    re.DOTALL,
).finditer


def parse(data: bytes) -> Any:
    """The value of a JSON text; lone surrogates survive. Integers beyond 64 bits may become floats; none is rewritten.

    Raises FramingError where ``data`` is not one JSON text in UTF-8.
    """
    try:
        return orjson.loads(data)
    except ValueError:
        pass
    try:
        return _decoder.decode(data.decode())
    except (ValueError, RecursionError) as error:
        raise FramingError(f"not a JSON text: {error}") from None


@lru_cache(maxsize=256)
def quote(text: str) -> bytes:
    """The inside of a JSON string that holds ``text``, in ASCII: safe in every charset and where U+2028 ends lines."""
    return json.dumps(text)[1:-1].encode()


def spans(data: bytes, paths: Collection[Path]) -> dict[Path, Span]:
    """Where the values at ``paths`` stand: start and end in bytes, quotation marks and brackets included.

    The paths are those of values that ``parse`` shows: one that leads nowhere may be left out or mistaken for another.
    ``data`` must be JSON (see ``parse``); raises FramingError where it is not, or is nested too deeply.
    """
    found = _strings_by_name(data, paths)
    if found is None:
        return _walk(data, paths)
    return {path: (start, _string_end(data, start)) for path, start in found.items()}


def starts(data: bytes, paths: Collection[Path]) -> dict[Path, int]:
    """As ``spans``, for one who needs only the starts: where a string is long and has many escapes, its end is dear."""
    found = _strings_by_name(data, paths)
    return {path: start for path, (start, _) in _walk(data, paths).items()} if found is None else found


def cut(data: bytes, places: Sequence[tuple[int, int, T]]) -> list[bytes | T]:
    """The text with each place ``(start, end, instead)`` taken out and ``instead`` put there, as pieces in order.

    Places must not overlap; two that start at the same byte keep the order in which they are given.
    """
    pieces: list[bytes | T] = []
    at = 0
    for start, end, instead in sorted(places, key=lambda place: place[0]):
        if start < at:
            raise ValueError("places overlap")
        if start > at:
            pieces.append(data[at:start])
        pieces.append(instead)
        at = end
    if at < len(data):
        pieces.append(data[at:])
    return pieces


def member(data: bytes, names: Path, value: bytes, document: Any) -> tuple[int, int, bytes]:
    """The place that puts a member into the object ``document`` that is the whole text: its last one, or in the place
    of the one of that name; objects that are missing on the way are made. ``value`` is JSON text.

    Raises FramingError where something else than an object stands on the way.
    """
    depth, holder = 0, document
    while depth < len(names) - 1 and isinstance(below := _child(holder, names[depth]), (dict, list)):
        holder = below
        depth += 1
    for name in reversed(names[depth + 1 :]):
        value = b'{"%b":%b}' % (quote(str(name)), value)
    if type(holder) is not dict:
        raise FramingError("a member can only be added to an object")
    if names[depth] in holder:
        if depth < len(names) - 1 and holder[names[depth]] is not None:
            raise FramingError("a member can only be added to an object")
        place = names[: depth + 1]
        return (*spans(data, [place])[place], value)
    above = names[:depth]
    at = (spans(data, [above])[above][1] if above else len(data.rstrip(b" \t\n\r"))) - 1
    comma = b"" if data[:at].rstrip(b" \t\n\r").endswith(b"{") else b","
    return (at, at, b'%b"%b":%b' % (comma, quote(str(names[depth])), value))


def _child(holder: Any, step: str | int) -> Any:
    if type(holder) is list and type(step) is int:
        return holder[step] if step < len(holder) else None
    return holder.get(step) if type(holder) is dict else None


def within(data: bytes, span: Span, start: int, stop: int | None) -> Span:
    """Where the characters ``[start:stop]`` of the JSON string at ``span`` stand, as spelled; counts as slices do.

    What lies at one end of a long string costs no more than what lies at that end of a short one.
    """
    first, end = span[0] + 1, span[1] - 1
    if start >= 0 and stop is not None and stop >= 0:
        bounds = [first, *(match.end() for match in islice(_characters(data, first, end), max(start, stop)))]
    else:
        few = start < 0 and (stop is None or stop < 0)
        bounds = _last_bounds(data, first, end, -start if few else len(data))
    begin, finish, _ = slice(start, stop).indices(len(bounds) - 1)
    return bounds[begin], bounds[max(begin, finish)]


def _last_bounds(data: bytes, first: int, end: int, count: int) -> list[int]:
    """The bounds of the last ``count`` characters between ``first`` and ``end``, or of some more, or of all."""
    reach = 4 * count + _LONGEST_CHARACTER
    while True:
        at = _bound_before(data, first, end - reach)
        bounds = [at, *(match.end() for match in _characters(data, at, end))]
        if at == first or len(bounds) > count:
            return bounds
        reach *= 2


def _bound_before(data: bytes, first: int, at: int) -> int:
    """A place near ``at`` or in front of it where a character begins; ``first`` is one."""
    while at > first:
        escape = data.rfind(b"\\", first, at)
        if at - escape > _LONGEST_CHARACTER or escape < 0:  # no escape reaches as far as this
            while data[at] & 0xC0 == 0x80:
                at -= 1
            return at
        if data[escape - 1] == _BACKSLASH and (escape - len(data[first:escape].rstrip(b"\\")) - first) % 2:
            return escape - 1  # of a row of them, every other one is escaped
        if not (_low_surrogate(data, escape) and _high_surrogate(data, escape - 6)):
            return escape
        at = escape - 5  # the second half of a pair: it begins with the first
    return first


def _values_of(data: bytes, name: bytes) -> list[int]:
    """Where the values of the members called ``name`` start."""
    quoted = b'"%b"' % name
    found: list[int] = []
    at = data.find(quoted)
    while at >= 0:
        colon = _after_name(data, at + len(quoted))
        if colon and data[at - 1] != _BACKSLASH:
            found.append(colon.end())
        at = data.find(quoted, at + len(quoted) - 1)
    return found


def _string_end(data: bytes, start: int) -> int:
    """One past the quotation mark that closes the string which opens at ``start``."""
    end = data.index(b'"', start + 1)
    while data[end - 1] == _BACKSLASH:
        first = end - 1
        while data[first - 1] == _BACKSLASH:
            first -= 1
        if (end - first) % 2 == 0:
            break
        end = data.index(b'"', end + 1)
    return end + 1


def _strings_by_name(data: bytes, paths: Collection[Path]) -> dict[Path, int] | None:
    """``starts`` for string members without a walk, or None where only a walk can tell.

    In JSON a quotation mark that no backslash precedes opens or closes a string, and nothing bare stands between two
    strings; so ``"name"`` before a colon is a member's name, wherever it is found. Where a name, spelled without
    escapes, occurs exactly as often as the paths want it, and the paths differ in array indexes only, the n-th
    occurrence is the n-th path.
    """
    if b"\\u00" in data and _escaped_ascii(data):
        return None
    wanted: dict[str, list[Path]] = {}
    for path in paths:
        if not path or type(path[-1]) is not str:
            return None
        wanted.setdefault(path[-1], []).append(path)
    found: dict[Path, int] = {}
    for name, likes in wanted.items():
        places = _values_of(data, name.encode())
        if len(places) != len(likes):
            return None
        if len(likes) > 1:
            if not _differ_in_indexes_only(likes):
                return None
            likes.sort(key=lambda path: [step for step in path if type(step) is int])
        for path, start in zip(likes, places, strict=True):
            if data[start] != _QUOTE:
                return None
            found[path] = start
    return found


def _differ_in_indexes_only(paths: list[Path]) -> bool:
    return len({tuple(step if type(step) is str else None for step in path) for path in paths}) == 1


def _walk(data: bytes, paths: Collection[Path]) -> dict[Path, Span]:
    wanted: dict[Any, Any] = {}
    for path in paths:
        node = wanted
        for step in path:
            node = node.setdefault(step, {})
    found: dict[Path, Span] = {}
    text = data.decode("latin-1")  # so that positions are bytes: structure is ASCII, and names are asked for in ASCII
    try:
        end = _skip(text, _value(text, _skip(text, 0), wanted, (), found))
    except (StopIteration, IndexError, ValueError, RecursionError) as error:
        raise FramingError(f"not a JSON text: {error}") from None
    if end != len(text):
        raise FramingError("not a JSON text: something follows the value")
    return {path: found[path] for path in paths if path in found}


def _skip(text: str, at: int) -> int:
    return _space(text, at).end()  # type: ignore[union-attr]  # it matches nothing at all, too


def _value(text: str, at: int, wanted: dict[Any, Any], path: Path, found: dict[Path, Span]) -> int:
    first = text[at]
    if wanted and first == "{":
        end = _members(text, at, wanted, path, found)
    elif wanted and first == "[":
        end = _elements(text, at, wanted, path, found)
    else:
        end = _scan(text, at)[1]
    found[path] = (at, end)
    return end


def _members(text: str, at: int, wanted: dict[Any, Any], path: Path, found: dict[Path, Span]) -> int:
    at = _skip(text, at + 1)
    if text[at] == "}":
        return at + 1
    while True:
        spelled = _next_name(text, at)
        if spelled is None:
            raise ValueError(f"a member name was expected at {at}")
        name, at = (spelled[1], spelled.end()) if spelled[1] is not None else scanstring(text, spelled.end() + 1, False)
        colon = _colon(text, at)
        if colon is None:
            raise ValueError(f"a colon was expected at {at}")
        at = colon.end()
        below = wanted.get(name)
        at = _skip(text, _scan(text, at)[1] if below is None else _value(text, at, below, (*path, name), found))
        if text[at] == "}":
            return at + 1
        if text[at] != ",":
            raise ValueError(f"a comma was expected at {at}")
        at += 1


def _elements(text: str, at: int, wanted: dict[Any, Any], path: Path, found: dict[Path, Span]) -> int:
    at = _skip(text, at + 1)
    if text[at] == "]":
        return at + 1
    index = 0
    while True:
        below = wanted.get(index)
        at = _skip(text, _scan(text, at)[1] if below is None else _value(text, at, below, (*path, index), found))
        if text[at] == "]":
            return at + 1
        if text[at] != ",":
            raise ValueError(f"a comma was expected at {at}")
        at = _skip(text, at + 1)
        index += 1
