"""What is shown for a text, by what it turns out to be and how long it is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.labelling.machine import Machine
from proxy.labelling.mark import Terms, terms
from proxy.labelling.text_terms import TextTerms
from proxy.policy.decision import Decision, TextNotice
from proxy.policy.facts import OUTPUTS, Output
from proxy.policy.words import Words
from tests.labelling.answers import PREFIX, SUFFIX, WORDS, badge, decision, decision_of

NOTICE = {"words": {"zh": WORDS}}
CODE = ["code", "json", "tool", "reasoning", "fill-in"]


def agreed(*rules: dict[str, Any]) -> Terms:
    return terms({"text": decision_of(list(rules))}, "")


def rule(notice: dict[str, Any] | None = None, metadata: list[str] | None = None, **when: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {"when": {"kind": "text", **when}, "metadata": ["header"] if metadata is None else metadata}
    return whole if notice is None else whole | {"notice": notice}


def test_where_no_rule_asks_about_texts_all_are_the_same() -> None:
    made = agreed(rule(NOTICE))
    assert made.by_text is None
    assert {made.text} == {made.of_text(output, tokens) for output in OUTPUTS for tokens in (None, 0, 9999)}
    assert made.shows


SHORT = "no rule asks for a notice in a text of fewer than 200 tokens"
LONG = "no rule asks for a notice in a text of 200 tokens or more"


@pytest.mark.parametrize(
    ("expected", "rules", "output", "tokens"),
    [
        ((PREFIX, "", ""), [rule(output=CODE), rule(NOTICE)], "plain", None),
        (("", "", "no rule asks for a notice in code"), [rule(output=CODE), rule(NOTICE)], "code", None),
        (("", "", ""), [rule(output=CODE), rule(NOTICE)], "json", None),
        (("", "", "no rule asks for a notice but in code"), [rule(NOTICE, output="code"), rule()], "plain", 0),
        ((PREFIX, "", ""), [rule(NOTICE, min_tokens=200), rule()], "plain", None),
        ((PREFIX, "", ""), [rule(NOTICE, min_tokens=200), rule()], "plain", 200),
        (("", "", SHORT), [rule(NOTICE, min_tokens=200), rule()], "plain", 199),
        (("", "", SHORT), [rule(NOTICE, min_tokens=200), rule(min_tokens=100), rule()], "plain", 150),
        (("", "", LONG), [rule(min_tokens=200), rule(NOTICE)], "plain", 200),
        (("", "", LONG), [rule(min_tokens=200), rule(NOTICE)], "plain", None),
        ((PREFIX, "", ""), [rule(min_tokens=200), rule(NOTICE)], "plain", 199),
        (("", "", ""), [rule(output=CODE), rule()], "code", 5),
    ],
)
def test_the_words_and_why_there_are_none(
    expected: tuple[str, str, str], rules: list[dict[str, Any]], output: Output, tokens: int | None
) -> None:
    found = agreed(*rules).of_text(output, tokens)
    assert expected == (found.prefix, found.suffix, found.why)


@pytest.mark.parametrize(
    ("fences", "ends", "shows", "rules"),
    [
        (True, False, True, [rule(output=CODE), rule(NOTICE)]),
        (True, True, True, [rule(output=CODE), rule(NOTICE | {"position": "end"})]),
        (False, False, True, [rule(NOTICE, metadata=[], output=CODE), rule(NOTICE)]),
        (False, False, False, [rule(output=CODE, metadata=[]), rule()]),
        (False, False, True, [rule(NOTICE, min_tokens=200), rule()]),
        (False, True, True, [rule(NOTICE | {"position": "both"}, min_tokens=200), rule()]),
        (False, True, True, [rule(min_tokens=200), rule(NOTICE)]),
        (False, True, True, [rule(NOTICE, min_tokens=200), rule({"words": {"en": "[AI]"}})]),
        (True, False, True, [rule(NOTICE, min_tokens=200, output="plain"), rule()]),
    ],
)
def test_what_a_stream_must_follow(fences: bool, ends: bool, shows: bool, rules: list[dict[str, Any]]) -> None:
    made = agreed(*rules)
    assert made.by_text is not None
    assert (fences, ends, shows) == (made.by_text.fences, made.by_text.ends, made.by_text.shows)
    assert shows is made.shows


@pytest.mark.parametrize(
    ("expected", "text", "shown"),
    [
        ("", TextTerms(PREFIX), PREFIX),
        (SUFFIX, TextTerms(PREFIX), ""),
        (SUFFIX, TextTerms(PREFIX), "[AI]\n\n"),
        (SUFFIX, TextTerms("", SUFFIX), PREFIX),
        (SUFFIX, TextTerms(PREFIX, SUFFIX), PREFIX),
        (SUFFIX, TextTerms(PREFIX, SUFFIX), ""),
        ("", TextTerms(), PREFIX),
        ("", TextTerms(), ""),
    ],
)
def test_what_is_due_beyond_what_is_shown(expected: str, text: TextTerms, shown: str) -> None:
    assert expected == text.beyond(shown)


@pytest.mark.parametrize(
    ("expected", "machine"),
    [
        ({"body", "xmp"}, None),
        ({"body", "xmp", "header"}, Machine(json=True)),
        ({"body", "xmp", "header"}, Machine(choices=("a",))),
        ({"body", "xmp", "disclosure"}, Machine(splice=True)),
    ],
)
def test_what_may_come_of_a_request(expected: set[str], machine: Machine | None) -> None:
    """A claim may be borne out or not; who claims nothing gets words, code, a tool's call or reasoning."""
    rules = [
        rule(metadata=["header"], output="json"),
        rule(metadata=["disclosure"], output="fill-in"),
        rule(metadata=["body"], output="plain", min_tokens=200),
        rule(metadata=["statement"], output="plain", min_tokens=100),
        rule(metadata=[], output=["code", "tool", "reasoning"]),
        rule(metadata=[]),
    ]
    made = terms({"text": decision_of(rules), "image": badge(metadata=("xmp",))}, "")
    assert made.by_text is not None
    assert expected | {"statement"} == made.beside["image"].union(
        *(one.carriers for one in made.by_text.of_any(machine))
    )


def test_the_label_holds_whatever_a_text_may_ask_for() -> None:
    made = agreed(rule(metadata=["header"], output="json"), rule(metadata=["body"]))
    assert {"header", "body"} == made.carriers
    assert ("body", "header") == made.envelope


@given(st.sampled_from(["block", "pass"]), st.sampled_from(["block", "pass"]))
def test_whoever_cannot_label_has_not_learnt_what_it_is(code: Any, plain: Any) -> None:
    rows = tuple((output, 0, decision(on_failure=code if output == "code" else plain)) for output in OUTPUTS)
    made = terms({"text": Decision(on_failure=plain, by_text=rows)}, "")
    assert ("block" if "block" in (code, plain) else "pass") == made.on_failure


def test_words_by_language_and_those_in_force() -> None:
    words = Words((("zh", "【甲】"), ("en", "[b]")))
    rows = tuple(
        (output, 0, Decision(TextNotice(words)) if output == "code" else Decision(metadata=frozenset({"header"})))
        for output in OUTPUTS
    )
    made = terms({"text": Decision(metadata=frozenset({"header"}), by_text=rows)}, "en")
    assert "[b]\n\n" == made.of_text("code").prefix
    assert ["yes", "yes", "no"] == [made.notices.opening(text) for text in ("【甲】", "[b]", WORDS)]


def test_hidden_notices_say_why() -> None:
    hidden = [rule(NOTICE) | {"opt_out": "request"}]
    made = terms({"text": decision_of(hidden, "hide"), "image": Decision(hidden="why")}, "")
    assert ("", "the client asked for no notice, as the rules let it") == (made.text.prefix, made.text.why)
    assert "why" == made.unbadged
    assert not made.shows
    assert PREFIX == terms({"text": decision_of(hidden)}, "").text.prefix
