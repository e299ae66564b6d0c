"""What no dialect claims passes byte for byte: bodies, and the fields of both sides in their order."""

import asyncio
import gzip

import pytest

from tests.chats import asks
from tests.downstream import ask, connected, request
from tests.running import countermark, until
from tests.scripted import CLOSE, CUT, Received, Step, Wire, scripted

BINARY = bytes(range(256)) * 300
PACKED = gzip.compress(BINARY)

# Status line and fields, the body on the wire, and the body that the client must see.
RESPONSES: dict[str, tuple[bytes, bytes, bytes]] = {
    "sized": (b"200 OK\r\nX-B: 2\r\nX-A: 1\r\ncontent-length: 76800\r\nX-B: 3\r\n", BINARY, BINARY),
    "empty": (b"200 OK\r\ncontent-length: 0\r\n", b"", b""),
    "chunked": (
        b"200 OK\r\nx-a: 1\r\ntransfer-encoding: chunked\r\n",
        b"3;e=1\r\nabc\r\n2\r\nde\r\n0\r\nt: 1\r\n\r\n",
        b"abcde",
    ),
    "to the connection's end": (b"200 OK\r\nconnection: close\r\nx-a: 1\r\n", BINARY, BINARY),
    "gzip": (b'200 OK\r\ncontent-encoding: gzip\r\netag: "1"\r\ncontent-length: %d\r\n' % len(PACKED), PACKED, PACKED),
    "called gzip": (b"200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n", b"abc", b"abc"),
    "partial": (
        b"206 Partial\r\ncontent-range: bytes 0-2/9\r\naccept-ranges: bytes\r\ncontent-length: 3\r\n",
        b"abc",
        b"abc",
    ),
    "no content": (b"204 No Content\r\nx-a: 1\r\n", b"", b""),
    "not modified": (b'304 Not Modified\r\netag: "1"\r\n', b"", b""),
    "not modified, with the length it would have": (
        b'304 Not Modified\r\netag: "1"\r\ncontent-length: 999\r\n',
        b"",
        b"",
    ),
    "redirection": (b"302 Found\r\nlocation: /a%2Fb?c\r\ncontent-length: 0\r\n", b"", b""),
    "error": (b'418 I\'m a teapot\r\nwww-authenticate: Basic realm="x"\r\ncontent-length: 3\r\n', b"abc", b"abc"),
    "strange fields": (
        b'200 OK\r\nx-a: \xe4 \t "x"\r\nx-b:\r\nset-cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: 1\r\n',
        b"x",
        b"x",
    ),
    "no status text": (b"200 \r\ncontent-length: 1\r\n", b"x", b"x"),
}
_HOP = (b"connection", b"transfer-encoding")


def fields_of(head: bytes) -> list[tuple[bytes, bytes]]:
    """The end-to-end fields as a server of ours writes them: names in lower case."""
    pairs = (line.partition(b":") for line in head.split(b"\r\n")[1:-1])
    # A 304 may say how long a 200 would be (RFC 9110 section 8.6); that may be left out, and the server takes it ill.
    left_out = (*_HOP, b"content-length") if head.startswith(b"304") else _HOP
    return [(name.lower(), value.strip(b" ")) for name, _, value in pairs if name.lower() not in left_out]


@pytest.mark.parametrize("transport", ["http1", "httpx"])
@pytest.mark.parametrize("case", RESPONSES)
async def test_responses(case: str, transport: str) -> None:
    head, wire, body = RESPONSES[case]
    steps: list[Step] = [b"HTTP/1.1 " + head + b"\r\n" + wire]
    if "end" in case:
        steps.append(CLOSE)
    async with (
        scripted(steps) as upstream,
        countermark(upstream.url, upstream={"transport": transport}) as here,
        connected(here.address) as client,
    ):
        for target, more in ((b"/v1/models", []), (b"/v1/novelties", [(b"countermark-status", b"unclaimed")])):
            answer = await client.ask("GET", target)
            assert b"%d" % answer.status == head[:3]
            assert answer.whole
            assert answer.body == body
            assert [field for field in answer.headers if field[0] not in _HOP] == fields_of(head) + more


async def test_a_head_without_a_body() -> None:
    async with (
        scripted([b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\nx-a: 1\r\n\r\n"]) as upstream,
        countermark(upstream.url) as here,
        connected(here.address) as client,
    ):
        for _ in range(2):
            answer = await client.ask("HEAD", b"/v1/models/m")
            assert answer.headers == [
                (b"content-length", b"999"),
                (b"x-a", b"1"),
                (b"countermark-status", b"unclaimed"),
            ]
            assert (answer.status, answer.body, answer.whole) == (200, b"", True)


async def test_interim_responses_are_consumed() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * 2
    async with (
        scripted([early + b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"]) as upstream,
        countermark(upstream.url) as here,
    ):
        answer = await ask(here.address, "GET", b"/v1/novelties")
    assert (answer.status, answer.body, answer.interim) == (200, b"ok", [])


TARGETS = [
    b"/v1/novelties?a=%20b&c=%2F&a=%C3%A4",
    b"/a%2Fb/%7Euser//x/./y/../z;p=1",
    b"/v1/novelties?",
    b"/?x=/v1/chat/completions",
    b"/v1/novelties?a=b?c=d",
    b"/%E4%BD%A0/{}|^`",
    b"//files/x",
]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("transport", ["http1", "httpx"])
async def test_targets_go_up_as_they_are(target: bytes, transport: str) -> None:
    async with scripted(echo) as upstream, countermark(upstream.url, upstream={"transport": transport}) as here:
        assert (await ask(here.address, "GET", target)).status == 200
    assert upstream.received[0].target == target


async def test_a_target_in_absolute_form() -> None:
    async with scripted(echo) as upstream, countermark(upstream.url) as here:
        assert (await ask(here.address, "GET", b"http://other.test/v1/novelties?a=b")).status == 200
    assert upstream.received[0].target == b"/v1/novelties?a=b"


async def test_a_fragment_does_not_go_up() -> None:
    """It is no part of a request's target, and an upstream that took it for one would see a path that we did not."""
    async with scripted(echo) as upstream, countermark(upstream.url) as here:
        answer = await ask(here.address, "GET", b"/v1/novelties#/../chat/completions")
    assert answer.status == 400 or upstream.received[0].target == b"/v1/novelties"


async def echo(received: Received, wire: Wire) -> None:
    await wire.reply(received.body, "application/octet-stream")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize("transport", ["http1", "httpx"])
async def test_methods_and_bodies(method: str, transport: str) -> None:
    async with scripted(echo) as upstream, countermark(upstream.url, upstream={"transport": transport}) as here:
        answer = await ask(here.address, method, b"/v1/novelties", BINARY, [(b"content-encoding", b"gzip")])
        empty = await ask(here.address, method, b"/v1/novelties")
    assert answer.body == BINARY
    assert empty.body == b""
    assert [received.method for received in upstream.received] == [method] * 2
    assert upstream.received[0].value(b"content-length") == b"%d" % len(BINARY)
    assert upstream.received[0].value(b"content-encoding") == b"gzip"


@pytest.mark.parametrize("transport", ["http1", "httpx"])
async def test_uploads_in_chunks(transport: str) -> None:
    pieces = [BINARY[at : at + 7000] for at in range(0, len(BINARY), 7000)]
    async with (
        scripted(echo) as upstream,
        countermark(upstream.url, upstream={"transport": transport}) as here,
        connected(here.address) as client,
    ):
        await client.send(request("POST", b"/v1/novelties", b"", [(b"transfer-encoding", b"chunked")]))
        for piece in pieces:
            await client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        await client.send(b"0\r\n\r\n")
        await client.begin()
        assert (await client.rest()).body == BINARY
    assert upstream.received[0].value(b"transfer-encoding") == b"chunked"
    assert upstream.received[0].value(b"content-length") is None


@pytest.mark.parametrize("target", [b"/v1/novelties", b"/v1/chat/completions"])
async def test_expectations_are_met_here(target: bytes) -> None:
    async with scripted(echo) as upstream, countermark(upstream.url) as here, connected(here.address) as client:
        body = asks()
        fields = [(b"expect", b"100-continue"), (b"content-length", b"%d" % len(body))]
        await client.send(request("POST", target, b"", fields))
        assert await client._until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(body)
        await client.begin()
        await client.rest()
    assert upstream.received[0].value(b"expect") is None
    assert upstream.received[0].body == body


async def test_a_refused_upload_is_not_asked_for() -> None:
    async with (
        scripted(echo) as upstream,
        countermark(upstream.url, limits={"whole_body": "1 KiB"}) as here,
        connected(here.address) as client,
    ):
        fields = [(b"expect", b"100-continue"), (b"content-length", b"2000")]
        await client.send(request("POST", b"/v1/chat/completions", b"", fields))
        answer = await client.begin()
        await client.rest()
    assert (answer.status, answer.error, answer.interim) == (413, "too_large", [])
    assert not upstream.received


async def test_unclaimed_paths_pass_marked_counted_and_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    async with scripted(echo) as upstream, countermark(upstream.url) as here:
        for _ in range(3):
            assert (await ask(here.address, "POST", b"/v1/novelties", b"{}")).value(
                b"countermark-status"
            ) == b"unclaimed"
        assert (here.service.counts.unclaimed, here.service.counts.refused) == (3, 0)
        assert not here.records
    assert len([record for record in caplog.records if "unclaimed" in record.message]) == 1


@pytest.mark.parametrize("target", [b"/v1/novelties", b"/v1/novelties/run"])
async def test_unclaimed_paths_are_refused_where_the_route_says_so(target: bytes) -> None:
    async with scripted(echo) as upstream, countermark(upstream.url, route={"unclaimed": "refuse"}) as here:
        answer = await ask(here.address, "POST", target, b"{}")
        assert here.service.counts.refused == 1
    assert (answer.status, answer.error) == (403, "unclaimed")
    assert not upstream.received


HARMLESS = [
    ("GET", b"/v1/models"),
    ("POST", b"/v1/embeddings"),
    ("GET", b"/health"),
    ("POST", b"/tokenize"),
    ("GET", b"/"),
]


@pytest.mark.parametrize(("method", "target"), HARMLESS)
@pytest.mark.parametrize("unclaimed", ["pass", "refuse"])
async def test_harmless_paths_pass_unmarked(method: str, target: bytes, unclaimed: str) -> None:
    async with scripted(echo) as upstream, countermark(upstream.url, route={"unclaimed": unclaimed}) as here:
        answer = await ask(here.address, method, target, b"{}" if method == "POST" else b"")
        assert here.service.counts.unclaimed == 0
    assert answer.status == 200
    assert not any(name.startswith(b"countermark") for name, _ in answer.headers)
    assert upstream.received[0].target == target


async def test_paths_without_a_route() -> None:
    async with scripted(echo) as upstream, countermark(upstream.url, route={"path": "/v1/**"}) as here:
        answer = await ask(here.address, "GET", b"/v2/files")
    assert (answer.status, answer.error) == (404, "no_route")
    assert not upstream.received


async def test_our_own_paths_are_not_relayed() -> None:
    async with scripted(echo) as upstream, countermark(upstream.url) as here:
        assert (await ask(here.address, "GET", b"/countermark/health")).json() == {"status": "ok"}
        assert (await ask(here.address, "GET", b"/countermark/else")).status == 404
    assert not upstream.received


async def test_a_client_of_http_1_0() -> None:
    """It knows no chunks: its response ends with the connection (RFC 9112 section 6.1)."""
    async with (
        scripted([b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"]) as upstream,
        countermark(upstream.url) as here,
        connected(here.address) as client,
    ):
        await client.send(b"GET /v1/novelties HTTP/1.0\r\nhost: a\r\n\r\n")
        answer = await client.begin()
        assert answer.value(b"transfer-encoding") is None
        assert (await client.rest()).body == b"abc"


async def test_the_response_streams_while_the_upload_goes_on() -> None:
    heard = asyncio.Event()

    async def handler(received: Received, wire: Wire) -> None:
        assert await wire.incoming.readexactly(3) == b"abc"
        await wire.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        await wire.chunk(b"first")
        assert await wire.incoming.readexactly(3) == b"def"
        heard.set()
        await wire.chunk(b"second")
        await wire.end()

    async with scripted(handler, early=True) as upstream, countermark(upstream.url) as here:
        async with connected(here.address) as client:
            await client.send(request("POST", b"/v1/duplex", b"abc", [(b"content-length", b"6")]))
            await client.begin()
            await client.until(b"first")
            await client.send(b"def")
            await client.until(b"second")
            assert (await client.rest()).whole
        await until(heard.is_set)


async def test_a_client_of_http_1_0_sees_that_a_response_was_cut() -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"
    async with scripted([head, 0.05, CUT]) as upstream, countermark(upstream.url) as here:
        reader, writer = await asyncio.open_connection(*here.address)
        writer.write(b"GET /v1/novelties HTTP/1.0\r\nhost: a\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
