"""EXIF as far as labels need it (CIPA DC-008, TIFF 6.0): the orientation, labels in text fields, the thumbnail.

Law: nothing is moved. What is taken out is written over with zeros, so that every offset in the block stays right. A
block that cannot be read has no orientation and no label, as for any viewer.

A block is a TIFF file, with or without the ``Exif`` identifier of JPEG before it.
"""

import struct
from collections.abc import Iterator

from proxy.label.aigc import Aigc
from proxy.media.carriers import Carrier, in_text

IDENTIFIER = b"Exif\0\0"

_ORIENTATION, _DESCRIPTION, _EXIF_IFD, _USER_COMMENT = 0x0112, 0x010E, 0x8769, 0x9286
_THUMBNAIL, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_NAMES = {_DESCRIPTION: "ImageDescription", _USER_COMMENT: "UserComment"}  # where labels are found
_UNIT = {1: 1, 2: 1, 3: 2, 4: 4, 7: 1}  # bytes per value: BYTE, ASCII, SHORT, LONG, UNDEFINED
_CODE_LENGTH = 8  # the character code that opens a UserComment
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}

Span = tuple[int, int]


def orientation(block: bytes) -> int:
    """How the picture is turned for display: 1 to 8, and 1 (upright) where nothing valid is said."""
    order, base = _frame(block)
    for tag, (start, end) in _fields(block, order, base):
        if tag == _ORIENTATION and end - start == 2:
            (value,) = struct.unpack_from(order + "H", block, start)
            return int(value) if 1 <= value <= 8 else 1
    return 1


def carriers(block: bytes) -> list[Carrier]:
    """UserComment and ImageDescription, where they hold a label."""
    return [Carrier(f"EXIF {_NAMES[tag]}", (label,)) for tag, _, label in _labelled(block)]


def without_labels(block: bytes) -> bytes:
    """The same block with zeros in place of every label."""
    blank = bytearray(block)
    for _, (start, end), _ in _labelled(block):
        blank[start:end] = bytes(end - start)
    return bytes(blank)


def without_thumbnail(block: bytes) -> bytes:
    """The same block without the small second picture: the link to its IFD is zero, and zeros stand for its JPEG."""
    order, base = _frame(block)
    if not order or len(block) < base + 8:
        return block
    (ifd,) = struct.unpack_from(order + "I", block, base + 4)
    if base + ifd + 2 > len(block):
        return block
    (entries,) = struct.unpack_from(order + "H", block, base + ifd)
    link = base + ifd + 2 + 12 * entries
    if not any(block[link : link + 4]) or link + 4 > len(block):
        return block
    (second,) = struct.unpack_from(order + "I", block, link)
    said = {tag: span for tag, span in _directory(block, order, base, base + second) if span[1] - span[0] == 4}
    blank = bytearray(block)
    blank[link : link + 4] = bytes(4)
    if _THUMBNAIL in said and _THUMBNAIL_LENGTH in said:
        (offset,) = struct.unpack_from(order + "I", block, said[_THUMBNAIL][0])
        (length,) = struct.unpack_from(order + "I", block, said[_THUMBNAIL_LENGTH][0])
        start, end = base + offset, min(base + offset + length, len(block))
        if block.startswith(b"\xff\xd8", start, end):
            blank[start:end] = bytes(end - start)
    return bytes(blank)


def _labelled(block: bytes) -> Iterator[tuple[int, Span, Aigc]]:
    order, base = _frame(block)
    for tag, (start, end) in _fields(block, order, base):
        if tag not in _NAMES:
            continue
        encoding = "utf-8"
        if tag == _USER_COMMENT:
            if block.startswith(b"UNICODE\0", start, end):
                encoding = "utf-16-le" if order == "<" else "utf-16-be"
            # The code is shorter than its eight bytes in some files.
            brace = block.find(b"{", start, end)
            start = min(start + _CODE_LENGTH, end if brace < 0 else brace)
        for label in in_text(block[start:end].decode(encoding, "replace").strip("\ufeff")):
            yield tag, (start, end), label


def _frame(block: bytes) -> tuple[str, int]:
    """The byte order for struct, empty where the block is no TIFF, and the place that offsets count from."""
    base = len(IDENTIFIER) if block.startswith(IDENTIFIER) else 0
    return _ORDERS.get(block[base : base + 4], ""), base


def _fields(block: bytes, order: str, base: int) -> Iterator[tuple[int, Span]]:
    """The fields of IFD0, then those of the EXIF IFD: tag, and where the value stands."""
    if not order or len(block) < base + 8:
        return
    (ifd,) = struct.unpack_from(order + "I", block, base + 4)
    inner = None
    for tag, span in _directory(block, order, base, base + ifd):
        if tag == _EXIF_IFD and span[1] - span[0] == 4:
            (inner,) = struct.unpack_from(order + "I", block, span[0])
        yield tag, span
    if inner is not None:
        yield from _directory(block, order, base, base + inner)


def _directory(block: bytes, order: str, base: int, ifd: int) -> Iterator[tuple[int, Span]]:
    if ifd + 2 > len(block):
        return
    (entries,) = struct.unpack_from(order + "H", block, ifd)
    for entry in range(ifd + 2, min(ifd + 2 + 12 * entries, len(block) - 11), 12):
        tag, kind, count, offset = struct.unpack_from(order + "HHII", block, entry)
        length = _UNIT.get(kind, 0) * count
        start = entry + 8 if length <= 4 else base + offset
        if length and start + length <= len(block):
            yield tag, (start, start + length)
