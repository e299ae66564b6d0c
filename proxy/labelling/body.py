"""A whole JSON answer, labelled: the transform of answers that are not streamed.

The law: every unit gets one notice where it has text that people read, every picture becomes Work, the metadata stands
once at the top, offsets into a text move with it; no other byte changes. An answer that holds nothing the dialect
knows is a failure, not a success.
"""

import json
from collections.abc import Sequence

from proxy.dialects.dialect import Dialect
from proxy.dialects.engine import Content, Unit, content, spell
from proxy.framing.errors import FramingError
from proxy.framing.json_text import cut, parse, quote, root_member, spans, starts
from proxy.label.aigc import Aigc
from proxy.label.aigc import parse as parse_aigc
from proxy.label.errors import LabelError
from proxy.labelling.errors import LabellingError, NothingFound
from proxy.labelling.outcome import Done, TextDone
from proxy.labelling.picture import Picture
from proxy.labelling.request import Asked
from proxy.labelling.transform import Draw, Piece
from proxy.labelling.verdict import ALREADY, verdict

Place = tuple[int, int, bytes | Draw]


class BodyLabeller:
    """Takes a JSON body in and, at its end, gives the labelled one out; ``limit`` bounds it, in bytes."""

    def __init__(self, dialect: Dialect, asked: Asked, done: Done, limit: int) -> None:
        self._dialect = dialect
        self._asked = asked
        self._done = done
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> Sequence[Piece]:
        self._size += len(data)
        self._parts.append(data)
        if self._size > self._limit:
            raise LabellingError(f"the answer is longer than {self._limit} bytes")
        return ()

    def end(self) -> Sequence[Piece]:
        body = self.retained
        try:
            document = parse(body)
        except FramingError:
            raise LabellingError("the answer is not JSON") from None
        found = content(self._dialect, self._dialect.body, document)
        if found.error:
            refuse_unknown(self._dialect, found)
            self._done.error = True
            return (body,)
        if not found.recognised or not isinstance(document, dict):
            raise NothingFound(f"the answer holds nothing that the dialect {self._dialect.name} knows")
        refuse_unknown(self._dialect, found)
        places: list[Place] = []
        for unit in found.units:
            places += self._text(unit, body)
        pictures = spans(body, [place for place, _, _ in found.media]) if found.media else {}
        for index, (place, value, rule) in enumerate(found.media, len(self._done.parts)):
            if rule.encoding == "url":
                what = "a URL: what it leads to cannot be labelled here; ask for base64"
                raise LabellingError(f"{spell(place)} is {what}")
            data = value.encode("ascii", "replace")
            picture = Picture(data, spell(place), index, self._done.mark)
            start, end = pictures[place]
            places.append((start + 1, end - 1, Draw(picture)))
        if "body" in self._done.mark.carriers:
            places.append(self._metadata(document, body))
        return cut(body, places)

    @property
    def retained(self) -> bytes:
        if len(self._parts) > 1:
            self._parts = [b"".join(self._parts)]
        return self._parts[0] if self._parts else b""

    def _text(self, unit: Unit, body: bytes) -> list[Place]:
        """The places that give one unit its notice, and its item in the record."""
        mark, text = self._done.mark, unit.text
        skipped = verdict(text, self._asked, mark.notices, ended=True, whole=True)
        assert isinstance(skipped, str)  # a whole text is never unclear
        prefix, suffix, placed = mark.prefix, mark.suffix, mark.shown
        if suffix and not skipped and mark.notices.trailing(text):  # from another Countermark in the chain
            suffix, placed, skipped = "", mark.shown[:-1], "" if prefix else ALREADY
        if skipped or not placed:
            self._done.parts.append(TextDone(unit.name, (), skipped, text, text))
            return []
        places: list[Place] = []
        first, last = unit.parts[0][0], unit.parts[-1][0]
        if prefix:
            start = starts(body, [first])[first] + 1
            places.append((start, start, quote(prefix)))
            places += self._shifted(unit, body, len(prefix))
        if suffix:
            end = spans(body, [last])[last][1] - 1
            places.append((end, end, quote(suffix)))
        self._done.parts.append(TextDone(unit.name, placed, "", text, prefix + text + suffix))
        return places

    def _shifted(self, unit: Unit, body: bytes, by: int) -> list[Place]:
        """Offsets into the text, moved behind the prefix; in characters (all of a notice's are of the basic plane)."""
        moved = {
            place: offset + by
            for path in unit.rule.shift
            for place, offset in path.find(unit.value, unit.element)
            if type(offset) is int
        }
        found = spans(body, moved.keys()) if moved else {}
        return [(*span, b"%d" % moved[place]) for place, span in found.items()]

    def _metadata(self, document: dict[str, object], body: bytes) -> Place:
        """Where the implicit label goes: a new last member, or in the place of the upstream's own (one label only)."""
        name = self._dialect.metadata
        if name not in document:
            return root_member(body, name, self._done.aigc_json)
        self._done.keep(upstream_label(document[name]), "the answer")
        return (*spans(body, [(name,)])[(name,)], self._done.aigc_json)


def refuse_unknown(dialect: Dialect, found: Content) -> None:
    """Raises LabellingError where a document holds what would leave unlabelled: text no rule reads, or a medium."""
    if found.medium is not None:
        raise LabellingError(f"{spell(found.medium)} holds a medium that cannot be labelled yet")
    if found.unknown is not None:
        where = spell(found.unknown) if found.unknown else "the document"
        raise LabellingError(f"{where} holds text in a form that the dialect {dialect.name} does not know")


def upstream_label(value: object) -> Aigc:
    """The label that an upstream put into its JSON. Raises LabellingError where it cannot be read."""
    try:
        return parse_aigc(json.dumps(value))
    except LabelError:
        raise LabellingError("the answer carries a label that cannot be read") from None
