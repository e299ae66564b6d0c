"""The law of this file: whatever settings are read from has its name here, be it sound or not.

Who watches these names sees every edit that counts: of what is there, and of what a configuration says should be.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from proxy import shipped
from proxy.settings_dialects import dialect_folder
from proxy.settings_tokens import TokensFile
from proxy.tokens import TABLES

__all__ = ["Sources", "policy_folder", "sources"]


class Sources(NamedTuple):
    """Where settings come from: ``files``, and ``folders``, each of which stands for the YAML files in it."""

    files: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()
    policies: Path | None = None  # that one of the folders which holds the policies, where that can be told


def sources(data: Any, folder: Path) -> Sources:
    """All that a configuration in ``folder`` is read from besides itself. ``data`` need not be sound."""
    named = data if isinstance(data, dict) else {}
    folders = [policy_folder(data, folder), dialect_folder(data, folder)]
    if not isinstance(named.get("policies"), str):
        folders.append(folder / "policies")  # it counts from the moment that it is there
    return Sources(tuple(_files(named, folder)), tuple(dict.fromkeys(one for one in folders if one)), folders[0])


def policy_folder(data: Any, folder: Path) -> Path:
    """The policies of a configuration in ``folder``: those that it names, those beside it, or those that come with the
    program. ``data`` need not be sound."""
    named = data.get("policies") if isinstance(data, dict) else None
    if isinstance(named, str):
        return folder / named
    beside = folder / "policies"
    try:
        there = beside.is_dir()
    except OSError:  # nobody may look: whoever reads it says so
        there = True
    return beside if there else shipped.policies()


def _files(data: dict[Any, Any], folder: Path) -> Iterator[Path]:
    """The font, the grants, the table that counts tokens, and the keys to sign with."""
    for name in ("font", "grants"):
        if isinstance(data.get(name), str):
            yield folder / data[name]
    tokens = _section(data, "tokens")
    table = TABLES.get(str(tokens.get("encoding", TokensFile().encoding)))
    if table is not None and isinstance(tokens.get("tables"), str):
        yield folder / tokens["tables"] / table.name
    for upstream in _section(data, "upstreams").values():
        for place in _section(_section(upstream, "sign"), "credentials").values():
            if isinstance(place, str) and place.startswith("file:"):
                yield folder / place.removeprefix("file:")


def _section(data: Any, name: str) -> dict[Any, Any]:
    found = data.get(name) if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}
