"""How far a long command is, shown to people who look on.

The law: it is shown on stderr, on terminals only, and leaves nothing behind.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["counting"]


@contextmanager
def counting(what: str, total: int) -> Iterator[Callable[[int], object]]:
    """``what`` is being done to ``total`` things. Gives what is told how many more are done."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as progress:
        bar = progress.add_task("", total=total)
        yield lambda more: progress.advance(bar, more)
