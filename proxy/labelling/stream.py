"""A stream of records, labelled as it comes, whatever its framing.

The law: no record is invented, none is reordered, untouched ones pass byte for byte, and a record leaves as soon as it
can. What becomes of the texts stands in ``stream_texts.py``.

Records are held only while a unit's text may still become a notice, and until one record is recognised: a stream of
another shape than the dialect's leaves nothing unlabelled behind. Errors and records that hold nothing (``choices:
[]``) need not wait, but they do not make a stream known. Once nothing more is to be done, records pass without being
parsed, but for those that may hold media or a further unit.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from proxy.dialects.dialect import Dialect, Member
from proxy.dialects.engine import Content, content
from proxy.framing.errors import FramingError
from proxy.framing.json_text import parse
from proxy.framing.record import Record, Splitter
from proxy.labelling.document import pictures, refuse_unknown
from proxy.labelling.errors import LabellingError, NothingFound
from proxy.labelling.metadata import CARRIERS, metadata
from proxy.labelling.outcome import Done
from proxy.labelling.pending import Pending
from proxy.labelling.request import Asked
from proxy.labelling.stream_texts import Texts
from proxy.labelling.transform import Piece
from proxy.labelling.watch import Watch

_DONE = b"[DONE]"  # OpenAI's last record, which servers of other APIs send, too
_ARRAY_END = b"]"


class StreamLabeller:
    """Takes a stream in and gives it out labelled; ``limit`` bounds one record, and what is held, in bytes.

    ``split`` makes a splitter; ``endings`` are bytes that end a record wherever they stand.
    """

    def __init__(
        self,
        dialect: Dialect,
        asked: Asked,
        done: Done,
        split: Callable[[], Splitter],
        endings: tuple[bytes, ...],
        limit: int,
    ) -> None:
        self._dialect, self._done, self._limit = dialect, done, limit
        self._split, self._splitter, self._endings = split, split(), endings
        self._record: Record | None = None  # the one that is looked at
        self._queue: deque[Pending] = deque()  # held
        self._queued = 0
        self._out: list[Pending] = []  # may leave, at the end of this call
        if (by_text := done.mark.terms.by_text) is not None:
            done.ask_only(by_text.of_any(asked.machine))
        self._texts = Texts(dialect, asked, done, self._queue, self._enqueue)
        self._watch = Watch(dialect, self._texts.units if done.mark.terms.shows else None)
        self._recognised = False
        self._harmless = False  # a record that holds nothing, or an error, was there
        self._error = False
        self._member = None if done.mark.terms.carriers.isdisjoint(CARRIERS) else dialect.stream_metadata
        self._awaits_metadata = self._member is not None
        if self._member is None:
            done.forgo(*CARRIERS)
        self._settled = False
        self._over = False  # the terminal record was there

    @property
    def retained(self) -> bytes:
        records = [pending.record for pending in (*self._out, *self._queue) if not pending.ours]
        if self._record is not None and (not records or records[-1] is not self._record):  # it may be held already
            records.append(self._record)
        return b"".join([record.raw for record in records]) + self._splitter.rest

    def feed(self, data: bytes) -> Sequence[Piece]:
        if self._settled:
            passed = self._pass(data)
            if passed:
                return (passed,)
        self._look(self._splitter.feed(data))
        self._bound(self._splitter.size)
        return self._leave()

    def _pass(self, data: bytes) -> bytes:
        """The whole records that may leave without being cut apart; nothing, and nothing taken in, if one may not."""
        if data.endswith(self._endings) and not self._splitter.size:
            return b"" if self._watch.wants(data) else data
        # What came before is looked at again only where a record ends: a long one may come in many chunks.
        end = max([data.rfind(ending) + len(ending) for ending in self._endings if ending in data], default=0)
        if not end or len(data) - end > self._limit:
            return b""
        rest = self._splitter.rest if self._splitter.size else b""
        if self._watch.wants(passed := rest + data[:end]):
            return b""
        self._splitter = self._split()
        if end < len(data):
            self._splitter.feed(data[end:])
        return passed

    def end(self) -> Sequence[Piece]:
        last = [*self._splitter.end()]
        self._look(last)
        if last and self._recognised and not self._queue:
            self._queue.append(self._out.pop())
        # The last record has no end: what is still due goes in front of it, but for what is modelled on it.
        self._settle(self._queue[-1] if last and self._queue else None)
        return self._leave()

    def _look(self, records: Iterable[Record]) -> None:
        """Take what has come, record by record; one that fails is still there: it is retained."""
        for record in records:
            self._record = record
            if self._settled and not self._watch.wants(record.raw):
                self._out.append(Pending(record))
            else:
                self._take(record)
                self._settled = self._is_settled()
            self._record = None

    def _leave(self) -> Sequence[Piece]:
        """Give out what may leave. Written only once the whole call has succeeded: what fails leaves as it came."""
        pieces: list[Piece] = []
        run: list[bytes] = []
        for pending in self._out:
            piece = pending.written()
            if isinstance(piece, bytes):
                run.append(piece)
                continue
            if run:
                pieces.append(b"".join(run))
                run = []
            pieces.append(piece)
        self._out.clear()
        if run:
            pieces.append(b"".join(run))
        return pieces

    def _bound(self, size: int) -> None:
        if size > self._limit:
            raise LabellingError(f"a record of the stream is longer than {self._limit} bytes")

    def _is_settled(self) -> bool:
        """Whether all is done: the metadata is out, and nothing more is due to any text."""
        if not self._recognised or self._awaits_metadata or self._queue or self._watch.always:
            return False
        return self._texts.decided

    def _take(self, record: Record) -> None:
        """One record: look, decide, and let go of what may leave."""
        self._bound(len(record.raw))
        data = record.data
        if data is None or not data.strip():
            if record.raw.strip() == _ARRAY_END:
                self._settle()
            self._enqueue(Pending(record), harmless=data is not None or _is_harmless(record.raw))
            return
        if data.strip() == _DONE:
            self._settle()
            self._over = True
            self._out.append(Pending(record))
            return
        try:
            document = parse(data)
        except FramingError:
            raise LabellingError("a record of the stream is not JSON") from None
        if record.fields and isinstance(document, dict):
            document = {**record.fields, **document}
        found = content(self._dialect, self._dialect.stream, document, data)
        refuse_unknown(self._dialect, found)
        if self._over and any(unit.parts for unit in found.units):
            raise LabellingError("text came behind the record that ends the stream")
        pending = Pending(record, document)
        self._read(found, pending, data)
        self._enqueue(pending, harmless=found.error or found.empty)

    def _read(self, found: Content, pending: Pending, data: bytes) -> None:
        harmless = found.error or found.empty
        self._harmless |= harmless
        self._error |= found.error
        self._recognised |= found.recognised and not harmless
        # Where there is content beside it, the error is told at the end: the head that leaves before claims a label.
        self._done.error = self._error and not self._recognised
        if found.error:
            return
        if found.recognised and self._member is not None:
            self._mark_record(self._member, pending, data)
        for unit in found.units:
            self._texts.step(unit, pending)
        if found.media:
            pending.places += pictures(self._done, found.media, data)

    def _enqueue(self, pending: Pending, *, harmless: bool = False) -> None:
        """The record leaves behind what is held, or is held. A harmless one need not wait until the stream is known."""
        self._queue.append(pending)
        if not self._holds(harmless):
            self._release()
            return
        if not pending.ours:
            self._queued += len(pending.record.raw)
        if self._queued > self._limit:
            raise LabellingError("the stream does not begin like one that the dialect knows")

    def _holds(self, harmless: bool) -> bool:
        if not self._recognised:
            return len(self._queue) > 1 or not harmless
        return self._texts.waits

    def _release(self) -> None:
        self._out += self._queue
        self._queue.clear()
        self._queued = 0

    def _settle(self, last: Pending | None = None) -> None:
        """The stream is at its end: what was unclear is decided, what was held leaves, or nothing was found."""
        if not self._recognised and (self._queue or not self._harmless):
            raise NothingFound(f"the stream holds nothing that the dialect {self._dialect.name} knows")
        self._texts.end(last)
        self._release()
        self._done.error = self._error
        if self._awaits_metadata:
            self._awaits_metadata = False
            self._done.forgo(*CARRIERS)

    def _mark_record(self, names: Member, pending: Pending, data: bytes) -> None:
        """This record carries the answer's implicit label, if it is one that should.

        A trusted upstream may repeat its own in every record; only the one here becomes ours, for what comes once all
        is settled is not read. The repetitions name the same producer, without us as its propagator.
        """
        document = pending.document
        if not isinstance(document, dict) or not all(one.holds(document) for one in names.when):
            return
        pending.places += metadata(self._done, names, document, data, "the stream")
        self._awaits_metadata = False
        if not names.when:
            self._member = None


def _is_harmless(raw: bytes) -> bool:
    """Whether a record without data is a comment, or names fields that the standard knows: nobody shows it."""
    block = raw.lstrip(b"\xef\xbb\xbf\r\n")
    return not block or block.startswith((b":", b"event:", b"id:", b"retry:"))
