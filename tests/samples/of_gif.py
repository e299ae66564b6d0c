"""GIF files, block by block: no common library writes all the forms. Pillow compresses the indices."""

import struct
from collections.abc import Callable

from parts import HEIGHT, LABEL, SRGB, WIDTH, WRAPPED, XMP_ATTRIBUTE, XMP_ELEMENT, XMP_PLAIN, Maker
from PIL import Image

Index = Callable[[int, int], int]
Colour = tuple[int, int, int]

FEW: list[Colour] = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 30)]
FULL: list[Colour] = [(level, level // 2 + 100, 40) for level in range(256)]
KEEP, BACKGROUND, PREVIOUS = 1, 2, 3
LANDING = b"\1" + bytes(range(255, -1, -1)) + b"\0"


def table(colours: list[Colour]) -> bytes:
    return b"".join(map(bytes, colours))


def image(
    index: Index, box: tuple[int, int, int, int] = (0, 0, WIDTH, HEIGHT), local: bytes = b"", interlaced: bool = False
) -> bytes:
    left, top, right, bottom = box
    size = (right - left, bottom - top)
    pixels = bytes(index(x, y) for y in range(top, bottom) for x in range(left, right))
    bits = max(2, max(pixels).bit_length())
    flags = 0x40 * interlaced | (0x80 | (len(local) // 3 - 1).bit_length() - 1 if local else 0)
    packed = Image.frombytes("L", size, pixels).tobytes("gif", "L", bits, interlaced)
    return struct.pack("<BHHHHB", 0x2C, left, top, *size, flags) + local + bytes((bits,)) + packed + b"\0"


def blocks(data: bytes) -> bytes:
    parts = (data[at : at + 255] for at in range(0, len(data), 255))
    return b"".join(bytes((len(part),)) + part for part in parts) + b"\0"


def application(name: bytes, data: bytes) -> bytes:
    return b"\x21\xff\x0b" + name + blocks(data)


def control(disposal: int, transparent: int | None = None, delay: int = 7) -> bytes:
    known = transparent is not None
    return struct.pack("<BBBBHBB", 0x21, 0xF9, 4, disposal << 2 | known, delay, transparent or 0, 0)


def gif(*parts: bytes, colours: list[Colour] = FEW, version: bytes = b"89a", after: bytes = b"") -> bytes:
    """A GIF with a global table, if there are colours; ``after`` is what follows the trailer."""
    shared = table(colours)
    flags = 0x70 | (0x80 | (len(colours) - 1).bit_length() - 1 if colours else 0)
    screen = b"GIF" + version + struct.pack("<HHBBB", WIDTH, HEIGHT, flags, 0, 0)
    return screen + shared + b"".join(parts) + b"\x3b" + after


def squares(x: int, y: int) -> int:
    return (x // 8 + y // 8) % 3


def holed(x: int, y: int) -> int:
    """Other squares, with holes: the last index, which is the transparent one."""
    return 3 if (x // 6 + y // 6) % 4 == 0 else (squares(x, y) + 1) % 3


def every(x: int, y: int) -> int:
    return (x + y * WIDTH) % 256


LOOP = application(b"NETSCAPE2.0", b"\1\0\0")
COMMENT = b"\x21\xfe" + blocks(b"a comment " * 40)
TEXT = b"\x21\x01" + blocks(struct.pack("<HHHHBBBB", 0, 0, 96, 64, 8, 8, 1, 0))[:-1] + blocks(b"plain text")
CORNER, MIDDLE, LEFT, STRIP = (70, 40, 96, 64), (30, 20, 60, 40), (4, 8, 20, 30), (0, 50, 96, 60)


def moving(disposal: int) -> tuple[bytes, ...]:
    """A full picture, then small ones that let it show, beside the badge's corner, over it and across it."""
    sprites = (control(disposal, 3) + image(holed, box) for box in (LEFT, CORNER, MIDDLE, STRIP, LEFT))
    return LOOP, control(KEEP) + image(squares), *sprites


GIFS: dict[str, tuple[str, Maker]] = {
    "still": ("one picture, four colours, version 87a", lambda: gif(image(squares), version=b"87a")),
    "interlaced": ("one picture, interlaced", lambda: gif(image(squares, interlaced=True))),
    "full": ("256 colours, all in use, none of them black or white", lambda: gif(image(every), colours=FULL)),
    "transparent": (
        "one picture smaller than its screen, transparent",
        lambda: gif(control(0, 3) + image(holed, (4, 4, 90, 60))),
    ),
    "local": (
        "two pictures with tables of their own, no global table; the last in the first one's middle",
        lambda: gif(
            LOOP,
            control(KEEP) + image(squares, local=table(FEW)),
            control(KEEP) + image(squares, MIDDLE, table(FEW[::-1])),
            colours=[],
        ),
    ),
    "animated-full": (
        "four full pictures of 256 colours",
        lambda: gif(
            LOOP,
            *(control(KEEP, delay=turn) + image(lambda x, y, turn=turn: every(x, y) // 2 + turn) for turn in range(4)),
            colours=FULL,
        ),
    ),
    "animated-keep": ("small pictures over a full one, kept", lambda: gif(*moving(KEEP))),
    "animated-previous": ("small pictures over a full one, taken back", lambda: gif(*moving(PREVIOUS))),
    "animated-background": (
        "small transparent pictures, each cleared away",
        lambda: gif(LOOP, *(control(BACKGROUND, 3) + image(holed, box) for box in (LEFT, MIDDLE, CORNER, STRIP))),
    ),
    "animated-mixed": (
        "every disposal, interlaced pictures, local tables",
        lambda: gif(
            LOOP,
            control(BACKGROUND, 3) + image(holed),
            control(PREVIOUS, 3) + image(holed, MIDDLE, table(FEW[::-1]), interlaced=True),
            control(KEEP, 3) + image(holed, (10, 10, 96, 64)),
            control(PREVIOUS, 0) + image(squares, STRIP),
            control(KEEP, 0) + image(squares, LEFT),
        ),
    ),
    "metadata": (
        "loop, comment, ICC, XMP, plain text, a private extension, a zero too many; data after the trailer",
        lambda: gif(
            LOOP,
            COMMENT,
            application(b"ICCRGBG1012", SRGB),
            b"\x21\xff\x0bXMP DataXMP" + XMP_PLAIN.encode() + LANDING,
            application(b"PRIVATE 1.0", b"private" * 50) + b"\0",
            TEXT,
            control(0, delay=100) + image(squares),
            COMMENT,
            after=b"trailer",
        ),
    ),
    "labelled-xmp": (
        "label as an XMP element",
        lambda: gif(b"\x21\xff\x0bXMP DataXMP" + XMP_ELEMENT.encode() + LANDING, image(squares)),
    ),
    "labelled-xmp-blocks": (
        "label as an XMP attribute, the packet cut into sub-blocks, behind the picture",
        lambda: gif(image(squares), application(b"XMP DataXMP", XMP_ATTRIBUTE.encode())),
    ),
    "labelled-comment": (
        "wrapped label in a comment",
        lambda: gif(b"\x21\xfe" + blocks(WRAPPED.encode()), image(squares)),
    ),
    "labelled-application": (
        "bare label in an application extension of its own",
        lambda: gif(application(b"AIGC\0\0\0\0\0\0\0", LABEL.encode()), image(squares)),
    ),
    "manifest": (
        "an application extension as C2PA has it (no real manifest)",
        lambda: gif(application(b"C2PA_GIF\1\0\0", b"jumb c2pa"), image(squares)),
    ),
}  # fmt: skip
