"""Make the sample pictures anew: ``python tests/samples/make.py`` (needs Pillow). README.md beside it is made too.

PNG files are written here chunk by chunk, because no common library writes all the forms; JPEG files come from Pillow,
and their segments are edited. Every picture is 96 x 64 pixels of slopes, so that a pixel in the wrong place shows.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from PIL import Image, ImageCms

WIDTH, HEIGHT = 96, 64
LABEL = (
    '{"Label":"1","ContentProducer":"doubao","ProduceID":"7642551196644884771","ReservedCode1":"",'
    '"ContentPropagator":"doubao","PropagateID":"7642551196644884771","ReservedCode2":""}'
)
WRAPPED = '{"AIGC": ' + LABEL + "}"
XMP_HEAD = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/" '
    'dc:format="image/x"'
)
XMP_TAIL = "</rdf:RDF></x:xmpmeta>\n" + " " * 80 + '\n<?xpacket end="w"?>'
ESCAPED = LABEL.replace('"', "&quot;")
XMP_ATTRIBUTE = f'{XMP_HEAD} TC260:AIGC="{ESCAPED}"/>{XMP_TAIL}'
XMP_ELEMENT = f"{XMP_HEAD}><TC260:AIGC>{ESCAPED}</TC260:AIGC></rdf:Description>{XMP_TAIL}"
XMP_PLAIN = f"{XMP_HEAD}/>{XMP_TAIL}"

Pixel = Callable[[int, int], tuple[int, ...]]


# --- PNG -------------------------------------------------------------------------------------------------------------


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


def slopes(channels: int, depth: int) -> Pixel:
    """Every channel a slope of its own, over the whole range."""
    top = (1 << depth) - 1

    def pixel(x: int, y: int) -> tuple[int, ...]:
        along, down = x * top // (WIDTH - 1), y * top // (HEIGHT - 1)
        return (along, down, top - along, top - down)[:channels]

    return pixel


def alpha(colours: int, depth: int) -> Pixel:
    """Slopes whose last channel, alpha, is nothing on the right half."""
    inner = slopes(colours, depth)
    top = (1 << depth) - 1
    return lambda x, y: (*inner(x, y), 0 if x >= WIDTH // 2 else (x * 2) * top // WIDTH)


def indices(count: int) -> Pixel:
    return lambda x, y: ((x // 4 + y // 4) % count,)


def plte(*colours: tuple[int, int, int]) -> bytes:
    return chunk(b"PLTE", b"".join(map(bytes, colours)))


FULL = [(level, 255 - level // 2, 40) for level in range(256)]
FEW = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]


def exif(order: str, orientation: int = 1, comment: bytes = b"", description: bytes = b"") -> bytes:
    """A TIFF block with IFD0 and, where there is a comment, an EXIF IFD."""
    magic = b"II*\0" if order == "<" else b"MM\0*"
    entries = [(0x010E, 2, description)] if description else []
    entries.append((0x0112, 3, struct.pack(order + "H", orientation)))
    count = len(entries) + bool(comment)
    tail_at = 8 + 2 + 12 * count + 4
    body, tail = struct.pack(order + "H", count), b""
    for tag, kind, value in entries:
        size = len(value) // 2 if kind == 3 else len(value)
        if len(value) > 4:
            body += struct.pack(order + "HHII", tag, kind, size, tail_at + len(tail))
            tail += value
        else:
            body += struct.pack(order + "HHI", tag, kind, size) + value.ljust(4, b"\0")
    if comment:
        inner_at = tail_at + len(tail)
        body += struct.pack(order + "HHII", 0x8769, 4, 1, inner_at)
        tail += struct.pack(order + "HHHII", 1, 0x9286, 7, len(comment), inner_at + 18) + bytes(4) + comment
    return magic + struct.pack(order + "I", 8) + body + bytes(4) + tail


def itxt(keyword: bytes, text: str, compressed: bool = False) -> bytes:
    body = zlib.compress(text.encode()) if compressed else text.encode()
    return chunk(b"iTXt", keyword + (b"\0\1\0" if compressed else b"\0\0\0") + b"\0\0" + body)


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

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


# --- JPEG ------------------------------------------------------------------------------------------------------------


def picture(mode: str) -> Image.Image:
    channels = {"L": 1, "RGB": 3, "CMYK": 4}[mode]
    pixel = slopes(channels, 8)
    return Image.frombytes(
        mode, (WIDTH, HEIGHT), bytes(s for y in range(HEIGHT) for x in range(WIDTH) for s in pixel(x, y))
    )


def jpeg(mode: str = "RGB", **options: object) -> bytes:
    out = io.BytesIO()
    picture(mode).save(out, "JPEG", **{"quality": 88, **options})
    return out.getvalue()


def segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(payload) + 2) + payload


def segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and whole segment up to the first scan, which comes as the last."""
    position = 2
    while data[position + 1] != 0xDA:
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4])
        yield data[position + 1], data[position:end]
        position = end
    yield 0xDA, data[position:]


def without(data: bytes, *markers: int) -> bytes:
    return data[:2] + b"".join(whole for marker, whole in segments(data) if marker not in markers)


def with_segments(data: bytes, *added: bytes) -> bytes:
    """After JFIF."""
    first, *rest = (whole for _, whole in segments(data))
    return data[:2] + first + b"".join(added) + b"".join(rest)


def exif_segment(block: bytes) -> bytes:
    return segment(0xE1, b"Exif\0\0" + block)


def xmp_segment(packet: str) -> bytes:
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet.encode())


def upright_sampling(data: bytes) -> bytes:
    """4:2:2 turned into 4:4:0 by what the frame header says of the samples: the picture is other, and still whole."""
    return data.replace(b"\1\x21\0\2\x11\1\3\x11\1", b"\1\x12\0\2\x11\1\3\x11\1")


def turned(orientation: int) -> bytes:
    return with_segments(jpeg(), exif_segment(exif("<>"[orientation % 2], orientation)))


def jumbf(box: bytes, number: int = 1) -> bytes:
    return segment(0xEB, b"JP" + number.to_bytes(2) + b"\0\0\0\1" + struct.pack(">I", len(box) + 8) + b"jumb" + box)


def several() -> bytes:
    out = io.BytesIO()
    picture("RGB").save(out, "MPO", save_all=True, append_images=[picture("RGB")], quality=60)
    return out.getvalue()


JPEG_METADATA = (
    exif_segment(exif("<", comment=b"ASCII\0\0\0a comment", description=b"a description\0")),
    xmp_segment(XMP_PLAIN),
    segment(0xE2, b"ICC_PROFILE\0\1\1" + SRGB),
    segment(0xED, b"Photoshop 3.0\0" + b"8BIM\4\4\0\0\0\0\0\0"),
    jumbf(b"\0\0\0\x18jumdsomebody else's"),
    segment(0xFE, b"a comment"),
    segment(0xEF, b"private"),
)

JPEGS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "420": ("YCbCr 4:2:0", lambda: jpeg(subsampling=2)),
    "422": ("YCbCr 4:2:2", lambda: jpeg(subsampling=1)),
    "444": ("YCbCr 4:4:4", lambda: jpeg(subsampling=0)),
    "440": ("YCbCr 4:4:0, by editing the frame header of a 4:2:2", lambda: upright_sampling(jpeg(subsampling=1))),
    "progressive": ("progressive", lambda: jpeg(progressive=True)),
    "grey": ("one component", lambda: jpeg("L")),
    "grey-progressive": ("one component, progressive", lambda: jpeg("L", progressive=True)),
    "cmyk": ("four components, Adobe", lambda: jpeg("CMYK")),
    "cmyk-plain": ("four components, without Adobe's segment", lambda: without(jpeg("CMYK"), 0xEE)),
    "ycck": (
        "the same file, Adobe's transform set to 2",
        lambda: jpeg("CMYK").replace(b"Adobe\0d\0\0\0\0\0", b"Adobe\0d\0\0\0\0\2"),
    ),
    "rgb": ("components are red, green, blue (Adobe)", lambda: jpeg(keep_rgb=True)),
    "bare": ("without JFIF", lambda: without(jpeg(), 0xE0)),
    "restart": ("restart markers", lambda: jpeg(restart_marker_rows=1)),
    **{
        f"orientation{turn}": (f"EXIF orientation {turn}", partial(turned, turn))
        for turn in range(1, 9)
    },
    "metadata": (
        "JFIF, EXIF, XMP, ICC, Photoshop, foreign JUMBF, comment, private segment; data after EOI",
        lambda: with_segments(jpeg(dpi=(300, 300)), *JPEG_METADATA) + b"trailer",
    ),
    "labelled-xmp": ("label as an XMP attribute", lambda: with_segments(jpeg(), xmp_segment(XMP_ATTRIBUTE))),
    "labelled-exif": (
        "wrapped label in EXIF UserComment",
        lambda: with_segments(jpeg(), exif_segment(exif("<", comment=b"ASCII\0\0\0" + WRAPPED.encode()))),
    ),
    "labelled-exif-short": (
        "wrapped label after a character code of six bytes, as one vendor has it",
        lambda: with_segments(jpeg(), exif_segment(exif(">", comment=b"ASCII\0" + WRAPPED.encode()))),
    ),
    "labelled-description": (
        "wrapped label in EXIF ImageDescription",
        lambda: with_segments(jpeg(), exif_segment(exif("<", description=WRAPPED.encode() + b"\0"))),
    ),
    "labelled-comment": ("wrapped label in a comment", lambda: with_segments(jpeg(), segment(0xFE, WRAPPED.encode()))),
    "labelled-glued": (
        "bare label glued into APP9",
        lambda: with_segments(jpeg(), segment(0xE9, b"AIGC" + LABEL.encode())),
    ),
    "manifest": (
        "APP11 segments, as C2PA has them (no real manifest), beside foreign JUMBF",
        lambda: with_segments(
            jpeg(),
            jumbf(b"\0\0\0\x26jumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\3c2pa\0", 2),
            segment(0xEB, b"JP\0\2\0\0\0\2more"),
            jumbf(b"\0\0\0\x18jumdsomebody else's"),
        ),
    ),
    "several": ("MPO of two pictures", several),
}  # fmt: skip


def main() -> None:
    """Write every file and the table."""
    here = Path(__file__).parent
    lines = [
        "# Sample pictures",
        "",
        "The smallest real file of each form, all 96 x 64 pixels. `make.py` makes them and this table:",
        "the PNG files chunk by chunk with the standard library, the JPEG files with Pillow, segments edited after.",
        "",
        "| file | what it is |",
        "|---|---|",
    ]
    for suffix, table in (("png", PNGS), ("jpg", JPEGS)):
        for name, (what, make) in table.items():
            (here / f"{name}.{suffix}").write_bytes(make())
            lines.append(f"| `{name}.{suffix}` | {what} |")
    (here / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
