"""The second transport: HTTP/2, and what a proxy between us and the upstream sees."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest

from proxy.labelling.message import Headers
from proxy.upstream import BadResponse, ConnectFailed, Target, Truncated
from proxy.upstream_httpx import Httpx
from tests.scripted import Received, Wire, scripted
from tests.wiring import certificate, pieces, request, whole

Answer = Callable[["Stream"], Awaitable[None]]


class Stream:
    """One request over HTTP/2, with the server's side of it."""

    def __init__(
        self, number: int, fields: Headers, server: h2.connection.H2Connection, flush: Callable[[], None]
    ) -> None:
        self.number, self.fields, self.body = number, fields, b""
        self._server, self._flush = server, flush

    def head(self, *fields: tuple[bytes, bytes], end: bool = False) -> None:
        self._server.send_headers(self.number, [(b":status", b"200"), *fields], end_stream=end)
        self._flush()

    def data(self, data: bytes, end: bool = False) -> None:
        self._server.send_data(self.number, data, end_stream=end)
        self._flush()

    def path(self) -> bytes:
        return dict(self.fields)[b":path"]

    def reset(self) -> None:
        self._server.reset_stream(self.number)
        self._flush()


@asynccontextmanager
async def http2(answer: Answer, chain: Path, key: Path) -> AsyncIterator[tuple[str, list[Stream], list[bytes]]]:
    """A server that speaks HTTP/2 only: its URL, the streams it received, and the paths of those that were left."""
    received: list[Stream] = []
    gone: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=False))
        server.initiate_connection()
        streams: dict[int, Stream] = {}
        running: dict[int, asyncio.Future[None]] = {}

        def flush() -> None:
            writer.write(server.data_to_send())

        flush()
        while data := await reader.read(65536):
            for event in server.receive_data(data):
                match event:
                    case h2.events.RequestReceived():
                        stream = Stream(event.stream_id, list(event.headers), server, flush)
                        streams[event.stream_id] = stream
                        received.append(stream)
                    case h2.events.DataReceived():
                        streams[event.stream_id].body += event.data
                        server.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    case h2.events.StreamEnded():
                        running[event.stream_id] = asyncio.ensure_future(answer(streams[event.stream_id]))
            flush()
        for number, task in running.items():
            if not task.done():
                gone.append(streams[number].path())
                task.cancel()
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    context.set_alpn_protocols(["h2"])
    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    yield f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}", received, gone
    listener.close()
    await asyncio.sleep(0.05)


async def hello(stream: Stream) -> None:
    stream.head((b"content-type", b"text/plain"), (b"x-b", b"1"), (b"x-b", b"2"))
    stream.data(b"hel")
    await asyncio.sleep(0.01)
    stream.data(b"lo", end=True)


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    chain, key = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return chain, key


async def test_an_exchange_over_http2(trusted: tuple[Path, Path]) -> None:
    async with http2(hello, *trusted) as (url, received, _):
        client = Httpx(Target(url + "/prefix"))
        for body, length in ((b"{}", None), (pieces(b"{", b"}"), None), (pieces(b"{", b"}"), 2)):
            response = await client.send(request("POST", b"/a%2f?b", [(b"x-b", b"2"), (b"x-a", b"1")]), body, length)
            assert response.head.status == 200
            assert response.head.headers == [(b"content-type", b"text/plain"), (b"x-b", b"1"), (b"x-b", b"2")]
            assert await whole(response) == b"hello"
        await client.aclose()
        pseudo = [
            (b":method", b"POST"),
            (b":authority", url.removeprefix("https://").encode()),
            (b":scheme", b"https"),
            (b":path", b"/prefix/a%2f?b"),
        ]
        fields = [(b"x-b", b"2"), (b"x-a", b"1")]
        length_of_two = [(b"content-length", b"2")]
        assert [stream.fields for stream in received] == [
            pseudo + fields + length_of_two,
            pseudo + fields,
            pseudo + fields + length_of_two,
        ]
        assert {stream.body for stream in received} == {b"{}"}
        assert [stream.number for stream in received] == [1, 3, 5]  # one connection, kept


async def test_a_stream_that_is_reset_never_looks_whole(trusted: tuple[Path, Path]) -> None:
    async def cut(stream: Stream) -> None:
        stream.head()
        stream.data(b"hello")
        await asyncio.sleep(0.02)
        stream.reset()

    async with http2(cut, *trusted) as (url, _, _):
        client = Httpx(Target(url))
        response = await client.send(request())
        assert await response.read() == b"hello"
        with pytest.raises(Truncated):
            await response.read()
        await client.aclose()


async def test_an_upstream_learns_that_a_client_has_left_and_no_other_client_does(trusted: tuple[Path, Path]) -> None:
    async def slow(stream: Stream) -> None:
        if stream.path() == b"/silent":
            await asyncio.sleep(5)
        stream.head()
        stream.data(b"hel")
        await asyncio.sleep(0.2 if stream.path() == b"/stays" else 5)
        stream.data(b"lo", end=True)

    async with http2(slow, *trusted) as (url, received, gone):
        client = Httpx(Target(url))
        stays = await client.send(request("GET", b"/stays"))
        leaves = await client.send(request("GET", b"/leaves"))
        assert await leaves.read() == b"hel"
        await leaves.close()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.send(request("GET", b"/silent")), 0.1)
        assert await whole(stays) == b"hello"
        await asyncio.sleep(0.05)
        assert (len(received), gone) == (3, [b"/leaves", b"/silent"])
        await client.aclose()


async def test_a_kept_http2_connection_is_closed_when_its_time_is_over(trusted: tuple[Path, Path]) -> None:
    async with http2(hello, *trusted) as (url, received, _):
        client = Httpx(Target(url, keep_alive=0.1))
        for _ in range(2):
            for _ in range(2):
                assert await whole(await client.send(request())) == b"hello"
            await asyncio.sleep(0.2)
            assert not client._live
        assert [stream.number for stream in received] == [1, 3, 1, 3]
        await client.aclose()


async def test_a_proxy_is_given_the_whole_url() -> None:
    async def answer(received: Received, wire: Wire) -> None:
        await wire.reply(b"hello")

    async with scripted(answer) as proxy:
        client = Httpx(Target("http://models.invalid/v1", proxy=proxy.url))
        assert await whole(await client.send(request("GET", b"/a%2f/../b?c=%41"))) == b"hello"
        await client.aclose()
    (received,) = proxy.received
    assert received.target == b"http://models.invalid/v1/a%2f/../b?c=%41"
    assert received.value(b"host") == b"models.invalid"


@pytest.mark.parametrize("status", [407, 502])
async def test_a_proxy_that_refuses_the_tunnel(status: int) -> None:
    async def refuse(received: Received, wire: Wire) -> None:
        await wire.reply(b"no", status=status)

    async with scripted(refuse) as proxy:
        client = Httpx(Target("https://models.invalid", proxy=proxy.url))
        with pytest.raises(ConnectFailed):
            await client.send(request())
        await client.aclose()
    assert (proxy.received[0].method, proxy.received[0].target) == ("CONNECT", b"models.invalid:443")


async def test_the_environment_names_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(received: Received, wire: Wire) -> None:
        await wire.reply(b"hello")

    async with scripted(answer) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        client = Httpx(Target("http://models.invalid"))
        assert await whole(await client.send(request())) == b"hello"
        await client.aclose()


async def test_a_head_over_the_limit_is_refused() -> None:
    async with scripted([b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: " + b"a" * 200 + b"\r\n\r\n"]) as there:
        client = Httpx(Target(there.url, header_limit=200))
        with pytest.raises(BadResponse, match="too large"):
            await client.send(request())
        await client.aclose()
