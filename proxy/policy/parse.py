"""The law of this file: a policy that parses means what it says; anything doubtful is a fault with its place.

The shape of a policy file is the table of keys in the functions below, from the file down to one example.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from typing import Any, cast, get_args

from proxy.policy.conditions import FACTS, KINDS, When
from proxy.policy.decision import (
    Backing,
    BadgeMark,
    BadgePosition,
    Carrier,
    Convertible,
    OnFailure,
    Position,
    TextNotice,
    Undrawable,
)
from proxy.policy.errors import Path, PolicyError
from proxy.policy.facts import Facts
from proxy.policy.model import BadgeTerms, Example, Policy, Rule
from proxy.policy.notice import REQUIREMENTS, badge, bracketed, height, text_notice
from proxy.policy.patterns import path_faults
from proxy.policy.reach import unreachable
from proxy.policy.reader import Reader, closest, named

__all__ = ["parse"]

CARRIERS = get_args(Carrier)
# The place in a file that only pictures have.
IMAGE_ONLY = ("xmp",)

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def parse(data: object, name: str) -> Policy:
    """The policy in ``data``, the plain content of one YAML file called ``name`` (without its suffix).

    PolicyError with all faults, each with the path of the value that is wrong.
    """
    reader = Reader()
    pairs = reader.mapping(
        data,
        (),
        required=["policy", "title", "as_of", "sources", "rules"],
        optional=["requires", "on_failure", "retired_words", "examples"],
    )
    if "policy" in pairs and pairs["policy"] != name:
        reader.fault(("policy",), f"must be {name}, as the file is called, not {named(pairs['policy'])}")
    elif "policy" in pairs:
        _id(reader, name, ("policy",))
    requires = reader.choice(pairs["requires"], ("requires",), REQUIREMENTS) if "requires" in pairs else ""
    on_failure = _on_failure(reader, pairs.get("on_failure", "block"), ("on_failure",))
    rules = _rules(reader, pairs.get("rules", []), requires, on_failure)
    sources = reader.items(pairs.get("sources", []), ("sources",))
    examples = _examples(reader, pairs.get("examples", []), {rule.id for rule in rules})
    policy = Policy(
        id=name,
        title=reader.text(pairs["title"], ("title",)) if "title" in pairs else "",
        as_of=_date(reader, pairs.get("as_of")),
        sources=tuple(_source(reader, member, at) for at, member in sources),
        requires=requires,
        rules=rules,
        retired_words=_retired(reader, pairs.get("retired_words", [])),
        examples=examples,
        canonical="",
    )
    if reader.faults:
        raise PolicyError(reader.faults)
    # In the order of the file, which carries meaning: rules are tried from the top, the first words are the default.
    return replace(policy, canonical=json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str))


def _date(reader: Reader, value: object) -> date:
    if type(value) is date:
        return value
    if value is not None:
        reader.fault(("as_of",), f"must be a date such as 2026-01-31, not {named(value)}")
    return date.min


def _source(reader: Reader, value: object, path: Path) -> str:
    text = reader.text(value, path)
    if text and not text.startswith("https://"):
        reader.fault(path, f"must be an https:// address that people can open, not {named(value)}")
    return text


def _retired(reader: Reader, value: object) -> tuple[str, ...]:
    words: list[str] = []
    for at, member in reader.items(value, ("retired_words",)):
        text = reader.text(member, at)
        if text and (wrong := bracketed(text)):
            reader.fault(at, wrong)
        words.append(text)
    return tuple(words)


def _on_failure(reader: Reader, value: object, path: Path) -> OnFailure:
    return cast(OnFailure, reader.choice(value, path, get_args(OnFailure)))


def _rules(reader: Reader, value: object, requires: str, on_failure: OnFailure) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    ids: set[str] = set()
    for at, member in reader.items(value, ("rules",)):
        rule = _rule(reader, member, at, requires, on_failure)
        if rule.id and rule.id in ids:
            reader.fault((*at, "id"), f"the rule id {rule.id} is there twice")
        ids.add(rule.id)
        rules.append(rule)
    if value == []:
        reader.fault(("rules",), "must hold one rule at least")
    # A rule whose condition could not be read would seem to apply to everything.
    if not reader.faults:
        for index, winners in unreachable([rule.when for rule in rules]):
            names = " or ".join(rules[winner].id for winner in winners)
            message = f"the rule {rules[index].id} can never be reached: {names} always comes first"
            reader.fault(("rules", index, "id"), message)
    return tuple(rules)


def _rule(reader: Reader, value: object, path: Path, requires: str, on_failure: OnFailure) -> Rule:
    pairs = reader.mapping(
        value, path, required=["id", "clause"], optional=["when", "notice", "metadata", "convert", "on_failure"]
    )
    when = _when(reader, pairs.get("when", {}), (*path, "when"))
    rule_id = _id(reader, pairs["id"], (*path, "id")) if "id" in pairs else ""
    kinds = dict(when).get("kind", KINDS)
    notice: TextNotice | BadgeTerms | None = None
    kind, at = (*path, "when", "kind"), (*path, "notice")
    # Which keys a notice may have depends on the kind: where that is at fault, nothing sensible can be said about them.
    if "notice" in pairs and not any(fault.path[: len(kind)] == kind for fault in reader.faults):
        match kinds:
            case ("text",):
                notice = text_notice(reader, pairs["notice"], at, requires)
            case ("image",):
                notice = badge(reader, pairs["notice"], at, requires)
            case _ if not {"text", "image"}.intersection(kinds):
                reader.fault(at, "a notice in sound or video cannot be put in yet: leave it out, ask for metadata")
            case _:
                reader.fault(at, "a notice needs a rule of one kind: say when: {kind: text} or {kind: image}")
    if isinstance(value, dict) and "notice" not in pairs and "metadata" not in pairs:
        reader.fault(path, "the rule asks for nothing: give a notice or metadata, or say metadata: [] if that is meant")
    metadata = _metadata(reader, pairs.get("metadata", []), (*path, "metadata"), kinds)
    if "convert" in pairs and kinds != ("image",):
        reader.fault((*path, "convert"), "only pictures are converted: say when: {kind: image}")
    return Rule(
        id=rule_id,
        when=when,
        clause=reader.text(pairs["clause"], (*path, "clause")) if "clause" in pairs else "",
        notice=notice,
        metadata=metadata,
        on_failure=_on_failure(reader, pairs.get("on_failure", on_failure), (*path, "on_failure")),
        convert=_convert(reader, pairs.get("convert", []), (*path, "convert")),
    )


def _id(reader: Reader, value: object, path: Path) -> str:
    text = reader.text(value, path)
    if text and not _ID.fullmatch(text):
        reader.fault(path, f"must be of small letters, digits, dots, hyphens and underscores: {text!r}")
        return ""
    return text


def _when(reader: Reader, value: object, path: Path) -> When:
    pairs = reader.mapping(value, path, optional=FACTS)
    return tuple((name, _patterns(reader, name, member, (*path, name))) for name, member in pairs.items())


def _patterns(reader: Reader, name: str, value: object, path: Path) -> tuple[str, ...]:
    fact = FACTS[name]
    if fact.values == ("true", "false"):
        if not isinstance(value, bool):
            reader.fault(path, f"must be true or false, not {named(value)}")
        return ("true" if value is True else "false",)
    members = reader.items(value, path) if isinstance(value, list) else [(path, value)]
    if not members:
        reader.fault(path, "is an empty list, which nothing fits: leave the key out for everything")
    patterns: list[str] = []
    for at, member in members:
        pattern = reader.choice(member, at, fact.values) if fact.values else reader.text(member, at)
        wrong = path_faults(pattern) if name == "path" and pattern else ""
        if wrong:
            reader.fault(at, wrong)
        if pattern in patterns:
            reader.fault(at, f"{pattern} is there twice")
        patterns.append(pattern)
    return tuple(patterns)


def _metadata(reader: Reader, value: object, path: Path, kinds: tuple[str, ...]) -> frozenset[Carrier]:
    carriers: set[Carrier] = set()
    for at, member in reader.items(value, path):
        carrier = cast(Carrier, reader.choice(member, at, CARRIERS))
        if carrier in IMAGE_ONLY and kinds != ("image",):
            reader.fault(at, f"{carrier} is a place in pictures: give them a rule of their own, when: {{kind: image}}")
        carriers.add(carrier)
    return frozenset(carriers)


def _convert(reader: Reader, value: object, path: Path) -> frozenset[Convertible]:
    formats = [reader.choice(member, at, get_args(Convertible)) for at, member in reader.items(value, path)]
    return frozenset(cast(list[Convertible], formats))


def _examples(reader: Reader, value: object, rules: set[str]) -> tuple[Example, ...]:
    examples: list[Example] = []
    for at, member in reader.items(value, ("examples",)):
        pairs = reader.mapping(member, at, required=["facts", "decision"])
        facts = _facts(reader, pairs["facts"], (*at, "facts")) if "facts" in pairs else Facts(kind="text")
        decision = _expected(reader, pairs.get("decision", {}), (*at, "decision"), rules, facts.kind)
        examples.append(Example(facts, decision))
    return tuple(examples)


def _facts(reader: Reader, value: object, path: Path) -> Facts:
    pairs = reader.mapping(value, path, required=["kind"], optional=[name for name in FACTS if name != "kind"])
    read: dict[str, Any] = {"kind": "text"}
    for name, member in pairs.items():
        at = (*path, name)
        if name == "streaming":
            read[name] = _patterns(reader, name, member, at) == ("true",)
        else:
            read[name] = reader.choice(member, at, KINDS) if name == "kind" else reader.text(member, at)
    return Facts(**read)


def _expected(reader: Reader, value: object, path: Path, rules: set[str], kind: str) -> dict[str, object]:
    """The fields of a decision about this kind of content that an example names; ``rule: none`` says that no rule
    speaks."""
    fields: dict[str, tuple[str, ...]] = {
        "rule": (*sorted(rules), "none"),
        "position": get_args(Position if kind == "text" else BadgePosition),
        "mark": get_args(BadgeMark),
        "backing": get_args(Backing),
        "undrawable": get_args(Undrawable),
        "on_failure": get_args(OnFailure),
    }
    pairs = reader.mapping(value, path, optional=[*fields, "words", "height", "metadata", "convert"])
    expected: dict[str, object] = {}
    for name, member in pairs.items():
        at = (*path, name)
        if name == "metadata":
            expected[name] = frozenset(reader.choice(one, where, CARRIERS) for where, one in reader.items(member, at))
        elif name == "convert":
            expected[name] = _convert(reader, member, at)
        elif name == "height":
            expected[name] = height(reader, member, at)
        elif name == "words":
            expected[name] = reader.text(member, at)
        elif name == "rule" and (not isinstance(member, str) or member not in fields["rule"]):
            # Where a rule has no usable name, it may be the one that is meant.
            if rules and "" not in rules:
                reader.fault(at, f"no rule is called {member}{closest(str(member), fields['rule'])}")
        else:
            expected[name] = reader.choice(member, at, fields[name])
    return expected
