"""One Service follows another while exchanges are under way.

The law: an exchange keeps the Service that it began with. What that one has to itself is closed when the last of its
exchanges has ended, however long that takes, and never before.
"""

import asyncio
import logging
from collections.abc import Callable
from types import TracebackType

from proxy.service import Service
from proxy.shipper import Shipper

__all__ = ["Reign", "Succession"]

# Seconds for what the last records still have before them on their way to a database that is there.
_SHIPPING = 5.0

log = logging.getLogger("countermark")


class Reign:
    """One Service, from its first exchange to its last: ``with reign as service`` is an exchange."""

    __slots__ = ("_over", "_under_way", "service")

    def __init__(self, service: Service) -> None:
        self.service = service
        self._under_way = 0
        self._over: Callable[[Reign], None] | None = None

    def __enter__(self) -> Service:
        self._under_way += 1
        return self.service

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._under_way -= 1
        if self._over is not None and not self._under_way:
            self._over(self)

    def end(self, over: Callable[["Reign"], None]) -> None:
        """No exchange begins with it any more; ``over`` is called once, when none is under way."""
        if self._under_way:
            self._over = over
        else:
            over(self)


class Succession:
    """The Service that exchanges begin with, and those before it that some still use. Belongs to one event loop.

    All of them share one ledger, and so one ``shipper``, where records are shipped.
    """

    def __init__(self, first: Service, shipper: Shipper | None = None) -> None:
        self.reign = Reign(first)
        self.shipper = shipper
        self._earlier: set[Reign] = set()
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def service(self) -> Service:
        """The Service in force."""
        return self.reign.service

    @property
    def earlier(self) -> int:
        """How many Services are no longer in force and still in use."""
        return len(self._earlier)

    def follow(self, service: Service) -> None:
        """From now on exchanges begin with this Service."""
        former, self.reign = self.reign, Reign(service)
        self._earlier.add(former)
        former.end(self._over)

    async def close(self) -> None:
        """Close all of them; what is under way fails."""
        services = self._services()
        while services:
            await services.pop().close(beside=services)
        await asyncio.gather(*self._closing)
        if self.shipper is not None:
            # After the ledger, whose last checkpoint it takes along.
            await asyncio.to_thread(self.shipper.close, _SHIPPING)

    def _services(self) -> list[Service]:
        return [self.service, *(one.service for one in self._earlier)]

    def _over(self, reign: Reign) -> None:
        self._earlier.discard(reign)
        task = asyncio.get_running_loop().create_task(self._closed(reign.service))
        self._closing.add(task)  # the loop itself holds its tasks weakly
        task.add_done_callback(self._closing.discard)

    async def _closed(self, service: Service) -> None:
        try:
            await service.close(beside=self._services())
        except Exception:
            log.exception("what no exchange uses any more could not be closed")
