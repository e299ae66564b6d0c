"""The list of hosts: how its entries are written, what they stand for, and how a URL must be spelled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.media_hosts import LONGEST, MediaHost, listed, read_media_host, read_media_url


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        (MediaHost("images.example.com"), "Images.Example.COM"),
        (MediaHost("example.com", below=True), "*.example.com"),
        (MediaHost("images.example.com", port=8443), "images.example.com:8443"),
        (MediaHost("example.com", below=True, port=8443), "*.example.com:8443"),
        (MediaHost("10.0.0.5", port=9000), "10.0.0.5:9000"),
        (MediaHost("::1"), "[0:0::1]"),
        (MediaHost("::1", port=9000), "[::1]:9000"),
        (MediaHost("xn--bcher-kva.example"), "bücher.example"),
        (MediaHost("images.internal"), {"host": "images.internal"}),
        (MediaHost("images.internal", port=81, private=True), {"host": "images.internal:81", "private": True}),
    ],
)
def test_entries(expected: MediaHost, value: object) -> None:
    assert expected == read_media_host(value)


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        ("must be a host", None),
        ("must be a host", 8),
        ("must be a host", ""),
        ("must be a host", "*"),
        ("must be a host", "a.*.example"),
        ("must be a host", "https://a.example"),
        ("must be a host", "a.example/path"),
        ("must be a host", "user@a.example"),
        ("must be a host", "a b"),
        ("must be a host", "::1"),
        ("must be a host", {"host": "a", "private": "yes"}),
        ("has the keys host and private", {"host": "a", "port": 1}),
        ("has the keys host and private", {"private": True}),
        ("a port is", "a:0"),
        ("a port is", "a:65536"),
        ("that can be", "a..b"),
        ("that can be", "[::g]".replace("g", ":1:")),
        ("wider than one owner", "*.com"),
        ("wider than one owner", "*.0.0.1.8"),
        ("an unusual spelling", "0x7f.1"),
        ("an unusual spelling", "*.0.0.1"),
        ("ends in a dot", "a.example."),
        ("without a star", {"host": "*.internal.example", "private": True}),
    ],
)
def test_what_is_no_entry(expected: str, value: object) -> None:
    with pytest.raises(ValueError, match=expected):
        read_media_host(value)


@pytest.mark.parametrize(
    ("expected", "entry", "url"),
    [
        (True, "a.example", "https://a.example/x.png"),
        (True, "a.example", "http://A.EXAMPLE:80/x.png"),
        (True, "a.example", "https://a.example:443/x.png"),
        (False, "a.example", "https://a.example:8443/x.png"),
        (False, "a.example", "http://a.example:443/x.png"),
        (False, "a.example", "http://a.example:22/"),
        (True, "a.example:8443", "https://a.example:8443/x.png"),
        (False, "a.example:8443", "https://a.example/x.png"),
        (False, "a.example", "https://b.a.example/"),
        (False, "a.example", "https://xa.example/"),
        (False, "a.example", "https://a.example.evil.test/"),
        (False, "a.example", "https://evil.test/a.example"),
        (False, "a.example", "https://evil.test?a.example"),
        (False, "a.example", "https://evil.test#a.example"),
        (True, "*.a.example", "https://b.a.example/"),
        (True, "*.a.example", "https://c.b.a.example/"),
        (False, "*.a.example", "https://a.example/"),
        (False, "*.a.example", "https://ba.example/"),
        (True, "bücher.example", "https://xn--bcher-kva.example/"),
        (True, "xn--bcher-kva.example", "https://BÜCHER.example/"),
        (True, "example.com", "https://ｅｘａｍｐｌｅ.com/"),  # what IDNA makes of it is where it leads
        (True, "10.0.0.5:9000", "http://10.0.0.5:9000/"),
        (True, "127.0.0.1", "http://１２７.0.0.1/"),
        (False, "10.0.0.5", "http://10.0.0.50/"),
        (True, "[::1]:9000", "http://[0:0:0:0:0:0:0:1]:9000/"),
    ],
)
def test_what_an_entry_stands_for(expected: bool, entry: str, url: str) -> None:
    assert expected is (listed([read_media_host(entry)], read_media_url(url).origin) is not None)


def test_the_entry_that_lets_a_host_be_private_counts() -> None:
    hosts = [read_media_host("a.example"), read_media_host({"host": "a.example", "private": True})]
    for order in (hosts, hosts[::-1]):
        found = listed(order, read_media_url("http://a.example/").origin)
        assert found is not None
        assert found.private


@pytest.mark.parametrize(
    ("expected", "url"),
    [
        (b"/", "https://a.example"),
        (b"/", "https://a.example/"),
        (b"/?x=1", "https://a.example?x=1"),
        (
            b"/a%2Fb%2fc/../d?X-Amz-Signature=%2B%2b~'()!*&&=;",
            "https://a.example/a%2Fb%2fc/../d?X-Amz-Signature=%2B%2b~'()!*&&=;",
        ),
        (b'/"<>[]{}|^`?"<>[]{}|^`', 'https://a.example/"<>[]{}|^`?"<>[]{}|^`'),
        (b"/x?y?z", "https://a.example/x?y?z#fragment?"),
        (b"/%E5%9B%BE.png", "https://a.example/图.png"),
        (b"//b.example/x", "https://a.example//b.example/x"),
    ],
)
def test_the_target_is_kept_byte_for_byte(expected: bytes, url: str) -> None:
    assert expected == read_media_url(url).target


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example/x",
        "//a.example/x",
        "ftp://a.example/x",
        "file:///etc/passwd",
        "data:image/png;base64,AA==",
        "javascript:alert(1)",
        "https:a.example/x",
        "https://",
        "https:///x",
        "https://user@a.example/",
        "https://user:password@a.example/",
        "https://@a.example/",
        "https://a.example:0/",
        "https://a.example:x/",
        "https://a.example:65536/",
        "https://a.example\\@b.example/",
        "https://a.example/\\b",
        "https://a.example/ x",
        "https://a.example/\nx",
        "https://a.example/\x00",
        " https://a.example/",
        "https://a.example./",
        "https://a.example%2Eb.example/",
        "https://%61.example/",
        "https://a..example/",
        "https://[::1/",
        "https://[::1%25eth0]/",
        "https://2130706433/",
        "https://017700000001/",
        "https://0x7f000001/",
        "https://0x7f.0.0.1/",
        "https://0177.0.0.1/",
        "https://127.0.0.01/",
        "https://127.1/",
        "https://127.0.1/",
        "https://a.0x/",
        "https://1.2.3.4.5/",
        "https://256.0.0.1/",
        "https://a.example/\ud800",
        "https://a.example/" + "x" * LONGEST,
    ],
)
def test_what_is_no_address_of_a_medium(url: str) -> None:
    with pytest.raises(ValueError, match=r"is|has") as caught:
        read_media_url(url)
    assert "password" not in str(caught.value).replace("a user and a password", "")


@given(st.text(max_size=40))
def test_a_target_can_always_be_sent(rest: str) -> None:
    try:
        found = read_media_url(f"https://a.example/{rest}")
    except ValueError:
        return
    assert found.origin.host == "a.example"
    assert found.target.startswith(b"/")
    assert not set(found.target) & {*range(0x21), 0x7F, *range(0x80, 0x100)}


@given(st.text(max_size=40))
def test_no_spelling_leads_to_a_host_that_is_not_listed(rest: str) -> None:
    """Whatever stands before the path, a URL is taken for the host that it leads to."""
    try:
        found = read_media_url(f"https://{rest}a.example/")
    except ValueError:
        return
    assert found.origin.host.isascii()
    assert listed([MediaHost("a.example")], found.origin) is None or found.origin.host == "a.example"
