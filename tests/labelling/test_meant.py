"""An example holds where it says what happens, and does not where anything else happens, be it one byte."""

import json
from typing import Any

import pytest

from proxy.dialects.examples import Example
from proxy.labelling.meant import faults
from proxy.labelling.trial import Ran
from proxy.labelling.wire import answer, shape
from tests.labelling.answers import CHAT, PREFIX, WORDS, marked

AIGC = marked().aigc.compact()
BODY = Example("a body", body={"a": "Hi", "n": 3, "rest": [1, {"b": None}]}, changes={"a": "⟨P⟩Hi", "AIGC": "⟨aigc⟩"})
BODY_LEFT = f'{{"a":"{PREFIX}Hi","n":3,"rest":[1,{{"b":null}}],"AIGC":{AIGC}}}'.replace("\n", "\\n")
STREAM = Example(
    "a stream",
    stream=({"a": "Hel"}, {"a": "lo"}, {"end": True}, "[DONE]"),
    changes={0: {"a": "⟨P⟩Hel"}},
    added={2: {"a": "⟨S⟩"}},
)
STREAM_LEFT = (
    (
        f'data: {{"a":"{PREFIX}Hel"}}\n\ndata: {{"a":"lo"}}\n\ndata: {{"a":"@@{WORDS}"}}\n\n'
        'data: {"end":true}\n\ndata: [DONE]\n\n'
    )
    .replace(PREFIX, PREFIX.replace("\n", "\\n"))
    .replace("@@", "\\n\\n")
)


def found(example: Example, left: str, outcome: str = "labelled", reason: str = "", **tokens: str) -> list[str]:
    ran = Ran(
        marked(), left.encode(), outcome, reason, pictures=[(b"before", b"after"), (b"data:x,before", b"data:x,then")]
    )
    return faults(example, ran, answer(CHAT, example, tokens), WORDS, tokens)


def test_what_is_as_meant() -> None:
    assert [] == found(BODY, BODY_LEFT)
    assert [] == found(STREAM, STREAM_LEFT)


@pytest.mark.parametrize(
    ("expected", "old", "new"),
    [
        ('the answer: a is "Hi", meant is "【AI生成】\\n\\nHi"', PREFIX.replace("\n", "\\n"), ""),
        ("the answer: n is 4, meant is 3", '"n":3', '"n":4'),
        ('the answer: n is "3", meant is 3', '"n":3', '"n":"3"'),
        ("the answer: n is nothing, meant is 3", '"n":3,', ""),
        ("the answer: extra is 1, meant is nothing", '"n":3', '"n":3,"extra":1'),
        ("the answer: AIGC", '"ProduceID":"', '"ProduceID":"f'),
        ("with the changes undone", '"n":3', '"n": 3'),
        ("with the changes undone", '"n":3,"rest":[1,{"b":null}]', '"rest":[1,{"b":null}],"n":3'),
    ],
)
def test_a_body_that_is_otherwise(expected: str, old: str, new: str) -> None:
    assert BODY_LEFT.count(old) == 1
    assert expected in "\n".join(found(BODY, BODY_LEFT.replace(old, new)))


@pytest.mark.parametrize(
    ("expected", "old", "new"),
    [
        ("4 records left, meant are 5", 'data: {"a":"lo"}\n\n', ""),
        ("6 records left, meant are 5", "data: [DONE]\n\n", "data: [DONE]\n\n" * 2),
        ('record 1: a is "lO", meant is "lo"', '"lo"', '"lO"'),
        ("record 1: spelled otherwise than it came", '{"a":"lo"}', '{"a": "lo"}'),
        ("record 1: spelled otherwise than it came", 'data: {"a":"lo"}', 'data:{"a":"lo"}'),
        ("the record added before 2: a is", f"\\n\\n{WORDS}", WORDS),
        ("with the changes undone", "data: [DONE]", ": note\n\ndata: [DONE]"),
    ],
)
def test_a_stream_that_is_otherwise(expected: str, old: str, new: str) -> None:
    assert STREAM_LEFT.count(old) == 1
    assert expected in "\n".join(found(STREAM, STREAM_LEFT.replace(old, new)))


@pytest.mark.parametrize(
    ("expected", "meant", "outcome", "reason"),
    [
        ([], "blocked: holds text", "blocked", "a holds text in a form"),
        (["the outcome is blocked: b, meant is blocked: holds text"], "blocked: holds text", "blocked", "b"),
        (["the outcome is labelled, meant is blocked"], "blocked", "labelled", ""),
        (["the outcome is metadata only: c, meant is labelled"], "labelled", "metadata only", "c"),
    ],
)
def test_outcomes(expected: list[str], meant: str, outcome: str, reason: str) -> None:
    assert expected == found(Example("a", body={"a": 1}, outcome=meant), "", outcome, reason)


def test_what_is_blocked_has_not_left() -> None:
    example = Example("a", body={"a": 1}, outcome="blocked")
    assert ["the answer was blocked, and all of it had left"] == found(example, '{"a":1}', "blocked")


@pytest.mark.parametrize(
    ("holds", "before", "meant", "after"),
    [
        (True, 4, "⟨4+P⟩", 4 + len(PREFIX)),
        (False, 4, "⟨4+P⟩", 4),
        (True, 4, "⟨4+P bytes⟩", 4 + len(PREFIX.encode())),
        (False, 4, "⟨4+P bytes⟩", 4 + len(PREFIX)),
        (True, "a", "⟨N⟩a", WORDS + "a"),
        (True, "a", ["⟨P⟩", {"b": "⟨aigc⟩"}], [PREFIX, {"b": json.loads(AIGC)}]),
        (False, "a", ["⟨P⟩"], [PREFIX, 1]),
        (True, "before", "⟨labelled⟩", "after"),
        (True, "data:x,before", "data:x,⟨labelled⟩", "data:x,then"),
        (False, "before", "⟨labelled⟩", "before"),
        (False, "other", "⟨labelled⟩", "after"),
    ],
)
def test_tokens(holds: bool, before: Any, meant: Any, after: Any) -> None:
    example = Example("a", body={"a": before}, changes={"a": meant})
    assert holds is (found(example, json.dumps({"a": after}, separators=(",", ":"))) == [])


@pytest.mark.parametrize(
    ("before", "place", "after"),
    [
        ({"a": {"b": 1}}, "a.AIGC", '{"a":{"b":1,"AIGC":X}}'),
        ({"a": {}}, "a.AIGC", '{"a":{"AIGC":X}}'),
        ({"b": 1}, "a.AIGC", '{"b":1,"a":{"AIGC":X}}'),
        ({"a": [1]}, "a[1]", '{"a":[1,X]}'),
        ({"a": []}, "a[0]", '{"a":[X]}'),
        ([{"a": 1}], "[0].a", '[{"a":X}]'),
    ],
)
def test_places_that_are_made(before: Any, place: str, after: str) -> None:
    example = Example("a", body=before, changes={place: "⟨aigc⟩"})
    assert [] == found(example, after.replace("X", AIGC))


def test_a_place_that_cannot_be() -> None:
    (told,) = [one for one in found(Example("a", body={"a": 1}, changes={"a.b[3]": 1}), '{"a":1}') if "place" in one]
    assert told == "the answer: the example changes a.b[3], and there is no such place"


def test_broken_framing_is_told() -> None:
    example = Example("a", stream=({"a": 1},), framing="json_array")
    assert shape(example) == "json_array"
    assert "what left is broken" in "\n".join(found(example, '[{"a":1}]x'))


def test_a_picture_that_is_the_whole_answer() -> None:
    example = Example("a", body="⟨png⟩", changes={"@": "⟨labelled⟩"})
    for left, expected in ((b"1,2", []), (b"1,3", ["the answer is not the labelled picture"])):
        ran = Ran(marked(), left, "labelled", pictures=[(b"0,1", b"1,2")])
        assert expected == faults(example, ran, b"0,1", WORDS, {"png": "MCwx"})
