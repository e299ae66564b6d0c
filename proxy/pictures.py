"""The pictures of one answer, on their way through the pool that labels them.

The law: what was done to each is written down before the bytes that hold it leave, and results take their places in
the order of the pictures, whichever was ready first.
"""

import asyncio
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TypeVar

from proxy.bounds import Lease
from proxy.labelling.errors import LabellingError
from proxy.labelling.picture import Picture
from proxy.labelling.plan import Label
from proxy.labelling.request import Asked
from proxy.labelling.transform import Piece, Work, plain
from proxy.record.exchange import Item
from proxy.service import Claim, Service
from proxy.trail import Trail

_LARGE = 1 << 20  # bytes: about 10 ms of work
_Made = TypeVar("_Made")


async def apart(size: int, work: Callable[[], _Made]) -> _Made:
    """What ``work`` on so many bytes gives: where they are many, by a thread, so that streams have their turn."""
    return await asyncio.to_thread(work) if size >= _LARGE else work()


class Pictures:
    """Does the Work of one answer."""

    __slots__ = ("_asked", "_claim", "_lease", "_service", "_trail")

    def __init__(self, service: Service, claim: Claim, asked: Asked, lease: Lease, trail: Trail) -> None:
        self._service = service
        self._claim = claim
        self._asked = asked
        self._lease = lease
        self._trail = trail

    async def whole(self, pieces: Sequence[Piece], plan: Label) -> bytes:
        """A whole answer with all Work done; where that fails, what policy says of all of it."""
        pictures = [picture for piece in pieces if isinstance(piece, Work) for picture in piece.pictures]
        try:
            drawn = iter(await self._labelled(pictures, plan) if pictures else ())
        except LabellingError as error:
            return b"".join([plain(piece) for piece in plan.guard.fail(str(error))])

        def joined() -> bytes:
            return b"".join(
                [
                    piece.join([*islice(drawn, len(piece.pictures))]) if isinstance(piece, Work) else plain(piece)
                    for piece in pieces
                ]
            )

        return await apart(sum(len(picture.data) for picture in pictures), self._trail.timed("metadata", joined))

    async def record(self, work: Work, plan: Label) -> bytes:
        """A record of a stream with its pictures labelled. Raises LabellingError where one cannot be."""
        size = len(work.raw)
        self._lease.take(size)
        try:
            drawn = await self._labelled(work.pictures, plan)
            return self._trail.timed("metadata", work.join)(drawn)
        finally:
            self._lease.give(size)

    async def _labelled(self, pictures: Sequence[Picture], plan: Label) -> list[bytes]:
        """What takes the place of each picture; the record's items say what was done. Raises LabellingError."""
        ready = await self._ready(pictures)
        since = self._trail.now()
        drawn = iter(await self._service.workshop.label([one for one in ready if isinstance(one, Picture)]))
        self._trail.spent("draw", since)
        done = [next(drawn) if isinstance(one, Picture) else one for one in ready]
        plan.done.parts += [item for _, item in done]
        return [data for data, _ in done]

    async def _ready(self, pictures: Sequence[Picture]) -> Sequence[Picture | tuple[bytes, Item]]:
        """The pictures made ready for the pool: what stands behind a URL, fetched; or what needs no pool, as it is to
        leave."""
        media, claim = self._service.media, self._claim
        if media is None:
            return pictures
        assert claim.route is not None
        assert claim.dialect is not None
        return await media.ready(pictures, claim.route, claim.dialect.name, claim.path, self._asked.model, self._lease)
