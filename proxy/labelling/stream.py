"""A stream of server-sent events, labelled as it comes.

The law: the prefix goes into the first text of each unit, the suffix out before the record that closes it; no record is
invented, none is reordered, untouched ones pass byte for byte, and a record leaves as soon as it can.

Records are held only while a unit's text may still become a notice (see ``verdict``), and until one record is
recognised: a stream of another shape than the dialect's leaves nothing unlabelled behind. Errors and records that hold
nothing (``choices: []``) need not wait, but they do not make a stream known. Once every unit is decided and no suffix
is due, nothing is parsed any more, from the next record on, wherever the reads were cut; only media are watched for.
"""

from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from proxy.dialects.dialect import Dialect
from proxy.dialects.engine import Place, Unit, content
from proxy.framing.errors import FramingError
from proxy.framing.json_text import parse
from proxy.framing.sse import Block, Splitter
from proxy.labelling.body import refuse_unknown, upstream_label
from proxy.labelling.errors import LabellingError, NothingFound
from proxy.labelling.outcome import Done, TextDone
from proxy.labelling.pending import Pending
from proxy.labelling.request import Asked
from proxy.labelling.suffix import closing_record
from proxy.labelling.transform import Piece
from proxy.labelling.verdict import ALREADY, SILENT, Wait, verdict
from proxy.labelling.watch import Watch

_TAIL: Final = 4096  # characters: longer than any notice with the white space around it


@dataclass(slots=True)
class _Unit:
    """A unit's state. ``skipped`` is None while its text is not clear, then why it has no notice, or empty.

    ``first`` is where a prefix would go. Where a suffix is due, ``last`` is the last record with text, which it is
    modelled on, and ``tail`` how the text ends so far.
    """

    place: str
    text: str = ""
    tail: str = ""
    skipped: str | None = None
    held: bool = False
    first: tuple[Pending, Place] | None = None
    last: tuple[Block, Unit] | None = None
    closed: bool = False
    placed: tuple[str, ...] = ()


class StreamLabeller:
    """Takes a stream in and gives it out labelled; ``limit`` bounds one record, and what is held, in bytes."""

    def __init__(self, dialect: Dialect, asked: Asked, done: Done, limit: int) -> None:
        self._dialect, self._asked, self._done, self._limit = dialect, asked, done, limit
        self._splitter = Splitter()
        self._block: Block | None = None  # the one that is looked at
        self._queue: deque[Pending] = deque()  # held
        self._out: list[Pending] = []  # may leave, at the end of this call
        self._queued = 0
        self._units: dict[Hashable, _Unit] = {}
        self._watch = Watch(dialect, self._units if done.mark.shown else None)
        self._recognised = False
        self._harmless = False  # a record that holds nothing, or an error, was there
        self._error = False
        self._awaits_metadata = "body" in done.mark.carriers
        self._replaces_metadata = False
        self._passes = False
        self._over = False  # the terminal record was there
        self._ragged = False  # the last record has no blank line behind it

    @property
    def retained(self) -> bytes:
        known = b"".join(pending.block.raw for pending in (*self._out, *self._queue) if not pending.ours)
        looked_at = self._block.raw if self._block is not None else b""
        return known + looked_at + self._splitter.rest

    def feed(self, data: bytes) -> Sequence[Piece]:
        if self._passes:
            self._pass(data)
            return (data,)
        self._look(self._splitter.feed(data))
        if not self._passes:
            self._bound(self._splitter.size)
        return self._leave()

    def end(self) -> Sequence[Piece]:
        if self._passes:
            return ()
        last = [*self._splitter.end()]
        self._look(last)
        self._ragged = any(block.data is not None for block in last)
        self._settle()
        return self._leave()

    def _look(self, blocks: Iterable[Block]) -> None:
        """Take what has come, record by record, until all is settled; one that fails is still there: it is retained."""
        for block in blocks:
            self._block = block
            self._take(block)
            self._block = None
            if self._is_settled():
                self._passes = True
                self._write_items()
                return

    def _leave(self) -> Sequence[Piece]:
        """Give out what may leave. Written only once the whole call has succeeded: what fails leaves as it came."""
        if self._passes:
            self._watch.feed(self._splitter.rest)
        name, replaces = self._dialect.metadata, self._replaces_metadata
        out = [pending.written(self._done, name, replaces=replaces) for pending in self._out]
        self._out.clear()
        if self._passes:
            out.append(self.retained)
            self._splitter = Splitter()
        return (b"".join(out),) if any(out) else ()

    def _pass(self, data: bytes) -> None:
        """Nothing is parsed any more. A medium in it is a failure, and then it is retained."""
        try:
            self._watch.feed(data)
        except LabellingError:
            self._splitter.feed(data)
            raise

    def _bound(self, size: int) -> None:
        if size > self._limit:
            raise LabellingError(f"a record of the stream is longer than {self._limit} bytes")

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

    def _take(self, block: Block) -> None:
        """One record: look, decide, and let go of what may leave."""
        self._bound(len(block.raw))
        if block.data is None or not block.data.strip():
            self._enqueue(Pending(block), harmless=block.data is not None or _is_harmless(block.raw))
            return
        if self._dialect.terminal and block.data.strip() == self._dialect.terminal:
            self._settle()
            self._over = True
            self._out.append(Pending(block))
            return
        try:
            document = parse(block.data)
        except FramingError:
            raise LabellingError("a record of the stream is not JSON") from None
        pending = Pending(block)
        found = content(self._dialect, self._dialect.stream, document)
        if found.media:
            raise LabellingError("the stream holds pictures, which cannot be labelled in a stream yet")
        refuse_unknown(self._dialect, found)
        if self._over and any(unit.parts for unit in found.units):
            raise LabellingError("text came behind the record that ends the stream")
        harmless = found.error or found.empty
        self._harmless |= harmless
        self._error |= found.error
        self._recognised |= found.recognised and not harmless
        # Where there is content beside it, the error is told at the end: the head that leaves before claims a label.
        self._done.error = self._error and not self._recognised
        if found.recognised and not found.error:
            if self._awaits_metadata:
                self._mark_record(document, pending)
            for unit in found.units:
                self._step(unit, pending)
        self._enqueue(pending, harmless=harmless)

    def _enqueue(self, pending: Pending, *, harmless: bool = False) -> None:
        """The record leaves behind what is held, or is held. A harmless one need not wait until the stream is known."""
        if not self._holds(harmless):
            self._queue.append(pending)
            self._release()
            return
        self._queued += len(pending.block.raw)
        if self._queued > self._limit:
            raise LabellingError("the stream does not begin like one that the dialect knows")
        self._queue.append(pending)

    def _holds(self, harmless: bool) -> bool:
        if not self._recognised:
            return bool(self._queue) or not harmless
        return any(unit.held for unit in self._units.values())

    def _release(self) -> None:
        self._out += self._queue
        self._queue.clear()
        self._queued = 0

    def _step(self, found: Unit, pending: Pending) -> None:
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
            unit.tail = (unit.tail + text)[-_TAIL:]
        if found.closes and unit.text and not unit.closed:
            unit.closed = True
            self._decide(unit, ended=True)
            self._suffix(unit, found, pending)

    def _decide(self, unit: _Unit, *, ended: bool) -> None:
        if unit.skipped is not None:
            return
        says = verdict(unit.text, self._asked, self._done.mark.notices, ended=ended)
        unit.held = says is Wait.HOLD
        if isinstance(says, Wait):
            return
        unit.skipped = says
        if says == "" and self._done.mark.prefix and unit.first is not None:
            pending, place = unit.first
            pending.prefixes.append(place)
            unit.placed = ("prefix",)

    def _suffix(self, unit: _Unit, found: Unit, pending: Pending) -> None:
        """The unit closes with this record: its suffix goes into it, or out before it."""
        if not self._owes_suffix(unit) or unit.last is None:
            return
        if found.parts:
            unit.placed += ("suffix",)
            pending.suffixes.append(found.parts[-1][0])
        else:
            self._copy(unit.last, unit)

    def _owes_suffix(self, unit: _Unit) -> bool:
        """Whether the unit, whose text is all here, gets a suffix: not where it ends with a notice already."""
        if unit.skipped != "" or unit.last is None:
            return False
        if self._done.mark.notices.trailing(unit.tail) is None:
            return True
        unit.skipped = "" if unit.placed else ALREADY
        return False

    def _copy(self, last: tuple[Block, Unit], unit: _Unit) -> None:
        """The suffix goes out in a record of its own."""
        unit.placed += ("suffix",)
        self._enqueue(Pending(closing_record(*last, self._done.mark.suffix, self._dialect.metadata), ours=True))

    def _settle(self) -> None:
        """The stream is at its end: what was unclear is decided, what was held leaves, or nothing was found."""
        if not self._recognised and (self._queue or not self._harmless):
            raise NothingFound(f"the stream holds nothing that the dialect {self._dialect.name} knows")
        for unit in self._units.values():
            self._decide(unit, ended=True)
            if not unit.closed and unit.last is not None and self._owes_suffix(unit):
                self._close(unit.last, unit)
        self._release()
        self._write_items()

    def _close(self, last: tuple[Block, Unit], unit: _Unit) -> None:
        """The stream ended and nothing closed the unit: its suffix is still due."""
        unit.closed = True
        if not self._ragged:
            self._copy(last, unit)
        elif not unit.placed:
            raise LabellingError("the stream broke off where the notice at its end was due")

    def _mark_record(self, document: dict[str, Any], pending: Pending) -> None:
        """This record carries the answer's implicit label.

        A trusted upstream may repeat its own in every record; only the one here becomes ours, for what comes once all
        is settled is not read. The repetitions name the same producer, without us as its propagator.
        """
        self._awaits_metadata = False
        pending.metadata = True
        name = self._dialect.metadata
        if name in document:
            self._replaces_metadata = True
            self._done.keep(upstream_label(document[name]), "the stream")

    def _write_items(self) -> None:
        done = self._done
        done.error = self._error
        if done.parts:
            return
        for unit in self._units.values():
            skipped = (SILENT if done.mark.shown else "") if unit.skipped is None else unit.skipped
            done.parts.append(TextDone(unit.place, unit.placed, skipped))


def _is_harmless(raw: bytes) -> bool:
    """Whether a block without data is a comment, or names fields that the standard knows: nobody shows it."""
    block = raw.lstrip(b"\xef\xbb\xbf\r\n")
    return not block or block.startswith((b":", b"event:", b"id:", b"retry:"))
