"""A dialect's YAML table, as plain data, made into a Dialect; every fault is found at once, with its place."""

import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from proxy.dialects.dialect import (
    Claim,
    Continuation,
    Dialect,
    Flag,
    Key,
    Match,
    MediaRule,
    Member,
    Nested,
    RequestRules,
    Shift,
    Silent,
    TextRule,
)
from proxy.dialects.errors import DialectError, Fault
from proxy.dialects.examples import Example
from proxy.dialects.find import Finder
from proxy.dialects.paths import parse_path
from proxy.dialects.table_model import (
    ExampleFile,
    FlagFile,
    HarmlessFile,
    MatchFile,
    MediumFile,
    MemberFile,
    NestedFile,
    RequestFile,
    ShiftFile,
    TableFile,
    TextFile,
)


def parse_dialect(data: object) -> Dialect:
    """Make a Dialect of a table that was read from YAML. Raises DialectError with all faults."""
    table: TableFile = _checked(TableFile, data)
    if not (table.body or table.stream or table.media or table.whole or table.lines or table.socket or table.passes):
        raise DialectError((Fault((), "the table names neither text (body, stream, lines) nor media nor a socket"),))
    metadata = table.metadata if isinstance(table.metadata, MemberFile) else None
    named = (table.metadata,) if isinstance(table.metadata, str) else ()
    return Dialect(
        name=table.name,
        title=table.title,
        matches=tuple(map(_match, table.matches)),
        body=tuple(map(_text, table.body)),
        stream=tuple(map(_text, table.stream)),
        media=tuple(map(_medium, table.media)),
        whole=table.whole,
        array=table.array,
        lines=tuple(map(_nested, table.lines)),
        links=tuple(table.links),
        link_headers=tuple(name.lower() for name in table.link_headers),
        request=_request(table.request),
        silent=Silent(frozenset(table.silent.names), frozenset(table.silent.types), tuple(table.silent.records)),
        known=tuple(table.known),
        errors=tuple(table.errors),
        terminal=tuple(table.terminal),
        metadata=_member(metadata.body) if metadata else _member(*named),
        stream_metadata=_member(metadata.stream, metadata.when) if metadata else _member(*named),
        mode=table.mode,
        think=table.think,
        encrypted=frozenset(name.lower().encode() for name in table.encrypted),
        socket=tuple(table.socket.items()),
        passes=table.passes,
        cannot=tuple(table.cannot),
        examples=tuple(map(_example, table.examples)),
    )


def _checked(model: type[BaseModel], data: object, at: tuple[str | int, ...] = ()) -> Any:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise DialectError(tuple(Fault(at + one["loc"], _sentence(one)) for one in error.errors())) from None


def _sentence(error: Any) -> str:
    match error["type"]:
        case "extra_forbidden":
            return f"unknown key {error['loc'][-1]}"
        case "missing":
            return f"the key {error['loc'][-1]} is missing"
    return str(error["msg"]).removeprefix("Value error, ")


def _match(match: MatchFile) -> Match:
    return Match(
        methods=frozenset(match.methods),
        pattern=match.path,
        stored=match.stored,
        streams=match.streams,
        resumed=match.resumed,
        alters=match.alters,
        headers=tuple((name.lower(), value) for name, value in match.headers.items()),
        query=tuple(match.query.items()),
        without=tuple(match.without.items()),
        servers=tuple(match.servers),
    )


def _text(rule: TextFile) -> TextRule:
    return TextRule(
        each=rule.each,
        text=rule.text,
        when=tuple(rule.when),
        keys=tuple(map(_key, rule.key)),
        span=rule.span,
        mode=rule.mode,
        slot=rule.slot,
        hold=rule.hold,
        close=rule.close,
        create=rule.create,
        blank=tuple(rule.blank),
        shifts=tuple(map(_shift, rule.shift)),
        unlabelled=tuple(rule.unlabelled),
    )


def _key(text: str) -> Key:
    if text == "@place":
        return Key(None)
    return Key(parse_path(text.removeprefix("@.")), whole=text.startswith("@."))


def _shift(shift: ShiftFile) -> Shift:
    return Shift(shift.path, shift.unit == "utf8", shift.part)


def _medium(medium: MediumFile) -> MediaRule:
    return MediaRule(medium.path, medium.encoding, medium.kind, tuple(medium.when), medium.media_type, medium.inline)


def _member(path: str | None = None, when: Iterable[Any] = ()) -> Member | None:
    return None if path is None else Member(tuple(path.split(".")), tuple(when))


def _nested(nested: NestedFile) -> Nested:
    known = {"": nested.dialect} if isinstance(nested.dialect, str) else nested.dialect
    return Nested(nested.at, nested.by, tuple(known.items()))


def _request(request: RequestFile) -> RequestRules:
    return RequestRules(
        model=request.model,
        stream=request.stream,
        streams=request.streams,
        units=request.units,
        strip=tuple(request.strip),
        drop_empty=request.drop_empty,
        machine=tuple(Claim(claim.claim, claim.shows, tuple(claim.servers)) for claim in request.machine),
        continuation=tuple(
            Continuation(one.claim, one.text, one.of, tuple(one.servers)) for one in request.continuation
        ),
        modes=tuple((one.claim, one.mode) for one in request.modes),
        watermark=tuple(map(_flag, request.watermark)),
        begins=tuple(request.begins),
    )


def _flag(flag: FlagFile) -> Flag:
    if flag.drop_header:
        return Flag((), servers=tuple(flag.servers), field=flag.drop_header.lower().encode())
    names = flag.drop or flag.member or ""
    value = json.dumps(flag.to, separators=(",", ":")).encode() if flag.member else b""
    return Flag(tuple(names.split(".")), value, tuple(flag.when), tuple(flag.servers))


def _example(example: ExampleFile) -> Example:
    values = dict(example)
    for name in ("stream", "lines"):
        values[name] = None if values[name] is None else tuple(values[name])
    return Example(**values)


def finder(dialects: Iterable[Dialect]) -> Finder[tuple[Dialect, Match]]:
    """Dialects by method and path; of those that answer the same, the first is tried first."""
    return Finder(
        (_with_head(match.methods), match.pattern, (dialect, match))
        for dialect in dialects
        for match in dialect.matches
    )


def _with_head(methods: frozenset[str]) -> frozenset[str]:
    """Who answers GET answers HEAD, with the same fields (RFC 9110 section 9.3.2)."""
    return methods | {"HEAD"} if "GET" in methods else methods


def harmless(data: object) -> Finder[str]:
    """The table of known harmless requests, each with the reason. Raises DialectError with all faults."""
    if not isinstance(data, list):
        raise DialectError((Fault((), "the table of harmless requests is a list"),))
    rows: list[HarmlessFile] = [_checked(HarmlessFile, row, (index,)) for index, row in enumerate(data)]
    return Finder((row.methods, row.path, row.why) for row in rows)
