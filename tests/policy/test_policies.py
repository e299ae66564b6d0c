"""The first rule that holds speaks; decisions are kept, bounded, and told apart by what the rules ask only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.policy.decision import Carrier, Decision, ImageNotice, TextNotice, Words
from proxy.policy.errors import PolicyError
from proxy.policy.facts import Facts
from proxy.policy.parse import parse
from proxy.policy.policies import KEPT_DECISIONS, PolicySet

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


def test_words_to_strip_and_words_to_draw() -> None:
    expected = ("[AI-generated · AI生成]", "[made by a machine]", "[old words]", "【人工智能生成】", "【AI生成】")
    assert expected == policies().every_words
    assert policies().image_words == ("AI生成",)


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
    assert rules._decided.cache_info().currsize == 2


def test_one_rule_among_thousands_is_found() -> None:
    rule = "  - {{id: r{n}, when: {{kind: text, model: model-{n}}}, clause: '-', metadata: [header]}}\n"
    head = "policy: many\ntitle: Many\nas_of: 2026-01-31\nsources: []\nrules:\n"
    many = parse(yaml.load(head + "".join(rule.format(n=n) for n in range(2_000)), yaml.CSafeLoader), "many")
    rules = PolicySet({"many": many}).rules(["many"])
    assert rules.decide(Facts("text", model="model-1999")).because == ("many/r1999",)
    assert rules.decide(Facts("text", model="model-2000")).because == ()
