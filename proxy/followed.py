"""The trails that are followed: how long the stages of an exchange take and what it moves, for the counts, and its
spans where it is traced.

The law: whether an exchange is traced is known when it begins, as the caller's trace says, or by the trace id. The
others go upstream with the context that they came with. No client can make the labels of a number grow without bound.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from time import perf_counter_ns
from typing import Final, ParamSpec, TypeVar

from proxy.counts import Counts
from proxy.dialects.dialect import Dialect
from proxy.label.identifier import produce_id
from proxy.labelling.message import Headers
from proxy.labelling.request import Asked
from proxy.origin import origin
from proxy.policy.decision import Decision
from proxy.record.exchange import Item, clip
from proxy.record.span import Attributes, Span, generation, labelling
from proxy.record.trace_context import TRACEPARENT, TRACESTATE, Context, falls_in, parse, spell
from proxy.settings import Route, UpstreamSettings
from proxy.trail import UNDER_WAY, UNFOLLOWED, Stage, Trail

__all__ = ["Followed", "Trails"]

_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")

_UNSPENT: Final[dict[Stage, int]] = {"parse": 0, "decide": 0, "draw": 0, "metadata": 0, "ledger": 0}
_LONGEST = 120  # characters of a reason, in a label

# What differs from one answer to the next, in the reasons that come with it.
_PARTICULAR: Final = re.compile(r"(?<!\w)'[^']*'|\d+")


class Trails:
    """What the trails of a process share: ``under_way`` and ``streaming`` are how many exchanges there are now, and
    ``connections`` says how many clients hold; ``tell`` takes a finished span and says whether there was room for it,
    None where nobody takes any; ``dropped`` are those that found none."""

    def __init__(self, counts: Counts, *, follows: bool, share: float = 0.0) -> None:
        """``follows``: whether anybody asks for what trails find out; ``share``: of the exchanges that begin a trace,
        which part is traced, from 0 to 1."""
        self.counts = counts
        self.follows = follows
        self.share = share
        self.under_way = self.streaming = 0
        self.dropped = 0
        self.tell: Callable[[Span], bool] | None = None
        self.connections: Callable[[], int] = int

    def begin(self, method: str, traceparent: bytes, policy: bytes) -> Trail:
        """The trail of an exchange that begins now; ``policy`` is the short digest of the policies in force."""
        return Followed(self, method, traceparent, policy) if self.follows else UNFOLLOWED


class Followed(Trail):
    """That of an exchange whose numbers are asked for. It begins with what the class says and has no slots: most of
    that stays as it is."""

    _route = _path = _error = _span = ""
    _dialect: Dialect | None = None
    _upstream: UpstreamSettings | None = None
    _request = Asked()
    _because: tuple[str, ...] = ()
    _settled: tuple[str, str, tuple[str, ...], tuple[Item, ...]] = ("", "", (), ())
    _streams = False
    _asked = _replied = _first = _ended = _answer = _received = _sent = 0

    def __init__(self, trails: Trails, method: str, traceparent: bytes, policy: bytes) -> None:
        self._began = perf_counter_ns()
        self._at = time.time_ns()
        self._trails = trails
        self._method = method
        self._policy = policy
        self._parent = parent = parse(traceparent) if traceparent else None
        self.id = produce_id(self._at // 1_000_000, os.urandom(10))
        self.trace_id = parent.trace_id if parent is not None else self.id
        traced = trails.tell is not None and (
            parent.sampled if parent is not None else falls_in(self.trace_id, trails.share)
        )
        self.span_id = os.urandom(8).hex() if traced else ""
        self._spent = _UNSPENT.copy()
        trails.under_way += 1
        UNDER_WAY.set(self)

    def now(self) -> int:
        return perf_counter_ns()

    def spent(self, stage: Stage, since: int) -> None:
        self._spent[stage] += perf_counter_ns() - since

    def timed(self, stage: Stage, work: Callable[_Given, _Made]) -> Callable[_Given, _Made]:
        spent = self._spent

        def measured(*given: _Given.args, **named: _Given.kwargs) -> _Made:
            since = perf_counter_ns()
            made = work(*given, **named)
            spent[stage] += perf_counter_ns() - since
            return made

        return measured

    def routed(self, route: Route | None, dialect: Dialect | None, path: str) -> None:
        self._route = route.path if route is not None else ""
        self._dialect = dialect
        self._path = path

    def decided(self, asked: Asked, decisions: Mapping[str, Decision]) -> None:
        self._request = asked
        self._because = tuple([reason for decision in decisions.values() for reason in decision.because])

    def asks(self, headers: Headers, upstream: UpstreamSettings) -> Headers:
        self._asked = perf_counter_ns()
        self._upstream = upstream
        if not self.span_id:
            return headers
        self._span = os.urandom(8).hex()
        # Section 3.3: a tracestate without a traceparent that can be read means nothing, and goes no further.
        stale = (TRACEPARENT,) if self._parent is not None else (TRACEPARENT, TRACESTATE)
        ours = TRACEPARENT, spell(Context(self.trace_id, self._span, True))
        return [*(field for field in headers if field[0] not in stale), ours]

    def answered(self, status: int) -> None:
        self._replied = perf_counter_ns()
        self._answer = status

    def told(self) -> None:
        self._first = perf_counter_ns()

    def heard(self) -> None:
        self._ended = perf_counter_ns()

    def streams(self) -> None:
        if not self._streams:
            self._streams = True
            self._trails.streaming += 1

    def moved(self, received: int, sent: int) -> None:
        self._received += received
        self._sent += sent

    def settled(
        self, outcome: str, reason: str, because: tuple[str, ...], items: Callable[[], tuple[Item, ...]]
    ) -> None:
        because = because or self._because
        self._settled = outcome, reason, because, items() if self.span_id else ()

    def failed(self, kind: str, outcome: str) -> None:
        self._error = kind
        if not self._settled[0]:
            self._settled = outcome, kind, self._because, ()

    def end(self, status: int, begun: int) -> None:
        now = perf_counter_ns()
        trails, route = self._trails, (self._route,)
        counts, (outcome, reason, because, _) = trails.counts, self._settled
        trails.under_way -= 1
        trails.streaming -= self._streams
        dialect = self._dialect.name if self._dialect is not None else ""
        unsaid = "unclaimed" if self._asked else "refused" if self._route else "unrouted"
        counts.requests.add((self._route, dialect, outcome or unsaid))
        counts.duration.took(route, now - self._began)
        if because or outcome:
            counts.answers.add((" ".join(because), outcome, _class(reason) if reason else ""))
        if self._received or self._sent:
            counts.bytes.add((self._route, "us"), self._received)
            counts.bytes.add((self._route, "client"), self._sent)
        for stage, nanoseconds in self._spent.items():
            if nanoseconds:
                counts.added.took((stage,), nanoseconds)
        if begun:
            counts.first_byte.took(route, begun - self._began)
        if self._replied and self._upstream is not None:
            counts.upstream.took((self._upstream.name,), self._replied - self._asked)
        if self.span_id and trails.tell is not None:
            if self._span and self._upstream is not None:
                trails.dropped += not trails.tell(self._asking(self._upstream, now))
            trails.dropped += not trails.tell(self._serving(status, now))

    def _serving(self, status: int, now: int) -> Span:
        """Our span of the whole exchange (HTTP server, in the semantic conventions)."""
        attributes: Attributes = {"http.request.method": self._method, "http.response.status_code": status}
        if not status:
            del attributes["http.response.status_code"]
        if self._route:
            attributes["http.route"] = self._route
        if self._dialect is not None:  # of an unclaimed path nobody knows what stands in it
            attributes["url.path"] = f"/{clip(self._path)}"
        outcome, reason, because, items = self._settled
        took = sum(self._spent.values()) / 1e6
        if outcome and self._dialect is not None:
            policy = self._policy.decode()
            attributes |= labelling(outcome, reason, because, items, policy=policy, milliseconds=took)
        error = self._error or (str(status) if status >= 500 else "")
        if error:
            attributes["error.type"] = error
        parent = self._parent.span_id if self._parent is not None else ""
        name = f"{self._method} {self._route}".rstrip()
        begun, ended = self._at, self._at + now - self._began
        return Span(
            "server", name, self.trace_id, self.span_id, parent, bool(parent), begun, ended, attributes, bool(error)
        )

    def _asking(self, upstream: UpstreamSettings, now: int) -> Span:
        """Our span of the request upstream (inference, and HTTP client, in the semantic conventions)."""
        attributes: Attributes = {"http.request.method": self._method, **_address(upstream.url)}
        name = self._method
        if self._dialect is not None:
            asked, model = self._request, clip(self._request.model)
            first = (self._first - self._asked) / 1e9 if self._first else None
            kinds = ("json",) if asked.machine is not None else self._dialect.kinds
            attributes |= generation(self._dialect.name, model, kinds, streaming=asked.streaming, first_chunk=first)
            name = f"{attributes['gen_ai.operation.name']} {model}".rstrip()
        if self._answer:
            attributes["http.response.status_code"] = self._answer
        error = str(self._answer) if self._answer >= 400 else "" if self._ended else self._error
        if error:
            attributes["error.type"] = error
        begun = self._at + self._asked - self._began
        ended = self._at + (self._ended or now) - self._began
        return Span(
            "client", name, self.trace_id, self._span, self.span_id, False, begun, ended, attributes, bool(error)
        )


@lru_cache(maxsize=64)
def _address(url: str) -> Attributes:
    at = origin(url)
    return {"server.address": at.host, "server.port": at.port}


@lru_cache(maxsize=1024)
def _class(reason: str) -> str:
    """A reason without what is particular to one answer."""
    return clip(_PARTICULAR.sub("...", reason), _LONGEST)
