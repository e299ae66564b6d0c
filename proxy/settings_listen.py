"""The law of this file: an address to listen on is a host and a port, an IPv6 address in brackets."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from proxy.policy.reader import named

__all__ = ["Listen", "read_listen"]


class Listen(NamedTuple):
    """Where to listen; port 0 takes any free one."""

    host: str
    port: int

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def read_listen(value: object) -> Listen:
    """``host:port``, an IPv6 address in brackets. ValueError otherwise."""
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not host or not port.isdecimal() or not port.isascii() or int(port) > 65535:
        raise ValueError(f"must be host:port such as 127.0.0.1:8080, not {named(value)}")
    return Listen(host, int(port))
