"""What a table finds in a document: the units with their texts, the media, and whether the document is known at all."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy import shipped
from proxy.dialects.engine import Content, content
from proxy.dialects.table import parse_dialect
from proxy.dialects.unit import spell

TABLES = {source.path.stem: source.data for source in shipped.dialect_sources()}
CHAT, IMAGES = parse_dialect(TABLES["openai.chat"]), parse_dialect(TABLES["openai.images"])


def body(document: Any) -> Content:
    return content(CHAT, CHAT.body, document)


def record(document: Any) -> Content:
    return content(CHAT, CHAT.stream, document)


def choice(text: object, index: object = 0, **more: object) -> dict[str, object]:
    return {"index": index, "message": {"content": text}, **more}


def delta(text: object, index: object = 0, **more: object) -> dict[str, object]:
    return {"index": index, "delta": {"content": text}, **more}


@pytest.mark.parametrize(
    ("expected", "document"),
    [
        ([("choices[0]", "a")], {"choices": [choice("a")]}),
        ([("choices[0]", "a"), ("choices[1]", "b")], {"choices": [choice("a", 0), choice("b", 1)]}),
        ([("choices[1]", "a"), ("choices[0]", "b")], {"choices": [choice("a", 1), choice("b", 0)]}),
        ([("choices[0]", "a"), ("choices[1]", "b")], {"choices": [choice("a", 0), choice("b", 0)]}),
        ([("choices[0]", "a"), ("choices[1]", "b")], {"choices": [choice("a", None), choice("b", None)]}),
        ([("choices[0]", "a"), ("choices[1]", "b")], {"choices": [choice("a", [1]), choice("b", {})]}),
        (
            [("choices[0]", "a"), ("choices[1]", "b")],
            {"choices": [{"message": {"content": "a"}}, {"message": {"content": "b"}}]},
        ),
        ([("choices[0]", "")], {"choices": [choice(None)]}),
        ([("choices[0]", "")], {"choices": [choice("")]}),
        ([("choices[0]", "")], {"choices": [choice(7)]}),
        (
            [("choices[0]", "ab")],
            {
                "choices": [
                    choice([{"type": "text", "text": "a"}, {"type": "x", "text": "no"}, {"type": "text", "text": "b"}])
                ]
            },
        ),
        (
            [("data[0].choices[0]", "a"), ("data[1].choices[0]", "b")],
            {"data": [{"choices": [choice("a")]}, {"choices": [choice("b")]}]},
        ),
        ([], {"choices": "none", "data": 7}),
        ([], []),
        ([], "choices"),
    ],
)
def test_units_of_a_body(expected: list[tuple[str, str]], document: Any) -> None:
    assert expected == [(unit.name, unit.text) for unit in body(document).units]


@pytest.mark.parametrize(
    ("expected", "document"),
    [
        ([("choices[0]", "a", False)], {"choices": [delta("a")]}),
        ([("choices[2]", "a", False)], {"choices": [delta("a", 2)]}),
        (
            [("choices[2]", "a", False), ("choices[0]", "b", True)],
            {"choices": [delta("a", 2), delta("b", 0, finish_reason="stop")]},
        ),
        ([("choices[0]", "", True)], {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}),
        ([("choices[0]", "", False)], {"choices": [{"index": 0, "delta": {}, "finish_reason": None}]}),
        # Some servers write these into every record.
        ([("choices[0]", "", False)], {"choices": [{"index": 0, "delta": {}, "finish_reason": ""}]}),
        ([("choices[0]", "", False)], {"choices": [{"index": 0, "delta": {}, "finish_reason": "null"}]}),
        ([("choices[0]", "", False)], {"choices": [{"index": 0, "delta": None}]}),
        (
            [("choices[0]", "ab", False)],
            {"choices": [delta([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])]},
        ),
        ([], {"choices": []}),
    ],
)
def test_units_of_a_record(expected: list[tuple[str, str, bool]], document: Any) -> None:
    assert expected == [(unit.name, unit.text, unit.closes) for unit in record(document).units]


@pytest.mark.parametrize(
    ("recognised", "error", "document"),
    [
        (True, False, {"choices": [choice("a")]}),
        (True, False, {"choices": [{"message": {"content": None, "tool_calls": []}}]}),
        (True, False, {"choices": []}),
        (True, False, {"object": "list", "data": []}),
        (False, False, {"choices": [{"text": "a"}]}),
        (False, False, {"choices": ["a"]}),
        (False, False, {"choices": {}}),
        (False, False, {"output": "a"}),
        (False, False, {}),
        (False, False, []),
        (False, True, {"error": {"message": "no"}}),
        (False, True, {"object": "error", "message": "no"}),
        (False, False, {"error": ""}),
        (False, False, {"error": {}, "message": "no"}),
        (False, False, {"error": 0, "output": "a"}),
        (False, False, {"error": None}),
        (True, False, {"error": {"code": 1}, "choices": [choice("a")]}),
    ],
)
def test_what_is_known(recognised: bool, error: bool, document: Any) -> None:
    found = body(document)
    assert (recognised, error) == (found.recognised, found.error)


PART = {"type": "text", "text": "a"}

KNOWN: list[Any] = [
    None,
    "",
    "a",
    [],
    {},
    [PART],
    [PART, {"type": "reference", "reference_ids": [1]}, {"type": "refusal", "refusal": "no"}],
    [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}],
    [{"type": "text", "text": ""}, {"type": "text", "text": None}, {"type": "text"}, {"type": "x", "text": ""}, None],
]
UNKNOWN: list[Any] = [
    7,
    0,
    True,
    {"text": "a"},
    {"type": "text"},
    ["a"],
    [7],
    [["a"]],
    [{"type": "x", "text": "a"}],
    [{"text": "a"}],
    [PART, {"type": "x", "text": "a"}],
    [{"type": "text", "text": {"value": "a"}}],
    [{"type": "x", "text": ["a"]}],
]


@pytest.mark.parametrize("value", KNOWN, ids=repr)
def test_forms_that_are_known(value: Any) -> None:
    assert body({"choices": [choice(value)]}).unknown is None
    assert record({"choices": [delta(value)]}).unknown is None
    assert body({"data": [{"choices": [choice(value)]}]}).unknown is None or isinstance(value, list)


@pytest.mark.parametrize("value", UNKNOWN, ids=repr)
def test_text_in_a_form_that_no_rule_reads(value: Any) -> None:
    assert body({"choices": [choice("b", 1), choice(value)]}).unknown[:2] == ("choices", 1)
    assert record({"choices": [delta("b", 1), delta(value)]}).unknown[:2] == ("choices", 1)
    assert body({"data": [{"choices": [choice(value)]}]}).unknown[:4] == ("data", 0, "choices", 0)


@pytest.mark.parametrize(
    ("known", "element"),
    [
        (True, {"delta": None}),
        (True, {"delta": ""}),
        (True, {"delta": []}),
        (True, {"delta": {"tool_calls": [{"function": {"arguments": '{"content":1}'}}], "content": None}}),
        (True, {"delta": {"reasoning_content": "a", "refusal": "b"}, "logprobs": {"content": [{"token": "a"}]}}),
        (True, {"content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}),
        (True, {"delta": {}, "text": ""}),
        (False, {"delta": "a"}),
        (False, {"delta": ["a"]}),
        (False, {"delta": 7}),
        (False, {"delta": {"text": "a"}}),
        (False, {"delta": {"content": None}, "text": "a"}),
        (False, {"text": "a"}),
        (True, {"delta": {}, "message": {"role": "assistant", "content": "", "tool_calls": [{"id": "a"}]}}),
        (True, {"delta": {"content": "a"}, "logprobs": {"content": [{"token": "a", "top_logprobs": []}]}}),
        (False, {"delta": {}, "message": {"content": "a"}}),
        (False, {"delta": {"content": "a"}, "message": {"content": "b"}}),
        (False, {"delta": {}, "x": {"content": ""}, "message": {"content": [PART]}}),
        (False, {"delta": {}, "message": {"content": {"text": "a"}}}),
        (False, {"message": {"content": "a"}}),
        (False, {"message": {"content": [{"type": "text", "text": "a"}]}}),
        (False, "a"),
        (False, 7),
    ],
)
def test_text_beside_the_place_that_the_rules_know(known: bool, element: Any) -> None:
    assert known is (record({"choices": [element]}).unknown is None)


@pytest.mark.parametrize(
    ("known", "document"),
    [
        (True, {"type": "ping"}),
        (True, {"choices": []}),
        (True, {"choices": {}}),
        (True, {"choices": None, "content": ""}),
        (True, {"error": {"message": "no", "type": "a", "code": "b", "param": "c"}}),
        (True, {"object": "error", "message": "no", "code": 400}),
        (False, {"error": {"message": "no"}, "text": "why"}),
        (False, {"error": {"message": "no"}, "output": [{"content": [PART]}]}),
        (False, {"error": {"content": "a"}}),
        (False, {"error": "no", "choices": "a"}),
        (False, {"choices": [], "content": ["a"]}),
        (True, 7),
        (False, {"content": "a"}),
        (False, {"choices": [], "text": "a"}),
        (False, {"choices": "a"}),
        (False, {"choices": {"index": 0, "delta": {"content": "a"}}}),
    ],
)
def test_text_where_there_is_no_element(known: bool, document: Any) -> None:
    assert known is (record(document).unknown is None)


MEDIA: list[dict[str, Any]] = [
    {"images": [{"type": "image", "data": "AA=="}]},
    {"audio": {"id": "a", "data": "AA==", "transcript": "b"}},
    {"content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]},
    {"content": [PART, {"type": "image", "data": "AA=="}]},
    {"content": [PART, {"type": "audio", "audio": "AA=="}]},
]


@pytest.mark.parametrize("message", MEDIA, ids=repr)
def test_media_that_cannot_be_labelled_yet(message: dict[str, Any]) -> None:
    message = {"content": "a", **message}
    assert body({"choices": [choice("a"), {"message": message}]}).medium is not None
    assert body({"data": [{"choices": [{"message": message}]}]}).medium is not None
    assert record({"choices": [{"delta": message}]}).medium is not None
    assert record({"choices": [{"delta": {}, "message": message}]}).medium is not None


@pytest.mark.parametrize("empty", [None, [], {}, ""])
def test_a_medium_that_is_not_there(empty: Any) -> None:
    for message in ({"content": "a", "audio": empty, "images": empty}, {"content": [PART], "audio": empty}):
        assert body({"choices": [{"message": message}]}).medium is None
        assert record({"choices": [{"delta": message}]}).medium is None


def test_what_a_negated_filter_keeps_out_is_known() -> None:
    rules = {"each": "candidates[*]", "span": "content.parts[?!thought]", "text": "text"}
    dialect = parse_dialect(TABLES["openai.images"] | {"body": [rules]})
    parts: list[Any] = [{"thought": True, "text": "hm"}, {"text": "a"}]
    found = content(dialect, dialect.body, {"candidates": [{"content": {"parts": parts}}]})
    assert ([unit.text for unit in found.units], found.unknown) == (["a"], None)
    found = content(dialect, dialect.body, {"candidates": [{"content": {"parts": [*parts, {"text": ["b"]}]}}]})
    assert found.unknown == ("candidates", 0, "content", "parts", 2, "text")


@pytest.mark.parametrize(
    ("empty", "document"),
    [(True, {"choices": []}), (False, {"choices": [delta(None)]}), (False, {"choices": None}), (False, {"x": 1})],
)
def test_what_is_empty(empty: bool, document: Any) -> None:
    assert empty is record(document).empty


@pytest.mark.parametrize(
    ("expected", "recognised", "document"),
    [
        (["data[0].b64_json", "data[1].url"], True, {"data": [{"b64_json": "x"}, {"url": "https://x/y"}]}),
        (["data[0].b64_json"], True, {"data": [{"b64_json": "x", "url": None}]}),
        (["data[0].b64_json"], True, {"data": [{"b64_json": "x", "url": ""}]}),
        (["data[0].b64_json"], False, {"data": [{"b64_json": "x"}, {"revised_prompt": "y"}]}),
        ([], False, {"data": [{"b64_json": None}]}),
        ([], False, {"data": [{"image": "x"}]}),
        ([], True, {"data": []}),
        ([], False, {"created": 1}),
        ([], False, {"images": ["x"]}),
    ],
)
def test_media(expected: list[str], recognised: bool, document: Any) -> None:
    found = content(IMAGES, IMAGES.body, document)
    assert expected == [spell(medium.place) for medium in found.media]
    assert recognised is found.recognised


NAMES = st.sampled_from(
    ["choices", "message", "delta", "content", "index", "data", "type", "text", "error", "finish_reason", "url"]
)
SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "a", "text"]),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=4),
    max_leaves=20,
)


@given(SHAPES)
def test_no_document_is_an_error_and_every_part_is_where_it_says(document: Any) -> None:
    for dialect, rules in ((CHAT, CHAT.body), (CHAT, CHAT.stream), (IMAGES, IMAGES.body)):
        for unit in content(dialect, rules, document).units:
            for place, text in unit.parts:
                one: Any = document
                for step in place:
                    one = one[step]
                assert text == one
                assert unit.element == place[: len(unit.element)]


@pytest.mark.parametrize(("expected", "place"), [("@", ()), ("a[0].b", ("a", 0, "b")), ("[1].a", (1, "a"))])
def test_places_as_people_write_them(expected: str, place: tuple[str | int, ...]) -> None:
    assert expected == spell(place)
