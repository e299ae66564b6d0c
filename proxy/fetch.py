"""A medium fetched from a URL that somebody else wrote, without being led anywhere that nobody meant.

The law: each step of the way, redirections too, goes to a host on the route's list and to an address that was looked up
and judged here; the connection is made to that very address, so that a name cannot mean another a moment later. Nothing
of the client's or of ours goes along. Size, decoded and undecoded, time and the number of fetches are bounded.

Behind a corporate proxy the proxy looks names up: there the list and the proxy's own rules decide.
"""

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Literal, cast
from urllib.parse import urljoin

import httpx

from proxy.addresses import reach
from proxy.labelling.coding import decode, decoders
from proxy.labelling.errors import CodingError, LabellingError
from proxy.media.formats import find
from proxy.media_hosts import MediaHost, MediaUrl, listed, literal, read_media_url
from proxy.upstream import UpstreamError
from proxy.upstream_httpx import ExactURL

__all__ = ["FetchError", "Fetched", "Fetcher", "NotThere"]

REDIRECTS = 3
AT_ONCE = 64  # fetches: whoever has a link may follow it as often as he likes
_ADDRESSES = 4  # of one name that are tried
_LEAST_SHARE = 0.25  # seconds for one address, however many there are

Kind = Literal["image", "audio", "video"]
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
Connect = Callable[[str | None], httpx.AsyncBaseTransport]

_REDIRECTED = frozenset((301, 302, 303, 307, 308))
_MEDIUM = re.compile(r"(image|audio|video)/[a-z0-9][a-z0-9!#$&^_.+-]{0,100}")
_UNTYPED = frozenset(("", "application/octet-stream", "binary/octet-stream"))
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_HEADERS = [
    # What can be labelled is asked for first: some stores make what a client likes best.
    (b"accept", b"image/png, image/jpeg, */*;q=0.5"),
    (b"accept-encoding", b"identity"),
    (b"user-agent", b"countermark"),
]


class FetchError(UpstreamError):
    """The medium did not come. The message names its host at most: the rest of a URL may be a signature."""


class FetchTimeout(FetchError):
    status = 504


class NotThere(FetchError):
    """Its server says that there is no such thing, or that there was."""

    status = 404


@dataclass(frozen=True, slots=True)
class Fetched:
    """A medium: its bytes, its media type without parameters (what the bytes say, where they are known here), and its
    kind."""

    data: bytes
    media_type: str
    kind: Kind


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, as the system knows them. OSError where it does not."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [cast(str, address[0]) for *_, address in found]


@cache
def _authorities() -> ssl.SSLContext:
    """Whom TLS believes; read once, for it takes as long as a fetch."""
    return ssl.create_default_context()


def connect(proxy: str | None) -> httpx.AsyncBaseTransport:
    """A transport for one exchange, directly or through a corporate proxy; the environment has no say."""
    return httpx.AsyncHTTPTransport(verify=_authorities(), http2=True, trust_env=False, proxy=proxy)


class Fetcher:
    """Fetches media of at most ``limit`` bytes, each within ``seconds``, in which it may also wait for its turn.

    ``resolve`` looks names up, and ``connect`` makes a transport, which is asked for an address and never for a name.
    """

    def __init__(self, limit: int, seconds: float, *, resolve: Resolve = resolve, connect: Connect = connect) -> None:
        self._limit = limit
        self._seconds = seconds
        self._resolve = resolve
        self._connect = connect
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def fetch(
        self, url: str, hosts: Sequence[MediaHost], take: Callable[[int], None], proxy: str | None = None
    ) -> Fetched:
        """The medium at ``url``. ``take`` is told of bytes before they are kept, and may raise. Raises FetchError."""
        try:
            async with asyncio.timeout(self._seconds), self._turns:
                return await self._follow(url, hosts, take, proxy)
        except (TimeoutError, httpx.TimeoutException):
            raise FetchTimeout("the medium did not come in time") from None
        except httpx.HTTPError:
            raise FetchError("the medium's server could not be reached, or what it sent is malformed") from None

    async def _follow(
        self, url: str, hosts: Sequence[MediaHost], take: Callable[[int], None], proxy: str | None
    ) -> Fetched:
        secure = False
        for _ in range(REDIRECTS + 1):
            there, host = allowed(url, hosts)
            if secure and not there.origin.tls:
                raise FetchError("the medium's server redirects from https to http")
            secure = there.origin.tls
            # A proxy is asked by name: it looks the name up, and its tunnel's certificate is checked against it.
            named = proxy is not None and literal(there.origin.host) is None
            addresses = [there.origin.host] if named else await self._addresses(there, host)
            async with self._asked(there, addresses, proxy) as response:
                if response.status_code not in _REDIRECTED:
                    return await self._read(response, take)
                location = response.headers.get("location", "")
            url = location if _ABSOLUTE.match(location) else urljoin(url, location)
        raise FetchError(f"the medium's server redirects more than {REDIRECTS} times")

    async def _addresses(self, there: MediaUrl, host: MediaHost) -> Sequence[str]:
        """Where a host is. FetchError where any of its addresses must not be reached: an honest name has none such."""
        name = there.origin.host
        try:
            found = [name] if literal(name) is not None else await self._resolve(name, there.origin.port)
            addresses = [ipaddress.ip_address(one) for one in dict.fromkeys(found)]
        except (OSError, ValueError):
            raise FetchError(f"{name} has no address") from None
        for address in addresses:
            where = reach(address)
            if where == "never" or (where == "private" and not host.private):
                raise FetchError(f"{name} has an address that media must not come from")
        if not addresses:
            raise FetchError(f"{name} has no address")
        return [str(address) for address in addresses[:_ADDRESSES]]

    @asynccontextmanager
    async def _asked(
        self, there: MediaUrl, addresses: Sequence[str], proxy: str | None
    ) -> AsyncIterator[httpx.Response]:
        """The response of the first address that takes a connection."""
        share = max(_LEAST_SHARE, self._seconds / (2 * len(addresses)))
        for left, address in enumerate(addresses, 1 - len(addresses)):
            transport = self._connect(proxy)
            try:
                response = await transport.handle_async_request(_request(there, address, share))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                await transport.aclose()
                if not left:
                    raise
                continue
            except BaseException:
                await transport.aclose()
                raise
            try:
                yield response
            finally:
                await response.aclose()
                await transport.aclose()
            return

    async def _read(self, response: httpx.Response, take: Callable[[int], None]) -> Fetched:
        status = response.status_code
        if status in (404, 410):
            raise NotThere("there is no such medium any more")
        if status != 200:
            raise FetchError(f"the medium's server answered with status {status}")
        length = response.headers.get("content-length", "0")
        if length.isdecimal() and len(length) < 20 and int(length) > self._limit:
            raise FetchError(f"the medium is longer than {self._limit} bytes")
        try:
            data = await self._decoded(response, take)
        except (CodingError, LabellingError) as error:
            raise FetchError(str(error)) from None
        return Fetched(data, *kind_of(response.headers.get("content-type", ""), data))

    async def _decoded(self, response: httpx.Response, take: Callable[[int], None]) -> bytes:
        chain = decoders(", ".join(response.headers.get_list("content-encoding")).encode("latin-1", "replace"))
        parts: list[bytes] = []
        coded = size = 0
        async for raw in cast(httpx.AsyncByteStream, response.stream):
            coded += len(raw)
            for piece in decode(chain, raw):
                size += len(piece)
                if max(size, coded) > self._limit:
                    break
                take(len(piece))
                parts.append(piece)
            if max(size, coded) > self._limit:
                raise FetchError(f"the medium is longer than {self._limit} bytes")
        for one in chain:
            one.end()
        return b"".join(parts)


def allowed(url: str, hosts: Sequence[MediaHost]) -> tuple[MediaUrl, MediaHost]:
    """A URL's parts, and the entry that lets it be fetched. FetchError where none does."""
    try:
        there = read_media_url(url)
    except ValueError as error:
        raise FetchError(f"the medium's URL {error}") from None
    host = listed(hosts, there.origin)
    if host is None:
        raise FetchError(f"{there.origin.authority.decode()} is not one of the route's media_hosts")
    return there, host


def kind_of(content_type: str, data: bytes) -> tuple[str, Kind]:
    """The media type, without parameters, and the kind. FetchError for whatever is no medium."""
    declared = content_type.partition(";")[0].strip().lower()
    named = _MEDIUM.fullmatch(declared)
    known = find(data) if named or declared in _UNTYPED else None
    if known is not None:
        return known.TYPES[0], "image"
    if named is None:
        raise FetchError("what came is no picture, sound or video")
    return declared, cast(Kind, named[1])


def _request(there: MediaUrl, address: str, share: float) -> httpx.Request:
    origin = httpx.URL(scheme="https" if there.origin.tls else "http", host=address, port=there.origin.port)
    # The address is where the connection goes; the name is whom it must prove to be. The whole is bounded elsewhere.
    timeout = {"connect": share, "read": None, "write": None, "pool": None}
    extensions = {"timeout": timeout, "sni_hostname": there.origin.host}
    request = httpx.Request(
        "GET", origin, headers=[(b"host", there.origin.authority), *_HEADERS], extensions=extensions
    )
    request.url = ExactURL(origin)
    request.url.exact = there.target  # httpx would spell it anew, and a signature covers its spelling
    return request
