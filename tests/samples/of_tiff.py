"""TIFF files, field by field with the standard library: no common library writes all the forms."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import NamedTuple

from parts import (
    HEIGHT,
    LABEL,
    SRGB,
    WIDTH,
    WRAPPED,
    XMP_ATTRIBUTE,
    XMP_ELEMENT,
    XMP_PLAIN,
    Pixel,
    alpha,
    picture,
    slopes,
)
from PIL import Image

Value = bytes | tuple[int, ...] | Callable[[int], bytes]
Field = tuple[int, Value]
CODES = {3: "H", 4: "I", 5: "II", 13: "I", 16: "Q", 18: "Q"}
NONE, LZW, DEFLATE, DEFLATE_OLD, PACKBITS = 1, 5, 8, 32946, 32773


class Form(NamedTuple):
    """How a page is stored."""

    depth: int = 8
    photometric: int = 2
    extra: tuple[int, ...] = ()
    compression: int = NONE
    predictor: int = 1
    planar: int = 1
    tile: tuple[int, int] = (0, 0)
    strip: int = 20
    more: tuple[tuple[int, int, Value], ...] = ()
    size: tuple[int, int] = (WIDTH, HEIGHT)
    shared: bool = False


def lzw(data: bytes) -> bytes:
    """TIFF's LZW: codes from the most significant bit, widened one code early."""
    bits, table, known, width = [format(256, "09b")], {bytes((byte,)): byte for byte in range(256)}, b"", 9
    following = 258
    for byte in data:
        longer = known + bytes((byte,))
        if longer in table:
            known = longer
            continue
        bits.append(format(table[known], f"0{width}b"))
        table[longer] = following
        following += 1
        width = 9 + sum(following >= limit for limit in (512, 1024, 2048))
        if following == 4095:
            bits.append(format(256, "012b"))
            table, following, width = {bytes((value,)): value for value in range(256)}, 258, 9
        known = bytes((byte,))
    bits.append(format(table[known], f"0{width}b"))
    following += 1
    bits.append(format(257, f"0{9 + sum(following >= limit for limit in (512, 1024, 2048))}b"))
    joined = "".join(bits)
    return int(joined.ljust(-(-len(joined) // 8) * 8, "0"), 2).to_bytes(-(-len(joined) // 8))


def packbits(row: bytes) -> bytes:
    out, at = bytearray(), 0
    while at < len(row):
        run = 1
        while at + run < len(row) and run < 128 and row[at + run] == row[at]:
            run += 1
        if run > 1:
            out += bytes((257 - run, row[at]))
        else:
            while at + run < len(row) and run < 128 and row[at + run] != row[at + run - 1]:
                run += 1
            out += bytes((run - 1,)) + row[at : at + run]
        at += run
    return bytes(out)


def packed(order: str, form: Form, rows: list[list[int]], step: int) -> bytes:
    """Rows of samples as they are stored; ``step`` samples make a pixel."""
    out = []
    top = (1 << form.depth) - 1
    for row in rows:
        if form.predictor == 2:
            row = [(value - (row[at - step] if at >= step else 0)) & top for at, value in enumerate(row)]
        if form.depth == 16:
            out.append(struct.pack(f"{order}{len(row)}H", *row))
        else:
            bits = "".join(f"{value:0{form.depth}b}" for value in row)
            out.append(int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8)))
    match form.compression:
        case 5:
            return lzw(b"".join(out))
        case 8 | 32946:
            return zlib.compress(b"".join(out), 9)
        case 32773:
            return b"".join(map(packbits, out))
    return b"".join(out)


def blocks(order: str, form: Form, pixel: Pixel) -> list[bytes]:
    """The strips or tiles, plane by plane."""
    width, height = form.size
    across, down = form.tile if form.tile[0] else (width, min(form.strip, height))
    samples = len(pixel(0, 0))
    planes = [range(samples)] if form.planar == 1 else [range(plane, plane + 1) for plane in range(samples)]
    found = []
    for plane in planes:
        for top in range(0, height, down):
            bottom = top + down if form.tile[0] else min(top + down, height)
            for left in range(0, width, across):
                rows = [
                    [
                        pixel(min(x, width - 1), min(y, height - 1))[channel]
                        for x in range(left, left + across)
                        for channel in plane
                    ]
                    for y in range(top, bottom)
                ]
                found.append(packed(order, form, rows, len(plane)))
    return found


def value_of(order: str, kind: int, value: Value) -> tuple[int, bytes]:
    """How many values there are, and their bytes."""
    if isinstance(value, bytes):
        return len(value), value
    return len(value) // len(CODES[kind]), struct.pack(f"{order}{len(value)}{CODES[kind][0]}", *value)


def fields_of(form: Form, samples: int, starts: list[int], lengths: list[int], big: bool) -> dict[int, Field]:
    offset = 16 if big else 4
    layout: dict[int, Field] = {273: (offset, tuple(starts)), 278: (3, (form.strip,)), 279: (3, tuple(lengths))}
    if form.tile[0]:
        layout = {322: (3, form.tile[:1]), 323: (3, form.tile[1:]), 324: (offset, tuple(starts)), 325: layout[279]}
    return layout | {
        256: (3, (form.size[0],)),
        257: (3, (form.size[1],)),
        258: (3, (form.depth,) * samples),
        259: (3, (form.compression,)),
        262: (3, (form.photometric,)),
        277: (3, (samples,)),
        282: (5, (300, 1)),
        283: (5, (300, 1)),
        284: (3, (form.planar,)),
        **({317: (3, (form.predictor,))} if form.predictor != 1 else {}),
        **({338: (3, form.extra)} if form.extra else {}),
        **{tag: (kind, value) for tag, kind, value in form.more},
    }


def tiff(*pages: tuple[Form, Pixel], order: str = "<", big: bool = False, after: bytes = b"") -> bytes:
    """Header, then of each page the samples, the long values and the directory."""
    word = order + ("Q" if big else "I")
    inline = struct.calcsize(word)
    out = bytearray(b"II" if order == "<" else b"MM")
    out += struct.pack(order + "HHHQ", 43, 8, 0, 0) if big else struct.pack(order + "HI", 42, 0)
    link = len(out) - inline
    for form, pixel in pages:
        parts = blocks(order, form, pixel)
        known: dict[bytes, int] = {}
        starts = []
        for part in parts:
            if not (form.shared and part in known):
                known[part] = len(out)
                out += part + bytes(len(part) % 2)
            starts.append(known[part])
        fields = fields_of(form, len(pixel(0, 0)), starts, list(map(len, parts)), big)
        directory = struct.pack(order + ("Q" if big else "H"), len(fields))
        for tag, (kind, value) in sorted(fields.items()):
            if callable(value):  # a directory of its own, which wants to know where it stands
                start, nested = len(out), value(len(out))
                out += nested
                value = (start,)
            count, body = value_of(order, kind, value)
            directory += struct.pack(order + "HH" + word[1], tag, kind, count)
            if len(body) > inline:
                directory += struct.pack(word, len(out))
                out += body + bytes(len(body) % 2)
            else:
                directory += body.ljust(inline, b"\0")
        struct.pack_into(word, out, link, len(out))
        link = len(out) + len(directory)
        out += directory + bytes(inline)
    return bytes(out) + after


def indices(count: int) -> Pixel:
    return lambda x, y: ((x // 4 + y // 4) % count,)


def colour_map(depth: int, *entries: tuple[int, int, int]) -> tuple[int, int, Value]:
    """The field of a palette; entries that are not given are like the last."""
    whole = [*entries, *[entries[-1]] * ((1 << depth) - len(entries))]
    return 320, 3, tuple(257 * entry[channel] for channel in range(3) for entry in whole)


def exif_of(order: str, comment: bytes) -> tuple[int, int, Value]:
    """The field of an EXIF directory with a UserComment."""
    return (
        34665,
        4,
        lambda at: (
            struct.pack(order + "HHHIII", 1, 0x9286, 7, len(comment), at + 18, 0) + comment + bytes(len(comment) % 2)
        ),
    )


def nested(data: bytes) -> bytes:
    """The second page of a classic file in SubIFDs of the first, which holds such a field with no offset yet."""
    out = bytearray(data)
    (first,) = struct.unpack_from("<I", out, 4)
    (entries,) = struct.unpack_from("<H", out, first)
    link = first + 2 + 12 * entries
    entry = next(at for at in range(first + 2, link, 12) if struct.unpack_from("<H", out, at) == (330,))
    out[entry + 8 : entry + 12], out[link : link + 4] = out[link : link + 4], bytes(4)
    return bytes(out)


def pillow(picture: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, "TIFF", **options)
    return out.getvalue()


RGB = Form(), slopes(3, 8)
TIGHT: dict[str, int] = {"compression": DEFLATE, "predictor": 2}
GREY = Form(photometric=1), slopes(1, 8)
FEW = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]
FULL = [(level, 255 - level // 2, 40) for level in range(256)]
SMALL = Form(size=(16, 10), more=((254, 4, (1,)),))


def rgb(**changes: object) -> tuple[Form, Pixel]:
    return Form(**changes), slopes(3, changes.get("depth", 8))


def with_text(tag: int, kind: int, value: str) -> tuple[Form, Pixel]:
    return rgb(**TIGHT, more=((tag, kind, value.encode()),))


TIFFS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "grey1": ("grey, 1 bit, PackBits", lambda: tiff((Form(1, 1, compression=PACKBITS), slopes(1, 1)))),
    "grey1-inverted": ("grey, 1 bit, white is zero", lambda: tiff((Form(1, 0), slopes(1, 1)))),
    "grey2": ("grey, 2 bits", lambda: tiff((Form(2, 1), slopes(1, 2)))),
    "grey4": ("grey, 4 bits, deflate", lambda: tiff((Form(4, 1, compression=DEFLATE), slopes(1, 4)))),
    "grey4-tiles": ("grey, 4 bits, tiles", lambda: tiff((Form(4, 1, tile=(32, 16)), slopes(1, 4)))),
    "grey8": ("grey, 8 bits", lambda: tiff(GREY)),
    "grey8-inverted": ("grey, 8 bits, white is zero, big-endian", lambda: tiff((Form(8, 0), slopes(1, 8)), order=">")),
    "grey16": ("grey, 16 bits", lambda: tiff((Form(16, 1), slopes(1, 16)))),
    "grey16-big-endian": ("grey, 16 bits, big-endian", lambda: tiff((Form(16, 1), slopes(1, 16)), order=">")),
    "grey-alpha8": ("grey with alpha, 8 bits", lambda: tiff((Form(8, 1, (2,)), alpha(1, 8)))),
    "rgb8": ("RGB, 8 bits", lambda: tiff(RGB)),
    "rgb8-big-endian": ("RGB, 8 bits, big-endian", lambda: tiff(RGB, order=">")),
    "rgb8-one-strip": ("RGB, 8 bits, LZW, one strip", lambda: tiff(rgb(compression=LZW, strip=65535))),
    "rgb8-lzw": ("RGB, 8 bits, LZW", lambda: tiff(rgb(compression=LZW))),
    "rgb8-lzw-predictor": ("RGB, 8 bits, LZW, differences", lambda: tiff(rgb(compression=LZW, predictor=2))),
    "rgb8-deflate": ("RGB, 8 bits, deflate", lambda: tiff(rgb(compression=DEFLATE))),
    "rgb8-deflate-predictor": (
        "RGB, 8 bits, old number of deflate, differences",
        lambda: tiff(rgb(compression=DEFLATE_OLD, predictor=2)),
    ),
    "rgb8-packbits": ("RGB, 8 bits, PackBits", lambda: tiff(rgb(compression=PACKBITS))),
    "rgb8-planes": ("RGB, 8 bits, planes, LZW", lambda: tiff(rgb(compression=LZW, planar=2))),
    "rgb8-tiles": (
        "RGB, 8 bits, tiles, deflate, differences",
        lambda: tiff(rgb(compression=DEFLATE, predictor=2, tile=(32, 32))),
    ),
    "rgb8-plane-tiles": (
        "RGB, 8 bits, planes in tiles, deflate, differences",
        lambda: tiff(rgb(compression=DEFLATE, predictor=2, planar=2, tile=(64, 16))),
    ),
    "rgb8-shared": (
        "RGB, 8 bits, one colour, all strips in one place",
        lambda: tiff((Form(shared=True, strip=8), lambda x, y: (200, 100, 50))),
    ),
    "rgb16": ("RGB, 16 bits", lambda: tiff(rgb(depth=16))),
    "rgb16-big-endian": (
        "RGB, 16 bits, big-endian, deflate, differences",
        lambda: tiff(rgb(depth=16, compression=DEFLATE, predictor=2), order=">"),
    ),
    "rgb16-lzw-predictor": (
        "RGB, 16 bits, LZW, differences",
        lambda: tiff(rgb(depth=16, compression=LZW, predictor=2)),
    ),
    "rgba8": ("RGB with alpha, 8 bits", lambda: tiff((Form(extra=(2,)), alpha(3, 8)))),
    "rgba8-associated": (
        "RGB with associated alpha, 8 bits, LZW, differences",
        lambda: tiff((Form(extra=(1,), compression=LZW, predictor=2), lambda x, y: (x, y, 9, max(x, y, 9)))),
    ),
    "rgba16": ("RGB with alpha, 16 bits", lambda: tiff((Form(16, extra=(2,)), alpha(3, 16)))),
    "palette1": ("palette, 1 bit", lambda: tiff((Form(1, 3, more=(colour_map(1, (255,) * 3, (0,) * 3),)), indices(2)))),
    "palette4": (
        "palette, 4 bits, room for thirteen",
        lambda: tiff((Form(4, 3, more=(colour_map(4, *FEW),)), indices(3))),
    ),
    "palette8": (
        "palette, 8 bits, room, LZW, differences",
        lambda: tiff((Form(8, 3, compression=LZW, predictor=2, more=(colour_map(8, *FEW),)), indices(3))),
    ),
    "palette8-full": (
        "palette, 8 bits, full, without black and white",
        lambda: tiff((Form(8, 3, more=(colour_map(8, *FULL),)), indices(256))),
    ),
    "cmyk8": ("CMYK, 8 bits, LZW", lambda: tiff((Form(8, 5, compression=LZW), slopes(4, 8)))),
    "cmyk16": ("CMYK, 16 bits", lambda: tiff((Form(16, 5), slopes(4, 16)))),
    **{
        f"orientation{turn}": (f"orientation {turn}", lambda turn=turn: tiff(rgb(**TIGHT, more=((274, 3, (turn,)),))))
        for turn in (3, 6, 7)
    },
    "bigtiff": ("BigTIFF, RGB, 8 bits, deflate", lambda: tiff(rgb(compression=DEFLATE), big=True)),
    "pages": (
        "three pages, the second smaller and grey, the third a thumbnail",
        lambda: tiff(RGB, (Form(8, 1, size=(80, 50), more=((274, 3, (6,)),)), slopes(1, 8)), (SMALL, slopes(3, 8))),
    ),
    "sub-pages": (
        "a second picture in SubIFDs",
        lambda: nested(tiff(rgb(**TIGHT, more=((330, 4, (0,)),)), (Form(size=(80, 50), **TIGHT), slopes(3, 8)))),
    ),
    "metadata": (
        "description, resolution, XMP (of type BYTE), ICC, EXIF, a private field; data behind the last directory",
        lambda: tiff(
            rgb(
                **TIGHT,
                more=(
                    (270, 2, b"a cat\0"),
                    (282, 5, (1200, 7)),
                    (296, 3, (3,)),
                    (700, 1, XMP_PLAIN.encode()),
                    (34675, 7, SRGB),
                    exif_of("<", b"ASCII\0\0\0a comment"),
                    (65000, 7, b"private"),
                ),
            ),
            after=b"trailer",
        ),
    ),
    "labelled-xmp": ("label as an XMP element", lambda: tiff(with_text(700, 7, XMP_ELEMENT))),
    "labelled-xmp-byte": (
        "label as an XMP attribute in a field of type BYTE, big-endian",
        lambda: tiff(with_text(700, 1, XMP_ATTRIBUTE), order=">"),
    ),
    "labelled-xmp-bigtiff": (
        "label as an XMP element, BigTIFF",
        lambda: tiff(with_text(700, 7, XMP_ELEMENT), big=True),
    ),
    "labelled-second-page": (
        "label in the XMP of the second page; a packet without one in the third",
        lambda: tiff(rgb(**TIGHT), with_text(700, 7, XMP_ELEMENT), with_text(700, 7, XMP_PLAIN)),
    ),
    "labelled-description": ("wrapped label in ImageDescription", lambda: tiff(with_text(270, 2, WRAPPED + "\0"))),
    "labelled-description-bare": ("bare label in ImageDescription", lambda: tiff(with_text(270, 2, LABEL + "\0"))),
    "labelled-exif": (
        "wrapped label in EXIF UserComment",
        lambda: tiff(rgb(**TIGHT, more=(exif_of("<", b"ASCII\0\0\0" + WRAPPED.encode()),))),
    ),
    "manifest": (
        "field 52545, as C2PA has it (no real manifest)",
        lambda: tiff(rgb(**TIGHT, more=((52545, 7, b"jumb c2pa manifest"),))),
    ),
    "jpeg": ("RGB, compressed as JPEG", lambda: pillow(picture("RGB"), compression="jpeg")),
    "group4": (
        "1 bit, compressed as CCITT group 4",
        lambda: pillow(picture("L").convert("1"), compression="group4"),
    ),
    "float": (
        "floating point",
        lambda: tiff((Form(32, 1, more=((339, 3, (3,)),)), lambda x, y: (x << 23,))),
    ),
}
