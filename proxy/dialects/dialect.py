"""One API as a value: which requests it answers, where generated text and media stand, what a request asks for."""

from dataclasses import dataclass, field, replace
from typing import Literal

from proxy.dialects.paths import Condition, Path

Kind = Literal["text", "image"]
Encoding = Literal["base64", "url"]
Shows = Literal["json", "choice"]


@dataclass(frozen=True, slots=True, eq=False)  # a rule is itself and no other: what is kept by it is found fast
class TextRule:
    """Where text stands, in a body or in one record of a stream.

    ``each`` finds the elements, ``key`` within an element names its unit (a choice, a message: what gets one prefix and
    one suffix), ``text`` is the text within the element, or within each place that ``span`` finds there, where one
    unit's text is cut into parts. ``close`` within the element tells that the unit ends, and ``blank`` lists what a
    copy of the element for the suffix must not repeat. ``shift`` finds character offsets into the text. ``unlabelled``
    finds, within the element, media for which there is no label yet.
    """

    each: Path
    text: Path
    key: Path | None = None
    span: Path | None = None
    close: Path | None = None
    blank: tuple[Path, ...] = ()
    shift: tuple[Path, ...] = ()
    unlabelled: tuple[Path, ...] = ()
    first: str = field(init=False)
    """The member by which an element of the expected shape is known."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "first", (self.span or self.text).names[0])


@dataclass(frozen=True, slots=True)
class MediaRule:
    """Where a medium stands, and how it is written there."""

    path: Path
    encoding: Encoding
    kind: Literal["image"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A field by which a client asks for output that only machines read, and how such output shows itself.

    ``servers`` names the kinds of server that know the field; a server that does not know it ignores it, so the claim
    counts nowhere else. Empty: every server.
    """

    condition: Condition
    shows: Shows
    servers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Continuation:
    """A field by which a client asks that its own last text be continued, the assistant's text that this is (at
    ``text``, where ``of`` holds), and the servers that do so."""

    condition: Condition
    text: Path
    of: Condition
    servers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RequestRules:
    """What is read from a request in JSON; ``strip`` finds the assistant's earlier texts."""

    model: Path | None = None
    stream: Path | None = None
    units: Path | None = None
    strip: tuple[Path, ...] = ()
    machine: tuple[Claim, ...] = ()
    continuation: tuple[Continuation, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """Requests that the dialect answers: methods, and a path pattern: a segment may hold ``*``, ``**/`` is any prefix.

    ``stored`` says that the answer is kept and may be read again: it gets the same ids each time.
    """

    methods: frozenset[str]
    pattern: str
    stored: bool = False


@dataclass(frozen=True, slots=True)
class Dialect:
    """One API. ``errors`` tells an answer that is an error although its status is 200; ``terminal`` is the data of the
    record that ends a stream, and ``metadata`` the name of the top-level member that carries the implicit label."""

    name: str
    title: str
    matches: tuple[Match, ...]
    body: tuple[TextRule, ...] = ()
    stream: tuple[TextRule, ...] = ()
    media: tuple[MediaRule, ...] = ()
    request: RequestRules = RequestRules()
    errors: tuple[Condition, ...] = ()
    terminal: bytes = b""
    metadata: str = "AIGC"
    kinds: frozenset[Kind] = field(init=False)
    """The kinds of content that its answers hold."""

    def __post_init__(self) -> None:
        text: frozenset[Kind] = frozenset({"text"} if self.body or self.stream else ())
        object.__setattr__(self, "kinds", text | {rule.kind for rule in self.media})

    def spoken_by(self, server: str) -> "Dialect":
        """The dialect as this kind of server speaks it: with the request fields that it knows, and no others."""
        request = replace(
            self.request,
            machine=tuple(claim for claim in self.request.machine if not claim.servers or server in claim.servers),
            continuation=tuple(one for one in self.request.continuation if server in one.servers),
        )
        return replace(self, request=request)
