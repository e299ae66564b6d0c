"""The law of this file: where records are kept and shown has these keys and no others; what is secret is elsewhere.

The sections ``ledger``, ``desk`` and ``telemetry`` of config.yaml, and what is made of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainValidator, StrictStr

from proxy.origin import origin
from proxy.policy.errors import Fault
from proxy.settings_listen import Listen, read_listen
from proxy.settings_quantities import Seconds, Share
from proxy.settings_secrets import Place, Secret, read_place, read_secret

__all__ = [
    "QUIET",
    "DeskFile",
    "DeskSettings",
    "LedgerFile",
    "LedgerSettings",
    "TelemetryFile",
    "TelemetrySettings",
    "read_desk",
    "read_ledger",
]

DAY = 86_400.0
_SHORTEST_TOKEN = 16  # characters
_SCHEMES = ("postgresql", "postgresql+psycopg")


def _database(value: object) -> str | Place:
    if isinstance(value, str) and value.startswith(("env:", "file:")):
        return read_place(value)
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        sound = parts.scheme in _SCHEMES and bool(parts.path.strip("/"))
        secret = parts.password is not None or "password=" in parts.query
    except ValueError:
        sound = secret = False
    # The value is not repeated: a password may be in it.
    if not sound:
        raise ValueError("must be postgresql://HOST/DATABASE, or env:NAME or file:PATH where that is read from")
    if secret:
        raise ValueError("holds a password, which must not stand in this file: say env:NAME or file:PATH")
    return str(value)


def _address(value: object) -> str:
    url = value if isinstance(value, str) else ""
    origin(url)
    return url.rstrip("/")


def _frequent(seconds: float) -> float:
    if seconds > DAY:
        raise ValueError("must be a day at most: after a day, what was recorded is signed in any case")
    return seconds


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LedgerFile(_Section):
    """``ledger``: where records are kept."""

    path: StrictStr = "countermark.db"
    on_failure: Literal["block", "pass"] = "block"
    synchronous: Literal["full", "normal"] = "full"
    retention: Seconds = 190 * DAY
    checkpoint: Annotated[Seconds, AfterValidator(_frequent)] = 10.0
    ship_to: Annotated[str | Place, PlainValidator(_database, json_schema_input_type=StrictStr)] | None = None


class DeskFile(_Section):
    """``desk``: what people and auditors use."""

    listen: Annotated[Listen, PlainValidator(read_listen, json_schema_input_type=StrictStr)] | None = None
    token: Secret | None = None


class TelemetryFile(_Section):
    """``telemetry``: spans, metrics and logs."""

    otlp: Annotated[str, PlainValidator(_address, json_schema_input_type=StrictStr)] | None = None
    sample: Share = 0.05
    logs: Literal["plain", "json"] = "plain"


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """Where records are kept, and what happens when they cannot be. ``retention``: seconds for which they are kept at
    least; ``checkpoint``: seconds between two signatures over what is new; ``ship_to``: the PostgreSQL database that
    gets a copy, as a URL that may hold a password, or None."""

    path: Path
    on_failure: Literal["block", "pass"]
    synchronous: Literal["full", "normal"]
    retention: float = 190 * DAY
    checkpoint: float = 10.0
    ship_to: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class DeskSettings:
    """Where the desk listens, and the token that opens it, None where nothing but its health and metrics is shown."""

    listen: Listen
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """``otlp``: the base address of an OpenTelemetry collector (OTLP over HTTP), or None; ``sample``: which share of
    exchanges is traced, from 0 to 1; ``logs``: how lines of the log look."""

    otlp: str | None = None
    sample: float = 0.05
    logs: Literal["plain", "json"] = "plain"


QUIET = TelemetrySettings()
"""Nothing is told to anybody but the log."""


def read_ledger(
    section: LedgerFile | None, folder: Path, environment: Mapping[str, str] | None
) -> tuple[LedgerSettings | None, list[Fault]]:
    """The ledger's settings, and what is wrong, with paths that begin below ``ledger``. Paths of files start from
    ``folder``; without an ``environment`` no secret is asked for, and nothing is shipped."""
    if section is None:
        return None, []
    ship_to, faults = _read(section.ship_to, "ship_to", folder, environment)
    if ship_to is not None and not isinstance(section.ship_to, str):
        try:
            parts = urlsplit(ship_to)
            sound = parts.scheme in _SCHEMES and bool(parts.path.strip("/"))
        except ValueError:
            sound = False
        if not sound:
            faults.append(Fault(("ship_to",), "what is read there is no postgresql://HOST/DATABASE"))
    ledger = LedgerSettings(
        folder.resolve() / section.path,
        section.on_failure,
        section.synchronous,
        section.retention,
        section.checkpoint,
        ship_to,
    )
    return ledger, faults


def read_desk(
    section: DeskFile, folder: Path, environment: Mapping[str, str] | None
) -> tuple[DeskSettings | None, list[Fault]]:
    """The desk's settings, None where there is none, and what is wrong, as ``read_ledger`` has it."""
    if section.listen is None:
        alone = section.token is None
        return None, [] if alone else [Fault(("token",), "belongs to a desk that listens somewhere (listen)")]
    token, faults = _read(section.token, "token", folder, environment)
    if token is not None and len(token) < _SHORTEST_TOKEN:
        faults.append(Fault(("token",), f"must have {_SHORTEST_TOKEN} characters at least"))
    if section.token is None and not section.listen.is_local:
        faults.append(Fault(("token",), "is needed where others than this machine reach the desk"))
    return DeskSettings(section.listen, token), faults


def _read(
    value: str | Place | None, name: str, folder: Path, environment: Mapping[str, str] | None
) -> tuple[str | None, list[Fault]]:
    if not isinstance(value, Place):
        return value, []
    if environment is None:
        return None, []
    try:
        return read_secret(value, folder, environment), []
    except ValueError as error:
        return None, [Fault((name,), str(error))]
