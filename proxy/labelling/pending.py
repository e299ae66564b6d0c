"""A record of a stream that has not left, and its bytes once it does: only what was asked for is changed."""

from dataclasses import dataclass, field
from typing import Any

from proxy.dialects.unit import Unit
from proxy.framing.json_text import Path, member, quote, spans
from proxy.framing.record import Record
from proxy.labelling.document import Place, prefixed, replaced, shifted
from proxy.labelling.transform import Piece


@dataclass(slots=True, eq=False)  # each is itself: two equal records are two
class Pending:
    """A record that has not left, with what is to change in it; ``ours`` did not come from upstream.

    ``prefixes`` are units with the character that the words go in front of, ``suffixes`` the places of texts that get
    words behind them, ``created`` lists that get a text of their own, as the list's place, the text's names and the
    text; ``shifts`` are units with the character and the words in front of it that move offsets.
    """

    record: Record
    document: Any = None
    prefixes: list[tuple[Unit, int, str]] = field(default_factory=list)
    suffixes: dict[Path, str] = field(default_factory=dict)
    created: list[tuple[Path, tuple[str, ...], str]] = field(default_factory=list)
    shifts: list[tuple[Unit, int, str]] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    ours: bool = False

    def written(self) -> Piece:
        """The record's bytes with its changes, or Work where pictures are in it."""
        record, data = self.record, self.record.data
        changed = self.prefixes or self.suffixes or self.shifts or self.places or self.created
        if data is None or not changed:
            return record.raw
        places = list(self.places)
        places += prefixed(data, self.prefixes)
        places += shifted(data, self.shifts)
        if self.suffixes:
            found = spans(data, self.suffixes.keys())
            places += [(end - 1, end - 1, quote(self.suffixes[part])) for part, (_, end) in found.items()]
        for where, names, text in self.created:
            places.append(self._element(data, where, names, text))
        return replaced(data, places, record.raw, lambda text: record.with_data(text).raw)

    def _element(self, data: bytes, where: Path, names: tuple[str, ...], text: str) -> Place:
        """The place that puts an object with this text into the list at ``where``, which may be missing."""
        value = b'"%b"' % quote(text)
        for name in reversed(names):
            value = b'{"%b":%b}' % (quote(name), value)
        holder = self.document
        for step in where[:-1]:
            holder = holder[step]
        if holder.get(where[-1]):
            at = spans(data, [where])[where][1] - 1
            return (at, at, b"," + value)
        return member(data, where, b"[%b]" % value, self.document)
