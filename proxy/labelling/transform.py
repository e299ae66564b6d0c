"""The one protocol for bytes in motion: ``feed(bytes) -> pieces``, ``end() -> pieces``.

A piece is bytes that may leave, or Work that the pure core cannot do itself. Whoever runs a transform keeps the order:
what a Work yields leaves in its place.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from proxy.labelling.picture import Picture


@dataclass(frozen=True, slots=True)
class Work:
    """Pictures to label, in a pool. ``join`` makes the bytes that leave in this place out of the results, which are one
    for each picture, in order; ``raw`` leaves here where policy passes what cannot be labelled."""

    pictures: tuple[Picture, ...]
    join: Callable[[Sequence[bytes]], bytes]
    raw: bytes


@dataclass(frozen=True, slots=True)
class Conclude:
    """These bytes end the answer for its client; its record must be on disk before they leave."""

    data: bytes


Piece = bytes | Work | Conclude


def plain(piece: Piece) -> bytes:
    """The bytes of a piece that is no Work."""
    assert not isinstance(piece, Work), "Work has a result in its place"
    return piece.data if isinstance(piece, Conclude) else piece


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
        """The bytes taken in that no piece has given out yet, as they came; of a whole answer, all of them: none of it
        leaves before all of it is labelled."""
        ...
