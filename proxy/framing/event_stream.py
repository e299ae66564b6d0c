"""``application/vnd.amazon.eventstream``, the binary framing of Amazon's streams: cut into messages, and written.

A message is its length and that of its headers (each four bytes, big-endian), the CRC-32 of these, the headers, the
payload, and the CRC-32 of all. A length is believed only where its checksum is right and it is no longer than any that
AWS sends: 128 KiB of headers, 24 MiB in all. A stream that ends inside a message is broken: no client reads half of
one.

What a model says in its own words on Bedrock (InvokeModelWithResponseStream) comes in messages of the type ``chunk``:
a JSON object with the model's JSON in ``bytes``, in base64. There the data is the model's JSON. Its neighbour ``p`` is
padding, and stays.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from struct import Struct
from types import MappingProxyType
from typing import Final
from zlib import crc32

from proxy.framing.errors import FramingError
from proxy.framing.json_text import Path, cut, parse, spans

_LONGEST: Final = 24 << 20
_LONGEST_HEADERS: Final = 128 << 10
_PRELUDE: Final = 12  # bytes: two lengths and their checksum
_AROUND: Final = _PRELUDE + 4  # with the message's checksum, at its end

_lengths = Struct(">II")
_number = Struct(">I")
_short = Struct(">H")

_WRAPPED: Final[Path] = ("bytes",)

_STRING: Final = 7
# How many bytes a header's value has, by its type: true, false, byte, short, integer, long, timestamp, uuid.
_SIZES: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
_COUNTED: Final = (6, _STRING)  # bytes and strings: their length, in two bytes, stands in front


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its bytes as they came, its payload or what is wrapped in it, and those of its headers that are
    strings and begin with a colon (``:event-type``, ``:message-type``)."""

    raw: bytes
    data: bytes | None
    fields: Mapping[str, str]

    def with_data(self, data: bytes) -> "Message":
        """The same message with other data: headers, and what is beside wrapped data, stay; the checksums are new."""
        headers, payload = _parts(self.raw)
        if _wrapped(payload, self.fields) is None:
            payload = data
        else:
            start, end = spans(payload, [_WRAPPED])[_WRAPPED]
            payload = b"".join(cut(payload, [(start, end, b'"%b"' % b64encode(data))]))
        return Message(_message(headers, payload), data, self.fields)

    def copy(self, data: bytes) -> "Message":
        """A message like it: what stands in front of one does not matter."""
        return self.with_data(data)


class Splitter:
    """Bytes in, messages out."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> Iterator[Message]:
        """The messages that are whole now."""
        self._buffer += chunk
        return self._cut()

    def end(self) -> Iterator[Message]:
        """Nothing. Raises FramingError where the stream ended inside a message."""
        if self._buffer:
            raise FramingError("the stream breaks off inside a message")
        return iter(())

    def _cut(self) -> Iterator[Message]:
        while len(self._buffer) >= _PRELUDE:
            size = _size(self._buffer)
            if len(self._buffer) < size:
                return
            message = _read(bytes(self._buffer[:size]))
            del self._buffer[:size]
            yield message

    @property
    def size(self) -> int:
        """How many bytes have come in and are in no message yet."""
        return len(self._buffer)

    @property
    def rest(self) -> bytes:
        """What has come in and is in no message yet."""
        return bytes(self._buffer)


def encode(headers: Mapping[str, str], payload: bytes) -> bytes:
    """A message with these headers, all of them strings. Raises FramingError where something is too long."""
    out: list[bytes] = []
    for name, value in headers.items():
        spelled, text = name.encode(), value.encode()
        if not 0 < len(spelled) < 1 << 8 or len(text) >= 1 << 15:
            raise FramingError("a header of the message is too long")
        out += (bytes([len(spelled)]), spelled, bytes([_STRING]), _short.pack(len(text)), text)
    return _message(b"".join(out), payload)


def _message(headers: bytes, payload: bytes) -> bytes:
    size = _AROUND + len(headers) + len(payload)
    if len(headers) > _LONGEST_HEADERS or size > _LONGEST:
        raise FramingError("the message is longer than any that may be sent")
    lengths = _lengths.pack(size, len(headers))
    message = b"".join((lengths, _number.pack(crc32(lengths)), headers, payload))
    return message + _number.pack(crc32(message))


def _size(buffer: bytearray) -> int:
    """How long the message is that the buffer begins with, by a prelude that holds."""
    size, headers = _lengths.unpack_from(buffer)
    if crc32(buffer[: _lengths.size]) != _number.unpack_from(buffer, _lengths.size)[0]:
        raise FramingError("the checksum of a message's lengths is wrong")
    if size > _LONGEST or headers > _LONGEST_HEADERS or size < _AROUND + headers:
        raise FramingError("the length of a message is wrong")
    return int(size)


def _read(raw: bytes) -> Message:
    if crc32(raw[:-4]) != _number.unpack_from(raw, len(raw) - 4)[0]:
        raise FramingError("the checksum of a message is wrong")
    headers, payload = _parts(raw)
    fields = MappingProxyType(_fields(headers))
    wrapped = _wrapped(payload, fields)
    return Message(raw, (payload if wrapped is None else wrapped) or None, fields)


def _parts(raw: bytes) -> tuple[bytes, bytes]:
    """The headers and the payload of a message that is whole."""
    end = _PRELUDE + _lengths.unpack_from(raw)[1]
    return raw[_PRELUDE:end], raw[end:-4]


def _wrapped(payload: bytes, fields: Mapping[str, str]) -> bytes | None:
    """What is wrapped in the payload; None where it stands for itself."""
    if fields.get(":event-type") != "chunk":
        return None
    holder = parse(payload)
    text = holder.get("bytes") if isinstance(holder, dict) else None
    if not isinstance(text, str):
        return None
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise FramingError("the bytes of a chunk are not base64") from None


def _fields(headers: bytes) -> dict[str, str]:
    """The headers that are strings and begin with a colon; the others are stepped over."""
    fields: dict[str, str] = {}
    names: set[bytes] = set()
    at = 0
    while at < len(headers):
        name = headers[at + 1 : at + 1 + headers[at]]
        at += 1 + headers[at]
        kind = headers[at] if at < len(headers) else -1
        at += 1
        if kind in _COUNTED:
            at += 2
            size = int.from_bytes(headers[at - 2 : at], "big")
        else:
            size = _SIZES.get(kind, -1)
        value = headers[at : at + size]
        at += size
        if size < 0 or at > len(headers) or name in names:
            raise FramingError("the headers of a message are not what they should be")
        names.add(name)
        if kind == _STRING and name.startswith(b":"):
            fields[_text(name)] = _text(value)
    return fields


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise FramingError("a header of a message is not UTF-8") from None
