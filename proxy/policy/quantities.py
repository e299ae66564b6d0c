"""The law of this file: an amount has its unit, and the unit is read, not guessed."""

from __future__ import annotations

import re

from proxy.policy.errors import Path
from proxy.policy.reader import Reader, named

__all__ = ["days", "seconds"]

_DAYS = re.compile(r"(\d{1,5}) ?days?")
_SECONDS = re.compile(r"(\d{1,5}(?:\.\d{1,3})?) ?s")
_MOST_DAYS = 36525  # a hundred years


def days(reader: Reader, value: object, path: Path) -> int:
    """``190 days``, in days."""
    found = _DAYS.fullmatch(value) if isinstance(value, str) else None
    if found and 0 < int(found[1]) <= _MOST_DAYS:
        return int(found[1])
    reader.fault(path, f"must be a time in days such as 190 days, not {named(value)}")
    return 1


def seconds(reader: Reader, value: object, path: Path) -> float:
    """``2 s``, in seconds."""
    found = _SECONDS.fullmatch(value) if isinstance(value, str) else None
    if found and float(found[1]) > 0:
        return float(found[1])
    reader.fault(path, f"must be a time in seconds such as 2 s, not {named(value)}")
    return 2.0
