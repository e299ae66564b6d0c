"""Memory that exchanges promise each other not to exceed, in sum.

The law: what was taken is given back, once, however the exchange ends; who asks for more than is left is told to come
again later, before anything is spent on it.
"""

from weakref import WeakSet

RETRY_AFTER = 1  # seconds


class Overloaded(Exception):
    """Too much is promised already; the message says of what."""


class Memory:
    """Bytes of bodies held at one time, over all exchanges: ``total``, of which those that are still under way with the
    ``former`` memory, and with those before it, have taken their part."""

    def __init__(self, total: int, former: "Memory | None" = None) -> None:
        self._total = total
        self._held = 0
        # Each lives as long as somebody can take of it.
        self._formers: WeakSet[Memory] = WeakSet() if former is None else WeakSet((former, *former._formers))

    def take(self, size: int) -> None:
        """Promise ``size`` bytes. Raises Overloaded where they are not left."""
        if size > self.left:
            raise Overloaded("too many large bodies are under way")
        self._held += size

    def give(self, size: int) -> None:
        """Give back what was taken."""
        self._held -= size

    @property
    def promised(self) -> int:
        """Bytes that are taken of it now."""
        return self._held

    @property
    def left(self) -> int:
        left = self._total - self._held
        return left - sum([one._held for one in self._formers]) if self._formers else left


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
