"""Notices behind a model's reasoning, and what goes where a text was nothing but a notice."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dialects.dialect import Dialect
from proxy.dialects.table import parse_dialect
from proxy.labelling.history import without_notices
from tests.labelling.answers import OPERATOR, PREFIX, RETIRED, SUFFIX, WORDS

NOTICES = OPERATOR.notices
STRIP = [
    "messages[?role=assistant].content",
    "messages[?role=assistant].content[?type=text].text",
    "requests[*].params.messages[?role=assistant].content",
    "requests[*].params.messages[?role=assistant].content[?type=text].text",
    "turns[*]",
    "system",
]
KEEPING = parse_dialect(
    {
        "name": "kept",
        "title": "Kept",
        "matches": [{"methods": ["POST"], "path": "/"}],
        "passes": "a test",
        "think": ["<think>", "</think>"],
        "request": {"strip": STRIP},
    }
)
DROPPING = replace(KEEPING, request=replace(KEEPING.request, drop_empty=True))


def stripped(text: bytes, dialect: Dialect = DROPPING) -> bytes:
    return without_notices(text, json.loads(text), dialect, NOTICES)


def said(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


def text(value: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": value, **more}


ASK = {"role": "user", "content": WORDS}
USE = {"type": "tool_use", "id": "t", "name": "f", "input": {}}


@pytest.mark.parametrize(
    ("expected", "content"),
    [
        ("<think>a</think>\n\nHi", f"<think>a</think>\n\n{PREFIX}Hi"),
        ("<think>a</think>Hi", f"<think>a</think>{PREFIX}Hi"),
        ("\n<think>\na\n</think>\n\nHi", f"\n<think>\na\n</think>\n\n{PREFIX}Hi{SUFFIX}"),
        ("<think>a</think>Hi", f"{PREFIX}<think>a</think>{PREFIX}Hi"),
        ("<think>a</think>Hi", f"<think>a</think>{RETIRED}\n\nHi"),
        ("<think>a</think>Hi", f"<think>a</think>Hi{SUFFIX}"),
        ("<think>a</think>", f"<think>a</think>{SUFFIX}"),
        ("<think>a</think>\n\n", f"<think>a</think>\n\n{PREFIX}"),
        ("<think></think>Hi", f"<think></think>{PREFIX}Hi"),
        (f"<think>a</think>Hi {PREFIX}there", f"<think>a</think>Hi {PREFIX}there"),
        (f"<think>{PREFIX}a</think>Hi", f"<think>{PREFIX}a</think>{PREFIX}Hi"),
        (f"Hi <think>a</think>{PREFIX}there", f"Hi <think>a</think>{PREFIX}there"),
        (f"<think>a {PREFIX}b", f"<think>a {PREFIX}b"),
        ("<think>😀\ud83d</think>Hi", f"<think>😀\ud83d</think>{PREFIX}Hi"),
    ],
)
def test_a_notice_behind_the_reasoning(expected: str, content: str) -> None:
    before, after = (json.dumps({"messages": [ASK, said(one)]}).encode() for one in (content, expected))
    assert after == stripped(before)
    assert json.dumps({"messages": [said(f"<think>a</think>{PREFIX}Hi")]}).encode() == stripped(
        json.dumps({"messages": [said(f"{PREFIX}<think>a</think>{PREFIX}Hi")]}).encode(), replace(KEEPING, think=None)
    )


@pytest.mark.parametrize(
    ("expected", "messages"),
    [
        # An element that was nothing but a notice: the first, the middle, the last, all of them.
        ([said([text("a")])], [said([text(PREFIX), text("a")])]),
        ([said([text("a"), text("b")])], [said([text("a"), text(WORDS), text("b")])]),
        ([said([text("a")])], [said([text("a"), text(SUFFIX)])]),
        ([said([USE])], [said([text(PREFIX), USE])]),
        ([said([text("b")])], [said([text(PREFIX), text("b"), text(SUFFIX)])]),
        ([ASK, ASK], [ASK, said([text(PREFIX)]), ASK]),
        ([ASK], [ASK, said([text(PREFIX), text(SUFFIX)])]),
        ([ASK], [said(PREFIX), ASK, said([text(PREFIX, cache_control={"type": "ephemeral"})], id="m", status="done")]),
        # Text that was empty before is not ours.
        ([said([text("")])], [said([text(""), text(PREFIX)])]),
        ([said("")], [said("")]),
        # An element that holds more stays, with its text empty, and no array loses all its elements.
        ([ASK, said("", tool_calls=[{}])], [ASK, said(PREFIX, tool_calls=[{}])]),
        ([ASK, said([text("")], plan="p")], [ASK, said([text(PREFIX), text(SUFFIX)], plan="p")]),
        ([said([text("", signature="s")])], [said([text(PREFIX), text(SUFFIX, signature="s")])]),
        ([ASK], [ASK, said(PREFIX, tool_calls=[], plan="", more=None, index=0)]),
        # Nor the outermost array: of its elements the last stays.
        ([said("")], [said(PREFIX)]),
        ([said([text("")])], [said(PREFIX), said([text(PREFIX), text(SUFFIX)])]),
    ],
)
def test_what_is_empty_without_our_notice_goes(expected: list[Any], messages: list[Any]) -> None:
    for wrap in (
        lambda turns: {"x": [1, 2], "messages": turns, "y": 1.50},
        lambda turns: {"requests": [{"custom_id": "a", "params": {"model": "m", "messages": turns}}, 7]},
    ):
        for separators in ((",", ":"), (" , ", " : "), None):
            before, after = (json.dumps(wrap(turns), separators=separators).encode() for turns in (messages, expected))
            assert after == stripped(before)


def test_nothing_goes_where_the_dialect_does_not_say_so() -> None:
    body = {"messages": [ASK, said([text(PREFIX)]), said(PREFIX)]}
    assert {"messages": [ASK, said([text("")]), said("")]} == json.loads(stripped(json.dumps(body).encode(), KEEPING))


def test_elements_that_are_texts_and_texts_in_no_array() -> None:
    assert b'{"system":"","turns":["a"]}' == stripped(
        json.dumps({"system": PREFIX, "turns": [PREFIX, "a"]}, separators=(",", ":")).encode()
    )


def test_a_batch_is_stripped() -> None:
    params = {"max_tokens": 5, "messages": [ASK, said([text(f"{PREFIX}Hi"), USE]), said(f"Ho{SUFFIX}")]}
    wanted = {"max_tokens": 5, "messages": [ASK, said([text("Hi"), USE]), said("Ho")]}
    for dialect in (KEEPING, DROPPING):
        before, after = (
            json.dumps({"requests": [{"params": {"messages": [ASK]}}, {"params": one}, {"params": one}]}).encode()
            for one in (params, wanted)
        )
        assert after == stripped(before, dialect)


parts = st.sampled_from([PREFIX, SUFFIX, WORDS, "a", "", f"{PREFIX}a"])
turns = st.lists(
    st.builds(said, parts)
    | st.builds(said, st.lists(st.builds(text, parts) | st.just(USE), max_size=4))
    | st.builds(lambda value: said([text(value)], tool_calls=[1]), parts)
    | st.just(ASK),
    max_size=5,
)


def cleared(value: str) -> str:
    return value.removeprefix(PREFIX).removesuffix(SUFFIX).removesuffix(WORDS)


def goes(turn: Any) -> bool:
    """Whether a turn or a block was nothing but a notice."""
    value = turn.get("content", turn.get("text")) if turn.get("role") != "user" and "tool_calls" not in turn else None
    if isinstance(value, list):
        return bool(value) and all(goes(one) for one in value)
    return isinstance(value, str) and value != "" and cleared(value) == ""


def wanted(messages: list[Any]) -> list[Any]:
    """What the law says, of a document: written without regard to bytes."""
    left = [one for one in messages if not goes(one)] or messages[-1:]
    found = []
    for one in left:
        value = one.get("content", one.get("text"))
        if isinstance(value, str) and one is not ASK and one != ASK:
            name = "content" if "content" in one else "text"
            one = {**one, name: cleared(value)}
        elif isinstance(value, list):
            one = {**one, "content": wanted(value)}
        found.append(one)
    return found


@given(turns, st.sampled_from([(",", ":"), (", ", ": "), ("\n,\t", " :\r\n")]))
def test_the_law(messages: list[Any], separators: tuple[str, str]) -> None:
    before = json.dumps({"messages": messages, "n": 1.0}, separators=separators).encode()
    after = {"messages": wanted(messages), "n": 1.0}
    assert json.dumps(after, separators=separators).encode() == stripped(before)


def test_a_great_many_empty_turns_take_no_great_time() -> None:
    body = json.dumps({"messages": [said([text(PREFIX)])] * 20_000 + [ASK]}).encode()
    assert {"messages": [ASK]} == json.loads(stripped(body))
