"""The law of this file: Settings exist only if all that is in them can work together; if not, all faults are told.

This is the only reader of configuration at start. What comes out is frozen and complete: nobody reads a file again, and
nobody finds at the first request what could have been found before.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from proxy import shipped
from proxy.policy.errors import Fault, PolicyError
from proxy.policy.patterns import Match, match_path, plain_path
from proxy.policy.policies import PolicySet, Rules
from proxy.settings_faults import SettingsError, config_faults, only_text_keys, placed
from proxy.settings_model import ConfigFile, Listen, Network, read_listen, read_provider, read_url
from proxy.settings_policies import PolicyFolder, route_faults
from proxy.shipped import dialect_sources, font
from proxy.source import SourceError, read

__all__ = [
    "LedgerSettings",
    "Limits",
    "Listen",
    "Route",
    "Settings",
    "SettingsError",
    "UpstreamSettings",
    "dialect_sources",
    "font",
    "from_flags",
    "load",
]

# The upstream and the route of the one-line form.
ONLY_UPSTREAM = "upstream"
ONLY_ROUTE = "/**"


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """A model endpoint. ``url`` has no slash at its end; ``keep_alive`` is in seconds; ``server`` names the software,
    and with it the request fields whose claim of machine-readable output counts; ``labels`` whether labels that come
    from it are believed."""

    name: str
    url: str
    transport: Literal["http1", "httpx"]
    proxy: str | None
    forwarded: bool
    server: str
    labels: Literal["untrusted", "trusted"]
    keep_alive: float
    max_connections: int


@dataclass(frozen=True, slots=True)
class Route:
    """Which upstream serves a path, and under which policies. ``fits`` takes a path as ``plain_path`` spells it."""

    path: str
    upstream: UpstreamSettings
    policies: tuple[str, ...]
    unclaimed: Literal["pass", "refuse"]
    rules: Rules
    fits: Match


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """Where records are kept, and what happens when they cannot be."""

    path: Path
    on_failure: Literal["block", "pass"]
    synchronous: Literal["full", "normal"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds: bytes for whole_body, total_memory, record and headers, pixels, seconds for connect, first_byte and idle,
    and a number of answers for work_waiting."""

    whole_body: int
    total_memory: int
    record: int
    headers: int
    pixels: int
    connect: float
    first_byte: float
    idle: float
    work_waiting: int


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the program was told. ``tenant`` is the header that tells callers apart, in lower case, or None;
    ``ledger`` is None where no records are wanted."""

    provider_id: str
    provider_name: str
    listen: Listen
    upstreams: Mapping[str, UpstreamSettings]
    routes: tuple[Route, ...]
    policy_set: PolicySet
    tenant: str | None
    trusted_peers: tuple[Network, ...]
    ledger: LedgerSettings | None
    keys: Path
    limits: Limits
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


def load(config_path: Path) -> Settings:
    """The settings of a configuration file; paths in it start from its folder. SettingsError with all faults."""
    try:
        source = read(config_path)
    except SourceError as error:
        raise SettingsError([str(error)]) from None
    data, faults = only_text_keys(source.data)
    config = None
    try:
        config = ConfigFile.model_validate(data)
    except ValidationError as error:
        faults += config_faults(error)
    # Messages name files as the caller did; what is opened later must not depend on the current folder.
    policies = PolicyFolder(_policy_folder(data, config_path.parent))
    policies.check_against(data)
    if policies.fault:
        faults.append(Fault(("policies",), policies.fault))
    faults += route_faults(data, policies)
    rules: list[Rules] = []
    if config is not None and not faults and not policies.errors:
        for index, route in enumerate(config.routes):
            try:
                rules.append(policies.set.rules(route.policies))
            except PolicyError as error:
                faults += [Fault(("routes", index, "policies"), fault.message) for fault in error.faults]
    errors = [*placed(source, faults), *policies.errors]
    if config is None or errors:
        raise SettingsError(map(str, errors))
    return _settings(config, policies.set, rules, config_path.resolve().parent)


def from_flags(upstream: str, provider: str, policy: Iterable[str], listen: str = "127.0.0.1:8080") -> Settings:
    """The settings of the one-line form: one upstream for every path, and what is needed besides in the current folder.

    Policies are those of the folder ``policies`` where there is one, else those that come with the program.
    SettingsError with all faults, each led by the option that it is about.
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
    names = tuple(policy)
    data = {
        "provider": {"id": provider},
        "listen": listen,
        "upstreams": {ONLY_UPSTREAM: {"url": upstream}},
        "routes": [{"path": ONLY_ROUTE, "upstream": ONLY_UPSTREAM, "policies": list(names)}],
    }
    policies = PolicyFolder(_policy_folder(data, Path()))
    policies.check_against(data)
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
    if faults:
        raise SettingsError(faults)
    return _settings(ConfigFile.model_validate(data), policies.set, [rules], Path.cwd())


def _policy_folder(data: Any, folder: Path) -> Path:
    named = data.get("policies") if isinstance(data, dict) else None
    if isinstance(named, str):
        return folder / named
    beside = folder / "policies"
    return beside if beside.is_dir() else shipped.policies()


def _settings(config: ConfigFile, policy_set: PolicySet, rules: list[Rules], folder: Path) -> Settings:
    ledger = config.ledger
    upstreams = {name: UpstreamSettings(name=name, **dict(upstream)) for name, upstream in config.upstreams.items()}
    return Settings(
        provider_id=config.provider.id,
        provider_name=config.provider.name or config.provider.id,
        listen=config.listen,
        upstreams=upstreams,
        routes=tuple(
            Route(
                path=route.path,
                upstream=upstreams[route.upstream],
                policies=route.policies,
                unclaimed=route.unclaimed,
                rules=one,
                fits=match_path(route.path),
            )
            for route, one in zip(config.routes, rules, strict=True)
        ),
        policy_set=policy_set,
        tenant=config.identity.tenant,
        trusted_peers=config.trusted_peers,
        ledger=None if ledger is None else LedgerSettings(folder / ledger.path, ledger.on_failure, ledger.synchronous),
        keys=folder / config.keys,
        limits=Limits(**dict(config.limits)),
    )
