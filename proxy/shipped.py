"""The law of this file: what comes with the program is found without a network, from a wheel as from a checkout.

A wheel carries the starter policies and the sample configuration in ``proxy/starter``; in a checkout they lie beside
the package, where people edit them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from proxy.source import Source, parse, read

__all__ = ["dialect_sources", "font", "policies", "sample"]

PACKAGE = Path(__file__).resolve().parent


def policies() -> Path:
    """The folder of the policies that come with the program."""
    return _starter("policies")


def sample() -> Path:
    """The documented sample configuration."""
    return _starter("config.yaml")


def dialect_sources(*, examples: bool = True) -> tuple[Source, ...]:
    """The shipped tables of the APIs that can be labelled, by name. SourceError where one is broken.

    Without their ``examples``, which stand last and are two thirds of them: whoever serves has no use for those, and
    starts sooner.
    """
    files = sorted((PACKAGE / "dialects" / "tables").glob("*.yaml"))
    if examples:
        return tuple(map(read, files))
    return tuple(parse(file.read_text("utf-8").partition("\nexamples:")[0], file) for file in files)


@cache
def font() -> bytes:
    """The shipped font, in which badges are written (OpenType, SIL Open Font License 1.1)."""
    (path,) = (PACKAGE / "media" / "fonts").glob("*.otf")
    return path.read_bytes()


def _starter(name: str) -> Path:
    installed = PACKAGE / "starter" / name
    return installed if installed.exists() else PACKAGE.parent / name
