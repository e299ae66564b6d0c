"""Whose signatures a command believes.

The law: a key is believed because it was named, or because it comes from the secret that lies here; where there is
neither, nothing is checked and nothing is called sound.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from proxy.cli_endings import FAILED, MISUSED, end
from proxy.files import FileError
from proxy.files import read as read_file
from proxy.keys import Keys
from proxy.notary import Notary
from proxy.record.note import PUBLIC, decoded, read_verifier_key

__all__ = ["KeyOption", "content", "public_key", "publics"]

_OR: Final = "or a public key with --key KEY (countermark ledger key shows it, where the secret is)"
_BASE64: Final = 44  # characters for the 32 bytes of a public key

KeyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        metavar="KEY",
        help="A public key that is believed, as countermark ledger key shows it; may be repeated.",
    ),
]


def public_key(text: str) -> bytes:
    """The 32 bytes of a public key: their base64, or a verifier key (c2sp.org/signed-note). ValueError otherwise."""
    # All letters of a verifier key may be those of base64.
    if len(text) != _BASE64:
        return read_verifier_key(text)[1]
    raw = decoded(text)
    if len(raw) != PUBLIC:
        raise ValueError(f"a public key has {PUBLIC} bytes, and this is no base64 of so many")
    return raw


def publics(named: Sequence[str] | None, keys: Keys | None) -> tuple[bytes, ...]:
    """The keys that are believed: those that were named, and those of the secrets here. Ends the command where there is
    none."""
    try:
        believed = [public_key(text.strip()) for text in named or ()]
    except ValueError as error:
        end(MISUSED, f"--key: {error}")
    if keys is not None:
        believed += Notary(keys).all_publics()
    if not believed:
        end(MISUSED, "no signature can be checked: there is no secret here; name its folder with --keys DIR,", _OR)
    return tuple(dict.fromkeys(believed))


def content(path: Path, most: int) -> bytes:
    """A file's content, of ``most`` bytes at most. Ends the command where it cannot be read."""
    try:
        return read_file(path, most).data
    except FileError as error:
        end(FAILED, f"{path}: {error}")
