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
        self._list, self._keys = _keys(dialect.stream)
        self._usual = b""  # the last key found, as it was spelled: most records begin like the one before
        self._decided = decided
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """Look at what passes."""
        window = self._tail + data
        # The pattern is dear: it is asked only where one of its words stands.
        if any(word in window for word in self._words) and self._finds.search(window):
            raise LabellingError("the stream holds a medium that cannot be labelled yet")
        decided = self._decided
        if decided is not None and not (self._usual and window.count(self._list) == window.count(self._usual)):
            for key in self._keys(window):
                if int(key[1]) not in decided:
                    raise LabellingError("the stream holds more answers than were asked for")
                self._usual = key[0]
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
    words = tuple(f'"{word}"'.encode() for word in sorted(names | ({"type"} if types else set())))
    return words, re.compile("|".join(either).encode() or b"(?!)")


@lru_cache(maxsize=256)
def _keys(rules: tuple[TextRule, ...]) -> tuple[bytes, Callable[[bytes], Iterable[re.Match[bytes]]]]:
    """The name of the list that holds the units, as JSON spells it, and what finds their numbers."""
    lists = {(rule.each.names[-1], rule.key.text) for rule in rules if rule.each.is_list and rule.key}
    if len(lists) != 1:
        return b"", lambda _: ()
    ((name, key),) = lists
    spelled = rf'"{re.escape(name)}"\s*:\s*\[\s*\{{\s*"{re.escape(key)}"\s*:\s*(\d+)\s*[,}}]'
    return f'"{name}"'.encode(), re.compile(spelled.encode()).finditer


def _any(words: set[str]) -> str:
    return "|".join(map(re.escape, sorted(words)))
