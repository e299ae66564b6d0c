"""The law of this file: an example names facts that there are, and fields that a decision about them has."""

from __future__ import annotations

from typing import Any, get_args

from proxy.policy.decision import (
    AudioForm,
    Backing,
    BadgeMark,
    BadgePosition,
    Carrier,
    Convertible,
    Layer,
    OnFailure,
    Position,
    Role,
    Shown,
    Undrawable,
)
from proxy.policy.errors import Path
from proxy.policy.facts import Facts
from proxy.policy.model import Example
from proxy.policy.parse_notice import height
from proxy.policy.parse_when import read_fact
from proxy.policy.quantities import days, seconds
from proxy.policy.reader import Reader, closest
from proxy.policy.vocabulary import FACTS

__all__ = ["read_examples"]

_LISTS: dict[str, Any] = {"metadata": Carrier, "convert": Convertible, "needs": Layer, "gaps": Layer}
_AMOUNTS = {"height": height, "retention": days, "seconds": seconds, "interval": seconds}


def read_examples(reader: Reader, value: object, rules: set[str]) -> tuple[Example, ...]:
    """``[{facts, decision}]``, read; ``rules`` are the ids of the policy's rules."""
    examples: list[Example] = []
    for at, member in reader.items(value, ("examples",)):
        pairs = reader.mapping(member, at, required=["facts", "decision"])
        facts = _facts(reader, pairs["facts"], (*at, "facts")) if "facts" in pairs else Facts(kind="text")
        decision = _expected(reader, pairs.get("decision", {}), (*at, "decision"), rules, facts.kind)
        examples.append(Example(facts, decision))
    return tuple(examples)


def _facts(reader: Reader, value: object, path: Path) -> Facts:
    names = [name for name in FACTS if name not in ("kind", "min_tokens")]
    pairs = reader.mapping(value, path, required=["kind"], optional=[*names, "wish", "granted", "tokens"])
    read: dict[str, Any] = {"kind": "text"}
    for name, member in pairs.items():
        at = (*path, name)
        if name == "wish":
            read[name] = reader.choice(member, at, ("show", "hide"))
        elif name == "granted":
            read[name] = reader.flag(member, at)
        elif name == "tokens":
            read[name] = int(read_fact(reader, "min_tokens", member, at))
        else:
            fact = read_fact(reader, name, member, at)
            read[name] = fact == "true" if FACTS[name].values == ("true", "false") else fact
    return Facts(**read)


def _expected(reader: Reader, value: object, path: Path, rules: set[str], kind: str) -> dict[str, object]:
    """The fields of a decision about this kind of content that an example names; ``rule: none`` says that no rule
    speaks, ``notice: false`` that none is given."""
    fields: dict[str, tuple[str, ...]] = {
        "rule": (*sorted(rules), "none"),
        "position": get_args(BadgePosition if kind in ("image", "video") else Position),
        "form": get_args(AudioForm),
        "mark": get_args(BadgeMark),
        "backing": get_args(Backing),
        "shown": get_args(Shown),
        "undrawable": get_args(Undrawable),
        "on_failure": get_args(OnFailure),
        "role": get_args(Role),
    }
    flags = ["notice", "fingerprint", "upstream_watermark"]
    pairs = reader.mapping(value, path, optional=[*fields, *_AMOUNTS, *_LISTS, *flags, "words"])
    expected: dict[str, object] = {}
    for name, member in pairs.items():
        at = (*path, name)
        if name in _LISTS:
            known = get_args(_LISTS[name])
            expected[name] = frozenset(reader.choice(one, where, known) for where, one in reader.items(member, at))
        elif name in _AMOUNTS:
            expected[name] = _AMOUNTS[name](reader, member, at)
        elif name in flags:
            expected[name] = reader.flag(member, at)
        elif name == "words":
            expected[name] = reader.text(member, at)
        elif name == "rule" and (not isinstance(member, str) or member not in fields["rule"]):
            # Where a rule has no usable name, it may be the one that is meant.
            if rules and "" not in rules:
                reader.fault(at, f"no rule is called {member}{closest(str(member), fields['rule'])}")
        else:
            expected[name] = reader.choice(member, at, fields[name])
    return expected
