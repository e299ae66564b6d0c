"""Edits come into force while requests are served.

The law: an edit that is sound as a whole replaces what is in force as a whole; one that is not changes nothing, and is
told with its places, once. Exchanges that are under way end as they began (see succession.py).

What loads works in a thread: streams go on meanwhile.
"""

import asyncio
import logging
from typing import NamedTuple

from proxy.assembly import service
from proxy.service import Service
from proxy.settings import SettingsError
from proxy.settings_changes import changes, keep
from proxy.succession import Succession
from proxy.watch import Watch

__all__ = ["EVERY", "Reloader"]

EVERY = 1.0  # seconds between two looks; an edit is over when two looks see the same

log = logging.getLogger("countermark")


class _Made(NamedTuple):
    service: Service
    changed: tuple[str, ...]
    later: tuple[str, ...]  # what takes a restart


class Reloader:
    """Watches what the Service in force was made from, and lets another follow it."""

    def __init__(self, services: Succession, watch: Watch, every: float = EVERY) -> None:
        self._services = services
        self._watch = watch
        self._every = every
        self._asked = asyncio.Event()
        self._pending = False
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self) -> None:
        """Look, and load what was edited, until cancelled."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                await self._look()
        finally:
            self._loop = None  # it closes, and whoever asks then is not heard

    def ask(self) -> None:
        """Load now, edited or not; safe from any thread and from a signal's handler, which more signals interrupt: who
        asks again before the first is heard asks for nothing more."""
        if self._pending:
            return
        self._pending = True
        if self._loop is None:
            self._asked.set()  # nobody waits for it yet
        else:
            self._loop.call_soon_threadsafe(self._asked.set)

    async def _look(self) -> None:
        asked = await self._wait()
        try:
            if asked or await asyncio.to_thread(self._watch.edited):
                await self._reload()
        except Exception:
            log.exception("what was edited could not be read")
            self._refused(("the program failed as it read the configuration; its log says how",))

    async def _wait(self) -> bool:
        """Until the next look is due; whether it was asked for."""
        try:
            async with asyncio.timeout(self._every):
                await self._asked.wait()
        except TimeoutError:
            return False
        self._pending = False  # first: who asks from here on is heard the next time
        self._asked.clear()
        return True

    async def _reload(self) -> None:
        before = self._services.service
        try:
            made = await asyncio.to_thread(self._made, before)
        except SettingsError as error:
            self._refused(error.faults)
            return
        self._services.follow(made.service)
        counts = made.service.counts
        counts.reloads += 1
        counts.last_faults = ()
        for key in made.later:
            log.warning("%s was changed, which takes a restart: until then it stays as it was", key)
        changed = ", ".join(made.changed) or "nothing that counts has changed"
        policies = made.service.policy.decode()
        log.info("the configuration was read again: %s; policy set %s is in force", changed, policies)

    def _made(self, before: Service) -> _Made:
        settings, later = keep(before.settings, self._watch.load(before.settings.policy_set))
        try:
            made = service(settings, before.keys, before.ledger, before)
        except ValueError as error:
            raise SettingsError([f"the configuration cannot be used: {error}"]) from None
        return _Made(made, changes(before.settings, settings), later)

    def _refused(self, faults: tuple[str, ...]) -> None:
        service = self._services.service
        service.counts.failed_reloads += 1
        service.counts.last_faults = faults
        for fault in faults:
            log.error("%s", fault)
        log.error("the edit is not in force, nothing of it: policy set %s stays", service.policy.decode())
