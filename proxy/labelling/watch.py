"""What passes unparsed, watched for what must be looked at: media, which often come behind the text, more answers than
were decided about, and texts that are said again.

A quotation mark inside JSON text is written with a backslash, so a member's name in quotation marks is no word of a
model's; a name may be spelled with escapes, which nobody does for letters.
"""

import json
import re
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from functools import lru_cache

from proxy.dialects.dialect import Dialect, MediaRule, TextRule, words_of
from proxy.dialects.paths import Condition

_escaped = re.compile(rb"\\u00[2-7]").search


class Watch:
    """Tells which records must be parsed although all units are decided: those that may hold media, a further unit, or
    a decided text said again, or offsets into one.

    ``decided`` are the keys of the units (None: units get no notice). ``always``: every record must be, for each says
    the whole text so far.
    """

    def __init__(self, dialect: Dialect, decided: Collection[Hashable] | None) -> None:
        self._told = _told(dialect.media, dialect.stream, decided is not None)
        self._keys = _keys(dialect.stream) if decided is not None else ()
        self._decided = decided
        # What finds each part of a key, and how the parts are spelled that were decided about.
        self._checks: tuple[tuple[Callable[[bytes], Iterable[bytes]], frozenset[bytes]], ...] = ()
        self._count = -1
        modes = {dialect.mode, *(mode for _, mode in dialect.request.modes), *(rule.mode for rule in dialect.stream)}
        self.always = decided is not None and "cumulative" in modes

    def wants(self, data: bytes) -> bool:
        """Whether these records may hold what must be looked at."""
        if self._told(data) is not None:
            return True
        if self._decided is not None and len(self._decided) != self._count:
            self._count = len(self._decided)
            self._checks = tuple(zip(self._keys, _spelled(self._decided, len(self._keys)), strict=True))
        for find, known in self._checks:
            if not known.issuperset(find(data)):
                return True
        return b"\\u00" in data and _escaped(data) is not None


def _spelled(decided: Collection[Hashable], length: int) -> tuple[frozenset[bytes], ...]:
    """How JSON spells the parts of keys, for each place in them."""
    keys = [key if isinstance(key, tuple) else (key,) for key in decided]
    return tuple(frozenset(json.dumps(key[at]).encode() for key in keys if len(key) == length) for at in range(length))


@lru_cache(maxsize=256)
def _told(
    media: tuple[MediaRule, ...], stream: tuple[TextRule, ...], texts: bool
) -> Callable[[bytes], re.Match[bytes] | None]:
    """What finds the strings of which a record that matters holds one: members of media and types of their parts;
    where ``texts`` matter, what tells of records that do more than add to a text, and members that are offsets into
    one."""
    words: set[bytes] = set()
    for medium in media:
        words.update(_told_by(medium.when) or medium.words)
    firsts = {rule.first for rule in stream if rule.mode != "full"}
    for rule in stream:
        told = _told_by(rule.when)
        if told and (rule.unlabelled or (texts and (rule.text is None or rule.mode == "full"))):
            words.update(told)
            continue
        words.update(word for path in rule.unlabelled for word in words_of(path))
        if texts:
            words.update(word for shift in rule.shifts for word in words_of(shift.path))
            if rule.mode == "full" and rule.text is not None:
                words.add(f'"{rule.leaf if rule.first in firsts else rule.first}"'.encode())
    return re.compile(_one_of(sorted(words)) if words else b"(?!)").search


def _one_of(words: Sequence[bytes]) -> bytes:
    """An expression for one of these words, letter by letter: what they share is looked at once."""
    if not words[0] or len(words) == 1:
        return re.escape(words[0])  # all that goes on from an end is found with it
    branches: dict[bytes, list[bytes]] = {}
    for word in words:
        branches.setdefault(word[:1], []).append(word[1:])
    spelled = [re.escape(letter) + _one_of(rest) for letter, rest in branches.items()]
    return spelled[0] if len(spelled) == 1 else b"(?:%b)" % b"|".join(spelled)


def _told_by(conditions: tuple[Condition, ...]) -> tuple[bytes, ...]:
    """What a record for which these hold has in its JSON text, one of them; nothing where that cannot be said."""
    if not conditions:
        return ()
    first = conditions[0]
    return tuple(f'"{value}"'.encode() for value in first.wanted) if first.test == "=" else words_of(first.path)


@lru_cache(maxsize=256)
def _keys(rules: tuple[TextRule, ...]) -> tuple[Callable[[bytes], Iterable[bytes]], ...]:
    """What finds the values that tell units apart, as JSON spells them, one for each part of a key. A member of the
    same name elsewhere (a tool call's index) does no harm: then a record is parsed for nothing."""
    for rule in rules:
        paths = [key.path for key in rule.keys]
        if rule.text is not None and paths and all(path is not None and path.names for path in paths):
            names = [re.escape(path.names[-1]) for path in paths if path is not None]
            return tuple(re.compile(rf'"{name}"\s*:\s*(\d+|"[^"\\]*")'.encode()).findall for name in names)
    return ()
