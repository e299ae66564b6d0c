"""What matters behind the text of a stream is seen at any cuts, and nothing that a model writes is taken for it."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.labelling.watch import Watch, _one_of
from tests.labelling.answers import CHAT, DIALECTS, PREFIX, WORDS, answer, badge, cuttings, decision, marked

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
FIRST = b'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'


def event(delta: dict[str, Any], indent: int | None = None) -> bytes:
    return b"data: %b\n\n" % json.dumps({"choices": [{"index": 0, "delta": delta}]}, indent=indent).encode()


@pytest.mark.parametrize(
    "delta",
    [{"images": [{"data": "AA=="}]}, {"audio": {"data": "AA=="}}, {"audio": "AA=="}, {"content": [PICTURE]}],
)
def test_media_behind_the_text(delta: dict[str, Any]) -> None:
    for chunks in cuttings(FIRST + event(delta)):
        sent = answer(chunks)
        assert "holds a medium that cannot be labelled yet" in sent.blocked
        assert b"AA==" not in sent.data
    passed = answer([FIRST, event(delta)], with_mark=marked(decision(on_failure="pass")))
    assert passed.data.endswith(event(delta))
    assert WORDS.encode() in passed.data.replace(b"\\u3010AI\\u751f\\u6210\\u3011", WORDS.encode())
    assert passed.done.failure


def test_a_picture_behind_the_text() -> None:
    for chunks in cuttings(FIRST + event({"images": [PICTURE]})):
        sent = answer(chunks, with_mark=marked(decision(), badge()))
        ((picture,),) = [work.pictures for work in sent.works]
        assert (b"AA==", "choices[0].delta.images[0].image_url.url") == (picture.data.rpartition(b",")[2], picture.unit)
        assert answer(chunks).data.endswith(event({"images": [PICTURE]}))  # no rule asks for pictures


@pytest.mark.parametrize(
    "delta",
    [
        {"images": [], "audio": None},
        {"images": [], "audio": {}},
        {"content": "images"},
        {"content": '"images": [1], "type": "image_url"'},
        {"tool_calls": [{"function": {"arguments": '{"audio": {"a": 1}}'}}]},
        {"annotations": [{"type": "file"}]},
    ],
)
def test_what_is_no_medium(delta: dict[str, Any]) -> None:
    for chunks in cuttings(FIRST + event(delta)):
        assert answer(chunks).data.endswith(event(delta))


@pytest.mark.parametrize(
    ("expected", "dialect", "decided", "document"),
    [
        (True, "openai.chat", None, {"choices": [{"index": 0, "delta": {"images": [PICTURE]}}]}),
        (False, "openai.completions", None, {"choices": [{"index": 0, "images": [PICTURE]}]}),
        # A further unit, where units matter.
        (False, "openai.chat", [0], {"choices": [{"index": 0, "delta": {"content": "a"}}]}),
        (True, "openai.chat", [0], {"choices": [{"index": 1, "delta": {"content": "a"}}]}),
        (False, "openai.chat", None, {"choices": [{"index": 1, "delta": {"content": "a"}}]}),
        # A text that is said again as a whole, where it was labelled.
        (
            False,
            "anthropic.messages",
            [()],
            {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "a"}},
        ),
        (True, "anthropic.messages", [()], {"type": "content_block_stop", "index": 0}),
        (True, "openai.responses", [(0, 0)], {"type": "response.output_text.done", "text": "a"}),
        (True, "openai.responses", [(0, 0)], {"type": "response.completed", "response": {}}),
        (False, "openai.responses", None, {"type": "response.output_text.done", "text": "a"}),
        # Offsets into one.
        (
            True,
            "gemini.generate",
            [0],
            {"candidates": [{"citationMetadata": {"citationSources": [{"startIndex": 1}]}}]},
        ),
    ],
)
def test_what_must_be_looked_at(
    expected: bool, dialect: str, decided: list[Any] | None, document: dict[str, Any]
) -> None:
    data = json.dumps(document).encode()
    assert expected is Watch(DIALECTS[dialect], decided).wants(data)
    escaped = data.replace(b'"', b'"\\u0041', 1)
    assert Watch(DIALECTS[dialect], decided).wants(escaped), "a name may be spelled so that nobody knows it"


@pytest.mark.parametrize(("expected", "name"), [(True, "dashscope.text"), (False, "openai.chat")])
def test_a_text_that_is_said_again_and_again_is_always_looked_at(expected: bool, name: str) -> None:
    assert expected is Watch(DIALECTS[name], [0]).always
    assert not Watch(DIALECTS[name], None).always


def test_the_key_of_a_unit_that_is_known_hides_no_other() -> None:
    watch = Watch(CHAT, [0])
    first, second = another(0)[6:-2], another(1)[6:-2]
    assert [False, True, False] == [watch.wants(one) for one in (first, second, first)]
    assert watch.wants(first + b"\n" + second)
    assert watch.wants(b'{"choices":[{"index":0},{"index":1}]}')
    assert watch.wants(b'{"choices":[{"delta":{},"index":1}]}')
    parts = Watch(DIALECTS["openai.responses"], [(0, 0)])
    delta = b'{"type":"response.output_text.delta","output_index":%d,"content_index":0,"delta":"a"}'
    assert [False, True] == [parts.wants(delta % index) for index in (0, 1)]
    assert watch.wants(b'{"choices":[{"index":1},{"index":0}]}')


def another(index: int) -> bytes:
    return b"data: %b\n\n" % json.dumps({"choices": [{"index": index, "delta": {"content": "SECRET"}}]}).encode()


def test_more_answers_than_were_asked_for_get_their_notice() -> None:
    for chunks in cuttings(FIRST + another(1)):
        sent = answer(chunks)
        assert sent.data.endswith(another(1).replace(b"SECRET", json.dumps(PREFIX)[1:-1].encode() + b"SECRET"))
        assert [("prefix", "body", "header")] * 2 == [item.placed for item in sent.done.items()]
    for chunks in cuttings(FIRST + another(0)):
        assert answer(chunks).data.endswith(another(0))
    silent = marked(decision(None))
    assert answer([FIRST, another(1)], with_mark=silent).data.endswith(another(1))


@given(st.sets(st.binary(min_size=1, max_size=4), min_size=1, max_size=9), st.binary(max_size=12))
def test_one_of_some_words_is_found_wherever_it_stands(words: set[bytes], text: bytes) -> None:
    found = re.search(_one_of(sorted(words)), text, re.DOTALL)
    assert any(word in text for word in words) is (found is not None)
