"""Keys that are fetched, and fetched again before they expire.

The law: no request waits for a fetch while the keys at hand are young enough, the event loop never does, and however
many requests there are, one fetch is under way. What a fetch has failed with is not told in its own words: they may
hold what a process has printed.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

from proxy.signing import Credentials

__all__ = ["Fetched", "Given", "NoCredentials", "Source"]

# What botocore gives is good for ten minutes at least, even where it has failed to renew it.
FRESH = 60.0  # seconds for which keys are taken as they are
STALE = 300.0  # seconds after which they are no longer taken: their fetch has failed for all that time
AGAIN = 5.0  # seconds between one that has failed and the next, while there are keys

log = logging.getLogger("countermark")


class NoCredentials(Exception):
    """There are no keys, and the log says why."""


class Source(Protocol):
    async def current(self) -> Credentials:
        """The keys to sign with now. Raises NoCredentials."""
        ...

    def close(self) -> None:
        """Fetch no more."""
        ...


class Given:
    """Keys that stay the same: a `Source`."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def current(self) -> Credentials:
        return self._credentials

    def close(self) -> None:
        """Nothing is fetched."""


class Fetched:
    """Keys that ``fetch`` gives, in a thread: a `Source`. ``name`` is how the log calls what they are for. Belongs to
    the event loop that it is first used in."""

    def __init__(
        self, name: str, fetch: Callable[[], Credentials | None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._fetch = fetch
        self._clock = clock
        self._known: Credentials | None = None
        self._since = self._again = 0.0
        self._fetching: asyncio.Task[None] | None = None

    async def current(self) -> Credentials:
        if not self._holds(FRESH):
            task = self._renew()
            if not self._holds(STALE):
                await asyncio.shield(task)
        if self._known is None or not self._holds(STALE):
            raise NoCredentials
        return self._known

    def close(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()

    def _holds(self, seconds: float) -> bool:
        return self._known is not None and self._clock() - self._since < seconds

    def _renew(self) -> "asyncio.Task[None]":
        task = self._fetching
        if task is None or (task.done() and (self._clock() >= self._again or not self._holds(STALE))):
            task = self._fetching = asyncio.get_running_loop().create_task(self._run())
        return task

    async def _run(self) -> None:
        found, why = None, "none were found"
        begun = self._clock()
        try:
            found = await asyncio.to_thread(self._fetch)
        except Exception as error:  # noqa: BLE001  whatever it is, there are no keys
            why = type(error).__name__
        if found is not None:
            self._known, self._since, self._again = found, begun, begun
        else:
            self._again = self._clock() + AGAIN
            log.warning("there are no credentials to sign with for %s: %s", self._name, why)
