"""GIF's blocks: the parts are the whole, what is packed is what was read, broken files are refused."""

import struct
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.media import gif_blocks
from proxy.media.errors import MediaError
from proxy.media.gif_blocks import CONTROL, TRAILER, Block, Control, Image, Screen, control, parse

PIXEL = struct.pack("<BHHHHB", 0x2C, 0, 0, 1, 1, 0) + b"\2\2\x4c\1\0"
TABLE = bytes(range(6))


def file(*blocks: bytes, size: tuple[int, int] = (1, 1), flags: int = 0x80, table: bytes = TABLE) -> bytes:
    return struct.pack("<6sHHBBB", b"GIF89a", *size, flags, 0, 0) + table + b"".join(blocks) + TRAILER


def extension(label: int, *sub_blocks: bytes) -> bytes:
    return bytes((0x21, label)) + b"".join(bytes((len(one),)) + one for one in sub_blocks) + b"\0"


def test_the_parts_are_the_whole(gif_sample: Path) -> None:
    data = gif_sample.read_bytes()
    screen, blocks, rest = parse(data)
    assert screen.pack() + b"".join(block.whole for block in blocks) + TRAILER + rest == data


def test_what_is_packed_is_what_was_read(gif_sample: Path) -> None:
    for block in parse(gif_sample.read_bytes()).blocks:
        packed = (block.image or control(block) or Raw(block)).pack()
        assert packed == block.whole


class Raw:
    """What has no other form than its bytes."""

    def __init__(self, block: Block) -> None:
        self.block = block

    def pack(self) -> memoryview:
        return self.block.whole


@pytest.mark.parametrize(
    ("expected", "packed"),
    [
        (Control(), b"\x21\xf9\4\0\0\0\0\0"),
        (Control(3, 259, 7), b"\x21\xf9\4\x0d\3\1\7\0"),
        (Control(1, 10, None, 0x02), b"\x21\xf9\4\6\x0a\0\0\0"),  # the viewer waits for the user
        (Control(7, 0, 0, 0xE0), b"\x21\xf9\4\xfd\0\0\0\0"),
    ],
)
def test_a_control_extension(expected: Control, packed: bytes) -> None:
    assert control(parse(file(packed, PIXEL)).blocks[0]) == expected
    assert expected.pack() == packed


def test_only_a_control_extension_controls() -> None:
    assert [control(block) for block in parse(file(extension(0xFE, b"\4\0\0\0\0"), PIXEL)).blocks] == [None, None]


@pytest.mark.parametrize("sub_blocks", [(), (b"\0\0\0",), (b"\0\0\0\0", b"\0"), (b"\0\0\0\0\0",), (b"\0", b"\0\0\0")])
def test_a_damaged_control_extension_is_refused(sub_blocks: tuple[bytes, ...]) -> None:
    (block, _) = parse(file(extension(CONTROL, *sub_blocks), PIXEL)).blocks
    with pytest.raises(MediaError, match="damaged graphic control"):
        control(block)


@given(st.integers(1, 8), st.integers(0, 255))
def test_the_flags_say_the_size_of_the_table(bits: int, flags: int) -> None:
    table = bytes(3 << bits)
    screen = Screen(b"GIF89a", 1, 1, flags, b"\0\0", table)
    image = Image(0, 0, 1, 1, flags, table, 2, b"\0")
    found = parse(screen.pack() + image.pack() + TRAILER)
    assert found.screen.table == table
    assert found.screen.flags & 0x78 == flags & 0x78
    read = found.blocks[0].image
    assert read is not None
    assert (read.table, read.flags & 0x78, read.interlaced) == (table, flags & 0x78, bool(flags & 0x40))


@given(st.lists(st.binary(min_size=1, max_size=255), max_size=5))
def test_the_text_of_an_extension(parts: list[bytes]) -> None:
    (block, _) = parse(file(extension(0xFE, *parts), PIXEL)).blocks
    assert block.text() == b"".join(parts)


def test_a_zero_too_many_is_passed_over() -> None:
    data = file(b"\0\0", extension(0xFE, b"a"), b"\0", PIXEL, b"\0")
    assert [(block.label, block.image is not None) for block in parse(data).blocks] == [
        (None, False), (None, False), (0xFE, False), (None, False), (None, True), (None, False),
    ]  # fmt: skip


def test_an_extension_with_the_label_zero_is_one() -> None:
    assert [block.label for block in parse(file(extension(0, b"a"), PIXEL)).blocks] == [0, None]


@pytest.mark.parametrize(
    ("message", "data"),
    [
        ("signature is missing", b""),
        ("signature is missing", b"GIF90a" + file(PIXEL)[6:]),
        ("screen descriptor does", b"GIF89a\1\0\1\0\0\0"),
        ("impossible size, 0 x 1", file(PIXEL, size=(0, 1))),
        ("impossible size, 1 x 0", file(PIXEL, size=(1, 0))),
        ("inside its colour table", file(PIXEL, flags=0x87)),
        ("between two blocks", file(PIXEL)[:-1]),
        ("between two blocks", file(PIXEL, b"x")),
        ("inside an image descriptor", file(PIXEL[:9])[:-1]),
        ("inside a colour table", file(PIXEL[:9] + b"\x87" + PIXEL[10:])),
        ("inside a colour table", file(PIXEL[:10])[:-1]),
        ("impossible code size, 0 bits", file(PIXEL[:10] + b"\0" + PIXEL[11:])),
        ("impossible code size, 12 bits", file(PIXEL[:10] + b"\x0c" + PIXEL[11:])),
        ("inside a block", file(PIXEL[:-1])[:-1]),
        ("inside a block", file(PIXEL, b"\x21")[:-1]),
        ("inside a block", file(PIXEL, b"\x21\xfe")[:-1]),
        ("inside a block", file(PIXEL, b"\x21\xfe\xffabc")),
        ("holds no picture", file()),
        ("holds no picture", file(extension(0xFE, b"a"))),
    ],
)
def test_a_broken_file_is_refused_with_the_reason(message: str, data: bytes) -> None:
    with pytest.raises(MediaError, match=message):
        parse(data)


@pytest.mark.parametrize(
    ("message", "data"),
    [
        ("more than 50000 blocks", file(*[PIXEL] * 1_000_000)),
        ("more than 50000 blocks", file(PIXEL, bytes(1_000_000))),
        ("more than 1000000 sub-blocks", file(PIXEL, extension(0xFE, *[b"a"] * 1_500_000))),
    ],
)
def test_the_time_is_bounded(message: str, data: bytes) -> None:
    begun = time.monotonic()
    with pytest.raises(MediaError, match=message):
        parse(data)
    assert time.monotonic() - begun < 3


def test_the_screen_is_read_from_the_first_bytes_alone() -> None:
    assert gif_blocks.screen(file(size=(3, 2))[:13]) == Screen(b"GIF89a", 3, 2, 0x80, b"\0\0")
