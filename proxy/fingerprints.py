"""What edited copies of texts are found by, made when the answers have left.

Law: no exchange waits for a fingerprint. Texts lie in memory until their turn, so many of them and no more; what does
not fit is counted and forgotten, and no text is written down or logged. A crash loses fingerprints, never a record.

One thread makes them, a millisecond of work at a time, and then rests as long: traffic has the interpreter for half of
the time at least. What comes of it is appended to the ledger on the event loop that brought the text, as one entry more
of its exchange (``State.FINGERPRINTED``).
"""

import asyncio
import logging
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from queue import SimpleQueue
from typing import Final, NamedTuple, TypeVar

from proxy.keys import Keys
from proxy.labelling.gathered import MOST, Said
from proxy.ledger import Ledger, LedgerError
from proxy.record.exchange import Item, Record
from proxy.record.likeness import joined, normalising, sketched

__all__ = ["DIGITS", "Fingerprints"]

DIGITS: Final = 16
"""Hex digits of a gram's keyed hash: 64 bits, as the ledger's index has them."""

_CHARACTERS: Final = 1 << 24  # that wait at most: 64 MiB where each is of four bytes
_CLOSING: Final = 5.0  # seconds
_REST: Final = 0.0005  # seconds at least: who waits for the interpreter needs some time to wake

_Part = TypeVar("_Part")

log = logging.getLogger("countermark")


class _Job(NamedTuple):
    entry: Record
    texts: Sequence[Said]
    size: int
    loop: asyncio.AbstractEventLoop


class Fingerprints:
    """Makes the fingerprints of one ledger's texts. ``dropped`` counts texts that got none: there were too many at one
    time, or in one answer, or the ledger could not take it."""

    def __init__(self, ledger: Ledger, keys: Keys, *, characters: int = _CHARACTERS) -> None:
        self._ledger = ledger
        self._keys = keys
        self._characters = characters
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._waiting = 0  # characters
        self._until: float | None = None  # the end of closing, on the monotonic clock
        self.pending = 0
        self.dropped = 0

    def take(self, entry: Record, texts: Sequence[Said]) -> None:
        """Make the fingerprints of an answer that has left. ``entry`` is the one that they go into, without items. Call
        it on the event loop."""
        self._drop(len(texts[MOST:]))
        texts = texts[:MOST]
        size = sum(len(said.text) for said in texts)
        if self._until is not None or self._waiting + size > self._characters:
            self._drop(len(texts))
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="fingerprints", daemon=True)
            self._thread.start()
        self._waiting += size
        self.pending += 1
        self._queue.put(_Job(entry, texts, size, asyncio.get_running_loop()))

    def close(self, seconds: float = _CLOSING) -> None:
        """Make what still waits, for so long at most; blocks. The ledger must stay open until the event loop has had
        its turn once more."""
        if self._until is None:
            self._until = time.monotonic() + seconds
            self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    def _drop(self, texts: int) -> None:
        if texts and not self.dropped:
            log.warning("some texts get no fingerprint: too many are to be made (told once; counted from now on)")
        self.dropped += texts

    # The thread.

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            entry = None
            try:
                if not self._is_late:
                    items = tuple(item for said in job.texts if (item := self._item(said)) is not None)
                    entry = replace(job.entry, items=items)
            except Exception:
                log.exception("a fingerprint could not be made")
            try:
                job.loop.call_soon_threadsafe(self._made, job, entry)
            except RuntimeError:  # the loop is closed: nobody counts any more
                return

    def _item(self, said: Said) -> Item | None:
        plain = joined(self._rested(normalising(said.text)))
        sketch = tuple(one for part in self._rested(sketched(plain, self._gram)) for one in part)
        text = self._keys.hash("text", plain.encode()) if plain and said.is_whole and not said.is_known else ""
        if not text and not sketch:
            return None
        return Item(said.produce_id, "text", said.unit, text=text, sketch=sketch)

    def _gram(self, gram: bytes) -> str:
        return self._keys.hash("sketch", gram)[:DIGITS]

    def _rested(self, parts: Iterable[_Part]) -> Iterator[_Part]:
        """The parts, with a rest behind each, as long as it took to make it."""
        begun = time.thread_time()
        for part in parts:
            yield part
            if self._until is None:
                time.sleep(max(time.thread_time() - begun, _REST))
            begun = time.thread_time()

    @property
    def _is_late(self) -> bool:
        return self._until is not None and time.monotonic() > self._until

    # The event loop.

    def _made(self, job: _Job, entry: Record | None) -> None:
        """``entry`` is None where nothing could be made."""
        self._waiting -= job.size
        self.pending -= 1
        if entry is None:
            self._drop(len(job.texts))
        elif entry.items:
            self._ledger.append(entry).add_done_callback(lambda written: self._written(written, len(job.texts)))

    def _written(self, written: "asyncio.Future[None]", texts: int) -> None:
        if not written.cancelled() and isinstance(written.exception(), LedgerError):
            self._drop(texts)
