"""Content codings (RFC 9110 section 8.4) undone as bytes come, in pieces of bounded size.

The law: the pieces join to what the encoder was given, at any cut; a corrupt or cut coding is a CodingError, never a
shorter text; no input makes a piece longer than ``PIECE`` bytes, so that a bomb is met by the bound of whoever reads.
"""

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import brotli

from proxy.labelling.errors import Blocked, CodingError, LabellingError, Swollen

if sys.version_info >= (3, 14):  # pragma: no cover
    from compression.zstd import ZstdDecompressor, ZstdError
else:
    from backports.zstd import ZstdDecompressor, ZstdError

PIECE = 256 * 1024
MOST = 4  # codings on top of each other: one is usual, two are seen, and each costs a window of memory
SUPPORTED = (b"gzip", b"x-gzip", b"deflate", b"br", b"zstd")


class Decoder(Protocol):
    """One coding undone; ``end`` raises CodingError where the coded data is cut off."""

    def feed(self, data: bytes) -> Iterator[bytes]: ...

    def end(self) -> None: ...


def decoders(content_encoding: bytes) -> tuple[Decoder, ...]:
    """What undoes a Content-Encoding value, in the order in which to run it; empty for ``identity`` or none.

    Raises LabellingError for a coding that is not supported.
    """
    if not content_encoding:
        return ()
    names = [name.strip().lower() for name in content_encoding.split(b",")]
    names = [name for name in names if name not in (b"", b"identity")]
    if len(names) > MOST:
        raise LabellingError(f"the content is coded {len(names)} times over")
    return tuple(map(_decoder, reversed(names)))


def decode(chain: tuple[Decoder, ...], data: bytes) -> Iterator[bytes]:
    """Pass ``data`` through the chain, piece by piece."""
    if not chain:
        if data:
            yield data
        return
    for piece in chain[0].feed(data):
        yield from decode(chain[1:], piece)


def undone(chain: tuple[Decoder, ...], data: bytes, limit: int, take: Callable[[int], None] | None = None) -> bytes:
    """What ``data`` decodes to; ``take`` is told of each piece's length in bytes before it is kept. Raises CodingError,
    and Swollen for more than ``limit`` bytes."""
    if not chain:
        return data
    parts: list[bytes] = []
    size = 0
    for piece in decode(chain, data):
        size += len(piece)
        if size > limit:
            raise Swollen
        if take is not None:
            take(len(piece))
        parts.append(piece)
    return b"".join(parts)


def undone_piece(chain: tuple[Decoder, ...], data: bytes, limit: int) -> bytes:
    """What one piece of an answer decodes to. Raises CodingError, and Blocked for a bomb: what decodes to more than
    ``limit`` bytes can neither be labelled nor passed on."""
    try:
        return undone(chain, data, limit)
    except Swollen:
        raise Blocked(f"a piece of the answer decodes to more than {limit} bytes") from None


def _decoder(name: bytes) -> Decoder:
    match name:
        case b"gzip" | b"x-gzip":
            return _Gzip()
        case b"deflate":
            return _Deflate()
        case b"br":
            return _Brotli()
        case b"zstd":
            return _Zstd()
    raise LabellingError(f"the content's coding {name.decode('ascii', 'replace')!r} cannot be decoded")


class _Gzip:
    """RFC 1952: one or more members."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._member.eof:
                # Members may be padded with zeros (RFC 1952 does not say so; gzip has always done it).
                data = data.lstrip(b"\0")
                if not data:
                    return
                self._member, self._begun = zlib.decompressobj(wbits=31), False
            self._begun = True
            try:
                piece = self._member.decompress(data, PIECE)
            except zlib.error as error:
                raise CodingError(f"the content's gzip coding is corrupt: {error}") from None
            if piece:
                yield piece
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail

    def end(self) -> None:
        if self._begun and not self._member.eof:
            raise CodingError("the content's gzip coding is cut off")


class _Deflate:
    """``deflate`` is the zlib format (RFC 9110 section 8.4.1.2); some servers send it bare, and clients accept that."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj()
        self._first = b""
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        if not self._begun:
            data = self._first + data
            if len(data) < 2:
                self._first = data
                return
            self._begun = True
            if not (data[0] & 0x0F == 8 and int.from_bytes(data[:2]) % 31 == 0):
                self._stream = zlib.decompressobj(wbits=-15)
        more = bool(data)
        while more:
            if self._stream.eof:
                raise CodingError("something follows the content's deflate coding")
            try:
                piece = self._stream.decompress(data, PIECE)
            except zlib.error as error:
                raise CodingError(f"the content's deflate coding is corrupt: {error}") from None
            if piece:
                yield piece
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            # Without a trailer, all input may be taken in while the end of a long match is still to come out.
            more = bool(data) or (len(piece) == PIECE and not self._stream.eof)

    def end(self) -> None:
        if (self._begun or self._first) and not self._stream.eof:
            raise CodingError("the content's deflate coding is cut off")


class _Brotli:
    """RFC 7932."""

    def __init__(self) -> None:
        self._stream = brotli.Decompressor()
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._begun = self._begun or bool(data)
        while True:
            try:
                # The library rounds the limit up to its next block, and holds output back even where it says that it
                # can accept more data: only an empty piece tells that nothing is left.
                piece = self._stream.process(data, output_buffer_limit=PIECE // 2)
            except brotli.error as error:
                raise CodingError(f"the content's br coding is corrupt: {error}") from None
            if not piece:
                return
            data = b""
            for at in range(0, len(piece), PIECE):
                yield piece[at : at + PIECE]

    def end(self) -> None:
        if self._begun and not self._stream.is_finished():
            raise CodingError("the content's br coding is cut off")


class _Zstd:
    """RFC 8878: one or more frames."""

    def __init__(self) -> None:
        self._frame = ZstdDecompressor()
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data or not (self._frame.needs_input or self._frame.eof):
            if self._frame.eof:
                self._frame, self._begun = ZstdDecompressor(), False
            self._begun = True
            try:
                piece = self._frame.decompress(data, PIECE)
            except ZstdError as error:
                raise CodingError(f"the content's zstd coding is corrupt: {error}") from None
            data = self._frame.unused_data if self._frame.eof else b""
            if piece:
                yield piece

    def end(self) -> None:
        if self._begun and not self._frame.eof:
            raise CodingError("the content's zstd coding is cut off")
