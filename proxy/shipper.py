"""What is under a checkpoint, brought to the shared PostgreSQL while the proxy serves.

Law: the file is the outbox. A parcel is committed there first and marked here afterwards, so that a death at any point,
on either side, sends it again at most, and what is sent again arrives once. Whatever the database does, nobody who
serves waits for it: the backlog grows in the file, and is gone when the database has been back for a while.

One daemon thread ships. It says once when the database is gone, and once when it is back. Another counts what waits:
a database that does not answer holds the one who ships, but not the numbers.
"""

import logging
import random
import threading
import time
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Final

from proxy.outbox import Outbox, ShippingError

__all__ = ["Shipper", "ShippingError", "shipping"]

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0

log = logging.getLogger("countermark")


def shipping(outbox: Outbox, url: str) -> Generator[bool]:
    """Ship without end: True after each parcel that arrived, False whenever nothing more is there to be shipped.

    Raises:
        ShippingError: the file or the database refuses, or the libraries for it are not installed.
    """
    _require()
    from proxy.postgres_shipment import shipments

    return shipments(outbox, url)


def _require() -> None:
    # Imported no sooner: who ships nothing needs none of it.
    try:
        import proxy.postgres_shipment  # noqa: F401
    except ImportError as error:
        raise ShippingError(
            f"to ship to PostgreSQL, {error.name} is missing: pip install 'countermark[postgres]'"
        ) from None


class Shipper:
    """Ships the ledger at `path` to `url`, looking every so many seconds for what is new; its numbers may be read from
    any thread.

    Attributes:
        backlog: entries that have not arrived.
        shipped: the `seq` up to which every entry has.
        failures: attempts that failed, since the start.
        last_error: why the last attempt failed; empty as long as all is well.
    """

    def __init__(self, path: Path, url: str, *, every: float = 1.0) -> None:
        """Raises ShippingError where the libraries for it are not installed."""
        _require()
        self.backlog = self.shipped = self.failures = 0
        self.last_error = ""
        self._path = path
        self._url = url
        self._every = every
        self._since = 0  # Unix nanoseconds, 0 where there is no backlog
        self._in_a_row = 0
        self._ending = threading.Event()
        self._deadline = float("inf")
        self._looking = threading.Lock()  # so that who asked the file first does not tell it last
        self._thread = threading.Thread(target=self._run, name="shipper", daemon=True)
        self._counter = threading.Thread(target=self._count, name="shipper-counter", daemon=True)

    @property
    def oldest(self) -> float:
        """How many seconds ago the oldest entry of the backlog was made; 0 where there is no backlog."""
        since = self._since
        return max(0.0, time.time() - since / 1e9) if since else 0.0

    def start(self) -> None:
        """Begin. Nothing is waited for."""
        self._thread.start()
        self._counter.start()

    def close(self, patience: float) -> None:
        """Ship what the file holds by now, for so many seconds at most, and end; a database that is away is not waited
        for. What is left stays in the file, for the next start or for `countermark ledger ship`."""
        self._deadline = time.monotonic() + patience
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join(patience)
            self._counter.join(patience)
            self._counted()
        if self.backlog:
            why = f" ({self.last_error})" if self.last_error else ""
            log.warning("not everything is shipped yet: %d records wait in %s%s", self.backlog, self._path, why)

    # The threads.

    def _run(self) -> None:
        while True:
            try:
                with closing(Outbox(self._path)) as outbox:
                    self._look(outbox)
                    self._ship(outbox)
                return
            except ShippingError as error:
                self._failed(str(error))
            except Exception as error:
                log.exception("records cannot be shipped")
                self._failed(f"{type(error).__name__}: {error}")
            longest = min(FIRST_PAUSE * 2 ** min(self._in_a_row, 10), LONGEST_PAUSE)
            if self._ending.wait(random.uniform(longest / 2, longest)):  # noqa: S311 - so that replicas come one by one
                return

    def _ship(self, outbox: Outbox) -> None:
        with closing(shipping(outbox, self._url)) as parcels:
            ending = self._ending.is_set()
            for moved in parcels:
                self._look(outbox)
                self._well()
                if time.monotonic() >= self._deadline or (ending and not moved):
                    return
                if not moved:
                    self._ending.wait(self._every)
                    ending = self._ending.is_set()

    def _count(self) -> None:
        """The other thread."""
        while not self._ending.wait(self._every):
            self._counted()

    def _counted(self) -> None:
        try:
            with closing(Outbox(self._path)) as outbox:
                self._look(outbox)
        except ShippingError as error:
            self.last_error = str(error)

    def _look(self, outbox: Outbox) -> None:
        with self._looking:
            self.shipped = outbox.shipped
            self.backlog, self._since = outbox.backlog()

    def _failed(self, error: str) -> None:
        self.failures += 1
        self.last_error = error
        self._in_a_row += 1
        # A pooler may close a connection that is at rest: only what fails twice is worth a word.
        if self._in_a_row == 2:
            log.warning("records cannot be shipped, and are kept in %s until they can: %s", self._path, error)

    def _well(self) -> None:
        if self._in_a_row >= 2:
            log.info("records are shipped again; %d wait", self.backlog)
        self._in_a_row = 0
        self.last_error = ""
