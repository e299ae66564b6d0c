"""What an explanation says is what is decided, and every rule that does not speak has a reason."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.policy.decision import TextNotice
from proxy.policy.errors import PolicyError
from proxy.policy.explain import Explanation, explain
from proxy.policy.facts import DEEPFAKE, KINDS, OUTPUTS, Facts
from proxy.policy.model import Policy, Rule
from proxy.policy.policies import Rules
from proxy.policy.vocabulary import FACTS, TEXT_ONLY, When
from proxy.policy.words import Words

NOTICE = TextNotice(Words((("en", "[AI]"),)))

# What rules of the law below ask about each fact, and what facts may be.
_PATTERNS = {
    "kind": list(KINDS),
    "dialect": ["openai.chat", "openai.*", "*.images"],
    "path": ["/v1/**", "/v1/chat", "/*/chat", "/**"],
    "model": ["gpt-4o", "gpt-*", "O1*", "?1"],
    "upstream": ["a", "b"],
    "route": ["/**", "/v1/**"],
    "tenant": ["acme", "acme-*"],
    "language": ["zh", "zh-TW", "en"],
    "streaming": ["true", "false"],
    "informed": ["true", "false"],
    "deepfake": list(DEEPFAKE),
    "output": list(OUTPUTS),
    "min_tokens": ["1", "20", "200"],
}
_VALUES = {
    "kind": st.sampled_from(KINDS),
    "dialect": st.sampled_from(["", "openai.chat", "OpenAI.images", "x"]),
    "path": st.sampled_from(["", "v1/chat", "V1//chat/", "/v1/images/generations"]),
    "model": st.sampled_from(["", "gpt-4o", "GPT-5", "o1", "o1-mini"]),
    "upstream": st.sampled_from(["a", "b", "c"]),
    "route": st.sampled_from(["/**", "/v1/**"]),
    "tenant": st.sampled_from(["", "acme", "acme-2"]),
    "language": st.sampled_from(["", "zh", "zh-tw", "en-gb"]),
    "streaming": st.booleans(),
    "informed": st.booleans(),
    "deepfake": st.sampled_from(DEEPFAKE),
    "output": st.sampled_from(["", *OUTPUTS]),
    "tokens": st.sampled_from([None, 0, 1, 19, 20, 5000]),
    "wish": st.sampled_from(["", "show", "hide"]),
    "granted": st.booleans(),
}


def policy(name: str, *rules: Rule) -> Policy:
    return Policy(name, name, date(2026, 1, 31), ("https://law.example",), "", rules, (), (), name)


def rule(name: str, *when: tuple[str, tuple[str, ...]], notice: TextNotice | None = None) -> Rule:
    return Rule(name, when, "Art. 1", notice, frozenset({"header"}), "block")


@st.composite
def _whens(draw: st.DrawFn) -> When:
    names = draw(st.lists(st.sampled_from(sorted(_PATTERNS)), max_size=3, unique=True))
    of_texts = not set(TEXT_ONLY).isdisjoint(names)
    if of_texts:  # the parser asks for the kind beside what is known of texts only
        names = [*(name for name in names if name != "kind"), "kind"]
    most = {"min_tokens": 1, "streaming": 1, "informed": 1}
    return tuple(
        (
            name,
            tuple(
                ("text",)
                if name == "kind" and of_texts
                else draw(
                    st.lists(st.sampled_from(_PATTERNS[name]), min_size=1, max_size=most.get(name, 2), unique=True)
                )
            ),
        )
        for name in names
    )


@st.composite
def _policies(draw: st.DrawFn) -> list[Policy]:
    return [
        policy(f"p{index}", *(rule(f"r{number}", *when) for number, when in enumerate(whens)))
        for index, whens in enumerate(draw(st.lists(st.lists(_whens(), max_size=4), max_size=3)))
    ]


def test_the_law_tries_every_fact() -> None:
    assert list(FACTS) == list(_PATTERNS)


@given(_policies(), st.fixed_dictionaries(_VALUES).map(lambda values: Facts(**values)))
def test_an_explanation_is_the_decision_s(policies: list[Policy], facts: Facts) -> None:
    rules = Rules(policies)

    found = explain(rules, facts)

    assert rules.decide(facts) == found.decision
    assert found.decision.because == tuple(one.name for one in found.spoken)
    every = {f"{one.id}/{each.id}" for one in policies for each in one.rules}
    assert every == {one.name for one in found.spoken} | {one.name for one in found.silent}
    assert len(every) == len(found.spoken) + len(found.silent)
    assert all(one.why and all(one.why) for one in found.silent)


def explained(facts: Facts, *rules: Rule) -> Explanation:
    return explain(Rules([policy("own", *rules)]), facts)


FACTS_OF = Facts("text", dialect="openai.chat", path="v1/chat", model="gpt-4o", tokens=120, output="plain")


@pytest.mark.parametrize(
    ("expected", "when"),
    [
        (("kind: text, not image",), [("kind", ("image",))]),
        (("kind: text fits none of [image, audio]",), [("kind", ("image", "audio"))]),
        (("model: gpt-4o does not fit o1*",), [("model", ("o1*",))]),
        (("model: gpt-4o fits none of [o1*, o3]",), [("model", ("o1*", "o3"))]),
        (("path: v1/chat does not fit /v1/images/**",), [("path", ("/v1/images/**",))]),
        (("streaming: false, not true",), [("streaming", ("true",))]),
        (("tenant: nothing is known of it, and the rule asks for acme",), [("tenant", ("acme",))]),
        (
            ("language: nothing is known of it, and the rule asks for one of [zh, en]",),
            [("language", ("zh", "en"))],
        ),
        (("min_tokens: 120 are fewer than 200",), [("min_tokens", ("200",))]),
        (("output: plain, not json",), [("output", ("json",))]),
        (
            ("kind: text, not image", "model: gpt-4o does not fit o1*"),
            [("kind", ("image",)), ("dialect", ("openai.*",)), ("model", ("o1*",))],
        ),
        (("comes after first, which speaks first",), [("model", ("gpt-*",))]),
    ],
)
def test_reasons(expected: tuple[str, ...], when: list[tuple[str, tuple[str, ...]]]) -> None:
    found = explained(FACTS_OF, rule("first"), rule("second", *when))

    assert [("own/second", expected)] == [(one.name, one.why) for one in found.silent]


def test_what_is_known_of_texts_alone_is_no_reason_for_a_picture() -> None:
    found = explained(Facts("image"), rule("code", ("kind", ("text",)), ("output", ("code",))))

    assert [("kind: image, not text",)] == [one.why for one in found.silent]


def test_policies_that_clash_are_not_explained() -> None:
    with pytest.raises(PolicyError):
        Rules(
            [
                policy("one", Rule("r", (), "-", NOTICE, frozenset(), "block", opt_out="request")),
                policy("two", Rule("r", (), "-", None, frozenset(), "block", opt_out="forbidden")),
            ]
        )
