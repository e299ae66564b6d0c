"""A request read on its way upstream, on a route that only observes (``mode: observe``).

The law: it goes upstream as it came, whatever is found in it or goes wrong with the finding. What cannot be read says
nothing; what is larger than may be held is not read to its end.
"""

import logging
from collections.abc import AsyncIterator
from typing import NamedTuple

from proxy.bounds import Lease, Overloaded
from proxy.client import Client
from proxy.labelling.coding import decoders, undone
from proxy.labelling.errors import CodingError, LabellingError, Swollen
from proxy.labelling.headers import joined
from proxy.labelling.request import Asked, Told, read, told, unread
from proxy.service import Claim, Service
from proxy.upstream import Body

log = logging.getLogger("countermark")


class Overheard(NamedTuple):
    """What a request asks for, as far as that could be read, its body and, where it is known, the body's length;
    ``plain`` is the body decoded, None where it was not read."""

    asked: Asked
    body: Body
    length: int | None = None
    plain: bytes | None = None


async def overhear(service: Service, client: Client, claim: Claim, lease: Lease) -> Overheard:
    """Take a request in; ``lease`` pays for what is held of it. One that we sign is held whole in any case. Raises what
    ``Client.body`` raises."""
    assert claim.dialect is not None
    assert claim.match is not None
    assert claim.route is not None
    said = told(claim.dialect, claim.match, claim.model, client.field(b"accept"))
    limit = service.bounds.whole_body
    if claim.route.upstream.sign is not None:
        whole = await client.body(limit, lease)
        asked, plain = _read(service, client, claim, said, whole)
        return Overheard(asked, whole or None, plain=plain)
    chunks, length = await client.upload()
    if chunks is None or _is_form(client) or (length or 0) > limit:
        return Overheard(unread(said), chunks, length)
    parts: list[bytes] = []
    size = 0
    async for part in chunks:
        parts.append(part)
        size += len(part)
        if size > limit or not _taken(lease, len(part)):
            return Overheard(unread(said), _together(parts, chunks), length)
    whole = b"".join(parts)
    asked, plain = _read(service, client, claim, said, whole)
    return Overheard(asked, whole or None, plain=plain)


async def _together(parts: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for at, part in enumerate(parts):
        parts[at] = b""
        yield part
    async for part in rest:
        yield part


def _is_form(client: Client) -> bool:
    return client.field(b"content-type").lower().startswith(b"multipart/")


def _taken(lease: Lease, size: int) -> bool:
    try:
        lease.take(size)
    except Overloaded:
        return False
    return True


def _read(service: Service, client: Client, claim: Claim, said: Told, body: bytes) -> tuple[Asked, bytes | None]:
    """What a body asks for, as far as it can be read, and the body decoded."""
    assert claim.dialect is not None
    if _is_form(client):
        return unread(said), None
    lease = Lease(service.memory)
    try:
        plain = _decoded(body, joined(client.head.headers, b"content-encoding"), service.bounds.whole_body, lease)
        return read(claim.dialect, service.operator.notices, plain, said).asked, plain
    except (CodingError, LabellingError, Overloaded, Swollen):
        return unread(said), None
    except Exception:
        log.exception("a request could not be read on its way")
        return unread(said), None
    finally:
        lease.end()


def _decoded(body: bytes, coding: bytes, limit: int, lease: Lease) -> bytes:
    chain = decoders(coding)
    whole = undone(chain, body, limit, lease.take)
    for one in chain:
        one.end()
    return whole
