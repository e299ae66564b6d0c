"""What regimes ask for beyond words and metadata parses, and every way to get it wrong has a row."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import yaml

from proxy.policy import parse as parse_file
from proxy.policy import parse_example, parse_notice, parse_when, quantities, reader
from proxy.policy.decision import AudioNotice, DocumentNotice, TextNotice
from proxy.policy.errors import PolicyError
from proxy.policy.examples import check_examples
from proxy.policy.model import BadgeTerms, MarkRow, VideoTerms
from proxy.policy.parse import parse
from proxy.policy.words import Words
from tests.policy import test_parse

RICH = """
policy: demo
title: A demonstration
as_of: 2026-01-31
sources: []
cannot: [No watermark is put in.]
role: preserve
opt_out: request
retention: 190 days
fingerprint: true
retired_words: ["**[old]**"]
upstream_marks:
  - {model: ["gpt-image-*", "dall-e-3"], kind: image, marks: [c2pa, synthid]}
  - {upstream: models, marks: [watermark]}
rules:
  - id: code
    when: {kind: text, output: [code, json], tenant: acme-*}
    clause: Art. 1
    metadata: []
  - id: long
    when: {kind: text, min_tokens: 200, informed: false, language: [zh, en]}
    clause: Art. 2
    notice: {words: {en: "[AI]"}, format: markdown, mode: optional}
    needs: [watermark]
    opt_out: forbidden
    role: producer
  - id: image
    when: {kind: image, deepfake: [yes, unknown]}
    clause: Art. 3
    notice: {words: {en: AI}, mode: deepfake}
    upstream_watermark: force
    retention: 1 day
    fingerprint: false
  - id: audio
    when: {kind: audio}
    clause: Art. 4
    notice: {form: rhythm, position: end}
  - id: video
    when: {kind: video}
    clause: Art. 5
    notice: {mark: generated, shown: interval, seconds: 5 s, interval: 30 s, mode: off}
  - id: document
    when: {kind: document}
    clause: Art. 6
    notice: {words: {en: Made by AI.}, position: both}
examples:
  - facts: {kind: text, tenant: acme-1, output: code}
    decision: {rule: code, notice: false, role: preserve}
  - facts: {kind: text, output: plain, tokens: 200, language: zh-TW, wish: show}
    decision:
      {rule: long, words: "**[AI]**", needs: [watermark], gaps: [watermark], role: producer, retention: 190 days}
  - facts: {kind: image, model: dall-e-3, deepfake: yes}
    decision: {rule: image, notice: true, upstream_watermark: true, gaps: [], retention: 1 day, fingerprint: false}
  - facts: {kind: audio}
    decision: {form: rhythm, position: end}
  - facts: {kind: video, informed: true}
    decision: {rule: video, notice: false}
"""


def rich() -> Any:
    return yaml.safe_load(RICH)


def changed(path: tuple[str | int, ...], value: object) -> Any:
    """The rich policy with one value set, or taken away (``...``)."""
    data = rich()
    inner = data
    for step in path[:-1]:
        inner = inner[step]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return data


def test_a_rich_policy() -> None:
    policy = parse(rich(), "demo")
    assert ("No watermark is put in.",) == policy.cannot
    assert ("**[old]**",) == policy.retired_words
    assert (
        MarkRow((("kind", ("image",)), ("model", ("gpt-image-*", "dall-e-3"))), frozenset({"c2pa", "synthid"})),
        MarkRow((("upstream", ("models",)),), frozenset({"watermark"})),
    ) == policy.upstream_marks
    code, long, image, audio, video, document = policy.rules
    assert {"kind": ("text",), "output": ("code", "json"), "tenant": ("acme-*",)} == dict(code.when)
    assert {
        "kind": ("text",),
        "min_tokens": ("200",),
        "informed": ("false",),
        "language": ("zh", "en"),
    } == dict(long.when)
    assert ("deepfake", ("yes", "unknown")) in image.when
    assert TextNotice(Words((("en", "**[AI]**"),)), "start") == long.notice
    assert ["always", "optional", "deepfake", "always", "off", "always"] == [rule.mode for rule in policy.rules]
    assert ["preserve", "producer"] == [rule.role for rule in (code, long)]
    assert ["request", "forbidden"] == [rule.opt_out for rule in (code, long)]
    assert [190, 1] == [rule.retention for rule in (code, image)]
    assert [True, False] == [rule.fingerprint for rule in (code, image)]
    assert [False, True] == [rule.upstream_watermark for rule in (code, image)]
    assert frozenset({"watermark"}) == long.needs
    assert AudioNotice(Words(()), "rhythm", "end") == audio.notice
    assert VideoTerms(BadgeTerms(Words(()), None, 0.05, "generated"), "interval", 5.0, 30.0) == video.notice
    assert DocumentNotice(Words((("en", "Made by AI."),)), "both") == document.notice


def test_its_examples_hold() -> None:
    assert () == check_examples(parse(rich(), "demo"))


def test_a_law_may_ask_for_words_and_for_time() -> None:
    held = changed(("requires",), "gb45438-5.1")
    with pytest.raises(PolicyError) as caught:
        parse(held, "demo")
    told = [(fault.path[:3], fault.message) for fault in caught.value.faults]
    assert (("rules", 4, "notice"), "the key words is missing") in told
    assert not any(path == ("rules", 3, "notice") for path, _ in told)  # the rhythm is as good as words
    held["rules"][4]["notice"] = {"words": {"zh": "AI生成"}, "seconds": "1.5 s"}
    with pytest.raises(PolicyError) as caught:
        parse(held, "demo")
    expected = (("rules", 4, "notice", "seconds"), "must be 2 s or more, as gb45438-5.1 asks")
    assert expected in [(fault.path, fault.message) for fault in caught.value.faults]


CODE, LONG, IMAGE, AUDIO, VIDEO, DOCUMENT = (("rules", index) for index in range(6))
HEARD, SHOWN = (*AUDIO, "notice"), (*VIDEO, "notice")
MARKS = ("upstream_marks", 0)
FACTS, DECISION = ("examples", 1, "facts"), ("examples", 1, "decision")

SHORT = "grant needs retention: 184 days or more, so that it is known for six months who got what (Measures, Art. 9)"

FAULTS: list[tuple[tuple[Any, ...], str, tuple[Any, ...], object]] = [
    # What counts for the whole policy, or for one rule.
    (
        ("retired_words", 0),
        "must stand in one pair of brackets, 【】, [], （） or (), to be told from the text: 'old'",
        ("retired_words",),
        ["**old**"],
    ),
    (("cannot",), "must be a list, not the text 'x'", ("cannot",), "x"),
    (("cannot", 0), "must be text, not the number 1: put it in quotes", ("cannot",), [1]),
    *(
        (at, "must be producer, propagator or preserve, not the text 'keep'", at, "keep")
        for at in (("role",), (*LONG, "role"))
    ),
    *(
        (at, "must be none, request, grant or forbidden, not the text 'forbid' (did you mean forbidden?)", at, "forbid")
        for at in (("opt_out",), (*LONG, "opt_out"))
    ),
    # The image's records alone are to be kept for a day; the audio says nothing of either.
    (("opt_out",), SHORT, ("opt_out",), "grant"),
    ((*IMAGE, "opt_out"), SHORT, (*IMAGE, "opt_out"), "grant"),
    *(
        (at, f"must be a time in days such as 190 days, not {named}", at, value)
        for at in (("retention",), (*IMAGE, "retention"))
        for value, named in (
            (190, "the number 190"),
            ("6 months", "the text '6 months'"),
            ("0 days", "the text '0 days'"),
        )
    ),
    # Marks of models' makers.
    (("upstream_marks",), "must be a list, not a mapping", ("upstream_marks",), {}),
    (MARKS, "the key marks is missing", (*MARKS, "marks"), ...),
    (
        (*MARKS, "marks", 0),
        "must be c2pa, synthid or watermark, not the text 'synth-id' (did you mean synthid?)",
        (*MARKS, "marks"),
        ["synth-id"],
    ),
    (
        (*MARKS, "tenant"),
        "unknown key tenant (there is marks, kind, dialect, model, upstream)",
        (*MARKS, "tenant"),
        "x",
    ),
    # Conditions.
    (
        (*CODE, "when", "output", 0),
        "must be plain, json, code, tool, reasoning or fill-in, not the text 'jsn' (did you mean json?)",
        (*CODE, "when", "output"),
        ["jsn"],
    ),
    (
        (*IMAGE, "when", "output"),
        "output is known of texts only: say kind: text beside it",
        (*IMAGE, "when", "output"),
        "code",
    ),
    (
        (*IMAGE, "when", "informed"),
        "informed is known of texts only: say kind: text beside it",
        (*IMAGE, "when", "informed"),
        True,
    ),
    (
        (*IMAGE, "when", "min_tokens"),
        "min_tokens is known of texts only: say kind: text beside it",
        (*IMAGE, "when", "min_tokens"),
        7,
    ),
    *(
        (
            (*LONG, "when", "min_tokens"),
            f"must be a number of tokens from 1 to 1000000, not {named}",
            (*LONG, "when", "min_tokens"),
            value,
        )
        for value, named in (
            (0, "the number 0"),
            ("200", "the text '200'"),
            (True, "the truth value true"),
            ([9], "a list"),
        )
    ),
    (
        (*LONG, "when", "informed"),
        "must be true or false, not the text 'never'",
        (*LONG, "when", "informed"),
        "never",
    ),
    (
        (*IMAGE, "when", "deepfake"),
        "must be yes, no or unknown, not the text 'maybe'",
        (*IMAGE, "when", "deepfake"),
        "maybe",
    ),
    (
        (*CODE, "when", "tenant"),
        "must be text, not the number 4: put it in quotes",
        (*CODE, "when", "tenant"),
        4,
    ),
    ((*CODE, "when", "wish"), "unknown key wish", (*CODE, "when", "wish"), "show"),
    # Notices.
    (
        (*LONG, "notice", "format"),
        "must be plain or markdown, not the text 'html'",
        (*LONG, "notice", "format"),
        "html",
    ),
    (
        (*LONG, "notice", "mode"),
        "must be always, deepfake, optional or off, not the text 'never'",
        (*LONG, "notice", "mode"),
        "never",
    ),
    (HEARD, "the key words is missing", (*HEARD, "form"), "speech"),
    (
        (*HEARD, "form"),
        "must be speech, rhythm or both, not the text 'beep'",
        (*HEARD,),
        {"form": "beep", "words": {"en": "AI"}},
    ),
    (
        (*HEARD, "words"),
        "a rhythm has no words: leave them out, or say form: both",
        (*HEARD, "words"),
        {"en": "Made by AI."},
    ),
    ((*HEARD, "height"), "unknown key height (there is form, position, mode, words)", (*HEARD, "height"), 0.05),
    (SHOWN, "the key words is missing", (*SHOWN, "mark"), ...),
    (
        (*SHOWN, "shown"),
        "must be start, interval or throughout, not the text 'always'",
        SHOWN,
        {"mark": "generated", "shown": "always"},
    ),
    ((*SHOWN, "interval"), "an interval needs shown: interval", (*SHOWN, "shown"), "start"),
    (
        (*SHOWN, "seconds"),
        "what is shown throughout has no seconds",
        SHOWN,
        {"mark": "generated", "shown": "throughout", "seconds": "3 s"},
    ),
    *(
        (
            (*SHOWN, name),
            f"must be a time in seconds such as 2 s, not {named}",
            (*SHOWN, name),
            value,
        )
        for name in ("seconds", "interval")
        for value, named in ((5, "the number 5"), ("1 min", "the text '1 min'"), ("0 s", "the text '0 s'"))
    ),
    (
        (*DOCUMENT, "notice", "position"),
        "must be start, end or both, not the text 'top'",
        (*DOCUMENT, "notice", "position"),
        "top",
    ),
    # What only an upstream can add.
    (
        (*LONG, "needs", 0),
        "must be signed-metadata or watermark, not the text 'c2pa'",
        (*LONG, "needs"),
        ["c2pa"],
    ),
    (
        (*IMAGE, "upstream_watermark"),
        "must be force, not the truth value true",
        (*IMAGE, "upstream_watermark"),
        True,
    ),
    *(
        (at, f"must be true or false, not {named}", at, value)
        for at in (("fingerprint",), (*IMAGE, "fingerprint"), (*DECISION, "fingerprint"))
        for value, named in (("true", "the text 'true'"), (1, "the number 1"))
    ),
    # Examples.
    ((*FACTS, "wish"), "must be show or hide, not the text 'none'", (*FACTS, "wish"), "none"),
    ((*FACTS, "granted"), "must be true or false, not the text 'yes'", (*FACTS, "granted"), "yes"),
    (
        (*FACTS, "tokens"),
        "must be a number of tokens from 1 to 1000000, not the text 'many'",
        (*FACTS, "tokens"),
        "many",
    ),
    ((*DECISION, "notice"), "must be true or false, not the text 'none'", (*DECISION, "notice"), "none"),
    ((*DECISION, "gaps", 0), "must be signed-metadata or watermark, not the text 'x'", (*DECISION, "gaps"), ["x"]),
    ((*DECISION, "role"), "must be producer, propagator or preserve, not the text 'x'", (*DECISION, "role"), "x"),
    (
        (*DECISION, "retention"),
        "must be a time in days such as 190 days, not the text 'long'",
        (*DECISION, "retention"),
        "long",
    ),
]


@pytest.mark.parametrize(("at", "message", "path", "value"), FAULTS)
def test_every_fault(at: tuple[Any, ...], message: str, path: tuple[Any, ...], value: object) -> None:
    with pytest.raises(PolicyError) as caught:
        parse(changed(path, value), "demo")
    (fault,) = caught.value.faults
    assert (at, message) == (fault.path, fault.message[: len(message)])


@pytest.mark.parametrize(
    ("expected", "example"),
    [
        (
            "the example expects true, the policy decides false",
            {"facts": {"kind": "video"}, "decision": {"notice": True}},
        ),
        (
            "the example expects end, the policy decides both",
            {"facts": {"kind": "document"}, "decision": {"position": "end"}},
        ),
        (
            "the example expects [], the policy decides [watermark]",
            {"facts": {"kind": "text", "tokens": 500, "language": "en"}, "decision": {"gaps": []}},
        ),
        (
            "the example expects 1, the policy decides 190",
            {"facts": {"kind": "audio"}, "decision": {"retention": "1 day"}},
        ),
        (
            "the example expects false, the policy decides true",
            {"facts": {"kind": "audio"}, "decision": {"fingerprint": False}},
        ),
    ],
)
def test_an_example_that_does_not_hold_is_told(expected: str, example: object) -> None:
    (fault,) = check_examples(parse(changed(("examples",), [example]), "demo"))
    assert expected == fault.message


def said_in(module: ModuleType) -> Iterator[str]:
    """The longest piece of each message that a module has for a fault."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "fault":
            texts = [one.value for one in ast.walk(node.args[1]) if isinstance(one, ast.Constant)]
            if pieces := [text for text in texts if isinstance(text, str)]:
                yield max(pieces, key=len)


@pytest.mark.parametrize("module", [parse_file, parse_when, parse_notice, parse_example, quantities, reader])
def test_every_message_of_the_language_has_a_row(module: ModuleType) -> None:
    rows = [message for _, message, _, _ in (*FAULTS, *test_parse.FAULTS)]
    rows += ["must be 2 s or more, as gb45438-5.1 asks"]  # in a test of its own, above
    assert [] == [piece for piece in said_in(module) if not any(piece in message for message in rows)]
