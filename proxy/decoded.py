"""The body of an upstream's response, decoded as it comes.

The law: what is held of it is leased, what it decodes to is bounded, and a body that ends before its content coding
does is corrupt, never short.
"""

from proxy.account import Account
from proxy.bounds import Lease
from proxy.labelling.coding import Decoder, decoders, undone_piece
from proxy.labelling.errors import LabellingError
from proxy.upstream import Response


class Decoded:
    """One body; ``limit`` bounds what one read of it decodes to, and what is read before anything can leave, in
    bytes."""

    __slots__ = ("_account", "_chain", "_lease", "_limit", "_response")

    def __init__(self, response: Response, account: Account, lease: Lease, limit: int) -> None:
        self._response = response
        self._account = account
        self._lease = lease
        self._limit = limit
        self._chain: tuple[Decoder, ...] = ()

    def undo(self, coding: bytes) -> None:
        """Undo this content coding. Raises LabellingError for one that is not known."""
        self._chain = decoders(coding)

    async def begin(self, begun: list[bytes]) -> None:
        """Read into ``begun`` until something other than white space is there, or the end."""
        size = 0
        while data := await self._response.read():
            decoded = self._undone(data)
            self._lease.take(len(decoded))
            begun.append(decoded)
            if decoded and not decoded.isspace():
                return
            size += len(decoded)
            if size > self._limit:
                raise LabellingError(f"the answer begins with more than {self._limit} bytes of white space")
        self._end()

    async def next(self) -> bytes | None:
        """The next decoded bytes, perhaps none; None at the body's clean end."""
        data = await self._response.read()
        if data:
            return self._undone(data)
        self._end()
        return None

    async def rest(self, begun: list[bytes]) -> None:
        """Read into ``begun`` to the end."""
        size = sum(map(len, begun))
        while (data := await self.next()) is not None:
            size += len(data)
            begun.append(data)
            if size > self._limit:
                raise LabellingError(f"the answer is longer than {self._limit} bytes")
            self._lease.take(len(data))

    def _undone(self, data: bytes) -> bytes:
        self._account.bytes_in += len(data)
        return undone_piece(self._chain, data, self._limit)

    def _end(self) -> None:
        self._account.trail.heard()
        for one in self._chain:
            one.end()
