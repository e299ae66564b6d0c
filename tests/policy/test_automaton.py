"""What patterns tell apart has one value each: no set of patterns that some value fits is missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.policy.automaton import found
from proxy.policy.reach import between
from proxy.policy.vocabulary import FACTS

_segments = st.sampled_from(["a", "b", "ab", "*", "**", "a*", "*b", "?", "*a*"])
_paths = st.lists(_segments, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
_names = st.text("ab*?/-", min_size=1, max_size=5)
_tags = st.sampled_from(["zh", "ZH-TW", "zh-t", "fi", "fil", "z"])


@pytest.mark.parametrize(
    ("name", "patterns", "values"),
    [
        ("model", _names, st.text("abc/-", max_size=7)),
        ("path", _paths, st.lists(st.sampled_from(["a", "b", "c", "ab", "ba", "bab"]), max_size=5).map("/".join)),
        ("language", _tags, st.sampled_from(["", "z", "zh", "zh-x", "zh-tw", "zh-tw-x", "zha", "fil", "fi-t"])),
    ],
)
def test_every_value_fits_the_same_patterns_as_one_that_was_found(
    name: str, patterns: st.SearchStrategy[str], values: st.SearchStrategy[str]
) -> None:
    fact = FACTS[name]

    @given(st.lists(patterns, min_size=1, max_size=4, unique=True), st.lists(values, max_size=20))
    def law(asked: list[str], met: list[str]) -> None:
        matches = [fact.match(pattern) for pattern in asked]
        literals = [fact.plain(pattern) for pattern in asked if fact.is_literal(pattern)]
        apart = between(name, asked)
        assert apart.whole
        spelled = [fact.plain(value) for value in apart.values]
        assert not set(literals) & set(spelled)
        there = {tuple(match(value) for match in matches) for value in [*spelled, *literals]}
        assert {tuple(match(fact.plain(value)) for match in matches) for value in met} <= there

    law()


def test_too_many_sets_are_said_to_be() -> None:
    assert not found([(*"*", chr(0x100 + n), *"*") for n in range(20)]).whole


def test_many_patterns_take_no_time() -> None:
    assert found([f"family-{n}-*" for n in range(200)], [f"family-{n}-small" for n in range(500)]).whole
