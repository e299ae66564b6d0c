"""The law of this file: a policy that parses means what it says; anything doubtful is a fault with its place.

The shape of a policy file is the table of keys in the functions below, from the file down to one rule; what stands in
``when``, ``notice`` and ``examples`` is read by files of their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any, Final, get_args

from proxy.policy.decision import (
    Carrier,
    Convertible,
    Layer,
    Mode,
    Role,
    UpstreamMark,
)
from proxy.policy.errors import Path, PolicyError
from proxy.policy.facts import KINDS
from proxy.policy.model import MarkRow, NoticeTerms, Policy, Rule
from proxy.policy.parse_example import read_examples
from proxy.policy.parse_notice import FORMATS, REQUIREMENTS, bracketed, read_notice
from proxy.policy.parse_when import read_when
from proxy.policy.quantities import days
from proxy.policy.reach import unreachable
from proxy.policy.reader import Reader, named

__all__ = ["MARKED_BY", "POLICY_KEYS", "RULE_KEYS", "STANCE", "parse"]

# The place in a file that only pictures have.
IMAGE_ONLY = ("xmp",)
# What a policy says once for all its rules, and a rule may say otherwise for itself: the words, the first the default.
STANCE: Final[dict[str, Any]] = {
    "on_failure": ("block", "pass"),
    "role": get_args(Role),
    "opt_out": ("none", "request", "grant", "forbidden"),
}
KEPT: Final = ("retention", "fingerprint")  # what it may say so of records
POLICY_KEYS: Final = ("policy", "title", "as_of", "sources", "rules")
POLICY_OPTIONS: Final = ("cannot", "requires", *STANCE, *KEPT, "retired_words", "upstream_marks", "examples")
RULE_KEYS: Final = ("id", "clause")
RULE_OPTIONS: Final = ("when", "notice", "metadata", "convert", *STANCE, *KEPT, "needs", "upstream_watermark")
# Who got content without its notice must be known for six months (Measures, Art. 9), and none are longer than these.
SIX_MONTHS: Final = 184  # days
# What a table of marks may ask about.
MARKED_BY: Final = ("kind", "dialect", "model", "upstream")

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def parse(data: object, name: str) -> Policy:
    """The policy in ``data``, the plain content of one YAML file called ``name`` (without its suffix).

    PolicyError with all faults, each with the path of the value that is wrong.
    """
    reader = Reader()
    pairs = reader.mapping(data, (), required=POLICY_KEYS, optional=POLICY_OPTIONS)
    if "policy" in pairs and pairs["policy"] != name:
        reader.fault(("policy",), f"must be {name}, as the file is called, not {named(pairs['policy'])}")
    elif "policy" in pairs:
        _id(reader, name, ("policy",))
    requires = reader.choice(pairs["requires"], ("requires",), REQUIREMENTS) if "requires" in pairs else ""
    rules = _rules(reader, pairs.get("rules", []), requires, _stance(reader, pairs, (), {}))
    sources = reader.items(pairs.get("sources", []), ("sources",))
    policy = Policy(
        id=name,
        title=reader.text(pairs["title"], ("title",)) if "title" in pairs else "",
        as_of=_date(reader, pairs.get("as_of")),
        sources=tuple(_source(reader, member, at) for at, member in sources),
        requires=requires,
        rules=rules,
        retired_words=_retired(reader, pairs.get("retired_words", [])),
        examples=read_examples(reader, pairs.get("examples", []), {rule.id for rule in rules}),
        canonical="",
        cannot=tuple(reader.text(member, at) for at, member in reader.items(pairs.get("cannot", []), ("cannot",))),
        upstream_marks=_marks(reader, pairs.get("upstream_marks", [])),
    )
    if reader.faults:
        raise PolicyError(reader.faults)
    # In the order of the file, which carries meaning: rules are tried from the top, the first words are the default.
    return replace(policy, canonical=json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str))


def _stance(reader: Reader, pairs: Mapping[str, Any], path: Path, general: Mapping[str, Any]) -> dict[str, Any]:
    """What ``pairs`` say of STANCE and KEPT, where they are silent what is said in general."""
    said: dict[str, Any] = {
        "retention": general.get("retention", 0),
        "fingerprint": general.get("fingerprint", False),
    }
    for name, choices in STANCE.items():
        said[name] = general.get(name, choices[0])
        if name in pairs:
            said[name] = reader.choice(pairs[name], (*path, name), choices)
    if "retention" in pairs:
        said["retention"] = days(reader, pairs["retention"], (*path, "retention"))
    if "fingerprint" in pairs:
        said["fingerprint"] = reader.flag(pairs["fingerprint"], (*path, "fingerprint"))
    return said


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
        # They are listed as they were in force, Markdown and all.
        if text and (wrong := bracketed(min((_inside(text, form) for form in FORMATS.values()), key=len))):
            reader.fault(at, wrong)
        words.append(text)
    return tuple(words)


def _inside(text: str, form: str) -> str:
    before, _, after = form.partition("{}")
    return text.removeprefix(before).removesuffix(after)


def _marks(reader: Reader, value: object) -> tuple[MarkRow, ...]:
    rows: list[MarkRow] = []
    for at, member in reader.items(value, ("upstream_marks",)):
        pairs = reader.mapping(member, at, required=["marks"], optional=MARKED_BY)
        when = read_when(reader, {name: one for name, one in pairs.items() if name != "marks"}, at, MARKED_BY)
        rows.append(MarkRow(when, _set(reader, pairs.get("marks", []), (*at, "marks"), UpstreamMark)))
    return tuple(rows)


def _rules(reader: Reader, value: object, requires: str, stance: Mapping[str, Any]) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    ids: set[str] = set()
    for at, member in reader.items(value, ("rules",)):
        rule = _rule(reader, member, at, requires, stance)
        if rule.opt_out == "grant" and rule.retention < SIX_MONTHS:
            _too_short(reader, at if isinstance(member, dict) and "opt_out" in member else ())
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


def _too_short(reader: Reader, path: Path) -> None:
    """Say so where ``opt_out`` stands, once."""
    at = (*path, "opt_out")
    if not any(fault.path == at for fault in reader.faults):
        needed = f"grant needs retention: {SIX_MONTHS} days or more"
        reader.fault(at, f"{needed}, so that it is known for six months who got what (Measures, Art. 9)")


def _rule(reader: Reader, value: object, path: Path, requires: str, stance: Mapping[str, Any]) -> Rule:
    pairs = reader.mapping(value, path, required=RULE_KEYS, optional=RULE_OPTIONS)
    when = read_when(reader, pairs.get("when", {}), (*path, "when"))
    kinds = dict(when).get("kind", KINDS)
    notice: NoticeTerms | None = None
    mode: Mode = "always"
    kind, at = (*path, "when", "kind"), (*path, "notice")
    # Which keys a notice may have depends on the kind: where that is at fault, nothing sensible can be said about them.
    if "notice" in pairs and not any(fault.path[: len(kind)] == kind for fault in reader.faults):
        if len(kinds) == 1:
            notice, mode = read_notice(reader, pairs["notice"], at, kinds[0], requires)
        else:
            reader.fault(at, "a notice needs a rule of one kind: say when: {kind: text}, or of another kind")
    if isinstance(value, dict) and "notice" not in pairs and "metadata" not in pairs:
        reader.fault(path, "the rule asks for nothing: give a notice or metadata, or say metadata: [] if that is meant")
    if "convert" in pairs and kinds != ("image",):
        reader.fault((*path, "convert"), "only pictures are converted: say when: {kind: image}")
    return Rule(
        id=_id(reader, pairs["id"], (*path, "id")) if "id" in pairs else "",
        when=when,
        clause=reader.text(pairs["clause"], (*path, "clause")) if "clause" in pairs else "",
        notice=notice,
        metadata=_metadata(reader, pairs.get("metadata", []), (*path, "metadata"), kinds),
        convert=_set(reader, pairs.get("convert", []), (*path, "convert"), Convertible),
        mode=mode,
        needs=_set(reader, pairs.get("needs", []), (*path, "needs"), Layer),
        upstream_watermark="upstream_watermark" in pairs
        and reader.choice(pairs["upstream_watermark"], (*path, "upstream_watermark"), ["force"]) == "force",
        **_stance(reader, pairs, path, stance),
    )


def _id(reader: Reader, value: object, path: Path) -> str:
    text = reader.text(value, path)
    if text and not _ID.fullmatch(text):
        reader.fault(path, f"must be of small letters, digits, dots, hyphens and underscores: {text!r}")
        return ""
    return text


def _metadata(reader: Reader, value: object, path: Path, kinds: tuple[str, ...]) -> frozenset[Carrier]:
    carriers = _set(reader, value, path, Carrier)
    for at, member in reader.items(value, path) if isinstance(value, list) else ():
        if member in IMAGE_ONLY and kinds != ("image",):
            reader.fault(at, f"{member} is a place in pictures: give them a rule of their own, when: {{kind: image}}")
    return carriers


def _set(reader: Reader, value: object, path: Path, choices: Any) -> frozenset[Any]:
    """A list of words, each of ``choices``, a Literal."""
    return frozenset(reader.choice(member, at, get_args(choices)) for at, member in reader.items(value, path))
