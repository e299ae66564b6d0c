"""What a media format offers: a module with these names. mypy checks the modules in ``formats.py`` against it."""

from collections.abc import Sequence
from typing import Protocol

from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement
from proxy.media.carriers import Carrier


class Format(Protocol):
    """A file format that can carry an implicit label (GB 45438-2025 clause 6.1). Every function is pure.

    All but ``sniff`` and ``size`` check the whole container first and raise MediaError where it is broken.
    """

    TYPES: tuple[str, ...]
    """The media types (RFC 6838) that the format is sent as, the usual one first."""

    def sniff(self, data: bytes) -> bool:
        """Whether the first bytes are the format's signature."""

    def size(self, data: bytes) -> tuple[int, int]:
        """Width and height in stored pixels, from the header alone. MediaError where there is none."""

    def read(self, data: bytes) -> tuple[Aigc, ...]:
        """Every label found in any place and spelling, in the order of the file; what is no label is passed over."""

    def carriers(self, data: bytes) -> Sequence[Carrier]:
        """Where ``read`` looks: every XMP packet and every other place that holds a label, in the file's order."""

    def write(self, data: bytes, statement: Statement) -> bytes:
        """The same file saying this and nothing older, in the place that TC260-PG-20259A names; nothing re-encoded.

        Other metadata is kept, except a C2PA manifest: its hash would no longer hold (see ``has_manifest``).
        """

    def has_manifest(self, data: bytes) -> bool:
        """Whether the file holds a C2PA manifest, which ``write`` and ``drawing.stamp.stamp`` drop."""


class Convertible(Protocol):
    """A file format that has no place for a label, so that only another format can carry one for the same picture."""

    TYPES: tuple[str, ...]
    """As for ``Format``."""

    def sniff(self, data: bytes) -> bool:
        """As for ``Format``."""

    def size(self, data: bytes) -> tuple[int, int]:
        """As for ``Format``."""
