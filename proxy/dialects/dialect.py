"""One API as a value: which requests it answers, where generated text and media stand, what a request asks for."""

from dataclasses import dataclass, field, replace
from typing import Literal

from proxy.dialects.examples import Example
from proxy.dialects.paths import Condition, Each, Path

MediaKind = Literal["image", "audio", "video"]
Kind = Literal["text"] | MediaKind
Encoding = Literal["base64", "hex", "data_url", "url"]
Mode = Literal["delta", "full", "cumulative"]
Shows = Literal["json", "choice", "splice"]
PicturePlace = int | Literal["prefixed", "text"]
Names = tuple[str, ...]


def words_of(path: Path) -> tuple[bytes, ...]:
    """Strings of which a JSON text holds one, if the path leads anywhere in it and names are spelled without escapes:
    the last member's name, or the types that a filter behind it asks for."""
    last = path.steps[-1] if path.steps else ""
    if isinstance(last, Each) and last.wanted and not last.negated:
        return tuple(f'"{value}"'.encode() for value in last.wanted)
    names = [step for step in path.steps if isinstance(step, str)]
    return (f'"{names[-1]}"'.encode() if names else b"",)


@dataclass(frozen=True, slots=True)
class Key:
    """One part of what tells units apart: a value within the element, or within the ``whole`` document; without a path,
    the array indexes on the way to the element."""

    path: Path | None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Shift:
    """An offset into a unit's text, within the element: in characters, or in bytes of UTF-8. ``part``, beside it, is
    the index of the part of the text that it counts from."""

    path: Path
    utf8: bool = False
    part: str = ""


@dataclass(frozen=True, slots=True, eq=False)  # a rule is itself and no other: what is kept by it is found fast
class TextRule:
    """Where text stands, in a body or in one record of a stream.

    It counts where all of ``when`` holds of the document. ``each`` finds the elements, ``keys`` name an element's unit
    (a choice, a message: what gets one prefix and one suffix), ``text`` is the text within the element, or within each
    place that ``span`` finds there, where one unit's text is cut into parts. A rule without ``text`` says only what
    the record means for the unit.

    In a stream, ``mode`` tells a piece of the text (delta) from the whole of it said again (full) or said so far
    (cumulative). ``slot`` names the block that the text stands in; ``hold`` says that the record ends a block,
    ``close`` within the element that the unit ends. ``blank`` lists what a copy of the element for the suffix must not
    repeat, and ``create`` is the list that a suffix is put into where the closing element has no text.

    ``shifts`` are offsets into the text; ``unlabelled`` finds, within the element, media for which there is no label.
    """

    each: Path
    text: Path | None = None
    when: tuple[Condition, ...] = ()
    keys: tuple[Key, ...] = ()
    span: Path | None = None
    mode: Mode | None = None
    slot: Path | None = None
    hold: bool = False
    close: Path | None = None
    create: Path | None = None
    blank: tuple[Path, ...] = ()
    shifts: tuple[Shift, ...] = ()
    unlabelled: tuple[Path, ...] = ()
    first: str = field(init=False)
    """The member by which an element of the expected shape is known; empty where any will do."""
    leaf: str = field(init=False)
    """The member that the text stands in; empty where the rule has none."""
    offsets: tuple[bytes, ...] = field(init=False)
    """The members that ``shifts`` find, as JSON spells them."""

    def __post_init__(self) -> None:
        leading = self.span or self.text
        object.__setattr__(self, "first", leading.names[0] if leading and leading.names else "")
        leaf = (self.text.names or (self.span or self.each).names)[-1] if self.text else ""
        object.__setattr__(self, "leaf", leaf)
        offsets = {word: None for shift in self.shifts for word in words_of(shift.path)}
        object.__setattr__(self, "offsets", tuple(offsets))

    def may_shift(self, data: bytes) -> bool:
        """Whether the JSON text may hold offsets that ``shifts`` find."""
        for word in self.offsets:
            if word in data:
                return True
        return bool(self.offsets) and b"\\u00" in data


@dataclass(frozen=True, slots=True, eq=False)
class MediaRule:
    """Where a medium stands, and how it is written there.

    ``kind`` None: as the media type says that stands in ``media_type``, beside it. ``inline`` names the member that
    holds base64 where the one here holds a URL.
    """

    path: Path
    encoding: Encoding
    kind: MediaKind | None
    when: tuple[Condition, ...] = ()
    media_type: str = ""
    inline: str = ""
    words: tuple[bytes, ...] = field(init=False)
    """What the JSON text of a document that the rule finds anything in holds one of."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", words_of(self.path))


@dataclass(frozen=True, slots=True)
class Silent:
    """Text that is not for people, or not generated: what stands under these member names, in objects of these values
    of ``type``, and in records for which one of the conditions holds. A tool's arguments, a model's reasoning."""

    names: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    records: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Member:
    """The member that carries the implicit label, by the names on the way to it; in a stream, of the records for which
    ``when`` holds, or of the first where there is no condition."""

    names: Names
    when: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Nested:
    """An answer within a line of a file, and the dialect that it speaks: always the same (``dialects`` has one, under
    the empty value), or by the value at ``by`` in the answer."""

    at: Path
    by: Path | None
    dialects: tuple[tuple[str, str], ...]


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
    ``text``, where ``of`` holds), and the servers that do so (empty: every server)."""

    condition: Condition
    text: Path
    of: Condition
    servers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Flag:
    """A member of a request, by the names on the way to it, that says whether the upstream puts in a mark of its own.

    It does where the member is ``value`` (JSON text), or where there is none, if that is empty. It counts for requests
    for which all of ``when`` holds, and for these kinds of server; empty: every server. With a ``field`` (in lower
    case) in place of names: where the request's head has no such field.
    """

    names: Names
    value: bytes = b""
    when: tuple[Condition, ...] = ()
    servers: tuple[str, ...] = ()
    field: bytes = b""


@dataclass(frozen=True, slots=True)
class RequestRules:
    """What is read from a request in JSON.

    ``stream`` is the field that asks for a stream, ``streams`` what holds where it is absent. ``strip`` finds the
    assistant's earlier texts; ``drop_empty``: what is empty without our notice goes with it. ``modes``: how the text of
    a stream is said, by what the request says. ``watermark``: what turns the upstream's own marks on. ``begins`` are
    kinds of content that a request asks for and another answer holds.
    """

    model: Path | None = None
    stream: Path | None = None
    streams: bool = False
    units: Path | None = None
    strip: tuple[Path, ...] = ()
    drop_empty: bool = False
    machine: tuple[Claim, ...] = ()
    continuation: tuple[Continuation, ...] = ()
    modes: tuple[tuple[Condition, Mode], ...] = ()
    watermark: tuple[Flag, ...] = ()
    begins: tuple[MediaKind, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """Requests that the dialect answers: methods, and a path pattern: a segment may hold ``*``, ``**/`` is any prefix,
    ``{model}`` is a ``*`` that the model's name stands in, ``{model:glob}`` another glob that it does.

    ``stored`` says that the answer is kept and may be read again: it gets the same ids each time; ``streams`` that it
    is a stream, ``resumed`` that it goes on from where the client has read, ``alters`` that what is in it is an edit of
    what the client sent. ``headers`` and ``query`` are what the request must have, by name in lower case and value,
    ``without`` parameters of the query that it must not have. ``servers``: the kinds of upstream that answer so; empty:
    any.
    """

    methods: frozenset[str]
    pattern: str
    stored: bool = False
    streams: bool = False
    resumed: bool = False
    alters: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    without: tuple[tuple[str, str], ...] = ()
    servers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dialect:
    """One API.

    ``whole`` says that an answer may be a medium and nothing else. ``array``: an answer that is a JSON array is a
    stream of its elements. ``lines``: an answer is a file of JSON lines, with answers inside. ``links`` are URLs in a
    body that lead to more answers, ``link_headers`` fields (in lower case) that do. ``errors`` tells an answer that is
    an error although its status is 200. ``terminal`` are the lines, or the members as JSON spells them, that end a
    stream for its client. ``encrypted`` are request fields (in lower case) that ask for an answer that nobody can read
    on the way. ``think`` is the pair of marks around a model's reasoning where it stands in front of the text.
    ``mode`` counts for the rules of a stream that name none. ``socket``: binary messages over its WebSocket begin with
    a type (four bytes, big-endian), and the picture in them at this byte; ``prefixed``: behind four bytes that say how
    long what stands in front of the picture is; ``text``: there is none.
    ``passes`` is why answers need no label, ``cannot`` what cannot be labelled, in sentences for people.
    """

    name: str
    title: str
    matches: tuple[Match, ...]
    body: tuple[TextRule, ...] = ()
    stream: tuple[TextRule, ...] = ()
    media: tuple[MediaRule, ...] = ()
    whole: bool = False
    array: bool = False
    lines: tuple[Nested, ...] = ()
    links: tuple[Path, ...] = ()
    link_headers: tuple[str, ...] = ()
    request: RequestRules = RequestRules()
    silent: Silent = Silent()
    known: tuple[Condition, ...] = ()
    errors: tuple[Condition, ...] = ()
    terminal: tuple[str, ...] = ()
    metadata: Member | None = Member(("AIGC",))
    stream_metadata: Member | None = Member(("AIGC",))
    mode: Mode = "delta"
    think: tuple[str, str] | None = None
    encrypted: frozenset[bytes] = frozenset()
    socket: tuple[tuple[int, PicturePlace], ...] = ()
    passes: str = ""
    cannot: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    kinds: frozenset[Kind] = field(init=False)
    """The kinds of content that its answers hold, or that its requests begin."""

    def __post_init__(self) -> None:
        texts = any(rule.text is not None for rule in self.body + self.stream)
        kinds: set[Kind] = {*self.request.begins, *(("text",) if texts else ())}
        if self.lines:  # the answers in a file may be of any dialect
            kinds |= {"text", "image", "audio", "video"}
        for rule in self.media:
            kinds |= {rule.kind} if rule.kind else {"image", "audio", "video"}
        if self.whole:
            kinds |= {"image", "audio", "video"}
        if self.socket:
            kinds.add("image")
        object.__setattr__(self, "kinds", frozenset(kinds))

    def spoken_by(self, server: str) -> "Dialect":
        """The dialect as this kind of server speaks it: with the requests that it answers so, and the request fields
        that it knows, and no others."""
        request = replace(
            self.request,
            machine=tuple(claim for claim in self.request.machine if not claim.servers or server in claim.servers),
            continuation=tuple(one for one in self.request.continuation if not one.servers or server in one.servers),
            watermark=tuple(flag for flag in self.request.watermark if not flag.servers or server in flag.servers),
        )
        matches = tuple(match for match in self.matches if not match.servers or server in match.servers)
        return replace(self, matches=matches, request=request)
