"""The law of this file: a condition that reads asks for facts that there are, in words that each fact knows."""

from __future__ import annotations

from collections.abc import Iterable

from proxy.policy.errors import Path
from proxy.policy.patterns import path_faults
from proxy.policy.reader import Reader, named
from proxy.policy.vocabulary import FACTS, TEXT_ONLY, When

__all__ = ["LONGEST_PATTERN", "read_fact", "read_when"]

_LONGEST_TEXT = 1_000_000  # tokens
LONGEST_PATTERN = 1024  # characters


def read_when(reader: Reader, value: object, path: Path, known: Iterable[str] = FACTS) -> When:
    """``{fact: value or list of values}``, of the facts ``known``."""
    pairs = reader.mapping(value, path, optional=known)
    when = tuple((name, _patterns(reader, name, member, (*path, name))) for name, member in pairs.items())
    asked = dict(when)
    kinds = asked.get("kind", ())
    for name in TEXT_ONLY:
        if name in asked and kinds != ("text",):
            reader.fault((*path, name), f"{name} is known of texts only: say kind: text beside it", key=True)
    return when


def read_fact(reader: Reader, name: str, value: object, path: Path) -> str:
    """One value of a fact, or pattern for it, as text; empty or the first there is where it is at fault."""
    fact = FACTS[name]
    if fact.values == ("true", "false"):
        if not isinstance(value, bool):
            reader.fault(path, f"must be true or false, not {named(value)}")
        return "true" if value is True else "false"
    if name == "min_tokens":
        if type(value) is not int or not 0 < value <= _LONGEST_TEXT:
            reader.fault(path, f"must be a number of tokens from 1 to {_LONGEST_TEXT}, not {named(value)}")
            return "1"
        return str(value)
    if fact.values:
        # YAML 1.1 reads an unquoted yes or no as a truth value.
        spelled = {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value
        return reader.choice(spelled, path, fact.values)
    text = reader.text(value, path)
    if len(text) > LONGEST_PATTERN:
        reader.fault(path, f"is longer than {LONGEST_PATTERN} characters")
        return ""
    return text


def _patterns(reader: Reader, name: str, value: object, path: Path) -> tuple[str, ...]:
    single = FACTS[name].values == ("true", "false") or name == "min_tokens"
    members = reader.items(value, path) if isinstance(value, list) and not single else [(path, value)]
    if not members:
        reader.fault(path, "is an empty list, which nothing fits: leave the key out for everything")
    patterns: list[str] = []
    for at, member in members:
        pattern = read_fact(reader, name, member, at)
        wrong = path_faults(pattern) if name == "path" and pattern else ""
        if wrong:
            reader.fault(at, wrong)
        if pattern in patterns:
            reader.fault(at, f"{pattern} is there twice")
        patterns.append(pattern)
    return tuple(patterns)
