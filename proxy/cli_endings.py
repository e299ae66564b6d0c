"""How a command ends.

The law of the status: 0, it ended as asked. 1, it was asked rightly and could not be done (a port is taken, a file
cannot be opened); one sentence says what, and what to do. 2, it was asked wrongly (options, configuration); every fault
is told, each on a line of its own. Nobody is shown a traceback for something that they can put right themselves.
"""

from collections.abc import Iterable
from typing import NoReturn

import typer

FAILED, MISUSED = 1, 2


def end(status: int, *lines: str) -> NoReturn:
    """End here, with this status and these lines."""
    say(lines)
    raise typer.Exit(status)


def visible(text: str) -> str:
    """A text of somebody else's as a terminal may show it: what would steer the terminal stands there as its escape."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def say(lines: Iterable[str]) -> None:
    """Lines for a person, on stderr, as they are: editors and scripts find file:line:column at the beginning."""
    for line in lines:
        typer.echo(line, err=True)
