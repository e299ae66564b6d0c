"""One exchange's entries in the ledger: one for a whole answer, two for a stream.

The law: an entry is on disk before the bytes that it speaks for leave. Where the ledger cannot write, its
``on_failure`` decides: the answer does not leave (Unrecorded), or it does and is counted.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from time import perf_counter_ns
from types import MappingProxyType
from typing import Any, Literal

from proxy.counts import Counts
from proxy.labelling.gathered import Said
from proxy.ledger import Ledger, LedgerError
from proxy.record.exchange import Item, Record
from proxy.record.outcome import DELIVERED_AS_DECIDED, Outcome, State
from proxy.trail import UNFOLLOWED, Trail

# What a record says where no grant was used.
UNGRANTED: Mapping[str, str] = MappingProxyType({"grant": "", "agreement": ""})

_TOLD_AGAIN = ("trace_id", "model", "tenant", "subject", "grant")

log = logging.getLogger("countermark")


class Unrecorded(Exception):
    """The record of this answer could not be kept, and answers without records do not leave."""


class Account:
    """The record of one exchange, from its start to its outcome.

    ``id`` is the exchange's, ``at`` its beginning in Unix nanoseconds, ``facts`` the fields of its Record that are
    known from the request; they are not read where nothing is recorded. ``amiss`` is what policy asks for and the
    answer goes without, in words, whatever becomes of the rest: it is no success then. ``settled``: how it ended has
    been said; ``recorded``: that is on disk. ``texts`` tells those of the answer of which a rule asks for a
    fingerprint, as far as they have come.
    """

    __slots__ = (
        "_begun", "_counts", "_facts", "_first_byte", "_ledger", "_on_failure", "_opening",
        "amiss", "at", "bytes_in", "bytes_out", "id", "recorded", "settled", "texts", "trail",
    )  # fmt: skip

    def __init__(
        self,
        identifier: str,
        at: int,
        ledger: Ledger | None,
        on_failure: Literal["block", "pass"],
        counts: Counts,
        facts: Mapping[str, Any],
        trail: Trail = UNFOLLOWED,
    ) -> None:
        self.id = identifier
        self.at = at
        self.bytes_in = self.bytes_out = self._first_byte = 0
        self.settled = self.recorded = False
        self.amiss = ""
        self.texts: Callable[[], list[Said]] = list
        self.trail = trail
        self._ledger = ledger
        self._on_failure = on_failure
        self._counts = counts
        self._facts = facts
        self._begun = perf_counter_ns() if ledger is not None else 0
        self._opening: asyncio.Future[None] | None = None

    def amend(self, facts: Mapping[str, Any]) -> None:
        """Some of the facts are others than the request let expect."""
        if self._ledger is not None:
            self._facts = {**self._facts, **facts}

    def unsent(self) -> None:
        """Nothing of what was made ready leaves: nothing by a grant, and nothing that is to be found again."""
        self.bytes_out = 0
        self.texts = list
        self.amend(UNGRANTED)

    def answered(self) -> None:
        """The upstream's response has begun."""
        if self._ledger is not None:
            self._first_byte = self._elapsed()

    def _elapsed(self) -> int:
        """Microseconds since the exchange began."""
        return (perf_counter_ns() - self._begun) // 1000

    def open(self) -> None:
        """A stream is expected: write its first entry while the upstream thinks."""
        if self._ledger is not None and self._opening is None:
            opened = Record(self.id, at=self.at, state=State.OPENED, streaming=True, **self._facts)
            self._opening = self._ledger.append(opened)
            # Awaited before the first byte leaves; one whose exchange ends before that has nobody to hear it.
            self._opening.add_done_callback(_heard)

    async def opened(self) -> None:
        """The first entry is on disk. Raises Unrecorded where it cannot be and answers without records do not leave."""
        self.open()
        if self._opening is not None:
            await self._kept(self._opening)

    async def settle(
        self,
        outcome: Outcome,
        reason: str,
        *,
        status: int,
        items: Callable[[], tuple[Item, ...]] = tuple,
        because: tuple[str, ...] = (),
    ) -> None:
        """Write how the exchange ended, once; it is on disk when this returns. Raises Unrecorded as ``opened`` does.

        ``items`` makes the record's items, where there is a record. ``because`` are the rules that decided, where they
        are others than the request let expect.
        """
        if self.settled:
            return
        if self.amiss and outcome in DELIVERED_AS_DECIDED:
            outcome, reason = Outcome.UNLABELLED, f"{self.amiss}; {reason}" if reason else self.amiss
        if self._ledger is None:
            self.settled = True
            self._counts.outcomes[outcome] += 1
            self.trail.settled(outcome, reason, because, items)
            return
        record = Record(
            self.id,
            at=self.at,
            state=State.CLOSED if self.is_open else State.WHOLE,
            streaming=self.is_open,
            status=status,
            outcome=outcome,
            reason=reason,
            items=items(),
            first_byte_us=self._first_byte,
            duration_us=self._elapsed(),
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
            **({**self._facts, "because": because} if because else self._facts),
        )
        self.settled = True
        self.recorded = await self._kept(self._ledger.append(record))
        self._counts.outcomes[outcome] += 1
        self.trail.settled(outcome, reason, because, lambda: record.items)

    def fingerprinted(self) -> Record:
        """The entry that the fingerprints of a recorded answer go into, without its items: who asked, and for what, is
        told again, to be found by both together."""
        told = {name: self._facts[name] for name in _TOLD_AGAIN if name in self._facts}
        return Record(self.id, at=self.at, state=State.FINGERPRINTED, streaming=self.is_open, **told)

    @property
    def records(self) -> bool:
        """Whether a record is kept."""
        return self._ledger is not None

    @property
    def is_open(self) -> bool:
        """Whether a first entry was written, to which another will belong."""
        return self._opening is not None

    async def _kept(self, entry: "asyncio.Future[None]") -> bool:
        since = self.trail.now()
        try:
            await entry
            self.trail.spent("ledger", since)
            if self._counts.losing:
                self._counts.losing = False
                log.warning("records are kept again; %d could not be", self._counts.unrecorded)
            return True
        except LedgerError as error:
            self._counts.unrecorded += 1
            if not self._counts.losing:  # a full disk must not fill with lines that say so
                self._counts.losing = True
                log.error("records cannot be kept: %s", error)
            # Who got content without a notice by a grant must be known (Measures, Art. 9), whatever else may pass.
            if self._on_failure == "block" or self._facts.get("grant"):
                self._counts.outcomes[Outcome.BLOCKED] += 1
                raise Unrecorded("the record of this answer could not be kept") from None
            return False


def _heard(entry: "asyncio.Future[None]") -> None:
    if not entry.cancelled():
        entry.exception()
