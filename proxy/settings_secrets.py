"""The law of this file: a secret does not stand in config.yaml, only where it is read from; and no message repeats it.

What is named must be there at start.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import PlainValidator

from proxy.files import content

__all__ = ["Place", "Secret", "read_place", "read_secret"]

_PLACE = re.compile(r"(env|file):([^\0]+)")
_LONGEST = 1 << 20  # bytes of a file that holds a secret
_SECRET = re.compile(r"[\x21-\x7e]+")  # it goes into a field of a request, or into a URL


class Place(NamedTuple):
    """Where a secret is: a variable of the environment, or a file."""

    kind: str
    name: str


def read_place(value: object) -> Place:
    """``env:NAME`` or ``file:PATH``. ValueError otherwise."""
    found = _PLACE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        # Not repeated: it may be the secret.
        raise ValueError("must be env:NAME or file:PATH, where it is read from: a key must not stand in this file")
    return Place(found[1], found[2])


Secret = Annotated[Place, PlainValidator(read_place)]


def read_secret(place: Place, folder: Path, environment: Mapping[str, str]) -> str:
    """The secret at a place; paths of files start from ``folder``. ValueError says what is wrong with the place, in
    words without the secret."""
    if place.kind == "env":
        if place.name not in environment:
            raise ValueError(f"the environment has no {place.name}")
        key = environment[place.name].strip()
    else:
        try:
            key = content(folder / place.name, _LONGEST).decode("ascii", "replace").strip()
        except OSError as error:
            raise ValueError(
                f"the file {place.name} cannot be read: {error.strerror or type(error).__name__}"
            ) from None
    if not key:
        raise ValueError(f"{place.name} is empty")
    if not _SECRET.fullmatch(key):
        raise ValueError(f"{place.name} holds something that no key can hold: spaces, or characters beyond ASCII")
    return key
