"""A policy file that is right parses; every way to get it wrong has a row with its place and its words."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from proxy.policy.decision import BadgePosition, TextNotice
from proxy.policy.errors import PolicyError
from proxy.policy.examples import check_examples
from proxy.policy.facts import Facts
from proxy.policy.model import BadgeTerms
from proxy.policy.parse import parse
from proxy.policy.policies import Rules
from proxy.policy.words import Words

SOUND = """
policy: demo
title: A demonstration
as_of: 2026-01-31
sources: [https://example.org/law]
requires: gb45438-5.1
on_failure: pass
retired_words: [【旧的】]
rules:
  - id: text
    when: {kind: text, model: [gpt-*, o3], streaming: true}
    clause: Art. 1
    notice: {words: {zh: 【AI生成】, en: "[AI 生成]"}, position: both}
    metadata: [body, header]
    on_failure: block
  - id: image
    when: {kind: image}
    clause: Art. 2
    notice:
      {words: {zh: AI生成}, position: top-left, height: 7.5 %, mark: generated, backing: outline, undrawable: metadata}
    metadata: [xmp]
    convert: [bmp]
examples:
  - facts: {kind: text, model: o3, streaming: true}
    decision: {rule: text}
"""


def sound() -> Any:
    return yaml.safe_load(SOUND)


def changed(path: tuple[str | int, ...], value: object) -> Any:
    """The sound policy with one value set, or taken away (``...``)."""
    data = sound()
    inner = data
    for step in path[:-1]:
        inner = inner[step]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return data


def faults(data: object, name: str = "demo") -> list[tuple[tuple[Any, ...], str]]:
    with pytest.raises(PolicyError) as caught:
        parse(data, name)
    return [(fault.path, fault.message) for fault in caught.value.faults]


def test_a_sound_policy() -> None:
    policy = parse(sound(), "demo")
    assert ("demo", "A demonstration", date(2026, 1, 31)) == (policy.id, policy.title, policy.as_of)
    assert policy.sources == ("https://example.org/law",)
    assert policy.retired_words == ("【旧的】",)
    text, image = policy.rules
    assert text.when == (("kind", ("text",)), ("model", ("gpt-*", "o3")), ("streaming", ("true",)))
    assert TextNotice(Words((("zh", "【AI生成】"), ("en", "[AI 生成]"))), "both") == text.notice
    assert (frozenset({"body", "header"}), "block", "Art. 1") == (text.metadata, text.on_failure, text.clause)
    words = Words((("zh", "AI生成"),))
    assert BadgeTerms(words, "top-left", 0.075, "generated", "outline", "metadata") == image.notice
    assert (frozenset({"bmp"}), "pass") == (image.convert, image.on_failure)
    assert text.convert == frozenset()


def test_what_may_be_left_out() -> None:
    data = changed(("rules", 1, "notice"), {"words": {"zh": "AI生成"}})
    for key in ("requires", "on_failure", "retired_words", "examples"):
        del data[key]
    policy = parse(data, "demo")
    assert BadgeTerms(Words((("zh", "AI生成"),)), None, 0.05, None, "auto", "refuse") == policy.rules[1].notice
    assert policy.rules[1].on_failure == "block"


def test_a_mark_needs_no_words_where_the_policy_asks_for_none() -> None:
    data = changed(("rules", 1, "notice"), {"mark": "modified", "position": "top"})
    assert [((*IMAGE, "notice"), "the key words is missing")] == faults(data)
    del data["requires"]
    badge = parse(data, "demo").rules[1].notice
    assert BadgeTerms(Words(()), "top", 0.05, "modified") == badge


@pytest.mark.parametrize("position", get_args(BadgePosition))
def test_a_badge_stands_in_a_corner_or_at_an_edge(position: BadgePosition) -> None:
    data = changed((*BADGE, "position"), position)
    data["examples"] = [{"facts": {"kind": "image"}, "decision": {"position": position}}]
    assert check_examples(parse(data, "demo")) == ()


def test_a_rule_may_say_that_nothing_is_asked() -> None:
    rule = {"id": "none", "when": {"model": "embed-*"}, "clause": "not generated content", "metadata": []}
    data = changed(("rules",), [rule])
    del data["examples"]
    policy = parse(data, "demo")
    assert policy.rules[0].notice is None
    assert policy.rules[0].kinds == ("text", "image", "audio", "video", "document")


@pytest.mark.parametrize("kind", ["audio", "video", ["audio", "video"]])
def test_a_rule_for_sound_and_video_asks_for_metadata(kind: object) -> None:
    rule = {"id": "heard", "when": {"kind": kind}, "clause": "Art. 3", "metadata": ["body", "header", "disclosure"]}
    data = changed(("rules",), [*sound()["rules"], rule])
    policy = parse(data, "demo")
    assert policy.rules[2].notice is None
    assert frozenset({"body", "header", "disclosure"}) == policy.rules[2].metadata
    one = kind if isinstance(kind, str) else "audio"
    assert (("demo/heard",), True) == (
        Rules([policy]).decide(Facts(one)).because,
        Rules([policy]).decide(Facts(one)).acts,
    )


TEXT = ("rules", 0)
IMAGE = ("rules", 1)
NOTICE = (*TEXT, "notice")
ZH = (*NOTICE, "words", "zh")
BADGE = (*IMAGE, "notice")


# Where the fault is, what is said, and the value that is wrong, with its place in the sound policy.
FAULTS: list[tuple[tuple[Any, ...], str, tuple[Any, ...], object]] = [
    # The file.
    (("policy",), "must be demo, as the file is called, not the text 'other'", ("policy",), "other"),
    ((), "the key policy is missing", ("policy",), ...),
    ((), "the key title is missing", ("title",), ...),
    (("title",), "the key title is missing", ("title",), None),
    (("title",), "is empty", ("title",), " "),
    (("title",), "has spaces around it", ("title",), "a "),
    (("title",), "must be text, not the number 3: put it in quotes", ("title",), 3),
    (("as_of",), "must be a date such as 2026-01-31, not the text 'today'", ("as_of",), "today"),
    (("sources",), "must be a list, not the text 'https://x'", ("sources",), "https://x"),
    (
        ("sources", 0),
        "must be an https:// address that people can open, not the text 'http://x'",
        ("sources",),
        ["http://x"],
    ),
    (
        ("requires",),
        "must be gb45438-5.1, not the text 'gb45438' (did you mean gb45438-5.1?)",
        ("requires",),
        "gb45438",
    ),
    (("on_failure",), "must be block or pass, not the text 'blok' (did you mean block?)", ("on_failure",), "blok"),
    (("on_failure",), "must be block or pass, not the truth value false", ("on_failure",), False),
    (("titel",), "unknown key titel (did you mean title?)", ("titel",), "x"),
    (
        (True,),
        "YAML reads this key as the truth value true, as it does on, yes and true: put the key in quotes",
        (True,),
        "x",
    ),
    ((7,), "a key must be text, not the number 7: put it in quotes", (7,), "x"),
    (
        ("retired_words", 0),
        "must stand in one pair of brackets, 【】, [], （） or (), to be told from the text: 'old'",
        ("retired_words",),
        ["old"],
    ),
    # Rules.
    (("rules",), "must be a list, not a mapping", ("rules",), {}),
    (("rules",), "must hold one rule at least", ("rules",), []),
    (IMAGE, "must be a mapping (key: value), not the text 'x'", IMAGE, "x"),
    (TEXT, "the key id is missing", (*TEXT, "id"), ...),
    (
        (*TEXT, "id"),
        "must be of small letters, digits, dots, hyphens and underscores: 'Text 1'",
        (*TEXT, "id"),
        "Text 1",
    ),
    ((*IMAGE, "id"), "the rule id text is there twice", (*IMAGE, "id"), "text"),
    (TEXT, "the key clause is missing", (*TEXT, "clause"), ...),
    (
        (*IMAGE, "id"),
        "the rule image can never be reached: text always comes first",
        ("rules",),
        [{"id": "text", "clause": "-", "metadata": []}, sound()["rules"][1]],
    ),
    ((*TEXT, "upstream_watermark"), "must be force, not the truth value false", (*TEXT, "upstream_watermark"), False),
    ((*TEXT, "notice"), "is empty: give a value, or leave the key out", (*TEXT, "notice"), None),
    (("on_failure",), "is empty: give a value, or leave the key out", ("on_failure",), None),
    # Conditions.
    (
        (*TEXT, "when"),
        "is empty: give a value, or leave the key out",
        TEXT,
        {"id": "text", "clause": "-", "when": None, "metadata": ["header"]},
    ),
    ((*TEXT, "when", "model"), "is empty: give a value, or leave the key out", (*TEXT, "when", "model"), None),
    ((*TEXT, "when", "model"), "is longer than 1024 characters", (*TEXT, "when", "model"), "a" * 1025),
    ((*TEXT, "when", "modle"), "unknown key modle (did you mean model?)", (*TEXT, "when", "modle"), "x"),
    (
        (*TEXT, "when", False),
        "YAML reads this key as the truth value false, as it does off, no and false: put the key in quotes",
        (*TEXT, "when", False),
        "x",
    ),
    (
        (*TEXT, "when", "kind"),
        "must be text, image, audio, video or document, not the text 'txt' (did you mean text?)",
        (*TEXT, "when", "kind"),
        "txt",
    ),
    (
        (*TEXT, "when", "streaming"),
        "must be true or false, not the text 'ja'",
        (*TEXT, "when", "streaming"),
        "ja",
    ),
    (
        (*TEXT, "when", "model"),
        "is an empty list, which nothing fits: leave the key out for everything",
        (*TEXT, "when", "model"),
        [],
    ),
    ((*TEXT, "when", "model", 1), "a is there twice", (*TEXT, "when", "model"), ["a", "a"]),
    (
        (*TEXT, "when", "model"),
        "must be text, not the number 4: put it in quotes",
        (*TEXT, "when", "model"),
        4,
    ),
    ((*TEXT, "when", "path"), "a path begins with a slash: /v1", (*TEXT, "when", "path"), "v1"),
    (
        (*TEXT, "when", "path"),
        "** stands for whole segments: write it between slashes, as in /v1/**",
        (*TEXT, "when", "path"),
        "/v1**",
    ),
    # Notices.
    (
        NOTICE,
        "a notice needs a rule of one kind: say when: {kind: text}, or of another kind",
        (*TEXT, "when"),
        {"model": "x"},
    ),
    (
        NOTICE,
        "a notice needs a rule of one kind: say when: {kind: text}, or of another kind",
        (*TEXT, "when"),
        {"kind": ["text", "audio"]},
    ),
    (NOTICE, "the key words is missing", (*NOTICE, "words"), ...),
    (
        (*NOTICE, "mark"),
        "unknown key mark (there is words, position, format, mode)",
        (*NOTICE, "mark"),
        "generated",
    ),
    (
        (*NOTICE, "position"),
        "must be start, end or both, not the text 'strat' (did you mean start?)",
        (*NOTICE, "position"),
        "strat",
    ),
    (
        (*NOTICE, "words"),
        "must give the language of the words, as in {zh: 【AI生成】}",
        (*NOTICE, "words"),
        "【AI生成】",
    ),
    ((*NOTICE, "words"), "must give the words in one language at least", (*NOTICE, "words"), {}),
    (
        (*NOTICE, "words", "z h"),
        "'z h' is not a language tag such as zh, en or zh-Hant",
        NOTICE,
        {"words": {"z h": "【AI生成】"}},
    ),
    (ZH, "GB 45438-2025 5.1 asks for 生成 or 合成 in '【AI创作】'", ZH, "【AI创作】"),
    (ZH, "GB 45438-2025 5.1 asks for 人工智能 or AI in '【机器生成】'", ZH, "【机器生成】"),
    (ZH, "GB 45438-2025 5.1 asks for 人工智能 or AI and for 生成 or 合成 in '【豆包】'", ZH, "【豆包】"),
    (
        ZH,
        "must stand in one pair of brackets, 【】, [], （） or (), to be told from the text: 'AI生成'",
        ZH,
        "AI生成",
    ),
    (
        ZH,
        "must stand in one pair of brackets, 【】, [], （） or (), to be told from the text: '【AI生成)'",
        ZH,
        "【AI生成)",
    ),
    (ZH, "must stand in one pair of brackets, 【】, [], （） or (), to be told from the text: '【】'", ZH, "【】"),
    (ZH, "must not hold the brackets that it stands in: '[AI][生成]'", ZH, "[AI][生成]"),
    (ZH, "holds U+000A, which nobody can see", ZH, "【AI\n生成】"),
    (ZH, "holds U+200B, which nobody can see", ZH, "【AI\u200b生成】"),
    (ZH, "holds U+202E, which nobody can see", ZH, "【AI\u202e生成】"),
    (ZH, "holds U+D800, which nobody can see", ZH, "【AI\ud800生成】"),
    (ZH, "holds 🤖 (U+1F916), which is outside the Basic Multilingual Plane", ZH, "【🤖 AI生成】"),
    (ZH, "is longer than 200 characters", ZH, "【AI生成" + "。" * 200 + "】"),
    (ZH, "has spaces around it", ZH, " 【AI生成】"),
    ((*BADGE, "words", "zh"), "GB 45438-2025 5.1 asks for 生成 or 合成 in 'AI'", (*BADGE, "words", "zh"), "AI"),
    (
        (*BADGE, "position"),
        "must be top-left, top, top-right, left, right, bottom-left, bottom or bottom-right, "
        "not the text 'bottom-rigth' (did you mean bottom-right?)",
        (*BADGE, "position"),
        "bottom-rigth",
    ),
    (
        (*BADGE, "corner"),
        "unknown key corner (there is words, position, height, mark, backing, undrawable, mode)",
        (*BADGE, "corner"),
        "top-left",
    ),
    (
        (*BADGE, "mark"),
        "must be generated or modified, not the text 'generate' (did you mean generated?)",
        (*BADGE, "mark"),
        "generate",
    ),
    (
        (*BADGE, "backing"),
        "must be auto, plate or outline, not the text 'plates' (did you mean plate?)",
        (*BADGE, "backing"),
        "plates",
    ),
    (
        (*BADGE, "undrawable"),
        "must be refuse or metadata, not the text 'refused' (did you mean refuse?)",
        (*BADGE, "undrawable"),
        "refused",
    ),
    (BADGE, "the key words is missing", (*BADGE, "words"), ...),
    ((*BADGE, "words"), "must give the words in one language at least", (*BADGE, "words"), {}),
    (
        (*BADGE, "height"),
        "must be a share of the shorter side such as 5 % or 0.05, not the number 5",
        (*BADGE, "height"),
        5,
    ),
    (
        (*BADGE, "height"),
        "must be a share of the shorter side such as 5 % or 0.05, not the text '40 px'",
        (*BADGE, "height"),
        "40 px",
    ),
    (
        (*BADGE, "height"),
        "must lie between 5% and 50% of the shorter side, not at 0.049",
        (*BADGE, "height"),
        "4.9%",
    ),
    (
        (*BADGE, "height"),
        "must lie between 5% and 50% of the shorter side, not at nan",
        (*BADGE, "height"),
        float("nan"),
    ),
    # Metadata.
    (
        (*TEXT, "metadata", 0),
        "must be body, header, disclosure, statement or xmp, not the text 'bdoy' (did you mean body?)",
        (*TEXT, "metadata"),
        ["bdoy"],
    ),
    (
        (*TEXT, "metadata", 0),
        "xmp is a place in pictures: give them a rule of their own, when: {kind: image}",
        (*TEXT, "metadata"),
        ["xmp"],
    ),
    *(
        (
            (*IMAGE, "metadata", 0),
            "xmp is a place in pictures: give them a rule of their own, when: {kind: image}",
            IMAGE,
            {"id": "image", "when": {"kind": kind}, "clause": "Art. 2", "metadata": ["xmp"]},
        )
        for kind in ("audio", "video", ["image", "audio"])
    ),
    (
        TEXT,
        "the rule asks for nothing: give a notice or metadata, or say metadata: [] if that is meant",
        TEXT,
        {"id": "text", "when": {"kind": "text"}, "clause": "Art. 1"},
    ),
    # Conversion.
    ((*IMAGE, "convert", 0), "must be bmp, not the text 'png'", (*IMAGE, "convert"), ["png"]),
    ((*IMAGE, "convert"), "must be a list, not the text 'bmp'", (*IMAGE, "convert"), "bmp"),
    ((*TEXT, "convert"), "only pictures are converted: say when: {kind: image}", (*TEXT, "convert"), ["bmp"]),
    # Examples.
    (
        ("examples", 0, "decision", "position"),
        "must be start, end or both, not the text 'top-left'",
        ("examples", 0, "decision", "position"),
        "top-left",
    ),
    (
        ("examples", 0, "decision", "heigth"),
        "unknown key heigth (did you mean height?)",
        ("examples", 0, "decision", "heigth"),
        0.05,
    ),
    (
        ("examples", 0, "decision", "convert", 0),
        "must be bmp, not the text 'gif'",
        ("examples", 0, "decision", "convert"),
        ["gif"],
    ),
    (("examples", 0), "the key facts is missing", ("examples", 0, "facts"), ...),
    (("examples", 0, "facts"), "the key kind is missing", ("examples", 0, "facts", "kind"), ...),
    (
        ("examples", 0, "facts", "tenants"),
        "unknown key tenants (did you mean tenant?)",
        ("examples", 0, "facts", "tenants"),
        "x",
    ),
    (
        ("examples", 0, "decision", "rule"),
        "no rule is called txt (did you mean text?)",
        ("examples", 0, "decision", "rule"),
        "txt",
    ),
]


@pytest.mark.parametrize(("at", "message", "path", "value"), FAULTS)
def test_every_fault(at: tuple[Any, ...], message: str, path: tuple[Any, ...], value: object) -> None:
    assert [(at, message)] == faults(changed(path, value))


def test_all_faults_at_once() -> None:
    data = changed(("title",), 3)
    data["colour"] = "red"
    data["rules"][0]["notice"]["words"]["zh"] = "AI"
    data["rules"][1]["when"]["kind"] = "picture"
    expected = [
        ("colour",),
        ("rules", 0, "notice", "words", "zh"),
        ("rules", 1, "when", "kind"),
        ("title",),
    ]
    assert expected == sorted({path for path, _ in faults(data)} & set(expected))


@pytest.mark.parametrize("data", [None, [], "x", 3, {}, {"rules": [None]}, {"rules": [{"notice": []}]}])
def test_any_data_is_a_fault_never_a_crash(data: object) -> None:
    assert faults(data)


def test_the_name_of_the_file_must_be_usable() -> None:
    data = changed(("policy",), "My Policy")
    expected = (("policy",), "must be of small letters, digits, dots, hyphens and underscores: 'My Policy'")
    assert expected in faults(data, "My Policy")


@pytest.mark.parametrize("file", sorted(Path("policies").glob("*.yaml")), ids=lambda file: file.stem)
def test_every_shipped_policy_parses(file: Path) -> None:
    assert parse(yaml.safe_load(file.read_text(encoding="utf-8")), file.stem).id == file.stem
