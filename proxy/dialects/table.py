"""A dialect's YAML table, as plain data, made into a Dialect; every fault is found at once, with its place."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError

from proxy.dialects.dialect import (
    Claim,
    Continuation,
    Dialect,
    Encoding,
    Match,
    MediaRule,
    RequestRules,
    Shows,
    TextRule,
)
from proxy.dialects.errors import DialectError, Fault
from proxy.dialects.find import Finder
from proxy.dialects.paths import Condition, Path, parse_condition, parse_path


def _names_only(path: Path) -> Path:
    if path.rest or not path.names:
        raise ValueError(f"{path.text!r} must be names only; [*] and filters belong in 'each' or 'span'")
    return path


def _path(value: object) -> Path:
    if not isinstance(value, str):
        raise ValueError("a path is a string")
    return parse_path(value)


def _begins_with_name(path: Path) -> Path:
    if not path.names:
        raise ValueError(f"{path.text!r} must begin with a name")
    return path


def _condition(value: object) -> Condition:
    if not isinstance(value, str):
        raise ValueError("a condition is a string")
    return parse_condition(value)


def _pattern(value: str) -> str:
    if not value.startswith(("**/", "/")):
        raise ValueError(f"{value!r} must start with '/' or, for any prefix, with '**/'")
    if "**" in value.removeprefix("**/"):
        raise ValueError(f"{value!r} has '**' elsewhere than in front")
    return value


APath = Annotated[Path, PlainValidator(_path)]
ANamePath = Annotated[Path, PlainValidator(lambda value: _names_only(_path(value)))]
ASpan = Annotated[Path, PlainValidator(lambda value: _begins_with_name(_path(value)))]
ACondition = Annotated[Condition, PlainValidator(_condition)]
APattern = Annotated[str, BeforeValidator(lambda value: _pattern(value) if isinstance(value, str) else value)]
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class _Match(_Part):
    methods: list[Method] = Field(min_length=1)
    path: APattern
    stored: bool = False


class _Text(_Part):
    each: APath
    text: ANamePath
    key: APath | None = None
    span: ASpan | None = None
    close: APath | None = None
    blank: list[ANamePath] = []
    shift: list[APath] = []
    unlabelled: list[ASpan] = []


class _Medium(_Part):
    path: APath
    encoding: Encoding
    kind: Literal["image"]


class _Claim(_Part):
    claim: ACondition
    shows: Shows
    servers: list[str] = []


class _Continuation(_Part):
    claim: ACondition
    text: APath
    of: ACondition
    servers: list[str] = Field(min_length=1)


class _Request(_Part):
    model: APath | None = None
    stream: APath | None = None
    units: APath | None = None
    strip: list[APath] = []
    machine: list[_Claim] = []
    continuation: list[_Continuation] = []


class _Table(_Part):
    name: str = Field(pattern=r"^[a-z0-9]+(\.[a-z0-9_]+)*$")
    title: str
    matches: list[_Match] = Field(min_length=1)
    body: list[_Text] = []
    stream: list[_Text] = []
    media: list[_Medium] = []
    errors: list[ACondition] = []
    terminal: str = ""
    metadata: str = "AIGC"
    request: _Request = _Request()


class _Harmless(_Part):
    methods: list[Method] = Field(min_length=1)
    path: APattern
    why: str


def _checked(model: type[BaseModel], data: object, at: tuple[str | int, ...] = ()) -> Any:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise DialectError(tuple(Fault(at + one["loc"], _sentence(one["msg"])) for one in error.errors())) from None


def _sentence(message: str) -> str:
    return message.removeprefix("Value error, ")


def _text_rule(rule: _Text) -> TextRule:
    lists = tuple(rule.blank), tuple(rule.shift), tuple(rule.unlabelled)
    return TextRule(rule.each, rule.text, rule.key, rule.span, rule.close, *lists)


def parse_dialect(data: object) -> Dialect:
    """Make a Dialect of a table that was read from YAML. Raises DialectError with all faults."""
    table: _Table = _checked(_Table, data)
    if not (table.body or table.stream or table.media):
        raise DialectError((Fault((), "the table names neither text (body, stream) nor media"),))
    request = table.request
    return Dialect(
        name=table.name,
        title=table.title,
        matches=tuple(Match(frozenset(match.methods), match.path, match.stored) for match in table.matches),
        body=tuple(map(_text_rule, table.body)),
        stream=tuple(map(_text_rule, table.stream)),
        media=tuple(MediaRule(medium.path, medium.encoding, medium.kind) for medium in table.media),
        request=RequestRules(
            request.model,
            request.stream,
            request.units,
            tuple(request.strip),
            tuple(Claim(claim.claim, claim.shows, tuple(claim.servers)) for claim in request.machine),
            tuple(Continuation(one.claim, one.text, one.of, tuple(one.servers)) for one in request.continuation),
        ),
        errors=tuple(table.errors),
        terminal=table.terminal.encode(),
        metadata=table.metadata,
    )


def finder(dialects: tuple[Dialect, ...]) -> Finder[tuple[Dialect, Match]]:
    """Dialects by method and path."""
    return Finder((match.methods, match.pattern, (dialect, match)) for dialect in dialects for match in dialect.matches)


def harmless(data: object) -> Finder[str]:
    """The table of known harmless requests, each with the reason. Raises DialectError with all faults."""
    if not isinstance(data, list):
        raise DialectError((Fault((), "the table of harmless requests is a list"),))
    rows: list[_Harmless] = [_checked(_Harmless, row, (index,)) for index, row in enumerate(data)]
    return Finder((row.methods, row.path, row.why) for row in rows)
