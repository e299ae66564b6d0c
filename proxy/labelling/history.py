"""Our own notices cut out of the assistant's earlier turns: what labelling put in is taken out, byte for byte.

Where a text was nothing but our notice, and the dialect says so, what is empty goes: the element of the array that
holds the text, and an array that would be left empty, with the element that holds it. Nothing else is lost: an element
that holds more stays, its text empty, and no array loses all its elements without going itself.
"""

from collections.abc import Iterator
from typing import Any

from proxy.dialects.dialect import Dialect
from proxy.framing.json_elements import removals, value
from proxy.framing.json_text import Path, cut, spans, within
from proxy.labelling.notices import Notices
from proxy.labelling.think import visible

Slice = tuple[int, int | None]

# Members that say what an element is, and nothing that a conversation would miss.
_FRAME = frozenset({"type", "role", "id", "status", "cache_control"})


def without_notices(text: bytes, document: Any, dialect: Dialect, notices: Notices) -> bytes:
    """A request without our notices, or the same bytes where it holds none. ``document`` is what ``text`` says.

    Raises FramingError where it is nested too deeply to be cut.
    """
    rules = dialect.request
    cuts: dict[Path, list[Slice]] = {}
    emptied: list[Path] = []
    for path in rules.strip:
        for place, turn in path.find(document):
            found = _found(turn, dialect, notices) if type(turn) is str else None
            if found:
                cuts[place] = found
                if rules.drop_empty and _is_all(found, len(turn)):
                    emptied.append(place)
    if not cuts:
        return text
    places: list[tuple[int, int, bytes]] = []
    gone = _gone(document, emptied) if emptied else set()
    if gone:
        places += removals(text, document, gone)
        cuts = {place: slices for place, slices in cuts.items() if not _stands_in(place, gone)}
    for place, span in spans(text, cuts.keys()).items():
        places += [(*within(text, span, *one), b"") for one in cuts[place]]
    return b"".join(cut(text, places))


def _found(text: str, dialect: Dialect, notices: Notices) -> list[Slice] | None:
    """The notices at the text's start, behind its reasoning and at its end, as slices; one at the end counts from
    there."""
    found: list[Slice] = []
    leading = notices.leading(text)
    if dialect.think is not None:
        begins = leading[1] if leading else 0
        behind = visible(text[begins:], dialect.think)
        if behind:
            if leading:
                found.append(leading)
            leading = notices.leading(text, begins + behind)
    trailing = notices.trailing(text)
    if leading and trailing and trailing[0] < leading[1]:
        # What is left is a notice and nothing else: the wider reading holds the blank line that came with it.
        wider = leading[1] - leading[0] >= trailing[1] - trailing[0]
        leading, trailing = (leading, None) if wider else (None, trailing)
    if leading:
        found.append(leading)
    if trailing:
        found.append((trailing[0] - len(text), trailing[1] - len(text) or None))
    return found


def _is_all(slices: list[Slice], length: int) -> bool:
    """Whether nothing is left of a text without these slices, which do not overlap."""
    return sum(len(range(length)[slice(*one)]) for one in slices) == length


# What goes with a text that was nothing but a notice.


def _gone(document: Any, emptied: list[Path]) -> set[Path]:
    """The elements that go, none of them within another."""
    going: dict[Path, set[int]] = {}
    for place in emptied:
        _let_go(document, place, going)
    for depth in range(max(map(len, going), default=0), 0, -1):
        for array in [array for array in going if len(array) == depth]:
            if len(going[array]) == len(value(document, array)):
                _let_go(document, array, going)
    gone: set[Path] = set()
    for array in sorted(going, key=len):
        if _stands_in(array, gone):
            continue
        length = len(value(document, array))
        last = {length - 1} if len(going[array]) == length else set()  # its holder stays, so one element does, too
        gone |= {(*array, at) for at in going[array] - last}
    return gone


def _let_go(document: Any, place: Path, going: dict[Path, set[int]]) -> None:
    """Note that the innermost element around ``place`` may go, unless there is none or it holds more."""
    for at in range(len(place) - 1, -1, -1):
        step = place[at]
        if type(step) is int:
            if not _holds_more(value(document, place[: at + 1]), place[at + 1 :]):
                going.setdefault(place[:at], set()).add(step)
            return


def _holds_more(holder: Any, names: Path) -> bool:
    """Whether anything would be lost with what holds the member at ``names``, beside that member."""
    for name in names:
        for key, beside in holder.items():
            if key != name and beside and type(beside) in (str, list, dict) and key.lower() not in _FRAME:
                return True
        holder = holder[name]
    return False


def _stands_in(place: Path, elements: set[Path]) -> bool:
    return any(above in elements for above in _above(place))


def _above(place: Path) -> Iterator[Path]:
    return (place[:length] for length in range(1, len(place) + 1))
