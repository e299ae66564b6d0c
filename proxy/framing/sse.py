"""Server-sent events (WHATWG HTML, section 9.2): a stream cut into blocks, and a block with other data in its style.

The laws: the raw bytes of all blocks join to the stream, at any pair of cut points; the data of the blocks does not
depend on the cut points; a block comes out as soon as its blank line is there, never later. A line ends with CR, LF
or CRLF. A stream that ends without a blank line yields its last block at ``end``: clients read it (the standard says
to drop it), so a label must reach it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from proxy.framing.record import NO_FIELDS

_blank_line = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)").search
_bom = b"\xef\xbb\xbf"
_blank_lines = (b"\n\n", b"\n\r", b"\n\r\n", b"\r\r", b"\r\r\n")  # how a line's end and a blank line's end
_BEGUN = 3  # as much of a blank line (CRLF CRLF) as can be there before its last byte


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a stream: its bytes as they came, blank line included, and its data (None without a data line)."""

    raw: bytes
    data: bytes | None
    fields: ClassVar[Mapping[str, str]] = NO_FIELDS

    def with_data(self, data: bytes) -> "Block":
        """The same block with other data: other lines stay, data lines take the style of the first one."""
        out: list[bytes] = []
        written = False
        for line, ending in _split(self.raw):
            if not _is_data(line):
                out += (line, ending)
                continue
            if not written:
                written = True
                spaced = line.partition(b":")[2].startswith(b" ")
                name = line[: line.index(b"data")] + (b"data: " if spaced else b"data:")
                for part in data.split(b"\n"):
                    out += (name, part, ending or b"\n")
                if not ending:
                    out.pop()
        return Block(b"".join(out), data)

    def copy(self, data: bytes) -> "Block":
        """A block like it that ends with a blank line; behind a last block without one it brings that line along."""
        raw = self.with_data(data).raw.removeprefix(_bom)  # a byte order mark stands in front of a stream only
        if self.raw.endswith(_blank_lines):
            return Block(raw, data)
        ending = next((ending for _, ending in _split(self.raw) if ending), b"\n")
        missing = b"" if self.raw.endswith(ending) else ending
        return Block(missing + ending + raw + missing + ending, data)


class Splitter:
    """Bytes in, blocks out, in time that grows with the bytes and not with the chunks that they come in.

    Nothing is bounded here: what is kept is ``size`` bytes long, and whoever feeds decides how much that may be.
    """

    def __init__(self) -> None:
        self._buffer = b""  # holds blocks that nobody has asked for yet, from `_at` on
        self._at = 0
        self._parts: list[bytes] = []  # what came behind it and ends no block
        self._size = 0
        self._tail = b""  # the last bytes of that: a blank line may have begun in them

    def feed(self, chunk: bytes) -> Iterator[Block]:
        """The blocks that are whole now, each cut when it is asked for; who stops asking has the others in ``rest``."""
        searched = 0 if self._buffer else max(self._size - _BEGUN, 0)
        window = self._tail + chunk
        self._parts.append(chunk)
        self._size += len(chunk)
        if not self._buffer and _block_end(window, 0, b"\r" not in window) < 0:
            self._tail = window[-_BEGUN:]
            return iter(())
        self._buffer, self._at, self._parts = self.rest, 0, []
        return self._cut(searched)

    def end(self) -> Iterator[Block]:
        """The block that the stream ended in, if any."""
        raw = self.rest
        self._keep(b"")
        return iter([Block(raw, _data(raw))] if raw else [])

    def _cut(self, searched: int) -> Iterator[Block]:
        buffer = self._buffer
        plain = b"\r" not in buffer
        end = _block_end(buffer, searched, plain)
        # Half a CRLF is waited for: its LF belongs to the block.
        while end > 0 and not (end == len(buffer) and buffer.endswith(b"\n\r")):
            raw = buffer[self._at : end]
            self._at = end
            self._size -= len(raw)
            yield Block(raw, _data(raw))
            end = _block_end(buffer, end, plain)
        self._keep(buffer[self._at :])

    def _keep(self, rest: bytes) -> None:
        self._buffer, self._at, self._parts = b"", 0, [rest]
        self._size, self._tail = len(rest), rest[-_BEGUN:]

    @property
    def size(self) -> int:
        """How many bytes have come in and are in no block yet."""
        return self._size

    @property
    def rest(self) -> bytes:
        """What has come in and is in no block yet."""
        return self._buffer[self._at :] + b"".join(self._parts)


def _block_end(buffer: bytes, start: int, plain: bool) -> int:
    """One past the first blank line from ``start`` on, or -1. ``plain``: no line ends with CR, which is told faster."""
    if plain:
        at = buffer.find(b"\n\n", start)
        return at + 2 if at >= 0 else -1
    match = _blank_line(buffer, start)
    return match.end() if match else -1


def _split(raw: bytes) -> list[tuple[bytes, bytes]]:
    """The lines, each with what ends it."""
    lines = [(line.rstrip(b"\r\n"), line) for line in raw.splitlines(keepends=True)]
    return [(line, whole[len(line) :]) for line, whole in lines]


def _is_data(line: bytes) -> bool:
    return line.removeprefix(_bom).startswith(b"data:") or line.removeprefix(_bom) == b"data"


def _data(raw: bytes) -> bytes | None:
    if raw.startswith(b"data: ") and raw.find(b"\n") == len(raw) - 2 and b"\r" not in raw:
        return raw[6:-2]  # the shape of nearly every block
    parts = [line.partition(b":")[2].removeprefix(b" ") for line, _ in _split(raw) if _is_data(line)]
    return b"\n".join(parts) if parts else None
