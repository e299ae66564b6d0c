"""JPEG XL (ISO/IEC 18181): the label in the ``xml `` box of its container.

Law: the codestream is not touched; a box that carries no label is copied byte for byte, in its order. A bare codestream
gets a container around it, since it has no place for a label. The label stands in an XMP packet, before the codestream
where it is new; compressed metadata (``brob``) and EXIF are read, never written.

TC260-PG-20259A does not name JPEG XL. What a ``jbrd`` box would make again is the JPEG that the picture was before, its
label missing or older: that box goes.
"""

from typing import NamedTuple

from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement
from proxy.media import exif
from proxy.media.boxes import Box, box, walk
from proxy.media.carriers import Carrier, check_count, labels, one_packet, xmp_carrier
from proxy.media.errors import MediaError
from proxy.media.packed import brotli_opening, from_brotli

TYPES: tuple[str, ...] = ("image/jxl",)

CODESTREAM = b"\xff\x0a"
SIGNATURE = box(b"JXL ", b"\r\n\x87\n")

_FTYP = box(b"ftyp", b"jxl \0\0\0\0jxl ")
_WHOLE, _PART, _XMP, _EXIF, _PACKED, _JUMBF, _JPEG = (
    b"jxlc", b"jxlp", b"xml ", b"Exif", b"brob", b"jumb", b"jbrd",
)  # fmt: skip
_OFFSET = 4  # bytes before an EXIF block: where in what follows the TIFF header stands (part 2, clause 9.5)
_LAST = 1 << 31  # set in the number of the last part of a codestream
_NAMED = 12  # bytes of a JUMBF box that say whose it is
_HEADER = 16  # bytes: more than the sizes of a codestream take
# How a size is written: so many bits, by a number of two bits (part 1, clause 9.2.6); and width by height.
_LENGTHS = (9, 13, 18, 30)
_RATIOS = ((1, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


class Held(NamedTuple):
    """A box of the container with what it holds: its type and contents, unpacked where they were compressed."""

    box: Box
    kind: bytes
    content: bytes


def sniff(data: bytes) -> bool:
    """Whether the data begins with a codestream's or the container's signature."""
    return data.startswith((CODESTREAM, SIGNATURE))


def size(data: bytes) -> tuple[int, int]:
    """Width and height in stored pixels, from the codestream's header (part 1, clause A.3)."""
    bits = _Bits(_start(data))
    small = bits.number(1)
    height = bits.small() if small else bits.length()
    ratio = bits.number(3)
    if ratio:
        across, down = _RATIOS[ratio]
        return max(1, height * across // down), height
    return (bits.small() if small else bits.length()), height


def read(data: bytes) -> tuple[Aigc, ...]:
    """Every label: in XMP, in EXIF."""
    return labels(carriers(data))


def carriers(data: bytes) -> list[Carrier]:
    """Every XMP packet; EXIF where it holds a label."""
    found: list[Carrier] = []
    for held in parse(data):
        packed = " in brob" if held.box.kind == _PACKED else ""
        if held.kind == _XMP:
            found.append(xmp_carrier(f"xml box{packed}", held.content))
        elif held.kind == _EXIF:
            found += exif.carriers(_block(held.content)[1])
    return found


def write(data: bytes, statement: Statement) -> bytes:
    """The file with this label only, in a container; the codestream and every other box as it was.

    C2PA manifests go, and what would make a JPEG of the picture again.
    """
    boxes = parse(data)
    old = [held for held in boxes if held.kind == _XMP]
    packets = iter(one_packet(statement, [held.content for held in old]))
    pieces: list[bytes] = [] if boxes else [SIGNATURE, _FTYP, _boxed(next(packets)), box(_WHOLE, data)]
    for held in boxes:
        if not old and held.kind in (_WHOLE, _PART):
            pieces.extend(map(_boxed, packets))
        if held.kind == _XMP:
            pieces.append(_boxed(next(packets)))
        elif held.kind == _EXIF:
            before, block = _block(held.content)
            blank = exif.without_labels(block)
            pieces.append(_whole(data, held) if blank == block else box(_EXIF, before, blank))
        elif held.kind != _JPEG and not _is_manifest(held):
            pieces.append(_whole(data, held))
    return b"".join(pieces)


def has_manifest(data: bytes) -> bool:
    """Whether there is a C2PA manifest: a JUMBF box of C2PA's (C2PA 2.x, appendix A.3)."""
    return any(map(_is_manifest, parse(data)))


def parse(data: bytes) -> list[Held]:
    """The container's boxes; none where the file is a bare codestream. MediaError where it is not whole."""
    size(data)
    if data.startswith(CODESTREAM):
        return []
    boxes = list(walk(data))
    kinds = [found.kind for found in boxes]
    if kinds[1:2] != [b"ftyp"] or kinds.count(_WHOLE) + (_PART in kinds) != 1:
        raise MediaError("the JPEG XL container does not hold one codestream behind its ftyp box")
    numbers = [int.from_bytes(data[found.body : found.body + 4]) for found in boxes if found.kind == _PART]
    if numbers and numbers != [*range(len(numbers) - 1), len(numbers) - 1 | _LAST]:
        raise MediaError("the JPEG XL container's codestream lacks a part")
    check_count(sum(kind in (_XMP, _EXIF, _PACKED) for kind in kinds))
    return [_held(data, found) for found in boxes]


def _held(data: bytes, found: Box) -> Held:
    if found.kind != _PACKED:
        # Only metadata is looked into.
        read = found.kind in (_XMP, _EXIF, _JUMBF)
        return Held(found, found.kind, data[found.body : found.end] if read else b"")
    kind, packed = data[found.body : found.body + 4], data[found.body + 4 : found.end]
    return Held(found, kind, brotli_opening(packed, _NAMED) if kind == _JUMBF else from_brotli(packed))


def _whole(data: bytes, held: Held) -> bytes:
    return data[held.box.start : held.box.end]


def _boxed(packet: bytes | None) -> bytes:
    return b"" if packet is None else box(_XMP, packet)


def _block(content: bytes) -> tuple[bytes, bytes]:
    """What stands before the TIFF header in an EXIF box, and the block from there."""
    start = _OFFSET + int.from_bytes(content[:_OFFSET])
    return content[:start], content[start:]


def _is_manifest(held: Held) -> bool:
    """Other JUMBF boxes are somebody else's (ISO 19566-5); the description box comes first."""
    return held.kind == _JUMBF and held.content[4:_NAMED] == b"jumdc2pa"


def _start(data: bytes) -> bytes:
    """The first bytes of the codestream, behind its signature."""
    if data.startswith(CODESTREAM):
        return data[2 : 2 + _HEADER]
    if not data.startswith(SIGNATURE):
        raise MediaError("not a JPEG XL: the signature is missing")
    for found in walk(data):
        if found.kind in (_WHOLE, _PART):
            start = found.body + (4 if found.kind == _PART else 0)
            if data[start : start + 2] == CODESTREAM and start + 2 <= found.end:
                return data[start + 2 : min(start + 2 + _HEADER, found.end)]
            break
    raise MediaError("the JPEG XL container holds no codestream, or one without its signature")


class _Bits:
    """Numbers of bits, the lowest first (part 1, clause 9.2.2)."""

    def __init__(self, data: bytes) -> None:
        self._bits = int.from_bytes(data, "little")
        self._left = 8 * len(data)

    def number(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise MediaError("the JPEG XL ends before its size does")
        value = self._bits & (1 << count) - 1
        self._bits >>= count
        return value

    def small(self) -> int:
        return 8 * (self.number(5) + 1)

    def length(self) -> int:
        return self.number(_LENGTHS[self.number(2)]) + 1
