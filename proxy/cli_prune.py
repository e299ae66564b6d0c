"""``countermark ledger prune``: removing records that need not be kept any longer.

The law: nothing goes that is younger than the configuration keeps it, and nothing goes before somebody has said yes.
Status 0: done, or there is nothing to do; 1: it cannot be done; 2: it was asked wrongly.
"""

import time
from pathlib import Path
from typing import Annotated, Final

import typer

from proxy.cli_consent import agreed
from proxy.cli_endings import FAILED, MISUSED, end, say
from proxy.cli_options import ConfigOption
from proxy.cli_place import DatabaseOption, KeysOption, LedgerOption, Place, place
from proxy.cli_progress import counting
from proxy.cli_prune_months import prune_months
from proxy.cli_times import moment, said, span
from proxy.pruning import Dropped, PruningError, prune
from proxy.source import read

__all__ = ["prune_records"]

_USUAL: Final = Path("config.yaml")
_DAY: Final = 86_400.0


def prune_records(
    before: Annotated[
        str | None, typer.Option("--before", metavar="DATE", help="Only what is older than this, such as 2026-03-01.")
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="SPAN", help='Only what is older than so long, such as "365 d".'),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    database: DatabaseOption = None,
    keys: KeysOption = None,
) -> None:
    """Remove whole segments of records that are past the retention, and keep their checkpoints."""
    now = time.time_ns()
    at = place(config, ledger, database, keys)
    at.archive.close()
    until = _until(now, before, older_than, at)
    ships = _ships(config or _USUAL) if config is not None or ledger is None else False
    try:
        if at.path is None:
            assert at.database is not None
            prune_months(at.name, at.database, until, dry_run=dry_run, yes=yes)
            return
        planned = prune(at.path, until, ships=ships, dry=True)
        total = sum(segment.entries for segment in planned.dropped)
        told = [_told(segment) for segment in planned.dropped]
        if not agreed(at.name, "segment", told, total, planned.because, dry_run=dry_run, yes=yes):
            return
        with counting("Removing", total) as progress:
            done = prune(at.path, until, ships=ships, told=lambda segment: progress(segment.entries))
    except PruningError as error:
        end(FAILED, f"the records cannot be pruned: {error}")
    removed = sum(segment.entries for segment in done.dropped)
    say([f"{at.name}: {removed:,} entries removed, their checkpoints kept; {done.because}"])
    say(["The file does not become smaller: what was freed is used for records to come."])


def _until(now: int, before: str | None, older_than: str | None, at: Place) -> int:
    """Up to when records go, in Unix nanoseconds."""
    if before is not None and older_than is not None:
        end(MISUSED, "--before and --older-than exclude each other")
    kept = now - round(at.retention * 1e9)
    try:
        if before is not None:
            asked = moment(before, now)
        elif older_than is not None:
            asked = now - round(span(older_than) * 1e9)
        else:
            return kept
    except ValueError as error:
        end(MISUSED, f"{'--before' if before is not None else '--older-than'} {error}")
    if asked > kept:
        end(
            MISUSED,
            f"records are kept for {at.retention / _DAY:g} d (ledger: retention): nothing after {said(kept)} goes",
        )
    return asked


def _ships(config: Path) -> bool:
    """Whether a configuration, which has been found to be sound, ships records to a database. Where that is written
    down as the name of a variable, its value is not needed to know."""
    if not config.is_file():
        return False
    ledger = read(config).data.get("ledger")
    return isinstance(ledger, dict) and ledger.get("ship_to") is not None


def _told(segment: Dropped) -> str:
    number, entries, first, last, newest = segment
    return f"segment {number}: {entries:,} entries, {first} to {last}, the newest of {said(newest)}"
