"""Numbers that a process counts about itself, and what they read at a moment.

The law: counting costs a look-up and an addition; a number only grows (but for a gauge); and no client can make the
table grow: of what stands in the labels ``MOST_SERIES`` are kept apart, and everything else is ``other``.

An event loop counts, and any thread may read: each row is copied in one step of the interpreter.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

__all__ = [
    "MOST_SERIES", "OTHER", "SECONDS", "Labels", "Point", "Reading", "Spread", "Tally", "Timing", "counter", "gauge",
]  # fmt: skip

MOST_SERIES: Final = 1000
OTHER: Final = "other"

SECONDS: Final = (
    1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
)  # fmt: skip
"""The upper bounds of a timing's buckets, each included in its own."""

_BOUNDS: Final = tuple([round(bound * 1e9) for bound in SECONDS])

Labels = tuple[str, ...]
Unit = Literal["", "s", "By"]  # nothing but a number, seconds, bytes: as UCUM spells them


class Point(NamedTuple):
    """One series of a counter or a gauge: the values of its labels, and the number."""

    labels: Labels
    value: float


class Spread(NamedTuple):
    """One series of a histogram: how many in each bucket (one more than there are bounds), and the sum of all."""

    labels: Labels
    counts: tuple[int, ...]
    sum: float


class Reading(NamedTuple):
    """An instrument at a moment. ``name`` is in snake case, without a prefix, its unit, or what tells its kind;
    ``about`` a sentence for people; ``labels`` the names of what the series differ in."""

    name: str
    about: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: Unit
    labels: Labels
    points: tuple[Point | Spread, ...]
    bounds: tuple[float, ...] = ()


class Tally:
    """A counter with labels."""

    __slots__ = ("_about", "_labels", "_name", "_unit", "_values")

    def __init__(self, name: str, about: str, labels: Labels, unit: Unit = "") -> None:
        self._name = name
        self._about = about
        self._labels = labels
        self._unit: Unit = unit
        self._values: dict[Labels, float] = {}

    def add(self, labels: Labels, amount: float = 1) -> None:
        """Count ``amount`` more, of zero or above, under the values of the labels."""
        values = self._values
        if labels not in values and len(values) >= MOST_SERIES:
            labels = (OTHER,) * len(labels)
        values[labels] = values.get(labels, 0) + amount

    def read(self) -> Reading:
        """What it reads now."""
        points = tuple(Point(*row) for row in dict(self._values).items())
        return Reading(self._name, self._about, "counter", self._unit, self._labels, points)


class Timing:
    """A histogram of seconds with labels."""

    __slots__ = ("_about", "_labels", "_name", "_rows")

    def __init__(self, name: str, about: str, labels: Labels) -> None:
        self._name = name
        self._about = about
        self._labels = labels
        self._rows: dict[Labels, list[int]] = {}  # a count for each bucket, and the sum in nanoseconds

    def took(self, labels: Labels, nanoseconds: int) -> None:
        """Count one more that took so long."""
        row = self._rows.get(labels)
        if row is None:
            if len(self._rows) >= MOST_SERIES:
                labels = (OTHER,) * len(labels)
            row = self._rows.setdefault(labels, [0] * (len(SECONDS) + 2))
        row[bisect_left(_BOUNDS, nanoseconds)] += 1
        row[-1] += nanoseconds

    def read(self) -> Reading:
        """What it reads now."""
        points: list[Spread] = []
        for labels, row in dict(self._rows).items():
            *counts, total = list(row)
            points.append(Spread(labels, tuple(counts), total / 1e9))
        return Reading(self._name, self._about, "histogram", "s", self._labels, tuple(points), SECONDS)


def counter(name: str, about: str, value: float, unit: Unit = "") -> Reading:
    """A number that only grows and that somebody else keeps."""
    return Reading(name, about, "counter", unit, (), (Point((), value),))


def gauge(
    name: str, about: str, value: float | Mapping[Labels, float], labels: Iterable[str] = (), unit: Unit = ""
) -> Reading:
    """What is so many now, or so many under each of the labels' values."""
    points = value.items() if isinstance(value, Mapping) else (((), value),)
    return Reading(name, about, "gauge", unit, tuple(labels), tuple(Point(*row) for row in points))
