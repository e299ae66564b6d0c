import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.origin import Origin, origin
from proxy.upstream import Target, Transport, open


@pytest.mark.parametrize(
    ("expected", "url"),
    [
        (Origin(False, "127.0.0.1", 8000, b"127.0.0.1:8000", b""), "http://127.0.0.1:8000"),
        (Origin(False, "a", 80, b"a", b""), "http://a:80/"),
        (Origin(True, "a", 443, b"a", b"/base/v1"), "HTTPS://A/base/v1//"),
        (Origin(True, "a", 80, b"a:80", b"/%2F"), "https://a:80/%2F"),
        (Origin(False, "::1", 80, b"[::1]", b""), "http://[::1]"),
        (Origin(False, "::1", 8000, b"[::1]:8000", b"/x"), "http://[0:0:0:0:0:0:0:1]:8000/x"),
        (Origin(False, "xn--tda.example", 80, b"xn--tda.example", b""), "http://ü.example"),
        (Origin(False, "model_server.internal.", 80, b"model_server.internal.", b""), "http://model_server.internal."),
    ],
)
def test_the_parts_of_an_address(expected: Origin, url: str) -> None:
    assert expected == origin(url)


ADDRESS = "must be an address such as http://127.0.0.1:8000"
END = "must end with its path: no query, no fragment, no spaces"
HOST = "must have a host name or an IP address that can be, and a path that is percent-encoded"


@pytest.mark.parametrize(
    ("expected", "urls"),
    [
        (ADDRESS, ("", "a", "//a", "ftp://a", "http://", "http://:80", "http://a:x", "http://a:0", "http://a:65536")),
        (ADDRESS, ("http://[a", "http://[::1", "http://[a]")),
        ("must not hold a user or a password", ("http://u@a", "http://u:p@a", "http://:@a")),
        (END, ("http://a/?b", "http://a?", "http://a/#b", "http://a#", "http://a/b c", "http://a/\n", "http://a\\b")),
        (HOST, ("http://a..b", "http://.a", f"http://{'a' * 64}", "http://a<b>", "http://a%20b", "http://a/ü")),
    ],
)
@pytest.mark.parametrize("transport", ["http11", "httpx"])
def test_what_cannot_work_is_refused(expected: str, urls: tuple[str, ...], transport: Transport) -> None:
    for url in urls:
        with pytest.raises(ValueError, match=expected):
            open(Target(url), transport)


def test_a_password_is_not_repeated() -> None:
    for url in ("http://user:secret@a", "http://user:secret@", "http://user:secret@[a", "http://user:secret@a:x"):
        with pytest.raises(ValueError, match=r"must") as caught:
            origin(url)
        assert "secret" not in str(caught.value)


@given(st.text(max_size=30))
def test_what_gets_through_is_ascii_without_spaces(rest: str) -> None:
    try:
        found = origin(f"http://{rest}")
    except ValueError:
        return
    for part in (found.authority, found.prefix):
        assert part.isascii()
        assert not set(part) & {*range(0x21), 0x7F}
    assert found.host
    assert 0 < found.port < 65536
