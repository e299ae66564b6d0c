"""Media behind the text of a stream are seen at any cuts, and nothing that a model writes is taken for one."""

import json
from typing import Any

import pytest

from proxy.labelling.errors import LabellingError
from proxy.labelling.watch import Watch
from tests.labelling.answers import CHAT, IMAGES, WORDS, answer, cuttings, decision, marked

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
FIRST = b'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'


def event(delta: dict[str, Any], indent: int | None = None) -> bytes:
    return b"data: %b\n\n" % json.dumps({"choices": [{"index": 0, "delta": delta}]}, indent=indent).encode()


@pytest.mark.parametrize(
    "delta", [{"images": [PICTURE]}, {"audio": {"data": "AA=="}}, {"audio": "AA=="}, {"content": [PICTURE]}]
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


def test_a_dialect_that_names_no_media_is_not_watched() -> None:
    Watch(IMAGES, None).feed(event({"images": [PICTURE]}))
    with pytest.raises(LabellingError):
        Watch(CHAT, None).feed(event({"images": [PICTURE]}))


def another(index: int) -> bytes:
    return b"data: %b\n\n" % json.dumps({"choices": [{"index": index, "delta": {"content": "SECRET"}}]}).encode()


def test_more_answers_than_were_asked_for() -> None:
    for chunks in cuttings(FIRST + another(1)):
        sent = answer(chunks)
        assert "more answers than were asked for" in sent.blocked
        assert b"SECRET" not in sent.data
    for chunks in cuttings(FIRST + another(0)):
        assert answer(chunks).data.endswith(another(0))
    silent = marked(decision(None))
    assert answer([FIRST, another(1)], with_mark=silent).data.endswith(another(1))
