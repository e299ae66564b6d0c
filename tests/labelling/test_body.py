"""A labelled body is the upstream's with the notices and the label in it; what cannot be labelled does not leave."""

import json
import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.framing.json_text import quote
from proxy.labelling.body import BodyLabeller
from proxy.labelling.errors import LabellingError
from proxy.labelling.outcome import Done
from proxy.labelling.request import Asked
from proxy.policy.decision import Position
from tests.labelling.answers import CHAT, IMAGES, PREFIX, SUFFIX, WORDS, answer, badge, decision, marked

texts = st.text(alphabet=st.characters(exclude_categories=[]), max_size=9) | st.text(
    alphabet='"\\/\n 【】AI生成😀\ud83d', max_size=9
)
extras = st.dictionaries(
    st.text(max_size=5).filter(lambda name: name not in ("choices", "AIGC", "data", "error", "object")),
    texts | st.integers() | st.floats(allow_nan=False) | st.lists(texts, max_size=2),
    max_size=3,
)


def spell(document: Any, ascii_only: bool) -> bytes:
    written = json.dumps(document, ensure_ascii=ascii_only)
    try:
        return written.encode()
    except UnicodeEncodeError:  # a lone surrogate has no other spelling than its escape
        return json.dumps(document).encode()


@given(
    st.lists(st.none() | texts, min_size=1, max_size=4),
    extras,
    st.booleans(),
    st.sampled_from(["start", "end", "both", None]),
)
def test_only_the_notices_and_the_label_are_added(
    contents: list[str | None], extra: dict[str, Any], ascii_only: bool, position: Position | None
) -> None:
    choices = [
        {"index": index, "message": {"role": "assistant", "content": text}} for index, text in enumerate(contents)
    ]
    upstream = spell(extra | {"choices": choices, "n": 1}, ascii_only)
    sent = answer([upstream[:9], upstream[9:]], with_mark=marked(decision(position)))
    prefix, suffix = sent.done.mark.terms.text.prefix, sent.done.mark.terms.text.suffix
    out = json.loads(sent.data)
    assert sent.done.mark.aigc.document() == out.pop("AIGC")
    for choice, text in zip(out["choices"], contents, strict=True):
        labelled = text and not text.lstrip().startswith(WORDS)
        assert (f"{prefix}{text}{suffix}" if labelled else text) == choice["message"]["content"]
    bare = sent.data.replace(b',"AIGC":' + sent.done.aigc_json, b"")
    for added in (prefix, suffix):
        bare = bare.replace(quote(added), b"") if added else bare
    assert upstream == bare


@pytest.mark.parametrize("position", ["start", "end", "both"])
def test_the_record_tells_sizes_and_digests(position: Position) -> None:
    text = "Hé\ud83d"
    body = json.dumps({"choices": [{"index": 0, "message": {"content": text}}]}).encode()
    (item,) = answer([body], with_mark=marked(decision(position))).done.items()
    added = (PREFIX if position != "end" else "") + (SUFFIX if position != "start" else "")
    assert (6, 6 + len(added.encode())) == (item.size_before, item.size_after)
    assert (str(len(text)), str(len(text + added))) == (item.before, item.after)


def test_pictures_become_work_in_their_places() -> None:
    body = b'{"data":[{"b64_json":"QUJD"},{"url":null,"b64_json":"\\/\\/8=" }],"x":1}'
    sent = answer([body], dialect=IMAGES, with_mark=marked(badge()))
    (work,) = sent.works
    assert [(picture.data, picture.encoding, picture.unit, picture.index) for picture in work.pictures] == [
        (b"QUJD", "base64", "data[0].b64_json", 0),
        (b"//8=", "base64", "data[1].b64_json", 1),
    ]
    assert body == work.raw
    out = b'{"data":[{"b64_json":"ONE"},{"url":null,"b64_json":"TWO" }],"x":1,"AIGC":%b}' % sent.done.aigc_json
    assert out == work.join([b"ONE", b"TWO"])


@pytest.mark.parametrize(
    ("reason", "body"),
    [
        (r"data\[0\].url is a URL", {"data": [{"url": "https://example.com/a.png"}]}),
        (r"data\[1\].url is a URL", {"data": [{"b64_json": "QQ=="}, {"url": "http://x"}]}),
        ("holds nothing", {"data": [{"b64_json": "QQ=="}, {"picture": "x"}]}),
        ("holds nothing", {"data": [{"b64_json": None}]}),
        ("holds nothing", {"output": []}),
    ],
)
def test_pictures_that_cannot_be_labelled_do_not_leave(reason: str, body: dict[str, Any]) -> None:
    sent = answer([json.dumps(body).encode()], dialect=IMAGES, with_mark=marked(badge()))
    assert sent.data == b""
    assert re.search(reason, sent.blocked)


@pytest.mark.parametrize("label", [7, "x", [], {}, {"Label": "1", "label": "2"}, None])
def test_a_label_that_cannot_be_read(label: object) -> None:
    body = json.dumps({"choices": [{"index": 0, "message": {"content": "Hi"}}], "AIGC": label}).encode()
    sent = answer([body], with_mark=marked(trusted=True))
    assert sent.data == b""
    assert sent.blocked


@pytest.mark.parametrize("spoiler", [b'"content":1', b'"x":"content"'])
def test_a_body_nested_too_deeply_is_a_failure_and_no_crash(spoiler: bytes) -> None:
    deep = b'{"x":' + b"[" * 1010 + b"]" * 1010 + b',%b,"choices":[{"index":0,"message":{"content":"Hi"}}]}' % spoiler
    sent = answer([deep])
    assert sent.blocked or WORDS in orjson.loads(sent.data)["choices"][0]["message"]["content"]
    assert sent.data == b"" or not sent.blocked


def test_what_is_retained_is_what_came() -> None:
    labeller = BodyLabeller(CHAT, Asked(), Done(marked(), b"{}"), 10)
    labeller.feed(b'{"a"')
    labeller.feed(b":1}")
    assert labeller.retained == b'{"a":1}'
    with pytest.raises(LabellingError, match="longer than 10 bytes"):
        labeller.feed(b"    ")
    assert labeller.retained == b'{"a":1}    '
