"""Documents compared place by place, and the records that left paired with those that came."""

import json
from typing import Any

import pytest

from proxy.labelling.differences import NOTHING, Difference, Pair, differences, paired, parsed


@pytest.mark.parametrize(
    ("expected", "before", "after"),
    [
        ([], {"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}),
        ([], {"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ([Difference((), 1, 2)], 1, 2),
        ([Difference((), 1, True)], 1, True),
        ([Difference((), 1, 1.0)], 1, 1.0),
        ([Difference(("a",), NOTHING, 1)], {}, {"a": 1}),
        ([Difference(("a",), 1, NOTHING)], {"a": 1}, {}),
        ([Difference(("a",), NOTHING, None)], {}, {"a": None}),
        ([Difference(("a", 1), NOTHING, 2)], {"a": [1]}, {"a": [1, 2]}),
        ([Difference(("a", 0, "b"), "x", "y")], {"a": [{"b": "x"}]}, {"a": [{"b": "y"}]}),
        ([Difference((), {}, [])], {}, []),
    ],
)
def test_differences(expected: list[Difference], before: Any, after: Any) -> None:
    assert expected == list(differences(before, after))


def test_places_are_spelled_as_people_write_them() -> None:
    assert [one.name for one in differences({"a": [{"b": 1}]}, {"a": [{"b": 2}]})] == ["a[0].b"]
    assert [one.name for one in differences(1, 2)] == ["@"]


STOP = {"delta": {}, "finish": "stop"}
SUFFIX = {"delta": {"text": "\n\nN"}, "finish": None}


@pytest.mark.parametrize(
    ("expected", "came", "left"),
    [
        ([(0, True)], [{"a": "b"}], [{"a": "Nb"}]),
        ([(0, True), (1, False), (1, True)], [{"a": "b"}, STOP], [{"a": "Nb", "AIGC": {}}, SUFFIX, STOP]),
        ([(0, True), (1, False)], [STOP], [STOP, SUFFIX]),
        ([(0, True), (1, True)], [{"a": "b"}, {"a": "c"}], [{"a": "x"}, {"a": "y"}]),
        (
            [(0, True), (1, False), (1, True)],
            [{"a": "b"}, {"full": "b", "at": 1}],
            [{"a": "b"}, {"a": "N"}, {"full": "bN", "at": 3}],
        ),
    ],
)
def test_pairs(expected: list[tuple[int, bool]], came: list[Any], left: list[Any]) -> None:
    pairs = paired([json.dumps(one).encode() for one in came], [json.dumps(one).encode() for one in left])
    assert expected == [(pair.number, pair.came is not None) for pair in pairs]


def test_what_is_no_json_is_its_own_text() -> None:
    assert parsed(b"[DONE]") == "[DONE]"
    assert [Pair(0, b"[DONE]", b"[DONE]")] == list(paired([b"[DONE]"], [b"[DONE]"]))
