"""``countermark init``: a folder to begin with, of files that people edit.

The law: nothing that is there already is written over unless that was asked for, and where one file would be, none is
written. Status 0: all are written; 1: they cannot be, or some are there already; 2: it was asked wrongly.
"""

import json as spelling
import os
import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from proxy import shipped
from proxy.cli_endings import FAILED, end

__all__ = ["init"]


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder; it is made where there is none.")],
    force: Annotated[bool, typer.Option("--force", help="Write over files that are there already.")] = False,
    json: Annotated[bool, typer.Option("--json", help="For programs: the files, as JSON.")] = False,
) -> None:
    """Begin: put a configuration into a folder, with all policies that come with the program."""
    files = _starter()
    there = [name for name in files if os.path.lexists(folder / name)]
    if there and not force:
        end(FAILED, *(f"{folder / name} is there already" for name in there), "nothing is written; --force writes over")
    for name, content in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            end(FAILED, f"{error.filename} cannot be made a folder: {error.strerror}")
        try:
            _write(path, content)
        except OSError as error:
            end(FAILED, f"{path} cannot be written: {error.strerror}")
    if json:
        typer.echo(spelling.dumps({"folder": str(folder), "files": list(files)}, ensure_ascii=False, indent=2))
    else:
        _tell(folder, list(files))


def _starter() -> dict[str, bytes]:
    """The files to begin with, by their paths in the folder."""
    folder = shipped.policies()
    paths = {f"policies/{path.name}": path for path in sorted(folder.glob("*.yaml"))}
    paths |= {f"policies/schema/{path.name}": path for path in sorted((folder / "schema").glob("*.json"))}
    return {name: path.read_bytes() for name, path in {"config.yaml": shipped.sample(), **paths}.items()}


def _write(path: Path, content: bytes) -> None:
    """A file that comes to its name whole, with the permissions that new files have here."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), "wb") as file:
            file.write(content)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _tell(folder: Path, files: list[str]) -> None:
    console = Console(highlight=False)
    rows = Table.grid(padding=(0, 2, 0, 0))
    rows.add_row("config.yaml", "who you are, which models, what applies where")
    for beneath, suffix, about in (("policies/", ".yaml", ""), ("policies/schema/", ".json", ": for your editor")):
        names = [name.removeprefix(beneath) for name in files if name.startswith(beneath)]
        own = [name.removesuffix(suffix) for name in names if "/" not in name]
        rows.add_row(beneath, ", ".join(own) + about)
    place, config = shlex.quote(str(folder)), shlex.quote(str(folder / "config.yaml"))
    console.print(Text(f"{folder} is ready:"), soft_wrap=True)
    console.print(Padding(rows, (0, 0, 1, 2), expand=False))
    for line in (
        f"1. Put your own provider and upstreams into {folder / 'config.yaml'}",
        f"2. countermark check {place}",
        f"3. countermark serve --config {config}",
    ):
        console.print(Text(line), soft_wrap=True)
