"""The law of this file: words that are put in can be taken out again, and words that a law prescribes are there.

A text notice stands in a pair of brackets that the words themselves do not hold, so that it ends where it seems to end:
no notice can be the beginning of another, and stripping it from a conversation's history leaves every other byte alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import cast, get_args

from proxy.label.words import missing_elements
from proxy.policy.decision import Backing, BadgeMark, BadgePosition, Position, TextNotice, Undrawable, Words
from proxy.policy.errors import Path
from proxy.policy.model import BadgeTerms
from proxy.policy.reader import Reader, named

__all__ = ["REQUIREMENTS", "badge", "bracketed", "height", "text_notice"]

BRACKETS = {"【": "】", "[": "]", "（": "）", "(": ")"}
LONGEST = 200
# Above half of the picture it is a slip of the pen.
LOWEST, HIGHEST = 0.05, 0.5

_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_PER_CENT = re.compile(r"(\d{1,3}(?:\.\d{1,4})?) ?%")

# Control, format, surrogate, private and unassigned characters, line and paragraph separators: nobody sees them.
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def _gb45438_5_1(words: str) -> str:
    missing = missing_elements(words)
    return f"GB 45438-2025 5.1 asks for {' and for '.join(missing)} in {words!r}" if missing else ""


# What a policy may hold its own words to: each says what is missing, or nothing.
REQUIREMENTS: dict[str, Callable[[str], str]] = {"gb45438-5.1": _gb45438_5_1}


def text_notice(reader: Reader, value: object, path: Path, requires: str) -> TextNotice:
    """``{words, position}``, read."""
    pairs = reader.mapping(value, path, required=["words"], optional=["position"])
    words = _words(reader, pairs.get("words"), (*path, "words"), requires, bracketed)
    position = reader.choice(pairs.get("position", "start"), (*path, "position"), get_args(Position))
    return TextNotice(words, cast(Position, position))


def badge(reader: Reader, value: object, path: Path, requires: str) -> BadgeTerms:
    """``{words, position, height, mark, backing, undrawable}``, read; ``height`` becomes a fraction of the picture's
    shorter side. Words may be left out where there is a mark, unless the policy asks for some."""
    marked = isinstance(value, dict) and value.get("mark") is not None and not requires
    choices = {"position": BadgePosition, "mark": BadgeMark, "backing": Backing, "undrawable": Undrawable}
    needed, free = ([], ["words"]) if marked else (["words"], [])
    pairs = reader.mapping(value, path, required=needed, optional=[*free, "height", *choices])
    chosen = {
        name: reader.choice(pairs[name], (*path, name), get_args(choice))
        for name, choice in choices.items()
        if name in pairs
    }
    return BadgeTerms(
        words=_words(reader, pairs["words"], (*path, "words"), requires, seen) if "words" in pairs else Words(()),
        position=cast(BadgePosition | None, chosen.get("position")),
        height=height(reader, pairs.get("height", LOWEST), (*path, "height")),
        mark=cast(BadgeMark | None, chosen.get("mark")),
        backing=cast(Backing, chosen.get("backing", "auto")),
        undrawable=cast(Undrawable, chosen.get("undrawable", "refuse")),
    )


def seen(words: str) -> str:
    """What is wrong with ``words`` as something that people read; empty where nothing is."""
    if len(words) > LONGEST:
        return f"is longer than {LONGEST} characters"
    for character in words:
        if unicodedata.category(character) in _UNSEEN:
            return f"holds U+{ord(character):04X}, which nobody can see"
        if ord(character) > 0xFFFF:
            # JSON writes such a character as two escapes, and some clients send them back in other ways.
            return f"holds {character} (U+{ord(character):04X}), which is outside the Basic Multilingual Plane"
    return ""


def bracketed(words: str) -> str:
    """What is wrong with ``words`` as a text notice; empty where nothing is."""
    wrong = seen(words)
    if wrong:
        return wrong
    closing = BRACKETS.get(words[0])
    if closing is None or words[-1] != closing or len(words) < 3:
        return f"must stand in one pair of brackets, 【】, [], （） or (), to be told from the text: {words!r}"
    if any(bracket in words[1:-1] for bracket in (words[0], closing)):
        return f"must not hold the brackets that it stands in: {words!r}"
    return ""


def _words(reader: Reader, value: object, path: Path, requires: str, check: Callable[[str], str]) -> Words:
    if value is None:
        return Words((("und", ""),))
    if isinstance(value, str):
        reader.fault(path, f"must give the language of the words, as in {{zh: {value}}}")
        return Words((("und", ""),))
    read: list[tuple[str, str]] = []
    for language, member in reader.pairs(value, path).items():
        at = (*path, language)
        if not _LANGUAGE.fullmatch(language):
            reader.fault(at, f"{language!r} is not a language tag such as zh, en or zh-Hant", key=True)
        words = reader.text(member, at)
        if words:
            wrong = check(words) or (REQUIREMENTS[requires](words) if requires in REQUIREMENTS else "")
            if wrong:
                reader.fault(at, wrong)
            read.append((language, words))
    if value == {}:
        reader.fault(path, "must give the words in one language at least")
    return Words(tuple(read) or (("und", ""),))


def height(reader: Reader, value: object, path: Path) -> float:
    """A badge's height, ``5 %`` or 0.05, as a fraction of the shorter side."""
    share: float | None = None
    if isinstance(value, str) and (per_cent := _PER_CENT.fullmatch(value)):
        share = float(per_cent[1]) / 100
    elif isinstance(value, float):
        share = value
    if share is None:
        reader.fault(path, f"must be a share of the shorter side such as 5 % or 0.05, not {named(value)}")
    elif not LOWEST <= share <= HIGHEST:
        reader.fault(path, f"must lie between {LOWEST:.0%} and {HIGHEST:.0%} of the shorter side, not at {share:.4g}")
    else:
        return share
    return LOWEST
