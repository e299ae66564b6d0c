"""``countermark keys``: the secrets of an installation, by their names, and a fresh one in place of the present one.

The law: no secret is ever shown, nothing is made that is not asked for, and a rotation loses nothing: what the secrets
before made can still be found and checked (see ``keyring.py``). Status 0: done; 1: the secrets cannot be read or
replaced; 2: it was asked wrongly.
"""

import json as spelling
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from proxy.cli_endings import FAILED, MISUSED, end, say, visible
from proxy.cli_options import ConfigOption
from proxy.cli_place import USUAL, KeysOption
from proxy.keys import Keys, KeysError, Known
from proxy.settings import SettingsError, load

__all__ = ["keys"]

_NOWHERE: Final = (
    "Countermark needs to know where the keys are: there is no config.yaml here. Name one of",
    "    --config config.yaml        the configuration of the proxy",
    "    --keys keys/                the folder of the secret",
)

ROTATED: Final = (
    "The new secret is used from the next start on: start every process again that reads this folder, and bring copies",
    "of it up to date first. Keep the retired ones for as long as the records that were made with them.",
)

keys = typer.Typer(
    name="keys",
    help="The secret that labels are sealed and records are kept with: list what there is, and replace it.",
    no_args_is_help=True,
)

JsonOption = Annotated[bool, typer.Option("--json", help="For programs: one line of JSON for each secret.")]


@keys.command("list")
def list_(config: ConfigOption = None, folder: KeysOption = None, json: JsonOption = False) -> None:
    """List the secrets by name, the one in use first: when each was made, and which are retired.

    A name tells nothing of the secret; two installations that show the same one share it.
    """
    place = _place(config, folder)
    try:
        _show(Keys.known(place), json=json)
    except KeysError as error:
        _refused(error)


@keys.command()
def rotate(config: ConfigOption = None, folder: KeysOption = None, json: JsonOption = False) -> None:
    """Retire the secret in use and make another, which is used from the next start on.

    Retired secrets stay in the folder: without them, records kept until now are no longer found by text, tenant or
    subject, changes to them are no longer named, and links to media end early.
    """
    place = _place(config, folder)
    try:
        after = Keys.rotate(place)
    except KeysError as error:
        _refused(error)
    _show(after, json=json)
    if not json:
        say(ROTATED)


def _place(config: Path | None, folder: Path | None) -> Path:
    if config is not None and folder is not None:
        end(MISUSED, "--config and --keys exclude each other: the configuration says where its keys are")
    if folder is not None:
        return folder
    if config is None and not USUAL.is_file():
        end(MISUSED, *_NOWHERE)
    try:
        return load(config or USUAL, secrets=False).keys
    except SettingsError as error:
        end(MISUSED, *error.faults)


def _show(known: tuple[Known, ...], *, json: bool) -> None:
    for number, secret in enumerate(known):
        state = "retired" if number else "in use"
        made = datetime.fromtimestamp(secret.made // 1_000_000_000, UTC)
        if json:
            typer.echo(spelling.dumps({"id": secret.id, "made": made.isoformat(), "retired": number > 0}))
        else:
            typer.echo(f"{secret.id}  made {made:%Y-%m-%d %H:%M} UTC  {state}")


def _refused(error: KeysError) -> NoReturn:
    end(FAILED, f"the keys cannot be used: {visible(str(error))}")
