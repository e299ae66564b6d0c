"""Two regimes on one route: every row of the table, in both orders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from itertools import permutations
from typing import Any

import pytest

from proxy.policy.combine import GRANTED, NO_DEEPFAKE, NOT_WISHED, WISHED_AWAY, Circumstances, combine
from proxy.policy.decision import (
    AudioNotice,
    BadgeMark,
    BadgePosition,
    Convertible,
    Decision,
    DocumentNotice,
    ImageNotice,
    Mode,
    Notice,
    OptOut,
    Role,
    TextNotice,
    UpstreamMark,
    VideoNotice,
)
from proxy.policy.errors import PolicyError
from proxy.policy.facts import Deepfake, Wish
from proxy.policy.model import BadgeTerms, Policy, Rule, VideoTerms
from proxy.policy.policies import PolicySet, Rules
from proxy.policy.words import Words

ZH = Words((("zh", "【AI生成】"),))
EN = Words((("en", "[AI-generated]"), ("de", "[KI-generiert]")))
BOTH = Words(
    (("zh", "【AI生成】 [AI-generated]"), ("en", "【AI生成】 [AI-generated]"), ("de", "【AI生成】 [KI-generiert]"))
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
                ImageNotice(Words((("zh", "【AI生成】 · AI生成"),)), "top-left", 0.05),
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


def heard(**said: Any) -> Rule:
    return replace(TEXT, notice=AudioNotice(ZH, **said))


def watched(height: float = 0.05, **said: Any) -> Rule:
    return replace(TEXT, notice=VideoTerms(BadgeTerms(ZH, None, height), **said))


@pytest.mark.parametrize(
    ("expected", "one", "other"),
    [
        (AudioNotice(ZH, "speech", "start"), heard(), heard()),
        (AudioNotice(ZH, "both", "start"), heard(form="rhythm"), heard(form="speech")),
        (AudioNotice(ZH, "speech", "both"), heard(position="end"), heard()),
        (VideoNotice(ZH), watched(), watched()),
        (VideoNotice(ZH, height=0.1), watched(0.1), watched()),
        (VideoNotice(ZH, seconds=3), watched(seconds=3), watched(seconds=2)),
        (VideoNotice(ZH, shown="throughout"), watched(shown="throughout"), watched(shown="interval")),
        (VideoNotice(ZH, shown="interval", interval=30), watched(shown="interval", interval=30), watched()),
        (DocumentNotice(ZH, "both"), *(replace(TEXT, notice=DocumentNotice(ZH, where)) for where in ("start", "end"))),
        # A notice that is off has no say, as if there were none.
        (TextNotice(ZH), TEXT, replace(TEXT, notice=TextNotice(EN, "end"), mode="off")),
        (None, replace(TEXT, notice=None), replace(TEXT, mode="off")),
    ],
)
def test_notices_of_every_kind(expected: Notice | None, one: Rule, other: Rule) -> None:
    assert expected == decision(one, other).notice


@pytest.mark.parametrize(
    ("expected", "name", "one", "other"),
    [
        ("producer", "role", "producer", "propagator"),
        ("propagator", "role", "propagator", "preserve"),
        ("preserve", "role", "preserve", "preserve"),
        (190, "retention", 190, 0),
        (True, "fingerprint", False, True),
        (False, "fingerprint", False, False),
        (True, "upstream_watermark", True, False),
        (frozenset({"watermark"}), "needs", frozenset({"watermark"}), frozenset()),
    ],
)
def test_what_is_asked_beside_the_notice(expected: object, name: str, one: object, other: object) -> None:
    rules = [replace(TEXT, **{name: value}) for value in (one, other)]  # type: ignore[arg-type]
    assert expected == getattr(decision(rules[0], rules[1]), name)


GIVEN = ""


@pytest.mark.parametrize(
    ("expected", "modes", "deepfake", "wish"),
    [
        (GIVEN, ("always",), "no", ""),
        (GIVEN, ("deepfake",), "yes", ""),
        (GIVEN, ("deepfake",), "unknown", ""),
        (NO_DEEPFAKE, ("deepfake",), "no", ""),
        (GIVEN, ("deepfake",), "no", "show"),
        (NOT_WISHED, ("optional",), "yes", ""),
        (GIVEN, ("optional",), "no", "show"),
        # The strictest of several decides for all.
        (GIVEN, ("always", "optional"), "no", ""),
        (GIVEN, ("deepfake", "optional"), "unknown", ""),
        (NO_DEEPFAKE, ("optional", "deepfake"), "no", ""),
        (NOT_WISHED, ("optional", "off"), "unknown", ""),
        # Nobody has offered to leave it out.
        (GIVEN, ("always",), "no", "hide"),
    ],
)
def test_when_a_notice_is_given(expected: str, modes: tuple[Mode, ...], deepfake: Deepfake, wish: Wish) -> None:
    rules = [(str(place), replace(TEXT, mode=mode)) for place, mode in enumerate(modes)]
    made = combine(rules, Circumstances(deepfake, wish))
    assert expected == made.hidden
    assert (made.notice is not None) is (expected == GIVEN)
    assert made.acts


@pytest.mark.parametrize(
    ("expected", "offers"),
    [
        (WISHED_AWAY, ("request",)),
        (WISHED_AWAY, ("request", "request")),
        (GIVEN, ("request", "none")),
        (GIVEN, ("none",)),
        (GIVEN, ("forbidden",)),
    ],
)
def test_a_client_is_heeded_where_all_let_it(expected: str, offers: tuple[OptOut, ...]) -> None:
    rules = [(str(place), replace(TEXT, opt_out=offer)) for place, offer in enumerate(offers)]
    assert expected == combine(rules, Circumstances(wish="hide")).hidden
    assert combine(rules, Circumstances(wish="show")).notice is not None


NOBODY: tuple[OptOut, ...] = ()


@pytest.mark.parametrize(
    ("expected", "offers", "beside", "circumstances"),
    [
        (GRANTED, ("grant",), NOBODY, Circumstances(granted=True)),
        (GRANTED, ("grant", "grant"), NOBODY, Circumstances(granted=True)),
        (GRANTED, ("grant",), ("none",), Circumstances(granted=True)),
        # Who asks for the notice gets it; who asks for none has no grant by that.
        (GIVEN, ("grant",), NOBODY, Circumstances(wish="show", granted=True)),
        (GIVEN, ("grant",), NOBODY, Circumstances(wish="hide")),
        (GIVEN, ("grant",), NOBODY, Circumstances()),
        # A regime that says nothing wins, and so does one that forbids it, with a notice or without.
        (GIVEN, ("grant", "none"), NOBODY, Circumstances(wish="hide", granted=True)),
        (GIVEN, ("grant", "forbidden"), NOBODY, Circumstances(wish="hide", granted=True)),
        (GIVEN, ("grant",), ("forbidden",), Circumstances(wish="hide", granted=True)),
        (GIVEN, ("none",), ("grant",), Circumstances(wish="hide", granted=True)),
        # Where one lets clients ask, they must ask, too.
        (GIVEN, ("grant", "request"), NOBODY, Circumstances(granted=True)),
        (GIVEN, ("grant", "request"), NOBODY, Circumstances(wish="hide")),
        (GRANTED, ("grant", "request"), NOBODY, Circumstances(wish="hide", granted=True)),
        # A grant makes no difference where clients may ask by themselves.
        (WISHED_AWAY, ("request",), NOBODY, Circumstances(wish="hide", granted=True)),
        (GIVEN, ("request",), NOBODY, Circumstances(granted=True)),
    ],
)
def test_whom_a_grant_spares_the_notice(
    expected: str, offers: tuple[OptOut, ...], beside: tuple[OptOut, ...], circumstances: Circumstances
) -> None:
    """``beside``: of rules that have no notice of their own."""
    rules = [replace(TEXT, opt_out=offer) for offer in offers]
    rules += [replace(TEXT, opt_out=offer, notice=None) for offer in beside]
    for order in permutations([(str(place), rule) for place, rule in enumerate(rules)]):
        made = combine(order, circumstances)
        assert expected == made.hidden
        assert (expected == GRANTED) is made.granted
        assert (expected == GIVEN) is (made.notice is not None)
        assert TEXT.metadata <= made.metadata


@pytest.mark.parametrize(
    ("expected", "mode", "deepfake"), [(NOT_WISHED, "optional", "yes"), (NO_DEEPFAKE, "deepfake", "no")]
)
def test_no_grant_is_used_where_there_would_be_no_notice_without_one(
    expected: str, mode: Mode, deepfake: Deepfake
) -> None:
    made = combine([("a", replace(TEXT, mode=mode, opt_out="grant"))], Circumstances(deepfake, granted=True))
    assert (expected, False) == (made.hidden, made.granted)


@pytest.mark.parametrize(
    ("expected", "role", "marks"),
    [
        ({"signed-metadata", "watermark"}, "producer", ()),
        ({"signed-metadata"}, "producer", ("synthid",)),
        # A file that is changed loses its maker's signature.
        ({"signed-metadata"}, "producer", ("c2pa", "watermark")),
        (set(), "preserve", ("c2pa", "watermark")),
    ],
)
def test_what_nobody_is_known_to_add(expected: set[str], role: Role, marks: tuple[UpstreamMark, ...]) -> None:
    rule = replace(IMAGE, role=role, needs=frozenset({"signed-metadata", "watermark"}))
    assert expected == combine([("a", rule)], marks=frozenset(marks)).gaps


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


def video(position: BadgePosition) -> Rule:
    notice = VideoTerms(BadgeTerms(ZH, position, 0.05))
    return replace(IMAGE, id=position, when=(("kind", ("video",)),), notice=notice)


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
            at("top-right", model="ab"),
        ),
        (
            "a/top-left puts the badge top-left and b/top-right top-right: a picture has one badge",
            at("top-left", path="/v1/**"),
            at("top-right", path="/*/images"),
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
        ("", at("top-left", model="a*"), at("top-right", model="b")),
        ("", at("top-left", path="/a/**"), at("top-right", path="/b/**")),
        ("", at("top-left", model="*-mini"), at("top-right", model="*-turbo")),
        ("", at("top-left", model="?"), at("top-right", model="??*")),
        ("", at("top-left", language="fi"), at("top-right", language="fil")),
        ("", at("top-left", path="/**/a"), at("top-right", path="/*/b")),
        (
            "a/top-left puts the badge top-left and b/top-right top-right: a picture has one badge",
            at("top-left", model="*-mini"),
            at("top-right", model="gpt-*"),
        ),
        ("", replace(at("top-left"), mode="off"), at("top-right")),
        (
            "a/top puts the badge top and b/left left: a picture has one badge",
            video("top"),
            video("left"),
        ),
        ("", video("top"), at("left")),
        (
            "a/text lets clients ask for no notice, which b/text forbids (opt_out)",
            replace(TEXT, opt_out="request"),
            replace(TEXT, opt_out="forbidden"),
        ),
        (
            "b/text lets clients ask for no notice, which a/text forbids (opt_out)",
            replace(TEXT, opt_out="forbidden", notice=None),
            replace(TEXT, opt_out="request"),
        ),
        ("", replace(TEXT, opt_out="forbidden"), replace(TEXT, opt_out="request", notice=None)),
        ("", replace(TEXT, opt_out="forbidden"), TEXT),
        ("", replace(TEXT, opt_out="request"), TEXT),
        ("", replace(TEXT, opt_out="request"), replace(IMAGE, opt_out="forbidden")),
        # A grant that is forbidden does not count: that is no mistake of anybody's.
        ("", replace(TEXT, opt_out="grant"), replace(TEXT, opt_out="forbidden")),
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
