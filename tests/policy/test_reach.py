"""A rule that no fact can reach is found, and no other is accused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.policy.conditions import Conditions
from proxy.policy.facts import Facts
from proxy.policy.reach import unreachable
from proxy.policy.vocabulary import When

TEXT: When = (("kind", ("text",)),)
IMAGE: When = (("kind", ("image",)),)
SOUND_AND_VIDEO: When = (("kind", ("audio", "video")),)


def model(*patterns: str) -> When:
    return (("model", patterns),)


def language(*patterns: str) -> When:
    return (("language", patterns),)


def least(tokens: str) -> When:
    return (*TEXT, ("min_tokens", (tokens,)))


KINDS: When = (("kind", ("text", "image")),)
SEVERAL: When = (("model", ("a*",)), ("path", ("/v1/**",)), ("tenant", ("x*",)), ("dialect", ("openai.*",)))


def path(*patterns: str) -> When:
    return (("path", patterns),)


@pytest.mark.parametrize(
    ("expected", "whens"),
    [
        ([], [TEXT, IMAGE]),
        ([], [TEXT, ()]),
        ([(1, (0,))], [TEXT, TEXT]),
        ([(1, (0,))], [(), TEXT]),
        ([], [TEXT, IMAGE, ()]),
        ([(4, (0, 1, 2, 3))], [TEXT, IMAGE, SOUND_AND_VIDEO, (("kind", ("document",)),), ()]),
        ([(2, (0, 1))], [(("streaming", ("true",)),), (("streaming", ("false",)),), TEXT]),
        ([], [(("streaming", ("true",)),), TEXT]),
        ([(1, (0,))], [model("gpt-*"), model("gpt-4", "gpt-5*")]),
        ([], [model("gpt-*"), model("gpt-4", "o3")]),
        ([(1, (0,))], [model("GPT-4"), model("gpt-4")]),
        ([], [model("gpt-4"), model("gpt-*")]),
        ([], [model("a?*"), model("a*")]),
        ([], [model("a"), model("a*")]),
        ([], [model("a??"), model("a*")]),
        ([(1, (0,))], [model("a*"), model("a?b*")]),
        ([(1, (0,))], [model("*"), ()]),
        ([], [model("?*"), ()]),
        ([(1, (0,))], [path("/**"), path("/v1/*")]),
        ([(1, (0,))], [path("/v1/**"), path("/v1")]),
        ([], [path("/v1/*"), path("/v1/**")]),
        ([(1, (0,))], [path("/v1/*"), path("/v1/x*")]),
        ([], [path("/*/*/*"), ()]),
        # What is left to the last one is neither nothing nor two segments, neither nothing nor one character.
        ([], [path("/a"), path("/a/*/*"), path("/a/**")]),
        ([], [path("/v1", "/v1/*", "/v1/*/*"), path("/v1/**")]),
        ([(1, (0,))], [path("/v1", "/v1/*", "/v1/*/**"), path("/v1/**")]),
        ([], [model("a", "a?", "a???*"), model("a*")]),
        ([(1, (0,))], [model("a", "a?", "a??*"), model("a*")]),
        ([(2, (0, 1))], [model("*a*"), model("*b*"), model("*a?c", "b*")]),
        ([], [model("*a*b*"), model("*b*a*"), model("*a*")]),
        ([], [model("a"), path("/a"), model("a*") + path("/**")]),
        ([], [(("route", ("/**",)),), (("route", ("/v1/**",)),)]),
        ([(1, (0,))], [(("upstream", ("a", "b")),), (("upstream", ("b",)),)]),
        ([(1, (0,))], [language("zh"), language("zh-TW")]),
        ([], [language("zh-TW"), language("zh")]),
        ([(1, (0,))], [least("100"), least("200")]),
        ([], [least("200"), least("100"), TEXT]),
        ([], [(("deepfake", ("yes", "unknown")),), (("deepfake", ("no",)),)]),
        ([(2, (0, 1))], [(("deepfake", ("yes", "unknown")),), (("deepfake", ("no",)),), TEXT]),
        ([(2, (0, 1))], [(("informed", ("true",)),), (("informed", ("false",)),), ()]),
        # However many facts other rules ask about, what a rule itself leaves open is tried in every way that counts.
        ([(2, (0, 1))], [TEXT, IMAGE, (*SEVERAL, *KINDS)]),
        ([], [(*SEVERAL, *TEXT), (*SEVERAL, *KINDS)]),
    ],
)
def test_unreachable(expected: list[tuple[int, tuple[int, ...]]], whens: list[When]) -> None:
    assert expected == list(unreachable(whens))


_patterns = st.text(alphabet="ab*?", min_size=1, max_size=4)
_models = st.text(alphabet="abc", max_size=6)


@given(st.lists(_patterns, min_size=2, max_size=4), st.lists(_models, max_size=30))
def test_what_a_fact_reaches_is_not_called_unreachable(patterns: list[str], models: list[str]) -> None:
    whens = [model(pattern) for pattern in patterns]
    accused = {index for index, _ in unreachable(whens)}
    conditions = Conditions(whens)
    for name in models:
        held = conditions.rules(conditions.outcomes(Facts(kind="text", model=name)))
        if held:
            assert (held & -held).bit_length() - 1 not in accused


def test_many_rules_are_checked_in_time() -> None:
    whens = [TEXT + model(f"model-{n}") for n in range(2000)]
    assert not list(unreachable(whens))
