"""``countermark keys``: what it says of secrets, what it never says, and that rotating them takes nothing away."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from proxy.cli import commands
from proxy.keys import Keys

CONFIG = """\
provider: {id: TEST-LABS}
upstreams: {models: {url: "http://127.0.0.1:9"}}
routes: [{path: /**, upstream: models, policies: [cn-gb45438]}]
keys: secrets/
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Keys.open(tmp_path / "secrets")
    os.utime(tmp_path / "secrets" / "secret", (1_790_000_000, 1_790_000_000))
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["keys", *arguments])


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text() for path in (folder / "secrets").rglob("*") if path.is_file()
    }


def test_the_secret_is_listed_by_its_name(folder: Path) -> None:
    (known,) = Keys.known(folder / "secrets")

    said = run("list", "--keys", "secrets")

    assert (0, f"{known.id}  made 2026-09-21 14:13 UTC  in use\n") == (said.exit_code, said.stdout)


def test_a_rotation_retires_the_secret_and_says_when_it_counts(folder: Path) -> None:
    before = Keys.open(folder / "secrets").hash("text", b"x")
    (old,) = Keys.known(folder / "secrets")

    said = run("rotate", "--keys", "secrets")

    new, retired = Keys.known(folder / "secrets")
    assert (0, old) == (said.exit_code, retired)
    assert new.id != old.id
    first, second = said.stdout.splitlines()
    assert first.startswith(f"{new.id}  made 20")
    assert first.endswith("  in use")
    assert f"{old.id}  made 2026-09-21 14:13 UTC  retired" == second
    assert "from the next start on" in said.stderr
    assert before == Keys.open(folder / "secrets").hashes("text", b"x")[1]


@pytest.mark.parametrize("command", ["list", "rotate"])
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_no_secret_is_shown(folder: Path, command: str, options: list[str]) -> None:
    run("rotate", "--keys", "secrets")

    said = run(command, "--keys", "secrets", *options)

    assert said.exit_code == 0
    secrets = [text.strip() for name, text in contents(folder).items() if not name.endswith(".lock")]
    assert len(secrets) == 2 + (command == "rotate")
    for secret in secrets:
        assert not any(secret[place : place + 8] in said.output for place in range(57))


def test_programs_are_told_the_same(folder: Path) -> None:
    said = run("rotate", "--keys", "secrets", "--json")

    new, old = Keys.known(folder / "secrets")
    first, second = map(json.loads, said.stdout.splitlines())
    assert {"id": old.id, "made": "2026-09-21T14:13:20+00:00", "retired": True} == second
    assert {"id": new.id, "made": first["made"], "retired": False} == first
    assert said.stderr == ""


@pytest.mark.parametrize("options", [[], ["--config", "config.yaml"], ["--keys", "secrets/"]])
def test_the_folder_is_the_one_that_is_meant(folder: Path, options: list[str]) -> None:
    (folder / "config.yaml").write_text(CONFIG)
    (known,) = Keys.known(folder / "secrets")

    assert known.id in run("list", *options).stdout


@pytest.mark.parametrize("command", ["list", "rotate"])
@pytest.mark.parametrize(
    ("status", "expected", "options"),
    [
        (1, "there is no secret yet; the first start makes one", ["--keys", "elsewhere"]),
        (1, "there is no secret yet", ["--keys", "."]),
        (2, "there is no config.yaml here", []),
        (2, "exclude each other", ["--keys", "secrets", "--config", "config.yaml"]),
        (2, "missing.yaml", ["--config", "missing.yaml"]),
    ],
)
def test_what_cannot_be(folder: Path, command: str, status: int, expected: str, options: list[str]) -> None:
    before = contents(folder)

    said = run(command, *options)

    assert status == said.exit_code
    assert expected in said.stderr
    assert said.stdout == ""
    assert before == contents(folder)
    assert os.listdir(folder) == ["secrets"]


@pytest.mark.parametrize("command", ["list", "rotate"])
def test_secrets_that_others_can_use_are_refused(folder: Path, command: str) -> None:
    (folder / "secrets" / "secret").chmod(0o644)

    said = run(command, "--keys", "secrets")

    assert said.exit_code == 1
    assert "run: chmod 600 secrets/secret" in said.stderr
