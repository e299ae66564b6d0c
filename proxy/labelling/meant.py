"""Whether labelling did to an example's answer what the example says, and nothing else.

Documents are compared as JSON, and then the law of bytes: with the changes taken back and the added records left out,
what left is what came, byte for byte.
"""

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from proxy.dialects.examples import Example
from proxy.dialects.paths import parse_path
from proxy.framing.errors import FramingError
from proxy.framing.json_text import spans
from proxy.framing.record import Record
from proxy.label.aigc import parse as parse_aigc
from proxy.label.errors import LabelError
from proxy.labelling.differences import NOTHING, Place, differences, parsed
from proxy.labelling.trial import Ran
from proxy.labelling.wire import filled, records, shape

_MOVED = re.compile(r"⟨(\d+)\+P( bytes)?⟩")
_OWN = re.compile(r"⟨([^⟩]*)⟩")


def faults(example: Example, ran: Ran, came: bytes, notice: str, tokens: Mapping[str, str]) -> list[str]:
    """What is not as the example says, in sentences; nothing where it holds. ``came`` is the answer as it came,
    ``notice`` the words for people, ``tokens`` what else stands between ⟨ and ⟩ in the example."""
    word, _, reason = example.outcome.partition(":")
    if word.strip() not in (ran.outcome, ran.outcome.removesuffix(" response")) or reason.strip() not in ran.reason:
        because = f": {ran.reason}" if ran.reason else ""
        return [f"the outcome is {ran.outcome}{because!s}, meant is {example.outcome}"]
    if ran.outcome == "blocked":
        return ["the answer was blocked, and all of it had left"] * (ran.data == came != b"")
    return list(_Comparison(example, ran, notice, tokens).faults(came))


class _Comparison:
    def __init__(self, example: Example, ran: Ran, notice: str, tokens: Mapping[str, str]) -> None:
        self._example = example
        self._ran = ran
        self._notice = notice
        self._tokens = {**tokens, "P": notice + "\n\n", "S": "\n\n" + notice, "N": notice}
        # Without the heads of data URLs: an example says only what stands behind them.
        self._pictures = [
            (before.rpartition(b",")[2].decode("latin-1"), after.rpartition(b",")[2].decode("latin-1"))
            for before, after in ran.pictures
        ]

    def faults(self, came: bytes) -> Iterator[str]:
        form = shape(self._example)
        try:
            before = records(form, came)
            after = records(form, self._ran.data)
        except FramingError as error:
            yield f"what left is broken: {error}"
            return
        left = [record for record in after if record.data is not None]
        said = [record for record in before if record.data is not None]
        added = {index: one if isinstance(one, list) else [one] for index, one in self._example.added.items()}
        meant = len(said) + sum(map(len, added.values()))
        if len(left) != meant:
            yield f"{len(left)} records left, meant are {meant}: {_shown([_text(record.data) for record in left])}"
            return
        whole = form in ("json", "medium")
        undone: dict[int, bytes | None] = {}
        place = 0
        for index in range(len(said) + 1):
            for document in added.get(index, ()):
                yield from self._compared(f"the record added before {index}", NOTHING, document, left[place])
                undone[id(left[place])] = None
                place += 1
            if index < len(said):
                changes = self._example.changes if whole else self._example.changes.get(index, {})
                name = "the answer" if whole else f"record {index}"
                yield from self._record(name, said[index], left[place], changes, undone)
                place += 1
        restored = b"".join(undone.get(id(record), record.raw) or b"" for record in after)
        if restored != came:
            yield f"more left than is meant: with the changes undone {_cut(restored, came)}"

    def _record(
        self, name: str, came: Record, left: Record, changes: Mapping[Any, Any], undone: dict[int, bytes | None]
    ) -> Iterator[str]:
        assert came.data is not None
        assert left.data is not None
        if set(changes) == {"@"} and changes["@"] == "⟨labelled⟩":
            if (came.data, left.data) not in self._ran.pictures:
                yield f"{name} is not the labelled picture"
            undone[id(left)] = came.raw
            return
        if not changes:
            if left.raw != came.raw:
                yield from self._compared(name, parsed(came.data), parsed(came.data), left, exactly=True)
            return
        document = parsed(came.data)
        meant = deepcopy(document)
        places: list[Place] = []
        for spelled, value in changes.items():
            place = tuple(step for step in parse_path(spelled).steps if isinstance(step, str | int))
            try:
                new = _put(meant, place, value)
            except (KeyError, IndexError, TypeError):
                yield f"{name}: the example changes {spelled}, and there is no such place"
                return
            places += [new] * (new not in places)
        wrong = list(self._compared(name, document, meant, left))
        yield from wrong
        if wrong:
            undone[id(left)] = came.raw
        else:
            undone[id(left)] = left.with_data(_undone(came.data, left.data, document, places)).raw

    def _compared(self, name: str, came: Any, meant: Any, left: Record, *, exactly: bool = False) -> Iterator[str]:
        """What a record that left says otherwise than is meant."""
        assert left.data is not None
        actual = parsed(left.data)
        if left.fields and isinstance(meant, dict):
            fields = {key: value for key, value in meant.items() if key.startswith(":")}
            if fields.items() - left.fields.items():
                yield f"{name}: its headers are {_shown(dict(left.fields))}, meant are {_shown(fields)}"
            meant = {key: value for key, value in meant.items() if key not in fields}
        found = [one for one in differences(meant, actual) if not self._holds(one.before, one.after, came, one.place)]
        for one in found:
            yield f"{name}: {one.name} is {_shown(one.after)}, meant is {_shown(self._in_full(one.before))}"
        if exactly and not found:
            yield f"{name}: spelled otherwise than it came"

    def _in_full(self, meant: Any) -> Any:
        return filled(meant, self._tokens)

    def _holds(self, meant: Any, actual: Any, came: Any, place: Place) -> bool:
        """Whether a value with tokens in it is what they mean."""
        if isinstance(meant, str):
            if meant == "⟨aigc⟩":
                return self._is_label(actual)
            if moved := _MOVED.fullmatch(meant):
                notice = self._notice + "\n\n"
                return bool(int(moved[1]) + len(notice.encode() if moved[2] else notice) == actual)
            if "⟨labelled⟩" in meant:
                was = _at(came, place)
                return isinstance(actual, str) and any(
                    filled(meant, {**self._tokens, "labelled": after}) == actual
                    and isinstance(was, str)
                    and was.rpartition(",")[2] == before
                    for before, after in self._pictures
                )
            return bool(_OWN.search(meant)) and self._in_full(meant) == actual
        if isinstance(meant, dict) and isinstance(actual, dict):
            return meant.keys() == actual.keys() and all(
                self._same(meant[name], actual[name], came, (*place, name)) for name in meant
            )
        if isinstance(meant, list) and isinstance(actual, list):
            return len(meant) == len(actual) and all(
                self._same(one, other, came, (*place, index))
                for index, (one, other) in enumerate(zip(meant, actual, strict=True))
            )
        return False

    def _same(self, meant: Any, actual: Any, came: Any, place: Place) -> bool:
        return (type(meant) is type(actual) and meant == actual) or self._holds(meant, actual, came, place)

    def _is_label(self, value: Any) -> bool:
        """Whether a value is the implicit label of this answer, or of one of several in it: by the same producer."""
        if self._example.lines is None:
            return bool(value == json.loads(self._ran.mark.aigc.compact()))
        try:
            return parse_aigc(json.dumps(value)).content_producer == self._ran.mark.operator.issuer.provider
        except LabelError:
            return False


def _undone(came: bytes, left: bytes, document: Any, places: list[Place]) -> bytes:
    """What left, with what came back in every place, and without the members and elements that were not there."""
    found, known = spans(left, places), spans(came, [place for place in places if _at(document, place) is not NOTHING])
    for place in sorted(places, key=lambda place: found[place], reverse=True):
        start, end = found[place]
        if place in known:
            at, to = known[place]
            left = left[:start] + came[at:to] + left[end:]
            continue
        head = left[:start].rstrip()
        if isinstance(place[-1], str):
            head = re.sub(rb'"(?:[^"\\]|\\.)*"\s*:$', b"", head).rstrip()
        tail = left[end:]
        left = head.removesuffix(b",") + tail if head.endswith(b",") else head + tail.lstrip().removeprefix(b",")
    return left


def _put(document: Any, place: Place, value: Any) -> Place:
    """Put a value into a place, made where it is not there; gives the topmost place that is new, or the place."""
    new: Place | None = None
    for depth, step in enumerate(place[:-1]):
        if isinstance(document, dict) and step not in document:
            document[str(step)] = {}
            new = new or place[: depth + 1]
        document = document[step]
    last = place[-1]
    if isinstance(document, list) and last == len(document):
        document.append(value)
    else:
        document[last] = value
    return new or place


def _at(document: Any, place: Place) -> Any:
    for step in place:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return NOTHING
    return document


def _text(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "replace")


def _cut(left: bytes, came: bytes) -> str:
    at = next(
        (at for at, pair in enumerate(zip(left, came, strict=False)) if pair[0] != pair[1]), min(len(left), len(came))
    )
    return f"it reads {_text(left[at : at + 60])!r} where {_text(came[at : at + 60])!r} came"


def _shown(value: Any) -> str:
    if value is NOTHING:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else text[:299] + "…"
