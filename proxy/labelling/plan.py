"""What is done with one response to a claimed request: pass it, or label it in one of two ways.

Chosen by status, media type and first byte, never by what the request asked for: servers ignore ``stream``, and errors
come as JSON.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from proxy.dialects.dialect import Dialect
from proxy.labelling.body import BodyLabeller
from proxy.labelling.errors import LabellingError
from proxy.labelling.guard import Guard
from proxy.labelling.mark import Mark
from proxy.labelling.message import ResponseHead
from proxy.labelling.outcome import Done
from proxy.labelling.request import Asked
from proxy.labelling.stream import StreamLabeller
from proxy.labelling.terminal import Terminal
from proxy.labelling.transform import Piece
from proxy.policy.decision import Decision

Framing = Literal["json", "sse"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bytes of one whole body, and of one record of a stream."""

    whole_body: int
    record: int


class Label(NamedTuple):
    """Label the body: ``guard`` takes the decoded bytes, and ``terminal`` what comes out of it where it is a stream."""

    guard: Guard
    done: Done
    terminal: Terminal | None


def needs_no_label(method: str, head: ResponseHead) -> str:
    """Why a response holds nothing generated, or empty where it may: no body, or an error."""
    if method == "HEAD" or head.status in (204, 304):
        return "no body"
    return "an error of the upstream's" if head.status >= 400 else ""


def is_bare(head: ResponseHead) -> bool:
    """Whether the head is all that a client needs of the response: a redirection, or a reset of its form."""
    return 300 <= head.status < 400 or head.status == 205


def acts(decisions: Mapping[str, Decision]) -> bool:
    """Whether any rule asks for anything."""
    return any(decision.acts for decision in decisions.values())


class Unlabellable:
    """A labeller for an answer that is known at once not to be one that can be labelled: the guard decides then."""

    def __init__(self, reason: str) -> None:
        self._reason = reason
        self._parts: list[bytes] = []

    def feed(self, data: bytes) -> Sequence[Piece]:
        self._parts.append(data)
        raise LabellingError(self._reason)

    def end(self) -> Sequence[Piece]:
        raise LabellingError(self._reason)

    @property
    def retained(self) -> bytes:
        return b"".join(self._parts)


def unlabellable(mark: Mark, reason: str) -> Label:
    """The plan for an answer that cannot be labelled."""
    done = Done(mark, b"")
    return Label(Guard(Unlabellable(reason), done), done, None)


def framing(head: ResponseHead, first: bytes) -> Framing:
    """How the body is cut, by its media type and its first bytes. Raises LabellingError where neither tells."""
    begins = first.lstrip(b"\xef\xbb\xbf \t\r\n")
    if begins.startswith((b"{", b"[")):
        return "json"
    media_type = head.value(b"content-type").partition(b";")[0].strip().lower()
    if media_type == b"text/event-stream" or begins.startswith((b"data:", b"event:", b"id:", b"retry:", b":")):
        return "sse"
    if not begins:
        raise LabellingError("the answer is empty")
    raise LabellingError(
        f"the answer's media type {media_type.decode('ascii', 'replace')!r} is not one that can be labelled here"
    )


def label(dialect: Dialect, asked: Asked, mark: Mark, framed: Framing, bounds: Bounds) -> Label:
    """The transforms that label one response."""
    done = Done(mark, mark.aigc.compact().encode())
    if framed == "json":
        return Label(Guard(BodyLabeller(dialect, asked, done, bounds.whole_body), done), done, None)
    if not dialect.stream:
        raise LabellingError(f"streams of {dialect.name} cannot be labelled yet")
    labeller = StreamLabeller(dialect, asked, done, bounds.record)
    return Label(Guard(labeller, done), done, Terminal(dialect.terminal))
