"""How many tokens a text has: counted with an encoding's own table, or estimated; the only door to tiktoken.

The law: a table is read from the operator's folder and from nowhere else, once, before the first request. tiktoken
looks for it under the SHA-1 of the address that it would fetch it from, and fetches what it does not find, or finds to
be something else: so it is shown a folder of our own, which holds the file that was checked, and nothing is left to
fetch.

A model that is not OpenAI's has a vocabulary of its own; what is counted here is near it, and the same for all.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha1, sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from proxy.files import content
from proxy.labelling.length import Count, estimate

__all__ = ["TABLES", "Table", "TokensError", "counter", "fault"]

_CACHE: Final = "TIKTOKEN_CACHE_DIR"
_MOST: Final = 64 << 20  # bytes; the largest table has four million
_FROM: Final = "https://openaipublic.blob.core.windows.net/encodings/"


class TokensError(ValueError):
    """An encoding's table cannot be used; the message says why, and what to do."""


class Table(NamedTuple):
    """Where an encoding's table comes from, and the SHA-256 of the file, in hex."""

    url: str
    digest: str

    @property
    def name(self) -> str:
        """What the file is called in the operator's folder."""
        return sha1(self.url.encode(), usedforsecurity=False).hexdigest()


_O200K: Final = Table(_FROM + "o200k_base.tiktoken", "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d")
TABLES: Final[dict[str, Table]] = {
    "o200k_base": _O200K,
    "o200k_harmony": _O200K,
    "cl100k_base": Table(
        _FROM + "cl100k_base.tiktoken", "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
    ),
    "p50k_base": Table(
        _FROM + "p50k_base.tiktoken", "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069"
    ),
    "r50k_base": Table(
        _FROM + "r50k_base.tiktoken", "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930"
    ),
}


def fault(encoding: str, folder: Path | None) -> str:
    """Why tokens cannot be counted so, and what to do; empty where they can, or where they are estimated."""
    try:
        if folder is not None:
            _read(encoding, folder)
    except TokensError as error:
        return str(error)
    return ""


def counter(encoding: str, folder: Path | None) -> Count:
    """What counts the tokens of a text with this encoding, whose table lies in ``folder``; what estimates them where
    there is no folder. Takes a third of a second for a table. Raises TokensError."""
    if folder is None:
        return estimate
    data = _read(encoding, folder)
    import tiktoken  # few need it

    with TemporaryDirectory(prefix="countermark-tokens-") as own:
        (Path(own) / TABLES[encoding].name).write_bytes(data)
        with _told(_CACHE, own):
            ordinary = tiktoken.get_encoding(encoding).encode_ordinary
    return lambda text: len(ordinary(text))


def _read(encoding: str, folder: Path) -> bytes:
    table = TABLES.get(encoding)
    if table is None:
        raise TokensError(f"there is no encoding {encoding} (there is {', '.join(TABLES)})")
    path = folder / table.name
    try:
        data = content(path, _MOST)
    except FileNotFoundError:
        raise TokensError(
            f"there is no table of {encoding} in {folder}: put {table.url} there, under the name {table.name}"
        ) from None
    except OSError as error:
        raise TokensError(f"{path} cannot be read: {error.strerror or error}") from None
    if sha256(data).hexdigest() != table.digest:
        raise TokensError(f"{path} is not the table of {encoding}: put {table.url} there, under that name")
    return data


@contextmanager
def _told(name: str, value: str) -> Iterator[None]:
    """A variable of the environment, for as long as it takes."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
