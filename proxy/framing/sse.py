"""Server-sent events (WHATWG HTML, section 9.2): a stream cut into blocks, and a block with other data in its own style.

The laws: the raw bytes of all blocks join to the stream, at any pair of cut points; the data of the blocks does not
depend on the cut points; a block comes out as soon as its blank line is there, never later. A line ends with CR, LF
or CRLF. A stream that ends without a blank line yields its last block at ``end``: clients read it (the standard says
to drop it), so a label must reach it.
"""

import re
from dataclasses import dataclass

from proxy.framing.errors import FramingError

_blank_line = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)").search
_lines = re.compile(rb"([^\r\n]*)(\r\n|\n|\r|\Z)").finditer
_bom = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a stream: its bytes as they came, blank line included, and its data (None where it has no data line)."""

    raw: bytes
    data: bytes | None

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
                name = line[: line.index(b"data")] + (b"data: " if line.partition(b":")[2].startswith(b" ") else b"data:")
                for part in data.split(b"\n"):
                    out += (name, part, ending or b"\n")
                if not ending:
                    out.pop()
        return Block(b"".join(out), data)


class Splitter:
    """Bytes in, blocks out; ``limit`` bounds one block, in bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = b""
        self._searched = 0

    def feed(self, chunk: bytes) -> list[Block]:
        """The blocks that are whole now. Raises FramingError where a block is longer than the limit."""
        rest = self._rest + chunk if self._rest else chunk
        blocks: list[Block] = []
        at = 0
        match = _blank_line(rest, max(self._searched - 3, 0))
        while match and not (match.end() == len(rest) and rest.endswith(b"\n\r")):  # half a CRLF: its LF belongs to the block
            raw = rest[at : match.end()]
            at = match.end()
            self._bound(len(raw))
            blocks.append(Block(raw, _data(raw)))
            match = _blank_line(rest, at)
        self._rest = rest[at:]
        self._searched = len(self._rest)
        self._bound(self._searched)
        return blocks

    def end(self) -> list[Block]:
        """The block that the stream ended in, if any."""
        raw, self._rest, self._searched = self._rest, b"", 0
        return [Block(raw, _data(raw))] if raw else []

    def _bound(self, size: int) -> None:
        if size > self._limit:
            raise FramingError(f"a record of the stream is longer than {self._limit} bytes")

    @property
    def rest(self) -> bytes:
        """What has come in and is in no block yet."""
        return self._rest


def _split(raw: bytes) -> list[tuple[bytes, bytes]]:
    return [(match[1], match[2]) for match in _lines(raw) if match[0]]


def _is_data(line: bytes) -> bool:
    return line.removeprefix(_bom).startswith(b"data:") or line.removeprefix(_bom) == b"data"


def _data(raw: bytes) -> bytes | None:
    if raw.startswith(b"data: ") and raw.find(b"\n") == len(raw) - 2 and b"\r" not in raw:
        return raw[6:-2]  # the shape of nearly every block
    parts = [line.partition(b":")[2].removeprefix(b" ") for line, _ in _split(raw) if _is_data(line)]
    return b"\n".join(parts) if parts else None
