"""JSON lines (NDJSON): a stream cut at each line feed, and a line with other data in its place.

A line ends with LF; a CR in front of it is white space, and stays. Blank lines hold no data. What stands behind the
last line feed is a line, too, and comes at ``end``: clients read it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from proxy.framing.errors import FramingError
from proxy.framing.record import NO_FIELDS

_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its bytes as they came, with its end, and its data without the white space around it."""

    raw: bytes
    data: bytes | None
    fields: ClassVar[Mapping[str, str]] = NO_FIELDS

    def with_data(self, data: bytes) -> "Line":
        """The same line with other data: white space and the line's end stay."""
        before, after = self._around()
        return Line(before + _one_line(data) + after, data)

    def copy(self, data: bytes) -> "Line":
        """A line like it; behind a last line without an end it brings that end along."""
        ending = b"\r\n" if self.raw.endswith(b"\r\n") else b"\n"
        missing = b"" if self.raw.endswith(b"\n") else ending
        return Line(missing + _one_line(data) + ending, data)

    def _around(self) -> tuple[bytes, bytes]:
        assert self.data is not None
        before, _, after = self.raw.partition(self.data)
        return before, after


class Splitter:
    """Bytes in, lines out."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0  # no line ends in front of this

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """The lines that are whole now."""
        self._buffer += chunk
        return self._cut()

    def end(self) -> Iterator[Line]:
        """The line that the stream ended in, if any."""
        return iter([self._take(len(self._buffer))] if self._buffer else [])

    def _cut(self) -> Iterator[Line]:
        while (at := self._buffer.find(b"\n", self._searched)) >= 0:
            yield self._take(at + 1)
        self._searched = len(self._buffer)

    def _take(self, size: int) -> Line:
        raw = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._searched = 0
        return Line(raw, raw.removeprefix(_BOM).strip(_SPACE) or None)

    @property
    def size(self) -> int:
        """How many bytes have come in and are in no line yet."""
        return len(self._buffer)

    @property
    def rest(self) -> bytes:
        """What has come in and is in no line yet."""
        return bytes(self._buffer)


def _one_line(data: bytes) -> bytes:
    if b"\n" in data or b"\r" in data:
        raise FramingError("a line of JSON cannot hold the end of a line")
    return data
