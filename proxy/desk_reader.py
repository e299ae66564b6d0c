"""Questions to the records, asked from an event loop that has more important things to do.

Law: the loop never waits for the disk. One question is answered at a time, in a thread of its own; one that waits for
its turn longer than ``PATIENCE`` is turned away. A question that nobody waits for any more keeps its turn until it has
been answered: there are never two.
"""

import asyncio
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Final, TypeVar

from proxy.archive import Archive, open_archive

__all__ = ["Busy", "Reader"]

PATIENCE: Final = 5.0  # seconds

Answer = TypeVar("Answer")


class Busy(Exception):
    """Others are being answered."""


class Reader:
    """Asks the records at a path (or a URL, see archive.py). Belongs to one event loop."""

    def __init__(self, place: Path | str) -> None:
        self._place = place
        self._turn = asyncio.Lock()

    async def ask(self, question: Callable[[Archive], Answer]) -> Answer:
        """What a question finds in the archive. Raises Busy, ArchiveError, and what the question raises."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._turn.acquire()
        except TimeoutError:
            raise Busy from None
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        # A daemon: a process that ends does not wait for the answer to a question.
        try:
            Thread(target=self._answer, args=(question, answered), name="desk", daemon=True).start()
        except RuntimeError:  # the system gives no more threads now
            self._turn.release()
            raise Busy from None
        return await asyncio.shield(answered)

    # In the question's thread.

    def _answer(self, question: Callable[[Archive], Answer], answered: "asyncio.Future[Answer]") -> None:
        try:
            # Opened for each question: the file may have been put in its place since the last one.
            with closing(open_archive(self._place)) as archive:
                told = partial(answered.set_result, question(archive))
        except Exception as error:  # noqa: BLE001 - whoever asked hears of it
            told = partial(answered.set_exception, error)
        try:
            answered.get_loop().call_soon_threadsafe(self._over, answered, told)
        except RuntimeError:  # the loop is closed: nobody waits any more
            pass

    def _over(self, answered: "asyncio.Future[Answer]", told: Callable[[], None]) -> None:
        self._turn.release()
        told()
        answered.exception()  # heard, also where whoever asked has gone
