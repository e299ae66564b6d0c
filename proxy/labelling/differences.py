"""What is different between two JSON documents, place by place, in the order of the later one."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from proxy.dialects.engine import spell

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
