"""The law of this file: an IP address is reached only if it is on the public Internet, or its owner said so by name.

The tables are IANA's (IPv4 and IPv6 Special-Purpose Address Registries, RFC 6890 and its updates), written out: what
the standard library calls global differs between its versions. IPv6 is public within 2000::/3 and nowhere else. An IPv4
address in disguise (mapped, or behind NAT64) is what it is without; other disguises (6to4, Teredo, compatible) have no
honest use on a server and are never reached.
"""

import ipaddress
from typing import Literal

__all__ = ["Address", "Reach", "reach"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Reach = Literal["public", "private", "never"]


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(map(ipaddress.ip_network, text.split()))


# Somebody's own: an operator may name a host there.
_PRIVATE = _networks(
    "10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.168.0.0/16 198.18.0.0/15 "
    "::1/128 fc00::/7 fe80::/10"
)
# Unspecified, multicast, reserved, documentation, protocol assignments; and IPv6 that hides IPv4 (6to4, Teredo).
_NEVER = _networks(
    "0.0.0.0/8 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 "
    "2001::/23 2001:db8::/32 2002::/16 3fff::/20"
)
_GLOBAL = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: how an IPv6-only network reaches IPv4


def reach(address: Address) -> Reach:
    """Where an address lies: ``public``, ``private`` (loopback and link-local too) or ``never`` to be reached."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return reach(address.ipv4_mapped)
        if address in _NAT64:
            return reach(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    if any(address in network for network in _PRIVATE):
        return "private"
    if any(address in network for network in _NEVER):
        return "never"
    return "public" if address.version == 4 or address in _GLOBAL else "never"
