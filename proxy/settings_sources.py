"""The law of this file: whatever settings are read from has its name here, be it sound or not.

Who watches these names sees every edit that counts: of what is there, and of what a configuration says should be.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from proxy import shipped
from proxy.settings_dialects import dialect_folder

__all__ = ["Sources", "policy_folder", "sources"]


class Sources(NamedTuple):
    """Where settings come from: ``files``, and ``folders``, each of which stands for the YAML files in it."""

    files: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()


def sources(data: Any, folder: Path) -> Sources:
    """All that a configuration in ``folder`` is read from besides itself. ``data`` need not be sound."""
    named = data if isinstance(data, dict) else {}
    files = [folder / named["font"]] if isinstance(named.get("font"), str) else []
    folders = [policy_folder(data, folder), dialect_folder(data, folder)]
    if not isinstance(named.get("policies"), str):
        folders.append(folder / "policies")  # it counts from the moment that it is there
    return Sources((*files, *_credentials(named, folder)), tuple(dict.fromkeys(one for one in folders if one)))


def policy_folder(data: Any, folder: Path) -> Path:
    """The policies of a configuration in ``folder``: those that it names, those beside it, or those that come with the
    program. ``data`` need not be sound."""
    named = data.get("policies") if isinstance(data, dict) else None
    if isinstance(named, str):
        return folder / named
    beside = folder / "policies"
    return beside if beside.is_dir() else shipped.policies()


def _credentials(data: dict[Any, Any], folder: Path) -> Iterator[Path]:
    """The files that keys to sign with are read from (see settings_signing.py)."""
    upstreams = data.get("upstreams")
    for upstream in upstreams.values() if isinstance(upstreams, dict) else ():
        sign = upstream.get("sign") if isinstance(upstream, dict) else None
        held = sign.get("credentials") if isinstance(sign, dict) else None
        for place in held.values() if isinstance(held, dict) else ():
            if isinstance(place, str) and place.startswith("file:"):
                yield folder / place.removeprefix("file:")
