"""PNG (W3C PNG, third edition): chunks, and the label among them.

Law: a chunk that carries no label is copied byte for byte, in its place. The label goes into an uncompressed ``iTXt``
chunk with the keyword ``XML:com.adobe.xmp`` (TC260-PG-20259A); ``AIGC`` text chunks and EXIF are read, never written.
A file is whole or it is an error: the CRC of every critical chunk and every frame holds, and ``IEND`` is there.
"""

import struct
import zlib
from dataclasses import dataclass, replace

from isal.isal_zlib import crc32

from proxy.label.aigc import KEYWORD, Aigc
from proxy.label.xmp import Statement
from proxy.media import apng, exif, raw_profile
from proxy.media.carriers import (
    Carrier,
    check_count,
    decoded,
    in_text,
    in_value,
    labels,
    one_packet,
    opens_label,
    xmp_carrier,
)
from proxy.media.errors import MediaError
from proxy.media.packed import inflated

TYPES: tuple[str, ...] = ("image/png", "image/apng", "image/vnd.mozilla.apng")

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_CHUNKS = 100_000

_XMP = "XML:com.adobe.xmp"
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
# How much of a compressed text is looked at before it is known to be worth more: bytes, and what they inflate to.
_PACKED_OPENING, _OPENING = 512, 64
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


@dataclass(frozen=True, slots=True)
class Header:
    """The IHDR chunk (section 11.2.1): sizes in pixels, ``depth`` in bits per sample, ``colour`` type 0, 2, 3, 4, 6."""

    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool

    @property
    def row_bytes(self) -> int:
        """The bytes of one row of pixels, without its filter byte."""
        return (self.width * self.depth * _CHANNELS[self.colour] + 7) // 8

    def sized(self, width: int, height: int) -> "Header":
        """The header that a picture of another size would have, all else the same."""
        return replace(self, width=width, height=height)

    def pack(self) -> bytes:
        """The chunk's data."""
        return struct.pack(">IIBBBBB", self.width, self.height, self.depth, self.colour, 0, 0, self.interlaced)


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: its type, its data, and all its bytes as they stand in the file."""

    kind: bytes
    data: memoryview
    whole: memoryview


def sniff(data: bytes) -> bool:
    """Whether the data begins with PNG's signature (section 5.2)."""
    return data.startswith(SIGNATURE)


def size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels, from the first 33 bytes."""
    header = _header(data)
    return header.width, header.height


def read(data: bytes) -> tuple[Aigc, ...]:
    """Every label: in XMP, in text chunks with the keyword AIGC, in EXIF."""
    return labels(carriers(data))


def carriers(data: bytes) -> list[Carrier]:
    """Every XMP packet; text chunks with the keyword AIGC and EXIF where they hold a label."""
    found: list[Carrier] = []
    for chunk in parse(data)[1]:
        if chunk.kind == b"eXIf":
            found += exif.carriers(bytes(chunk.data))
        elif _is_xmp(chunk):
            found.append(xmp_carrier(f"{chunk.kind.decode()} {_XMP}", _text(chunk)))
        elif label := _label(chunk):
            found.append(Carrier(f"{chunk.kind.decode()} {_keyword(chunk)}", label))
    return found


def write(data: bytes, statement: Statement) -> bytes:
    """The file with this label only; every pixel and every other chunk as it was, but C2PA manifests."""
    _, chunks, trailer = parse(data)
    old = [chunk for chunk in chunks if _is_xmp(chunk)]
    new = one_packet(statement, [_text(chunk) for chunk in old])
    places = dict(zip(map(id, old), new, strict=False))
    pieces: list[bytes | memoryview] = [SIGNATURE]
    for chunk in chunks:
        if id(chunk) in places:
            packet = places[id(chunk)]
            pieces.append(b"" if packet is None else xmp_chunk(packet))
        elif chunk.kind == b"eXIf":
            block = bytes(chunk.data)
            blank = exif.without_labels(block)
            pieces.append(chunk.whole if blank == block else chunk_bytes(b"eXIf", blank))
        elif chunk.kind != b"caBX" and not _is_label(chunk):
            pieces.append(chunk.whole)
        if chunk.kind == b"IHDR" and not old and new[0] is not None:
            pieces.append(xmp_chunk(new[0]))
    return b"".join([*pieces, trailer])


def has_manifest(data: bytes) -> bool:
    """Whether there is a C2PA manifest: a ``caBX`` chunk (C2PA 2.x, appendix A.3.3)."""
    return any(chunk.kind == b"caBX" for chunk in parse(data)[1])


def orientation(chunks: list[Chunk]) -> int:
    """How a viewer turns the picture, by its ``eXIf`` chunk: 1 to 8."""
    return next((exif.orientation(bytes(chunk.data)) for chunk in chunks if chunk.kind == b"eXIf"), 1)


def animation(header: Header, chunks: list[Chunk]) -> list[apng.Picture]:
    """The pictures of an animation, in the order of the file; none where the picture is still."""
    return apng.animation((header.width, header.height), [(chunk.kind, chunk.data) for chunk in chunks])


def parse(data: bytes) -> tuple[Header, list[Chunk], memoryview]:
    """The header, every chunk from IHDR to IEND, and whatever follows IEND. MediaError where the file is not whole."""
    header = _header(data)
    view = memoryview(data)
    chunks: list[Chunk] = []
    position = len(SIGNATURE)
    while not chunks or chunks[-1].kind != b"IEND":
        if len(view) < position + 12:
            raise MediaError("the PNG ends before its IEND chunk")
        length = int.from_bytes(view[position : position + 4])
        end = position + 12 + length
        if end > len(view):
            raise MediaError("the PNG ends inside a chunk")
        kind = bytes(view[position + 4 : position + 8])
        if len(chunks) >= MAX_CHUNKS or not kind.isalpha():
            raise MediaError("the PNG has a chunk with no name, or too many chunks")
        chunk = Chunk(kind, view[position + 8 : end - 4], view[position:end])
        # Bit 5 of the first letter is clear in critical chunks (section 5.4).
        needed = not kind[0] & 0x20 or kind in apng.CHUNKS
        if needed and crc32(view[position + 4 : end - 4]) != int.from_bytes(view[end - 4 : end]):
            raise MediaError(f"the PNG's {kind.decode()} chunk is damaged: its CRC does not match")
        chunks.append(chunk)
        position = end
    _check_order(header, [chunk.kind for chunk in chunks])
    animation(header, chunks)
    check_count(
        sum(
            chunk.kind == b"eXIf"
            or _is_xmp(chunk)
            or _is_named(chunk)
            or _is_profile(chunk)
            or _is_packed_object(chunk)
            for chunk in chunks
        )
    )
    return header, chunks, view[position:]


def chunk_bytes(kind: bytes, data: bytes) -> bytes:
    """A whole chunk with its length and CRC."""
    checksum = crc32(data, crc32(kind))
    return b"".join((len(data).to_bytes(4), kind, data, checksum.to_bytes(4)))


def xmp_chunk(packet: bytes) -> bytes:
    """An uncompressed iTXt chunk that holds an XMP packet (section 11.3.3.4)."""
    return chunk_bytes(b"iTXt", _XMP.encode() + b"\0\0\0\0\0" + packet)


def _header(data: bytes) -> Header:
    if not sniff(data):
        raise MediaError("not a PNG: the signature is missing")
    if len(data) < 33:
        raise MediaError("the PNG ends before its header does")
    length, kind, width, height, depth, colour, compression, filtering, interlace, checksum = struct.unpack_from(
        ">I4sIIBBBBBI", data, len(SIGNATURE)
    )
    if kind != b"IHDR" or length != 13 or crc32(data[12:29]) != checksum:
        raise MediaError("the PNG's header is damaged")
    if not (0 < width < 1 << 31 and 0 < height < 1 << 31):
        raise MediaError(f"the PNG's header gives an impossible size, {width} x {height}")
    if depth not in _DEPTHS.get(colour, ()) or compression or filtering or interlace > 1:
        raise MediaError("the PNG's header gives a form that the standard does not know")
    return Header(width, height, depth, colour, bool(interlace))


def _check_order(header: Header, kinds: list[bytes]) -> None:
    known = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
    critical = [kind for kind in kinds if not kind[0] & 0x20]
    if unknown := set(critical) - known:
        raise MediaError(f"the PNG has a critical chunk that the standard does not know, {min(unknown).decode()}")
    pictures = critical.count(b"IDAT")
    palette = [b"PLTE"] * critical.count(b"PLTE")
    if not pictures or critical != [b"IHDR", *palette, *[b"IDAT"] * pictures, b"IEND"]:
        raise MediaError("the PNG's chunks are not in the order that the standard asks for")
    first = kinds.index(b"IDAT")
    if kinds[first : first + pictures] != [b"IDAT"] * pictures:
        raise MediaError("the PNG's IDAT chunks are not together")
    if len(palette) > 1 or (header.colour == 3 and not palette) or (header.colour in (0, 4) and palette):
        raise MediaError("the PNG's palette is missing, repeated or out of place")


def _keyword(chunk: Chunk) -> str:
    """The keyword of a text chunk, empty for any other."""
    if chunk.kind not in (b"tEXt", b"zTXt", b"iTXt"):
        return ""
    return bytes(chunk.data[:80]).partition(b"\0")[0].decode("latin-1")


def _is_xmp(chunk: Chunk) -> bool:
    return _keyword(chunk) == _XMP


def _is_named(chunk: Chunk) -> bool:
    """Whether the keyword contains AIGC, as GB 45438 Appendix E a) asks."""
    return KEYWORD in _keyword(chunk).upper()


def _is_profile(chunk: Chunk) -> bool:
    return _keyword(chunk) in raw_profile.KEYWORDS


def _is_label(chunk: Chunk) -> bool:
    return _keyword(chunk).upper() == KEYWORD or bool(_label(chunk))


def _label(chunk: Chunk) -> tuple[Aigc, ...]:
    """The labels in a text chunk, whether or not its keyword tells."""
    if _is_named(chunk):
        text = decoded(_text(chunk))
        return in_text(text) or in_value(text)
    if _is_profile(chunk):
        return raw_profile.in_profile(_text(chunk))
    if _is_xmp(chunk) or not _keyword(chunk) or (_is_compressed(chunk) and not _is_packed_object(chunk)):
        return ()
    return in_text(decoded(_text(chunk)))


def _is_compressed(chunk: Chunk) -> bool:
    return chunk.kind == b"zTXt" or (chunk.kind == b"iTXt" and bytes(chunk.data[:81]).partition(b"\0")[2][:1] == b"\1")


def _is_packed_object(chunk: Chunk) -> bool:
    """Whether a compressed text begins as a label would: only then, and not too often in a file, is it inflated."""
    if not _keyword(chunk) or not _is_compressed(chunk):
        return False
    try:
        opening = zlib.decompressobj().decompress(_stored(chunk)[:_PACKED_OPENING], _OPENING)
    except zlib.error:
        return False
    return opens_label(decoded(opening))


def _text(chunk: Chunk) -> bytes:
    """The text of a text chunk, inflated; empty where it is damaged or over 1 MiB."""
    stored = _stored(chunk)
    return inflated(stored) if _is_compressed(chunk) else stored


def _stored(chunk: Chunk) -> bytes:
    """The text of a text chunk as it stands there, compressed or not."""
    _, _, rest = bytes(chunk.data).partition(b"\0")
    if chunk.kind == b"zTXt":
        return rest[1:]
    return rest[2:].split(b"\0", 2)[-1] if chunk.kind == b"iTXt" else rest
