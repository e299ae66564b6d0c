"""The request side: what a client asks for, and our own notices cut out of the assistant's earlier turns.

A request that holds none of them goes upstream byte for byte; where one is removed it is cut out, nothing is written
anew. So prompt caches stay warm, and signatures over the conversation stay valid. Nothing is touched in the turns of
users, systems and tools, even where they quote a notice.

Many servers also read JSON in UTF-16, in UTF-32 and behind a byte order mark, so that such a request is read here, too:
otherwise a spelling would decide whether machine mode or a continuation counts. What is not in UTF-8 is never cut.
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from proxy.dialects.dialect import Dialect
from proxy.dialects.paths import MISSING
from proxy.framing.errors import FramingError
from proxy.framing.json_text import Path, cut, parse, spans, within
from proxy.labelling.machine import Machine
from proxy.labelling.notices import Notices

MODEL_LENGTH = 256
_CONTINUED = 4096  # characters: longer than any notice
_BOM = b"\xef\xbb\xbf"

Slice = tuple[int, int | None]


class Asked(NamedTuple):
    """What is known of a request. ``units`` is how many answers it asks for, None where that is unknown; ``continued``
    is the beginning of the client's text that the answer goes on from: it may carry the notice already."""

    model: str = ""
    streaming: bool = False
    units: int | None = None
    machine: Machine | None = None
    continued: str = ""


class Read(NamedTuple):
    """A request read: what it asks for, and the body that goes upstream."""

    asked: Asked
    body: bytes


def read(dialect: Dialect, notices: Notices, body: bytes) -> Read:
    """Read a JSON request of this dialect, as its server speaks it; a body that is not JSON is left to the upstream."""
    if not body:
        return Read(Asked(), body)
    mark = _BOM if body.startswith(_BOM) else b""
    text = body.removeprefix(mark)
    try:
        document, plain = parse(text), True
    except FramingError:
        try:
            document, plain = json.loads(body), False
        except (ValueError, RecursionError):
            return Read(Asked(), body)
    rules = dialect.request
    cuts: dict[Path, list[Slice]] = {}
    for path in rules.strip:
        for place, turn in path.find(document) if plain else ():
            found = _notices_in(turn, notices) if isinstance(turn, str) else []
            if found:
                cuts[place] = found
    model = rules.model.value(document) if rules.model else ""
    asked = Asked(
        model=model[:MODEL_LENGTH] if isinstance(model, str) else "",
        streaming=rules.stream is not None and rules.stream.value(document) is True,
        units=_units(rules.units.value(document)) if rules.units else 1,
        machine=_machine(dialect, document),
        continued=_continued(dialect, document),
    )
    try:
        return Read(asked, mark + _without(text, cuts) if cuts else body)
    except FramingError:  # nested too deeply to be cut
        return Read(asked, body)


def _units(value: Any) -> int | None:
    """How many answers are asked for. Servers read ``"3"`` and ``3.0`` as 3, so what is no plain number is unknown."""
    if value is MISSING or value is None:
        return 1
    return value if type(value) is int and value > 0 else None


def _notices_in(text: str, notices: Notices) -> list[Slice]:
    """The notices at the text's start and end, as slices; one at the end counts from there."""
    leading = notices.leading(text)
    trailing = notices.trailing(text)
    if leading and trailing and trailing[0] < leading[1]:
        # The text is a notice and nothing else: the wider reading holds the blank line that came with it.
        wider = leading[1] - leading[0] >= trailing[1] - trailing[0]
        leading, trailing = (leading, None) if wider else (None, trailing)
    found: list[Slice] = [leading] if leading else []
    if trailing:
        found.append((trailing[0] - len(text), trailing[1] - len(text) or None))
    return found


def _without(body: bytes, cuts: dict[Path, list[Slice]]) -> bytes:
    places: list[tuple[int, int, bytes]] = []
    for place, span in spans(body, cuts.keys()).items():
        places += [(*within(body, span, *one), b"") for one in cuts[place]]
    return b"".join(cut(body, places))


def _machine(dialect: Dialect, document: Any) -> Machine | None:
    json = False
    choices: list[str] = []
    for claim in dialect.request.machine:
        if not claim.condition.holds(document):
            continue
        if claim.shows == "json":
            json = True
            continue
        listed = claim.condition.path.value(document)
        if isinstance(listed, Sequence):
            choices += [choice for choice in listed if isinstance(choice, str) and choice]
    return Machine(json, tuple(choices)) if json or choices else None


def _continued(dialect: Dialect, document: Any) -> str:
    for one in dialect.request.continuation:
        if one.condition.holds(document):
            text = one.text.value(document) if one.of.holds(document) else MISSING
            return text.lstrip()[:_CONTINUED] if isinstance(text, str) else ""
    return ""
