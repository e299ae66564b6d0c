"""A notice is found for every client, in the language that it asks for where there is one."""

from __future__ import annotations

import pytest

from proxy.policy.decision import Decision, ImageNotice, TextNotice
from proxy.policy.words import Words

WORDS = Words((("zh", "中"), ("en", "E"), ("en-GB", "GB"), ("zh-Hant", "繁"), ("de", "D")))


@pytest.mark.parametrize(
    ("expected", "accept_language"),
    [
        ("中", ""),
        ("中", "*"),
        ("中", "fr"),
        ("中", ";;;,,q=,=;q"),
        ("E", "en"),
        ("E", "EN-us"),
        ("GB", "en-gb"),
        ("GB", "en-GB-oxendict"),
        ("E", "en-x-private"),
        ("繁", "zh-Hant-TW"),
        ("中", "zh-TW"),
        ("D", "fr, de;q=0.5, en;q=0.4"),
        ("E", "de;q=0.4, en;q=0.5"),
        ("E", "de;q=0, en;q=0.001"),
        ("D", "de ; q=0.8 , fr"),
        ("E", "de;q=nan, en"),
        ("E", "de;q=2, en"),
        ("E", "de;q=x, en"),
        # RFC 4647 3.4: the wildcard counts only where nothing follows it.
        ("E", "*, en;q=0.1"),
        ("中", "fr," * 100_000 + "en"),
    ],
)
def test_pick(expected: str, accept_language: str) -> None:
    assert expected == WORDS.pick(accept_language)


def test_one_language_serves_everybody() -> None:
    assert Words((("zh", "中"),)).pick("en") == "中"


def test_a_badge_may_have_no_words() -> None:
    assert Words(()).pick("en") == Words(()).pick("") == ""
    assert Words(()).texts == ()


def test_a_decision_acts_when_there_is_something_to_do() -> None:
    assert not Decision().acts
    assert Decision(metadata=frozenset({"body"})).acts
    assert Decision(notice=TextNotice(WORDS)).acts
    assert Decision(notice=ImageNotice(WORDS)).acts
