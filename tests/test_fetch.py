"""A fetch goes where the list says, to the address that was judged, and nowhere else, however it is asked to.

The network here is a table: names have the addresses that a test gives them, and behind each address is a scripted
server on a real port.
"""

import asyncio
import gzip
import ssl
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from proxy.bounds import Lease, Memory, Overloaded
from proxy.fetch import AT_ONCE, Fetched, Fetcher, FetchError, FetchTimeout, NotThere
from proxy.media_hosts import MediaHost, read_media_host
from proxy.upstream_httpx import ExactURL
from tests.command import ROOT
from tests.running import until
from tests.scripted import CLOSE, CUT, Received, Script, Step, Wire, scripted

PNG = (ROOT / "tests" / "samples" / "rgb8.png").read_bytes()
JPEG = (ROOT / "tests" / "samples" / "rgb.jpg").read_bytes()
URL = "http://images.example/a.png"
PUBLIC = "93.184.216.34"
OTHER = "2606:4700::1111"
HOSTS = (MediaHost("images.example"), MediaHost("cdn.example"), MediaHost("example.net", below=True))
SECRET = "SIGNATURE"


@dataclass
class Network:
    """Names with their addresses, a list for each time that they are asked for (the last one repeats), and what lies at
    the addresses. ``asked`` and ``reached`` are what was looked up and connected to."""

    names: Mapping[str, Sequence[Sequence[str]]]
    places: Mapping[str, str]
    tls: ssl.SSLContext | None = None
    asked: list[str] = field(default_factory=list)
    reached: list[tuple[str, int]] = field(default_factory=list)

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        answers = self.names.get(host, ())
        if not answers:
            raise OSError("no such name")
        found = answers[min(self.asked.count(host), len(answers) - 1)]
        self.asked.append(host)
        return found

    def connect(self, proxy: str | None) -> httpx.AsyncBaseTransport:
        assert proxy is None
        return Detour(self)


class Detour(httpx.AsyncBaseTransport):
    """A transport that reaches what the network's table says of an address."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.inner = httpx.AsyncHTTPTransport(verify=network.tls or False, http2=True, trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        assert isinstance(url, ExactURL)
        self.network.reached.append((url.host, url.port or (443 if url.scheme == "https" else 80)))
        place = self.network.places.get(url.host)
        if place is None:
            raise httpx.ConnectError("refused")
        request.url = ExactURL(url.copy_with(host="127.0.0.1", port=int(place.rpartition(":")[2])))
        request.url.exact = url.exact
        return await self.inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self.inner.aclose()


def fetcher(network: Network, limit: int = 1 << 20, seconds: float = 5.0) -> Fetcher:
    return Fetcher(limit, seconds, resolve=network.resolve, connect=network.connect)


def unbounded(size: int) -> None:
    """Memory without an end."""


def response(body: bytes = PNG, kind: str = "image/png", status: int = 200, **more: str) -> list[bytes]:
    fields = {"content-type": kind, "content-length": str(len(body))} | {
        name.replace("_", "-"): value for name, value in more.items()
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return [f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body]


async def get(*scripts: Script, url: str = URL, limit: int = 1 << 20, seconds: float = 5.0) -> Fetched:
    """What comes from a server that every public name leads to."""
    async with scripted(*scripts) as server:
        network = Network(
            {"images.example": [[PUBLIC]], "cdn.example": [[OTHER]]}, dict.fromkeys((PUBLIC, OTHER), server.url)
        )
        return await fetcher(network, limit, seconds).fetch(url, HOSTS, unbounded)


async def test_a_picture() -> None:
    assert await get(response()) == Fetched(PNG, "image/png", "image")


async def test_the_request_is_the_url_and_nothing_else() -> None:
    url = f"http://images.example/a%2Fb%2f/../c'(~).png?X-Amz-Signature={SECRET}%2B%2b+/=&é&x#part"
    async with scripted(response()) as server:
        network = Network({"images.example": [[PUBLIC]]}, {PUBLIC: server.url})
        await fetcher(network).fetch(url, HOSTS, unbounded)
    (request,) = server.received
    assert request.target == f"/a%2Fb%2f/../c'(~).png?X-Amz-Signature={SECRET}%2B%2b+/=&%C3%A9&x".encode()
    assert request.method == "GET"
    assert {name.lower(): value for name, value in request.headers} == {
        b"host": b"images.example",
        b"accept": b"image/png, image/jpeg, */*;q=0.5",
        b"accept-encoding": b"identity",
        b"user-agent": b"countermark",
    }


# Where it may go.

ADDRESSES = """
    127.0.0.1 127.8.8.8 10.0.0.1 172.16.0.1 192.168.1.1 100.64.0.1 169.254.169.254 0.0.0.0 224.0.0.1 255.255.255.255
    ::1 :: fe80::1 fe80::1%lo fc00::1 fec0::1 ff02::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254
    ::127.0.0.1 ::ffff:0:127.0.0.1 2002:7f00:1:: 64:ff9b::7f00:1 64:ff9b:1::1 2001:0:4136:e378:8000:63bf:3fff:fdd2
"""


@pytest.mark.parametrize("address", ADDRESSES.split())
async def test_a_name_that_leads_inside_is_refused(address: str) -> None:
    for found in ([address], [PUBLIC, address], [address, PUBLIC]):
        network = Network({"images.example": [found]}, {})
        with pytest.raises(FetchError, match="an address that media must not come from"):
            await fetcher(network).fetch(URL, HOSTS, unbounded)
        assert network.reached == []


async def test_a_name_without_an_address() -> None:
    tables: list[dict[str, list[list[str]]]] = [{}, {"images.example": [[]]}, {"images.example": [["nonsense"]]}]
    for names in tables:
        with pytest.raises(FetchError, match="has no address"):
            await fetcher(Network(names, {})).fetch(URL, HOSTS, unbounded)


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example/a.png",
        "http://images.example.evil.example/a.png",
        "http://images.example:8080/a.png",
        "http://images.example:22/a.png",
        "https://images.example:80/a.png",
        "http://127.0.0.1/a.png",
        "http://[::1]/a.png",
        "http://2130706433/a.png",
        "http://0x7f.1/a.png",
        "http://0177.0.0.1/a.png",
        "http://user:password@images.example/a.png",
        "http://images.example@evil.example/a.png",
        "http://images.example\\@evil.example/a.png",
        "http://images.example./a.png",
        "file:///etc/passwd",
        "gopher://images.example/",
        "//images.example/a.png",
    ],
)
async def test_no_other_host_is_even_looked_up(url: str) -> None:
    network = Network({"images.example": [[PUBLIC]]}, {})
    with pytest.raises(FetchError) as caught:
        await fetcher(network).fetch(f"{url}?{SECRET}", HOSTS, unbounded)
    assert (network.asked, network.reached) == ([], [])
    assert SECRET not in str(caught.value)
    assert "password@" not in str(caught.value)


@pytest.mark.parametrize(("address", "reached"), [("127.0.0.1", True), ("10.0.0.1", True), ("224.0.0.1", False)])
async def test_a_private_host_that_is_listed_as_one(address: str, reached: bool) -> None:
    async with scripted(response()) as server:
        network = Network({"images.internal": [[address]]}, {address: server.url})
        for entry in (
            {"host": "images.internal", "private": True},
            {"host": f"{address}", "private": True},
            {"host": "images.internal"},
            {"host": f"{address}"},
        ):
            url = f"http://{entry['host']}/a.png"
            coming = fetcher(network).fetch(url, [read_media_host(entry)], unbounded)
            if reached and entry.get("private"):
                assert (await coming).data == PNG
            else:
                with pytest.raises(FetchError, match="must not come from"):
                    await coming


async def test_a_name_that_changes_its_meaning_is_judged_and_reached_once() -> None:
    """DNS rebinding: the first look-up is public, each later one is loopback."""
    async with scripted(response()) as server:
        network = Network({"images.example": [[PUBLIC], ["127.0.0.1"]]}, {PUBLIC: server.url})
        assert (await fetcher(network).fetch(URL, HOSTS, unbounded)).data == PNG
    assert network.asked == ["images.example"]
    assert network.reached == [(PUBLIC, 80)]


async def test_and_is_judged_again_after_a_redirection() -> None:
    async with scripted(response(b"", status=302, location="/b.png")) as server:
        network = Network({"images.example": [[PUBLIC], ["127.0.0.1"]]}, {PUBLIC: server.url})
        with pytest.raises(FetchError, match="must not come from"):
            await fetcher(network).fetch(URL, HOSTS, unbounded)
    assert network.reached == [(PUBLIC, 80)]
    assert not server.open


async def test_the_next_address_is_tried_where_one_refuses() -> None:
    async with scripted(response()) as server:
        network = Network({"images.example": [[OTHER, PUBLIC]]}, {PUBLIC: server.url})
        assert (await fetcher(network).fetch(URL, HOSTS, unbounded)).data == PNG
        assert network.reached == [(OTHER, 80), (PUBLIC, 80)]
        network = Network({"images.example": [[OTHER, OTHER, PUBLIC]]}, {})
        with pytest.raises(FetchError, match="could not be reached"):
            await fetcher(network).fetch(URL, HOSTS, unbounded)
        assert network.reached == [(OTHER, 80), (PUBLIC, 80)]


# Redirections.


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("expected", "location"),
    [
        (b"/b.png?s=%2f", "/b.png?s=%2f"),
        (b"/b.png", "b.png"),
        (b"/b.png?s=%2F%2f&=", "http://cdn.example/b.png?s=%2F%2f&="),
        (b"/b.png", "//cdn.example/b.png"),
    ],
)
async def test_a_redirection_is_followed(status: int, expected: bytes, location: str) -> None:
    moved = response(b"away", "text/html", status, location=location, set_cookie="a=b")
    async with scripted(moved, response()) as server:
        network = Network(
            {"images.example": [[PUBLIC]], "cdn.example": [[OTHER]]}, dict.fromkeys((PUBLIC, OTHER), server.url)
        )
        assert (await fetcher(network).fetch(URL, HOSTS, unbounded)).data == PNG
    assert server.received[1].target == expected
    assert server.received[1].value(b"cookie") is None
    assert server.received[1].value(b"referer") is None
    assert len(network.asked) == len(network.reached) == 2


@pytest.mark.parametrize(
    ("expected", "location"),
    [
        ("is not one of the route's media_hosts", "http://127.0.0.1/"),
        ("is not one of the route's media_hosts", "http://[::ffff:127.0.0.1]/"),
        ("is not one of the route's media_hosts", "http://169.254.169.254/latest/meta-data/"),
        ("is not one of the route's media_hosts", "http://evil.example/"),
        ("is not one of the route's media_hosts", "//evil.example/"),
        ("is not one of the route's media_hosts", "http://images.example:22/"),
        ("an address that media must not come from", "http://inside.example.net/"),
        ("user and a password", "http://user:password@images.example/"),
        ("the medium's URL", "file:///etc/passwd"),
        ("the medium's URL", "gopher://images.example/"),
        ("the medium's URL", "http://0x7f000001/"),
        ("redirects more than 3 times", "/a.png"),
        ("redirects more than 3 times", ""),
    ],
)
async def test_a_redirection_is_judged_as_the_first_url_was(expected: str, location: str) -> None:
    async with scripted(response(b"", status=302, location=location)) as server:
        names = {"images.example": [[PUBLIC]], "inside.example.net": [["127.0.0.1"]]}
        network = Network(names, {PUBLIC: server.url})
        with pytest.raises(FetchError, match=expected):
            await fetcher(network).fetch(URL, HOSTS, unbounded)
    assert {address for address, _ in network.reached} == {PUBLIC}
    assert len(server.received) == (4 if "more than" in expected else 1)


# TLS.


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for images.example, signed by itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    ask = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    ask += ["-subj", "/CN=test", "-addext", "subjectAltName=DNS:images.example"]
    ask += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "chain.pem")]
    subprocess.run(ask, check=True, capture_output=True)
    return folder / "chain.pem", folder / "key.pem"


@pytest.mark.parametrize(("host", "comes"), [("images.example", True), ("cdn.example", False)])
async def test_a_server_proves_its_name_although_its_address_is_asked(
    chain: tuple[Path, Path], host: str, comes: bool
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*chain)
    named: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: named.append(name)
    async with scripted(response(), tls=context) as server:
        network = Network({host: [[PUBLIC]]}, {PUBLIC: server.url}, ssl.create_default_context(cafile=str(chain[0])))
        coming = fetcher(network).fetch(f"https://{host}/a.png", HOSTS, unbounded)
        if comes:
            assert (await coming).data == PNG
            assert server.received[0].value(b"host") == host.encode()
        else:
            with pytest.raises(FetchError, match="could not be reached"):
                await coming
            assert server.received == []
    assert named == [host]
    assert network.reached == [(PUBLIC, 443)]


async def test_no_way_back_from_tls(chain: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*chain)
    async with scripted(response(b"", status=302, location=URL), tls=context) as server:
        trusted = ssl.create_default_context(cafile=str(chain[0]))
        network = Network({"images.example": [[PUBLIC]]}, {PUBLIC: server.url}, trusted)
        with pytest.raises(FetchError, match="from https to http"):
            await fetcher(network).fetch(URL.replace("http", "https"), HOSTS, unbounded)


# Bounds.

LIMIT = len(PNG)


@pytest.mark.parametrize(
    "script",
    [
        response(),
        [b"HTTP/1.1 200 X\r\ncontent-type: image/png\r\n\r\n", PNG, CLOSE],
        [
            b"HTTP/1.1 200 X\r\ncontent-type: image/png\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
            % (LIMIT, PNG)
        ],
    ],
    ids=["sized", "ended", "chunked"],
)
async def test_what_just_fits(script: Sequence[Step]) -> None:
    assert (await get(script, limit=LIMIT)).data == PNG
    with pytest.raises(FetchError, match=f"longer than {LIMIT - 1} bytes"):
        await get(script, limit=LIMIT - 1)


async def test_what_announces_too_much_is_not_read() -> None:
    with pytest.raises(FetchError, match="longer than"):
        await get([b"HTTP/1.1 200 X\r\ncontent-type: image/png\r\ncontent-length: 99999999999\r\n\r\n", 60.0])


async def test_what_never_ends() -> None:
    async def endless(request: Received, wire: Wire) -> None:
        await wire.head(200, {"content-type": "image/png", "transfer-encoding": "chunked"})
        while True:
            await wire.chunk(bytes(10_000))

    with pytest.raises(FetchError, match="longer than 100000 bytes"):
        await get(endless, limit=100_000)


async def test_what_drips() -> None:
    async def slow(request: Received, wire: Wire) -> None:
        await wire.head(200, {"content-type": "image/png", "content-length": str(len(PNG))})
        for byte in PNG:
            await wire.send(bytes((byte,)))
            await asyncio.sleep(0.02)

    with pytest.raises(FetchTimeout):
        await get(slow, seconds=0.2)


@pytest.mark.parametrize("steps", [[60.0], [b"HTTP/1.1 200 X\r\n", 60.0]])
async def test_what_does_not_come(steps: Sequence[Step]) -> None:
    with pytest.raises(FetchTimeout) as caught:
        await get(steps, seconds=0.2)
    assert caught.value.status == 504


async def test_a_name_that_is_never_found() -> None:
    async def never(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    with pytest.raises(FetchTimeout):
        await Fetcher(1, 0.1, resolve=never).fetch(URL, HOSTS, unbounded)


async def test_what_is_packed_is_bounded_unpacked() -> None:
    packed = gzip.compress(PNG)
    assert (await get(response(packed, content_encoding="gzip"))).data == PNG
    bomb = gzip.compress(bytes(50_000_000))
    with pytest.raises(FetchError, match="longer than 1048576 bytes"):
        await get(response(bomb, content_encoding="gzip"))
    twice = gzip.compress(gzip.compress(bytes(50_000_000)))
    with pytest.raises(FetchError, match="longer than 1048576 bytes"):
        await get(response(twice, content_encoding="gzip, gzip"))


@pytest.mark.parametrize(
    ("expected", "script"),
    [
        ("corrupt", response(PNG, content_encoding="gzip")),
        ("cut off", response(gzip.compress(PNG)[:-4], content_encoding="gzip")),
        ("cannot be decoded", response(PNG, content_encoding="made-up")),
        ("malformed", [response()[0][:-9], CLOSE]),
        ("malformed", [response()[0][:-9], CUT]),
        ("malformed", [b"SSH-2.0-OpenSSH_9.9\r\n\r\n", CLOSE]),
        ("malformed", [CUT]),
    ],
)
async def test_what_is_broken(expected: str, script: Sequence[Step]) -> None:
    with pytest.raises(FetchError, match=expected):
        await get(script)


async def test_memory_is_promised_before_it_is_kept() -> None:
    memory = Memory(len(PNG))
    async with scripted(response()) as server:
        network = Network({"images.example": [[PUBLIC]]}, {PUBLIC: server.url})
        lease = Lease(memory)
        await fetcher(network).fetch(URL, HOSTS, lease.take)
        assert memory.left == 0
        with pytest.raises(Overloaded):
            await fetcher(network).fetch(URL, HOSTS, lease.take)
        lease.end()
    assert memory.left == len(PNG)


async def test_who_gives_up_leaves_nothing_open() -> None:
    async with scripted([b"HTTP/1.1 200 X\r\ncontent-type: image/png\r\n\r\n", 60.0]) as server:
        network = Network({"images.example": [[PUBLIC]]}, {PUBLIC: server.url})
        task = asyncio.create_task(fetcher(network).fetch(URL, HOSTS, unbounded))
        await until(lambda: bool(server.received))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.left.wait(), 5)


# What may come.


@pytest.mark.parametrize(
    ("expected", "kind", "body"),
    [
        (("image/png", "image"), "image/png", PNG),
        (("image/png", "image"), "IMAGE/PNG; charset=utf-8", PNG),
        (("image/png", "image"), "image/jpeg", PNG),
        (("image/jpeg", "image"), "image/png", JPEG),
        (("image/png", "image"), "application/octet-stream", PNG),
        (("image/jpeg", "image"), "binary/octet-stream", JPEG),
        (("image/png", "image"), "", PNG),
        (("image/webp", "image"), "image/webp", b"RIFF"),
        (("image/svg+xml", "image"), "image/svg+xml", b"<svg/>"),
        (("audio/mpeg", "audio"), "audio/mpeg", b"ID3"),
        (("video/mp4", "video"), "video/mp4", b"ftyp"),
        (("video/mp4", "video"), "video/mp4", b""),
        (None, "text/html", b"<html>"),
        (None, "text/html", PNG),
        (None, "application/octet-stream", b"MZ"),
        (None, "", b"<html>"),
        (None, "application/json", b"{}"),
        (None, "application/x-image/png", PNG),
        (None, "image", PNG),
        (None, "image/", PNG),
        (None, "image/png\x01", PNG),
        (None, "multipart/image/png", PNG),
    ],
)
async def test_media_and_nothing_else(expected: tuple[str, str] | None, kind: str, body: bytes) -> None:
    if expected is None:
        with pytest.raises(FetchError, match=r"no picture, sound or video|malformed"):
            await get(response(body, kind))
    else:
        found = await get(response(body, kind))
        assert (*expected, body) == (found.media_type, found.kind, found.data)


@pytest.mark.parametrize("status", [404, 410])
async def test_what_is_not_there(status: int) -> None:
    with pytest.raises(NotThere) as caught:
        await get(response(status=status))
    assert caught.value.status == 404


@pytest.mark.parametrize("status", [201, 204, 206, 300, 304, 400, 401, 403, 416, 500, 503])
async def test_other_answers_are_failures(status: int) -> None:
    with pytest.raises(FetchError, match=f"status {status}") as caught:
        await get(response(b"" if status in (204, 304) else PNG, status=status))
    assert caught.value.status == 502


async def test_only_so_many_come_at_the_same_time() -> None:
    under_way = most = 0

    async def slow(_: Received, wire: Wire) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.2)
        under_way -= 1
        for step in response():
            await wire.send(step)

    async with scripted(slow) as server:
        network = Network({"images.example": [[PUBLIC]]}, {PUBLIC: server.url})
        made = fetcher(network, seconds=20.0)
        found = await asyncio.gather(*(made.fetch(URL, HOSTS, unbounded) for _ in range(AT_ONCE + 10)))

    assert {PNG} == {one.data for one in found}
    assert most <= AT_ONCE


# A corporate proxy.


async def test_a_proxy_is_asked_by_name() -> None:
    async with scripted(response()) as proxy:
        made = Fetcher(1 << 20, 5.0, resolve=Network({}, {}).resolve)
        assert (await made.fetch(f"{URL}?%2f", HOSTS, unbounded, proxy.url)).data == PNG
        assert proxy.received[0].target == b"http://images.example/a.png?%2f"
        assert proxy.received[0].value(b"host") == b"images.example"
        with pytest.raises(FetchError, match="media_hosts"):
            await made.fetch("http://evil.example/", HOSTS, unbounded, proxy.url)
        with pytest.raises(FetchError, match="must not come from"):
            await made.fetch("http://127.0.0.1/", [MediaHost("127.0.0.1")], unbounded, proxy.url)
        assert len(proxy.received) == 1


async def test_a_tunnel_is_asked_for_by_name() -> None:
    async with scripted([b"HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n"]) as proxy:
        with pytest.raises(FetchError, match="could not be reached"):
            await Fetcher(1 << 20, 5.0).fetch("https://images.example/a.png", HOSTS, unbounded, proxy.url)
        (asked,) = proxy.received
        assert (asked.method, asked.target) == ("CONNECT", b"images.example:443")


async def test_the_environment_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    async with scripted(response()) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        host = server.url.removeprefix("http://")
        found = await Fetcher(1 << 20, 5.0).fetch(
            f"{server.url}/a.png", [read_media_host({"host": host, "private": True})], unbounded
        )
    assert found.data == PNG
