"""The regimes that come along say what they mean, and any of them may stand on one route together."""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from proxy.media.drawing.letters import missing_glyphs
from proxy.policy.decision import Decision
from proxy.policy.errors import PolicyError
from proxy.policy.examples import check_examples
from proxy.policy.facts import DEEPFAKE, KINDS, OUTPUTS, Facts
from proxy.policy.model import BadgeTerms, Policy, VideoTerms
from proxy.policy.parse import POLICY_KEYS, POLICY_OPTIONS, RULE_KEYS, RULE_OPTIONS, parse
from proxy.policy.parse_notice import NOTICES
from proxy.policy.policies import PolicySet, Rules
from proxy.policy.vocabulary import FACTS
from proxy.shipped import font, policies
from proxy.source import read

PACKS = {file.stem: parse(read(file).data, file.stem) for file in sorted(policies().glob("*.yaml"))}
SET = PolicySet(PACKS)

# Two regimes that cannot stand on one route, and why. Whoever adds a row takes something from the operator.
CLASHES: dict[tuple[str, str], str] = {}

# Regimes that say nothing of a kind of content, for their law says nothing of it.
SILENT = {
    "in-it-rules": {"text", "document"},
    "us-ca-sb1000": {"text", "document"},
    "us-wa-hb1170": {"text", "document"},
    "vn-ai-law": {"document"},
}


def test_these_come_along() -> None:
    expected = [
        "cn-gb45438",
        "eu-ai-act-50",
        "in-it-rules",
        "kr-ai-basic-act",
        "kz-ai-law",
        "us-ca-sb1000",
        "us-wa-hb1170",
        "vn-ai-law",
    ]
    assert expected == list(PACKS)


def test_they_show_every_key_of_the_language() -> None:
    """In use, or in a comment: whoever edits them need not look elsewhere."""
    known = {*POLICY_KEYS, *POLICY_OPTIONS, *RULE_KEYS, *RULE_OPTIONS, *FACTS, "mode", "words"}
    known.update(*(shape.keys for shape in NOTICES.values()))
    text = "\n".join(file.read_text(encoding="utf-8") for file in policies().glob("*.yaml"))
    assert [] == [key for key in sorted(known) if not re.search(rf"\b{key}:", text)]


@pytest.mark.parametrize("pack", PACKS.values(), ids=PACKS)
class TestEachOne:
    def test_it_does_what_its_examples_say(self, pack: Policy) -> None:
        assert check_examples(pack) == ()

    def test_each_of_its_rules_is_spoken_for_by_an_example(self, pack: Policy) -> None:
        rules = Rules([pack])
        shown = {name for example in pack.examples for name in rules.decide(example.facts).because}
        assert {f"{pack.id}/{rule.id}" for rule in pack.rules} == shown

    def test_it_says_what_it_is_and_what_it_is_not(self, pack: Policy) -> None:
        text = (policies() / f"{pack.id}.yaml").read_text(encoding="utf-8")
        header = text.partition("\npolicy:")[0]
        assert "not legal advice" in header.replace("\n# ", " ")
        assert pack.cannot
        assert pack.sources
        assert max(len(line) for line in text.splitlines() if "https://" not in line) <= 120

    def test_its_rules_speak_of_all_that_its_law_speaks_of(self, pack: Policy) -> None:
        rules = Rules([pack])
        silent = {kind for kind in KINDS if not rules.decide(Facts(kind, output="plain")).because}
        assert SILENT.get(pack.id, set()) == silent

    def test_the_font_that_comes_along_draws_its_badges(self, pack: Policy) -> None:
        for rule in pack.rules:
            notice = rule.notice.badge if isinstance(rule.notice, VideoTerms) else rule.notice
            if isinstance(notice, BadgeTerms):
                marked = f"AI {notice.mark.upper()}" if notice.mark else ""
                assert missing_glyphs(font(), "".join((*notice.words.texts, marked))) == ""

    def test_a_label_that_cannot_be_put_in_blocks_the_answer(self, pack: Policy) -> None:
        assert {"block"} == {rule.on_failure for rule in pack.rules}


def facts_to_try() -> list[Facts]:
    """Every way in which the packs' rules, modes and tables tell one response from another."""
    tried = [Facts(kind, deepfake=deepfake) for kind in KINDS for deepfake in DEEPFAKE if kind != "text"]
    tried += [
        Facts("text", deepfake=deepfake, informed=informed, output=output, tokens=tokens)
        for deepfake in DEEPFAKE
        for informed in (False, True)
        for output in OUTPUTS
        for tokens in (1, 200, 201)
    ]
    return [*tried, Facts("text", wish="hide"), Facts("text", wish="show"), Facts("image", model="gpt-image-1")]


@pytest.mark.parametrize(("one", "other"), list(combinations(PACKS, 2)))
def test_any_two_of_them_combine_and_in_any_order(one: str, other: str) -> None:
    if (one, other) in CLASHES:
        with pytest.raises(PolicyError):
            SET.rules([one, other])
        return
    here, there = SET.rules([one, other]), SET.rules([other, one])
    for facts in facts_to_try():
        decided = here.decide(facts)
        assert decided == there.decide(facts)
        _is_no_less_than_each(decided, here, facts)


def test_all_of_them_combine() -> None:
    together, backwards = SET.rules(PACKS), SET.rules(reversed(PACKS))
    for facts in facts_to_try():
        assert together.decide(facts) == backwards.decide(facts)
        _is_no_less_than_each(together.decide(facts), together, facts)
    badge = together.decide(Facts("image"))
    assert badge.notice is not None
    assert badge.notice.words.pick("en") == "AI生成 · AI-generated"
    assert badge.role == "producer"


def test_where_china_must_label_the_makers_manifest_cannot_stay_and_the_gap_is_told() -> None:
    openai = Facts("image", model="gpt-image-1")
    alone = SET.rules(["eu-ai-act-50"]).decide(openai)
    together = SET.rules(["eu-ai-act-50", "cn-gb45438"]).decide(openai)
    assert alone.role == "preserve"
    assert alone.gaps == set()
    assert together.role == "producer"
    assert together.gaps == {"signed-metadata"}


def _is_no_less_than_each(together: Decision, rules: Rules, facts: Facts) -> None:
    """Together the regimes ask for all that each of them, alone, asks for, in every language."""
    for policy in rules.policies:
        alone = Rules([policy]).decide(facts)
        assert set(alone.because) <= set(together.because)
        assert alone.metadata <= together.metadata
        assert alone.needs <= together.needs
        assert alone.retention <= together.retention
        if alone.notice is not None:
            assert together.notice is not None
            for language, words in together.notice.words.by_language:
                assert alone.notice.words.pick(language) in words
