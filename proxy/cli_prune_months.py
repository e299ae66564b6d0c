"""``countermark ledger prune`` on the database that ledgers ship to: whole months go (see postgres_pruning.py).

The law is that of cli_prune.py: what is too young was refused there, and nothing goes before somebody has said yes.
"""

import sys
from typing import TYPE_CHECKING

import typer

from proxy.cli_endings import FAILED, MISUSED, end, say

if TYPE_CHECKING:
    from proxy.postgres_pruning import Dropped

__all__ = ["prune_months"]


def prune_months(name: str, url: str, before: int, *, dry_run: bool, yes: bool) -> None:
    """Remove the months of the database at `url`, called `name` before people, that end before `before` (Unix time in
    nanoseconds)."""
    # Imported here: who has a file only needs none of it. It was read from already, so that all of it is installed.
    from proxy.postgres_engine import PostgresError
    from proxy.postgres_pruning import prune

    try:
        planned = prune(url, before, dry=True)
        for month in planned.dropped:
            say([_told(month)])
        if not planned.dropped:
            say([f"{name}: nothing to remove: {planned.because}"])
            return
        total = sum(month.entries for month in planned.dropped)
        what = f"{total:,} entries in {len(planned.dropped):,} month{'s' if len(planned.dropped) > 1 else ''}"
        if dry_run:
            say([f"{name}: {what} would be removed; then {planned.because}"])
            return
        if not yes:
            if not sys.stdin.isatty():
                end(MISUSED, f"{name}: {what} would be removed for good: say --yes")
            typer.confirm(f"{name}: remove {what} for good?", abort=True, err=True)
        done = prune(url, before)
    except PostgresError as error:
        end(FAILED, f"the records cannot be pruned: {error}")
    removed = sum(month.entries for month in done.dropped)
    say([f"{name}: {removed:,} entries removed, their checkpoints kept; {done.because}"])


def _told(month: "Dropped") -> str:
    return f"{month.month}: {month.entries:,} entries of {month.segments:,} segments"
