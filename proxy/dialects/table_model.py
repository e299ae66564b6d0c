"""The law of this file: a dialect's table has these keys and no others; ``if`` and not ``on``, which is true in YAML.

The models read and check one table by itself. How values are written stands in ``table_values.py``, what the keys mean
with the classes of ``dialect.py``.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from proxy.dialects.dialect import Encoding, MediaKind, Mode, Shows
from proxy.dialects.paths import parse_path
from proxy.dialects.table_values import (
    ACondition,
    AJson,
    AKey,
    AMember,
    ANamePath,
    APath,
    APattern,
    ASpan,
    ATerminal,
    Conditions,
    Method,
    OneOrMore,
    one_or_more,
)


def _shift(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class MatchFile(_Part):
    """One of ``matches``."""

    methods: list[Method] = Field(min_length=1)
    path: APattern
    stored: bool = False
    streams: bool = False
    resumed: bool = False
    alters: bool = False
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    without: dict[str, str] = {}
    servers: list[str] = []


class ShiftFile(_Part):
    """One of ``shift``; a path alone counts characters."""

    path: APath
    unit: Literal["characters", "utf8"] = "characters"
    part: str = ""


class TextFile(_Part):
    """One of ``body`` or ``stream``."""

    when: Conditions = Field(default=[], alias="if")
    each: APath = parse_path("@")
    key: Annotated[list[AKey], BeforeValidator(one_or_more, json_schema_input_type=OneOrMore)] = []
    text: ANamePath | None = None
    span: ASpan | None = None
    mode: Mode | None = None
    slot: ANamePath | None = None
    hold: bool = False
    close: APath | None = None
    create: ANamePath | None = None
    blank: list[ANamePath] = []
    shift: list[Annotated[ShiftFile, BeforeValidator(_shift, json_schema_input_type=str | ShiftFile)]] = []
    unlabelled: list[ASpan] = []

    @model_validator(mode="after")
    def _says_something(self) -> "TextFile":
        if self.text is None and self.span is not None:
            raise ValueError("'span' finds parts of a text: say with 'text' where in a part it stands")
        if self.text is not None and not self.text.names and self.span is None:
            raise ValueError("the text must stand under a name: '@' needs a 'span'")
        if self.text is None and not (self.close or self.hold or self.slot or self.shift or self.unlabelled):
            raise ValueError("a rule without 'text' must say 'close', 'hold', 'slot', 'shift' or 'unlabelled'")
        return self


class MediumFile(_Part):
    """One of ``media``."""

    when: Conditions = Field(default=[], alias="if")
    path: APath
    encoding: Encoding
    kind: MediaKind | None = None
    media_type: str = ""
    inline: str = ""

    @model_validator(mode="after")
    def _has_a_kind(self) -> "MediumFile":
        if (self.kind is None) is (self.media_type == ""):
            raise ValueError("say either 'kind', or with 'media_type' which member beside it tells")
        if (self.media_type or self.inline) and not (self.path.steps and isinstance(self.path.steps[-1], str)):
            raise ValueError("a path that ends in a list has no members beside it for 'media_type' or 'inline'")
        return self


class NestedFile(_Part):
    """One of ``lines``."""

    at: ANamePath
    by: ANamePath | None = None
    dialect: str | dict[str, str]


class SilentFile(_Part):
    """``silent``."""

    names: list[str] = []
    types: list[str] = []
    records: list[ACondition] = []


class MemberFile(_Part):
    """``metadata`` where a body and a stream differ."""

    body: AMember | None = None
    stream: AMember | None = None
    when: Conditions = Field(default=[], alias="if")


class ClaimFile(_Part):
    """One of ``request.machine``."""

    claim: ACondition
    shows: Shows
    servers: list[str] = []


class ContinuationFile(_Part):
    """One of ``request.continuation``."""

    claim: ACondition
    text: APath
    of: ACondition
    servers: list[str] = []


class ModeFile(_Part):
    """One of ``request.modes``."""

    claim: ACondition
    mode: Mode


class FlagFile(_Part):
    """One of ``request.watermark``."""

    when: Conditions = Field(default=[], alias="if")
    member: AMember | None = Field(default=None, alias="set")
    to: AJson = None
    drop: AMember | None = None
    drop_header: str | None = Field(default=None, min_length=1)
    servers: list[str] = []

    @model_validator(mode="after")
    def _says_one_thing(self) -> "FlagFile":
        if [self.member, self.drop, self.drop_header].count(None) != 2:
            raise ValueError(
                "say one of 'set', a member that turns the mark on, 'drop', one that turns it off, and 'drop_header'"
            )
        if (self.member is None) is ("to" in self.model_fields_set):
            raise ValueError("'to' is what 'set' sets the member to: they go together")
        if self.drop_header and self.when:
            raise ValueError("a field of the head goes whatever the body says: 'if' has no meaning here")
        return self


class RequestFile(_Part):
    """``request``."""

    model: APath | None = None
    stream: APath | None = None
    streams: bool = False
    units: APath | None = None
    strip: list[APath] = []
    drop_empty: bool = False
    machine: list[ClaimFile] = []
    continuation: list[ContinuationFile] = []
    modes: list[ModeFile] = []
    watermark: list[FlagFile] = []
    begins: list[MediaKind] = []


class ExampleFile(_Part):
    """One of ``examples``; see ``examples.py``."""

    about: str
    position: Literal["start", "end", "both"] = "start"
    server: str = "openai"
    request: dict[str, Any] = {}
    body: Any = None
    stream: list[Any] | None = None
    lines: list[Any] | None = None
    framing: Literal["sse", "ndjson", "json_array", "event_stream"] = "sse"
    changes: dict[str | int, Any] = {}
    added: dict[int, Any] = {}
    outcome: str = "labelled"

    @model_validator(mode="after")
    def _has_one_answer(self) -> "ExampleFile":
        if [self.body, self.stream, self.lines].count(None) != 2:
            raise ValueError("an example has one answer: 'body', 'stream' or 'lines'")
        return self


class TableFile(_Part):
    """A dialect's table."""

    name: str = Field(pattern=r"^[a-z0-9]+(\.[a-z0-9_]+)*$")
    title: str
    matches: list[MatchFile] = Field(min_length=1)
    body: list[TextFile] = []
    stream: list[TextFile] = []
    media: list[MediumFile] = []
    whole: bool = False
    array: bool = False
    lines: list[NestedFile] = []
    links: list[APath] = []
    link_headers: list[str] = []
    request: RequestFile = RequestFile()
    silent: SilentFile = SilentFile()
    known: list[ACondition] = []
    errors: list[ACondition] = []
    terminal: Annotated[list[ATerminal], BeforeValidator(one_or_more, json_schema_input_type=OneOrMore)] = []
    metadata: AMember | MemberFile | None = "AIGC"
    mode: Mode = "delta"
    think: tuple[str, str] | None = None
    encrypted: list[str] = []
    socket: dict[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=4)] | Literal["prefixed", "text"]] = {}
    passes: str = ""
    cannot: list[str] = []
    examples: list[ExampleFile] = []


class HarmlessFile(_Part):
    """One of the known harmless requests."""

    methods: list[Method] = Field(min_length=1)
    path: APattern
    why: str
