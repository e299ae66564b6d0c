"""The house rules, as a machine reads them: the direction of imports, types, lint, names, sizes."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "proxy"
MODULES = sorted(PACKAGE.rglob("*.py"))
ROOMS = ("label", "policy", "dialects", "framing", "media", "labelling", "record")
BY_HAND = PACKAGE / "media" / "fonts" / "build_subset.py"  # a script for people, imported by nobody
LONGEST = 320
DRAWERS = {"util", "utils", "helper", "helpers", "common", "base", "manager", "handler", "handlers", "core", "misc"}
TEXTS = {".py", ".md", ".yaml", ".yml", ".toml", ".txt", ".case", ""}

name_of = {"ids": lambda path: str(path.relative_to(ROOT))}


def tracked() -> Iterator[Path]:
    """Every file of the project: what lies in the tree and is neither generated nor ignored."""
    generated = {".git", ".venv", "dist", "build", "demo-output", "keys"}
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if path.is_file() and not any(part in generated or "cache" in part or part == ".hypothesis" for part in parts):
            yield path


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "mypy"],
        ["-m", "ruff", "check", "--no-cache", "."],
        ["-m", "ruff", "format", "--no-cache", "--check", "."],
        ["-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache", "--no-logo"],
    ],
    ids=["mypy", "ruff-check", "ruff-format", "import-linter"],
)
def test_the_machines_have_nothing_to_say(command: list[str]) -> None:
    said = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)

    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.parametrize("path", MODULES, **name_of)
def test_a_file_says_one_thing(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("path", MODULES, **name_of)
def test_no_file_is_a_drawer(path: Path) -> None:
    words = {word for part in path.relative_to(ROOT).with_suffix("").parts for word in part.strip("_").split("_")}

    assert not words & DRAWERS


@pytest.mark.parametrize("path", [path for path in MODULES if path.stat().st_size], **name_of)
def test_a_file_says_its_law_first(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", MODULES, **name_of)
def test_errors_are_not_swallowed_and_imports_are_absolute(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
        if isinstance(node, ast.ExceptHandler):
            broad = node.type is None or (
                isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")
            )
            assert not (broad and isinstance(node.body[0], ast.Pass)), f"line {node.lineno}: whatever it was is lost"


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.relative_to(PACKAGE).parts[0] in ROOMS and path != BY_HAND], **name_of
)
def test_a_room_is_pure(path: Path) -> None:
    """What the import contract cannot see: built-in doors to the world, the clock in datetime, module state."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            assert not (isinstance(called, ast.Name) and called.id in ("open", "print", "input", "breakpoint"))
            assert not (isinstance(called, ast.Attribute) and called.attr in ("now", "utcnow", "today"))
        assert not isinstance(node, ast.Global), f"line {node.lineno}: state of the module"


def test_every_folder_of_the_package_is_a_room() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))}

    # What Alembic runs is no part of the program; starter is what a wheel carries for others.
    assert folders - {"starter", "migrations"} == set(ROOMS)


def test_tests_mirror_the_package() -> None:
    for room in ROOMS:
        for path in (ROOT / "tests" / room).glob("test_*.py"):
            assert (PACKAGE / room).is_dir(), path


@pytest.mark.parametrize("path", [path for path in tracked() if path.suffix in TEXTS], **name_of)
def test_nothing_points_to_a_place_that_only_one_machine_has(path: Path) -> None:
    # Spelled apart, so that this file holds to its own rule.
    elsewhere = re.compile("/wor" + "k/|/tm" + "p/|/ro" + "ot/|files.python" + "hosted|pypi" + r"\.org|index-" + "url")

    assert not elsewhere.findall(path.read_text(encoding="utf-8"))
