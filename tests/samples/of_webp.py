"""WebP files: pictures from Pillow, their chunks edited after."""

import io
import struct
from collections.abc import Callable, Iterator

from parts import HEIGHT, LABEL, SRGB, WIDTH, WRAPPED, XMP_ATTRIBUTE, XMP_ELEMENT, XMP_PLAIN, alpha, exif, picture
from PIL import Image

ICC_FLAG, ALPHA_FLAG, EXIF_FLAG, XMP_FLAG, ANIMATION_FLAG = 0x20, 0x10, 0x08, 0x04, 0x02
KEEP, BACKGROUND, REPLACE = 0, 1, 2


def chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


def riff(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def bare(data: bytes) -> Iterator[bytes]:
    """The chunks of the picture itself."""
    position = 12
    while position < len(data):
        end = position + 8 + int.from_bytes(data[position + 4 : position + 8], "little")
        end += end % 2
        if data[position : position + 4] != b"VP8X":
            yield data[position:end]
        position = end


def webp(image: Image.Image, **options: object) -> bytes:
    """The chunks of a picture."""
    out = io.BytesIO()
    image.save(out, "WEBP", exact=True, **{"quality": 80, **options})
    return b"".join(bare(out.getvalue()))


def rgba() -> Image.Image:
    pixel = alpha(3, 8)
    return Image.frombytes(
        "RGBA", (WIDTH, HEIGHT), bytes(s for y in range(HEIGHT) for x in range(WIDTH) for s in pixel(x, y))
    )


def extended(flags: int, *chunks: bytes, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """A file with a VP8X chunk."""
    sizes = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return riff(chunk(b"VP8X", struct.pack("<I", flags) + sizes), *chunks)


def frame(image: Image.Image, left: int, top: int, flags: int, **options: object) -> bytes:
    """An ANMF chunk of 80 milliseconds."""
    numbers = (left // 2, top // 2, image.width - 1, image.height - 1, 80)
    header = b"".join(struct.pack("<I", number)[:3] for number in numbers) + bytes((flags,))
    return chunk(b"ANMF", header + webp(image, **options))


def animation(*frames: bytes, flags: int = ANIMATION_FLAG, after: bytes = b"") -> bytes:
    return extended(flags, chunk(b"ANIM", bytes((10, 20, 30, 255)) + struct.pack("<H", 3)), *frames, after)


def part(box: tuple[int, int, int, int]) -> Image.Image:
    return picture("RGB").transpose(Image.Transpose.ROTATE_180).crop(box)


RGB = picture("RGB")
COMMENT = exif(">", comment=b"ASCII\0\0\0a comment")
METADATA_FLAGS = ICC_FLAG | EXIF_FLAG | XMP_FLAG

WEBPS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "lossy": ("lossy, simple form", lambda: riff(webp(RGB))),
    "lossy-fine": ("lossy, quality 100", lambda: riff(webp(RGB, quality=100))),
    "lossy-coarse": ("lossy, quality 10", lambda: riff(webp(RGB, quality=10))),
    "lossy-alpha": ("lossy with alpha", lambda: extended(ALPHA_FLAG, webp(rgba()))),
    "lossless": ("lossless, simple form", lambda: riff(webp(RGB, lossless=True))),
    "lossless-alpha": ("lossless with alpha, simple form", lambda: riff(webp(rgba(), lossless=True))),
    "lossless-opaque": (
        "lossless, its header says alpha, all of it opaque",
        lambda: riff(webp(RGB.convert("RGBA"), lossless=True).replace(b"\x2f\x5f\xc0\x0f\0", b"\x2f\x5f\xc0\x0f\x10")),
    ),
    "metadata": (
        "ICC, EXIF, XMP, an unknown chunk of odd length; data after the end",
        lambda: (
            extended(
                METADATA_FLAGS,
                chunk(b"ICCP", SRGB),
                webp(RGB),
                chunk(b"EXIF", COMMENT),
                chunk(b"XMP ", XMP_PLAIN.encode()),
                chunk(b"prVt", b"private"),
            )
            + b"trailer"
        ),
    ),
    "orientation6": (
        "EXIF orientation 6",
        lambda: extended(EXIF_FLAG, webp(RGB, lossless=True), chunk(b"EXIF", exif("<", 6))),
    ),
    "animated": (
        "animation: a full frame, a part that is kept, one that is cleared, all lossy and opaque",
        lambda: animation(
            frame(RGB, 0, 0, KEEP | REPLACE),
            frame(part((0, 0, 30, 20)), 4, 4, KEEP),
            frame(part((0, 0, 40, 30)), 10, 20, BACKGROUND),
            frame(part((0, 0, 32, 24)), 60, 36, KEEP | REPLACE),
        ),
    ),
    "animated-sticker": (
        "animation: small frames with alpha, lossy and lossless, each cleared; EXIF and XMP after them",
        lambda: animation(
            frame(rgba().crop((0, 0, 40, 40)), 0, 0, BACKGROUND),
            frame(rgba().crop((10, 10, 60, 50)), 20, 10, BACKGROUND | REPLACE, lossless=True),
            frame(rgba().crop((0, 0, 40, 40)), 50, 20, BACKGROUND, lossless=True),
            flags=ANIMATION_FLAG | ALPHA_FLAG | EXIF_FLAG | XMP_FLAG,
            after=chunk(b"EXIF", COMMENT) + chunk(b"XMP ", XMP_PLAIN.encode()),
        ),
    ),
    "animated-lossless": (
        "animation: small lossless frames without alpha, the first not where a badge would be",
        lambda: animation(
            frame(part((0, 0, 20, 20)), 0, 0, KEEP | REPLACE, lossless=True),
            frame(part((0, 0, 96, 64)), 0, 0, BACKGROUND, lossless=True),
            frame(part((20, 20, 61, 51)), 30, 10, KEEP | REPLACE, lossless=True),
        ),
    ),
    "labelled-xmp": ("label as an XMP element", lambda: extended(XMP_FLAG, webp(RGB), xmp(XMP_ELEMENT))),
    "labelled-xmp-first": (
        "label as an XMP attribute in a chunk before the picture, which VP8X does not tell of",
        lambda: extended(0, xmp(XMP_ATTRIBUTE), webp(RGB)),
    ),
    "labelled-exif": (
        "wrapped label in EXIF UserComment",
        lambda: extended(EXIF_FLAG, webp(RGB), chunk(b"EXIF", exif("<", comment=b"ASCII\0\0\0" + WRAPPED.encode()))),
    ),
    "labelled-exif-prefix": (
        "wrapped label in EXIF ImageDescription, with JPEG's identifier before the block",
        lambda: extended(
            EXIF_FLAG, webp(RGB), chunk(b"EXIF", b"Exif\0\0" + exif(">", description=WRAPPED.encode() + b"\0"))
        ),
    ),
    "labelled-chunk": (
        "bare label in a chunk AIGC, as WAV has it",
        lambda: riff(webp(RGB), chunk(b"AIGC", LABEL.encode())),
    ),
    "manifest": (
        "a C2PA chunk at the end (no real manifest)",
        lambda: extended(0, webp(RGB), chunk(b"C2PA", b"\0\0\0\x10jumbc2pa")),
    ),
}


def xmp(packet: str) -> bytes:
    return chunk(b"XMP ", packet.encode())
