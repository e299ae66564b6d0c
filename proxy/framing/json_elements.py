"""Elements taken out of the arrays of a JSON text (RFC 8259), each with exactly one comma.

The law: what is left is the document without these elements, and every other byte but the white space around a comma
that went.
"""

from collections.abc import Collection
from typing import Any

from proxy.framing.json_text import Path, spans

Place = tuple[int, int, bytes]


def removals(data: bytes, document: Any, elements: Collection[Path]) -> list[Place]:
    """The places to ``cut`` for the elements at these paths to go. ``document`` is what ``data`` says; no element
    stands within another one. Raises FramingError where it is nested too deeply."""
    arrays: dict[Path, list[int]] = {}
    for path in sorted(elements, key=lambda path: path[-1]):
        arrays.setdefault(path[:-1], []).append(path[-1])  # type: ignore[arg-type]  # an element's last step is a number
    runs: list[tuple[Path, int, int, int]] = []
    wanted: list[Path] = []
    for array, indexes in arrays.items():
        length = len(value(document, array))
        for first, last in in_runs(indexes):
            runs.append((array, first, last, length))
            wanted += [(*array, at) for at in (first - 1, first, last, last + 1) if 0 <= at < length]
    found = spans(data, wanted)
    return [(*_place(found, *run), b"") for run in runs]


def value(document: Any, path: Path) -> Any:
    """What stands at a path that leads somewhere."""
    for step in path:
        document = document[step]
    return document


def in_runs(indexes: list[int]) -> list[tuple[int, int]]:
    """Numbers in order as runs without a gap: the first and the last of each."""
    runs: list[tuple[int, int]] = []
    for at in indexes:
        if runs and runs[-1][1] == at - 1:
            runs[-1] = (runs[-1][0], at)
        else:
            runs.append((at, at))
    return runs


def _place(found: dict[Path, tuple[int, int]], array: Path, first: int, last: int, length: int) -> tuple[int, int]:
    """A run goes with the comma behind it; the last one of an array, with the comma in front."""
    if last + 1 < length:
        return found[*array, first][0], found[*array, last + 1][0]
    if first:
        return found[*array, first - 1][1], found[*array, last][1]
    return found[*array, first][0], found[*array, last][1]
