"""A stream of server-sent events, labelled as it comes.

The law: the prefix goes into the first text of each unit, the suffix out before the record that closes it; no record is
invented, none is reordered, untouched ones pass byte for byte, and a record leaves as soon as it can.

Records are held only while a unit's text may still become a notice (see ``verdict``), and until one record is
recognised: a stream of another shape than the dialect's leaves nothing unlabelled behind. Once every unit is decided
and no suffix is due, nothing is parsed any more.
"""

from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from proxy.dialects.dialect import Dialect
from proxy.dialects.engine import Place, Unit, content
from proxy.framing.errors import FramingError
from proxy.framing.json_text import cut, parse, quote, root_member, spans, starts
from proxy.framing.sse import Block, Splitter
from proxy.labelling.body import upstream_label
from proxy.labelling.errors import LabellingError, NothingFound
from proxy.labelling.outcome import Done, TextDone
from proxy.labelling.request import Asked
from proxy.labelling.suffix import closing_record
from proxy.labelling.transform import Piece
from proxy.labelling.verdict import SILENT, Wait, verdict


@dataclass(slots=True)
class _Pending:
    """A record that has not left, with what is to change in it; ``ours`` did not come from upstream."""

    block: Block
    prefixes: list[Place] = field(default_factory=list)
    suffixes: list[Place] = field(default_factory=list)
    metadata: bool = False
    ours: bool = False


@dataclass(slots=True)
class _Unit:
    """A unit's state. ``skipped`` is None while its text is not clear, then why it has no notice, or empty.

    ``first`` is where a prefix would go, ``last`` the last record with text, which a suffix is modelled on.
    """

    place: str
    text: str = ""
    skipped: str | None = None
    held: bool = False
    first: tuple[_Pending, Place] | None = None
    last: tuple[Block, Unit] | None = None
    closed: bool = False
    placed: tuple[str, ...] = ()


class StreamLabeller:
    """Takes a stream in and gives it out labelled; ``limit`` bounds one record, and what is held, in bytes."""

    def __init__(self, dialect: Dialect, asked: Asked, done: Done, limit: int) -> None:
        self._dialect = dialect
        self._asked = asked
        self._done = done
        self._limit = limit
        self._splitter = Splitter(limit)
        self._queue: deque[_Pending] = deque()
        self._queued = 0
        self._units: dict[Hashable, _Unit] = {}
        self._recognised = False
        self._awaits_metadata = "body" in done.mark.carriers
        self._replaces_metadata = False
        self._passes = False
        self._failed = b""
        self._ragged = False  # the last record has no blank line behind it

    @property
    def passes(self) -> bool:
        """Whether nothing of the stream needs to be looked at any more."""
        return self._passes

    @property
    def retained(self) -> bytes:
        return self._failed or b"".join(pending.block.raw for pending in self._queue if not pending.ours) + self._splitter.rest

    def feed(self, data: bytes) -> Sequence[Piece]:
        if self._passes:
            return (data,)
        retained = self.retained
        out: list[bytes] = []
        try:
            for block in self._splitter.feed(data):
                self._take(block, out)
        except (LabellingError, FramingError) as error:
            # Nothing of this call leaves: what was retained before it, and what it was given, still is.
            self._failed = retained + data
            raise LabellingError(str(error)) from None
        if self._is_settled():
            self._passes = True
            self._write_items()
            out += [block.raw for block in self._splitter.end()]
        return (b"".join(out),) if out else ()

    def end(self) -> Sequence[Piece]:
        if self._passes:
            return ()
        self._failed = self.retained
        out: list[bytes] = []
        for block in self._splitter.end():
            self._take(block, out)
            self._ragged = block.data is not None
        self._settle(out)
        return (b"".join(out),) if out else ()

    def _is_settled(self) -> bool:
        """Whether all is done: the metadata is out, every unit that was asked for is decided, no suffix is due."""
        if not self._recognised or self._awaits_metadata or self._queue:
            return False
        mark = self._done.mark
        if not mark.shown:
            return True
        expected = self._asked.units
        if mark.suffix or expected is None or len(self._units) < expected:
            return False
        return all(unit.skipped is not None for unit in self._units.values())

    def _take(self, block: Block, out: list[bytes]) -> None:
        """One record: look, decide, and let go of what may leave."""
        if block.data is None or not block.data.strip():
            if self._queue or not _is_harmless(block.raw):
                self._enqueue(_Pending(block), out)
            else:
                out.append(block.raw)
            return
        if self._dialect.terminal and block.data.strip() == self._dialect.terminal:
            self._settle(out)
            out.append(block.raw)
            return
        try:
            document = parse(block.data)
        except FramingError:
            raise LabellingError("a record of the stream is not JSON") from None
        pending = _Pending(block)
        found = content(self._dialect, self._dialect.stream, document)
        if found.media:
            raise LabellingError("the stream holds pictures, which cannot be labelled in a stream yet")
        if found.error:
            self._done.error = self._recognised = True
        elif found.recognised:
            self._recognised = True
            if self._awaits_metadata:
                self._mark_record(document, pending)
            for unit in found.units:
                self._step(unit, pending, out)
        self._enqueue(pending, out)

    def _enqueue(self, pending: _Pending, out: list[bytes]) -> None:
        self._queue.append(pending)
        if not self._holds():
            self._release(out)
            return
        self._queued += len(pending.block.raw)
        if self._queued > self._limit:
            raise LabellingError("the stream does not begin like one that the dialect knows")

    def _holds(self) -> bool:
        return not self._recognised or any(unit.held for unit in self._units.values())

    def _release(self, out: list[bytes]) -> None:
        while self._queue:
            out.append(self._written(self._queue.popleft()))
        self._queued = 0

    def _step(self, found: Unit, pending: _Pending, out: list[bytes]) -> None:
        """What one record says of one unit."""
        unit = self._units.get(found.key)
        if unit is None:
            unit = self._units[found.key] = _Unit(found.name)
        text = found.text
        if text and unit.skipped is None:
            unit.text += text
            if unit.first is None and (text.strip() or self._asked.machine is None):
                unit.first = (pending, found.parts[0][0])
            self._decide(unit, ended=found.closes)
        if text and not unit.skipped and self._done.mark.suffix:
            unit.last = (pending.block, found)
        if found.closes and unit.text and not unit.closed:
            unit.closed = True
            self._decide(unit, ended=True)
            self._suffix(unit, found, pending, out)

    def _decide(self, unit: _Unit, *, ended: bool) -> None:
        if unit.skipped is not None:
            return
        says = verdict(unit.text, self._asked, self._done.mark.operator.notices, ended=ended)
        unit.held = says is Wait.HOLD
        if isinstance(says, Wait):
            return
        unit.skipped = says
        if says == "" and self._done.mark.prefix and unit.first is not None:
            pending, place = unit.first
            pending.prefixes.append(place)
            unit.placed = ("prefix",)

    def _suffix(self, unit: _Unit, found: Unit, pending: _Pending, out: list[bytes]) -> None:
        """The unit closes with this record: its suffix goes into it, or out before it."""
        if unit.skipped != "" or unit.last is None:
            return
        if found.parts:
            unit.placed += ("suffix",)
            pending.suffixes.append(found.parts[-1][0])
        else:
            self._copy(unit.last, unit, out)

    def _copy(self, last: tuple[Block, Unit], unit: _Unit, out: list[bytes]) -> None:
        """The suffix goes out in a record of its own."""
        unit.placed += ("suffix",)
        self._enqueue(_Pending(closing_record(*last, self._done.mark.suffix, self._dialect.metadata), ours=True), out)

    def _settle(self, out: list[bytes]) -> None:
        """The stream is at its end: what was unclear is decided, what was held leaves, or nothing was found."""
        if not self._recognised:
            raise NothingFound(f"the stream holds nothing that the dialect {self._dialect.name} knows")
        for unit in self._units.values():
            self._decide(unit, ended=True)
            if unit.skipped == "" and not unit.closed and unit.last is not None:
                self._close(unit.last, unit, out)
        self._release(out)
        self._write_items()

    def _close(self, last: tuple[Block, Unit], unit: _Unit, out: list[bytes]) -> None:
        """The stream ended and nothing closed the unit: its suffix is still due."""
        unit.closed = True
        if not self._ragged:
            self._copy(last, unit, out)
        elif not unit.placed:
            raise LabellingError("the stream broke off where the notice at its end was due")

    def _mark_record(self, document: dict[str, Any], pending: _Pending) -> None:
        """This record carries the answer's implicit label."""
        self._awaits_metadata = False
        pending.metadata = True
        name, mark = self._dialect.metadata, self._done.mark
        if name in document:
            self._replaces_metadata = True
            self._done.keep(upstream_label(document[name]), "the stream")

    def _written(self, pending: _Pending) -> bytes:
        """A record's bytes with its changes."""
        block = pending.block
        if block.data is None or not (pending.prefixes or pending.suffixes or pending.metadata):
            return block.raw
        data, mark = block.data, self._done.mark
        places: list[tuple[int, int, bytes]] = []
        if pending.prefixes:
            found = starts(data, pending.prefixes).values()
            places += [(start + 1, start + 1, quote(mark.prefix)) for start in found]
        if pending.suffixes:
            places += [(end - 1, end - 1, quote(mark.suffix)) for _, end in spans(data, pending.suffixes).values()]
        if pending.metadata:
            name, value = self._dialect.metadata, self._done.aigc_json
            if self._replaces_metadata:
                places.append((*spans(data, [(name,)])[(name,)], value))
            else:
                places.append(root_member(data, name, value))
        return block.with_data(b"".join(cut(data, places))).raw

    def _write_items(self) -> None:
        done = self._done
        if done.parts:
            return
        for unit in self._units.values():
            skipped = (SILENT if done.mark.shown else "") if unit.skipped is None else unit.skipped
            done.parts.append(TextDone(unit.place, unit.placed, skipped))


def _is_harmless(raw: bytes) -> bool:
    """Whether a block without data is a comment, or names fields that the standard knows: nothing that anybody shows."""
    block = raw.lstrip(b"\xef\xbb\xbf\r\n")
    return not block or block.startswith((b":", b"event:", b"id:", b"retry:"))
