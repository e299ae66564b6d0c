"""Memory and work that exchanges promise each other not to exceed, in sum.

The law: what was taken is given back, once, however the exchange ends; who asks for more than is left is told to come
again later, before anything is spent on it.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from proxy.labelling.picture import Picture, Studio, label_picture
from proxy.record.exchange import Item

RETRY_AFTER = 1  # seconds


class Overloaded(Exception):
    """Too much is promised already; the message says of what."""


class Memory:
    """Bytes of bodies held at one time, over all exchanges."""

    def __init__(self, total: int) -> None:
        self._left = total

    def take(self, size: int) -> None:
        """Promise ``size`` bytes. Raises Overloaded where they are not left."""
        if size > self._left:
            raise Overloaded("too many large bodies are under way")
        self._left -= size

    def give(self, size: int) -> None:
        """Give back what was taken."""
        self._left += size

    @property
    def left(self) -> int:
        return self._left


class Lease:
    """What one exchange has taken of the memory."""

    __slots__ = ("_held", "_memory")

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._held = 0

    def take(self, size: int) -> None:
        """Promise ``size`` bytes more. Raises Overloaded where they are not left."""
        self._memory.take(size)
        self._held += size

    def give(self, size: int) -> None:
        """Give back some of what was taken, before the end."""
        self._memory.give(size)
        self._held -= size

    def end(self) -> None:
        """Give everything back; safe to call twice."""
        self._memory.give(self._held)
        self._held = 0


class Workshop:
    """A pool of threads, one a core, that labels pictures; the answers that wait for it are bounded.

    Answers are counted, not pictures: one with many pictures waits for itself alone, and it would do so again.
    """

    def __init__(self, studio: Studio, workers: int, waiting: int) -> None:
        self._studio = studio
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="countermark-draw")
        self._room = workers + waiting

    def check(self) -> None:
        """Raises Overloaded where one more answer would find no room."""
        if self._room <= 0:
            raise Overloaded("too many answers wait for their pictures to be labelled")

    async def label(self, pictures: Sequence[Picture]) -> list[tuple[bytes, Item]]:
        """Pictures of one answer, labelled, written as they came, with their items; all of them at the same time.

        Raises LabellingError where one cannot be labelled, and Overloaded where too many answers wait.
        """
        if not pictures:
            return []
        self.check()
        self._room -= 1
        loop = asyncio.get_running_loop()
        jobs = [loop.run_in_executor(self._pool, label_picture, picture, self._studio) for picture in pictures]
        try:
            return await asyncio.gather(*jobs)
        finally:
            for job in jobs:
                job.cancel()
            self._room += 1

    def close(self) -> None:
        """Let the work under way end; nothing more begins."""
        self._pool.shutdown(wait=False, cancel_futures=True)
