"""The law of this file: an address that gets through here is one that both transports can send requests to."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

__all__ = ["Origin", "origin"]

_NAME = re.compile(r"[a-z0-9._-]+")
_SPACE = re.compile(r"[\s\x00-\x20\x7f\\]")


@dataclass(frozen=True, slots=True)
class Origin:
    """An upstream's URL in the parts that a client needs."""

    tls: bool
    host: str
    port: int
    authority: bytes  # the Host field: the port only where it is not the scheme's own
    prefix: bytes  # "" or "/path", never with a slash at its end


def origin(url: str) -> Origin:
    """The parts of an http(s) URL with nothing behind its path.

    ValueError says what it must be, and does not repeat it: a password may be in it.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise ValueError("must be an address such as http://127.0.0.1:8000")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user or a password: clients send their own credentials")
    # Asked of the whole, for `urlsplit` drops line breaks in silence, and does not tell an empty query from none.
    if "?" in url or "#" in url or _SPACE.search(url):
        raise ValueError("must end with its path: no query, no fragment, no spaces")
    try:
        name = str(ipaddress.IPv6Address(host)) if ":" in host else host.encode("idna").decode("ascii")
        prefix = parts.path.rstrip("/").encode("ascii")
    except ValueError:
        name, prefix = "", b""
    if not (":" in name or _NAME.fullmatch(name)):
        raise ValueError("must have a host name or an IP address that can be, and a path that is percent-encoded")
    tls = parts.scheme == "https"
    usual = 443 if tls else 80
    shown = f"[{name}]" if ":" in name else name
    authority = shown if port in (None, usual) else f"{shown}:{port}"
    return Origin(tls, name, port or usual, authority.encode(), prefix)
