"""GIF's blocks (CompuServe, GIF89a): a file taken apart, and its blocks put together.

Law: the parts of a file are all its bytes, in their order, and what is packed is what was read. A file is whole or it
is an error: every block ends, there is a picture, and the trailer is there.
"""

import struct
from dataclasses import dataclass, replace
from typing import NamedTuple

from proxy.media.errors import MediaError

SIGNATURES = (b"GIF87a", b"GIF89a")
MAX_BLOCKS = 50_000
MAX_SUB_BLOCKS = 1_000_000
MAX_PIECES = 10_000  # of a text: 2.5 MB where they are full
EXTENSION, IMAGE, TRAILER = b"\x21", b"\x2c", b"\x3b"
TEXT, CONTROL, COMMENT, APPLICATION = 0x01, 0xF9, 0xFE, 0xFF

_STRAY = b"\0"
_MAX_CODE_SIZE = 11  # one bit less than the longest code (Appendix F)
_OTHERS = 0xE2  # the flags of a control extension that are neither disposal nor transparency


@dataclass(frozen=True, slots=True)
class Screen:
    """The header and the logical screen (sections 17 to 19): sizes in pixels.

    ``rest`` is the background's index and the pixels' aspect; ``table`` the global colour table, three bytes an entry.
    """

    version: bytes
    width: int
    height: int
    flags: int
    rest: bytes
    table: bytes = b""

    def pack(self) -> bytes:
        """The bytes; the flags say the size of the table."""
        flags = _sized(self.flags, self.table)
        return struct.pack("<6sHHB", self.version, self.width, self.height, flags) + self.rest + self.table


@dataclass(frozen=True, slots=True)
class Image:
    """One picture (sections 20 to 22): its place on the screen in pixels, its flags, its local colour table, its data.

    ``code_size`` is LZW's least code size in bits; ``data`` is sub-blocks with their lengths, and the terminator.
    """

    left: int
    top: int
    width: int
    height: int
    flags: int
    table: bytes
    code_size: int
    data: bytes | memoryview

    @property
    def interlaced(self) -> bool:
        """Whether the rows stand in four passes (Appendix E)."""
        return bool(self.flags & 0x40)

    def pack(self) -> bytes:
        """The bytes; the flags say the size of the table."""
        place = struct.pack("<HHHHB", self.left, self.top, self.width, self.height, _sized(self.flags, self.table))
        return b"".join((IMAGE, place, self.table, bytes((self.code_size,)), self.data))


@dataclass(frozen=True, slots=True)
class Control:
    """A graphic control extension (section 23): ``disposal`` 0 to 7, ``delay`` in hundredths of a second.

    ``transparent`` is an index, or None; ``flags`` has what else there is.
    """

    disposal: int = 0
    delay: int = 0
    transparent: int | None = None
    flags: int = 0

    def pack(self) -> bytes:
        """The bytes."""
        flags = self.flags & _OTHERS | self.disposal << 2 | (self.transparent is not None)
        return EXTENSION + struct.pack("<BBBHBB", CONTROL, 4, flags, self.delay, self.transparent or 0, 0)


@dataclass(frozen=True, slots=True)
class Block:
    """One block: an image, an extension with its ``label``, or neither, a zero that is too many.

    ``whole`` is all its bytes, ``data`` its sub-blocks with their lengths, without the terminator.
    """

    whole: memoryview
    data: memoryview
    label: int | None = None
    image: Image | None = None

    def text(self) -> bytes:
        """What the sub-blocks hold, without their lengths. MediaError where a text is in more pieces than any is."""
        parts: list[bytes | memoryview] = []
        position = 0
        while position < len(self.data):
            if len(parts) == MAX_PIECES:
                raise MediaError(f"a text in the GIF is in more than {MAX_PIECES} pieces")
            length = self.data[position]
            parts.append(self.data[position + 1 : position + 1 + length])
            position += 1 + length
        return b"".join(parts)


class Picture(NamedTuple):
    """A GIF file in three parts; ``rest`` is what follows the trailer."""

    screen: Screen
    blocks: list[Block]
    rest: memoryview


def parse(data: bytes) -> Picture:
    """The screen, every block, and whatever follows the trailer. MediaError where the file is not whole."""
    found = screen(data)
    view = memoryview(data)
    position = 13 + _table_length(found.flags)
    if len(data) < position:
        raise MediaError("the GIF ends inside its colour table")
    blocks: list[Block] = []
    left = MAX_SUB_BLOCKS
    while (kind := data[position : position + 1]) != TRAILER:
        if len(blocks) >= MAX_BLOCKS:
            raise MediaError(f"the GIF has more than {MAX_BLOCKS} blocks")
        if kind == _STRAY:  # some encoders end a block twice, and every viewer passes over it
            blocks.append(Block(view[position : position + 1], view[:0]))
            position += 1
            continue
        if kind not in (EXTENSION, IMAGE):
            raise MediaError("the GIF ends, or is damaged, between two blocks")
        start = _start(data, position) if kind == IMAGE else position + 2
        end, left = _sub_blocks(data, start, left)
        image = _image(view, position, start, end) if kind == IMAGE else None
        label = data[position + 1] if kind == EXTENSION else None
        blocks.append(Block(view[position:end], view[start : end - 1], label, image))
        position = end
    if not any(block.image for block in blocks):
        raise MediaError("the GIF holds no picture")
    return Picture(replace(found, table=data[13 : 13 + _table_length(found.flags)]), blocks, view[position + 1 :])


def screen(data: bytes) -> Screen:
    """The header and the logical screen's descriptor, without the table, from the first 13 bytes."""
    if not data.startswith(SIGNATURES):
        raise MediaError("not a GIF: the signature is missing")
    if len(data) < 13:
        raise MediaError("the GIF ends before its screen descriptor does")
    version, width, height, flags = struct.unpack_from("<6sHHB", data)
    if not width or not height:
        raise MediaError(f"the GIF's screen descriptor gives an impossible size, {width} x {height}")
    return Screen(version, width, height, flags, data[11:13])


def control(block: Block) -> Control | None:
    """The graphic control extension that a block is; None for any other. MediaError where it is damaged."""
    if block.label != CONTROL:
        return None
    if len(block.data) != 5 or block.data[0] != 4:
        raise MediaError("the GIF has a damaged graphic control extension")
    flags, delay, index = struct.unpack_from("<BHB", block.data, 1)
    return Control(flags >> 2 & 7, delay, index if flags & 1 else None, flags & _OTHERS)


def _start(data: bytes, position: int) -> int:
    """Where the sub-blocks of a picture begin."""
    if position + 10 > len(data):
        raise MediaError("the GIF ends inside an image descriptor")
    start = position + 11 + _table_length(data[position + 9])
    if start > len(data):
        raise MediaError("the GIF ends inside a colour table")
    if not 1 <= data[start - 1] <= _MAX_CODE_SIZE:
        raise MediaError(f"the GIF has a picture with an impossible code size, {data[start - 1]} bits")
    return start


def _image(view: memoryview, position: int, start: int, end: int) -> Image:
    left, top, width, height, flags = struct.unpack_from("<HHHHB", view, position + 1)
    table = bytes(view[position + 10 : start - 1])
    return Image(left, top, width, height, flags, table, view[start - 1], view[start:end])


def _sub_blocks(data: bytes, position: int, left: int) -> tuple[int, int]:
    """Where sub-blocks end, behind their terminator (section 16), and how many more the file may have."""
    try:
        while length := data[position]:
            position += 1 + length
            left -= 1
            if not left:
                raise MediaError(f"the GIF has more than {MAX_SUB_BLOCKS} sub-blocks")
    except IndexError:
        raise MediaError("the GIF ends inside a block") from None
    return position + 1, left


def _table_length(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _sized(flags: int, table: bytes) -> int:
    """The flags of a screen or a picture with the size of its colour table, a power of two; without one as they are."""
    return flags & 0x78 | 0x80 | (len(table) // 3 - 1).bit_length() - 1 if table else flags & 0x7F
