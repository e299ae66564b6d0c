"""The law of this file: a part of the settings is a frozen value, read and checked; who has one needs no file again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from proxy.media_hosts import MediaHost
from proxy.origin import origin
from proxy.policy.patterns import Match
from proxy.policy.policies import Rules
from proxy.settings_deepfake import UNKNOWN, DeepfakeFact
from proxy.settings_signing import Signing

__all__ = ["Limits", "Route", "UpstreamSettings"]


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """A model endpoint. ``url`` has no slash at its end; ``keep_alive`` is in seconds; ``server`` names the software,
    and with it the request fields whose claim of machine-readable output counts; ``labels`` whether labels that come
    from it are believed; ``sign`` how requests are signed, None where they go as clients have made them. ``origin`` is
    its origin (RFC 6454) as browsers write it."""

    name: str
    url: str
    transport: Literal["http1", "httpx"]
    proxy: str | None
    forwarded: bool
    server: str
    labels: Literal["untrusted", "trusted"]
    keep_alive: float
    max_connections: int
    sign: Signing | None = None
    origin: bytes = field(init=False)

    def __post_init__(self) -> None:
        own = origin(self.url)
        object.__setattr__(self, "origin", (b"https://" if own.tls else b"http://") + own.authority)


@dataclass(frozen=True, slots=True)
class Route:
    """Which upstream serves a path, and under which policies. ``fits`` takes a path as ``plain_path`` spells it;
    ``urls`` is what becomes of media that an answer hands out as URLs, ``media_hosts`` from where they are fetched.
    ``mode``: whether policies are carried out, or everything passes as it comes and records say what they would do;
    ``deepfake``: whether what is made here may be one."""

    path: str
    upstream: UpstreamSettings
    policies: tuple[str, ...]
    unclaimed: Literal["pass", "refuse"]
    websockets: Literal["refuse", "pass"]
    rules: Rules
    fits: Match
    urls: Literal["refuse", "rewrite", "inline", "pass"]
    media_hosts: tuple[MediaHost, ...]
    mode: Literal["enforce", "observe"] = "enforce"
    deepfake: DeepfakeFact = UNKNOWN


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds: bytes for whole_body, total_memory, record, headers and fetch, pixels, seconds for connect, first_byte,
    idle, work_time, fetch_time and link, and a number of answers for work_waiting."""

    whole_body: int
    total_memory: int
    record: int
    headers: int
    pixels: int
    connect: float
    first_byte: float
    idle: float
    work_waiting: int
    work_time: float
    fetch: int
    fetch_time: float
    link: float
