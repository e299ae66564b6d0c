"""The trail of one exchange: what it tells, as it goes, to whoever asks for numbers and traces.

The law: a trail never changes what an exchange does, but for the header by which an upstream's spans find ours; and
what nobody asks for is not measured: ``Trail`` itself does nothing (see followed.py for the one that does).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Final, Literal, ParamSpec, TypeVar

from proxy.dialects.dialect import Dialect
from proxy.labelling.message import Headers
from proxy.labelling.request import Asked
from proxy.policy.decision import Decision
from proxy.record.exchange import Item
from proxy.settings import Route, UpstreamSettings

__all__ = ["UNDER_WAY", "UNFOLLOWED", "Stage", "Trail"]

Stage = Literal["parse", "decide", "draw", "metadata", "ledger"]

_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")


class Trail:
    """That of an exchange that nobody follows. ``id`` is the exchange's, in 32 hex digits, and ``trace_id`` that of the
    trace that it belongs to, both empty where no trail has one; ``span_id`` is ours in it, where it is traced."""

    __slots__ = ()
    id: str
    trace_id: str
    span_id: str

    def now(self) -> int:
        """A moment that a stage may begin at."""
        return 0

    def spent(self, stage: Stage, since: int) -> None:
        """A stage took from that moment until now; an exchange may come back to it."""

    def timed(self, stage: Stage, work: Callable[_Given, _Made]) -> Callable[_Given, _Made]:
        """``work`` as a part of a stage; what it takes to fail is not told."""
        return work

    def routed(self, route: Route | None, dialect: Dialect | None, path: str) -> None:
        """Which route serves the exchange, if any does, and which dialect claims it, on which path."""

    def decided(self, asked: Asked, decisions: Mapping[str, Decision]) -> None:
        """What the request asks for, and what was decided on it."""

    def asks(self, headers: Headers, upstream: UpstreamSettings) -> Headers:
        """The upstream is about to be asked: with which fields."""
        return headers

    def answered(self, status: int) -> None:
        """The head of its answer is there."""

    def told(self) -> None:
        """A stream's first piece is there."""

    def heard(self) -> None:
        """Its answer is there to the end."""

    def streams(self) -> None:
        """The answer goes out as it comes."""

    def moved(self, received: int, sent: int) -> None:
        """So many bytes of an answer came, and went out."""

    def settled(
        self, outcome: str, reason: str, because: tuple[str, ...], items: Callable[[], tuple[Item, ...]]
    ) -> None:
        """How the exchange ends, as its record has it."""

    def failed(self, kind: str, outcome: str) -> None:
        """It fails, with this kind of error; nothing else is told of why, where it was not settled before."""

    def end(self, status: int, begun: int) -> None:
        """It is over. ``status`` is what the client was told, at the moment ``begun``; zeros where it was not."""


class _Unfollowed(Trail):
    __slots__ = ()
    id = trace_id = span_id = ""


UNFOLLOWED: Final[Trail] = _Unfollowed()

UNDER_WAY: Final[ContextVar[Trail]] = ContextVar("countermark.trail", default=UNFOLLOWED)
"""The trail of the exchange that this task serves."""
