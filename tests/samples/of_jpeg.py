"""JPEG files from Pillow, their segments edited after."""

import io
import struct
from collections.abc import Callable, Iterator
from functools import partial

from parts import LABEL, SRGB, WRAPPED, XMP_ATTRIBUTE, XMP_PLAIN, exif, picture


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


def indexed(first: tuple[bytes, ...], *others: bytes, gap: bytes = b"", order: str = ">") -> bytes:
    """Several pictures with ``gap`` between them; the index is the first picture's, after the segments ``first``."""
    fields = ((0xB000, 7, 4, b"0100"), (0xB001, 4, 1, struct.pack(order + "I", len(others) + 1)))
    head = (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(order + "IH", 8, 3)
    head += b"".join(struct.pack(order + "HHI", *field) + value for *field, value in fields)
    head += struct.pack(order + "HHIII", 0xB002, 7, 16 * (len(others) + 1), 50, 0)
    blank = segment(0xE2, b"MPF\0" + head + bytes(16 * (len(others) + 1)))
    start = with_segments(jpeg(quality=60), *first, blank)
    base, position = start.index(b"MPF\0") + 4, len(start)
    entries = struct.pack(order + "IIIHH", 0x20030000, len(start), 0, 0, 0)
    for other in others:
        entries += struct.pack(order + "IIIHH", 0, len(other), position + len(gap) - base, 0, 0)
        position += len(gap) + len(other)
    index = segment(0xE2, b"MPF\0" + head + entries)
    return gap.join((start.replace(blank, index), *others))


JPEG_METADATA = (
    exif_segment(exif("<", comment=b"ASCII\0\0\0a comment", description=b"a description\0")),
    xmp_segment(XMP_PLAIN),
    segment(0xE2, b"ICC_PROFILE\0\1\1" + SRGB),
    segment(0xED, b"Photoshop 3.0\0" + b"8BIM\4\4\0\0\0\0\0\0"),
    jumbf(b"\0\0\0\x18jumdsomebody else's"),
    segment(0xFE, b"a comment"),
    segment(0xEF, b"private"),
)

GAIN_MAP = '<x xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"/>'

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
    "several-turned": (
        "MPO of three pictures, the second turned, with zeros between them, the index big-endian; data at the end",
        lambda: indexed((xmp_segment(XMP_PLAIN),), turned(6), jpeg("L"), gap=bytes(10)) + b"trailer",
    ),
    "gain-map": (
        "two pictures, the second a map of gains for high dynamic range (Adobe's names, no real map)",
        lambda: indexed((), with_segments(jpeg("L"), xmp_segment(GAIN_MAP)), order="<"),
    ),
}  # fmt: skip
