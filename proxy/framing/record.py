"""What every framing offers: a splitter, bytes in and records out, and a record, which can be written again.

The laws, for each framing alike: the raw bytes of all records join to the stream, at any pair of cut points, and where
a stream is not what its framing says, what has come out and ``rest`` still do; the data of the records does not depend
on the cut points; a record comes out as soon as it is complete, never later; what a splitter does takes time that
grows with the bytes and not with the chunks that they come in; a copy behind its record is one record more.

Nothing is bounded here but by the framing itself: what is kept is ``size`` bytes long, and whoever feeds decides how
much that may be.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final, Protocol

NO_FIELDS: Final[Mapping[str, str]] = MappingProxyType({})


class Record(Protocol):
    """One record of a stream. Only one that holds data has another with other data, or a copy."""

    @property
    def raw(self) -> bytes:
        """The bytes as they came, with what separates them from the record in front or behind."""
        ...

    @property
    def data(self) -> bytes | None:
        """The JSON text inside (of server-sent events: any data); None where there is none: a comment, a blank line."""
        ...

    @property
    def fields(self) -> Mapping[str, str]:
        """What the framing itself says of the record, by names that begin with a colon."""
        ...

    def with_data(self, data: bytes) -> "Record":
        """The same record with other data, in its own style. Raises FramingError where it cannot hold that."""
        ...

    def copy(self, data: bytes) -> "Record":
        """A further record like it, with other data, that stands somewhere behind it. Raises as ``with_data``."""
        ...


class Splitter(Protocol):
    """Cuts a stream into records."""

    def feed(self, chunk: bytes) -> Iterator[Record]:
        """The records that are whole now, each cut when it is asked for; who stops asking has the others in ``rest``.

        The chunk is taken in at once, asked or not. What is asked raises FramingError where the framing is broken.
        """
        ...

    def end(self) -> Iterator[Record]:
        """The record that the stream ended in, if any. Raises FramingError where the framing says that more was due."""
        ...

    @property
    def size(self) -> int:
        """How many bytes have come in and are in no record yet."""
        ...

    @property
    def rest(self) -> bytes:
        """What has come in and is in no record yet."""
        ...
