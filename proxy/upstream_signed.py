"""An upstream whose requests are signed with the operator's keys.

The law: the signature is the last thing that happens to a request. Between it and the wire stands only the transport,
which writes target, Host and body as they are covered here.
"""

import asyncio
import time
from collections.abc import Callable
from hashlib import sha256

from proxy.credentials import Fetched, Given, NoCredentials, Source
from proxy.labelling.message import Headers, RequestHead
from proxy.origin import origin
from proxy.settings_signing import Signing
from proxy.signing import Credentials, Outgoing, without_credentials
from proxy.upstream import Body, Response, Upstream, UpstreamError

__all__ = ["Signed", "signed"]

_LONG = 1 << 20  # bytes of a body that are hashed in a thread

Sign = Callable[[Outgoing, Credentials, float], Headers]


class Unsigned(UpstreamError):
    """There are no keys to sign with."""


class Signed:
    """An `Upstream`, in front of another one for the same ``url``, to which it gives signed requests.

    ``spell`` writes a target as the signature wants it; ``clock`` gives the Unix time in seconds.
    """

    def __init__(
        self,
        upstream: Upstream,
        url: str,
        source: Source,
        sign: Sign,
        spell: Callable[[bytes], bytes],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._upstream = upstream
        self._origin = origin(url)
        self._source = source
        self._sign = sign
        self._spell = spell
        self._clock = clock

    async def send(self, head: RequestHead, body: Body = None, length: int | None = None) -> Response:
        """As Upstream.send, for a body that is here. Raises ValueError where it is not."""
        if not (body is None or isinstance(body, bytes)):
            raise ValueError("a body must be here whole to be signed")
        head = without_credentials(head)
        target = self._spell(head.target)
        path, _, query = (self._origin.prefix + target).partition(b"?")
        digest = await _digest(body or b"")
        try:
            credentials = await self._source.current()
        except NoCredentials:
            raise Unsigned("the proxy has no credentials for this upstream; its log says why") from None
        out = Outgoing(head.method, self._origin.authority, path, query, head.headers, digest)
        proof = self._sign(out, credentials, self._clock())
        return await self._upstream.send(RequestHead(head.method, target, head.headers + proof), body, length)

    async def aclose(self) -> None:
        self._source.close()
        await self._upstream.aclose()


def signed(upstream: Upstream, name: str, url: str, signing: Signing) -> Upstream:
    """The upstream, called ``name``, that signs as its settings say."""
    service, region = signing.service, signing.region
    if signing.scheme == "tc3":
        from proxy import signing_tc3 as tc3

        assert signing.credentials is not None
        source: Source = Given(signing.credentials)
        return Signed(upstream, url, source, lambda out, keys, at: tc3.sign(out, service, keys, at), bytes)
    # Imported here: botocore is an extra, and takes long to import.
    from proxy import signing_sigv4 as sigv4

    if signing.credentials is not None:
        source = Given(signing.credentials)
    else:
        source = Fetched(f"the upstream {name}", sigv4.fetcher(signing.profile))
    return Signed(
        upstream, url, source, lambda out, keys, at: sigv4.sign(out, service, region, keys, at), sigv4.respelled
    )


async def _digest(body: bytes) -> str:
    if len(body) > _LONG:
        return await asyncio.to_thread(lambda: sha256(body).hexdigest())
    return sha256(body).hexdigest()
