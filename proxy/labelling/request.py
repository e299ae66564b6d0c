"""The request side: what a client asks for, and the body that goes upstream, without our own notices in its history.

A request that holds none of them goes upstream byte for byte; where one is removed it is cut out, nothing is written
anew. So prompt caches stay warm, and signatures over the conversation stay valid. Nothing is touched in the turns of
users, systems and tools, even where they quote a notice.

Many servers also read JSON in UTF-16, in UTF-32 and behind a byte order mark, so that such a request is read here, too:
otherwise a spelling would decide whether machine mode or a continuation counts. What is not in UTF-8 is never cut.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from proxy.dialects.dialect import Dialect, Match, Mode
from proxy.dialects.paths import MISSING
from proxy.framing.errors import FramingError
from proxy.framing.json_text import parse
from proxy.labelling.history import without_notices
from proxy.labelling.machine import Machine
from proxy.labelling.notices import Notices
from proxy.labelling.think import visible

MODEL_LENGTH = 256
_CONTINUED = 4096  # characters: longer than any notice
_BOM = b"\xef\xbb\xbf"


class Told(NamedTuple):
    """What a request says outside of its body: the model that its path names, whether it asks for a stream, and whether
    for one that goes on from where the client has read."""

    model: str = ""
    streams: bool = False
    resumed: bool = False


NOTHING = Told()


class Asked(NamedTuple):
    """What is known of a request. ``units`` is how many answers it asks for, None where that is unknown; ``continued``
    is the beginning of the client's text that the answer goes on from: it may carry the notice already; ``mode`` is how
    the text of a stream is said, None where the table alone knows; ``resumed``: the client has read the beginning of
    the stream before; ``informed``: the conversation carries a notice of ours, or did before it was cut out."""

    model: str = ""
    streaming: bool = False
    units: int | None = None
    machine: Machine | None = None
    continued: str = ""
    mode: Mode | None = None
    resumed: bool = False
    informed: bool = False


class Read(NamedTuple):
    """A request read: what it asks for, and the body that goes upstream."""

    asked: Asked
    body: bytes


def told(dialect: Dialect, match: Match, model: str, accept: bytes) -> Told:
    """What is said outside of the body; ``accept`` is the field of that name.

    A client that accepts events and no JSON asks for a stream where its body has no field for that.
    """
    streams = match.streams
    if not streams and dialect.request.stream is None and accept:
        types = [part.partition(b";")[0].strip() for part in accept.lower().split(b",")]
        streams = b"text/event-stream" in types and b"application/json" not in types
    return Told(model[:MODEL_LENGTH], streams, match.resumed)


def asks_for_ciphertext(dialect: Dialect, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request asks for an answer that nobody can read on the way. ``headers``: names in lower case."""
    if dialect.encrypted:
        for name, value in headers:
            if name in dialect.encrypted and value.strip().lower() not in (b"", b"false"):
                return True
    return False


def unread(said: Told) -> Asked:
    """What is known of a request whose body is not read."""
    return Asked(said.model, said.streams, resumed=said.resumed)


def read(dialect: Dialect, notices: Notices, body: bytes, said: Told = NOTHING) -> Read:
    """Read a JSON request of this dialect, as its server speaks it; a body that is not JSON is left to the upstream."""
    if not body:
        return Read(unread(said), body)
    mark = _BOM if body.startswith(_BOM) else b""
    text = body.removeprefix(mark)
    try:
        document, plain = parse(text), True
    except FramingError:
        try:
            document, plain = json.loads(body), False
        except (ValueError, RecursionError):
            return Read(unread(said), body)
    rules = dialect.request
    stripped = text
    if plain:
        try:
            stripped = without_notices(text, document, dialect, notices)
        except FramingError:
            pass  # nested too deeply to be cut
    model = rules.model.value(document) if rules.model else ""
    asked = Asked(
        model=model[:MODEL_LENGTH] if isinstance(model, str) and model else said.model,
        streaming=_streaming(dialect, document, said),
        units=_units(rules.units.value(document)) if rules.units else 1,
        machine=_machine(dialect, document),
        continued=_continued(dialect, document),
        mode=next((mode for claim, mode in rules.modes if claim.holds(document)), None),
        resumed=said.resumed,
        informed=stripped is not text,
    )
    return Read(asked, mark + stripped if asked.informed else body)


def _streaming(dialect: Dialect, document: Any, said: Told) -> bool:
    """Whether a stream is asked for. It is an expectation, no more: the answer itself decides."""
    rules = dialect.request
    asks = rules.stream.value(document) if rules.stream else None
    return said.streams or (asks if isinstance(asks, bool) else rules.streams)


def _units(value: Any) -> int | None:
    """How many answers are asked for. Servers read ``"3"`` and ``3.0`` as 3, so what is no plain number is unknown."""
    if value is MISSING or value is None:
        return 1
    return value if type(value) is int and value > 0 else None


def _machine(dialect: Dialect, document: Any) -> Machine | None:
    json = splice = False
    choices: list[str] = []
    for claim in dialect.request.machine:
        if not claim.condition.holds(document):
            continue
        if claim.shows == "json":
            json = True
        elif claim.shows == "splice":
            splice = splice or claim.condition.is_met(document)  # in front of an empty text nothing is spliced
        else:
            listed = claim.condition.path.value(document)
            if isinstance(listed, Sequence):
                choices += [choice for choice in listed if isinstance(choice, str) and choice]
    return Machine(json, tuple(choices), splice) if json or choices or splice else None


def _continued(dialect: Dialect, document: Any) -> str:
    for one in dialect.request.continuation:
        if one.condition.holds(document):
            text = one.text.value(document) if one.of.holds(document) else MISSING
            return _shown(text, dialect)[:_CONTINUED] if isinstance(text, str) else ""
    return ""


def _shown(text: str, dialect: Dialect) -> str:
    """What people read of a text: behind the model's reasoning, where that has come to its end."""
    return text[visible(text, dialect.think) or 0 :].lstrip()
