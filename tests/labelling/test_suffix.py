"""The record that carries a suffix is a copy: its own choice only, without what must not be said twice."""

import json
from typing import Any

import pytest

from proxy.dialects.dialect import Member
from proxy.dialects.engine import content
from proxy.framing.json_text import parse
from proxy.framing.sse import Block
from proxy.labelling.errors import LabellingError
from proxy.labelling.suffix import closing_record
from tests.labelling.answers import CHAT


def copy(document: dict[str, Any], at: int = 0, raw: str = "data: %s\n\n") -> tuple[bytes, Any]:
    data = json.dumps(document).encode()
    block = Block((raw % data.decode()).encode(), data)
    made = closing_record(block, content(CHAT, CHAT.stream, document).units[at], "【S】", Member(("AIGC",)))
    assert made.data is not None
    return made.raw, json.loads(made.data)


@pytest.mark.parametrize(
    ("expected", "element"),
    [
        ({"index": 1, "delta": {"content": "【S】"}}, {"index": 1, "delta": {"content": "a"}}),
        (
            {"index": 0, "delta": {"content": "【S】"}, "finish_reason": None},
            {
                "index": 0,
                "delta": {
                    "role": "assistant",
                    "content": "a",
                    "tool_calls": [1],
                    "reasoning_content": "r",
                    "refusal": "x",
                },
                "finish_reason": None,
                "logprobs": {"content": []},
            },
        ),
        (
            {"index": 0, "delta": {"content": "【S】", "x": 1}},
            {"index": 0, "delta": {"content": "a", "x": 1, "audio": {"data": "d"}}},
        ),
        (
            {"index": 0, "delta": {"content": [{"type": "text", "text": "【S】"}]}},
            {"index": 0, "delta": {"content": [{"type": "text", "text": "a"}]}},
        ),
    ],
)
def test_the_element(expected: dict[str, Any], element: dict[str, Any]) -> None:
    _, made = copy(
        {"id": "c", "created": 1, "model": "m", "choices": [element], "usage": {"n": 1}, "obfuscation": "x", "AIGC": {}}
    )
    assert {"id": "c", "created": 1, "model": "m", "choices": [expected]} == made


@pytest.mark.parametrize("at", [0, 1, 2])
def test_the_other_choices_are_left_out(at: int) -> None:
    _, made = copy({"choices": [{"index": n, "delta": {"content": str(n)}} for n in range(3)]}, at)
    assert {"choices": [{"index": at, "delta": {"content": "【S】"}}]} == made


@pytest.mark.parametrize("raw", ["event: e\r\nid: 1\r\ndata:%s\r\n\r\n", "data: %s\r\r", ": c\ndata: %s\nretry: 1\n\n"])
def test_the_style_is_that_of_the_original(raw: str) -> None:
    document: dict[str, Any] = {"choices": [{"index": 0, "delta": {"content": "a"}}]}
    made, _ = copy(document, raw=raw)
    written = json.dumps({"choices": [{"index": 0, "delta": {"content": "【S】"}}]}, separators=(",", ":"))
    assert (raw % written).encode() == made


def test_a_lone_surrogate_in_the_original() -> None:
    _, made = copy({"x": "\ud83d", "choices": [{"index": 0, "delta": {"content": "\ude00"}}]})
    assert made["x"] == "\ud83d"


def test_a_record_that_is_nested_too_deeply() -> None:
    data = b'{"choices":[{"index":0,"delta":{"content":"a"}}],"x":%b}' % (b"[" * 1010 + b"]" * 1010)
    unit = content(CHAT, CHAT.stream, parse(data)).units[0]
    with pytest.raises(LabellingError, match="nested too deeply"):
        closing_record(Block(b"data: %b\n\n" % data, data), unit, "【S】", None)
