"""The law of this file: a medium's URL is fetched only if its host is on the route's list, in a spelling that all read
alike.

A list's entry is a name or an address, with a port where it is not the scheme's own, or ``*.`` and the end of a name:

    - images.example.com
    - "*.storage.example.com"
    - images.example.com:8443
    - {host: images.internal, private: true}     # may lie in a private network; never with a star
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from proxy.addresses import Address
from proxy.origin import Origin, origin

__all__ = ["MediaHost", "MediaUrl", "listed", "literal", "read_media_host", "read_media_url"]

LONGEST = 8192  # characters of a URL: signed ones have two thousand

_URL = re.compile(r"(https?)://([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?", re.IGNORECASE | re.DOTALL)
_ENTRY = re.compile(r"(\*\.)?(\[[0-9A-Fa-f:.]+\]|[^\s:/?#@*\[\]]+)(?::(\d{1,5}))?")
_UNFIT = re.compile(r"[\x00-\x20\x7f\\]")
_NUMBER = re.compile(r"(?:\d+|0x[0-9a-f]*)\.?", re.IGNORECASE)
# What may stand in a URL as it is: percent signs too, for a signature covers the spelling.
_AS_IT_IS = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True, slots=True)
class MediaHost:
    """One entry. ``name`` is in lower case, without its star where ``below`` says that it stands for all names below
    it; ``port`` None is the scheme's own; ``private`` that its addresses may be private ones."""

    name: str
    below: bool = False
    port: int | None = None
    private: bool = False

    def covers(self, there: Origin) -> bool:
        """Whether the entry stands for this host and port."""
        usual = 443 if there.tls else 80
        if there.port != (self.port or usual):
            return False
        if self.below:
            return there.host.endswith(f".{self.name}") and literal(there.host) is None
        return there.host == self.name


@dataclass(frozen=True, slots=True)
class MediaUrl:
    """A URL in parts: where it leads, and the request target there, byte for byte."""

    origin: Origin
    target: bytes


def literal(host: str) -> Address | None:
    """The address that a host is, or None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def read_media_host(value: object) -> MediaHost:
    """An entry of the list, as text or as a mapping with ``host`` and ``private``. ValueError says what is wrong."""
    private: object = False
    if isinstance(value, dict):
        entry: dict[object, object] = value
        if not {"host"} <= entry.keys() <= {"host", "private"}:
            raise ValueError("a host in the long form has the keys host and private, and no others")
        value, private = entry["host"], entry.get("private", False)
    found = _ENTRY.fullmatch(value) if isinstance(value, str) else None
    if found is None or not isinstance(private, bool):
        raise ValueError('must be a host, such as images.example.com, "*.example.com", {host: 10.0.0.5, private: true}')
    below, host, port = bool(found[1]), found[2], int(found[3]) if found[3] else None
    if port is not None and not 0 < port < 65536:
        raise ValueError("a port is a number from 1 to 65535")
    try:
        name = origin(f"http://{host}").host
    except ValueError:
        raise ValueError("must hold a host name or an IP address that can be") from None
    fault = _fault(name)
    if fault:
        raise ValueError(fault)
    if below and ("." not in name or literal(name) is not None):
        raise ValueError(f"*.{name} is wider than one owner's names")
    if below and private:
        raise ValueError("a private host is named in full, without a star")
    return MediaHost(name, below, port, private)


def read_media_url(url: str) -> MediaUrl:
    """The parts of a URL that came from outside. ValueError where readers could disagree on where it leads; the message
    does not repeat it, for a signature may be in it."""
    found = _URL.fullmatch(url) if len(url) <= LONGEST else None
    if found is None or _UNFIT.search(url):
        raise ValueError("is no address that can be fetched")
    try:
        there = origin(f"{found[1]}://{found[2]}")
    except ValueError:
        raise ValueError("has a host that cannot be, or a user and a password") from None
    fault = _fault(there.host)
    if fault:
        raise ValueError(fault)
    try:
        target = quote((found[3] or "/") + (found[4] or ""), safe=_AS_IT_IS).encode("ascii")
    except UnicodeEncodeError:  # a lone surrogate
        raise ValueError("is no address that can be fetched") from None
    return MediaUrl(there, target)


def listed(hosts: Iterable[MediaHost], there: Origin) -> MediaHost | None:
    """The entry that lets a host be asked; the one that lets it be private, where several do."""
    covering = [host for host in hosts if host.covers(there)]
    return max(covering, key=lambda host: host.private, default=None)


def _fault(host: str) -> str:
    """What is wrong with a host that ``origin`` takes: spellings of an address that one resolver knows and not the next
    (``127.1``, ``0x7f000001``, ``0177.0.0.1``), the dot of the root, an interface of ours (``fe80::1%eth0``)."""
    if host.endswith("."):
        return "has a host that ends in a dot"
    if "%" in host:
        return "has a host with a zone"
    if literal(host) is None and _NUMBER.fullmatch(host.rpartition(".")[2]):
        return "has a host that is an address in an unusual spelling"
    return ""
