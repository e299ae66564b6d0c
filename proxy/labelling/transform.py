"""The one protocol for bytes in motion: ``feed(bytes) -> pieces``, ``end() -> pieces``.

A piece is bytes that may leave, or Work that the pure core cannot do itself. Whoever runs a transform keeps the order:
what a Work yields leaves in its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from proxy.labelling.picture import Picture


@dataclass(frozen=True, slots=True)
class Draw:
    """Work: label a picture, in a pool. Its result takes this place."""

    picture: Picture


@dataclass(frozen=True, slots=True)
class Conclude:
    """Work: these bytes end the answer for its client; its record must be on disk before they leave."""

    data: bytes


Piece = bytes | Draw | Conclude


class Transform(Protocol):
    """Something that a body goes through."""

    def feed(self, data: bytes) -> Sequence[Piece]:
        """Take bytes in, in order; give out what may leave now."""
        ...

    def end(self) -> Sequence[Piece]:
        """Nothing more comes; give out what is left."""
        ...


class Labeller(Transform, Protocol):
    """A transform that labels, and that knows what it has taken in and not given out."""

    @property
    def retained(self) -> bytes:
        """The bytes taken in that no piece has given out yet, as they came."""
        ...
