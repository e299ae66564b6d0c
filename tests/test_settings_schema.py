"""The schemas of config.yaml and of tables: every key with its meaning, every shipped file fits, and so do the files
that come with the program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from proxy.cli import commands
from proxy.cli_schema import SCHEMAS, Of, spelled
from proxy.dialects.meanings import MEANINGS
from proxy.settings_schema import config_schema, dialect_schema
from tests.command import ROOT

TABLES = [path for path in sorted((ROOT / "proxy/dialects/tables").glob("*.yaml")) if path.stem != "harmless"]
CONFIG = Draft202012Validator(config_schema())
DIALECT = Draft202012Validator(dialect_schema())

SOUND: dict[str, Any] = {
    "provider": {"id": "ACME"},
    "upstreams": {"models": {"url": "http://127.0.0.1:8000"}},
    "routes": [{"path": "/**", "upstream": "models", "policies": ["cn-gb45438"]}],
}
TABLE: dict[str, Any] = {
    "name": "acme.chat",
    "title": "Acme",
    "matches": [{"methods": ["POST"], "path": "**/acme"}],
    "body": [{"text": "result.text"}],
}


def read(path: Path) -> Any:
    """A YAML file as JSON has it, whose keys are text."""
    return json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8")), default=str))


def undescribed(schema: Any, of: str = "") -> Iterator[str]:
    for name, part in {"": schema, **schema["$defs"]}.items():
        for key, below in part.get("properties", {}).items():
            if "description" not in below:
                yield f"{name}.{key}"


@pytest.mark.parametrize("of", SCHEMAS)
def test_what_is_shipped_is_what_the_command_prints(of: Of) -> None:
    """To write it anew: countermark schema NAME > policies/schema/NAME.json, for each of them."""
    shipped = (ROOT / "policies/schema" / f"{of}.json").read_text(encoding="utf-8")
    Draft202012Validator.check_schema(json.loads(shipped))
    assert spelled(of) == shipped
    said = CliRunner().invoke(commands, ["schema", of])
    assert (0, shipped, "") == (said.exit_code, said.stdout, said.stderr)


def test_what_is_no_kind_of_file_is_asked_wrongly() -> None:
    said = CliRunner().invoke(commands, ["schema", "song"])
    assert (2, "") == (said.exit_code, said.stdout)
    assert "'song'" in said.stderr


def test_every_key_of_the_configuration_is_described() -> None:
    """As config.yaml describes it: whoever adds a key writes a remark there."""
    assert [] == list(undescribed(config_schema()))
    properties = config_schema()["$defs"]["UpstreamFile"]["properties"]
    assert (
        "close idle connections after; stay below the upstream's own (vLLM: 5 s)"
        == properties["keep_alive"]["description"]
    )
    assert "4 s" == properties["keep_alive"]["default"]
    assert config_schema()["$defs"]["ProviderFile"]["properties"]["name"]["default"] is None


def test_every_key_of_a_table_is_described() -> None:
    assert [] == list(undescribed(dialect_schema()))
    for model, meanings in MEANINGS.items():
        assert {field.alias or name for name, field in model.model_fields.items()} == set(meanings)


def test_the_sample_fits_and_says_so_in_its_first_line() -> None:
    assert [] == [error.message for error in CONFIG.iter_errors(read(ROOT / "config.yaml"))]
    line, _, _ = (ROOT / "config.yaml").read_text(encoding="utf-8").partition("\n")
    there = ROOT / line.removeprefix("# yaml-language-server: $schema=")
    assert config_schema() == json.loads(there.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_table_fits_and_says_so_in_its_first_line(path: Path) -> None:
    assert [] == [error.message for error in DIALECT.iter_errors(read(path))]
    line, _, _ = path.read_text(encoding="utf-8").partition("\n")
    assert (path.parent / line.removeprefix("# yaml-language-server: $schema=")).samefile(
        ROOT / "policies/schema/dialect.json"
    )


def test_sound_files_fit() -> None:
    assert CONFIG.is_valid(SOUND)
    assert DIALECT.is_valid(TABLE)


@pytest.mark.parametrize(
    "more",
    [
        {"listn": "127.0.0.1:80"},
        {"listen": 8080},
        {"limits": {"whole_body": "64 megabytes"}},
        {"limits": {"idle": 600}},
        {"limits": {"pixels": "100 MiB"}},
        {"limits": {"work_waiting": 0}},
        {"ledger": "on"},
        {"ledger": {"on_failure": "ignore"}},
        {"upstreams": {"models": {"url": "http://127.0.0.1:8000", "transport": "http3"}}},
        {"upstreams": {"models": {"url": 1}}},
        {"upstreams": {"models": {"url": "http://a", "sign": {"scheme": "hmac"}}}},
        {"routes": [{"path": "/**", "upstream": "models"}]},
        {"routes": [{**SOUND["routes"][0], "media_hosts": [{"private": True}]}]},
        {"routes": [{**SOUND["routes"][0], "mode": "watch"}]},
        {"routes": [{**SOUND["routes"][0], "deepfake": "perhaps"}]},
        {"trusted_peers": [10]},
    ],
    ids=str,
)
def test_what_no_configuration_may_say_does_not_fit(more: dict[str, Any]) -> None:
    assert not CONFIG.is_valid({**SOUND, **more})


@pytest.mark.parametrize(
    "more",
    [
        {"ledger": "off"},
        {"ledger": False},
        {"ledger": None},
        {"limits": {"whole_body": "1.5GiB", "link": "24 h"}},
        {"routes": [{**SOUND["routes"][0], "deepfake": True}]},
        {"routes": [{**SOUND["routes"][0], "deepfake": {"header": "X-Deepfake"}}]},
        {"routes": [{**SOUND["routes"][0], "media_hosts": ["a.example", {"host": "b.example", "private": True}]}]},
        {"upstreams": {"a": {"url": "http://a", "overrides": {"openai.chat": {"mode": "full"}}}}},
    ],
    ids=str,
)
def test_what_a_configuration_may_say_fits(more: dict[str, Any]) -> None:
    assert CONFIG.is_valid({**SOUND, **more})


@pytest.mark.parametrize(
    "more",
    [
        {"on": 1},
        {"matches": []},
        {"matches": [{"methods": ["SEND"], "path": "/x"}]},
        {"body": [{"text": 1}]},
        {"body": [{"text": "a", "mode": "partial"}]},
        {"media": [{"path": "a", "encoding": "base85"}]},
        {"socket": {"1": 2}},
        {"examples": [{"body": {}}]},
    ],
    ids=str,
)
def test_what_no_table_may_say_does_not_fit(more: dict[str, Any]) -> None:
    assert not DIALECT.is_valid({**TABLE, **more})
