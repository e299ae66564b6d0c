"""Whatever rules tell apart has a cell, and its witness is treated as all that it stands for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.policy.cells import MOST_CELLS, Space
from proxy.policy.conditions import Conditions
from proxy.policy.facts import Facts
from proxy.policy.vocabulary import When

_letters = st.text(alphabet="ab", min_size=1, max_size=3)
_patterns = st.one_of(_letters, _letters.map("{}*".format), _letters.map("*{}".format))
_several = st.lists(_patterns, min_size=1, max_size=3, unique=True).map(tuple)
_models = st.text(alphabet="abc", max_size=7)


@given(st.lists(_several, min_size=1, max_size=4), _models)
def test_for_every_response_there_is_a_cell_that_the_same_rules_fit(several: list[tuple[str, ...]], model: str) -> None:
    whens: list[When] = [(("kind", ("text",)), ("model", patterns)) for patterns in several]
    conditions, space = Conditions(whens), Space("text", whens)
    fitting = {conditions.rules(conditions.outcomes(space.facts(cell))) for cell in space.cells()}
    assert conditions.rules(conditions.outcomes(Facts("text", model=model))) in fitting


@pytest.mark.parametrize(
    ("expected", "when"),
    [
        ({"zh", "zh-TW", "en", ""}, (("language", ("zh", "zh-TW", "en")),)),
        ({"/v1/*", "/v1/chat", "/v1/**", ""}, (("path", ("/v1/*", "/v1/chat", "/v1/**")),)),
        ({"acme", ""}, (("upstream", ("acme",)),)),
        ({"/**", ""}, (("route", ("/**",)),)),
        ({"200", "500", "0"}, (("min_tokens", ("500", "200")),)),
    ],
)
def test_the_values_of_a_fact(expected: set[str], when: When) -> None:
    (values,) = Space("text", [when]).values
    assert expected == {value.pattern for value in values}


@pytest.mark.parametrize(
    ("expected", "when"),
    [
        ([("yes", "unknown"), ("no",)], (("deepfake", ("no",)),)),
        ([("true",), ("false",)], (("streaming", ("true",)),)),
        ([("plain", "tool", "reasoning", "fill-in"), ("json",), ("code",)], (("output", ("json", "code")),)),
        ([("", "hide"), ("show",)], (("wish", ("show",)),)),
        ([("true",), ("false",)], (("granted", ("true",)),)),
    ],
)
def test_what_a_closed_list_is_cut_into(expected: list[tuple[str, ...]], when: When) -> None:
    (values,) = Space("text", [when]).values
    assert expected == [value.alike for value in values]


def test_a_pattern_within_another_has_cells_of_its_own() -> None:
    space = Space("text", [(("model", ("gpt-*", "*-mini", "gpt-4o")),)])
    assert ("model",) == space.names
    assert ["gpt-4o", "gpt-*", "*-mini", "gpt-*-mini", ""] == [value.pattern for value in space.values[0]]


def test_values_that_people_have_in_mind_are_tried() -> None:
    # Neither begins as one pattern does and ends as the other.
    whens: list[When] = [(("model", ("*b*", "*c*")),)]
    known = [Facts("text", model="abc"), Facts("image", model="x")]
    patterns = [value.pattern for value in Space("text", whens, known).values[0]]
    assert "abc" in patterns
    assert "x" not in patterns


def test_what_is_known_of_texts_alone_cuts_nothing_else() -> None:
    whens: list[When] = [
        (("kind", ("text",)), ("output", ("code",)), ("min_tokens", ("200",))),
        (("streaming", ("true",)),),
    ]
    assert ("streaming", "output", "min_tokens") == Space("text", whens).names
    assert ("streaming",) == Space("image", whens).names
    text = Space("text", whens)
    assert {"code": 2, "plain": 2} == {
        output: len({facts.tokens for facts in map(text.facts, text.cells()) if facts.output == output})
        for output in ("code", "plain")
    }
    assert [None] == [facts.tokens for facts in map(Space("image", []).facts, Space("image", []).cells())]


def test_too_many_cells_are_cut_short() -> None:
    names = ("model", "dialect", "path", "tenant")
    whens: list[When] = [tuple((name, (f"/{n}",)) for name in names) for n in range(30)]
    space = Space("text", whens)
    assert 31**4 == space.size
    cells = list(space.cells())
    assert len(cells) == len(set(cells)) <= MOST_CELLS
    assert {f"/{n}" for n in range(30)} <= {facts.path for facts in map(space.facts, cells)}
