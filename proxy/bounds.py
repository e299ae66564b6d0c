"""Memory that exchanges promise each other not to exceed, in sum.

The law: what was taken is given back, once, however the exchange ends; who asks for more than is left is told to come
again later, before anything is spent on it.
"""

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
