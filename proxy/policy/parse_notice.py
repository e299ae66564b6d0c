"""The law of this file: words that are put in can be taken out again, and words that a law prescribes are there.

A text notice stands in a pair of brackets that the words themselves do not hold, so that it ends where it seems to end:
no notice can be the beginning of another, and stripping it from a conversation's history leaves every other byte alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast, get_args

from proxy.label.words import missing_elements
from proxy.policy.decision import (
    AudioForm,
    AudioNotice,
    Backing,
    BadgeMark,
    BadgePosition,
    DocumentNotice,
    Mode,
    Position,
    Shown,
    TextNotice,
    Undrawable,
)
from proxy.policy.errors import Path
from proxy.policy.model import BadgeTerms, NoticeTerms, VideoTerms
from proxy.policy.quantities import seconds
from proxy.policy.reader import Reader, named
from proxy.policy.words import Words

__all__ = ["FORMATS", "NOTICES", "REQUIREMENTS", "bracketed", "height", "read_notice"]

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
# Seconds for which a badge on a video is seen at its start, at least (GB 45438-2025 5.4).
SHORTEST = {"gb45438-5.1": 2.0}


# How the words of a text are put: as they stand, or in Markdown's bold, which most chat windows render.
FORMATS = {"plain": "{}", "markdown": "**{}**"}


class _Asked(NamedTuple):
    """A notice as it stands in the file: its reader, its pairs and its place, and what its words are held to."""

    reader: Reader
    pairs: Mapping[str, Any]
    path: Path
    requires: str

    def choice(self, name: str, choices: Any, default: str | None) -> Any:
        if name not in self.pairs:
            return default
        return self.reader.choice(self.pairs[name], (*self.path, name), get_args(choices))

    def words(self, check: Callable[[str], str], form: str = "{}") -> Words:
        if "words" not in self.pairs:
            return Words(())
        return _words(self.reader, self.pairs["words"], (*self.path, "words"), self.requires, check, form)


def read_notice(reader: Reader, value: object, path: Path, kind: str, requires: str) -> tuple[NoticeTerms, Mode]:
    """A notice in content of this kind, and when it is given. ``requires``: the law that its words are held to."""
    keys, wordless, read = NOTICES[kind]
    given = value if isinstance(value, dict) else {}
    # Where something else says it, words may be left out, unless the law asks for some.
    free = any(given.get(name) in said for name, said in wordless.items()) and not (requires and kind != "audio")
    pairs = reader.mapping(
        value, path, required=() if free else ("words",), optional=(*keys, "mode", *(("words",) if free else ()))
    )
    asked = _Asked(reader, pairs, path, requires)
    mode = pairs.get("mode", "always")
    # YAML 1.1 reads an unquoted off as a truth value.
    mode = reader.choice("off" if mode is False else mode, (*path, "mode"), get_args(Mode))
    return read(asked), cast(Mode, mode)


def _text(asked: _Asked) -> TextNotice:
    form = asked.pairs.get("format", "plain")
    form = FORMATS[asked.reader.choice(form, (*asked.path, "format"), FORMATS)]
    return TextNotice(asked.words(bracketed, form), asked.choice("position", Position, "start"))


def _document(asked: _Asked) -> DocumentNotice:
    return DocumentNotice(asked.words(seen), asked.choice("position", Position, "start"))


def _audio(asked: _Asked) -> AudioNotice:
    form = asked.choice("form", AudioForm, "speech")
    if form == "rhythm" and "words" in asked.pairs:
        asked.reader.fault((*asked.path, "words"), "a rhythm has no words: leave them out, or say form: both")
    return AudioNotice(asked.words(seen), form, asked.choice("position", Position, "start"))


def _badge(asked: _Asked) -> BadgeTerms:
    return BadgeTerms(
        words=asked.words(seen),
        position=asked.choice("position", BadgePosition, None),
        height=height(asked.reader, asked.pairs.get("height", LOWEST), (*asked.path, "height")),
        mark=asked.choice("mark", BadgeMark, None),
        backing=asked.choice("backing", Backing, "auto"),
        undrawable=asked.choice("undrawable", Undrawable, "refuse"),
    )


def _video(asked: _Asked) -> VideoTerms:
    times = {
        name: seconds(asked.reader, asked.pairs[name], (*asked.path, name))
        for name in ("seconds", "interval")
        if name in asked.pairs
    }
    terms = VideoTerms(_badge(asked), asked.choice("shown", Shown, "start"), **times)
    if terms.shown != "interval" and "interval" in times:
        asked.reader.fault((*asked.path, "interval"), "an interval needs shown: interval")
    if terms.shown == "throughout" and "seconds" in times:
        asked.reader.fault((*asked.path, "seconds"), "what is shown throughout has no seconds")
    if asked.requires in SHORTEST and terms.seconds < SHORTEST[asked.requires]:
        least = SHORTEST[asked.requires]
        asked.reader.fault((*asked.path, "seconds"), f"must be {least:g} s or more, as {asked.requires} asks")
    return terms


class _Shape(NamedTuple):
    """The keys of a notice beside words and mode, the values of which make words needless, and how it is read."""

    keys: tuple[str, ...]
    wordless: Mapping[str, tuple[str, ...]]
    read: Callable[[_Asked], NoticeTerms]


_BADGE_KEYS = ("position", "height", "mark", "backing")
_MARKS = {"mark": get_args(BadgeMark)}

NOTICES: dict[str, _Shape] = {
    "text": _Shape(("position", "format"), {}, _text),
    "image": _Shape((*_BADGE_KEYS, "undrawable"), _MARKS, _badge),
    "audio": _Shape(("form", "position"), {"form": ("rhythm",)}, _audio),
    "video": _Shape((*_BADGE_KEYS, "shown", "seconds", "interval"), _MARKS, _video),
    "document": _Shape(("position",), {}, _document),
}


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


def _words(reader: Reader, value: object, path: Path, requires: str, check: Callable[[str], str], form: str) -> Words:
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
            read.append((language, form.format(words)))
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
