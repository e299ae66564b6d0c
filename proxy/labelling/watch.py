"""What passes unparsed, watched for what must be looked at: media, which often come behind the text, more answers than
were decided about, and texts that are said again.

A quotation mark inside JSON text is written with a backslash, so a member's name in quotation marks is no word of a
model's; a name may be spelled with escapes, which nobody does for letters.
"""

import re
from collections.abc import Callable, Container, Hashable, Iterable
from functools import lru_cache

from proxy.dialects.dialect import Dialect, MediaRule, TextRule, words_of
from proxy.dialects.paths import Condition

_escaped = re.compile(rb"\\u00[2-7]").search


class Watch:
    """Tells which records must be parsed although all units are decided: those that may hold media, a further unit, or
    a decided text said again, or offsets into one.

    ``decided`` are the keys of the units (None: units get no notice). A unit is seen where its key stands first in its
    element, as servers write it. ``always``: every record must be, for each says the whole text so far.
    """

    def __init__(self, dialect: Dialect, decided: Container[Hashable] | None) -> None:
        self._told = _told(dialect.media, dialect.stream, decided is not None)
        self._list, self._keys = _list_and_keys(dialect.stream)
        self._usual = b""  # the last key found, as it was spelled: most records begin like the one before
        self._decided = decided
        modes = {dialect.mode, *(mode for _, mode in dialect.request.modes), *(rule.mode for rule in dialect.stream)}
        self.always = decided is not None and "cumulative" in modes

    def wants(self, data: bytes) -> bool:
        """Whether these records may hold what must be looked at."""
        if self._told(data) is not None:
            return True
        decided = self._decided
        if decided is not None and not (self._usual and data.count(self._list) == data.count(self._usual)):
            for key in self._keys(data):
                if int(key[1]) not in decided:
                    return True
                self._usual = key[0]
        return b"\\u00" in data and _escaped(data) is not None


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
    return re.compile(b"|".join(map(re.escape, sorted(words))) or b"(?!)").search


def _told_by(conditions: tuple[Condition, ...]) -> tuple[bytes, ...]:
    """What a record for which these hold has in its JSON text, one of them; nothing where that cannot be said."""
    if not conditions:
        return ()
    first = conditions[0]
    return tuple(f'"{value}"'.encode() for value in first.wanted) if first.test == "=" else words_of(first.path)


@lru_cache(maxsize=256)
def _list_and_keys(rules: tuple[TextRule, ...]) -> tuple[bytes, Callable[[bytes], Iterable[re.Match[bytes]]]]:
    """The name of the list that holds the units, as JSON spells it, and what finds their numbers."""
    lists = {
        (rule.each.names[-1], rule.keys[0].path.text)
        for rule in rules
        if rule.each.is_list and len(rule.keys) == 1 and rule.keys[0].path is not None
    }
    if len(lists) != 1:
        return b"", lambda _: ()
    ((name, key),) = lists
    spelled = rf'"{re.escape(name)}"\s*:\s*\[\s*\{{\s*"{re.escape(key)}"\s*:\s*(\d+)\s*[,}}]'
    return f'"{name}"'.encode(), re.compile(spelled.encode()).finditer
