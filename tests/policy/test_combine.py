"""Two regimes on one route: every row of the table, in both orders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from itertools import permutations
from typing import Any

import pytest

from proxy.policy.combine import combine
from proxy.policy.decision import BadgeMark, BadgePosition, Convertible, Decision, ImageNotice, TextNotice, Words
from proxy.policy.errors import PolicyError
from proxy.policy.model import BadgeTerms, Policy, Rule
from proxy.policy.policies import PolicySet, Rules

ZH = Words((("zh", "【AI生成】"),))
EN = Words((("en", "[AI-generated]"), ("de", "[KI-generiert]")))
BOTH = Words(
    (("zh", "【AI生成】[AI-generated]"), ("en", "【AI生成】[AI-generated]"), ("de", "【AI生成】[KI-generiert]"))
)

TEXT = Rule("text", (("kind", ("text",)),), "Art. 1", TextNotice(ZH), frozenset({"body"}), "block")
IMAGE = Rule("image", (("kind", ("image",)),), "Art. 2", BadgeTerms(ZH, None, 0.05), frozenset({"xmp"}), "block")


BMP: frozenset[Convertible] = frozenset({"bmp"})


def terms(**of_badge: Any) -> Rule:
    return replace(IMAGE, notice=BadgeTerms(ZH, None, 0.05, **of_badge))


def badge(convert: Iterable[Convertible] = (), **of_badge: Any) -> Decision:
    notice = ImageNotice(ZH, **of_badge)
    return Decision(notice, frozenset({"xmp"}), "block", ("a/image", "b/image"), frozenset(convert))


def decision(one: Rule, other: Rule) -> Decision:
    """What both come to, in either order."""
    there, back = (combine(pair) for pair in permutations([("a", one), ("b", other)]))
    assert there == back
    return there


@pytest.mark.parametrize(
    ("expected", "one", "other"),
    [
        # Metadata: the union.
        (
            Decision(TextNotice(ZH), frozenset({"body", "header"}), "block", ("a/text", "b/text")),
            TEXT,
            replace(TEXT, notice=None, metadata=frozenset({"header"})),
        ),
        # On failure: block wins.
        (
            Decision(TextNotice(ZH), frozenset({"body"}), "block", ("a/text", "b/text")),
            TEXT,
            replace(TEXT, on_failure="pass"),
        ),
        (
            Decision(TextNotice(ZH), frozenset({"body"}), "pass", ("a/text", "b/text")),
            replace(TEXT, on_failure="pass"),
            replace(TEXT, on_failure="pass"),
        ),
        # Words: those of all, each once, in every language that one of them has.
        (
            Decision(TextNotice(BOTH), frozenset({"body"}), "block", ("a/text", "b/text")),
            TEXT,
            replace(TEXT, notice=TextNotice(EN)),
        ),
        # Position: both where they differ.
        (
            Decision(TextNotice(ZH, "both"), frozenset({"body"}), "block", ("a/text", "b/text")),
            TEXT,
            replace(TEXT, notice=TextNotice(ZH, "end")),
        ),
        # Height: the larger. Place: the one that is fixed, else the usual one.
        (
            Decision(ImageNotice(ZH, "bottom-right", 0.08), frozenset({"xmp"}), "block", ("a/image", "b/image")),
            IMAGE,
            replace(IMAGE, notice=BadgeTerms(ZH, None, 0.08)),
        ),
        (
            Decision(
                ImageNotice(Words((("zh", "【AI生成】 AI生成"),)), "top-left", 0.05),
                frozenset({"xmp"}),
                "block",
                ("a/image", "b/image"),
            ),
            IMAGE,
            replace(IMAGE, notice=BadgeTerms(Words((("zh", "AI生成"),)), "top-left", 0.05)),
        ),
        # Mark: the one that is given, beside the other's words.
        (
            Decision(ImageNotice(ZH, "top", 0.05, "generated"), frozenset({"xmp"}), "block", ("a/image", "b/image")),
            IMAGE,
            replace(IMAGE, notice=BadgeTerms(Words(()), "top", 0.05, "generated")),
        ),
        (
            Decision(
                ImageNotice(Words(()), "bottom-right", 0.05, "modified"),
                frozenset({"xmp"}),
                "block",
                ("a/image", "b/image"),
            ),
            replace(IMAGE, notice=BadgeTerms(Words(()), None, 0.05, "modified")),
            replace(IMAGE, notice=BadgeTerms(Words(()), None, 0.05, "modified")),
        ),
        # Backing: plate over outline over auto. Undrawable: refuse wins.
        (badge(backing="plate"), terms(backing="plate"), terms(backing="outline")),
        (badge(backing="plate"), terms(backing="plate"), terms(backing="auto")),
        (badge(backing="outline"), terms(backing="outline"), terms(backing="auto")),
        (badge(undrawable="refuse"), terms(undrawable="refuse"), terms(undrawable="metadata")),
        (badge(undrawable="metadata"), terms(undrawable="metadata"), terms(undrawable="metadata")),
        # Who asks for no badge has no say in what becomes of it.
        (badge(undrawable="metadata"), terms(undrawable="metadata"), replace(IMAGE, notice=None)),
        # Convert: what all rules for pictures allow.
        (badge({"bmp"}), replace(IMAGE, convert=BMP), replace(IMAGE, convert=BMP)),
        (badge(), replace(IMAGE, convert=BMP), IMAGE),
        (badge({"bmp"}), replace(IMAGE, convert=BMP), replace(IMAGE, when=(), notice=None)),
    ],
)
def test_the_table(expected: Decision, one: Rule, other: Rule) -> None:
    assert expected == decision(one, other)


def test_no_rule_no_label() -> None:
    assert Decision() == combine([])
    assert not combine([]).acts


def policy(name: str, *rules: Rule) -> Policy:
    return Policy(name, name, date.min, (), "", rules, (), (), name)


def at(position: BadgePosition, **when: str) -> Rule:
    return replace(
        IMAGE,
        id=position,
        when=(*IMAGE.when, *((fact, (pattern,)) for fact, pattern in when.items())),
        notice=BadgeTerms(ZH, position, 0.05),
    )


def marking(mark: BadgeMark) -> Rule:
    return replace(IMAGE, id=mark, notice=BadgeTerms(Words(()), None, 0.05, mark))


@pytest.mark.parametrize(
    ("expected", "one", "other"),
    [
        (
            "a/top-left puts the badge top-left and b/top-right top-right: a picture has one badge",
            at("top-left"),
            at("top-right"),
        ),
        (
            "a/top-left puts the badge top-left and b/top-right top-right: a picture has one badge",
            at("top-left", model="a*"),
            at("top-right", model="b"),
        ),
        (
            "a/generated marks the picture as generated and b/modified as modified: a picture has one mark",
            marking("generated"),
            marking("modified"),
        ),
        ("", marking("generated"), marking("generated")),
        ("", marking("generated"), at("top")),
        ("", at("top-left"), at("top-left")),
        ("", at("top-left"), IMAGE),
        ("", at("top-left", model="a"), at("top-right", model="b")),
        ("", at("top-left", path="/v1/a"), at("top-right", path="/v1/b")),
    ],
)
def test_two_places_or_marks_clash_before_any_response(expected: str, one: Rule, other: Rule) -> None:
    policies = PolicySet({"a": policy("a", one), "b": policy("b", other)})
    for names in permutations(["a", "b"]):
        if expected:
            with pytest.raises(PolicyError) as caught:
                policies.rules(names)
            assert expected == str(caught.value)
        else:
            policies.rules(names)


def test_places_in_one_policy_do_not_clash() -> None:
    Rules([policy("a", at("top-left", model="a*"), at("top-right", model="b*"))])
