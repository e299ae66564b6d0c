"""Fields pass as they came, in their place, save for those that the connection or the body's change makes wrong."""

import pytest

from proxy.labelling import headers as fields
from proxy.labelling.headers import Peer, outbound, passed, relabelled
from proxy.labelling.message import Headers, RequestHead
from proxy.labelling.outcome import Done, TextDone
from tests.labelling.answers import decision, marked

PEER = Peer("192.0.2.7", "https")
KEPT: Headers = [
    (b"x-b", b"2"),
    (b"authorization", b"Bearer t"),
    (b"x-b", b"1"),
    (b"content-type", b"Text/Plain; x"),
    (b"x-bin", b"\xff\xfe"),
]


def sent(headers: Headers, peer: Peer = PEER, *, claimed: bool = True, forwarded: bool = False) -> Headers:
    own = b"http://127.0.0.1:8188"
    return outbound(RequestHead("POST", b"/", headers), peer, own, claimed=claimed, forwarded=forwarded)


@pytest.mark.parametrize("claimed", [True, False])
def test_what_is_kept_keeps_its_bytes_and_order(claimed: bool) -> None:
    assert sent(KEPT, claimed=claimed) == KEPT
    assert passed(KEPT) == KEPT
    assert relabelled(KEPT) == KEPT


@pytest.mark.parametrize(
    "name",
    [
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "proxy-authenticate",
        "proxy-authorization",
        "host",
        "content-length",
        "expect",
        "countermark-aigc",
        "countermark-status",
        "countermark-anything",
        "ai-disclosure",
    ],
)
def test_never_upstream(name: str) -> None:
    assert sent([*KEPT, (name.encode(), b"x")], claimed=False) == KEPT


@pytest.mark.parametrize("value", [b"x-b", b"close, X-B", b" X-b ,keep-alive", b"upgrade,,x-b"])
def test_fields_named_by_connection_stay_behind(value: bytes) -> None:
    expected = [field for field in KEPT if field[0] != b"x-b"]
    headers = [*KEPT, (b"connection", b"keep-alive"), (b"connection", value)]
    assert expected == sent(headers)
    assert expected == passed(headers)
    assert expected == relabelled(headers)


@pytest.mark.parametrize(
    "name", ["range", "if-range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"]
)
def test_parts_and_validators_are_not_asked_for_where_a_label_is_due(name: str) -> None:
    field = (name.encode(), b"x")
    assert sent([*KEPT, field]) == KEPT
    assert [*KEPT, field] == sent([*KEPT, field], claimed=False)


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        (b"gzip, br;q=0.5", b"gzip, br;q=0.5, compress"),
        (b"GZIP;q=1", b"GZIP;q=1,*;q=0.1"),
        (b"identity", b"*"),
        (b"identity", b"compress"),
        (b"identity", b""),
        (b"zstd, deflate, x-gzip, identity;q=0", b"zstd,deflate , x-gzip, identity;q=0, dcz"),
    ],
)
def test_only_codings_that_can_be_undone_are_asked_for(expected: bytes, value: bytes) -> None:
    assert [(b"accept-encoding", expected)] == sent([(b"accept-encoding", value)])
    assert [(b"accept-encoding", value)] == sent([(b"accept-encoding", value)], claimed=False)


TOLD: Headers = [
    (b"x-forwarded-for", b"198.51.100.1"),
    (b"x-forwarded-proto", b"http"),
    (b"x-forwarded-host", b"a"),
    (b"host", b"h:1"),
]


@pytest.mark.parametrize(
    ("expected", "peer"),
    [
        ({b"x-forwarded-for": b"192.0.2.7", b"x-forwarded-proto": b"https", b"x-forwarded-host": b"h:1"}, PEER),
        (
            {b"x-forwarded-for": b"198.51.100.1, 192.0.2.7", b"x-forwarded-proto": b"http", b"x-forwarded-host": b"a"},
            Peer("192.0.2.7", "https", trusted=True),
        ),
    ],
)
def test_what_the_upstream_is_told_of_the_client(expected: dict[bytes, bytes], peer: Peer) -> None:
    assert expected == dict(sent(TOLD, peer, forwarded=True))
    assert sent(TOLD, peer) == []


@pytest.mark.parametrize("name", [b"x-real-ip", b"x-forwarded-port", b"x-forwarded-prefix", b"x-forwarded-user"])
def test_only_a_trusted_peer_says_who_the_client_is(name: bytes) -> None:
    headers = [*KEPT, (name, b"x")]
    assert sent(headers) == KEPT
    assert sent(headers, claimed=False) == KEPT
    assert headers == sent(headers, Peer("192.0.2.7", "https", trusted=True))


@pytest.mark.parametrize(
    ("expected", "lines"),
    [(b"", []), (b"gzip", [b"gzip"]), (b"gzip, br", [b"gzip", b"br"]), (b"a,b, c", [b"a,b", b"c"])],
)
def test_the_lines_of_a_list_are_one_list(expected: bytes, lines: list[bytes]) -> None:
    headers = [(b"content-type", b"x"), *((b"content-encoding", line) for line in lines), (b"x", b"y")]
    assert expected == fields.joined(headers, b"content-encoding")


def test_forwarded_goes_on_only_where_it_is_believed() -> None:
    headers = [(b"forwarded", b"for=a"), (b"host", b'h"\\')]
    told = sent(headers, Peer("2001:db8::1", "http", trusted=True), forwarded=True)
    assert (b"forwarded", b'for=a, for="[2001:db8::1]";host="h";proto=http') in told
    assert not [field for field in sent(headers, forwarded=True) if field[0] == b"forwarded"]


@pytest.mark.parametrize(
    "name",
    [
        "content-length",
        "content-encoding",
        "etag",
        "accept-ranges",
        "content-range",
        "digest",
        "content-digest",
        "repr-digest",
        "content-md5",
        "x-goog-hash",
        "x-amz-checksum-crc32",
        "ai-disclosure",
    ],
)
def test_what_describes_the_upstreams_bytes_goes_only_where_they_change(name: str) -> None:
    field = (name.encode(), b"x")
    assert relabelled([*KEPT, field]) == KEPT
    assert [*KEPT, field] == passed([*KEPT, field])


@pytest.mark.parametrize("name", [b"countermark-aigc", b"countermark-status", b"countermark-x"])
def test_nobody_else_says_that_something_was_labelled(name: bytes) -> None:
    assert passed([*KEPT, (name, b"x")]) == KEPT
    assert relabelled([*KEPT, (name, b"x")]) == KEPT


def ours(done: Done, headers: Headers | None = None, model: str = "m") -> Headers:
    return fields.ours(done, headers or [], model=model, policy=b"abcd", seconds=1_700_000_000)


def test_what_was_done_is_said() -> None:
    mark = marked(decision(metadata=("header", "disclosure")))
    told = dict(ours(Done(mark, mark.aigc.compact().encode())))
    assert {b"countermark-policy", b"countermark-aigc", b"ai-disclosure"} == set(told)
    assert mark.aigc.compact().encode() == told[b"countermark-aigc"]
    assert all(value.isascii() and b"\n" not in value and b"\r" not in value for value in told.values())


def test_a_failure_is_said_and_nothing_is_claimed() -> None:
    mark = marked(decision(metadata=("header", "disclosure")))
    done = Done(mark, mark.aigc.compact().encode(), failure="it broke")
    assert ours(done) == [(b"countermark-policy", b"abcd"), (b"countermark-status", b"unlabelled")]


def test_nothing_is_claimed_of_an_error() -> None:
    mark = marked(decision(metadata=("header", "disclosure")))
    done = Done(mark, mark.aigc.compact().encode(), error=True)
    assert ours(done) == [(b"countermark-policy", b"abcd")]
    done.parts.append(TextDone(0, "choices[0]", ("prefix",), ""))  # a stream that broke off with an error
    assert {b"countermark-policy", b"countermark-aigc", b"ai-disclosure"} == {name for name, _ in ours(done)}


def test_a_model_that_is_no_header_value() -> None:
    mark = marked(decision(metadata=("disclosure",)))
    told = dict(ours(Done(mark, b"{}"), model='a"\r\nSet-Cookie: x'))
    assert b"Set-Cookie" not in told[b"ai-disclosure"]


def test_pages_of_another_origin_may_read_ours_where_they_may_read_the_answer() -> None:
    mark = marked()
    done = Done(mark, b"{}")
    assert [one for one in ours(done) if one[0] == b"access-control-expose-headers"] == []
    (told,) = [
        one
        for one in ours(done, [(b"access-control-allow-origin", b"*")])
        if one[0] == b"access-control-expose-headers"
    ]
    assert all(name in told[1].lower() for name in (b"countermark-aigc", b"countermark-status", b"ai-disclosure"))


@pytest.mark.parametrize(
    ("expected", "origin"),
    [
        (b"http://127.0.0.1:8188", b"http://ai.example:8080"),
        (b"http://127.0.0.1:8188", b"https://AI.example:8080"),
        (b"https://evil.example", b"https://evil.example"),
        (b"http://ai.example", b"http://ai.example"),
        (b"null", b"null"),
    ],
)
def test_what_is_of_our_origin_is_of_the_upstreams(expected: bytes, origin: bytes) -> None:
    assert expected == dict(sent([(b"origin", origin), (b"host", b"ai.example:8080")]))[b"origin"]
