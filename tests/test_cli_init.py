"""``countermark init``: what it writes is all that is needed to begin, and it never writes over anybody's work."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from proxy.cli import commands
from proxy.settings_model import PLACEHOLDER
from tests.command import ROOT

NAMES = {
    "config.yaml",
    *(f"policies/{path.name}" for path in (ROOT / "policies").glob("*.yaml")),
    *(f"policies/schema/{path.name}" for path in (ROOT / "policies/schema").glob("*.json")),
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def command(*arguments: str) -> Result:
    return CliRunner().invoke(commands, list(arguments))


def written(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_files_are_those_that_come_with_the_program(here: Path) -> None:
    said = command("init", "my proxy/first")
    assert (0, "") == (said.exit_code, said.stderr)
    assert {name: (ROOT / name).read_bytes() for name in NAMES} == written(here / "my proxy/first")
    (here / "usual").touch()
    assert {(here / "usual").stat().st_mode} == {path.stat().st_mode for path in here.rglob("*.yaml")}


def test_it_says_what_to_do_next_in_lines_that_fit() -> None:
    lines = command("init", "my proxy").stdout.splitlines()
    assert [
        "1. Put your own provider and upstreams into my proxy/config.yaml",
        "2. countermark check 'my proxy'",
        "3. countermark serve --config 'my proxy/config.yaml'",
    ] == lines[-3:]
    assert all(len(line) <= 80 for line in lines)


def test_for_programs_the_files_are_listed() -> None:
    told = json.loads(command("init", "one", "--json").stdout)
    assert ("one", NAMES) == (told["folder"], set(told["files"]))


def test_what_is_there_stays_and_nothing_else_is_written(here: Path) -> None:
    (here / "one/policies").mkdir(parents=True)
    (here / "one/config.yaml").write_text("mine", encoding="utf-8")
    (here / "one/policies/cn-gb45438.yaml").symlink_to("nowhere")
    said = command("init", "one")
    assert (1, "") == (said.exit_code, said.stdout)
    assert [
        "one/config.yaml is there already",
        "one/policies/cn-gb45438.yaml is there already",
        "nothing is written; --force writes over",
    ] == said.stderr.splitlines()
    assert {"config.yaml": b"mine"} == written(here / "one")


def test_by_force_it_is_written_over_and_what_is_not_ours_stays(here: Path) -> None:
    command("init", "one")
    (here / "one/config.yaml").write_text("mine", encoding="utf-8")
    (here / "one/policies/own.yaml").write_text("mine", encoding="utf-8")
    assert 0 == command("init", "one", "--force").exit_code
    expected = {name: (ROOT / name).read_bytes() for name in NAMES} | {"policies/own.yaml": b"mine"}
    assert expected == written(here / "one")


def test_a_file_in_the_place_of_the_folder(here: Path) -> None:
    (here / "one").write_text("mine", encoding="utf-8")
    said = command("init", "one")
    assert (1, "", "one cannot be made a folder: File exists\n") == (said.exit_code, said.stdout, said.stderr)
    said = command("init", "one/two")
    assert (1, "one/two cannot be made a folder: Not a directory\n") == (said.exit_code, said.stderr)


def test_a_folder_in_the_place_of_a_file(here: Path) -> None:
    (here / "one/config.yaml").mkdir(parents=True)
    said = command("init", "one", "--force")
    assert (1, "one/config.yaml cannot be written: Is a directory\n") == (said.exit_code, said.stderr)
    assert {} == written(here / "one")


def test_what_was_written_serves_nobody_before_it_names_its_provider() -> None:
    command("init", "one")
    for wrong in (command("serve", "--config", "one/config.yaml"), command("check", "one")):
        assert 2 == wrong.exit_code
        assert wrong.stderr.startswith("one/config.yaml:12:7: provider.id: " + PLACEHOLDER)
