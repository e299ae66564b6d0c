"""A JSON array that comes bit by bit, cut into its elements (Gemini streams so): ``[{...},\\r\\n{...}]``.

An element's record holds what stands in front of it, too: the bracket, the comma, white space. It comes out with the
element's last byte, a number or a word with the byte behind it. Elements are cut by their quotation marks and by how
deep the brackets go, whatever else they hold: whether one is JSON is seen when it is read. What is no array, or goes
on behind its end, is an error, and so is an array that is not closed: no client could read it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from proxy.framing.errors import FramingError
from proxy.framing.record import NO_FIELDS

_BACKSLASH = ord("\\")
_SPACE = b" \t\r\n"
_spaces = re.compile(rb"[ \t\r\n]*+").match
_spaces_at_start = re.compile(rb"[ \t\r\n\xef\xbb\xbf]*+").match  # a byte order mark is let pass
_structure = re.compile(rb'"[^"\\]*+"|["{}\[\]]').search  # a string that is here and simple, in one step
_begins_value = re.compile(rb'[-0-9A-Za-z"{\[]').match
_behind_scalar = re.compile(rb"[^-+.0-9A-Za-z]").search


class _At(Enum):
    """What has been read last."""

    START = "nothing"
    OPENED = "the opening bracket"
    INSIDE = "the beginning of an element"
    ELEMENT = "an element"
    COMMA = "a comma"
    CLOSED = "the closing bracket"


# What a byte between elements means, by what is in front of it; where a value may stand, anything else begins one.
_MARKS: Mapping[_At, Mapping[int, _At]] = {
    _At.START: {ord("["): _At.OPENED},
    _At.OPENED: {ord("]"): _At.CLOSED},
    _At.ELEMENT: {ord(","): _At.COMMA, ord("]"): _At.CLOSED},
    _At.COMMA: {},
    _At.CLOSED: {},
}


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its bytes as they came, with what stands in front of it, and its data. The array's end has none."""

    raw: bytes
    data: bytes | None
    fields: ClassVar[Mapping[str, str]] = NO_FIELDS

    def with_data(self, data: bytes) -> "Element":
        """The same element with other data; what stands in front of it stays."""
        return Element(self._before() + data, data)

    def copy(self, data: bytes) -> "Element":
        """An element like it, behind a comma and the white space that stands in front of this one."""
        before = self._before()
        space = before[len(before.rstrip(_SPACE)) :]
        if not space and b"," not in before:
            space = b"\r\n"  # the first one stands right behind the bracket; this is how Gemini goes on
        return Element(b"," + space + data, data)

    def _before(self) -> bytes:
        assert self.data is not None
        return self.raw[: len(self.raw) - len(self.data)]


class Splitter:
    """Bytes in, elements out."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = _At.START
        self._read = 0  # how much of the buffer has been read
        self._begun = 0  # where the element begins that is being read
        self._depth = 0
        self._quoted = False

    def feed(self, chunk: bytes) -> Iterator[Element]:
        """The elements that are whole now; behind them, what closes the array."""
        self._buffer += chunk
        return self._cut()

    def end(self) -> Iterator[Element]:
        """Nothing. Raises FramingError where the array is not closed."""
        if self._at is not _At.CLOSED:
            raise FramingError(f"the array breaks off behind {self._at.value}")
        return iter(())

    def _cut(self) -> Iterator[Element]:
        while self._read < len(self._buffer):
            if self._at is not _At.INSIDE:
                self._between()
            elif self._inside():
                self._at = _At.ELEMENT
                yield self._take(self._begun)
        if self._at is _At.CLOSED and self._buffer:
            yield self._take(self._read)

    def _take(self, begun: int) -> Element:
        raw = bytes(self._buffer[: self._read])
        del self._buffer[: self._read]
        self._read = 0
        return Element(raw, raw[begun:] or None)

    def _between(self) -> None:
        """Read white space and one mark, or up to the first byte of an element."""
        spaces = _spaces_at_start if self._at is _At.START else _spaces
        self._read = spaces(self._buffer, self._read).end()  # type: ignore[union-attr]  # it matches nothing at all, too
        if self._read == len(self._buffer):
            return
        mark = _MARKS[self._at].get(self._buffer[self._read])
        if mark is not None:
            self._at = mark
            self._read += 1
        elif self._at in (_At.OPENED, _At.COMMA) and _begins_value(self._buffer, self._read):
            self._at, self._begun = _At.INSIDE, self._read
        else:
            raise FramingError(f"not an array of JSON values: something else follows {self._at.value}")

    def _inside(self) -> bool:
        """Read on in an element; whether it is whole."""
        if self._buffer[self._begun] not in b'"{[':
            behind = _behind_scalar(self._buffer, self._read)
            self._read = behind.start() if behind else len(self._buffer)
            return behind is not None
        while self._read < len(self._buffer):
            if self._quoted:
                self._string()
            else:
                self._structure()
            if not self._quoted and not self._depth:
                return True
        return False

    def _string(self) -> None:
        """Read on behind the quotation mark that closes the string: the next one that no backslash escapes."""
        buffer, at = self._buffer, self._read
        while self._quoted:
            mark = buffer.find(b'"', at)
            if mark < 0:
                self._read = len(buffer)
                return
            first = mark
            while buffer[first - 1] == _BACKSLASH:
                first -= 1
            self._quoted = (mark - first) % 2 == 1
            at = mark + 1
        self._read = at

    def _structure(self) -> None:
        """Read on outside strings: to where the element ends, or into a string that has escapes or is not here yet."""
        buffer, at, depth = self._buffer, self._read, self._depth
        while True:
            found = _structure(buffer, at)
            if found is None:
                at = len(buffer)
                break
            at = found.end()
            token = found[0]
            if token == b"{" or token == b"[":
                depth += 1
            elif token == b"}" or token == b"]":
                depth -= 1
            elif token == b'"':
                self._quoted = True
                break
            if not depth:
                break
        self._read, self._depth = at, depth

    @property
    def size(self) -> int:
        """How many bytes have come in and are in no element yet."""
        return len(self._buffer)

    @property
    def rest(self) -> bytes:
        """What has come in and is in no element yet."""
        return bytes(self._buffer)
