"""Media that answers hand out as URLs: linked to through us, or fetched at once; and what such a link leads to later.

The law: a URL goes out only if it could be fetched when its link is followed, as far as can be told without asking;
what comes then is labelled as the policies of that route say then. Nothing is kept from the one moment to the other.
"""

import asyncio
import os
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from proxy.bounds import Lease
from proxy.fetch import Fetcher, FetchError, allowed
from proxy.labelling.errors import LabellingError
from proxy.labelling.message import Headers, ResponseHead
from proxy.labelling.picture import Picture, linked
from proxy.links import NONCE, Link, LinkError, Links
from proxy.record.exchange import Item
from proxy.settings import Route

__all__ = ["LinkedMedia", "Opened"]

AT_ONCE = 8  # fetches for one answer
FRESH = 3600  # seconds at most that a client may keep what it fetched: policies change


class Opened(NamedTuple):
    """A link that holds for ``left`` more seconds, and its route as it is now."""

    link: Link
    route: Route
    left: int


class Held:
    """A response whose body is here; see upstream.Response."""

    def __init__(self, head: ResponseHead, body: bytes) -> None:
        self.head = head
        self._body = body

    async def read(self) -> bytes:
        body, self._body = self._body, b""
        return body

    async def close(self) -> None:
        self._body = b""


class LinkedMedia:
    """The media behind URLs. ``links`` is None where nobody said what our own URL is."""

    def __init__(self, routes: Iterable[Route], links: Links | None, fetcher: Fetcher) -> None:
        self._routes = {route.path: route for route in reversed(tuple(routes))}  # of several, the first is taken
        self._links = links
        self._fetcher = fetcher

    async def ready(
        self, pictures: Sequence[Picture], route: Route, dialect: str, path: str, model: str, lease: Lease
    ) -> Sequence[Picture | tuple[bytes, Item]]:
        """The pictures of one answer, with those that are URLs fetched, or as links of ours with their items.

        Route, dialect, path and model are what an answer is decided by; ``lease`` pays for what is fetched. Raises
        LabellingError where a URL cannot be followed.
        """
        if all(picture.encoding != "url" for picture in pictures):
            return pictures
        told = partial(Link, route=route.path, upstream=route.upstream.name, dialect=dialect, path=path, model=model)
        gate = asyncio.Semaphore(AT_ONCE)
        tasks = [asyncio.ensure_future(self._ready(picture, route, told, lease, gate)) for picture in pictures]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _ready(
        self, picture: Picture, route: Route, told: Callable[..., Link], lease: Lease, gate: asyncio.Semaphore
    ) -> Picture | tuple[bytes, Item]:
        if picture.encoding != "url":
            return picture
        url = picture.data.decode("utf-8", "replace")
        try:
            if picture.mark.terms.urls == "rewrite":
                allowed(url, route.media_hosts)
                making = picture.mark.making
                link = told(url=url, kind=picture.kind, seconds=making.seconds, altered=making.altered)
                return self._link(picture, link)
            async with gate:
                fetched = await self._fetcher.fetch(url, route.media_hosts, lease.take, route.upstream.proxy)
        except FetchError as error:
            raise LabellingError(f"{picture.unit} is a URL that cannot be followed: {error}") from None
        if fetched.kind != "image":
            raise LabellingError(f"{picture.unit} is a URL of {fetched.media_type}, which cannot be labelled yet")
        return replace(picture, data=b64encode(fetched.data), encoding="base64")

    def _link(self, picture: Picture, link: Link) -> tuple[bytes, Item]:
        if self._links is None:
            raise LabellingError("without public_url, no link can lead here")
        try:
            sealed = self._links.seal(link, time.time(), os.urandom(NONCE))
        except ValueError as error:
            raise LabellingError(f"{picture.unit} {error}") from None
        return sealed.encode(), linked(picture)

    def open(self, path: str) -> Opened:
        """What the link with this path leads to. Raises LinkError."""
        if self._links is None:
            raise LinkError(404, "there is no such link")
        link, left = self._links.open(path, time.time())
        route = self._routes.get(link.route)
        if route is None or route.urls != "rewrite" or route.upstream.name != link.upstream:
            raise LinkError(410, "the link has expired: ask for the answer again")
        return Opened(link, route, left)

    async def fetch(self, opened: Opened, lease: Lease, *, head: bool) -> Held:
        """The medium that a link leads to, as a response that is still to be labelled. Raises FetchError.

        ``lease`` pays for it until it is here; ``head``: only its head will be sent, and nobody knows its length yet.
        """
        link, route = opened.link, opened.route
        try:
            fetched = await self._fetcher.fetch(link.url, route.media_hosts, lease.take, route.upstream.proxy)
        finally:
            lease.end()
        if fetched.kind != link.kind:
            raise FetchError("what came is not what the answer linked to")
        headers: Headers = [
            (b"content-type", fetched.media_type.encode()),
            # It came from somebody's storage, and is served from our origin: it must not act there.
            (b"x-content-type-options", b"nosniff"),
            (b"content-security-policy", b"sandbox; default-src 'none'"),
            (b"referrer-policy", b"no-referrer"),
            (b"cache-control", b"private, max-age=%d" % min(opened.left, FRESH)),
            (b"vary", b"accept-language"),
        ]
        if "svg" in fetched.media_type or "xml" in fetched.media_type:  # SVG holds scripts
            headers.append((b"content-disposition", b"attachment"))
        if not head:
            headers.append((b"content-length", b"%d" % len(fetched.data)))
        return Held(ResponseHead(200, headers), b"" if head else fetched.data)
