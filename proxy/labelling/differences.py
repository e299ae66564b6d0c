"""What is different between two answers: record by record, and in a JSON document place by place."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from proxy.dialects.unit import spell

Place = tuple[str | int, ...]

NOTHING: Final = object()
"""What stands in a place that is not there."""


class Difference(NamedTuple):
    """A place, what stood there and what stands there now."""

    place: Place
    before: Any
    after: Any

    @property
    def name(self) -> str:
        """The place as people write it; the document itself is ``@``."""
        return spell(self.place) if self.place else "@"


def differences(before: Any, after: Any, place: Place = ()) -> Iterator[Difference]:
    """Every place in which the documents differ; one that is there in only one of them is told as a whole."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*after, *(name for name in before if name not in after)]:
            yield from differences(before.get(name, NOTHING), after.get(name, NOTHING), (*place, name))
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            old, new = (one[index] if index < len(one) else NOTHING for one in (before, after))
            yield from differences(old, new, (*place, index))
    elif before is not after and (type(before) is not type(after) or before != after):
        yield Difference(place, before, after)


class Pair(NamedTuple):
    """A record that came with the one that left for it; ``came`` None: one that was added in front of ``number``."""

    number: int
    came: bytes | None
    left: bytes


def paired(came: Sequence[bytes], left: Sequence[bytes]) -> Iterator[Pair]:
    """The data of records that left, each with that of the one which it was: a label only ever makes a record grow."""
    index, added = 0, len(left) - len(came)
    for data in left:
        if index < len(came) and (added <= 0 or data == came[index] or _grew(parsed(came[index]), parsed(data))):
            yield Pair(index, came[index], data)
            index += 1
        else:
            added -= 1
            yield Pair(index, None, data)


def parsed(data: bytes) -> Any:
    """A record's data as a document; what is no JSON is its own text."""
    try:
        return json.loads(data)
    except ValueError:
        return data.decode("utf-8", "replace")


def _grew(before: Any, after: Any) -> bool:
    return all(map(_is_growth, differences(before, after)))


def _is_growth(one: Difference) -> bool:
    if one.before is NOTHING:
        return True
    if isinstance(one.before, str) and isinstance(one.after, str):
        return one.before in one.after
    return type(one.before) is int and type(one.after) is int and one.before < one.after
