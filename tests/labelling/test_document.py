"""One document, labelled: a notice for each unit, offsets that move with it, and what cannot be labelled is refused."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from proxy.dialects.dialect import Member
from proxy.framing.json_text import parse
from proxy.labelling.document import label_document
from proxy.labelling.errors import LabellingError, NothingFound
from proxy.labelling.mark import Home, Mark
from proxy.labelling.metadata import upstream_label
from proxy.labelling.outcome import Done
from proxy.labelling.request import Asked
from proxy.labelling.transform import Work
from proxy.labelling.verdict import ALREADY, SILENT
from proxy.policy.decision import Position
from proxy.record.outcome import Outcome
from tests.labelling.answers import (
    DIALECTS,
    IMAGES,
    PREFIX,
    SUFFIX,
    WORDS,
    badge,
    decision,
    marked,
    silent,
)


def labelled(name: str, document: Any, with_mark: Mark | None = None) -> tuple[Any, Done]:
    """The document, labelled in one go, the result of Work in capitals."""
    mark = with_mark or marked()
    done = Done(mark, mark.aigc.compact().encode())
    out = label_document(DIALECTS[name], Asked(), done, json.dumps(document, ensure_ascii=False).encode())
    return json.loads(b"".join(_written(piece) for piece in out)), done


def _written(piece: object) -> bytes:
    if isinstance(piece, Work):
        return piece.join([b"PICTURE %d" % picture.index for picture in piece.pictures])
    assert isinstance(piece, bytes)
    return piece


def gemini(parts: list[Any], **more: Any) -> dict[str, Any]:
    return {"candidates": [{"index": 0, "content": {"role": "model", "parts": parts}, **more}]}


@pytest.mark.parametrize(
    ("expected", "position"),
    [(["a", "b", "c"], None), ([PREFIX + "a", "b", "c"], "start"), (["a", "b", "c" + SUFFIX], "end")],
)
def test_a_text_in_parts_is_one_unit(expected: list[str], position: Position | None) -> None:
    made, done = labelled("gemini.generate", gemini([{"text": one} for one in "abc"]), marked(decision(position)))
    assert expected == [part["text"] for part in made["candidates"][0]["content"]["parts"]]
    assert 1 == len(done.items())


def test_offsets_move_with_their_text_and_with_no_other() -> None:
    """Gemini counts bytes of UTF-8, within one part."""
    supports = [
        {"segment": {"startIndex": 0, "endIndex": 3}},
        {"segment": {"partIndex": 1, "startIndex": 1, "endIndex": 2}},
    ]
    document = gemini([{"text": "你好"}, {"text": "more"}], groundingMetadata={"groundingSupports": supports})
    made, _ = labelled("gemini.generate", document)
    moved = made["candidates"][0]["groundingMetadata"]["groundingSupports"]
    size = len(PREFIX.encode())
    assert {"segment": {"startIndex": size, "endIndex": 3 + size}} == moved[0]
    assert moved[1] == supports[1]
    made, _ = labelled("gemini.generate", document, marked(decision("end")))
    assert supports == made["candidates"][0]["groundingMetadata"]["groundingSupports"]


def chat(content: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": content}}]}


@pytest.mark.parametrize(
    ("expected", "text", "position"),
    [
        (f"<think>a</think>\n\n{PREFIX}Hi", "<think>a</think>\n\nHi", "start"),
        (f" <think>a</think>{PREFIX}Hi{SUFFIX}", " <think>a</think>Hi", "both"),
        (f"<think>a</think>Hi{SUFFIX}", "<think>a</think>Hi", "end"),
        (f"{PREFIX}Hi <think>a</think>", "Hi <think>a</think>", "start"),
        # Reasoning without an end is all that people see; a client looks for its mark at the very beginning.
        (f"<think>a{SUFFIX}", "<think>a", "start"),
        (f"<think>a{SUFFIX}", "<think>a", "both"),
        ("<think>a</think>\n", "<think>a</think>\n", "both"),
        (f"<think>a</think>{WORDS} Hi", f"<think>a</think>{WORDS} Hi", "both"),
    ],
)
def test_the_notice_stands_behind_the_reasoning(expected: str, text: str, position: Position) -> None:
    made, _ = labelled("openai.chat", chat(text), marked(decision(position)))
    assert expected == made["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("expected", "why", "text", "position"),
    [
        (f"{WORDS} Hi", ALREADY, f"{WORDS} Hi", "start"),
        (f"Hi\n\n{WORDS}\n", ALREADY, f"Hi\n\n{WORDS}\n", "end"),
        (f"{PREFIX}Hi\n\n{WORDS}", "", f"Hi\n\n{WORDS}", "both"),
        ("", SILENT, "", "both"),
    ],
)
def test_no_notice_stands_twice(expected: str, why: str, text: str, position: Position) -> None:
    made, done = labelled("openai.chat", chat(text), marked(decision(position)))
    assert (expected, why) == (made["choices"][0]["message"]["content"], done.items()[0].skipped)


@pytest.mark.parametrize(
    ("name", "where", "document"),
    [
        ("openai.chat", ("AIGC",), chat("Hi")),
        ("dashscope.text", ("output", "AIGC"), {"output": {"text": "Hi", "finish_reason": "stop"}}),
        (
            "bedrock.converse",
            ("additionalModelResponseFields", "AIGC"),
            {
                "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}},
                "additionalModelResponseFields": None,
            },
        ),
    ],
)
def test_the_label_stands_in_its_member(name: str, where: tuple[str, ...], document: dict[str, Any]) -> None:
    made, done = labelled(name, document)
    for step in where:
        made = made[step]
    assert done.mark.aigc.document() == made
    assert done.items()[0].placed == ("prefix", "body", "header")


def test_a_place_that_is_taken_is_a_failure() -> None:
    document = {"output": {"message": {"content": [{"text": "Hi"}]}}, "additionalModelResponseFields": [1]}
    with pytest.raises(LabellingError, match="no place for its label"):
        labelled("bedrock.converse", document)


def test_a_trusted_upstreams_label_is_replaced_and_no_second_one_stands_beside_it() -> None:
    came = marked().aigc._replace(content_producer="OTHER", content_propagator="OTHER")
    document = {"output": {"AIGC": came.document(), "text": "Hi"}}
    made, _ = labelled("dashscope.text", document, marked(trusted=True))
    assert ("OTHER", "ACME") == tuple(made["output"]["AIGC"][key] for key in ("ContentProducer", "ContentPropagator"))
    document["output"]["AIGC"] = came._replace(reserved_code1="x").document()
    with pytest.raises(LabellingError, match="came with a label already"):
        labelled("dashscope.text", document)


@pytest.mark.parametrize(("expected", "member"), [(("body", "header"), Member(("AIGC",))), (("header",), None)])
def test_pictures_say_where_the_label_is(expected: tuple[str, ...], member: Member | None) -> None:
    """Where there is no member for it, no picture may say that it is there."""
    mark = marked(badge(metadata=("xmp", "body", "header")))
    done = Done(mark, mark.aigc.compact().encode())
    dialect = replace(IMAGES, metadata=member)
    (work,) = label_document(dialect, Asked(), done, b'{"data":[{"b64_json":"QQ=="}]}')
    assert isinstance(work, Work)
    assert [expected] == [picture.mark.terms.envelope for picture in work.pictures]


@pytest.mark.parametrize(
    ("expected", "document", "urls"),
    [
        ([{"url": "PICTURE 0"}], [{"url": "https://a/1.png"}], "rewrite"),
        ([{"b64_json": "PICTURE 0"}], [{"url": "https://a/1.png"}], "inline"),
        ([{"url": None, "b64_json": "PICTURE 0"}], [{"url": "https://a/1.png", "b64_json": None}], "inline"),
        ([{"b64_json": "PICTURE 0", "url": None}], [{"b64_json": None, "url": "https://a/1.png"}], "inline"),
        ([{"url": "https://a/1.png"}], [{"url": "https://a/1.png"}], "pass"),
        ([{"b64_json": "PICTURE 0"}, {"url": "PICTURE 1"}], [{"b64_json": "QQ=="}, {"url": "https://a/1"}], "rewrite"),
    ],
)
def test_urls_become_what_the_route_says(expected: list[Any], document: list[Any], urls: Any) -> None:
    made, done = labelled("openai.images", {"data": document}, marked(badge(), urls=urls))
    assert expected == made["data"]
    assert (Outcome.UNLABELLED if urls == "pass" else Outcome.METADATA_ONLY) == done.outcome()[0]


def test_media_of_kinds_for_which_no_rule_asks_stay() -> None:
    document = {"predictions": [{"bytesBase64Encoded": "QQ==", "mimeType": "video/mp4"}]}
    made, _ = labelled("imagen", document, marked(badge(metadata=("header",))))
    assert document == made
    with pytest.raises(LabellingError, match="holds video, which cannot be labelled yet"):
        labelled("imagen", document, marked(badge(), silent("video")))
    unknown = {"predictions": [{"bytesBase64Encoded": "QQ==", "mimeType": "model/gltf"}]}
    with pytest.raises(LabellingError, match="holds a medium, which cannot be labelled yet"):
        labelled("imagen", unknown, marked(badge()))


def test_links_lead_to_us() -> None:
    home = Home("https://api.us1.bfl.ai", "https://mark.example")
    document = {"id": "1", "polling_url": "https://api.us1.bfl.ai/v1/get_result?id=1"}
    made, _ = labelled("bfl", document, marked(badge(), home=home))
    assert "https://mark.example/v1/get_result?id=1" == made["polling_url"]
    assert document["polling_url"] == labelled("bfl", document, marked(badge()))[0]["polling_url"]


@pytest.mark.parametrize(
    ("reason", "name", "body"),
    [
        ("not JSON", "openai.chat", b"<html>"),
        ("not JSON", "openai.chat", b'{"choices":['),
        ("holds nothing that the dialect", "openai.chat", b"7"),
        ("holds nothing that the dialect", "openai.chat", b'{"output":"secret"}'),
        ("in a form that the dialect", "openai.chat", b'{"choices":[{"message":{"content":{"a":"secret"}}}]}'),
        ("in a form that the dialect", "openai.chat", b'{"error":{"message":"no"},"choices":"secret"}'),
        ("holds a medium that", "openai.chat", b'{"choices":[{"message":{"audio":{"data":"AA=="}}}]}'),
    ],
)
def test_what_cannot_be_labelled_does_not_leave(reason: str, name: str, body: bytes) -> None:
    with pytest.raises(LabellingError, match=reason):
        label_document(DIALECTS[name], Asked(), Done(marked(), b"{}"), body)


def test_an_error_is_no_answer() -> None:
    done = Done(marked(), b"{}")
    body = b'{"error":{"message":"busy"}}'
    assert (body,) == label_document(DIALECTS["openai.chat"], Asked(), done, body)
    assert (Outcome.ERROR_RESPONSE, ()) == (done.outcome()[0], done.items())


def test_nothing_found_is_told_apart() -> None:
    with pytest.raises(NothingFound):
        label_document(IMAGES, Asked(), Done(marked(badge()), b"{}"), b'{"data":[{"picture":"x"}]}')


@pytest.mark.parametrize("value", [None, 7, "x", [], {}, {"Label": "1", "label": "2"}])
def test_a_label_that_cannot_be_read(value: object) -> None:
    with pytest.raises(LabellingError, match="a label that cannot be read"):
        upstream_label(value)


def test_a_label_that_is_nested_too_deeply() -> None:
    deep = b"[" * 1010 + b"]" * 1010  # the reader takes it, the writer does not
    with pytest.raises(LabellingError, match="a label that cannot be read"):
        upstream_label(parse(deep))


@pytest.mark.parametrize("text", ["Hello", "<think>a</think>Hello"])
def test_many_units_take_time_that_grows_with_them(text: str) -> None:
    choices = [{"index": at, "text": text, "logprobs": None} for at in range(5000)]
    done = Done(marked(decision("both")), b"{}")
    began = time.process_time()
    (piece,) = label_document(
        DIALECTS["openai.completions"], Asked(units=None), done, json.dumps({"choices": choices}).encode()
    )
    assert time.process_time() - began < 3
    assert isinstance(piece, bytes)
    labelled = text.replace("Hello", f"{PREFIX}Hello{SUFFIX}")
    assert {labelled} == {one["text"] for one in json.loads(piece)["choices"]}


LARGE = "iVBORw0KGgo/" * 120_000


def test_a_large_picture_is_handed_on_whole_and_so_is_what_stands_beside_it() -> None:
    mark = marked(badge())
    done = Done(mark, mark.aigc.compact().encode())
    item = {"b64_json": LARGE, "revised_prompt": "a 😀 cat", "mask": LARGE[::-1]}
    raw = json.dumps({"created": 1, "data": [item]}, ensure_ascii=False).encode()
    (work,) = label_document(IMAGES, Asked(), done, raw)
    assert isinstance(work, Work)
    assert [LARGE.encode()] == [picture.data for picture in work.pictures]
    assert raw == work.raw
    made = json.loads(work.join([b"PICTURE"]))
    assert mark.aigc.document() == made.pop("AIGC")
    assert {"created": 1, "data": [item | {"b64_json": "PICTURE"}]} == made


@pytest.mark.parametrize("content", [LARGE, LARGE + " ends", "\uffff0\uffff" + LARGE])
def test_a_large_text_gets_its_notice_and_the_record_counts_all_of_it(content: str) -> None:
    made, done = labelled("openai.chat", chat(content))
    assert PREFIX + content == made["choices"][0]["message"]["content"]
    (item,) = done.items()
    sizes = len(content.encode()), len((PREFIX + content).encode())
    assert sizes == (item.size_before, item.size_after)
    assert tuple(map(str, (len(content), len(PREFIX + content)))) == (item.before, item.after)


def test_a_large_data_url_stays_one() -> None:
    url = "data:image/png;base64," + LARGE
    mark = marked(decision(), badge())
    done = Done(mark, b"{}")
    message = {"role": "assistant", "content": "Hi", "images": [{"type": "image_url", "image_url": {"url": url}}]}
    document = {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    (work,) = label_document(DIALECTS["openai.chat"], Asked(), done, json.dumps(document).encode())
    assert isinstance(work, Work)
    assert [url.encode()] == [picture.data for picture in work.pictures]
