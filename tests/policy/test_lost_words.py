"""Words that were in force are known for good, by whichever policy."""

from collections.abc import Mapping
from datetime import date

import pytest

from proxy.policy.lost_words import lost_words
from proxy.policy.parse import parse
from proxy.policy.policies import PolicySet


def policy(name: str, *words: str, retired: tuple[str, ...] = ()) -> tuple[str, object]:
    """A policy's data with one rule for each of the words."""
    rules = [
        {
            "id": f"r{index}",
            "when": {"kind": "text", "model": f"m{index}"},
            "clause": "-",
            "notice": {"words": {"en": one}},
        }
        for index, one in enumerate(words)
    ]
    return name, {
        "policy": name,
        "title": "-",
        "as_of": date(2026, 11, 21),
        "sources": [],
        "rules": rules or [{"id": "r", "when": {"kind": "text"}, "clause": "-", "metadata": ["header"]}],
        "retired_words": list(retired),
    }


def policies(*held: tuple[str, object]) -> PolicySet:
    return PolicySet({name: parse(data, name) for name, data in held})


OLD = policies(policy("a", "[A]", "[B]"), policy("b", "[C]", retired=("[old]",)))


@pytest.mark.parametrize(
    ("expected", "after"),
    [
        ({}, [policy("a", "[A]", "[B]"), policy("b", "[C]", retired=("[old]",))]),
        ({}, [policy("a", "[A]", "[B]", "[new]"), policy("b", "[C]", "[old]")]),
        ({"a": ("[B]",)}, [policy("a", "[A]"), policy("b", "[C]", retired=("[old]",))]),
        ({}, [policy("a", "[A]", retired=("[B]",)), policy("b", "[C]", retired=("[old]",))]),
        ({}, [policy("a", "[A]"), policy("b", "[C]", retired=("[old]", "[B]"))]),
        ({"b": ("[old]",)}, [policy("a", "[A]", "[B]"), policy("b", "[C]")]),
        ({"b": ("[old]", "[C]")}, [policy("a", "[A]", "[B]")]),
        ({}, [policy("c", "[A]", "[B]", "[C]", retired=("[old]",))]),
        ({"a": ("[A]", "[B]"), "b": ("[old]", "[C]")}, []),
    ],
)
def test_what_is_lost_is_told_with_the_policy_that_had_it(
    expected: Mapping[str, tuple[str, ...]], after: list[tuple[str, object]]
) -> None:
    assert expected == lost_words(OLD, policies(*after))


def test_words_that_two_policies_had_are_told_once() -> None:
    before = policies(policy("a", "[A]"), policy("b", "[A]", "[B]"))
    assert {"a": ("[A]",), "b": ("[B]",)} == lost_words(before, policies())
