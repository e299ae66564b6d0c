"""Words broken into lines.

Law: words break at spaces; between ideographs or kana too where they must (UAX #14, class ID), but not before a small
kana or a mark that repeats or lengthens. Of the ways to break them into as many lines as asked the best has no line
beyond the limit, then tears the fewest wordings apart (one ends at a separator, which is dropped where a line ends),
then has the shortest longest line.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

SEPARATORS: Final = frozenset("·•|/")

_AT_SPACES: Final = re.compile("(?<=[ \u3000])(?=[^ \u3000])")  # a no-break space keeps its words together
_IDEOGRAPHS: Final = "\u3041-\u3096\u30a1-\u30fa\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_SMALL: Final = "ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶ"
_ANYWHERE: Final = re.compile(f"{_AT_SPACES.pattern}|(?<=[{_IDEOGRAPHS}々ー])(?=[{_IDEOGRAPHS}])(?=[^{_SMALL}])")


class _Breaking(NamedTuple):
    """A breaking of the first words: what it costs, dearest first, and its lines."""

    torn: int
    longest: float
    lines: tuple[str, ...]


def unbroken(words: str, anywhere: bool = False) -> list[str]:
    """The parts that do not break, with the spaces after them; ``anywhere`` breaks between ideographs too."""
    return (_ANYWHERE if anywhere else _AT_SPACES).split(words.strip(" \u3000"))


def broken(parts: Sequence[str], count: int, limit: float, length: Callable[[str], float]) -> tuple[str, ...] | None:
    """The parts in ``count`` lines, the best way; None where there is no way.

    ``length`` measures a line, in the unit of ``limit``; a line with more on it is no shorter.
    """
    best = {0: _Breaking(0, 0, ())}
    for left in range(count - 1, -1, -1):
        reached: dict[int, _Breaking] = {}
        for start, before in best.items():
            for end in range(start + 1, len(parts) + 1 - left):
                line = _line(parts, start, end)
                width = length(line)
                if width > limit:
                    break
                tears = end < len(parts) and SEPARATORS.isdisjoint(part.strip() for part in parts[end - 1 : end + 1])
                found = _Breaking(before.torn + tears, max(before.longest, width), (*before.lines, line))
                if line and (end not in reached or found < reached[end]):
                    reached[end] = found
        best = reached
    return best[len(parts)].lines if len(parts) in best else None


def _line(parts: Sequence[str], start: int, end: int) -> str:
    """The parts from ``start`` to ``end``, without the separators at which lines break."""
    line = [*parts[start:end]]
    while line and start and line[0].strip() in SEPARATORS:
        del line[0]
    while line and end < len(parts) and line[-1].strip() in SEPARATORS:
        del line[-1]
    return "".join(line).strip(" \u3000")
