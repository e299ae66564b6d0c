"""Which addresses are reached: a table of both families, and the disguises of one in the other."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.addresses import Reach, reach

TABLE: dict[Reach, str] = {
    "public": """
        1.1.1.1 9.255.255.255 11.0.0.0 93.184.216.34 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
        169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0
        223.255.255.255 2000:: 2001:200:: 2606:4700::1111 2a00:1450::1 3ffe:: 3fff:1000::
        ::ffff:1.1.1.1 64:ff9b::101:101
    """,
    "private": """
        10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1 127.255.255.254 169.254.0.1 169.254.169.254
        172.16.0.0 172.31.255.255 192.168.0.1 192.168.255.255 198.18.0.0 198.19.255.255
        ::1 fc00:: fd00:ec2::254 fdff:: fe80::1 fe80::1%eth0 febf::
        ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe
    """,
    "never": """
        0.0.0.0 0.1.2.3 192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255
        240.0.0.1 255.255.255.255
        :: ::127.0.0.1 ::2 ::ffff:0:127.0.0.1 64:ff9b:1::7f00:1 100::1 2001::1 2001:0:7f00:1:: 2001:1ff:: 2001:db8::1
        2002:7f00:1:: 2002:a00:1::1 3fff::1 3fff:fff:: 4000::1 5f00::1 fec0::1 ff02::1 ff0e::1
        ::ffff:0.0.0.0 ::ffff:224.0.0.1 64:ff9b::
    """,
}


@pytest.mark.parametrize(("expected", "text"), [(where, one) for where, row in TABLE.items() for one in row.split()])
def test_where_an_address_lies(expected: Reach, text: str) -> None:
    assert expected == reach(ipaddress.ip_address(text))


@given(st.ip_addresses(v=4))
def test_a_disguise_changes_nothing(address: ipaddress.IPv4Address) -> None:
    assert reach(address) == reach(ipaddress.ip_address(f"::ffff:{address}"))
    assert reach(address) == reach(ipaddress.ip_address(f"64:ff9b::{address}"))


@given(st.ip_addresses())
def test_what_the_standard_library_calls_special_is_not_public(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    disguised = address.version == 6 and not int(address) >> 125
    if reach(address) == "public" and not disguised:
        for special in ("private", "loopback", "link_local", "multicast", "unspecified", "reserved"):
            assert not getattr(address, f"is_{special}")
