"""WebSockets: refused unless the route says otherwise, and then as if nobody stood in between."""

import asyncio
import random
import socket
import ssl
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from proxy.framing.websocket import accept, closing, frame
from proxy.socket_bridge import CLOSING
from tests.downstream import connected as joined
from tests.downstream import request
from tests.running import countermark, process, until
from tests.scripted import CUT, Received, Wire, scripted
from tests.sockets import HANDSHAKE, KEY, PATH, agree, connected, echo, offer, passing, raw, relayed
from tests.wiring import certificate, on_http11

MASK = b"\x9a\x01\xfe\x42"


async def swallow(client: ServerConnection) -> None:
    async for _ in client:
        pass


async def never(request: Received, wire: Wire) -> None:
    raise AssertionError("the upstream has been asked")


# What is refused, before the upstream hears of it.


async def test_the_refusal_says_what_to_do() -> None:
    async with scripted(never) as upstream, countermark(upstream.url) as here, joined(here.address) as client:
        await offer(client)
        answer = await client.rest()
        assert (answer.status, answer.error) == (501, "websocket")
        assert "(websockets: refuse)" in answer.json()["error"]["message"]
        assert await client.is_closed()


async def test_what_nobody_can_label_is_refused_where_the_route_says_so() -> None:
    sections = passing(route={"unclaimed": "refuse"})
    async with scripted(never) as upstream, countermark(upstream.url, **sections) as here:
        async with joined(here.address) as client:
            await offer(client)
            answer = await client.rest()
            assert (answer.status, answer.error) == (403, "unclaimed")
        assert here.service.counts.refused == 1


async def test_no_route() -> None:
    sections = passing(route={"path": "/elsewhere/**"})
    async with (
        scripted(never) as upstream,
        countermark(upstream.url, **sections) as here,
        joined(here.address) as client,
    ):
        await offer(client)
        assert (await client.rest()).error == "no_route"


def without(name: bytes, *instead: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    return [field for field in HANDSHAKE if field[0] != name] + list(instead)


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("GET", without(b"sec-websocket-key")),
        ("GET", without(b"sec-websocket-key", (b"sec-websocket-key", b"AAAA"))),
        ("GET", without(b"connection")),
        ("GET", without(b"connection", (b"connection", b"keep-alive"))),
        ("POST", HANDSHAKE),
        ("GET", [*HANDSHAKE, (b"content-length", b"3")]),
        ("GET", [*HANDSHAKE, (b"transfer-encoding", b"chunked")]),
    ],
)
async def test_what_is_no_handshake(method: str, fields: list[tuple[bytes, bytes]]) -> None:
    async with raw(never) as (_, client):
        await client.send(request(method, PATH, b"", fields))
        await client.begin()
        answer = await client.rest()
        assert (answer.status, answer.error) == (400, "websocket")


async def test_http_1_0_knows_no_other_protocol() -> None:
    async with raw(never) as (_, client):
        await client.send(request("GET", PATH, b"", HANDSHAKE).replace(b"HTTP/1.1", b"HTTP/1.0"))
        await client.begin()
        answer = await client.rest()
        assert (answer.status, answer.error) == (400, "websocket")


async def test_behind_a_handshake_that_was_refused_nothing_is_read_as_a_request() -> None:
    async with scripted(never) as upstream, countermark(upstream.url) as here, joined(here.address) as client:
        await offer(client, behind=request("GET", b"/v1/models") * 3)
        assert (await client.rest()).status == 501
        assert await client.is_closed()


# The handshake.


async def test_the_handshake_goes_up_as_it_came() -> None:
    taken: list[Received] = []

    async def upstream_takes(request: Received, wire: Wire) -> None:
        taken.append(request)
        await agree(
            request,
            wire,
            b"Sec-WebSocket-Protocol: b",
            b"Sec-WebSocket-Extensions: x-own; a=1",
            b"Set-Cookie: s=1",
            b"Set-Cookie: t=2",
            b"Keep-Alive: timeout=5",
        )

    fields = [
        (b"authorization", b"Bearer key"),
        (b"cookie", b"a=1; b=2"),
        (b"origin", b"https://page.example"),
        (b"sec-websocket-protocol", b"a, b"),
        (b"sec-websocket-extensions", b"x-own; a"),
        (b"countermark-aigc", b"forged"),
        (b"x-forwarded-for", b"10.1.2.3"),
        (b"proxy-authorization", b"Basic eA=="),
    ]
    async with raw(upstream_takes, prefix="/base") as (here, client):
        answer = await offer(client, b"/v1/realtime/%E4?model=a%20b&x", *fields)
    (received,) = taken

    assert received.target == b"/base/v1/realtime/%E4?model=a%20b&x"
    assert received.value(b"host") == here.service.settings.upstreams["models"].url.encode()[7:-5]
    names = {name.lower() for name, _ in received.headers}
    assert {(b"connection", b"Upgrade"), (b"upgrade", b"websocket"), *fields[:5]} <= set(received.headers)
    assert not {b"countermark-aigc", b"proxy-authorization"} & names
    assert received.value(b"sec-websocket-key") == KEY
    assert received.value(b"x-forwarded-for") == b"127.0.0.1"
    assert received.value(b"x-forwarded-proto") == b"http"
    assert received.value(b"x-forwarded-host") == b"countermark.test"
    assert (answer.status, dict(answer.headers)[b"sec-websocket-accept"]) == (101, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    assert [
        (b"sec-websocket-protocol", b"b"),
        (b"sec-websocket-extensions", b"x-own; a=1"),
        (b"set-cookie", b"s=1"),
        (b"set-cookie", b"t=2"),
    ] == [field for field in answer.headers if field[0] == b"set-cookie" or b"-p" in field[0] or b"-ex" in field[0]]
    assert answer.value(b"keep-alive") is None
    assert answer.value(b"countermark-status") == b"unclaimed"


async def test_sockets_are_counted_and_told_of_once_a_path(caplog: pytest.LogCaptureFixture) -> None:
    async with relayed(echo) as here:
        for path in (PATH, PATH, b"/v1/other?key=secret"):
            async with connected(here, path) as client:
                await client.send("x")
                assert await client.recv() == "x"
        assert here.service.counts.sockets == 3
        assert not here.records
        await until(lambda: here.service.sockets["models"].open == 0)
    told = [record.getMessage() for record in caplog.records if "WebSocket" in record.getMessage()]
    assert told == [f"unclaimed: WebSocket /{path} passes without a label" for path in ("v1/realtime", "v1/other")]


@pytest.mark.parametrize(
    ("offered", "known", "chosen"),
    [(["a", "b"], ["b", "a"], "b"), (["a"], ["a"], "a"), (None, None, None), (["a"], None, None)],
)
async def test_subprotocols(offered: Any, known: Any, chosen: str | None) -> None:
    select = (lambda connection, names: chosen) if known is not None else None
    async with (
        relayed(echo, {"subprotocols": known, "select_subprotocol": select}) as here,
        connected(here, subprotocols=offered) as client,
    ):
        assert client.subprotocol == chosen


@pytest.mark.parametrize("status", [400, 401, 403, 404, 426, 429, 500, 503])
@pytest.mark.parametrize("path", [PATH, b"/ws"])
async def test_a_refusal_of_the_upstreams(status: int, path: bytes) -> None:
    head = b"HTTP/1.1 %d No\r\nwww-authenticate: Bearer\r\nsec-websocket-version: 13, 8\r\n" % status
    chunked = b"transfer-encoding: chunked\r\n\r\n4\r\nwhy?\r\n0\r\n\r\n"
    for rest in (chunked, b"content-length: 4\r\n\r\nwhy?", b"connection: close\r\n\r\nwhy?"):
        script: list[Any] = [head + rest, CUT] if b"close" in rest else [head + rest]
        if b"close" in rest:
            script = [head + rest, 0.05]

        async def refuse(request: Received, wire: Wire, script: list[Any] = script, rest: bytes = rest) -> None:
            await wire.play(script)
            if b"close" in rest:
                wire.close()

        async with scripted(refuse) as upstream, countermark(upstream.url, **passing()) as here:
            async with joined(here.address) as client:
                await offer(client, path)
                answer = await client.rest()
                assert (answer.status, answer.body, answer.whole) == (status, b"why?", True)
                assert answer.value(b"www-authenticate") == b"Bearer"
                assert answer.value(b"sec-websocket-version") == b"13, 8"
            if path == b"/ws":
                assert (await here.recorded(2))[-1].outcome == "error_response"
            assert here.service.counts.sockets == 0
            assert here.service.sockets["models"].open == 0


ACCEPT = b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
SWITCH = b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\n"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (SWITCH + ACCEPT + b"\r\n", 101),
        (b"HTTP/1.1 103 Early\r\nlink: </a>\r\n\r\n" + SWITCH + ACCEPT + b"content-length: 5\r\n\r\n", 101),
        (SWITCH + b"\r\n", 502),
        (SWITCH + ACCEPT.replace(b"s3", b"S3") + b"\r\n", 502),
        (SWITCH.replace(b"websocket", b"h2c") + ACCEPT + b"\r\n", 502),
        (SWITCH.replace(b"connection: upgrade\r\n", b"") + ACCEPT + b"\r\n", 502),
        (b"HTTP/1.1 200 OK\r\n" + ACCEPT + b"content-length: 2\r\n\r\nok", 502),
        (b"HTTP/1.1 302 Found\r\nlocation: http://elsewhere/\r\ncontent-length: 0\r\n\r\n", 502),
        (b"HTTP/1.1 403 No\r\ncontent-length: 10\r\n\r\nwhy", 502),
        (b"HTTP/1.1 403 No\r\ncontent-length: 2000000\r\n\r\n" + b"x" * 2000000, 502),
        (b"SSH-2.0-OpenSSH\r\n\r\n", 502),
        (b"", 502),
    ],
)
async def test_a_tunnel_needs_the_upstreams_consent(answer: bytes, status: int) -> None:
    async def answers(request: Received, wire: Wire) -> None:
        await wire.send(answer)
        if status != 101:
            await asyncio.sleep(0.05)
            wire.close()

    async with raw(answers) as (here, client):
        assert (await offer(client)).status == status
        if status != 101:
            assert (await client.rest()).error == "upstream_error"
            assert here.service.sockets["models"].open == 0


async def test_an_upstream_that_is_not_there_or_late() -> None:
    async def waits(request: Received, wire: Wire) -> None:
        await wire.wait(request.gone)

    limits = {"first_byte": "100 ms"}
    async with scripted(waits) as upstream, countermark(upstream.url, **passing(limits=limits)) as here:
        async with joined(here.address) as client:
            assert (await offer(client)).status == 504
        await asyncio.wait_for(upstream.left.wait(), 5)
    async with countermark(upstream.url, **passing()) as here, joined(here.address) as client:
        assert (await offer(client)).status == 502


async def test_a_client_that_leaves_during_the_handshake() -> None:
    async def waits(request: Received, wire: Wire) -> None:
        await wire.wait(request.gone)

    async with scripted(waits) as upstream, countermark(upstream.url, **passing()) as here:
        async with joined(here.address) as client:
            await client.send(request("GET", b"/ws", b"", HANDSHAKE) + frame(1, b"early", MASK))
            await until(lambda: bool(upstream.received))
        await asyncio.wait_for(upstream.left.wait(), 5)
        assert (await here.recorded(2))[-1].outcome == "client_left"
        await until(lambda: here.service.sockets["models"].open == 0)


async def test_as_many_sockets_as_connections() -> None:
    async with relayed(echo, upstream={"max_connections": 1}) as here:
        async with connected(here) as client:
            with pytest.raises(InvalidStatus) as refused:
                async with connected(here):
                    pass
            assert refused.value.response.status_code == 503
            assert refused.value.response.headers["retry-after"] == "1"
            await client.send("still there")
            assert await client.recv() == "still there"
        await until(lambda: here.service.sockets["models"].open == 0)
        async with connected(here):
            pass


@pytest.mark.parametrize("trusted", [True, False])
async def test_tls_upstreams(trusted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain, key = certificate(tmp_path)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)

    async def says(request: Received, wire: Wire) -> None:
        await agree(request, wire)
        await wire.send(frame(1, b"hello") + await wire.incoming.readexactly(11) + closing(1000, ""))
        wire.close()

    async with raw(says, tls=context) as (_, client):
        if not trusted:
            assert (await offer(client)).status == 502
            return
        sent = frame(1, b"hello", MASK)
        await offer(client, behind=sent)
        assert (await client.rest()).body == frame(1, b"hello") + sent + closing(1000, "")


# What passes.


@on_http11
@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize("seed", range(3))
async def test_messages_pass_both_ways_in_order(seed: int, compression: str | None) -> None:
    """As long as the bound, as short as nothing, text and bytes, in one frame and in several."""
    chance = random.Random(seed)
    bound = 65536
    most = bound if compression is None else bound - 1000  # what is random only grows

    def messages() -> list[list[str] | list[bytes]]:
        made: list[list[str] | list[bytes]] = []
        for _ in range(40):
            size = chance.choice([0, 1, 125, 126, chance.randrange(most), most])
            if chance.random() < 0.5:
                whole = chance.randbytes(size)
                cuts = sorted(chance.sample(range(size + 1), min(size, 2)))
                made.append([whole[start:end] for start, end in zip([0, *cuts], [*cuts, size], strict=True)])
            else:
                made.append(["é" * (size // 2)])
        return made

    up, down = messages(), messages()
    received: list[str | bytes] = []

    async def send(client: Any, sent: Sequence[list[str] | list[bytes]]) -> None:
        for parts in sent:
            await client.send(parts if len(parts) > 1 else parts[0])

    async def upstream(client: ServerConnection) -> None:
        async with asyncio.TaskGroup() as both:
            both.create_task(send(client, down))
            received.extend([await client.recv() for _ in up])
        await client.close(4000, "all is said")

    how = {"compression": compression, "max_size": None}
    async with relayed(upstream, how, limits={"record": "64 KiB"}) as here, connected(here, **how) as client:
        assert bool(client.protocol.extensions) is (compression is not None)
        sending = asyncio.create_task(send(client, up))
        got = [await client.recv() for _ in down]
        await sending
        await client.wait_closed()

    def whole(sent: Sequence[list[str] | list[bytes]]) -> list[str | bytes]:
        return [parts[0] if len(parts) == 1 else b"".join(parts) for parts in sent]  # type: ignore[arg-type]

    assert whole(up) == received
    assert whole(down) == got
    assert (4000, "all is said") == (client.close_code, client.close_reason)


@on_http11
async def test_every_byte_passes_as_it_came() -> None:
    """Frames of every kind, those that mean nothing too: what they mean is for the two ends to say."""
    chance = random.Random(1)
    wire = b"".join(
        frame(opcode, chance.randbytes(size), MASK) for opcode in (1, 2, 9, 10, 3, 11) for size in (0, 1, 125)
    )
    wire += frame(2, chance.randbytes(70000), MASK) + bytes((0xF1,)) + frame(1, b"reserved bits")[1:]

    async def echoes(request: Received, wire_: Wire) -> None:
        await agree(request, wire_)
        await wire_.send(await wire_.incoming.readexactly(len(wire)))

    async with raw(echoes) as (_, client):
        await offer(client, behind=wire[:7])
        at = 7
        while at < len(wire):
            size = chance.choice([1, 2, 3, 1000, 30000])
            await client.send(wire[at : at + size])
            at += size
        while len(client.answer.body) < len(wire):
            assert await client.piece()
        assert client.answer.body == wire


async def test_what_comes_with_the_handshakes_comes_first() -> None:
    early = frame(1, b"early", MASK)

    async def says(request: Received, wire: Wire) -> None:
        key = request.value(b"sec-websocket-key")
        assert key == KEY
        await wire.send(SWITCH + ACCEPT + b"\r\n" + frame(1, b"first"))
        assert await wire.incoming.readexactly(len(early)) == early
        await wire.send(frame(1, b"second"))

    async with raw(says) as (_, client):
        await offer(client, behind=early)
        await client.until(frame(1, b"first") + frame(1, b"second"))


async def test_pings_are_answered_by_the_other_end() -> None:
    async with relayed(swallow) as here, connected(here) as client:
        await (await client.ping(b"from the client"))

    async def pings(client: ServerConnection) -> None:
        await (await client.ping(b"from the upstream"))
        await client.close()

    async with relayed(pings) as here, connected(here) as client:
        await client.wait_closed()
    assert client.close_code == 1000


CLOSES = [(1000, ""), (1001, "away"), (1011, "a reason of up to 123 bytes " * 4), (3999, "é"), (4999, "own")]


@pytest.mark.parametrize(("code", "reason"), CLOSES)
async def test_the_upstream_closes(code: int, reason: str) -> None:
    async def closes(client: ServerConnection) -> None:
        await client.send("last words")
        await client.close(code, reason)

    async with relayed(closes) as here, connected(here) as client:
        assert await client.recv() == "last words"
        await client.wait_closed()
    assert (code, reason) == (client.close_code, client.close_reason)


@pytest.mark.parametrize(("code", "reason"), CLOSES)
async def test_the_client_closes(code: int, reason: str) -> None:
    ended: list[ServerConnection] = []

    async def waits(client: ServerConnection) -> None:
        await swallow(client) if code in (1000, 1001) else await _until_closed(client)
        ended.append(client)

    async with relayed(waits) as here, connected(here) as client:
        await client.send("last words")
        await client.close(code, reason)
        await until(lambda: bool(ended))
    assert (code, reason) == (ended[0].close_code, ended[0].close_reason)
    assert code == client.close_code


async def _until_closed(client: ServerConnection) -> None:
    with pytest.raises(ConnectionClosed):
        await swallow(client)


async def test_a_close_without_a_code() -> None:
    async def says(request: Received, wire: Wire) -> None:
        await agree(request, wire)
        await wire.send(frame(8, b""))
        assert await wire.incoming.readexactly(6) == frame(8, b"", MASK)
        wire.close()

    async with raw(says) as (_, client):
        await offer(client)
        await client.until(frame(8, b""))
        await client.send(frame(8, b"", MASK))
        assert (await client.rest()).body == frame(8, b"")


# What ends a socket besides.


@on_http11
@pytest.mark.parametrize("sender", ["client", "upstream"])
async def test_a_message_that_is_too_long(sender: str) -> None:
    """Both ends hear why, and nothing of it is held."""
    seen: list[Any] = []

    async def upstream(client: ServerConnection) -> None:
        if sender == "upstream":
            await client.send(bytes(70000))
        await client.wait_closed()
        seen.append(_told(client))

    how = {"max_size": None, "compression": None}
    async with relayed(upstream, how, limits={"record": "64 KiB"}) as here:
        async with connected(here, **how) as client:
            if sender == "client":
                await client.send(bytes(70000))
            await client.wait_closed()
        await until(lambda: bool(seen))
    assert [(1009, "a message is longer than 65536 bytes")] * 2 == [_told(client), seen[0]]


@on_http11
async def test_a_fault_behind_the_end_of_the_other_direction(caplog: pytest.LogCaptureFixture) -> None:
    """The upstream has been told that the client says nothing more: a close frame has no place behind that."""

    async def says(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 101 X\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: %b\r\n\r\n"
        writer.write(head % accept(KEY))
        await reader.read()
        writer.write(b"\x82\x7f" + (1 << 40).to_bytes(8))
        writer.close()
        gone.set()

    gone = asyncio.Event()
    async with await asyncio.start_server(says, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with countermark(f"http://127.0.0.1:{port}", **passing()) as here, joined(here.address) as client:
            assert (await offer(client)).status == 101
            client.socket.shutdown(socket.SHUT_WR)
            assert closing(1009, f"a message is longer than {8 << 20} bytes") == (await client.rest()).body
            await until(lambda: here.service.sockets["models"].open == 0)
        await gone.wait()
    assert "an exchange failed" not in caplog.text


def _told(client: Connection) -> tuple[int | None, str | None]:
    return client.close_code, client.close_reason


async def test_nobody_says_anything() -> None:
    seen: list[Any] = []

    async def upstream(client: ServerConnection) -> None:
        await client.wait_closed()
        seen.append(_told(client))

    async with relayed(upstream, limits={"idle": "300 ms"}) as here, connected(here) as client:
        started = asyncio.get_running_loop().time()
        for _ in range(4):
            await asyncio.sleep(0.15)
            await client.ping()
        await client.wait_closed()
        assert asyncio.get_running_loop().time() - started > 0.85
        await until(lambda: bool(seen))
    assert [(1001, "neither side has sent anything for 0.3 seconds")] * 2 == [_told(client), seen[0]]


@on_http11
@pytest.mark.parametrize(
    "behind", [frame(1, b"whole"), frame(2, bytes(300))[:100]], ids=["between frames", "within one"]
)
@pytest.mark.parametrize("ending", ["cut", "close"])
async def test_the_upstream_is_lost(ending: str, behind: bytes) -> None:
    """Its last bytes are delivered; then the connection ends, and no close frame is made up."""

    async def vanishes(request: Received, wire: Wire) -> None:
        await agree(request, wire)
        await wire.send(behind)
        await asyncio.sleep(0.1)
        wire.cut() if ending == "cut" else wire.close()

    async with scripted(vanishes) as upstream, countermark(upstream.url, **passing()) as here:
        async with joined(here.address) as client:
            await offer(client)
            assert (await client.rest()).body == behind
        await until(lambda: here.service.sockets["models"].open == 0)


@pytest.mark.parametrize("behind", [frame(1, b"whole", MASK), frame(2, bytes(300), MASK)[:100]])
async def test_the_client_is_lost(behind: bytes) -> None:
    got: list[bytes] = []

    async def listens(request: Received, wire: Wire) -> None:
        await agree(request, wire)
        got.append(await wire.incoming.read())

    async with scripted(listens) as upstream, countermark(upstream.url, **passing()) as here:
        async with joined(here.address) as client:
            await offer(client, behind=behind)
            await asyncio.sleep(0.05)
        await until(lambda: got == [behind])
        await until(lambda: here.service.sockets["models"].open == 0)


@on_http11
@pytest.mark.parametrize("path", [PATH, b"/ws"])
async def test_the_server_ends(path: bytes) -> None:
    """Both ends are told, behind the message that is under way."""
    taken: list[bytes] = []
    ending = asyncio.Event()
    message = frame(1, b"x" * 300)

    async def says(request: Received, wire: Wire) -> None:
        await agree(request, wire)
        await wire.send(message[:100])
        await wire.wait(ending)
        await asyncio.sleep(0.1)
        await wire.send(message[100:])
        taken.append(await wire.incoming.readexactly(4))
        await wire.send(closing(1001, ""))
        wire.close()

    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(scripted(says))
        server = countermark(upstream.url, **passing())
        here = await server.__aenter__()
        client = await stack.enter_async_context(joined(here.address))
        await offer(client, path)
        await client.until(message[:100])
        stopping = asyncio.create_task(server.__aexit__(None, None, None))
        await asyncio.sleep(0.05)
        ending.set()
        said = message + closing(1001, "the proxy is ending")
        await client.until(said[100:])
        await client.send(closing(1001, "", MASK))
        await client.rest()
        await asyncio.wait_for(stopping, 5)
        assert taken[0][:2] == bytes((0x88, 0x80 | len("xxthe proxy is ending")))


async def test_the_server_ends_during_the_handshake() -> None:
    """A socket that begins when the server ends, ends at once."""
    agreeing = asyncio.Event()

    async def waits(request: Received, wire: Wire) -> None:
        await wire.wait(agreeing)
        await agree(request, wire)
        await wire.incoming.readexactly(6)
        wire.close()

    async with raw(waits) as (here, client):
        await client.send(request("GET", PATH, b"", HANDSHAKE))
        await asyncio.sleep(0.1)
        for connection in list(here.server.server_state.connections):
            connection.shutdown()
        agreeing.set()
        assert (await client.begin()).status == 101
        await client.until(closing(1001, "the proxy is ending"))


async def test_memory_does_not_grow_with_what_a_slow_reader_does_not_read() -> None:
    """A model that talks faster than its client listens waits."""
    piece = frame(2, bytes(1 << 20))
    sent = 0

    async def floods(request: Received, wire: Wire) -> None:
        nonlocal sent
        await agree(request, wire)
        for _ in range(300):
            await wire.send(piece)
            sent += len(piece)

    async with (
        scripted(floods) as upstream,
        process(upstream.url, **passing()) as there,
        joined(there.address, receive_buffer=4096) as client,
    ):
        await offer(client)
        await client.piece()
        before = there.memory
        last = -1
        while sent != last:  # until nothing moves any more
            last = sent
            await asyncio.sleep(0.3)
        assert sent < 100 * len(piece)
        assert there.memory - before < 8 << 20
        for _ in range(50):
            await client.piece()
        assert there.most_memory - before < 12 << 20


@on_http11
async def test_a_client_that_never_reads_is_given_up() -> None:
    gone = asyncio.Event()

    async def floods(request: Received, wire: Wire) -> None:
        await agree(request, wire)
        try:
            while True:
                await wire.send(frame(2, bytes(1 << 20)))
        except ConnectionError:
            gone.set()

    async with (
        scripted(floods) as upstream,
        countermark(upstream.url, **passing(limits={"idle": "300 ms"})) as here,
        joined(here.address, receive_buffer=4096) as client,
    ):
        await offer(client)
        await asyncio.wait_for(gone.wait(), 10)


@pytest.mark.slow
@on_http11
async def test_a_slow_reader_gets_all_that_was_said_before_the_end() -> None:
    """The upstream is gone long before its client has read, and longer than a side may take to end."""
    wire = frame(2, bytes(200_000)) * 5 + closing(1000, "")

    async def says(request: Received, wire_: Wire) -> None:
        await agree(request, wire_)
        await wire_.send(wire)
        wire_.close()

    async with (
        scripted(says) as upstream,
        countermark(upstream.url, **passing()) as here,
        joined(here.address, receive_buffer=4096) as client,
    ):
        await offer(client)
        await asyncio.sleep(CLOSING + 0.5)
        assert (await client.rest()).body == wire
