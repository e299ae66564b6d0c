"""Two sets of rules are told apart if any response meets another decision, and only then."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.policy.cells import MOST_CELLS
from proxy.policy.combine import GRANTED
from proxy.policy.difference import Change, Differences, asked_by, differences
from proxy.policy.facts import Facts
from proxy.policy.parse import parse
from proxy.policy.policies import Rules

TEXT: dict[str, Any] = {
    "id": "text",
    "when": {"kind": "text"},
    "clause": "Art. 1",
    "notice": {"words": {"en": "[AI]", "de": "[KI]"}},
    "metadata": ["header"],
}
IMAGE: dict[str, Any] = {
    "id": "image",
    "when": {"kind": "image"},
    "clause": "Art. 2",
    "notice": {"words": {"en": "AI"}, "mode": "deepfake"},
}


def rules(*of: dict[str, Any], **more: Any) -> Rules:
    """The rules of one policy, alone on a route; none at all without any."""
    head = {"policy": "own", "title": "Own", "as_of": date(2026, 1, 31), "sources": []}
    return Rules([parse({**head, "rules": list(of), **more}, "own")] if of else [])


def found(old: Rules, new: Rules, *known: Facts) -> Differences:
    return differences(old.decide, new.decide, [*asked_by(old), *asked_by(new)], known)


def changed(rule: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {key: value for key, value in {**rule, **keys}.items() if value is not None}


CHANGES: dict[str, tuple[Rules, Rules, list[Change]]] = {
    "words": (
        rules(TEXT, IMAGE),
        rules(changed(TEXT, notice={"words": {"en": "[AI!]", "de": "[KI]"}}), IMAGE),
        [Change(("text",), (("words en", "[AI]", "[AI!]"),))],
    ),
    "a language": (
        rules(TEXT),
        rules(changed(TEXT, notice={"words": {"en": "[AI]", "fr": "[IA]"}})),
        [Change(("text",), (("words de", "[KI]", "nothing"), ("words fr", "nothing", "[IA]")))],
    ),
    "the language of everybody else": (
        rules(TEXT),
        rules(changed(TEXT, notice={"words": {"de": "[KI]", "en": "[AI]"}})),
        [Change(("text",), (("first language", "en", "de"),))],
    ),
    "a rule for one model": (
        rules(TEXT),
        rules(changed(TEXT, id="o3", when={"kind": "text", "model": "o3*"}, metadata=[]), TEXT),
        [Change(("text: model o3*",), (("rules", "own/text", "own/o3"), ("metadata", "[header]", "[]")))],
    ),
    "a rule that is gone": (
        rules(TEXT, IMAGE),
        rules(TEXT),
        [
            Change(
                (
                    "image: deepfake yes or unknown, unless the client asks for the notice",
                    "image: where the client asks for the notice",
                ),
                (("rules", "own/image", "none speaks"), ("notice", "AI", "none")),
            ),
            Change(
                ("image: deepfake no, unless the client asks for the notice",),
                (
                    ("rules", "own/image", "none speaks"),
                    ("notice", "none: what is made is no deepfake, as the operator says", "none"),
                ),
            ),
        ],
    ),
    "what counts for all kinds": (
        rules({"id": "all", "clause": "-", "metadata": ["header"]}),
        rules({"id": "all", "clause": "-", "metadata": ["header"]}, retention="190 days"),
        [Change(("every kind",), (("retention", "none", "190 days"),))],
    ),
    "what finds texts again": (
        rules(TEXT),
        rules(changed(TEXT, fingerprint=True)),
        [Change(("text",), (("fingerprint", "false", "true"),))],
    ),
    "what some texts get": (
        rules(TEXT),
        rules(changed(TEXT, id="code", when={"kind": "text", "output": "code"}, notice=None), TEXT),
        [Change(("text: output code",), (("rules", "own/text", "own/code"), ("notice", "[AI]", "none")))],
    ),
    "long texts": (
        rules(TEXT),
        rules(changed(TEXT, id="long", when={"kind": "text", "min_tokens": 200}, needs=["watermark"]), TEXT),
        [
            Change(
                ("text: 200 tokens or more",),
                (("rules", "own/text", "own/long"), ("gaps", "nothing", "watermark"), ("needs", "[]", "[watermark]")),
            )
        ],
    ),
    "who is known to add marks": (
        rules(changed(TEXT, needs=["watermark"])),
        rules(changed(TEXT, needs=["watermark"]), upstream_marks=[{"model": "x-*", "marks": ["watermark"]}]),
        [
            Change(
                ("text: model x-*",),
                (("gaps", "watermark", "nothing"), ("upstream's marks", "nothing", "watermark")),
            ),
            Change(
                ("image, audio, video, document: model x-*",),
                (("upstream's marks", "nothing", "watermark"),),
            ),
        ],
    ),
    "whom a grant spares the notice": (
        rules(TEXT, retention="190 days"),
        rules(TEXT, retention="190 days", opt_out="grant"),
        [
            Change(
                ("text: unless the client asks for the notice, with a grant",),
                (("notice", "[AI]", f"none: {GRANTED}"),),
            )
        ],
    ),
    "the order of rules that no response meets both of": (rules(TEXT, IMAGE), rules(IMAGE, TEXT), []),
    "a pattern that says the same": (
        rules(changed(TEXT, when={"kind": "text", "model": "*"})),
        rules(TEXT),
        [],
    ),
    "what is not decided": (
        rules(TEXT),
        rules(changed(TEXT, clause="Art. 3"), title="Another", retired_words=["[old]"]),
        [],
    ),
    "nothing on either side": (rules(), rules(), []),
}


@pytest.mark.parametrize(("old", "new", "expected"), CHANGES.values(), ids=CHANGES)
def test_every_change(old: Rules, new: Rules, expected: list[Change]) -> None:
    assert Differences(tuple(expected), complete=True) == found(old, new)


@pytest.mark.parametrize(
    ("fact", "one", "other"),
    [
        ("model", "*mini*", "gpt-*"),
        ("model", "gpt-?", "*4"),
        ("model", "*a*", "*b*"),
        ("path", "/v1/*/x", "/v1/y/*"),
        ("path", "/**/chat/**", "/v1/**"),
    ],
)
def test_the_order_of_rules_that_some_response_meets_both_of(fact: str, one: str, other: str) -> None:
    first = changed(TEXT, id="first", when={"kind": "text", fact: one})
    second = changed(TEXT, id="second", when={"kind": "text", fact: other}, metadata=["body"])
    told = found(rules(first, second), rules(second, first))
    assert [(f"text: {fact} {one} and {other}",)] == [change.responses for change in told.changes]


def test_patterns_that_are_too_many_to_be_told_apart_are_said_to_be() -> None:
    many = rules(*(changed(TEXT, id=f"r{n}", when={"kind": "text", "model": f"*{n:02}*"}) for n in range(20)))
    assert not found(many, many).complete


_models = st.sampled_from(["a", "b*", "*c", "ab", "*b*", "a?", "*"])
_rules = st.lists(
    st.builds(
        lambda name, kind, model, metadata: {
            "id": name,
            "when": {"kind": kind, "model": [model]},
            "clause": "-",
            "metadata": metadata,
        },
        name=st.text(alphabet="xyz", min_size=1, max_size=2),
        kind=st.sampled_from(["text", "image"]),
        model=_models,
        metadata=st.sampled_from([[], ["header"], ["body"]]),
    ),
    min_size=1,
    max_size=3,
    unique_by=(lambda rule: rule["id"], lambda rule: (rule["when"]["kind"], rule["when"]["model"][0])),
).filter(lambda of: not any(rule["when"]["model"] == ["*"] for rule in of[:-1]))


@given(_rules, _rules, st.sampled_from(["text", "image"]), st.text(alphabet="abcd", max_size=4))
def test_what_any_response_meets_otherwise_is_told(old: Any, new: Any, kind: str, model: str) -> None:
    try:
        before, after = rules(*old), rules(*new)
    except ValueError:  # a rule that can never be reached
        return
    facts = Facts(kind, model=model)
    differs = before.decide(facts) != after.decide(facts)
    told = found(before, after)
    assert told.complete
    assert not differs or any(response.startswith(kind) for change in told.changes for response in change.responses)
    assert () == found(before, before).changes


def test_too_many_combinations_are_said_to_be() -> None:
    many = [
        changed(TEXT, id=f"r{n}", when={"kind": "text", "model": f"m{n}", "dialect": f"d{n}", "path": f"/p{n}"})
        for n in range(40)
    ]
    assert 41**3 > MOST_CELLS
    assert not found(rules(*many), rules(*many)).complete
    told = found(rules(*many), rules(*many[:-1], changed(many[-1], metadata=["body"])))
    # What just fits a rule is among those that are tried in any case.
    assert [("text: dialect d39, path /p39, model m39",)] == [change.responses for change in told.changes]
