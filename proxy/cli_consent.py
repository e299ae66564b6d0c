"""What is to be removed is shown first, and goes when somebody has said yes.

The law: without ``--yes``, and without a person at the terminal to ask, nothing is removed.
"""

import sys
from collections.abc import Sequence

import typer

from proxy.cli_endings import MISUSED, end, say

__all__ = ["agreed"]


def agreed(name: str, kind: str, told: Sequence[str], entries: int, because: str, *, dry_run: bool, yes: bool) -> bool:
    """Whether what was planned is to be done now: a line of ``told`` for each ``kind`` of thing that goes, so many
    ``entries`` in all, of the records called ``name``; ``because`` is why no more of them go."""
    for line in told:
        say([line])
    if not told:
        say([f"{name}: nothing to remove: {because}"])
        return False
    what = f"{entries:,} entries in {len(told):,} {kind}{'s' if len(told) > 1 else ''}"
    if dry_run:
        say([f"{name}: {what} would be removed; then {because}"])
        return False
    if not yes:
        if not sys.stdin.isatty():
            end(MISUSED, f"{name}: {what} would be removed for good: say --yes")
        typer.confirm(f"{name}: remove {what} for good?", abort=True, err=True)
    return True
