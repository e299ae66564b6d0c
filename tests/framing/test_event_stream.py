"""Messages of Amazon's event streams: the format, byte by byte, and what is believed."""

from struct import pack
from zlib import crc32

import pytest

from proxy.framing.errors import FramingError
from proxy.framing.event_stream import Message, Splitter, encode

# The smallest message, as the smithy test vectors have it: no header, no payload.
EMPTY = bytes.fromhex("000000100000000005c248eb7d98c8ff")
# A message with one string header and a payload, from the same vectors.
JSON = bytes.fromhex(
    "0000003d0000002007fd83960c636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e"
    "7b27666f6f273a27626172277d8d9c08b1"
)
EVERY_TYPE = b"".join(
    bytes([len(name)]) + name + value
    for name, value in [
        (b":true", b"\x00"),
        (b":false", b"\x01"),
        (b":byte", b"\x02\xff"),
        (b":short", b"\x03\xff\xff"),
        (b":integer", b"\x04" + b"\xff" * 4),
        (b":long", b"\x05" + b"\xff" * 8),
        (b":bytes", b"\x06\x00\x03\xff\xfe\xfd"),
        (b":string", b"\x07\x00\x03" + "字".encode()),
        (b":timestamp", b"\x08" + b"\xff" * 8),
        (b":uuid", b"\x09" + b"\xff" * 16),
        (b"plain", b"\x07\x00\x01x"),
        (b":event-type", b"\x07\x00\x01e"),
    ]
)


def framed(headers: bytes, payload: bytes = b"", *, size: int = 0, headers_size: int | None = None) -> bytes:
    """A message written by hand, with lengths that may be false and checksums that are right."""
    size = size or 16 + len(headers) + len(payload)
    lengths = pack(">II", size, len(headers) if headers_size is None else headers_size)
    message = lengths + pack(">I", crc32(lengths)) + headers + payload
    return message + pack(">I", crc32(message))


def only(raw: bytes) -> Message:
    splitter = Splitter()
    (message,) = [*splitter.feed(raw), *splitter.end()]
    return message


def test_the_published_vectors() -> None:
    assert encode({}, b"") == EMPTY
    assert encode({"content-type": "application/json"}, b"{'foo':'bar'}") == JSON
    assert (None, {}) == (only(EMPTY).data, only(EMPTY).fields)
    assert (b"{'foo':'bar'}", {}) == (only(JSON).data, only(JSON).fields)


def test_headers_of_every_type_are_read_and_stay() -> None:
    message = only(framed(EVERY_TYPE, b"{}"))
    assert {":string": "字", ":event-type": "e"} == message.fields
    assert framed(EVERY_TYPE, b"[1]") == message.with_data(b"[1]").raw == message.copy(b"[1]").raw


@pytest.mark.parametrize("at", range(len(JSON)))
def test_a_wrong_bit_anywhere_is_found(at: int) -> None:
    wrong = bytearray(JSON)
    wrong[at] ^= 1
    with pytest.raises(FramingError):
        only(bytes(wrong))


@pytest.mark.parametrize(
    "lengths",
    [
        (15, 0),
        (0, 0),
        (16, 1),
        (20, 5),
        ((24 << 20) + 1, 0),
        (0xFFFFFFFF, 0),
        (1 << 20, (128 << 10) + 1),
        (16, 0xFFFFFFFF),
    ],
)
def test_a_length_that_cannot_be_is_not_waited_for(lengths: tuple[int, int]) -> None:
    prelude = pack(">II", *lengths)
    splitter = Splitter()
    assert not [*splitter.feed(prelude + pack(">I", crc32(prelude))[:3])]
    with pytest.raises(FramingError):
        [*splitter.feed(pack(">I", crc32(prelude))[3:])]


@pytest.mark.parametrize(
    "headers",
    [
        b"\x05:name",
        b"\x05:nam",
        b"\x01a\x07",
        b"\x01a\x07\x00",
        b"\x01a\x07\x00\x02x",
        b"\x01a\x04\x00",
        b"\x01a\x0a",
        b"\x01a\x00\x01a\x00",
        b"\x02:a\x07\x00\x01\xff",
        b"\x02:\xff\x07\x00\x01a",
    ],
)
def test_broken_headers(headers: bytes) -> None:
    with pytest.raises(FramingError):
        only(framed(headers))


def test_a_stream_that_ends_inside_a_message_is_broken() -> None:
    for end in range(1, len(JSON)):
        splitter = Splitter()
        assert not [*splitter.feed(JSON[:end])]
        with pytest.raises(FramingError):
            splitter.end()
        assert splitter.rest == JSON[:end]


CHUNK = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}


def test_a_chunk_holds_the_models_own_words_in_base64() -> None:
    message = only(encode(CHUNK, b'{ "bytes":"eyJhIjogMX0=" , "p" : "a\\u0062c", "n":1.0}'))
    assert message.data == b'{"a": 1}'
    assert message.with_data(b'{"a":22}').raw == encode(
        CHUNK, b'{ "bytes":"eyJhIjoyMn0=" , "p" : "a\\u0062c", "n":1.0}'
    )
    again = only(message.copy("é?>".encode()).raw)
    assert again.data == "é?>".encode()


@pytest.mark.parametrize(
    ("headers", "payload"),
    [
        (CHUNK, b'{"byte":"eyJ9"}'),
        (CHUNK, b'{"bytes":1}'),
        (CHUNK, b'["bytes"]'),
        ({":event-type": "contentBlockDelta"}, b'{"bytes":"eyJ9"}'),
        ({":message-type": "exception", ":exception-type": "throttlingException"}, b'{"message":"slow down"}'),
    ],
)
def test_other_payloads_stand_for_themselves(headers: dict[str, str], payload: bytes) -> None:
    message = only(encode(headers, payload))
    assert (payload, headers) == (message.data, dict(message.fields))
    assert encode(headers, b"{}") == message.with_data(b"{}").raw


@pytest.mark.parametrize(
    "payload", [b'{"bytes":"e"}', b'{"bytes":"eyJ9\\n"}', b'{"bytes":"\xc3\xa9"}', b"{", b'"\xff"']
)
def test_a_chunk_that_cannot_be_read_is_broken(payload: bytes) -> None:
    with pytest.raises(FramingError):
        only(encode(CHUNK, payload))


def test_what_is_too_long_is_not_written() -> None:
    message = only(encode({":a": "b"}, b"{}"))
    for write in (message.with_data, message.copy):
        with pytest.raises(FramingError):
            write(b"x" * (24 << 20))
    for headers in ({"n" * 256: ""}, {"": ""}, {"n": "v" * (1 << 15)}, {f"{n}": "v" * 32_000 for n in range(5)}):
        with pytest.raises(FramingError):
            encode(headers, b"")
