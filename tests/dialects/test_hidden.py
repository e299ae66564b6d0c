"""Text in a place that no rule reads is seen, whatever it is wrapped in, and what is silent is not taken for it."""

from typing import Any

import pytest

from proxy.dialects.dialect import Silent
from proxy.dialects.hidden import instead, is_empty, residue

LEAVES = frozenset({"text", "content"})
SILENT = Silent(names=frozenset({"tool_calls"}), types=frozenset({"thinking"}))


@pytest.mark.parametrize(
    ("expected", "document"),
    [
        (None, {}),
        (None, {"text": "", "content": None}),
        (None, {"text": [], "content": {}}),
        (None, {"text": 7, "content": True}),
        (None, {"title": "a", "names": ["b"]}),
        (("text",), {"text": "a"}),
        (("text",), {"text": ["a"]}),
        (("text",), {"text": [None, "a"]}),
        (("text", 0, "content"), {"text": [{"content": "a"}]}),
        (("a", 1, "b", "content"), {"a": [{}, {"b": {"content": "a"}}]}),
        (("a", 0, 0, "text"), {"a": [[{"text": "a"}]]}),
        ((0, "text"), [{"text": "a"}]),
        (None, "text"),
        (None, ["text", "content"]),
        # For nobody, or not generated.
        (None, {"tool_calls": [{"text": "a"}]}),
        (None, {"tool_calls": {"content": ["a"]}}),
        (None, {"a": [{"type": "thinking", "text": "a"}]}),
        (("a", 0, "text"), {"a": [{"type": "other", "text": "a"}]}),
        (("a", 0, "text"), {"a": [{"type": ["thinking"], "text": "a"}]}),
        (None, {"parts": [{"thought": True, "text": "a"}]}),
        (("parts", 0, "text"), {"parts": [{"thought": False, "text": "a"}]}),
    ],
)
def test_residue(expected: object, document: Any) -> None:
    assert expected == residue(document, LEAVES, ("thought",), SILENT, set())


def test_what_was_read_is_no_residue_and_its_twin_is() -> None:
    part, twin = {"text": "a"}, {"text": "a"}
    document = {"parts": [part, twin]}
    assert residue(document, LEAVES, (), SILENT, {(id(part), "text")}) == ("parts", 1, "text")
    assert residue(document, LEAVES, (), SILENT, {(id(one), "text") for one in (part, twin)}) is None
    assert residue(document, LEAVES, (), SILENT, {(id(part), "content"), (id(twin), "text")}) == ("parts", 0, "text")


def test_depth_is_no_hiding_place() -> None:
    document: Any = {"text": "a"}
    for _ in range(5000):
        document = {"a": [document]}
    assert residue(document, LEAVES, (), SILENT, set()) is not None


@pytest.mark.parametrize(
    ("expected", "document"),
    [
        (None, {}),
        (None, {"choices": []}),
        (None, {"choices": [1]}),
        (None, {"choices": None, "output": {"items": ""}}),
        (None, {"output": None}),
        (None, 7),
        (("choices",), {"choices": "a"}),
        (("choices",), {"choices": {"0": "a"}}),
        (("choices",), {"choices": 0}),
        (("output", "items"), {"output": {"items": {"a": 1}}}),
        (None, {"output": [{"items": "a"}]}),
    ],
)
def test_something_else_in_the_place_of_the_elements(expected: object, document: Any) -> None:
    assert expected == instead([("choices",), ("output", "items"), ()], document)


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        (True, None),
        (True, False),
        (True, ""),
        (True, []),
        (True, {}),
        (False, 0),
        (False, 0.0),
        (False, " "),
        (False, [0]),
    ],
)
def test_is_empty(expected: bool, value: object) -> None:
    assert expected is is_empty(value)
