"""The second transport: httpx, for upstreams that speak HTTP/2 or lie behind a corporate proxy.

It sends what it is given and gives back what comes: no fields of its own but the framing, no decompression, no
redirects, no cookies. httpx's errors are translated here and nowhere else.

Every exchange has an httpx client, and so a connection, to itself. Sharing one would be cheaper, and wrong: httpcore
does not tell an HTTP/2 upstream that a client has left, so a model would go on for nobody, and takes what an HTTP/1.1
upstream puts behind its response for the answer to whoever comes next. So a connection closes where an exchange is
given up, HTTP/1.1 connections serve one exchange, and HTTP/2 ones are kept for others, one at a time.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import cast

import httpx

from proxy.labelling.message import Headers, RequestHead, ResponseHead
from proxy.origin import origin
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
# How httpcore, h11 and h2 begin the sentence where a message ended early.
_ENDED = ("Server disconnected", "peer closed connection", "<StreamReset", "<ConnectionTerminated")


def translate(error: httpx.HTTPError) -> UpstreamError:
    for kind, ours, sentence in _TRANSLATIONS:
        if isinstance(error, kind):
            return ours(sentence)
    if str(error).startswith(_ENDED):
        return Truncated("the upstream ended the connection before the response was complete")
    return BadResponse("the upstream's response is malformed")


class ExactURL(httpx.URL):
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


class _Answer:
    def __init__(self, response: httpx.Response, idle_timeout: float, over: Callable[[bool], Awaitable[None]]) -> None:
        self.head = ResponseHead(response.status_code, [(name.lower(), value) for name, value in response.headers.raw])
        self._pieces = cast(AsyncGenerator[bytes, None], response.aiter_raw())  # no chunk size: that holds tokens back
        self._idle_timeout = idle_timeout
        self._over: Callable[[bool], Awaitable[None]] | None = over
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
            await self._finish(complete=True)
        return piece

    async def close(self) -> None:
        if self._over is not None:
            await self._fail(Truncated("the response was given up before its end"))

    async def _fail(self, error: UpstreamError) -> UpstreamError:
        self._ended = error
        await self._finish(complete=False)
        return error

    async def _finish(self, complete: bool) -> None:
        over, self._over = self._over, None
        if over is not None:
            try:
                await self._pieces.aclose()
            finally:
                await over(complete)


class Httpx:
    """An `Upstream`. Belongs to the event loop that it is first used in."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._origin = origin(target.url)
        # The path goes into each request as it is; the name is in ASCII already.
        self._url = httpx.URL(f"{'https' if self._origin.tls else 'http'}://{self._origin.authority.decode()}")
        self._tls = ssl.create_default_context()
        try:
            self._client().build_request("GET", self._url, headers={"host": self._url.host})
        except (httpx.InvalidURL, UnicodeError) as error:
            # Its rules for international names are newer than Python's, and narrower.
            raise ValueError(f"httpx does not take this address, or its proxy's: {error}") from None
        self._places = asyncio.Semaphore(target.max_connections)
        self._waiting = 0
        self._live: set[httpx.AsyncClient] = set()
        self._idle: dict[httpx.AsyncClient, asyncio.TimerHandle] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    async def send(self, head: RequestHead, body: Body = None, length: int | None = None) -> _Answer:
        header_block(head)  # raises for what must not be written
        measure = framing(head.method, body, length)
        await self._place()
        client = self._take()
        try:
            response = await self._exchange(client, head, body, length, measure)
            self._check(response)
        except BaseException as error:
            await self._close(client)
            if isinstance(error, httpx.HTTPError):
                raise translate(error) from error
            if isinstance(error, TimeoutError):
                raise FirstByteTimeout("the upstream did not answer in time") from error
            raise
        shared = response.http_version == "HTTP/2"
        return _Answer(response, self._target.idle_timeout, partial(self._over, client, shared))

    async def aclose(self) -> None:
        self._closed = True
        for client in list(self._live):
            await self._close(client)
        await asyncio.gather(*self._closing)

    async def _exchange(
        self, client: httpx.AsyncClient, head: RequestHead, body: Body, length: int | None, measure: Headers
    ) -> httpx.Response:
        target = self._target
        headers = [(b"host", self._origin.authority), *head.headers, *measure]
        async with asyncio.timeout(None) as limit:
            content = _Content(body, length, limit, target.first_byte_timeout)
            request = httpx.Request(head.method, self._url, headers=headers, stream=content)
            request.url = ExactURL(self._url)
            request.url.exact = head.target if head.target == b"*" else self._origin.prefix + head.target
            if body is None:  # over HTTP/2 a request without content has no end that could be seen
                patience = target.connect_timeout + target.first_byte_timeout
                limit.reschedule(asyncio.get_running_loop().time() + patience)
            return await client.send(request, stream=True)

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

    # Clients, each with one connection at most.

    def _client(self) -> httpx.AsyncClient:
        target = self._target
        return httpx.AsyncClient(
            http2=True,
            verify=self._tls,
            proxy=target.proxy,
            trust_env=True,  # HTTPS_PROXY and its kin
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # one client's cookies are not another's
            # The first byte and the pauses between pieces have limits of their own.
            timeout=httpx.Timeout(None, connect=target.connect_timeout, write=target.idle_timeout),
            limits=httpx.Limits(keepalive_expiry=target.keep_alive),
        )

    async def _place(self) -> None:
        if self._closed:
            raise ConnectFailed("the proxy is closing")
        if self._places.locked() and self._waiting >= self._target.max_waiting:
            raise PoolFull("too many requests wait for this upstream")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._target.connect_timeout):
                await self._places.acquire()
        except TimeoutError as error:
            raise PoolFull("no connection to the upstream became free in time") from error
        finally:
            self._waiting -= 1

    def _take(self) -> httpx.AsyncClient:
        if self._idle:
            client, timer = self._idle.popitem()
            timer.cancel()
            return client
        client = self._client()
        self._live.add(client)
        return client

    async def _over(self, client: httpx.AsyncClient, shared: bool, complete: bool) -> None:
        if not (complete and shared) or self._closed:
            await self._close(client)
            return
        self._idle[client] = asyncio.get_running_loop().call_later(self._target.keep_alive, self._expire, client)
        self._places.release()

    def _expire(self, client: httpx.AsyncClient) -> None:
        del self._idle[client]
        self._live.discard(client)
        task = asyncio.get_running_loop().create_task(client.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _close(self, client: httpx.AsyncClient) -> None:
        if client not in self._live:
            return
        self._live.discard(client)
        timer = self._idle.pop(client, None)
        if timer is not None:
            timer.cancel()
        else:
            self._places.release()
        await client.aclose()
