"""An example's answer as bytes on the wire, and bytes on the wire as records again.

What is written here is the plainest form of each framing: compact JSON, one record after the other.
"""

import json
from binascii import a2b_base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from proxy.dialects.dialect import Dialect
from proxy.dialects.examples import Example
from proxy.framing import event_stream, json_array, ndjson, sse
from proxy.framing.errors import FramingError
from proxy.framing.json_text import parse
from proxy.framing.record import NO_FIELDS, Record, Splitter
from proxy.media.formats import find

Shape = Literal["json", "medium", "lines", "sse", "ndjson", "json_array", "event_stream"]

MEDIA_TYPES: Final[Mapping[Shape, str]] = {
    "json": "application/json",
    "medium": "image/png",
    "lines": "application/x-ndjson",
    "sse": "text/event-stream",
    "ndjson": "application/x-ndjson",
    "json_array": "application/json",
    "event_stream": "application/vnd.amazon.eventstream",
}
_SPLITTERS: Final[Mapping[Shape, Callable[[], Splitter]]] = {
    "lines": ndjson.Splitter,
    "sse": sse.Splitter,
    "ndjson": ndjson.Splitter,
    "json_array": json_array.Splitter,
    "event_stream": event_stream.Splitter,
}


@dataclass(frozen=True, slots=True)
class Document:
    """A whole answer, as if it were a record."""

    raw: bytes
    fields: ClassVar[Mapping[str, str]] = NO_FIELDS

    @property
    def data(self) -> bytes:
        return self.raw

    def with_data(self, data: bytes) -> "Document":
        return Document(data)

    copy = with_data


def shape(example: Example) -> Shape:
    """How an example's answer comes. A body that is nothing but a picture's token is that picture, as a file."""
    if example.stream is not None:
        return example.framing
    if example.lines is not None:
        return "lines"
    return "medium" if example.body == "⟨png⟩" else "json"


def answer(dialect: Dialect, example: Example, tokens: Mapping[str, str]) -> bytes:
    """The answer of an example. ``tokens`` are what ``⟨name⟩`` stands for within its texts."""
    form = shape(example)
    if form == "medium":
        return a2b_base64(tokens["png"])
    if form == "json":
        return _json(filled(example.body, tokens))
    records = filled(list(example.stream if example.stream is not None else example.lines or ()), tokens)
    match form:
        case "sse":
            named = any(marker.startswith("event: ") for marker in dialect.terminal)
            return b"".join(_event(record, named=named) for record in records)
        case "json_array":
            return b"[" + b",\r\n".join(map(_json, records)) + b"]"
        case "event_stream":
            return b"".join(map(_message, records))
    return b"".join(_json(record) + b"\n" for record in records)


def records(form: Shape, data: bytes) -> list[Record]:
    """The records of an answer of this shape, those without data included; joined, they are the answer."""
    if form not in _SPLITTERS:
        return [Document(data)]
    splitter = _SPLITTERS[form]()
    return [*splitter.feed(data), *splitter.end()]


def guessed(dialect: Dialect, data: bytes, *, streaming: bool) -> Shape:
    """How an answer comes that nobody has described, by its first bytes."""
    begins = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if not streaming:
        if find(data) is not None:
            return "medium"
        if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"data:", b"event:", b"id:", b":")):
            return "sse"
        return "lines" if dialect.lines and not _is_json(data) else "json"
    if data[:2] == b"\0\0":  # the first half of a length
        return "event_stream"
    return "ndjson" if begins == b"{" else "json_array" if begins == b"[" else "sse"


def filled(value: Any, tokens: Mapping[str, str]) -> Any:
    """A value with each ``⟨name⟩`` in its texts replaced."""
    if isinstance(value, dict):
        return {name: filled(one, tokens) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [filled(one, tokens) for one in value]
    if isinstance(value, str) and "⟨" in value:
        for name, instead in tokens.items():
            value = value.replace(f"⟨{name}⟩", instead)
    return value


def _is_json(data: bytes) -> bool:
    try:
        parse(data)
    except FramingError:
        return False
    return True


def _json(value: Any) -> bytes:
    """A record's data; one that is no JSON, such as ``[DONE]``, stands in an example as a text."""
    if isinstance(value, str):
        return value.encode()
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _event(record: Any, *, named: bool) -> bytes:
    name = record.get("type") if named and isinstance(record, dict) else None
    return (f"event: {name}\n".encode() if isinstance(name, str) else b"") + b"data: " + _json(record) + b"\n\n"


def _message(record: Mapping[str, Any]) -> bytes:
    """A message of an AWS event stream: members whose name begins with a colon are its headers."""
    headers = {name: value for name, value in record.items() if name.startswith(":")}
    return event_stream.encode(headers, _json(_without(record, headers)))


def _without(record: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in names}
