"""Moments and spans as people write them on the command line.

The law: a moment is UTC unless it says otherwise, and what could be understood in two ways is refused.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final

import typer
from pydantic import TypeAdapter, ValidationError

from proxy.cli_endings import MISUSED, end
from proxy.settings_quantities import Seconds

__all__ = ["SECOND", "SinceOption", "UntilOption", "asked", "moment", "said", "span"]

SECOND: Final = 1_000_000_000  # nanoseconds

_SPAN: Final[TypeAdapter[float]] = TypeAdapter(Seconds)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

SinceOption = Annotated[
    str | None,
    typer.Option("--since", metavar="WHEN", help='From then on: 2026-03-01, 2026-03-01T08:00:00+08:00, or "24 h" ago.'),
]
UntilOption = Annotated[
    str | None, typer.Option("--until", metavar="WHEN", help="Up to when; a day counts as a whole. Else as --since.")
]


def moment(text: str, now: int, *, ends: bool = False) -> int:
    """A moment in Unix nanoseconds: ISO 8601, UTC unless it names an offset, or so long before ``now``. A day is its
    beginning, or where it ``ends`` a span, the beginning of the next.

    Raises ValueError that says how to write one.
    """
    try:
        return now - round(span(text) * SECOND)
    except ValueError:
        pass
    try:
        day = date.fromisoformat(text)
        return _nanoseconds(datetime.combine(day + timedelta(days=int(ends)), time(), UTC))
    except (ValueError, OverflowError):
        pass
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f'must be a time such as 2026-03-01, 2026-03-01T08:00:00Z or "24 h", not {text!r}') from None
    return _nanoseconds(read if read.tzinfo else read.replace(tzinfo=UTC))


def asked(option: str, text: str | None, now: int, *, ends: bool = False) -> int | None:
    """The moment that an option names; None where it was not given. Ends the command where it is none."""
    if text is None:
        return None
    try:
        return moment(text, now, ends=ends)
    except ValueError as error:
        end(MISUSED, f"{option} {error}")


def span(text: str) -> float:
    """Seconds, of an amount with its unit such as "24 h" or "190 d". Raises ValueError that says how to write one."""
    try:
        return _SPAN.validate_python(text)
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


def said(at: int) -> str:
    """A moment in Unix nanoseconds, in UTC, for people and programs alike (RFC 3339)."""
    try:
        return (_EPOCH + timedelta(microseconds=at // 1000)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except OverflowError:
        return f"{at} ns"


def _nanoseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000
