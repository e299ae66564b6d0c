"""The law of this file: Settings exist only if all that is in them can work together; if not, all faults are told.

This is the only reader of configuration at start. What comes out is frozen and complete: nobody reads a file again, and
nobody finds at the first request what could have been found before.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from proxy import shipped
from proxy.dialects.dialect import Dialect
from proxy.dialects.find import Finder
from proxy.grants import read as read_grants
from proxy.policy.errors import Fault, PolicyError
from proxy.policy.patterns import match_path, plain_path
from proxy.policy.policies import PolicySet, Rules
from proxy.record.grant import NOBODY, Grants
from proxy.settings_conflicts import conflicts, forgotten
from proxy.settings_dialects import TableFolder, dialect_folder
from proxy.settings_faults import SettingsError, config_faults, only_text_keys, placed
from proxy.settings_font import read_font
from proxy.settings_listen import Listen, read_listen
from proxy.settings_model import ConfigFile, Network, read_provider, read_url
from proxy.settings_parts import Limits, Route, UpstreamSettings
from proxy.settings_policies import PolicyFolder, route_faults
from proxy.settings_records import (
    QUIET,
    DeskSettings,
    LedgerFile,
    LedgerSettings,
    TelemetrySettings,
    read_desk,
    read_ledger,
)
from proxy.settings_signing import Signing, read_signing
from proxy.settings_sources import policy_folder
from proxy.settings_tokens import ESTIMATED, TokenSettings, token_faults, token_settings
from proxy.source import SourceError, read

__all__ = [
    "LedgerSettings",
    "Limits",
    "Listen",
    "Route",
    "Settings",
    "SettingsError",
    "UpstreamSettings",
    "from_flags",
    "load",
]

# The upstream and the route of the one-line form.
ONLY_UPSTREAM = "upstream"
ONLY_ROUTE = "/**"


class Records(NamedTuple):
    """Where records are kept and shown, and who must be found in them."""

    ledger: LedgerSettings | None
    desk: DeskSettings | None
    granted: Grants = NOBODY


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the program was told. ``tenant`` is the header that tells callers apart, in lower case, or None;
    ``ledger`` is None where no records are wanted. ``dialects`` are those of each upstream by its name,
    the first to be tried first; ``harmless`` are the requests that need no label. ``public_url`` is where clients find
    us, without a slash at its end, or None where nobody said so. ``system`` and ``system_version`` name what generates,
    empty where nobody said so; ``font`` is the file that badges are drawn with, ``tokens`` how the length of
    texts is told. ``subject`` is the header that names a tenant's user, ``grants`` the file of who gets answers without
    their notice and ``granted`` what is in it, ``desk`` where people look at records; None where there is none."""

    provider_id: str
    provider_name: str
    listen: Listen
    public_url: str | None
    upstreams: Mapping[str, UpstreamSettings]
    routes: tuple[Route, ...]
    policy_set: PolicySet
    dialects: Mapping[str, tuple[Dialect, ...]]
    harmless: Finder[str]
    tenant: str | None
    trusted_peers: tuple[Network, ...]
    ledger: LedgerSettings | None
    keys: Path
    limits: Limits
    font: bytes = field(repr=False)
    system: str = ""
    system_version: str = ""
    tokens: TokenSettings = ESTIMATED
    subject: str | None = None
    grants: Path | None = None
    granted: Grants = NOBODY
    desk: DeskSettings | None = None
    telemetry: TelemetrySettings = QUIET
    known_words: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "known_words", self.policy_set.every_words)

    def route(self, path: str) -> Route | None:
        """The first route that fits a request's path, or None."""
        plain = plain_path(path)
        for route in self.routes:
            if route.fits(plain):
                return route
        return None

    def trusts(self, peer: str) -> bool:
        """Whether the ``X-Forwarded-*`` headers of a connection from this address are believed."""
        if not self.trusted_peers:
            return False
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self.trusted_peers)


def load(config_path: Path, before: PolicySet | None = None, *, secrets: bool = True) -> Settings:
    """The settings of a configuration file; paths in it start from its folder. ``before``: policies that were in force,
    and whose words must stay known. SettingsError with all faults. Without ``secrets``, keys that sign are not asked
    for: settings to look at, with which nobody can serve."""
    try:
        source = read(config_path)
    except SourceError as error:
        raise SettingsError([error]) from None
    data, faults = only_text_keys(source.data)
    config = ledger = desk = None
    environment = os.environ if secrets else None
    try:
        config = ConfigFile.model_validate(data)
    except ValidationError as error:
        faults += config_faults(error)
    # Messages name files as the caller did; what is opened later must not depend on the current folder.
    font, wrong = read_font(data, config_path.parent)
    if wrong:
        faults.append(Fault(("font",), wrong))
    policies = PolicyFolder(policy_folder(data, config_path.parent), font)
    policies.check_words(before)
    if policies.fault:
        faults.append(Fault(("policies",), policies.fault))
    faults += route_faults(data, policies)
    tables = TableFolder(dialect_folder(data, config_path.parent))
    if tables.fault:
        faults.append(Fault(("dialects",), tables.fault))
    dialects: dict[str, tuple[Dialect, ...]] = {}
    signings: dict[str, Signing | None] = {}
    for name, upstream in config.upstreams.items() if config is not None else ():
        dialects[name], found = tables.spoken(upstream.overrides)
        faults += [Fault(("upstreams", name, "overrides", *one.path), one.message, one.key) for one in found]
        signings[name], found = read_signing(upstream.sign, config_path.parent, environment)
        faults += [Fault(("upstreams", name, "sign", *one.path), one.message) for one in found]
    policies.check_against(data, tables.kinds(dialects.values()))
    rules: list[Rules] = []
    if config is not None and not faults and not policies.errors:
        for index, route in enumerate(config.routes):
            try:
                rules.append(policies.set.rules(route.policies))
            except PolicyError as error:
                faults += [Fault(("routes", index, "policies"), fault.message) for fault in error.faults]
    if config is not None:
        faults += token_faults(token_settings(config.tokens, config_path.parent))
        ledger, found = read_ledger(config.ledger, config_path.parent, environment)
        faults += [Fault(("ledger", *one.path), one.message) for one in found]
        desk, found = read_desk(config.desk, config_path.parent, environment)
        faults += [Fault(("desk", *one.path), one.message) for one in found]
    granted, unsound = NOBODY, tuple[SourceError, ...]()
    if config is not None:
        faults += [*conflicts(config), *forgotten(rules, None if ledger is None else ledger.retention)]
        if config.grants is not None:
            granted, unsound = read_grants(config_path.parent / config.grants)
    errors = [*placed(source, faults), *policies.errors, *tables.errors, *unsound]
    if config is None or font is None or errors:
        raise SettingsError(errors)
    folder = config_path.resolve().parent
    records = Records(ledger, desk, granted)
    return _settings(config, policies.set, rules, dialects, signings, tables.harmless, font, folder, records)


def from_flags(
    upstream: str,
    provider: str,
    policy: Iterable[str],
    listen: str = "127.0.0.1:8080",
    before: PolicySet | None = None,
) -> Settings:
    """The settings of the one-line form: one upstream for every path, and what is needed besides in the current folder.

    Policies are those of the folder ``policies`` where there is one, else those that come with the program; ``before``
    as in load. SettingsError with all faults, each led by the option that it is about.
    """
    faults: list[str] = []
    for option, value, check in (
        ("--upstream", upstream, read_url),
        ("--provider", provider, read_provider),
        ("--listen", listen, read_listen),
    ):
        try:
            check(value)
        except ValueError as error:
            faults.append(f"{option}: {error}")
    try:
        folder = Path.cwd()
    except FileNotFoundError:
        raise SettingsError(["the folder that this was started in is gone"]) from None
    names = tuple(policy)
    data = {
        "provider": {"id": provider},
        "listen": listen,
        "upstreams": {ONLY_UPSTREAM: {"url": upstream}},
        "routes": [{"path": ONLY_ROUTE, "upstream": ONLY_UPSTREAM, "policies": list(names)}],
    }
    policies = PolicyFolder(policy_folder(data, Path()), shipped.font())
    tables = TableFolder()
    policies.check_against(data, tables.kinds())
    policies.check_words(before)
    if policies.fault:
        faults.append(f"--policy: {policies.fault}")
    faults += [f"--policy: {fault.message}" for fault in route_faults(data, policies)]
    faults += map(str, policies.errors)
    rules = Rules([])
    if not faults:
        try:
            rules = policies.set.rules(names)
        except PolicyError as error:
            faults += [f"--policy: {fault.message}" for fault in error.faults]
    faults += [f"--policy: {fault.message}" for fault in forgotten([rules], LedgerFile().retention)]
    if faults:
        raise SettingsError(faults)
    dialects = {ONLY_UPSTREAM: tables.spoken({})[0]}
    config = ConfigFile.model_validate(data)
    records = Records(read_ledger(config.ledger, folder, None)[0], None)
    return _settings(config, policies.set, [rules], dialects, {}, tables.harmless, shipped.font(), folder, records)


def _settings(
    config: ConfigFile,
    policy_set: PolicySet,
    rules: list[Rules],
    dialects: Mapping[str, tuple[Dialect, ...]],
    signings: Mapping[str, Signing | None],
    harmless: Finder[str],
    font: bytes,
    folder: Path,
    records: Records,
) -> Settings:
    system, telemetry = config.provider.system, config.telemetry
    upstreams = {
        name: UpstreamSettings(
            name=name,
            **{key: value for key, value in upstream if key not in ("overrides", "sign")},
            sign=signings.get(name),
        )
        for name, upstream in config.upstreams.items()
    }
    return Settings(
        provider_id=config.provider.id,
        provider_name=config.provider.name or config.provider.id,
        listen=config.listen,
        public_url=config.public_url,
        upstreams=upstreams,
        routes=tuple(
            Route(
                path=route.path,
                upstream=upstreams[route.upstream],
                policies=route.policies,
                unclaimed=route.unclaimed,
                websockets=route.websockets,
                rules=one,
                fits=match_path(route.path),
                urls=route.urls,
                media_hosts=route.media_hosts,
                mode=route.mode,
                deepfake=route.deepfake,
            )
            for route, one in zip(config.routes, rules, strict=True)
        ),
        policy_set=policy_set,
        dialects=dialects,
        harmless=harmless,
        tenant=config.identity.tenant,
        trusted_peers=config.trusted_peers,
        ledger=records.ledger,
        keys=folder / config.keys,
        limits=Limits(**dict(config.limits)),
        font=font,
        system=system.name or "",
        system_version=system.version or "",
        tokens=token_settings(config.tokens, folder),
        subject=config.identity.subject,
        grants=None if config.grants is None else folder / config.grants,
        granted=records.granted,
        desk=records.desk,
        telemetry=TelemetrySettings(telemetry.otlp, telemetry.sample, telemetry.logs),
    )
