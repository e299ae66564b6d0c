"""The schema of policies knows the keys that the parser knows, takes what it takes, and says what each key means."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from proxy.policy.facts import KINDS
from proxy.policy.parse import POLICY_KEYS, POLICY_OPTIONS, RULE_KEYS, RULE_OPTIONS
from proxy.policy.parse_notice import NOTICES
from proxy.policy.schema import policy_schema
from proxy.policy.vocabulary import FACTS
from tests.policy import test_parse, test_parse_regimes

SCHEMA = policy_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
RULE = SCHEMA["properties"]["rules"]["items"]

# What a schema cannot see: how words are made, what stands elsewhere in the file, whether rules can be reached.
BEYOND = (
    "as the file is called", "GB 45438-2025", "gb45438-5.1 asks", "nobody can see", "Basic Multilingual Plane",
    "must not hold the brackets", "has spaces around it", "is there twice", "can never be reached", "no rule is called",
    "** stands for whole segments", "is known of texts only", "is a place in pictures", "only pictures are converted",
    "has no words", "an interval needs", "has no seconds", "brackets, 【】", "the key words is missing", "YAML reads",
    "a key must be text", "is empty", "not at nan", "must be start, end or both, not the text 'top-left'",
    "unknown key mark", "unknown key format", "must be a time in", "must lie between", "184 days or more",
)  # fmt: skip


def plain(data: Any) -> Any:
    """What JSON has instead: dates are text."""
    return json.loads(json.dumps(data, default=str))


def descriptions(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], bool]]:
    if isinstance(node, dict):
        for name, below in node.get("properties", {}).items():
            yield (*path, name), "description" in below
        for name, below in node.items():
            if name not in ("if", "then", "anyOf", "allOf"):
                yield from descriptions(below, (*path, name))


def test_it_is_a_schema_with_the_parser_s_own_keys() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert {*POLICY_KEYS, *POLICY_OPTIONS} == set(SCHEMA["properties"])
    assert {*RULE_KEYS, *RULE_OPTIONS} == set(RULE["properties"])
    assert set(FACTS) == set(RULE["properties"]["when"]["properties"])
    for kind in KINDS:
        assert {"words", "mode", *NOTICES[kind].keys} == set(SCHEMA["$defs"][f"{kind}-notice"]["properties"])


def test_every_key_that_people_write_is_described() -> None:
    told = dict(descriptions(SCHEMA))
    assert [] == [path for path, said in told.items() if not said and "decision" not in path]


@pytest.mark.parametrize("file", sorted(Path("policies").glob("*.yaml")), ids=lambda file: file.stem)
def test_every_shipped_policy_fits_and_says_so_in_its_first_line(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert [] == [error.message for error in VALIDATOR.iter_errors(plain(yaml.safe_load(text)))]
    line, _, _ = text.partition("\n")
    there = file.parent / line.removeprefix("# yaml-language-server: $schema=")
    assert SCHEMA == json.loads(there.read_text(encoding="utf-8"))


@pytest.mark.parametrize("data", [test_parse.sound(), test_parse_regimes.rich()], ids=["sound", "rich"])
def test_a_sound_policy_fits(data: object) -> None:
    assert [] == [error.message for error in VALIDATOR.iter_errors(plain(data))]


@pytest.mark.parametrize(
    ("message", "data"),
    [
        (message, of.changed(path, value))
        for of in (test_parse, test_parse_regimes)
        for _, message, path, value in of.FAULTS
    ],
)
def test_what_the_parser_refuses_does_not_fit(message: str, data: object) -> None:
    assert not VALIDATOR.is_valid(plain(data)) or any(words in message for words in BEYOND)


def mappings(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every mapping whose keys are not the writer's own."""
    if isinstance(data, dict) and path[-1:] != ("words",):
        yield path
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, below in pairs:
        yield from mappings(below, (*path, key))


@pytest.mark.parametrize("path", list(mappings(test_parse_regimes.rich())), ids=str)
def test_a_key_that_is_unknown_fits_nowhere(path: tuple[str | int, ...]) -> None:
    assert not VALIDATOR.is_valid(plain(test_parse_regimes.changed((*path, "unheard_of"), 1)))
