"""``countermark ledger prune`` on the database that ledgers ship to: whole months go (see postgres_pruning.py).

The law is that of cli_prune.py: what is too young was refused there, and nothing goes before somebody has said yes.
"""

from typing import TYPE_CHECKING

from proxy.cli_consent import agreed
from proxy.cli_endings import FAILED, end, say

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
        total = sum(month.entries for month in planned.dropped)
        told = [_told(month) for month in planned.dropped]
        if not agreed(name, "month", told, total, planned.because, dry_run=dry_run, yes=yes):
            return
        done = prune(url, before)
    except PostgresError as error:
        end(FAILED, f"the records cannot be pruned: {error}")
    removed = sum(month.entries for month in done.dropped)
    say([f"{name}: {removed:,} entries removed, their checkpoints kept; {done.because}"])


def _told(month: "Dropped") -> str:
    return f"{month.month}: {month.entries:,} entries of {month.segments:,} segments"
