"""The law of this file: config.yaml has these keys and no others, and every value has its unit.

These models read and check one file by itself; what needs another file, or the disk, is checked in settings.py.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sized
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StrictBool,
    StrictInt,
    StrictStr,
    model_validator,
)

from proxy.label.errors import LabelError
from proxy.label.provider import check_provider
from proxy.media_hosts import MediaHost, read_media_host
from proxy.origin import origin
from proxy.policy.patterns import path_faults
from proxy.policy.reader import named
from proxy.settings_deepfake import UNKNOWN, DeepfakeKey
from proxy.settings_listen import Listen, read_listen
from proxy.settings_quantities import Bytes, Pixels, Seconds
from proxy.settings_records import DeskFile, LedgerFile, TelemetryFile
from proxy.settings_signing import SignFile
from proxy.settings_tokens import TokensFile

__all__ = ["PLACEHOLDER", "ConfigFile", "LimitsFile", "Network", "read_provider", "read_url"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

Members = TypeVar("Members", bound=Sized)

# What stands in the sample, and must not stand in any label.
PLACEHOLDER = "EXAMPLE-REPLACE-ME"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_LONGEST_SAID = 200
_PLAIN_PATH = re.compile(r"[^/]*[A-Za-z0-9._~/-]*")


def read_url(value: object) -> str:
    """An upstream's address without a slash at its end. ValueError where it cannot be one."""
    url = value if isinstance(value, str) else ""
    origin(url)
    return url.rstrip("/")


def _public_url(value: object) -> str:
    url = read_url(value)
    if not url.isascii():  # it goes into header fields, as clients would send it
        raise ValueError("must be written as it goes over the wire: a host beyond ASCII begins with xn--")
    return url


def _life(seconds: float) -> float:
    if seconds < 1:
        raise ValueError("must be one second at least: the time in a link is in whole seconds")
    return seconds


def read_provider(value: object) -> str:
    """A provider's code or name that can stand in a label. ValueError says what is wrong with it."""
    if value == PLACEHOLDER:
        raise ValueError(
            f"{PLACEHOLDER} is the sample's placeholder: put your own 27-character provider code "
            "(GB 45438), or your name without spaces"
        )
    if not isinstance(value, str):
        raise ValueError(f"must be text, not {named(value)}: put it in quotes")
    try:
        check_provider(value)
    except LabelError as error:
        raise ValueError(str(error)) from None
    return value


def _proxy(value: object) -> str:
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        sound = False
    # The value is not repeated: a password may be in it.
    if not sound:
        raise ValueError("must be the proxy's address such as http://proxy.example:3128")
    return str(value)


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(f"must be of letters, digits, dots, hyphens and underscores: {value!r}")
    return value


def _said(value: str) -> str:
    # It goes into every picture, as a property in XML.
    if not value.strip() or value != value.strip() or not value.isprintable() or len(value) > _LONGEST_SAID:
        raise ValueError(f"must be 1 to {_LONGEST_SAID} characters that people can see, without spaces around them")
    return value


def _header(value: str) -> str:
    if not _HEADER.fullmatch(value):
        raise ValueError(f"must be the name of a request header such as authorization: {value!r}")
    return value.lower()


def _route_path(value: str) -> str:
    wrong = path_faults(value)
    if wrong:
        raise ValueError(wrong)
    return value


def _network(value: object) -> Network:
    try:
        return ipaddress.ip_network(value if isinstance(value, str) else "", strict=True)
    except ValueError:
        raise ValueError(f"must be an address or a network such as 10.0.0.0/8, not {named(value)}") from None


def _some(members: Members) -> Members:
    if not members:
        raise ValueError("must hold one entry at least")
    return members


def _off(value: object) -> object:
    # YAML 1.1 reads an unquoted `off` as false.
    return None if value is False or value == "off" else value


Name = Annotated[StrictStr, AfterValidator(_name)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SystemFile(_Section):
    """``provider.system``: the name of what generates, and its version, where they are to be told."""

    name: Annotated[StrictStr, AfterValidator(_said)] | None = None
    version: Annotated[StrictStr, AfterValidator(_said)] | None = None

    @model_validator(mode="after")
    def _version_of_something(self) -> SystemFile:
        if self.version is not None and self.name is None:
            raise ValueError("a version needs the name of what it is a version of")
        return self


class ProviderFile(_Section):
    """``provider``: who answers for what goes out."""

    id: Annotated[str, PlainValidator(read_provider)]
    name: StrictStr | None = None
    system: SystemFile = SystemFile()


class UpstreamFile(_Section):
    """One of ``upstreams``: a model endpoint."""

    url: Annotated[str, PlainValidator(read_url)]
    transport: Literal["http1", "httpx"] = "http1"
    proxy: Annotated[str, PlainValidator(_proxy)] | None = None
    forwarded: StrictBool = True
    server: Name = "openai"
    labels: Literal["untrusted", "trusted"] = "untrusted"
    # Below the 5 s after which vLLM closes an idle connection, so that a request does not meet the closing.
    keep_alive: Seconds = 4.0
    max_connections: Annotated[StrictInt, Field(ge=1)] = 1000
    overrides: dict[StrictStr, dict[str, Any]] = {}
    sign: SignFile = SignFile()

    @model_validator(mode="after")
    def _proxy_needs_httpx(self) -> UpstreamFile:
        if self.proxy is not None and self.transport != "httpx":
            raise ValueError("a proxy needs transport: httpx")
        return self

    @model_validator(mode="after")
    def _signed_path_is_plain(self) -> UpstreamFile:
        # What else it may hold, AWS would spell in its own way before it checks a signature.
        if self.sign.scheme == "sigv4" and not _PLAIN_PATH.fullmatch(self.url.split("//", 1)[1]):
            raise ValueError("a url whose requests are signed for AWS has a path of letters, digits and -._~ only")
        return self


class MediaHostFile(_Section):
    """One of ``media_hosts`` that may lie in a private network, for the JSON Schema: ``read_media_host`` reads it."""

    host: StrictStr = Field(description="a host, with a port where it is not the usual one")
    private: StrictBool = Field(default=False, description="it may lie in a private network")


AMediaHost = Annotated[MediaHost, PlainValidator(read_media_host, json_schema_input_type=StrictStr | MediaHostFile)]


class RouteFile(_Section):
    """One of ``routes``."""

    path: Annotated[StrictStr, AfterValidator(_route_path)]
    upstream: StrictStr
    policies: tuple[StrictStr, ...]
    unclaimed: Literal["pass", "refuse"] = "pass"
    websockets: Literal["refuse", "pass"] = "refuse"
    urls: Literal["refuse", "rewrite", "inline", "pass"] = "refuse"
    mode: Literal["enforce", "observe"] = "enforce"
    deepfake: DeepfakeKey = UNKNOWN
    media_hosts: tuple[AMediaHost, ...] = ()

    @model_validator(mode="after")
    def _fetching_needs_hosts(self) -> RouteFile:
        if self.urls in ("rewrite", "inline") and not self.media_hosts:
            raise ValueError(f"urls: {self.urls} needs media_hosts, the hosts that media may be fetched from")
        return self


class IdentityFile(_Section):
    """``identity``: how callers are told apart in records."""

    tenant: Annotated[StrictStr, AfterValidator(_header)] | None = "authorization"
    subject: Annotated[StrictStr, AfterValidator(_header)] | None = None


class LimitsFile(_Section):
    """``limits``: what one exchange, and all of them together, may take."""

    whole_body: Bytes = 64 << 20
    total_memory: Bytes = 2 << 30
    record: Bytes = 8 << 20
    headers: Bytes = 64 << 10
    pixels: Pixels = 100 * 10**6
    connect: Seconds = 10.0
    first_byte: Seconds = 600.0
    idle: Seconds = 600.0
    work_waiting: Annotated[StrictInt, Field(ge=1)] = 64
    work_time: Seconds = 60.0
    fetch: Bytes = 64 << 20
    fetch_time: Seconds = 30.0
    link: Annotated[Seconds, AfterValidator(_life)] = 86400.0

    @model_validator(mode="after")
    def _one_fits_into_all(self) -> LimitsFile:
        if self.total_memory < self.whole_body:
            raise ValueError("total_memory must be at least whole_body, or no body would ever be taken")
        return self


class ConfigFile(_Section):
    """config.yaml."""

    provider: ProviderFile
    listen: Annotated[Listen, PlainValidator(read_listen)] = Listen("127.0.0.1", 8080)
    public_url: Annotated[str, PlainValidator(_public_url)] | None = None
    upstreams: Annotated[dict[Name, UpstreamFile], AfterValidator(_some)]
    routes: Annotated[tuple[RouteFile, ...], AfterValidator(_some)]
    policies: StrictStr | None = None
    dialects: StrictStr | None = None
    font: StrictStr | None = None
    identity: IdentityFile = IdentityFile()
    trusted_peers: tuple[Annotated[Network, PlainValidator(_network)], ...] = ()
    tokens: TokensFile = TokensFile()
    ledger: Annotated[
        LedgerFile | None, BeforeValidator(_off, json_schema_input_type=LedgerFile | Literal["off", False] | None)
    ] = LedgerFile()
    keys: StrictStr = "keys/"
    grants: StrictStr | None = None
    desk: DeskFile = DeskFile()
    telemetry: TelemetryFile = TelemetryFile()
    limits: LimitsFile = LimitsFile()
