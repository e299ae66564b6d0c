"""What a rule asks for is answered as if each pattern were tried by itself; every fact has its row."""

from __future__ import annotations

import pytest

from proxy.policy.conditions import Conditions
from proxy.policy.facts import Facts
from proxy.policy.vocabulary import FACTS

FACTS_OF_ONE = Facts(
    kind="text",
    dialect="openai.chat",
    path="/v1/chat/completions",
    model="GPT-4",
    upstream="models",
    route="/v1/**",
    streaming=True,
    tenant="acme-berlin",
    language="zh-hans-cn",
    informed=True,
    deepfake="no",
    output="code",
    tokens=200,
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
        (True, "tenant", ("acme-*",)),
        (False, "tenant", ("acme",)),
        (True, "language", ("zh",)),
        (True, "language", ("ZH-Hans",)),
        (False, "language", ("zh-Han",)),
        (False, "language", ("zh-Hant", "en")),
        (True, "informed", ("true",)),
        (False, "informed", ("false",)),
        (True, "deepfake", ("yes", "no")),
        (False, "deepfake", ("unknown",)),
        (True, "output", ("code",)),
        (False, "output", ("plain", "json")),
        (True, "min_tokens", ("200",)),
        (True, "min_tokens", ("1",)),
        (False, "min_tokens", ("201",)),
    ],
)
def test_every_fact(expected: bool, name: str, patterns: tuple[str, ...]) -> None:
    conditions = Conditions([((name, patterns),)])
    assert expected is bool(conditions.rules(conditions.outcomes(FACTS_OF_ONE)))


def test_what_is_not_known_of_a_text_yet() -> None:
    """A text that is not there is taken to be plain, and as long as any."""
    conditions = Conditions([(("output", ("plain",)),), (("output", ("code",)),), (("min_tokens", ("1000",)),)])
    assert conditions.rules(conditions.outcomes(Facts("text"))) == 0b101


def test_every_fact_has_its_row() -> None:
    (marks,) = [mark for mark in vars(test_every_fact)["pytestmark"] if mark.name == "parametrize"]
    assert {name for _, name, _ in marks.args[1]} == set(FACTS)


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
