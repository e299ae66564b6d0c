"""What a rule asks for is answered as if each pattern were tried by itself; every fact has its row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.policy.conditions import FACTS, Conditions, When
from proxy.policy.facts import Facts

FACTS_OF_ONE = Facts(
    kind="text",
    dialect="openai.chat",
    path="/v1/chat/completions",
    model="GPT-4",
    upstream="models",
    route="/v1/**",
    streaming=True,
)


@pytest.mark.parametrize(
    ("expected", "name", "patterns"),
    [
        (True, "kind", ("text",)),
        (True, "kind", ("image", "text")),
        (False, "kind", ("image",)),
        (True, "dialect", ("openai.*",)),
        (False, "dialect", ("openai.images",)),
        (True, "path", ("/v1/chat/**",)),
        (True, "path", ("/V1//chat/completions/",)),
        (False, "path", ("/v1/*",)),
        (True, "model", ("gpt-?",)),
        (True, "model", ("o3", "gpt-4")),
        (False, "model", ("gpt-4o",)),
        (True, "upstream", ("models",)),
        (False, "upstream", ("model*",)),
        (True, "route", ("/v1/**",)),
        (False, "route", ("/**",)),
        (True, "streaming", ("true",)),
        (False, "streaming", ("false",)),
    ],
)
def test_every_fact(expected: bool, name: str, patterns: tuple[str, ...]) -> None:
    conditions = Conditions([((name, patterns),)])
    assert expected is bool(conditions.rules(conditions.outcomes(FACTS_OF_ONE)))


def test_all_facts_of_a_rule_must_fit() -> None:
    conditions = Conditions(
        [
            (),
            (("kind", ("text",)), ("model", ("gpt-*",))),
            (("kind", ("text",)), ("model", ("o*",))),
            (("model", ("gpt-*",)), ("streaming", ("true",))),
        ]
    )
    assert conditions.rules(conditions.outcomes(FACTS_OF_ONE)) == 0b1011


def test_facts_that_no_rule_asks_about_are_not_looked_at() -> None:
    class OnlyKind:
        kind = "text"

    conditions = Conditions([(("kind", ("text",)),), ()])
    assert conditions.rules(conditions.outcomes(OnlyKind())) == 0b11  # type: ignore[arg-type]


def test_equal_outcomes_whatever_a_client_invents() -> None:
    conditions = Conditions([(("model", ("gpt-*", "o3")), ("path", ("/v1/**",)))])
    seen = {conditions.outcomes(Facts(kind="text", model=f"gpt-{n}", path=f"/v1/{n}")) for n in range(1000)}
    assert len(seen) == 1


def test_only_so_much_of_what_clients_invent_is_remembered() -> None:
    conditions = Conditions([(("model", ("gpt-*",)),)])
    (sieve,) = conditions._sieves
    for n in range(3000):
        facts = Facts("text", model=f"gpt-{n}" if n % 2 else f"o{n}")
        for _ in range(2):
            assert bool(n % 2) is bool(conditions.rules(conditions.outcomes(facts)))
        assert 0 < len(sieve.known) <= 1024
    sieve.known.clear()
    assert conditions.rules(conditions.outcomes(Facts("text", model="gpt-" + "x" * 1000)))
    assert not sieve.known


_models = st.sampled_from(["a", "ab", "abc", "B", "", "ba"])
_patterns = st.sampled_from(["a", "a*", "*", "?", "?b", "A*C", "b"])
_rules = st.lists(st.lists(_patterns, min_size=1, max_size=3, unique=True).map(tuple), max_size=6)


@given(_rules, _models)
def test_as_if_each_pattern_were_tried_by_itself(rules: list[tuple[str, ...]], model: str) -> None:
    fact = FACTS["model"]
    expected = sum(
        1 << index
        for index, patterns in enumerate(rules)
        if any(fact.match(pattern)(fact.plain(model)) for pattern in patterns)
    )
    whens: list[When] = [(("model", patterns),) for patterns in rules]
    conditions = Conditions(whens)
    assert expected == conditions.rules(conditions.outcomes(Facts(kind="text", model=model)))
