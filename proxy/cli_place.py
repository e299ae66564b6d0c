"""Where the records are that a command is about: a configuration's, a ledger's file, or a database that many ship to.

The law: one of them is meant and no other, nothing is made that is not there (no ledger, no secret), and no password is
asked for on the command line, where other users of the machine could read it. Status 1: they cannot be read; 2: it was
asked wrongly.
"""

import os
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer

from proxy.archive import Archive, ArchiveError, is_database, open_archive
from proxy.cli_endings import FAILED, MISUSED, end
from proxy.keyring import SECRET_FILE, KeysError
from proxy.keys import Keys
from proxy.settings import Settings, SettingsError, load
from proxy.settings_records import LedgerFile
from proxy.settings_secrets import read_place, read_secret

__all__ = ["USUAL", "DatabaseOption", "KeysOption", "LedgerOption", "Place", "database_url", "place"]

USUAL: Final = Path("config.yaml")

LedgerOption = Annotated[
    Path | None, typer.Option("--ledger", metavar="FILE", help="The ledger's file, instead of the configuration's.")
]
DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="The database that ledgers ship to: postgresql://..., or env:NAME or file:PATH where that is read from, "
        "or ship_to: the one of the configuration.",
    ),
]
KeysOption = Annotated[
    Path | None, typer.Option("--keys", metavar="DIR", help="The folder of the secret, instead of the configuration's.")
]

_NOWHERE = (
    "Countermark needs to know where the records are: there is no config.yaml here. Name one of",
    "    --config config.yaml        the configuration of the proxy",
    "    --ledger countermark.db     the ledger's file (with --keys keys/ where what is keyed is looked for)",
    "    --database env:NAME         the database that ledgers ship to",
)


class Place(NamedTuple):
    """Where records are. ``path`` is the ledger's file, ``database`` the URL it is instead, of which one is None;
    ``keys`` are None where there is no secret, ``retention`` is in seconds, ``words`` are all notices that the
    configuration knows."""

    archive: Archive
    path: Path | None
    database: str | None
    keys: Keys | None
    retention: float
    words: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What to call it before people; a database's address may hold a password."""
        return "the database" if self.path is None else str(self.path)


def place(config: Path | None, ledger: Path | None, database: str | None, keys: Path | None) -> Place:
    """The place that these options of a command mean; without any, what ./config.yaml says. Ends the command where
    there is none, or it cannot be read."""
    if ledger is not None and database is not None:
        end(MISUSED, "--ledger and --database exclude each other: records are in one place or in the other")
    if config is None and (database == "ship_to" or (ledger is None and database is None)):
        if not USUAL.is_file():
            end(MISUSED, *_NOWHERE)
        config = USUAL
    settings = _settings(config, secrets=database == "ship_to")
    where = _file(ledger, settings) if database is None else _url(database, settings)
    secret = keys
    if secret is None and settings is not None:
        secret = settings.keys
    if secret is None and ledger is not None and (beside := ledger.parent / "keys").is_dir():
        secret = beside
    held = _keys(secret, must=keys is not None)
    kept = settings.ledger if settings is not None else None
    retention = LedgerFile().retention if kept is None else kept.retention
    words = () if settings is None else settings.known_words
    try:
        archive = open_archive(where)
    except ArchiveError as error:
        end(FAILED, f"the records cannot be read: {error}")
    if isinstance(where, Path):
        return Place(archive, where, None, held, retention, words)
    return Place(archive, None, where, held, retention, words)


def _settings(config: Path | None, *, secrets: bool) -> Settings | None:
    if config is None:
        return None
    try:
        return load(config, secrets=secrets)
    except SettingsError as error:
        end(MISUSED, *error.faults)


def _file(ledger: Path | None, settings: Settings | None) -> Path:
    if ledger is not None:
        return ledger
    if settings is None or settings.ledger is None:
        end(MISUSED, "the configuration keeps no records (ledger: off): name a file with --ledger FILE")
    return settings.ledger.path


def _url(database: str, settings: Settings | None) -> str:
    if database == "ship_to":
        if settings is None or settings.ledger is None or settings.ledger.ship_to is None:
            end(MISUSED, "--database ship_to: the configuration names no database (ledger: ship_to)")
        return settings.ledger.ship_to
    return database_url("--database", database)


def database_url(option: str, value: str) -> str:
    """The URL that an option names: one of PostgreSQL, or where that is read from. Ends the program otherwise."""
    url = value
    if value.startswith(("env:", "file:")):
        try:
            url = read_secret(read_place(value), Path(), os.environ)
        except ValueError as error:
            end(MISUSED, f"{option} {error}")
    if not is_database(url):
        end(MISUSED, f"{option} must be postgresql://HOST/DATABASE, or env:NAME or file:PATH where that is read from")
    return url


def _keys(folder: Path | None, *, must: bool) -> Keys | None:
    """The keys of a folder. One without a secret has none to give: a fresh one would fit nothing that is there."""
    if folder is None or not (folder / SECRET_FILE).exists():
        if must:
            end(FAILED, f"the keys cannot be used: {folder} holds no secret")
        return None
    try:
        return Keys.open(folder)
    except KeysError as error:
        end(FAILED, f"the keys cannot be used: {error}")
