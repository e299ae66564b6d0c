"""AVIF files from Pillow, and its coded pictures in other containers."""

import io
from collections.abc import Callable
from functools import partial

from heif_container import Entry, Form, box, container, exif_item, full, ispe, uuid, xmp
from of_heif import C2PA
from parts import HEIGHT, SRGB, WIDTH, WRAPPED, XMP_ATTRIBUTE, XMP_ELEMENT, XMP_PLAIN, alpha, exif, picture
from PIL import Image

PIXI = full(b"pixi", 0, b"\3\x08\x08\x08")
SQUARE = box(b"pasp", b"\0\0\0\1\0\0\0\1")
NCLX = box(b"colr", b"nclx\0\1\0\x0d\0\6\x80")


def avif(image: Image.Image | None = None, **options: object) -> bytes:
    out = io.BytesIO()
    (image or picture("RGB")).save(out, "AVIF", **{"quality": 80, "max_threads": 1, **options})
    return out.getvalue()


def transparent() -> Image.Image:
    pixel = alpha(4, 8)
    data = bytes(sample for y in range(HEIGHT) for x in range(WIDTH) for sample in pixel(x, y)[:3] + pixel(x, y)[-1:])
    return Image.frombytes("RGBA", (WIDTH, HEIGHT), data)


def coded(number: int, image: Image.Image | None = None, *properties: bytes, **options: object) -> Entry:
    """What Pillow made of one picture, as an item."""
    whole = avif(image, **options)
    start = whole.index(b"av1C") - 4
    configuration = whole[start : start + int.from_bytes(whole[start : start + 4])]
    data = whole[whole.index(b"mdat") + 4 :]
    size = (image or picture("RGB")).size
    return Entry(number, b"av01", data, (ispe(*size), configuration, PIXI, *(properties or (NCLX,))))


def turned(orientation: int) -> bytes:
    return avif(exif=exif("<>"[orientation % 2], orientation))


def animated(**options: object) -> bytes:
    first = picture("RGB")
    others = [first.transpose(Image.Transpose.ROTATE_180)]
    return avif(first, save_all=True, append_images=others, duration=100, **options)


def small(number: int) -> Entry:
    thumbnail = picture("RGB").resize((WIDTH // 4, HEIGHT // 4))
    return coded(number, thumbnail)._replace(references=((b"thmb", (1,)),))


AVIFS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "420": ("4:2:0", avif),
    "422": ("4:2:2", lambda: avif(subsampling="4:2:2")),
    "444": ("4:4:4", lambda: avif(subsampling="4:4:4")),
    "grey": ("4:0:0", lambda: avif(picture("L"))),
    "limited": ("limited range", lambda: avif(range="limited")),
    "rgba": ("with alpha", lambda: avif(transparent())),
    "grey-alpha": ("4:0:0 with alpha", lambda: avif(transparent(), subsampling="4:0:0")),
    **{
        f"orientation{turn}": (f"irot and imir as EXIF orientation {turn}", partial(turned, turn))
        for turn in range(2, 9)
    },
    "mif1": ("the major brand names no coding", lambda: container([coded(1)], Form(b"mif1", b"mif1avif"))),
    "profile": (
        "a colour profile and no other word on colours, range and matrix in the coded data alone",
        lambda: container([coded(1, None, box(b"colr", b"prof" + SRGB))]),
    ),
    "metadata": (
        "profile, EXIF with orientation, XMP, thumbnail with XMP, a private box",
        lambda: container(
            [
                coded(1, None, box(b"colr", b"prof" + SRGB), NCLX, SQUARE, box(b"irot", b"\3")),
                exif_item(2, exif("<", 6, comment=b"ASCII\0\0\0a comment"), b"\0\0\0\6Exif\0\0"),
                xmp(3, XMP_PLAIN.replace("image/x", "image/small"), 5),
                xmp(4, XMP_PLAIN),
                small(5),
            ],
            Form(after=box(b"priv", b"private")),
        ),
    ),
    "animated": ("a sequence of two pictures", animated),
    "grid": (
        "a grid of two tiles, the second one larger than what it shows",
        lambda: container(
            [
                Entry(1, b"grid", bytes((0, 0, 0, 1)) + WIDTH.to_bytes(2) + HEIGHT.to_bytes(2),
                      (ispe(WIDTH, HEIGHT), PIXI), ((b"dimg", (2, 3)),), in_idat=True),
                *(coded(number, picture("RGB").crop(part))
                  for number, part in ((2, (0, 0, 64, 64)), (3, (64, 0, 128, 64)))),
            ]
        ),
    ),
    "gain-map": (
        "a second picture that makes the first one brighter (no real gain map)",
        lambda: container([coded(1), coded(2)._replace(references=((b"auxl", (1,)),))]),
    ),
    "hdr": (
        "PQ, as the colour property says",
        lambda: container([coded(1, None, box(b"colr", b"nclx\0\x09\0\x10\0\6\x80"))]),
    ),
    "labelled-xmp": ("label as an XMP element, from Pillow", lambda: avif(xmp=XMP_ELEMENT.encode())),
    "labelled-animated": (
        "label as an XMP element, which the file and its track share",
        lambda: animated(xmp=XMP_ELEMENT.encode()),
    ),
    "labelled-first": (
        "label as an XMP attribute, its data between two pictures",
        lambda: container([coded(1), xmp(2, XMP_ATTRIBUTE), small(3)]),
    ),
    "labelled-exif": (
        "wrapped label in EXIF UserComment",
        lambda: container([coded(1), exif_item(2, exif("<", comment=b"ASCII\0\0\0" + WRAPPED.encode()))]),
    ),
    "manifest": (
        "a uuid box, as C2PA has it (no real manifest), before the data",
        lambda: container([coded(1)], Form(between=uuid(C2PA, bytes(4) + b"manifest\0" + bytes(8)))),
    ),
}  # fmt: skip
