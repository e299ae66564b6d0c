"""The second transport: httpx, for upstreams that speak HTTP/2 or lie behind a corporate proxy.

It sends what it is given and gives back what comes: no fields of its own but the framing, no decompression, no
redirects, no cookies. httpx's errors are translated here and nowhere else.

HTTP/2 connections are shared and kept. HTTP/1.1 connections serve one exchange: bytes that an upstream puts behind a
response stay in the parser, out of sight, and would be the answer to whoever came next.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import cast

import httpx

from proxy.labelling.message import Headers, RequestHead, ResponseHead
from proxy.upstream import (
    BadResponse,
    Body,
    ConnectFailed,
    ConnectTimeout,
    FirstByteTimeout,
    IdleTimeout,
    PoolFull,
    Target,
    Truncated,
    UpstreamError,
    framing,
    header_block,
    origin,
)

# First match wins; httpx's own hierarchy decides what matches.
_TRANSLATIONS: tuple[tuple[type[httpx.HTTPError], type[UpstreamError], str], ...] = (
    (httpx.ConnectTimeout, ConnectTimeout, "the upstream did not accept a connection in time"),
    (httpx.PoolTimeout, PoolFull, "no connection to the upstream became free in time"),
    (httpx.WriteTimeout, IdleTimeout, "the upstream stopped taking the request"),
    (httpx.ReadTimeout, FirstByteTimeout, "the upstream did not answer in time"),
    (httpx.ConnectError, ConnectFailed, "could not connect to the upstream"),
    (httpx.ProxyError, ConnectFailed, "could not connect to the upstream through the proxy"),
    (httpx.UnsupportedProtocol, ConnectFailed, "could not connect to the upstream through the proxy"),
    (httpx.NetworkError, Truncated, "the upstream cut the connection before the response was complete"),
)
_ENDED = ("Server disconnected", "peer closed connection")  # how httpcore and h11 begin the sentence


def translate(error: httpx.HTTPError) -> UpstreamError:
    for kind, ours, sentence in _TRANSLATIONS:
        if isinstance(error, kind):
            return ours(sentence)
    if str(error).startswith(_ENDED):
        return Truncated("the upstream ended the connection before the response was complete")
    return BadResponse("the upstream's response is malformed")


class _ExactURL(httpx.URL):
    """A URL whose target is the client's own bytes: httpx would normalise their percent-encoding."""

    exact: bytes

    @property
    def raw_path(self) -> bytes:
        return self.exact


class _Content(httpx.AsyncByteStream):
    """A request's body, held to its announced length; the first-byte timeout begins at its end."""

    def __init__(self, body: Body, length: int | None, limit: asyncio.Timeout, first_byte: float) -> None:
        self._body = body
        self._length = length
        self._limit = limit
        self._first_byte = first_byte

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if isinstance(self._body, bytes):
            yield self._body
        elif self._body is not None:
            sent = 0
            async for piece in self._body:
                sent += len(piece)
                if self._length is not None and sent > self._length:
                    raise ValueError("the request's body is longer than was announced")
                if piece:
                    yield piece
            if self._length is not None and sent < self._length:
                raise ValueError("the request's body is shorter than was announced")
        self._limit.reschedule(asyncio.get_running_loop().time() + self._first_byte)


def _use_once(response: httpx.Response) -> None:
    """Have the pool close the response's connection: to it, an idle connection with something to read is a dead one."""
    stream = response.extensions["network_stream"]
    stream.get_extra_info = lambda info: info == "is_readable" or type(stream).get_extra_info(stream, info)


class _Answer:
    def __init__(self, response: httpx.Response, idle_timeout: float, over: Callable[[], None]) -> None:
        self.head = ResponseHead(response.status_code, [(name.lower(), value) for name, value in response.headers.raw])
        self._response = response
        self._pieces = cast(AsyncGenerator[bytes, None], response.aiter_raw())  # no chunk size: that holds tokens back
        self._idle_timeout = idle_timeout
        self._over: Callable[[], None] | None = over
        self._ended: UpstreamError | None = None

    async def read(self) -> bytes:
        if self._over is None:
            if self._ended is not None:
                raise self._ended
            return b""
        try:
            async with asyncio.timeout(self._idle_timeout):
                piece = await anext(self._pieces, b"")  # httpx never yields an empty piece
        except httpx.HTTPError as error:
            raise await self._fail(translate(error)) from error
        except TimeoutError as error:
            sentence = "the upstream stopped sending before the response was complete"
            raise await self._fail(IdleTimeout(sentence)) from error
        except BaseException:
            await self.close()
            raise
        if not piece:
            await self._finish()
        return piece

    async def close(self) -> None:
        if self._over is not None:
            await self._fail(Truncated("the response was given up before its end"))

    async def _fail(self, error: UpstreamError) -> UpstreamError:
        self._ended = error
        await self._finish()
        return error

    async def _finish(self) -> None:
        over, self._over = self._over, None
        if over is not None:
            over()
            await self._pieces.aclose()
            await self._response.aclose()


class Httpx:
    """An `Upstream`. Belongs to the event loop that it is first used in."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._origin = origin(target.url)
        self._url = httpx.URL(target.url)
        self._under_way = 0
        self._client = httpx.AsyncClient(
            http2=True,
            verify=ssl.create_default_context(),
            proxy=target.proxy,
            trust_env=True,  # HTTPS_PROXY and its kin
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # one client's cookies are not another's
            # The first byte and the pauses between pieces have limits of their own, below.
            timeout=httpx.Timeout(
                connect=target.connect_timeout, pool=target.connect_timeout, write=target.idle_timeout, read=None
            ),
            limits=httpx.Limits(
                max_connections=target.max_connections,
                max_keepalive_connections=target.max_connections,
                keepalive_expiry=target.keep_alive,
            ),
        )

    async def send(self, head: RequestHead, body: Body = None, length: int | None = None) -> _Answer:
        header_block(head)  # raises for what must not be written
        measure = framing(head.method, body, length)
        if self._under_way >= self._target.max_connections + self._target.max_waiting:
            raise PoolFull("too many requests wait for this upstream")
        self._under_way += 1
        try:
            return await self._exchange(head, body, length, measure)
        except BaseException as error:
            self._end_one()
            if isinstance(error, httpx.HTTPError):
                raise translate(error) from error
            if isinstance(error, TimeoutError):
                raise FirstByteTimeout("the upstream did not answer in time") from error
            raise

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _exchange(self, head: RequestHead, body: Body, length: int | None, measure: Headers) -> _Answer:
        target = self._target
        headers = [(b"host", self._origin.authority), *head.headers, *measure]
        async with asyncio.timeout(None) as limit:
            content = _Content(body, length, limit, target.first_byte_timeout)
            request = httpx.Request(head.method, self._url, headers=headers, stream=content)
            request.url = _ExactURL(self._url)
            request.url.exact = head.target if head.target == b"*" else self._origin.prefix + head.target
            if body is None:  # over HTTP/2 a request without content has no end that could be seen
                patience = 2 * target.connect_timeout + target.first_byte_timeout
                limit.reschedule(asyncio.get_running_loop().time() + patience)
            response = await self._client.send(request, stream=True)
        if response.http_version != "HTTP/2":
            _use_once(response)
        try:
            self._check(response)
        except BadResponse:
            await response.aclose()
            raise
        return _Answer(response, target.idle_timeout, self._end_one)

    def _check(self, response: httpx.Response) -> None:
        """What h11 lets pass and `http11` does not."""
        if not 200 <= response.status_code <= 599:
            raise BadResponse("the upstream switched to another protocol, or its response has no valid status")
        if sum(len(name) + len(value) + 4 for name, value in response.headers.raw) > self._target.header_limit:
            raise BadResponse("the upstream's response head is too large")
        if "transfer-encoding" in response.headers and (
            "content-length" in response.headers or response.http_version == "HTTP/1.0"
        ):
            raise BadResponse("the upstream's response head is malformed")

    def _end_one(self) -> None:
        self._under_way -= 1
