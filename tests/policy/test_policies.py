"""The first rule that holds speaks; decisions are kept, bounded, and told apart by what the rules ask only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.policy.combine import WISHED_AWAY
from proxy.policy.decision import Carrier, Decision, ImageNotice, TextNotice
from proxy.policy.errors import PolicyError
from proxy.policy.facts import Facts
from proxy.policy.parse import parse
from proxy.policy.policies import KEPT_DECISIONS, PolicySet, Rules
from proxy.policy.vocabulary import FACTS
from proxy.policy.words import Words

SHIPPED = yaml.safe_load(Path("policies/cn-gb45438.yaml").read_text(encoding="utf-8"))

LAYERS = """
policy: layers
title: Layers
as_of: 2026-01-31
sources: []
retired_words: ["[old words]"]
rules:
  - {id: exempt, when: {model: embed-*}, clause: "-", metadata: []}
  - {id: slow, when: {kind: text, streaming: false}, clause: "-", metadata: [header]}
  - id: text
    when: {kind: text}
    clause: "-"
    notice: {words: {en: "[made by a machine]", zh: 【AI生成】}}
"""


def policies(**texts: str) -> PolicySet:
    sound = {"layers": LAYERS, **texts}
    parsed = {name: parse(yaml.safe_load(text), name) for name, text in sound.items()}
    return PolicySet({**parsed, "cn-gb45438": parse(SHIPPED, "cn-gb45438")})


@pytest.mark.parametrize(
    ("expected", "facts"),
    [
        (("layers/exempt",), Facts("text", model="embed-1", streaming=True)),
        (("layers/exempt",), Facts("image", model="embed-1")),
        (("layers/slow",), Facts("text", model="gpt")),
        (("layers/text",), Facts("text", model="gpt", streaming=True)),
        ((), Facts("image", model="gpt")),
        ((), Facts("audio", model="gpt")),
    ],
)
def test_the_first_rule_that_holds_speaks(expected: tuple[str, ...], facts: Facts) -> None:
    assert expected == policies().rules(["layers"]).decide(facts).because


def test_the_shipped_policy() -> None:
    rules = policies().rules(["cn-gb45438"])
    carriers: frozenset[Carrier] = frozenset({"body", "header", "disclosure"})
    in_file: frozenset[Carrier] = frozenset({"xmp"})
    expected = {
        "text": Decision(
            TextNotice(Words((("zh", "【人工智能生成】"), ("en", "[AI-generated · AI生成]"))), "start"),
            carriers,
            "block",
            ("cn-gb45438/text",),
        ),
        "image": Decision(
            ImageNotice(Words((("zh", "AI生成"),)), "bottom-right", 0.05),
            carriers | in_file,
            "block",
            ("cn-gb45438/image",),
        ),
    }
    assert expected == {kind: rules.decide(Facts(kind)) for kind in ("text", "image")}


def test_several_policies_in_any_order() -> None:
    one = policies().rules(["layers", "cn-gb45438", "layers"])
    other = policies().rules(["cn-gb45438", "layers"])
    facts = Facts("text", streaming=True)
    assert one.decide(facts).because == ("cn-gb45438/text", "layers/text")
    assert one.decide(facts) == other.decide(facts)


def test_no_policy_decides_nothing() -> None:
    assert Decision() == policies().rules([]).decide(Facts("text"))


def test_unknown_policies() -> None:
    with pytest.raises(PolicyError) as caught:
        policies().rules(["layer", "eu"])
    expected = [
        "there is no policy layer (did you mean layers?)",
        "there is no policy eu (there is cn-gb45438, layers)",
    ]
    assert expected == [fault.message for fault in caught.value.faults]


def test_words_to_strip() -> None:
    expected = ("[AI-generated · AI生成]", "[made by a machine]", "[old words]", "【人工智能生成】", "【AI生成】")
    assert expected == policies().every_words


def test_the_digest_covers_content_and_nothing_else() -> None:
    digest = policies().digest
    assert digest == policies(layers="# a comment\n" + LAYERS).digest
    assert digest[:16] == policies().short_digest
    changed = [
        LAYERS.replace("machine", "robot"),
        LAYERS.replace("2026-01-31", "2026-02-01"),
        # The first words are the default.
        LAYERS.replace('en: "[made by a machine]", zh: 【AI生成】', 'zh: 【AI生成】, en: "[made by a machine]"'),
    ]
    assert len({digest, *(policies(layers=text).digest for text in changed)}) == 4


def test_a_client_cannot_grow_what_is_kept() -> None:
    rules: Any = policies().rules(["layers", "cn-gb45438"])
    for n in range(3 * KEPT_DECISIONS):
        rules.decide(Facts("text", f"d{n}", f"/p/{n}", f"m{n}", f"u{n}", f"r{n}", bool(n % 2)))
    assert rules._combined.cache_info().currsize == 2
    assert rules._combined.cache_info().misses == 2
    assert len(rules._known) == 2


MODES = """
policy: modes
title: What depends on more than the rules
as_of: 2026-01-31
sources: []
upstream_marks:
  - {model: "paint-*", kind: image, marks: [synthid]}
  - {model: "*-signed", marks: [c2pa]}
rules:
  - id: code
    when: {kind: text, output: [code, json]}
    clause: "1"
    metadata: []
  - id: long
    when: {kind: text, min_tokens: 200}
    clause: "2"
    notice: {words: {en: "[long]"}, opt_out: request}
  - id: text
    when: {kind: text}
    clause: "3"
    notice: {words: {en: "[short]"}, mode: optional}
  - id: image
    when: {kind: image}
    clause: "4"
    notice: {words: {en: "AI"}, mode: deepfake}
    role: preserve
    needs: [signed-metadata, watermark]
""".replace(", opt_out: request}", "}\n    opt_out: request")


def modes() -> Rules:
    return PolicySet({"modes": parse(yaml.safe_load(MODES), "modes")}).rules(["modes"])


def test_a_text_that_is_not_there_yet_is_decided_for_every_way_that_it_may_turn_out() -> None:
    decision = modes().decide(Facts("text"))
    # Of a text of unknown length nothing is known but that it may be long.
    assert decision.because == ("modes/long",)
    assert {
        output: [decision.of_text(output, tokens).because for tokens in (0, 199, 200, None)]
        for output in ("plain", "tool", "code")
    } == {
        "plain": [("modes/text",), ("modes/text",), ("modes/long",), ("modes/long",)],
        "tool": [("modes/text",), ("modes/text",), ("modes/long",), ("modes/long",)],
        "code": [("modes/code",)] * 4,
    }
    rules = modes()
    assert rules.decide(Facts("text", model="a")) is rules.decide(Facts("text", model="b"))


def test_of_a_text_that_is_there_one_decision_is_made() -> None:
    assert modes().decide(Facts("text", output="code")).by_text == ()
    assert modes().decide(Facts("text", output="plain", tokens=7)).because == ("modes/text",)
    assert policies().rules(["cn-gb45438"]).decide(Facts("text")).by_text == ()


def test_the_clients_wish_and_the_operators_word() -> None:
    rules = modes()
    shown = [rules.decide(Facts("text", output="plain", tokens=7, wish=wish)).notice for wish in ("", "show", "hide")]
    assert [False, True, False] == [notice is not None for notice in shown]
    hidden = [rules.decide(Facts("text", output="plain", tokens=700, wish=wish)).hidden for wish in ("", "hide")]
    assert ["", WISHED_AWAY] == hidden
    drawn = [rules.decide(Facts("image", deepfake=fake)).notice for fake in ("yes", "no", "unknown")]
    assert [True, False, True] == [notice is not None for notice in drawn]


def test_what_the_upstream_adds_is_looked_up() -> None:
    marks = {
        model: modes().decide(Facts("image", model=model))
        for model in ("paint-1", "paint-1-signed", "draw-signed", "draw")
    }
    assert {
        "paint-1": {"signed-metadata"},
        "paint-1-signed": set(),
        "draw-signed": {"watermark"},
        "draw": {"signed-metadata", "watermark"},
    } == {model: set(decision.gaps) for model, decision in marks.items()}
    assert modes().decide(Facts("text", model="paint-1")).upstream_marks == frozenset()


def test_only_what_is_asked_about_need_be_found_out() -> None:
    assert {"kind", "output", "min_tokens", "model", "deepfake", "wish"} == {
        name for name in (*FACTS, "wish") if modes().asks(name)
    }
    assert not policies().rules(["cn-gb45438"]).asks("wish")


def test_one_rule_among_thousands_is_found() -> None:
    rule = "  - {{id: r{n}, when: {{kind: text, model: model-{n}}}, clause: '-', metadata: [header]}}\n"
    head = "policy: many\ntitle: Many\nas_of: 2026-01-31\nsources: []\nrules:\n"
    many = parse(yaml.load(head + "".join(rule.format(n=n) for n in range(2_000)), yaml.CSafeLoader), "many")
    rules = PolicySet({"many": many}).rules(["many"])
    assert rules.decide(Facts("text", model="model-1999")).because == ("many/r1999",)
    assert rules.decide(Facts("text", model="model-2000")).because == ()
