"""A path leads to every place that it names, in document order, and a document of another shape is no error."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dialects.paths import MISSING, parse_condition, parse_path

DOCUMENT: dict[str, Any] = {
    "choices": [
        {"message": {"content": "a", "role": "assistant"}, "index": 0},
        {
            "message": {
                "content": [{"type": "text", "text": "b"}, {"type": "image"}, {"type": "text", "text": "c"}, "loose"]
            }
        },
    ],
    "parts": [{"text": "seen"}, {"text": "thought", "thought": True}, {"text": "seen too", "thought": False}],
    "zero": 0,
    "no": None,
    "false": False,
    "true": True,
}


@pytest.mark.parametrize(
    ("expected", "path"),
    [
        ([("choices", 0, "message", "content"), ("choices", 1, "message", "content")], "choices[*].message.content"),
        (
            [("choices", 1, "message", "content", 0, "text"), ("choices", 1, "message", "content", 2, "text")],
            "choices[*].message.content[?type=text].text",
        ),
        ([("parts", 0, "text"), ("parts", 2, "text")], "parts[?!thought].text"),
        ([("parts", 1, "text")], "parts[?thought].text"),
        ([("choices", 1, "message")], "choices[-1].message"),
        ([("choices", 0, "index")], "choices[0].index"),
        ([()], "@"),
        ([], "choices[7]"),
        ([], "choices[-3]"),
        ([], "choices.message"),
        ([], "zero[*]"),
        ([], "no.more"),
        ([("no",)], "no"),
        ([], "nowhere[*].content"),
    ],
)
def test_find(expected: list[tuple[str | int, ...]], path: str) -> None:
    found = parse_path(path).find(DOCUMENT)
    assert expected == [place for place, _ in found]
    for place, value in found:
        one: Any = DOCUMENT
        for step in place:
            one = one[step]
        assert one is value
    assert [("behind", *place) for place in expected] == [
        place for place, _ in parse_path(path).find(DOCUMENT, ("behind",))
    ]


@pytest.mark.parametrize(
    ("expected", "path"),
    [
        ("a", "choices[*].message.content"),
        (None, "no"),
        (MISSING, "no.more"),
        (MISSING, "choices[9].index"),
        (DOCUMENT, "@"),
        (0, "zero"),
    ],
)
def test_value_is_the_first(expected: object, path: str) -> None:
    assert expected == parse_path(path).value(DOCUMENT)


SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "type"]), below, max_size=3),
    max_leaves=12,
)


@given(SHAPES, st.sampled_from(["a", "a.b", "a[*].b", "a[0].b", "a[-1]", "a[?type=b].a", "a[?!b].a", "@", "a[*][*].b"]))
def test_no_document_is_an_error(document: Any, path: str) -> None:
    compiled = parse_path(path)
    found = compiled.find(document)
    assert compiled.value(document) is (found[0][1] if found else MISSING) or compiled.value(document) == found[0][1]
    parse_condition(path.replace("@", "a") + "~x").holds(document)


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "a[", "a[]", "a[x]", "a[?]", "a]b", "a[*", "[?=1]"])
def test_what_is_no_path(text: str) -> None:
    with pytest.raises(ValueError, match="path"):
        parse_path(text)


@pytest.mark.parametrize(
    ("expected", "condition", "document"),
    [
        (True, "error", {"error": {}}),
        (True, "error", {"error": ""}),
        (True, "error", {"error": 0}),
        (False, "error", {"error": None}),
        (False, "error", {"error": False}),
        (False, "error", {}),
        (False, "error", []),
        (True, "object=error", {"object": "error"}),
        (False, "object=error", {"object": "errors"}),
        (True, "a=true", {"a": True}),
        (False, "a=1", {"a": True}),
        (True, "type~json", {"type": "json_schema"}),
        (False, "type~json", {"type": ["json"]}),
        (True, "m[-1].role=assistant", {"m": [{"role": "user"}, {"role": "assistant"}]}),
        (False, "m[-1].role=assistant", {"m": [{"role": "assistant"}, {"role": "user"}]}),
        (True, "m[?role=user].x=1=2", {"m": [{"role": "user", "x": "1=2"}]}),
    ],
)
def test_conditions(expected: bool, condition: str, document: Any) -> None:
    assert expected is parse_condition(condition).holds(document)


@pytest.mark.parametrize("text", ["", "=a", "a=", "~", "a.=b"])
def test_what_is_no_condition(text: str) -> None:
    with pytest.raises(ValueError, match=r"condition|path"):
        parse_condition(text)
