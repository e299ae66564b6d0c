"""What is done with one response to a claimed request: pass it, or label it as what it is.

Chosen by status, media type and first byte, never by what the request asked for: servers ignore ``stream``, and errors
come as JSON.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from proxy.dialects.dialect import Dialect
from proxy.framing import event_stream, json_array, ndjson, sse
from proxy.framing.record import Splitter
from proxy.labelling.body import BodyLabeller
from proxy.labelling.errors import LabellingError
from proxy.labelling.guard import Guard
from proxy.labelling.lines import LinesLabeller
from proxy.labelling.mark import Mark
from proxy.labelling.medium import UNASKED, MediumLabeller, medium
from proxy.labelling.message import ResponseHead
from proxy.labelling.outcome import Done
from proxy.labelling.request import Asked
from proxy.labelling.stream import StreamLabeller
from proxy.labelling.terminal import Terminal
from proxy.labelling.transform import Piece
from proxy.media.formats import find
from proxy.policy.decision import Decision

Framing = Literal["json", "sse", "ndjson", "json_array", "event_stream", "lines", "image", "audio", "video"]

STREAMS: Final = frozenset({"sse", "ndjson", "json_array", "event_stream"})

_LINES: Final = frozenset(
    {
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonl",
        "application/stream+json",
    }
)
_UNTOLD: Final = frozenset({"", "application/octet-stream", "binary/octet-stream"})
# How each is cut, and how a chunk ends that ends a record.
_SPLITTERS: Final[dict[str, tuple[Callable[[], Splitter], tuple[bytes, ...]]]] = {
    "sse": (sse.Splitter, (b"\n\n", b"\r\n\r\n")),
    "ndjson": (ndjson.Splitter, (b"\n",)),
    "json_array": (json_array.Splitter, ()),
    "event_stream": (event_stream.Splitter, ()),
}


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


def passes(dialect: Dialect, method: str, head: ResponseHead, decisions: Mapping[str, Decision]) -> str:
    """Why a response is left as it came, or empty where it is not: it holds nothing generated, or nothing is asked."""
    kind = medium(dialect, head)
    asked = [decisions[kind]] if kind else list(decisions.values())
    unasked = "" if any(one.acts for one in asked) else next((one.hidden for one in asked if one.hidden), UNASKED)
    return needs_no_label(method, head) or dialect.passes or unasked


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


def framing(dialect: Dialect, head: ResponseHead, first: bytes) -> Framing:
    """How the body is cut, by its media type and its first bytes. Raises LabellingError where neither tells."""
    if first.startswith(b"{") and not dialect.lines and head.value(b"content-type") == b"application/json":
        return "json"  # nearly every answer that is not a stream
    begins = first.lstrip(b"\xef\xbb\xbf \t\r\n")
    media_type = head.value(b"content-type").partition(b";")[0].strip().lower().decode("ascii", "replace")
    if media_type == "application/vnd.amazon.eventstream":
        return "event_stream"
    kind = medium(dialect, head)
    if dialect.whole and kind is None and media_type in _UNTOLD and find(first) is not None:
        kind = "image"
    if kind is not None:
        return kind
    if dialect.lines and (media_type != "application/json" or not (dialect.body or dialect.links)):
        return "lines"
    if begins.startswith((b"{", b"[")):
        if media_type in _LINES:
            return "ndjson"
        return "json_array" if dialect.array and begins.startswith(b"[") else "json"
    if media_type == "text/event-stream" or begins.startswith((b"data:", b"event:", b"id:", b"retry:", b":")):
        return "sse"
    if not begins:
        raise LabellingError("the answer is empty")
    raise LabellingError(f"the answer's media type {media_type!r} is not one that can be labelled here")


def label(
    dialect: Dialect,
    asked: Asked,
    mark: Mark,
    framed: Framing,
    bounds: Bounds,
    dialects: Mapping[str, Dialect] = MappingProxyType({}),
) -> Label:
    """The transforms that label one response; ``dialects`` are all, by name, for answers within answers."""
    done = Done(mark, mark.aigc.compact().encode())
    if framed == "json":
        return Label(Guard(BodyLabeller(dialect, asked, done, bounds.whole_body), done), done, None)
    if framed == "image" or framed == "audio" or framed == "video":
        return Label(Guard(MediumLabeller(framed, "the answer", done, bounds.whole_body), done), done, None)
    if framed == "lines":
        return Label(Guard(LinesLabeller(dialect, dialects, done, bounds.whole_body), done), done, Terminal(()))
    if not dialect.stream and not any(rule.when for rule in dialect.media):
        raise LabellingError(f"streams of {dialect.name} cannot be labelled yet")
    splitter, endings = _SPLITTERS[framed]
    labeller = StreamLabeller(dialect, asked, done, splitter, endings, bounds.record)
    terminal = dialect.terminal if framed in ("sse", "ndjson") else ()
    return Label(Guard(labeller, done), done, Terminal(terminal))
