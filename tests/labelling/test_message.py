"""Fields keep their order and their repetition; the first value is the one that is asked for."""

from proxy.labelling.message import RequestHead, ResponseHead, value

HEADERS = [(b"a", b"1"), (b"b", b""), (b"a", b"2")]


def test_the_first_value() -> None:
    assert (value(HEADERS, b"a"), value(HEADERS, b"b"), value(HEADERS, b"c")) == (b"1", b"", b"")
    assert RequestHead("GET", b"/", HEADERS).value(b"a") == b"1"
    assert ResponseHead(200, HEADERS).value(b"a") == b"1"
