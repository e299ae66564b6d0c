"""Header fields on real sockets: what goes up, what comes down, and what of it is nobody else's to say."""

import pytest

from proxy.label.aigc import parse
from tests.chats import CHAT, asks, chat, completion
from tests.downstream import Answer, ask, connected, request
from tests.running import NOTICE, countermark
from tests.scripted import CLOSE, Received, Wire, scripted

TARGETS = [(b"POST", CHAT, asks()), (b"POST", b"/v1/novelties", asks()), (b"GET", b"/v1/models", b"")]
CLAIMED = TARGETS[0]


async def sent_up(target: tuple[bytes, bytes, bytes], *fields: tuple[bytes, bytes], **sections: object) -> Received:
    """What the upstream receives of a request with these fields."""
    method, path, body = target
    async with scripted(reply) as upstream, countermark(upstream.url, **sections) as here:
        assert (await ask(here.address, method.decode(), path, body, fields)).status == 200
    return upstream.received[0]


async def reply(received: Received, wire: Wire) -> None:
    await wire.json(completion("Hello"))


async def sent_down(target: tuple[bytes, bytes, bytes], *fields: bytes) -> Answer:
    """What the client receives of a response with these fields."""
    body = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"Hello"}}]}'
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n" % len(body)
    async with (
        scripted([head + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body]) as upstream,
        countermark(upstream.url) as here,
    ):
        return await ask(here.address, target[0].decode(), target[1], target[2])


@pytest.mark.parametrize("target", TARGETS)
async def test_end_to_end_fields_go_up_in_order(target: tuple[bytes, bytes, bytes]) -> None:
    fields = [
        (b"authorization", b"Bearer sk-1"),
        (b"x-b", b"2"),
        (b"x-a", b"1"),
        (b"x-b", b"  two words, \xe4\xf6\xfc".strip()),
        (b"cookie", b"a=1; b=2"),
        (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        (b"tracestate", b"a=b"),
        (b"user-agent", b"test/1.0"),
    ]
    received = await sent_up(target, *fields, upstream={"forwarded": False})
    expected = fields + ([(b"content-type", b"application/json")] if target[2] else [])
    framing = {b"host", b"content-length", b"transfer-encoding"}
    assert [field for field in received.headers if field[0] not in framing] == expected
    assert received.body == target[2]


@pytest.mark.parametrize("target", TARGETS)
async def test_hop_by_hop_fields_do_not_go_up(target: tuple[bytes, bytes, bytes]) -> None:
    received = await sent_up(
        target,
        (b"connection", b"keep-alive, X-Private"),
        (b"x-private", b"secret"),
        (b"keep-alive", b"timeout=5"),
        (b"proxy-connection", b"keep-alive"),
        (b"proxy-authorization", b"Basic c2VjcmV0"),
        (b"te", b"trailers"),
        (b"trailer", b"x-t"),
        (b"x-kept", b"1"),
    )
    names = {name for name, _ in received.headers}
    gone = {b"connection", b"x-private", b"keep-alive", b"proxy-connection", b"proxy-authorization", b"te", b"trailer"}
    assert not names & gone
    assert b"x-kept" in names


@pytest.mark.parametrize("target", TARGETS)
async def test_hop_by_hop_fields_do_not_come_down(target: tuple[bytes, bytes, bytes]) -> None:
    answer = await sent_down(
        target,
        b"Connection: keep-alive, X-Private",
        b"X-Private: secret",
        b"Keep-Alive: timeout=5",
        b"Proxy-Authenticate: Basic",
        b"Trailer: x-t",
        b"Upgrade: h2c",
        b"X-Kept: 1",
        b"Set-Cookie: a=1",
        b"Set-Cookie: b=2",
    )
    names = [name for name, _ in answer.headers]
    assert not {b"x-private", b"keep-alive", b"proxy-authenticate", b"trailer", b"upgrade", b"connection"} & set(names)
    kept = [field for field in answer.headers if field[0] in (b"x-kept", b"set-cookie")]
    assert kept == [(b"x-kept", b"1"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]


@pytest.mark.parametrize("target", TARGETS)
async def test_our_own_fields_are_nobody_elses_to_send(target: tuple[bytes, bytes, bytes]) -> None:
    received = await sent_up(
        target,
        (b"Countermark-AIGC", b"forged"),
        (b"countermark-grant", b"forged"),
        (b"AI-Disclosure", b"mode=none"),
    )
    assert not any(name.startswith((b"countermark-", b"ai-disclosure")) for name, _ in received.headers)
    fields = (b"Countermark-AIGC: forged", b"Countermark-Status: forged", b"Countermark-Anything: forged")
    answer = await sent_down(target, *fields)
    assert not any(b"forged" in value for _, value in answer.headers)


async def test_an_upstreams_disclosure_does_not_stand_beside_ours() -> None:
    answer = await sent_down(CLAIMED, b"AI-Disclosure: mode=none")
    assert len([value for name, value in answer.headers if name == b"ai-disclosure"]) == 1
    assert (answer.value(b"ai-disclosure") or b"").startswith(b"mode=machine-generated")


async def test_fields_that_the_label_makes_wrong_do_not_come_down() -> None:
    wrong = {
        b"ETag": b'"1"', b"Content-MD5": b"x", b"Digest": b"x", b"Content-Digest": b"x", b"Repr-Digest": b"x",
        b"Accept-Ranges": b"bytes", b"x-goog-hash": b"x", b"x-amz-checksum-crc32": b"x",
    }  # fmt: skip
    answer = await sent_down(CLAIMED, *(b"%b: %b" % field for field in wrong.items()), b"Last-Modified: today")
    names = {name for name, _ in answer.headers}
    assert not names & {name.lower() for name in wrong}
    assert b"last-modified" in names
    assert answer.value(b"content-length") == b"%d" % len(answer.body)
    passed = await sent_down(TARGETS[1], *(b"%b: %b" % field for field in wrong.items()))
    assert {name.lower() for name in wrong} <= {name for name, _ in passed.headers}


PARTIAL = [
    (b"range", b"bytes=0-99"),
    (b"if-range", b'"1"'),
    (b"if-match", b'"1"'),
    (b"if-none-match", b'"1"'),
    (b"if-modified-since", b"Sat, 01 Jan 2022 00:00:00 GMT"),
    (b"if-unmodified-since", b"Sat, 01 Jan 2022 00:00:00 GMT"),
]


@pytest.mark.parametrize("target", TARGETS)
async def test_parts_and_validators_are_asked_for_only_where_nothing_is_labelled(
    target: tuple[bytes, bytes, bytes],
) -> None:
    received = await sent_up(target, *PARTIAL)
    names = {name for name, _ in PARTIAL}
    assert [field for field in received.headers if field[0] in names] == ([] if target == CLAIMED else PARTIAL)


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        (b"gzip, deflate, br, zstd", b"gzip, deflate, br, zstd"),
        (b"compress;q=1, gzip;q=0.5", b"gzip;q=0.5"),
        (b"dcb", b"identity"),
    ],
)
async def test_only_codings_that_can_be_undone_are_asked_for(offered: bytes, expected: bytes) -> None:
    assert (await sent_up(CLAIMED, (b"accept-encoding", offered))).value(b"accept-encoding") == expected
    assert (await sent_up(TARGETS[1], (b"accept-encoding", offered))).value(b"accept-encoding") == offered


FORGED = [
    (b"x-forwarded-for", b"192.0.2.1"),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-host", b"public.example"),
    (b"forwarded", b"for=192.0.2.1"),
]


def told(received: Received) -> list[tuple[bytes, bytes]]:
    return [field for field in received.headers if field[0].startswith((b"x-forwarded", b"forwarded"))]


@pytest.mark.parametrize("target", TARGETS)
async def test_forwarding_fields_of_strangers_are_not_believed(target: tuple[bytes, bytes, bytes]) -> None:
    expected = [
        (b"x-forwarded-for", b"127.0.0.1"),
        (b"x-forwarded-proto", b"http"),
        (b"x-forwarded-host", b"countermark.test"),
    ]
    assert told(await sent_up(target)) == expected
    assert told(await sent_up(target, *FORGED)) == expected


async def test_forwarding_fields_of_trusted_peers_are_continued() -> None:
    assert told(await sent_up(CLAIMED, *FORGED, trusted_peers=["127.0.0.0/8"])) == [
        (b"x-forwarded-for", b"192.0.2.1, 127.0.0.1"),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-host", b"public.example"),
        (b"forwarded", b'for=192.0.2.1, for=127.0.0.1;host="countermark.test";proto=http'),
    ]


async def test_the_upstream_is_not_told_where_it_should_not_be() -> None:
    assert told(await sent_up(CLAIMED, *FORGED, upstream={"forwarded": False})) == []


async def test_the_host_is_the_upstreams() -> None:
    async with scripted(reply) as upstream, countermark(upstream.url) as here:
        await ask(here.address, "GET", b"/v1/models")
    assert upstream.received[0].value(b"host") == upstream.url.removeprefix("http://").encode()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("allowed", [False, True])
async def test_pages_of_other_origins_can_read_our_fields_where_they_can_read_the_answer(
    target: tuple[bytes, bytes, bytes], allowed: bool
) -> None:
    fields = (b"Access-Control-Allow-Origin: *", b"Access-Control-Expose-Headers: X-Request-Id") if allowed else ()
    answer = await sent_down(target, *fields)
    exposed = b", ".join(value for name, value in answer.headers if name == b"access-control-expose-headers")
    ours = {name for name, _ in answer.headers if name.startswith((b"countermark-", b"ai-disclosure"))}
    assert bool(ours) is (target != TARGETS[2])
    assert (b"X-Request-Id" in exposed) is allowed
    for name in ours:
        assert (name in exposed.lower()) is allowed


async def test_what_our_fields_say() -> None:
    answer = await sent_down(CLAIMED)
    aigc = parse((answer.value(b"countermark-aigc") or b"").decode("ascii"))
    assert answer.json()["AIGC"] == aigc.document()
    assert answer.value(b"countermark-status") is None
    assert (answer.value(b"countermark-policy") or b"").isalnum()
    assert (await sent_down(TARGETS[1])).value(b"countermark-status") == b"unclaimed"
    assert (await sent_down(TARGETS[2])).value(b"countermark-status") is None


@pytest.mark.parametrize("model", ['a"b\\c', "\r\nSet-Cookie: a=1", "模型", "\ud800", "x" * 5000, "a\0b"])
async def test_a_models_name_cannot_break_out_of_a_field(model: str) -> None:
    async with scripted(reply) as upstream, countermark(upstream.url) as here:
        answer = await ask(here.address, "POST", CHAT, asks(model=model))
        assert len(here.only().model) <= 256
    assert answer.status == 200
    assert answer.value(b"set-cookie") is None
    assert len(answer.value(b"ai-disclosure") or b"") < 1000


# Requests that two servers could read differently.

AMBIGUOUS = {
    "length and chunked": b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "two lengths": b"content-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
    "a list of lengths": b"content-length: 3, 4\r\n\r\nabcd",
    "a signed length": b"content-length: +3\r\n\r\nabc",
    "chunked and more": b"transfer-encoding: chunked, gzip\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "another coding below": b"transfer-encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "no coding at all": b"transfer-encoding: xchunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "a space before the colon": b"transfer-encoding : chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "a folded line": b"x: a\r\n transfer-encoding: chunked\r\n\r\n",
    "a bare return": b"x: a\rtransfer-encoding: chunked\r\n\r\n",
    "a bare line feed": b"x: a\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "a null": b"x: a\0b\r\n\r\n",
    "a chunk of a strange size": b"transfer-encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("case", AMBIGUOUS)
@pytest.mark.parametrize("path", [CHAT, b"/v1/files"])
async def test_what_two_servers_could_read_differently_is_refused(case: str, path: bytes) -> None:
    async with scripted(reply) as upstream, countermark(upstream.url) as here, connected(here.address) as client:
        await client.send(b"POST %b HTTP/1.1\r\nhost: a\r\n" % path + AMBIGUOUS[case])
        try:
            assert (await client.begin()).status in (400, 501)
        except EOFError:
            pass  # what comes behind a good head is found when the exchange has begun
        assert not [received for received in upstream.received if received.body]


async def test_trailers_do_not_pass_for_fields() -> None:
    body = b"3\r\nabc\r\n0\r\nauthorization: Bearer forged\r\nx-forwarded-for: forged\r\n\r\n"
    async with scripted(reply) as upstream, countermark(upstream.url) as here, connected(here.address) as client:
        await client.send(request("POST", b"/v1/files", body, [(b"transfer-encoding", b"chunked"), (b"x-a", b"1")]))
        await client.begin()
        await client.rest()
        await client.ask("GET", b"/v1/models")
    assert upstream.received[0].body == b"abc"
    for received in upstream.received:
        assert not any(b"forged" in value for _, value in received.headers)


async def test_trailers_of_the_upstreams_do_not_pass_for_fields() -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: set-cookie\r\n\r\n"
    async with (
        scripted([head + b"3\r\nabc\r\n0\r\nset-cookie: forged=1\r\n\r\n"]) as upstream,
        countermark(upstream.url) as here,
    ):
        answer = await ask(here.address, "GET", b"/v1/files")
    assert answer.whole
    assert answer.body == b"abc"
    assert answer.value(b"set-cookie") is None


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_websockets_are_refused(method: str) -> None:
    upgrade = [(b"connection", b"Upgrade"), (b"upgrade", b"websocket"), (b"sec-websocket-version", b"13")]
    async with scripted(reply) as upstream, countermark(upstream.url) as here:
        answer = await ask(here.address, method, b"/v1/realtime", b"", upgrade)
        assert not upstream.received
    assert (answer.status, answer.error) == (501, "websocket")


async def test_an_offer_to_upgrade_is_not_taken() -> None:
    """curl --http2 sends this with every request; the connection goes on in HTTP/1.1 (RFC 9110 section 7.8)."""
    upgrade = [(b"connection", b"Upgrade, HTTP2-Settings"), (b"upgrade", b"h2c"), (b"http2-settings", b"AAMAAABkAAQ")]
    async with scripted(chat) as upstream, countermark(upstream.url) as here, connected(here.address) as client:
        await client.send(request("POST", CHAT, asks(), upgrade) * 2)
        for _ in range(2):
            await client.begin()
            assert (await client.rest()).json()["choices"][0]["message"]["content"] == NOTICE + "Hello world"
        assert (await client.ask("POST", CHAT, asks())).status == 200
        assert len(upstream.received) == 3
        for received in upstream.received:
            assert not {b"upgrade", b"http2-settings", b"connection"} & {name for name, _ in received.headers}


async def test_an_upstream_that_switches_protocols_has_failed() -> None:
    async with (
        scripted([b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n", CLOSE]) as upstream,
        countermark(upstream.url) as here,
    ):
        assert (await ask(here.address, "POST", CHAT, asks())).status == 502
