"""PNG files, chunk by chunk with the standard library: no common library writes all the forms."""

import struct
import zlib
from collections.abc import Callable

from parts import HEIGHT, LABEL, SRGB, WIDTH, WRAPPED, XMP_ATTRIBUTE, XMP_ELEMENT, XMP_PLAIN, Pixel, alpha, exif, slopes


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def rows(pixel: Pixel, depth: int, xs: range, ys: range) -> bytes:
    """Scanlines with the filter Sub: each sample ``depth`` bits wide."""
    out = bytearray()
    back = max(1, len(pixel(0, 0)) * depth // 8)
    for y in ys if xs else ():
        bits = "".join(f"{sample:0{depth}b}" for x in xs for sample in pixel(x, y))
        raw = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8))
        out.append(1)
        out += bytes((byte - (raw[at - back] if at >= back else 0)) % 256 for at, byte in enumerate(raw))
    return bytes(out)


ADAM7 = ((0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2))


def png(
    colour: int,
    depth: int,
    pixel: Pixel,
    before: bytes = b"",
    after: bytes = b"",
    interlaced: bool = False,
) -> bytes:
    """A PNG; ``before`` and ``after`` are chunks on either side of IDAT."""
    passes = ADAM7 if interlaced else ((0, 1, 0, 1),)
    raw = b"".join(rows(pixel, depth, range(x, WIDTH, dx), range(y, HEIGHT, dy)) for x, dx, y, dy in passes)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, colour, 0, 0, interlaced)
    packed = zlib.compress(raw, 9)
    half = len(packed) // 2
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before
        + chunk(b"IDAT", packed[:half]) + chunk(b"IDAT", packed[half:]) + after + chunk(b"IEND", b"")
    )  # fmt: skip


def indices(count: int) -> Pixel:
    return lambda x, y: ((x // 4 + y // 4) % count,)


def plte(*colours: tuple[int, int, int]) -> bytes:
    return chunk(b"PLTE", b"".join(map(bytes, colours)))


FULL = [(level, 255 - level // 2, 40) for level in range(256)]
FEW = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]


def itxt(keyword: bytes, text: str, compressed: bool = False) -> bytes:
    body = zlib.compress(text.encode()) if compressed else text.encode()
    return chunk(b"iTXt", keyword + (b"\0\1\0" if compressed else b"\0\0\0") + b"\0\0" + body)


RGB = (2, 8, slopes(3, 8))
METADATA = (
    chunk(b"gAMA", struct.pack(">I", 45455))
    + chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(SRGB, 9))
    + chunk(b"pHYs", struct.pack(">IIB", 2835, 2835, 1))
    + chunk(b"tIME", struct.pack(">HBBBBB", 2026, 1, 2, 3, 4, 5))
    + chunk(b"eXIf", exif(">", comment=b"ASCII\0\0\0a comment"))
    + chunk(b"tEXt", b"parameters\0a cat, Steps: 20, Seed: 1")
    + chunk(b"zTXt", b"workflow\0\0" + zlib.compress(b'{"nodes": []}'))
    + itxt(b"Title", "一只猫")
    + itxt(b"XML:com.adobe.xmp", XMP_PLAIN)
    + chunk(b"prVt", b"private")
)

PNGS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "grey1": ("grey, 1 bit", lambda: png(0, 1, slopes(1, 1))),
    "grey2": ("grey, 2 bits", lambda: png(0, 2, slopes(1, 2))),
    "grey4": ("grey, 4 bits", lambda: png(0, 4, slopes(1, 4))),
    "grey8": ("grey, 8 bits", lambda: png(0, 8, slopes(1, 8))),
    "grey16": ("grey, 16 bits", lambda: png(0, 16, slopes(1, 16))),
    "rgb8": ("truecolour, 8 bits", lambda: png(*RGB)),
    "rgb16": ("truecolour, 16 bits", lambda: png(2, 16, slopes(3, 16))),
    "grey-alpha8": ("grey with alpha, 8 bits", lambda: png(4, 8, alpha(1, 8))),
    "grey-alpha16": ("grey with alpha, 16 bits", lambda: png(4, 16, alpha(1, 16))),
    "rgba8": ("truecolour with alpha, 8 bits", lambda: png(6, 8, alpha(3, 8))),
    "rgba16": ("truecolour with alpha, 16 bits", lambda: png(6, 16, alpha(3, 16))),
    "grey1-key": ("grey, 1 bit, black transparent", lambda: png(0, 1, slopes(1, 1), chunk(b"tRNS", b"\0\0"))),
    "grey4-key": (
        "grey, 4 bits, level 15 transparent, background",
        lambda: png(0, 4, slopes(1, 4), chunk(b"tRNS", b"\0\x0f") + chunk(b"bKGD", b"\0\x07")),
    ),
    "grey8-key": ("grey, 8 bits, black transparent", lambda: png(0, 8, slopes(1, 8), chunk(b"tRNS", b"\0\0"))),
    "grey16-key": ("grey, 16 bits, white transparent", lambda: png(0, 16, slopes(1, 16), chunk(b"tRNS", b"\xff\xff"))),
    "rgb8-key": ("truecolour, 8 bits, black transparent", lambda: png(*RGB, chunk(b"tRNS", bytes(6)))),
    "rgb16-key": (
        "truecolour, 16 bits, black transparent",
        lambda: png(2, 16, slopes(3, 16), chunk(b"tRNS", bytes(6))),
    ),
    "palette1": ("palette, 1 bit, black and white", lambda: png(3, 1, indices(2), plte((255,) * 3, (0,) * 3))),
    "palette1-full": ("palette, 1 bit, two other colours", lambda: png(3, 1, indices(2), plte(*FEW[:2]))),
    "palette2": ("palette, 2 bits, room for one more", lambda: png(3, 2, indices(3), plte(*FEW))),
    "palette4": ("palette, 4 bits, room for thirteen more", lambda: png(3, 4, indices(3), plte(*FEW))),
    "palette8": ("palette, 8 bits, room", lambda: png(3, 8, indices(3), plte(*FEW))),
    "palette8-transparent": (
        "palette, 8 bits, room, transparent entries, black transparent too",
        lambda: png(3, 8, indices(4), plte(*FEW, (0, 0, 0)) + chunk(b"tRNS", b"\x80\xff\xff\0")),
    ),
    "palette8-full": ("palette, 8 bits, full, without black and white", lambda: png(3, 8, indices(256), plte(*FULL))),
    "palette8-full-transparent": (
        "the same with transparent entries, background, significant bits",
        lambda: png(
            3,
            8,
            indices(256),
            chunk(b"sBIT", b"\5\6\5") + plte(*FULL) + chunk(b"tRNS", b"\0\x80") + chunk(b"bKGD", b"\2"),
        ),
    ),
    "palette8-histogram": (
        "palette, 8 bits, room, histogram",
        lambda: png(3, 8, indices(3), plte(*FEW) + chunk(b"hIST", b"\0\1\0\2\0\3")),
    ),
    "rgb8-interlaced": ("truecolour, 8 bits, Adam7", lambda: png(*RGB, interlaced=True)),
    "rgb16-interlaced": ("truecolour, 16 bits, Adam7", lambda: png(2, 16, slopes(3, 16), interlaced=True)),
    "grey1-interlaced": ("grey, 1 bit, Adam7", lambda: png(0, 1, slopes(1, 1), interlaced=True)),
    "palette4-interlaced": ("palette, 4 bits, Adam7", lambda: png(3, 4, indices(3), plte(*FEW), interlaced=True)),
    "metadata": (
        "gAMA, iCCP, pHYs, tIME, eXIf, tEXt, zTXt, iTXt, XMP, a private chunk; data after IEND",
        lambda: png(*RGB, METADATA, chunk(b"tEXt", b"Comment\0after")) + b"trailer",
    ),
    "orientation6": ("eXIf orientation 6", lambda: png(*RGB, chunk(b"eXIf", exif("<", 6)))),
    "labelled-xmp": ("label as an XMP element", lambda: png(*RGB, itxt(b"XML:com.adobe.xmp", XMP_ELEMENT))),
    "labelled-xmp-compressed": (
        "label as an XMP attribute in a compressed iTXt after IDAT",
        lambda: png(*RGB, after=itxt(b"XML:com.adobe.xmp", XMP_ATTRIBUTE, True)),
    ),
    "labelled-text": (
        "bare label in tEXt after IDAT",
        lambda: png(*RGB, after=chunk(b"tEXt", b"AIGC\0" + LABEL.encode())),
    ),
    "labelled-ztxt": (
        "wrapped label in zTXt",
        lambda: png(*RGB, chunk(b"zTXt", b"AIGC\0\0" + zlib.compress(WRAPPED.encode()))),
    ),
    "labelled-itxt": ("bare label in iTXt", lambda: png(*RGB, itxt(b"AIGC", LABEL))),
    "labelled-exif": (
        "wrapped label in eXIf UserComment, UTF-16",
        lambda: png(*RGB, chunk(b"eXIf", exif(">", comment=b"UNICODE\0" + WRAPPED.encode("utf-16-be")))),
    ),
    "manifest": ("a caBX chunk, as C2PA has it (no real manifest)", lambda: png(*RGB, chunk(b"caBX", b"jumb c2pa"))),
    "animated": (
        "APNG of one frame",
        lambda: png(
            *RGB,
            chunk(b"acTL", struct.pack(">II", 1, 0))
            + chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, WIDTH, HEIGHT, 0, 0, 1, 10, 0, 0)),
        ),
    ),
}
