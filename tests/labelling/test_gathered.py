"""Where policy asks for it, what people see of texts is gathered, as far as it counts; no byte leaves otherwise."""

import json
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from proxy.dialects.dialect import Dialect
from proxy.dialects.examples import Example
from proxy.labelling.gathered import MOST, Gathered, Said
from proxy.labelling.mark import Mark
from proxy.labelling.rehearsal import PICTURE
from proxy.labelling.request import Asked, read
from proxy.labelling.wire import MEDIA_TYPES, shape
from proxy.labelling.wire import answer as spelled_out
from proxy.policy.decision import Decision, Position
from proxy.record.likeness import LONGEST
from tests.chats import completion, event, events, told
from tests.labelling.answers import (
    BOUNDS,
    DIALECTS,
    ID,
    OPERATOR,
    PREFIX,
    WORDS,
    Sent,
    answer,
    cuttings,
    decision,
    decision_of,
    marked,
)
from tests.labelling.test_stream_length import STREAMS, spelled


def asking(position: Position | None = "start") -> Decision:
    return replace(decision(position), fingerprint=True)


# Two rules that hang on what a text turns out to be, of which one asks.
BY_TEXT: list[dict[str, Any]] = [
    {"when": {"kind": "text", "output": "code"}, "metadata": ["body"]},
    {"when": {"kind": "text"}, "metadata": ["body"], "notice": {"words": {"zh": WORDS}}, "fingerprint": True},
]


def texts(sent: Sent) -> list[str]:
    return [said.text for said in sent.done.texts()]


@pytest.mark.parametrize("position", ["start", "end"])
@pytest.mark.parametrize("name", STREAMS)
def test_streams_of_every_framing(name: str, position: Position) -> None:
    framed, begins, again = STREAMS[name]
    media_type = b"application/x-ndjson" if framed == "ndjson" else b""
    records = [*begins, *[again] * 5]
    body = b"".join(spelled(framed, record, not at) for at, record in enumerate(records))
    body += b"]" if framed == "json_array" else b""
    for chunks in cuttings(body, most=3):
        sent = answer(chunks, with_mark=marked(asking(position)), dialect=DIALECTS[name], media_type=media_type)
        assert [" word" * 5] == texts(sent)
        ((said,), (item,)) = sent.done.texts(), sent.done.items()
        assert (item.produce_id, item.unit, False, True) == (said.produce_id, said.unit, said.is_known, said.is_whole)


def stream_of_bytes(*records: dict[str, Any]) -> bytes:
    example = Example("", stream=records, framing="event_stream")
    return spelled_out(DIALECTS["bedrock.converse"], example, {})


CHAT_THINKS = told("<thi", "nk>Let me see.</th", "ink>\n\n", "Hello", " world")
RESPONSES = [
    {"type": "response.created", "response": {"id": "r", "output": []}},
    {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "Hello"},
    {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": " world"},
    {"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "Hello world"},
]
CUMULATIVE = [
    {"output": {"choices": [{"message": {"content": text, "role": "assistant"}, "finish_reason": "null"}]}}
    for text in ("Hel", "Hello", "Hello world")
]


@pytest.mark.parametrize(
    ("expected", "name", "body", "asked"),
    [
        (["Hello world"] * 2, "openai.chat", events(told("Hello", " world", n=2)), Asked(units=2)),
        (["Hello world"], "openai.chat", events(CHAT_THINKS), Asked(units=1)),
        (["<think>Let me see."], "openai.chat", events(told("<think>Let me", " see.")), Asked(units=1)),
        (["Hello world"], "openai.responses", events(RESPONSES), Asked(units=1)),
        (["Hello world"], "dashscope.text", events(CUMULATIVE), Asked(units=1)),
        (
            ["Hello world"],
            "bedrock.converse",
            stream_of_bytes(
                {":event-type": "messageStart", "role": "assistant"},
                {":event-type": "contentBlockDelta", "contentBlockIndex": 0, "delta": {"text": "Hello"}},
                {":event-type": "contentBlockDelta", "contentBlockIndex": 0, "delta": {"text": " world"}},
                {":event-type": "messageStop", "stopReason": "end_turn"},
            ),
            Asked(units=1),
        ),
        (["Hello"] * 2, "openai.chat", json.dumps(completion("Hello", "Hello")).encode(), Asked(units=2)),
        (["Hi."], "openai.chat", json.dumps(completion("<think>Hm.</think>Hi.")).encode(), Asked(units=1)),
    ],
    ids=["choices", "thought", "thinking", "said again", "cumulative", "event stream", "whole", "whole and thought"],
)
def test_what_people_see_is_gathered(expected: list[str], name: str, body: bytes, asked: Asked) -> None:
    media_type = b"application/vnd.amazon.eventstream" if name == "bedrock.converse" else b""
    for mark in (marked(asking()), marked(decision_of(BY_TEXT))):
        for chunks in cuttings(body, most=3):
            sent = answer(chunks, asked=asked, with_mark=mark, dialect=DIALECTS[name], media_type=media_type)
            assert expected == texts(sent)


@pytest.mark.parametrize("n", [1, 3])
def test_nothing_is_gathered_that_no_rule_asks_for(n: int) -> None:
    for body in (events(told("Hello", n=n)), json.dumps(completion(*["Hello"] * n)).encode()):
        sent = answer([body], asked=Asked(units=n), with_mark=marked(decision()))
        assert [] == sent.done.texts()
        assert all(part.said in ("", "Hello") for part in sent.done.live())


EXAMPLES = [
    (dialect, example)
    for dialect in DIALECTS.values()
    for example in dialect.examples
    if shape(example) != "medium" and "text" in dialect.kinds
]


@pytest.mark.parametrize(("dialect", "example"), EXAMPLES, ids=lambda one: getattr(one, "about", None) or one.name)
def test_every_example_leaves_as_without(dialect: Dialect, example: Example) -> None:
    """Gathering changes no byte and no item; what got words for people is there."""
    came = spelled_out(dialect, example, {"png": PICTURE})
    spoken = dialect.spoken_by(example.server)
    asked = read(spoken, OPERATOR.notices, json.dumps(dict(example.request)).encode()).asked
    media_type = MEDIA_TYPES[shape(example)].encode()

    def run(mark: Mark, chunks: Sequence[bytes]) -> Sent:
        return answer(chunks, asked=asked, with_mark=mark, dialect=spoken, media_type=media_type)

    for chunks in ([came], [came[at : at + 7] for at in range(0, len(came), 7)]):
        one, other = run(marked(decision(example.position)), chunks), run(marked(asking(example.position)), chunks)
        assert (one.data, one.blocked, one.done.items()) == (other.data, other.blocked, other.done.items())
        if not one.blocked:
            shown = {item.produce_id for item in one.done.items() if {"prefix", "suffix"} & set(item.placed)}
            assert shown <= {said.produce_id for said in other.done.texts()}


def test_a_stream_is_read_to_its_end() -> None:
    body = event({"choices": [{"index": 0, "delta": {"content": "Hello"}}]})
    assert texts(answer([body] * 4, with_mark=marked(asking()))) == ["Hello" * 4]
    broken = [body, b"data: no JSON\n\n"]
    assert not answer(broken, with_mark=marked(decision())).blocked
    assert answer(broken, with_mark=marked(asking())).blocked == "a record of the stream is not JSON"


@pytest.mark.parametrize("body", ["stream", "whole"])
def test_of_a_long_text_the_beginning_is_kept(body: str) -> None:
    piece = "0123456789" * 100
    chunks = [event(record) for record in told(*[piece] * 100)]
    if body == "whole":
        chunks = [json.dumps(completion(piece * 100)).encode()]
    bounds = replace(BOUNDS, whole_body=1 << 20)
    (said,) = answer(chunks, with_mark=marked(asking()), bounds=bounds).done.texts()
    assert ((piece * 100)[:LONGEST], False) == (said.text, said.is_whole)


def test_one_text_more_than_counts_tells_that_there_are_more() -> None:
    n = MOST * 3
    for body in (events(told("Hello", n=n)), json.dumps(completion(*["Hello"] * n)).encode()):
        assert ["Hello"] * (MOST + 1) == texts(answer([body], asked=Asked(units=n), with_mark=marked(asking())))


def test_the_answers_of_a_batch() -> None:
    lines = [
        json.dumps({"custom_id": str(at), "response": {"status_code": 200, "body": completion(f"Hello {at}")}})
        for at in range(3)
    ]
    mark = marked(asking(), operator=replace(OPERATOR, stored=b"s" * 32))
    sent = answer(["\n".join(lines).encode()], with_mark=mark, dialect=DIALECTS["openai.batches"])
    assert [f"Hello {at}" for at in range(3)] == texts(sent)
    assert [item.produce_id for item in sent.done.items()] == [said.produce_id for said in sent.done.texts()]


@pytest.mark.parametrize("text", ["Hello, **World**!", "HELLO world", "hello\u200b world"])
def test_the_record_knows_a_whole_answer_by_its_letters_and_digits(text: str) -> None:
    operator = replace(OPERATOR, digest=lambda text: f"<{text}>")
    (item,) = answer(
        [json.dumps(completion(f"<think>Hm</think>{text}")).encode()], with_mark=marked(operator=operator)
    ).done.items()
    assert "<helloworld>" == item.text


@pytest.mark.parametrize("text", ["🎉", "…", " - "])
def test_a_text_without_letters_and_digits_has_no_such_hash(text: str) -> None:
    (item,) = answer([json.dumps(completion(text)).encode()]).done.items()
    assert ("", True) == (item.text, bool(item.before))


def test_said() -> None:
    (said,) = answer([event(record) for record in told("Hello")], with_mark=marked(asking())).done.texts()
    assert Said(ID, "choices[0]", "Hello", is_known=False, is_whole=True) == said
    (said,) = answer([json.dumps(completion("Hello")).encode()], with_mark=marked(asking())).done.texts()
    assert Said(ID, "choices[0]", "Hello", is_known=True, is_whole=True) == said
    (said,) = answer([json.dumps(completion(PREFIX + "Hello")).encode()], with_mark=marked(asking())).done.texts()
    assert PREFIX + "Hello" == said.text


def test_a_part_that_was_closed_is_not_taken_for_the_whole() -> None:
    one = Gathered()
    one.feed("Hello ", 0, inside=False)
    one.feed("world", 0, inside=False)
    one.say("world")
    assert "Hello world" == one.text
    one.say("Hello, world")
    assert "Hello, world" == one.text


@pytest.mark.parametrize("piece", ["的时", "a ", ""])
def test_a_stream_of_many_pieces_is_held_in_little_more_than_its_text(piece: str) -> None:
    gathered, said = Gathered(), "".join
    tracemalloc.start()
    try:
        for _ in range(40_000):
            gathered.feed(said(list(piece)), 0, inside=False)  # each is an object of its own, as parsed ones are
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 4 * LONGEST
    assert (piece * 40_000)[: LONGEST + 1] == gathered.text
