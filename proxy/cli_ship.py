"""``countermark ledger ship``: what a process that is gone left unshipped, brought to the database now.

The law: it holds the ledger as the one who serves would, so that the two never ship at once; what that one could not
sign any more is signed first, if the secret is here. Status 0: everything has arrived; 1: not everything, or nothing;
what is left is still in the file; 2: it was asked wrongly.
"""

import os
from contextlib import closing
from pathlib import Path
from typing import Annotated, Final

import typer

from proxy.cli_endings import FAILED, MISUSED, end, say
from proxy.cli_options import ConfigOption
from proxy.cli_place import KeysOption, LedgerOption, database_url, place
from proxy.cli_progress import counting
from proxy.keys import Keys
from proxy.ledger import Ledger, LedgerError
from proxy.ledger_database import hold
from proxy.notary import Notary
from proxy.outbox import Backlog, Outbox
from proxy.settings import SettingsError, load
from proxy.shipper import ShippingError, shipping

__all__ = ["ship_records"]

_USUAL: Final = Path("config.yaml")

_NOWHERE: Final = (
    "no database to ship to: set ledger.ship_to in the configuration, or say --to env:NAME or --to file:PATH"
)


def ship_records(
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="URL",
            help="The database, instead of the configuration's: postgresql://HOST/DATABASE, or env:NAME or file:PATH "
            "where that is read from.",
        ),
    ] = None,
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    keys: KeysOption = None,
) -> None:
    """Ship what is left in the ledger of a process that is gone; one that serves ships by itself."""
    url = _configured(config) if to is None else database_url("--to", to)
    at = place(config, ledger, None, keys)
    at.archive.close()
    assert at.path is not None
    try:
        if at.keys is not None:
            _settled(at.path, at.keys)
        lock = hold(at.path)
        try:
            first, left = _shipped(at.path, url)
        finally:
            os.close(lock)
    except LedgerError as error:
        end(FAILED, f"the ledger cannot be held: {error}; a process that serves ships by itself")
    except ShippingError as error:
        end(FAILED, f"the records cannot be shipped, and are kept: {error}")
    say([f"{at.path}: {first.entries - left.entries:,} entries shipped"])
    if left.entries:
        end(
            FAILED,
            f"{at.path}: {left.entries:,} entries at its end are under no checkpoint, and were not shipped: name the "
            "folder of the secret with --keys DIR",
        )


def _settled(path: Path, keys: Keys) -> None:
    """Close what a process that died left open, and sign the end of the file."""
    Ledger.open(path, Notary(keys)).close()


def _shipped(path: Path, url: str) -> tuple[Backlog, Backlog]:
    """What was to be shipped, and what is left of it."""
    with closing(Outbox(path)) as outbox:
        first = outbox.backlog()
        with counting("Shipping", first.entries) as tell, closing(shipping(outbox, url)) as parcels:
            left = first
            for moved in parcels:
                former, left = left, outbox.backlog()
                tell(former.entries - left.entries)
                if not moved:
                    break
        return first, left


def _configured(config: Path | None) -> str:
    if config is None and not _USUAL.is_file():
        end(MISUSED, _NOWHERE)
    try:
        settings = load(config or _USUAL)
    except SettingsError as error:
        end(MISUSED, *error.faults)
    if settings.ledger is None or settings.ledger.ship_to is None:
        end(MISUSED, _NOWHERE)
    return settings.ledger.ship_to
