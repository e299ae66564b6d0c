"""What passes unparsed, watched for what has no label yet: media, which often come behind the text, and more answers
than were asked for.

A quotation mark inside JSON text is written with a backslash, so a member's name with its colon, and ``"type"`` with
its value, are no words of a model's.
"""

import re
from collections.abc import Callable, Container, Hashable, Iterable
from functools import lru_cache

from proxy.dialects.dialect import Dialect, TextRule
from proxy.dialects.paths import Each
from proxy.labelling.errors import LabellingError

_TAIL = 64  # bytes: longer than a name, its colon and the beginning of its value


class Watch:
    """Sees the bytes of a stream, at any cuts; raises LabellingError where a medium begins, or another unit than those
    that are ``decided`` (None: units get no notice). A unit is seen where its key stands first in its element, as
    servers write it."""

    def __init__(self, dialect: Dialect, decided: Container[Hashable] | None) -> None:
        self._words, self._finds = _pattern(dialect.stream)
        self._keys = _keys(dialect.stream)
        self._decided = decided
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """Look at what passes."""
        window = self._tail + data
        # The pattern is dear: it is asked only where one of its words stands.
        if any(word in window for word in self._words) and self._finds.search(window):
            raise LabellingError("the stream holds a medium that cannot be labelled yet")
        decided = self._decided
        if decided is not None and any(int(key[1]) not in decided for key in self._keys(window)):
            raise LabellingError("the stream holds more answers than were asked for")
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


@lru_cache(maxsize=256)
def _keys(rules: tuple[TextRule, ...]) -> Callable[[bytes], Iterable[re.Match[bytes]]]:
    """Finds the numbers by which the units of lists are known."""
    lists = {(rule.each.names[-1], rule.key.text) for rule in rules if rule.each.is_list and rule.key}
    either = [rf'"{re.escape(name)}"\s*:\s*\[\s*\{{\s*"{re.escape(key)}"\s*:\s*(\d+)' for name, key in sorted(lists)]
    return re.compile(either[0].encode()).finditer if len(either) == 1 else lambda _: ()


def _any(words: set[str]) -> str:
    return "|".join(map(re.escape, sorted(words)))
