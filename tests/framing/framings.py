"""Every framing: its splitter, and streams as the records that they are made of."""

import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from proxy.framing import event_stream, json_array, ndjson, sse
from proxy.framing.event_stream import encode
from proxy.framing.record import Record, Splitter

BOM = b"\xef\xbb\xbf"
Piece = tuple[bytes, bytes | None]  # the raw bytes of a record, and its data


@dataclass(frozen=True)
class Framing:
    """How a stream is cut; streams, by what is peculiar to them; and a stream whose records hold these texts."""

    splitter: Callable[[], Splitter]
    streams: dict[str, list[Piece]]
    joined: Callable[[Sequence[bytes]], bytes]


def event(data: bytes, kind: str = "contentBlockDelta") -> bytes:
    return encode({":event-type": kind, ":content-type": "application/json", ":message-type": "event"}, data)


def chunk(data: bytes) -> bytes:
    return event(json.dumps({"bytes": b64encode(data).decode(), "p": "abcdefg"}).encode(), "chunk")


FRAMINGS = {
    "sse": Framing(
        sse.Splitter,
        {
            "LF": [
                (b'data: {"a":1}\n\n', b'{"a":1}'),
                (b'data: {"a":2}\n\n', b'{"a":2}'),
                (b"data: [DONE]\n\n", b"[DONE]"),
            ],
            "CRLF": [(b"data: 1\r\n\r\n", b"1"), (b"data: 2\r\n\r\n", b"2")],
            "CR": [(b"data: 1\r\r", b"1"), (b"data: 2\r\r", b"2")],
            "no space behind the colon": [(b"data:1\n\n", b"1"), (b"data:  2\n\n", b" 2")],
            "other fields and comments": [
                (b": hello\n\n", None),
                (b"event: e\nid: 7\ndata: 1\nretry: 9\n\n", b"1"),
                (b": bye\n\n", None),
            ],
            "BOM": [(BOM + b"data: 1\n\n", b"1"), (b"data: 2\n\n", b"2")],
            "no blank line at the end": [(b"data: 1\n\n", b"1"), (b"data: 2\n", b"2")],
            "no blank line at the end, CRLF": [(b"data: 1\r\n\r\n", b"1"), (b"data: 2\r\n", b"2")],
            "no line end at the end": [(b"data: 1\r\n\r\n", b"1"), (b"event: e\r\ndata: 2", b"2")],
            "nothing": [],
        },
        lambda texts: b"".join(b"data: %b\n\n" % text for text in texts),
    ),
    "ndjson": Framing(
        ndjson.Splitter,
        {
            "LF": [(b'{"a":1}\n', b'{"a":1}'), (b'{"a":2}\n', b'{"a":2}')],
            "CRLF": [(b'{"a":1}\r\n', b'{"a":1}'), (b'{"a":2}\r\n', b'{"a":2}')],
            "blank lines": [(b"\n", None), (b"1\n", b"1"), (b"\r\n", None), (b" \t\n", None), (b"2\n", b"2")],
            "white space": [(b' {"a": 1}\t\n', b'{"a": 1}'), (b"  2\n", b"2")],
            "BOM": [(BOM + b"1\n", b"1"), (b"2\n", b"2")],
            "no line end at the end": [(b"1\r\n", b"1"), (b'{"a":2}', b'{"a":2}')],
            "one line": [(b"11", b"11")],
            "characters that only look like line ends": [
                ('"\u2028\u0085\x0b\x0c\x1c"\n'.encode(), '"\u2028\u0085\x0b\x0c\x1c"'.encode())
            ],
            "nothing": [],
        },
        lambda texts: b"".join(text + b"\n" for text in texts),
    ),
    "json_array": Framing(
        json_array.Splitter,
        {
            "as Gemini writes it": [
                (b'[{\n  "a": [{"b": "c"}]\n}', b'{\n  "a": [{"b": "c"}]\n}'),
                (b',\r\n{\n  "a": 2\n}', b'{\n  "a": 2\n}'),
                (b"]\n", None),
            ],
            "in one line": [(b"[{}", b"{}"), (b',{"a":[]}', b'{"a":[]}'), (b"]", None)],
            "white space": [(b" [\t{}", b"{}"), (b" \n , \r\n {}", b"{}"), (b" ] \r\n", None)],
            "brackets in strings": [
                (rb'[{"]":"}\"]"}', rb'{"]":"}\"]"}'),
                (rb',{"a\\":"[{","b":"\\\\\""}', rb'{"a\\":"[{","b":"\\\\\""}'),
                (b"]", None),
            ],
            "strings and arrays": [
                (rb'["a,]\"\\"', rb'"a,]\"\\"'),
                (b',""', b'""'),
                (b",[[],[]]", b"[[],[]]"),
                (b"]", None),
            ],
            "BOM": [(BOM + b"[{}", b"{}"), (b", {}", b"{}"), (b"]", None)],
            "nothing in it": [(b"[ ]", None)],
        },
        lambda texts: b"[" + b",\r\n".join(texts) + b"]",
    ),
    "event_stream": Framing(
        event_stream.Splitter,
        {
            "Converse": [
                (event(b'{"role":"assistant"}', "messageStart"), b'{"role":"assistant"}'),
                (event(b'{"delta":{"text":"a"}}'), b'{"delta":{"text":"a"}}'),
            ],
            "chunks": [(chunk(b'{"a":1}'), b'{"a":1}'), (chunk(b'{"a":22}'), b'{"a":22}')],
            "no payload": [
                (encode({":event-type": "e"}, b""), None),
                (encode({}, b"1"), b"1"),
                (encode({}, b""), None),
            ],
            "an exception": [(encode({":message-type": "exception", ":exception-type": "x"}, b"{}"), b"{}")],
            "nothing": [],
        },
        lambda texts: b"".join(event(text) for text in texts),
    ),
}


def records(splitter: Splitter, chunks: Sequence[bytes]) -> list[Record]:
    """What a splitter makes of the chunks."""
    found = [record for chunk in chunks for record in splitter.feed(chunk)]
    return [*found, *splitter.end()]


def told(found: Sequence[Record]) -> list[bytes]:
    """The data of those records that hold some."""
    return [record.data for record in found if record.data is not None]
