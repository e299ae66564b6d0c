"""GIF (CompuServe, GIF89a): the label among its blocks.

Law: a block that carries no label is copied byte for byte, in its place. The label goes into an application extension
``XMP DataXMP`` (TC260-PG-20259A; XMP Specification Part 3, section 1.1.2); labels in comments are read, never written.
"""

import re
from dataclasses import replace

from proxy.label.aigc import KEYWORD, Aigc
from proxy.label.xmp import Statement
from proxy.media import gif_blocks
from proxy.media.carriers import Carrier, check_count, decoded, in_text, in_value, labels, one_packet, xmp_carrier
from proxy.media.gif_blocks import APPLICATION, COMMENT, CONTROL, EXTENSION, SIGNATURES, TEXT, TRAILER, Block, Picture

TYPES: tuple[str, ...] = ("image/gif",)

_XMP = b"XMP DataXMP"
_MANIFEST = b"C2PA_GIF"
# A reader that takes a packet's bytes for lengths of sub-blocks lands somewhere in here, and from there at its end.
_LANDING = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
_XML = re.compile(rb"(?:\xef\xbb\xbf)?<[?!A-Za-z]")


def sniff(data: bytes) -> bool:
    """Whether the data begins with GIF's signature and one of its two versions (section 17)."""
    return data.startswith(SIGNATURES)


def size(data: bytes) -> tuple[int, int]:
    """Width and height of the logical screen in pixels, from the first 13 bytes."""
    screen = gif_blocks.screen(data)
    return screen.width, screen.height


def read(data: bytes) -> tuple[Aigc, ...]:
    """Every label: in XMP, in comments, in application extensions named AIGC."""
    return labels(carriers(data))


def carriers(data: bytes) -> list[Carrier]:
    """Every XMP packet; comments and application extensions named AIGC where they hold a label."""
    found: list[Carrier] = []
    for block in parse(data).blocks:
        if _is_xmp(block):
            found.append(xmp_carrier("application extension XMP Data", _packet(block)))
        elif held := _label(block):
            found.append(Carrier("comment" if block.label == COMMENT else "application extension AIGC", held))
    return found


def write(data: bytes, statement: Statement) -> bytes:
    """The file with this label only, as version 89a; every picture and every other block as it was, but C2PA manifests.

    A new packet stands before the first picture and its control extension.
    """
    screen, blocks, rest = parse(data)
    old = [block for block in blocks if _is_xmp(block)]
    first, *others = one_packet(statement, [_packet(block) for block in old])
    extension = xmp_extension(first or b"")
    place = old[0] if old else next(filter(_is_graphic, blocks))
    gone = {id(block) for block, packet in zip(old, [None, *others], strict=False) if packet is None}
    pieces: list[bytes | memoryview] = [replace(screen, version=SIGNATURES[1]).pack()]
    for block in blocks:
        if block is place:
            pieces.append(extension)
        if id(block) not in gone and not _is_manifest(block) and not _label(block):
            pieces.append(block.whole)
    return b"".join([*pieces, TRAILER, rest])


def has_manifest(data: bytes) -> bool:
    """Whether there is a C2PA manifest: an application extension ``C2PA_GIF`` (C2PA 2.x, appendix A.3)."""
    return any(map(_is_manifest, parse(data).blocks))


def parse(data: bytes) -> Picture:
    """The file in its parts. MediaError where it is not whole, and where too many blocks hold a label."""
    picture = gif_blocks.parse(data)
    check_count(sum(_is_xmp(block) or bool(_label(block)) for block in picture.blocks))
    return picture


def without_manifest(blocks: list[Block]) -> list[Block]:
    """The blocks but C2PA manifests."""
    return [block for block in blocks if not _is_manifest(block)]


def xmp_extension(packet: bytes) -> bytes:
    """An application extension with a packet as it is, and behind it the way out for readers of sub-blocks."""
    return b"".join((EXTENSION, bytes((APPLICATION, len(_XMP))), _XMP, packet, _LANDING))


def _packet(block: Block) -> bytes:
    """The packet of an XMP extension: as it is, or cut into sub-blocks, as some writers have it."""
    area = bytes(block.data[1 + len(_XMP) :])
    if area.endswith(_LANDING[:-1]):
        return area[: 1 - len(_LANDING)]
    # Whatever else ends a packet for readers of sub-blocks holds the byte FF, which UTF-8 has not.
    text = area if _XML.match(area) else block.text()[len(_XMP) :]
    return text.partition(b"\xff")[0].rstrip(b"\x01")


def _application(block: Block) -> bytes:
    """The name of an application extension, empty for any other block."""
    return bytes(block.data[1 : 1 + block.data[0]]) if block.label == APPLICATION and block.data else b""


def _is_xmp(block: Block) -> bool:
    return _application(block) == _XMP


def _is_manifest(block: Block) -> bool:
    return _application(block).startswith(_MANIFEST)


def _is_graphic(block: Block) -> bool:
    return block.image is not None or block.label in (CONTROL, TEXT)


def _label(block: Block) -> tuple[Aigc, ...]:
    """The label that a comment or an application extension is; nothing where it is none."""
    if block.label == COMMENT:
        return in_text(decoded(block.text()))
    name = _application(block)
    if not name.upper().startswith(KEYWORD.encode()):
        return ()
    text = decoded(block.text()[len(name) :])
    return in_text(text) or in_value(text)
