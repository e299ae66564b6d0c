"""Server-sent events (WHATWG HTML, section 9.2): a stream cut into blocks, and a block with other data in its style.

The laws: the raw bytes of all blocks join to the stream, at any pair of cut points; the data of the blocks does not
depend on the cut points; a block comes out as soon as its blank line is there, never later. A line ends with CR, LF
or CRLF. A stream that ends without a blank line yields its last block at ``end``: clients read it (the standard says
to drop it), so a label must reach it.
"""

import re
from dataclasses import dataclass

_blank_line = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)").search
_lines = re.compile(rb"([^\r\n]*)(\r\n|\n|\r|\Z)").finditer
_bom = b"\xef\xbb\xbf"
_BEGUN = 3  # as much of a blank line (CRLF CRLF) as can be there before its last byte


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a stream: its bytes as they came, blank line included, and its data (None without a data line)."""

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
                spaced = line.partition(b":")[2].startswith(b" ")
                name = line[: line.index(b"data")] + (b"data: " if spaced else b"data:")
                for part in data.split(b"\n"):
                    out += (name, part, ending or b"\n")
                if not ending:
                    out.pop()
        return Block(b"".join(out), data)


class Splitter:
    """Bytes in, blocks out, in time that grows with the bytes and not with the chunks that they come in.

    Nothing is bounded here: what is kept is ``size`` bytes long, and whoever feeds decides how much that may be.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._tail = b""  # the last bytes kept: a blank line may have begun in them

    def feed(self, chunk: bytes) -> list[Block]:
        """The blocks that are whole now."""
        rest, searched = chunk, 0
        if self._parts:
            self._parts.append(chunk)
            window = self._tail + chunk
            if _blank_line(window) is None:
                self._size += len(chunk)
                self._tail = window[-_BEGUN:]
                return []
            rest, searched = b"".join(self._parts), self._size
        blocks: list[Block] = []
        at = 0
        match = _blank_line(rest, max(searched - _BEGUN, 0))
        while match and not (match.end() == len(rest) and rest.endswith(b"\n\r")):  # half a CRLF: its LF belongs here
            raw = rest[at : match.end()]
            at = match.end()
            blocks.append(Block(raw, _data(raw)))
            match = _blank_line(rest, at)
        self._keep(rest[at:])
        return blocks

    def end(self) -> list[Block]:
        """The block that the stream ended in, if any."""
        raw = self.rest
        self._keep(b"")
        return [Block(raw, _data(raw))] if raw else []

    def _keep(self, rest: bytes) -> None:
        self._parts = [rest] if rest else []
        self._size = len(rest)
        self._tail = rest[-_BEGUN:]

    @property
    def size(self) -> int:
        """How many bytes have come in and are in no block yet."""
        return self._size

    @property
    def rest(self) -> bytes:
        """What has come in and is in no block yet."""
        return b"".join(self._parts)


def _split(raw: bytes) -> list[tuple[bytes, bytes]]:
    return [(match[1], match[2]) for match in _lines(raw) if match[0]]


def _is_data(line: bytes) -> bool:
    return line.removeprefix(_bom).startswith(b"data:") or line.removeprefix(_bom) == b"data"


def _data(raw: bytes) -> bytes | None:
    if raw.startswith(b"data: ") and raw.find(b"\n") == len(raw) - 2 and b"\r" not in raw:
        return raw[6:-2]  # the shape of nearly every block
    parts = [line.partition(b":")[2].removeprefix(b" ") for line, _ in _split(raw) if _is_data(line)]
    return b"\n".join(parts) if parts else None
