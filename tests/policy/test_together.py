"""Where policies speak together, the rows of combine.py's table are told, in its order and by its names."""

import re
from typing import Any

import pytest

from proxy.policy import combine
from proxy.policy.decision import AudioNotice, TextNotice
from proxy.policy.model import BadgeTerms, Rule, VideoTerms
from proxy.policy.together import HOW, asked_for, together
from proxy.policy.words import Words

WORDS, OTHERS = Words((("en", "[AI]"),)), Words((("zh", "【AI生成】"),))
BADGE = BadgeTerms(WORDS, None, 0.05)


def rule(kind: str = "text", **more: Any) -> Rule:
    return Rule(
        "r", (("kind", (kind,)),), "-", **{"notice": None, "metadata": frozenset(), "on_failure": "block", **more}
    )


def test_the_rows_are_those_of_the_table() -> None:
    table = re.findall(r"^([a-z_]+) {2,}\S", combine.__doc__ or "", flags=re.MULTILINE)

    assert table
    assert [row for row in HOW if row not in ("upstream_watermark", "needs")] == table
    assert "(upstream_watermark, needs, upstream_marks)" in (combine.__doc__ or "")


@pytest.mark.parametrize(
    ("row", "asked", "came", "one", "other"),
    [
        ("metadata", ("[header]", "[]"), "[header]", rule(metadata=frozenset({"header"})), rule()),
        ("on_failure", ("block", "pass"), "block", rule(), rule(on_failure="pass")),
        ("role", ("producer", "preserve"), "producer", rule(), rule(role="preserve")),
        ("retention", ("190 days", "none"), "190 days", rule(retention=190), rule()),
        ("fingerprint", ("false", "true"), "true", rule(), rule(fingerprint=True)),
        ("upstream_watermark", ("none", "force"), "force", rule(), rule(upstream_watermark=True)),
        ("needs", ("[]", "[watermark]"), "[watermark]", rule(), rule(needs=frozenset({"watermark"}))),
        (
            "convert", ("[bmp]", "[]"), "[]", rule("image", convert=frozenset({"bmp"})), rule("image"),
        ),
        (
            "words", ("[AI]", "【AI生成】"), "[AI] 【AI生成】",
            rule(notice=TextNotice(WORDS)), rule(notice=TextNotice(OTHERS)),
        ),
        (
            "position", ("start", "end"), "both",
            rule(notice=TextNotice(WORDS)), rule(notice=TextNotice(WORDS, "end")),
        ),
        (
            "form", ("rhythm", "speech"), "both",
            rule("audio", notice=AudioNotice(WORDS, "rhythm")), rule("audio", notice=AudioNotice(WORDS)),
        ),
        (
            "mode", ("optional", "always"), "always",
            rule(notice=TextNotice(WORDS), mode="optional"), rule(notice=TextNotice(WORDS)),
        ),
        (
            "opt_out", ("request", "none"), "none",
            rule(notice=TextNotice(WORDS), opt_out="request"), rule(notice=TextNotice(WORDS)),
        ),
        (
            "opt_out", ("request", "grant"), "request with a grant",
            rule(notice=TextNotice(WORDS), opt_out="request"), rule(notice=TextNotice(WORDS), opt_out="grant"),
        ),
        (
            "opt_out", ("grant", "forbidden"), "none",
            rule(notice=TextNotice(WORDS), opt_out="grant"), rule(opt_out="forbidden"),
        ),
        (
            "height", ("5 %", "7.5 %"), "7.5 %",
            rule("image", notice=BADGE), rule("image", notice=BadgeTerms(WORDS, None, 0.075)),
        ),
        (
            "backing", ("auto", "plate"), "plate",
            rule("image", notice=BADGE), rule("image", notice=BadgeTerms(WORDS, None, 0.05, backing="plate")),
        ),
        (
            "undrawable", ("refuse", "metadata"), "refuse",
            rule("image", notice=BADGE), rule("image", notice=BadgeTerms(WORDS, None, 0.05, undrawable="metadata")),
        ),
        (
            "seconds", ("2 s from the start", "4 s in each 30 s"), "4 s in each 30 s",
            rule("video", notice=VideoTerms(BADGE)), rule("video", notice=VideoTerms(BADGE, "interval", 4.0, 30.0)),
        ),
        (
            "seconds", ("throughout", "2 s from the start"), "throughout",
            rule("video", notice=VideoTerms(BADGE, "throughout")), rule("video", notice=VideoTerms(BADGE)),
        ),
    ],
)  # fmt: skip
def test_rows(row: str, asked: tuple[str, str], came: str, one: Rule, other: Rule) -> None:
    decision = combine.combine([("a", one), ("b", other)])

    (found,) = together([("a/r", one), ("b/r", other)], decision)

    assert (row, (("a/r", asked[0]), ("b/r", asked[1])), came) == (found.row, found.asked, found.came)
    assert HOW[row] == found.how


@pytest.mark.parametrize("row", ["place", "mark"])
def test_what_one_alone_says_is_no_difference(row: str) -> None:
    fixed = rule("image", notice=BadgeTerms(WORDS, "top-right", 0.05, "generated"))

    assert row in asked_for(fixed)
    assert row not in asked_for(rule("image", notice=BADGE))
    rules = [("a", fixed), ("b", rule("image", notice=BADGE))]
    assert () == together([(f"{name}/r", one) for name, one in rules], combine.combine(rules))


def test_of_many_languages_the_first_are_told() -> None:
    many = TextNotice(Words(tuple((f"l{number}", f"[{number}]") for number in range(24))))

    assert "[0] / [1] / 22 more" == asked_for(rule(notice=many))["words"]


def test_one_alone_differs_from_nobody() -> None:
    alone = rule(notice=TextNotice(WORDS))

    assert () == together([("a/r", alone)], combine.combine([("a", alone)]))


def test_a_notice_that_is_not_given() -> None:
    one, other = (rule(notice=TextNotice(words), mode="optional") for words in (WORDS, OTHERS))

    (found,) = together([("a/r", one), ("b/r", other)], combine.combine([("a", one), ("b", other)]))

    assert ("words", "nothing is shown") == (found.row, found.came)
