"""An example's answer as bytes: the records in it are those of the example, in every framing."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from proxy.dialects.examples import Example, Framing
from proxy.labelling.wire import answer, filled, guessed, records, shape
from tests.labelling.answers import CHAT

RECORDS = ({"type": "a", "text": "é\u2028"}, {"n": [1]}, {"type": "b"})
TOKENS = {"png": base64.b64encode(b"\x89PNG").decode()}


@pytest.mark.parametrize("framing", ["sse", "ndjson", "json_array", "event_stream"])
def test_the_records_are_those_of_the_example(framing: Framing) -> None:
    example = Example("a", stream=RECORDS, framing=framing)
    data = answer(CHAT, example, TOKENS)
    found = records(shape(example), data)
    assert data == b"".join(record.raw for record in found)
    assert list(RECORDS) == [json.loads(record.data) for record in found if record.data is not None]
    assert framing == guessed(CHAT, data, streaming=True)


@pytest.mark.parametrize(
    ("expected", "example"),
    [
        (b'{"a":"\xc3\xa9"}', Example("a", body={"a": "é"})),
        (b'{"a":1}\n{"b":2}\n', Example("a", lines=({"a": 1}, {"b": 2}))),
        (b"data: [DONE]\n\n", Example("a", stream=("[DONE]",))),
        (b'data: {"type":"x"}\n\n', Example("a", stream=({"type": "x"},))),
        (b"\x89PNG", Example("a", body="⟨png⟩")),
        (b'{"a":"data:image/png;base64,iVBORw=="}', Example("a", body={"a": "data:image/png;base64,⟨png⟩"})),
    ],
)
def test_the_plainest_form(expected: bytes, example: Example) -> None:
    assert expected == answer(CHAT, example, TOKENS)


def test_events_are_named_where_the_api_ends_with_one() -> None:
    dialect = replace(CHAT, terminal=("event: stop",))
    example = Example("a", stream=({"type": "x"}, {"n": 1}))
    assert answer(dialect, example, {}) == b'event: x\ndata: {"type":"x"}\n\ndata: {"n":1}\n\n'


def test_headers_of_a_message_stand_beside_its_payload() -> None:
    example = Example("a", stream=({":event-type": "stop", "n": 1},), framing="event_stream")
    (record,) = records("event_stream", answer(CHAT, example, {}))
    assert (record.fields[":event-type"], record.data) == ("stop", b'{"n":1}')


@pytest.mark.parametrize(
    ("expected", "data"),
    [("json", b'{"a":1}'), ("json", b" [1]"), ("json", b"<html>"), ("medium", b"\x89PNG\r\n\x1a\n" + bytes(32))],
)
def test_a_whole_answer_is_known_by_its_first_bytes(expected: str, data: bytes) -> None:
    assert expected == guessed(CHAT, data, streaming=False)


@pytest.mark.parametrize(
    ("expected", "value"),
    [("1", "⟨a⟩"), ({"x": ["1⟨b⟩", 2]}, {"x": ["⟨a⟩⟨b⟩", 2]}), (None, None), ("⟨", "⟨")],
)
def test_tokens_are_replaced_in_texts(expected: Any, value: Any) -> None:
    assert expected == filled(value, {"a": "1"})
