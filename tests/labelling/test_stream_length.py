"""A stream may be as long as it likes: what is kept of it does not grow, wherever the notice stands."""

import gc
import json
import tracemalloc
from typing import Any

import pytest

from proxy.labelling.mark import Mark
from proxy.labelling.plan import Bounds, Framing, label
from proxy.labelling.request import Asked
from proxy.policy.decision import Position
from tests.labelling.answers import DIALECTS, WORDS, decision, decision_of, marked

# The records that begin a stream of each API, and the one that comes again and again.
STREAMS: dict[str, tuple[Framing, list[dict[str, Any]], dict[str, Any]]] = {
    "openai.chat": ("sse", [], {"choices": [{"index": 0, "delta": {"content": " word"}}]}),
    "openai.responses": (
        "sse",
        [
            {"type": "response.created", "response": {"id": "r", "output": []}},
            {
                "type": "response.content_part.added",
                "output_index": 0,
                "content_index": 0,
                "part": {"type": "output_text"},
            },
        ],
        {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": " word"},
    ),
    "anthropic.messages": (
        "sse",
        [
            {"type": "message_start", "message": {"id": "m"}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        ],
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " word"}},
    ),
    "gemini.generate": ("json_array", [], {"candidates": [{"content": {"parts": [{"text": " word"}]}, "index": 0}]}),
    "ollama.chat": ("ndjson", [], {"model": "m", "message": {"role": "assistant", "content": " word"}, "done": False}),
    "cohere.v2": (
        "sse",
        [{"type": "message-start"}, {"type": "content-start", "index": 0, "delta": {"message": {"content": {}}}}],
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": " word"}}}},
    ),
}


def spelled(framed: Framing, record: dict[str, Any], first: bool) -> bytes:
    data = json.dumps(record).encode()
    match framed:
        case "sse":
            return b"data: %b\n\n" % data
        case "ndjson":
            return data + b"\n"
    return (b"[" if first else b",\r\n") + data


@pytest.mark.parametrize("position", ["start", "both", "end"])
@pytest.mark.parametrize("name", STREAMS)
def test_what_is_kept_does_not_grow_with_the_length_of_a_stream(name: str, position: Position) -> None:
    assert kept(name, marked(decision(position)), 8_500) < 20_000


CODE = [
    {"when": {"kind": "text", "output": ["code", "json", "tool", "reasoning", "fill-in"]}, "metadata": ["header"]},
    {"when": {"kind": "text"}, "metadata": ["header"], "notice": {"words": {"zh": WORDS}}},
]
LONG = [
    {"when": {"kind": "text", "min_tokens": 5000}, "metadata": ["header"]},
    {"when": {"kind": "text"}, "metadata": ["header"], "notice": {"words": {"zh": WORDS}, "position": "end"}},
]


@pytest.mark.parametrize(("begins", "rules"), [("```\n", CODE), ("Once", LONG)])
def test_what_is_followed_is_not_kept(begins: str, rules: list[dict[str, Any]]) -> None:
    first = {"choices": [{"index": 0, "delta": {"content": begins}}]}
    assert kept("openai.chat", marked(decision_of(rules)), 3_000, first) < 20_000


def kept(name: str, mark: Mark, more: int, *first: dict[str, Any]) -> int:
    """How many bytes are kept of so many records more."""
    framed, beginning, again = STREAMS[name]
    plan = label(DIALECTS[name], Asked(units=1), mark, framed, Bounds(10_000, 4096))
    for number, record in enumerate([*beginning, *first, again]):
        plan.guard.feed(spelled(framed, record, number == 0))
    piece = spelled(framed, again, first=False)
    for _ in range(1_500):  # until all that is bounded is full
        plan.guard.feed(piece)
    gc.collect()
    tracemalloc.start()
    try:
        out = sum(len(part) for _ in range(more) for part in plan.guard.feed(piece) if isinstance(part, bytes))
        gc.collect()
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert out == more * len(piece)
    return size
