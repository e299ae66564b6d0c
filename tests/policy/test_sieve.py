"""A value lets through what each pattern by itself would let through, and costs no more for there being many."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.policy.facts import Facts
from proxy.policy.patterns import Match, match_name
from proxy.policy.sieve import _MOST_VALUES, Sieve
from proxy.policy.vocabulary import FACTS

_names = st.text("abB-", max_size=6)
_name_patterns = st.text("abB*?-", min_size=1, max_size=6)
_segments = st.sampled_from(["v1", "chat", "a", "ab", "abcdefghijklmnopqrstuvwxyz"])
_path_segments = _segments | st.sampled_from(["*", "**", "a*", "*b", "?", "v?", "*lmn*"])
_paths = st.lists(_segments, max_size=4).map(lambda parts: "/" + "/".join(parts))
_path_patterns = st.lists(_path_segments, max_size=4).map(lambda parts: "/" + "/".join(parts))
_tags = st.sampled_from(["", "zh", "zh-tw", "zha", "en"])


@pytest.mark.parametrize(
    ("name", "values", "patterns"),
    [
        ("model", _names, _name_patterns),
        ("model", _names.map(lambda name: name * 20), _name_patterns),
        ("path", _paths, _path_patterns),
        ("language", _tags, st.sampled_from(["zh", "ZH-TW", "en"])),
    ],
)
def test_as_if_each_pattern_were_tried_by_itself(
    name: str, values: st.SearchStrategy[str], patterns: st.SearchStrategy[str]
) -> None:
    fact = FACTS[name]

    @given(st.lists(st.lists(patterns, max_size=3, unique=True).map(tuple), max_size=12), st.lists(values, max_size=4))
    def law(rules: list[tuple[str, ...]], several: list[str]) -> None:
        sieve = Sieve(fact, rules)
        for value in several * 2:
            facts = Facts("text")._replace(**{name: value})
            expected = sum(
                1 << index
                for index, asked in enumerate(rules)
                if not asked or any(fact.match(pattern)(fact.plain(value)) for pattern in asked)
            )
            assert expected == sieve.rules(sieve.outcome(facts))

    law()


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [("gpt-{n}*", "gpt-77-mini"), ("*-{n}", "gpt-77"), ("*-{n}-*", "gpt-77-mini"), ("?{n}?", "x77y")],
)
def test_a_value_is_not_held_against_every_pattern(pattern: str, fits: str) -> None:
    tried: Counter[str] = Counter()

    def counted(one: str) -> Match:
        match = match_name(one)

        def fitted(value: str) -> bool:
            tried[value] += 1
            return match(value)

        return fitted

    rules = [(pattern.format(n=n),) for n in range(10, 1000)]
    sieve = Sieve(replace(FACTS["model"], match=counted), rules)
    assert 1 << 67 == sieve.rules(sieve.outcome(Facts("text", model=fits)))
    assert 1 <= tried[fits] <= 12
    sieve.outcome(Facts("text", model="nothing of the kind"))
    assert tried["nothing of the kind"] == 0


@pytest.mark.parametrize(
    ("name", "pattern"),
    [("model", "*-{n}-*"), ("model", "*a*b*c*d*-{n}"), ("path", "/**/a*{n}/**"), ("path", "/**/a/*/a/**/{n}")],
)
def test_a_long_value_takes_its_length_and_no_more(name: str, pattern: str) -> None:
    sieve = Sieve(FACTS[name], [(pattern.format(n=n),) for n in range(3)])
    long = Facts("text", model="abcd-" * 100_000, path="a/b/" * 16_000)
    begun = time.process_time()
    for _ in range(1000):  # an exchange asks more than once
        assert not sieve.rules(sieve.outcome(long))
    assert time.process_time() - begun < 1


def test_only_so_much_of_what_clients_invent_is_remembered() -> None:
    sieve = Sieve(FACTS["model"], [("gpt-*",)])
    for n in range(2 * _MOST_VALUES):
        facts = Facts("text", model=f"gpt-{n}" if n % 2 else f"o{n}")
        for _ in range(2):
            assert bool(n % 2) is bool(sieve.rules(sieve.outcome(facts)))
        assert 0 < len(sieve._known) <= _MOST_VALUES
    sieve._known.clear()
    for n in range(10):
        assert sieve.rules(sieve.outcome(Facts("text", model=f"gpt-{n}" + "x" * 1000)))
    assert len(sieve._known) == 1


def test_a_number_never_comes_to_mean_another_set_of_rules() -> None:
    """Even where there are more sets than are remembered."""
    bits = _MOST_VALUES.bit_length() + 1
    sieve = Sieve(FACTS["model"], [(f"*{chr(97 + bit)}*",) for bit in range(bits)])
    meant: dict[int, int] = {}
    for number in [*range(2 * _MOST_VALUES), *range(100)]:
        name = "".join(chr(97 + bit) for bit in range(bits) if number >> bit & 1)
        outcome = sieve.outcome(Facts("text", model=name))
        assert number == sieve.rules(outcome)
        assert number == meant.setdefault(outcome, number)
