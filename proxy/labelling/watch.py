"""What passes unparsed, watched for media that have no label yet: they often come behind the text.

A quotation mark inside JSON text is written with a backslash, so a member's name with its colon, and ``"type"`` with
its value, are no words of a model's.
"""

import re
from functools import lru_cache

from proxy.dialects.dialect import Dialect, TextRule
from proxy.dialects.paths import Each
from proxy.labelling.errors import LabellingError

_TAIL = 64  # bytes: longer than a name, its colon and the beginning of its value


class Watch:
    """Sees the bytes of a stream, at any cuts; raises LabellingError where a medium begins."""

    def __init__(self, dialect: Dialect) -> None:
        self._words, self._finds = _pattern(dialect.stream)
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """Look at what passes."""
        window = self._tail + data
        # The pattern is dear: it is asked only where one of its words stands.
        if any(word in window for word in self._words) and self._finds.search(window):
            raise LabellingError("the stream holds a medium that cannot be labelled yet")
        self._tail = window[-_TAIL:]


@lru_cache(maxsize=256)
def _pattern(rules: tuple[TextRule, ...]) -> tuple[tuple[bytes, ...], re.Pattern[bytes]]:
    """Members that ``unlabelled`` names and that are not empty, and parts of the types that it names.

    The words, one of which must stand there, and the pattern that decides.
    """
    names: set[str] = set()
    types: set[str] = set()
    for path in (path for rule in rules for path in rule.unlabelled):
        last = path.steps[-1]
        if isinstance(last, str):
            names.add(last)
        elif isinstance(last, Each) and last.where == "type" and last.wanted:
            types.update(last.wanted)
    either = [rf'"(?:{_any(names)})"\s*:\s*(?:\{{\s*"|\[\s*[^\s\]]|"[^"])'] if names else []
    either += [rf'"type"\s*:\s*"(?:{_any(types)})"'] if types else []
    words = tuple(f'"{word}"'.encode() for word in sorted(names | types))
    return words, re.compile("|".join(either).encode() or b"(?!)")


def _any(words: set[str]) -> str:
    return "|".join(map(re.escape, sorted(words)))
