"""The law of this file: a policy that parses fits its schema, and a key that does not parse is none in it.

The JSON Schema (2020-12) of a policy file, for editors: made of the tables that read one, with a sentence for every
key. What a schema cannot say (whether words name what a law prescribes, whether a rule can be reached) is for
``countermark check`` to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, get_args

from proxy.policy.decision import (
    AudioForm,
    Backing,
    BadgeMark,
    BadgePosition,
    Carrier,
    Convertible,
    Layer,
    Mode,
    OnFailure,
    Position,
    Role,
    Shown,
    Undrawable,
    UpstreamMark,
)
from proxy.policy.facts import KINDS
from proxy.policy.parse import MARKED_BY, POLICY_KEYS, POLICY_OPTIONS, RULE_KEYS, RULE_OPTIONS, STANCE
from proxy.policy.parse_notice import FORMATS, NOTICES, REQUIREMENTS
from proxy.policy.parse_when import LONGEST_PATTERN
from proxy.policy.vocabulary import FACTS, GRANTED, WISH

__all__ = ["policy_schema"]

_Schema = dict[str, Any]

_TEXT: Final[_Schema] = {"type": "string", "minLength": 1}
_DAYS: Final[_Schema] = {"type": "string", "pattern": "^[0-9]{1,5} ?days?$"}
_SECONDS: Final[_Schema] = {"type": "string", "pattern": "^[0-9]{1,5}(\\.[0-9]{1,3})? ?s$"}
_HEIGHT: Final[_Schema] = {
    "anyOf": [
        {"type": "string", "pattern": "^[0-9]{1,3}(\\.[0-9]{1,4})? ?%$"},
        {"type": "number", "minimum": 0.05, "maximum": 0.5},
    ]
}
_TOKENS: Final[_Schema] = {"type": "integer", "minimum": 1, "maximum": 1_000_000}
_FLAG: Final[_Schema] = {"type": "boolean"}
_LANGUAGE: Final = "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$"
_IN_BRACKETS: Final = "[【\\[（(].+[】\\]）)]"


def _said(about: str, schema: _Schema) -> _Schema:
    return {"description": about, **schema}


def _word(choices: Any) -> _Schema:
    """One of some words; what YAML 1.1 reads as a truth value where it stands without quotes is as good."""
    known = list(get_args(choices) or choices)
    truths = [value for value, words in ((True, {"yes", "on"}), (False, {"no", "off"})) if words & set(known)]
    return {"enum": [*known, *truths]}


def _list(items: _Schema, **more: Any) -> _Schema:
    return {"type": "array", "items": items, **more}


def _one_or_more(value: _Schema) -> _Schema:
    return {"anyOf": [value, _list(value, minItems=1, uniqueItems=True)]}


def _mapping(properties: _Schema, required: Iterable[str] = (), **more: Any) -> _Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        **({"required": list(required)} if required else {}),
        **more,
    }


def _words(pattern: str = "") -> _Schema:
    text = {**_TEXT, "maxLength": 200, **({"pattern": f"^{pattern}$"} if pattern else {})}
    return {
        "type": "object",
        "propertyNames": {"pattern": _LANGUAGE},
        "additionalProperties": text,
        "minProperties": 1,
    }


def _value(name: str) -> _Schema:
    """One value of a fact, or pattern for it."""
    fact = FACTS[name]
    if fact.values == ("true", "false"):
        return _FLAG
    if name == "min_tokens":
        return _TOKENS
    if fact.values:
        return _word(fact.values)
    text = {**_TEXT, "maxLength": LONGEST_PATTERN}
    return {**text, "pattern": "^/"} if name == "path" else text


def _condition(name: str) -> _Schema:
    value = _value(name)
    return _said(FACTS[name].about, value if value in (_FLAG, _TOKENS) else _one_or_more(value))


_ON_FAILURE: Final = "when a label cannot be put in: block answers with an error, pass lets the answer go without it"
_STANCES: Final = {
    "on_failure": _ON_FAILURE,
    "role": "producer: we label; propagator: labels from upstream are kept, with us as who passes them on; preserve: a "
    "medium that its maker has labelled is left alone, byte for byte",
    "opt_out": "whether a client may do without the notice: none says nothing of it, request offers it to all, grant "
    "to those who hold one (it needs retention: 184 days or more), forbidden lets nobody on the same route offer it",
}
_FINGERPRINT: Final = _said(
    "whether records tell of texts what finds them again once they were edited: keyed hashes of some pieces", _FLAG
)
_RETENTION: Final = _said("how long records must be kept at least, such as 190 days", _DAYS)
_POSITION: Final = "where: before the content, after it, or both"

# What the keys of a notice are, whatever kind of content it is for; ``words`` and ``position`` depend on that.
_NOTICE: Final[dict[str, _Schema]] = {
    "mode": _said(
        "when it is given: always; where what is made may be a deepfake (the route's deepfake is yes or unknown); "
        "optional: where the client asks for it (Countermark-Notice: show); off: never",
        _word(Mode),
    ),
    "format": _said("as the words stand, or in Markdown's bold", _word(FORMATS)),
    "height": _said("of the shorter side, such as 5 %, which is the least", _HEIGHT),
    "mark": _said("the AI mark of the European Union's Code of Practice", _word(BadgeMark)),
    "backing": _said("what the letters stand on: a plate, an outline of their own, or what is legible", _word(Backing)),
    "undrawable": _said("a picture on which no badge can be drawn: refuse it, or metadata alone", _word(Undrawable)),
    "form": _said("words spoken, the rhythm short long short short, or both", _word(AudioForm)),
    "shown": _said("from the start for some seconds, again in each interval, or throughout", _word(Shown)),
    "seconds": _said("how long it is seen, such as 2 s", _SECONDS),
    "interval": _said("how often it comes again, such as 60 s", _SECONDS),
}


def _notice(kind: str) -> _Schema:
    keys, wordless, _ = NOTICES[kind]
    badge = kind in ("image", "video")
    place = _said("a corner, or the middle of an edge", _word(BadgePosition))
    own = {
        "words": _said(
            "the words by language tag; the first are for everybody whose language is not there"
            + ("; in brackets, so that they can be told from the text" if kind == "text" else ""),
            _words(_IN_BRACKETS if kind == "text" else ""),
        ),
        "position": place if badge else _said(_POSITION, _word(Position)),
    }
    instead = [{"required": [name], "properties": {name: _word(values)}} for name, values in wordless.items()]
    needed: _Schema = {"anyOf": [{"required": ["words"]}, *instead]} if instead else {"required": ["words"]}
    return _mapping({name: own.get(name) or _NOTICE[name] for name in ("words", *keys, "mode")}, **needed)


def _of_kind(kind: str) -> _Schema:
    """Of the rules for one kind of content: what their notice may be."""
    when = {"required": ["kind"], "properties": {"kind": {"enum": [kind, [kind]]}}}
    return {
        "if": {"required": ["when", "notice"], "properties": {"when": when}},
        "then": {"properties": {"notice": {"$ref": f"#/$defs/{kind}-notice"}}},
    }


def _rule() -> _Schema:
    single = {"required": ["kind"], "properties": {"kind": {"enum": [one for kind in KINDS for one in (kind, [kind])]}}}
    properties = {
        "id": _said("the rule's name, as records and messages tell it", {"$ref": "#/$defs/id"}),
        "when": _said(
            "which responses: all that is named here must fit; left out: every response",
            _mapping({name: _condition(name) for name in FACTS}),
        ),
        "clause": _said("the clause of the law that asks for it", _TEXT),
        "notice": _said("what people notice; its keys depend on the kind", {"type": "object"}),
        "metadata": _said(
            "what machines read: the AIGC label in the JSON (body), in a header, in a picture's file (xmp); the header "
            "AI-Disclosure (disclosure); a statement of who made what, when, with which system (statement)",
            _list(_word(Carrier)),
        ),
        "convert": _said("formats without a place for metadata that may become PNG", _list(_word(Convertible))),
        "needs": _said("layers that the law asks for and only the upstream can add", _list(_word(Layer))),
        "upstream_watermark": _said("force: the API's own watermark is switched on in requests", {"enum": ["force"]}),
        "retention": _RETENTION,
        "fingerprint": _FINGERPRINT,
        **{name: _said(_STANCES[name], _word(words)) for name, words in STANCE.items()},
    }
    return _mapping(
        {name: properties[name] for name in (*RULE_KEYS, *RULE_OPTIONS)},
        RULE_KEYS,
        anyOf=[{"required": ["notice"]}, {"required": ["metadata"]}],
        allOf=[
            *map(_of_kind, KINDS),
            {"if": {"required": ["notice"]}, "then": {"required": ["when"], "properties": {"when": single}}},
        ],
    )


def _example() -> _Schema:
    facts = {name: _said(FACTS[name].about, _value(name)) for name in FACTS if name != "min_tokens"}
    facts["wish"] = _said(WISH.about, _word([value for value in WISH.values if value]))
    facts["granted"] = _said(GRANTED.about, _FLAG)
    facts["tokens"] = _said("how many tokens the text has", _TOKENS)
    decision = {
        "rule": _said("the rule that speaks; none: no rule does", _TEXT),
        "notice": _said("whether there is one", _FLAG),
        "words": _said("its words, for those whose language is not known", _TEXT),
        "position": {"enum": sorted({*get_args(Position), *get_args(BadgePosition)})},
        **{name: _NOTICE[name] for name in ("form", "mark", "backing", "shown", "undrawable", "height")},
        **{name: _NOTICE[name] for name in ("seconds", "interval")},
        "metadata": _list(_word(Carrier)),
        "convert": _list(_word(Convertible)),
        "on_failure": _word(OnFailure),
        "role": _word(Role),
        "retention": _RETENTION,
        "fingerprint": _FINGERPRINT,
        "needs": _list(_word(Layer)),
        "gaps": _said("layers that are needed and that nobody is known to add", _list(_word(Layer))),
        "upstream_watermark": _FLAG,
    }
    return _mapping(
        {
            "facts": _said("what is known of a response", _mapping(facts, ["kind"])),
            "decision": _said("what this policy, alone, decides: the fields that matter", _mapping(decision)),
        },
        ["facts", "decision"],
    )


def policy_schema() -> _Schema:
    """The JSON Schema of a policy file, as plain data."""
    mark = {name: _condition(name) for name in MARKED_BY}
    mark["marks"] = _said("the marks that the model's maker adds", _list(_word(UpstreamMark)))
    retired = {**_TEXT, "pattern": f"^(\\*\\*)?{_IN_BRACKETS}(\\*\\*)?$"}
    properties = {
        "policy": _said("the policy's name: that of the file, without .yaml", {"$ref": "#/$defs/id"}),
        "title": _said("its title for people", _TEXT),
        "as_of": _said(
            "the day on which the law stood so, such as 2026-01-31",
            {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
        ),
        "sources": _said("where the law can be read", _list({"type": "string", "pattern": "^https://"})),
        "rules": _said("the rules, tried from the top: the first that fits speaks", _list(_rule(), minItems=1)),
        "cannot": _said("what of the law is not done here, in sentences for people", _list(_TEXT)),
        "requires": _said("a law that the words are held to", _word(REQUIREMENTS)),
        **{name: _said(f"{_STANCES[name]}; a rule may say otherwise", _word(words)) for name, words in STANCE.items()},
        "retention": _RETENTION,
        "fingerprint": _FINGERPRINT,
        "retired_words": _said(
            "words of text notices that were in force once: they are still cut out of what clients send back",
            _list(retired),
        ),
        "upstream_marks": _said("which marks models' own makers add", _list(_mapping(mark, ["marks"]))),
        "examples": _said("what the policy is meant to do; countermark check holds it to that", _list(_example())),
    }
    named = {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,63}$"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Countermark: a policy",
        **_mapping({name: properties[name] for name in (*POLICY_KEYS, *POLICY_OPTIONS)}, POLICY_KEYS),
        "$defs": {"id": named, **{f"{kind}-notice": _notice(kind) for kind in KINDS}},
    }
