"""HEIC files: real containers around a payload that no HEVC encoder made, so that nothing can decode them."""

import zlib
from collections.abc import Callable

from heif_container import Entry, Form, box, container, exif_item, full, ispe, uuid, xmp
from parts import HEIGHT, WIDTH, WRAPPED, XMP_ATTRIBUTE, XMP_ELEMENT, XMP_PLAIN, exif

C2PA = "d8fec3d61b0e483c92975828877ec481"
XMP_BOX = "be7acfcb97a942e89c71999491e3afac"
HEIC = Form(b"heic", b"mif1heic")

HVCC = box(b"hvcC", b"\1\3\x70" + bytes(9) + b"\x5d\xf0\0\xfc\xfd\xf8\xf8\0\0\x0f\0")
PIXI = full(b"pixi", 0, b"\3\x08\x08\x08")
TURN = box(b"irot", b"\1")


def coded(number: int, width: int = WIDTH, height: int = HEIGHT, *turns: bytes) -> Entry:
    """An item of the type hvc1 whose data is made up."""
    payload = bytes((number * 37 + at * 11) % 251 for at in range(120))
    return Entry(number, b"hvc1", payload, (ispe(width, height), HVCC, PIXI, *turns))


def grid() -> list[Entry]:
    """Two tiles and a thumbnail, as telephones make them."""
    tiles = [coded(number, WIDTH // 2)._replace(references=()) for number in (2, 3)]
    whole = Entry(
        1, b"grid", bytes((0, 0, 0, 1)) + WIDTH.to_bytes(2) + HEIGHT.to_bytes(2),
        (ispe(WIDTH, HEIGHT), TURN), ((b"dimg", (2, 3)),), in_idat=True,
    )  # fmt: skip
    thumbnail = coded(4, WIDTH // 4, HEIGHT // 4)._replace(references=((b"thmb", (1,)),))
    return [whole, *tiles, thumbnail]


def heic(*others: Entry, form: Form = HEIC) -> bytes:
    return container([coded(1), *others], form)


def labelled(form: Form) -> bytes:
    return heic(xmp(2, XMP_ELEMENT), coded(3)._replace(references=((b"thmb", (1,)),)), form=form)


COMMENT = exif(">", comment=b"UNICODE\0" + WRAPPED.encode("utf-16-be"))
MERKLE = uuid(C2PA, bytes(4) + b"merkle\0" + b"tree")

HEIFS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "plain": ("one picture", heic),
    "mif1": ("the major brand names no coding", lambda: heic(form=HEIC._replace(major=b"mif1"))),
    "grid": ("a grid of two tiles, its description in idat, a thumbnail, irot", lambda: container(grid(), HEIC)),
    "metadata": (
        "EXIF, XMP, XMP about a thumbnail, an unknown item, a private box",
        lambda: heic(
            exif_item(2, exif("<", 6, comment=b"ASCII\0\0\0a comment"), b"\0\0\0\6Exif\0\0"),
            xmp(3, XMP_PLAIN.replace("image/x", "image/small"), 5),
            xmp(4, XMP_PLAIN),
            coded(5)._replace(references=((b"thmb", (1,)),)),
            Entry(6, b"mime", b"<note/>", (), (), b"text/xml"),
            form=HEIC._replace(after=box(b"priv", b"private")),
        ),
    ),
    "labelled-xmp": ("label as an XMP element, before other data", lambda: labelled(HEIC)),
    "labelled-base": (
        "the same with base offsets, iloc version 0",
        lambda: labelled(HEIC._replace(sizes=(4, 4, 4), version=0)),
    ),
    "labelled-wide": (
        "the same with offsets of 64 bits, iloc version 2, a large mdat box",
        lambda: labelled(HEIC._replace(sizes=(8, 8, 8), version=2, wide=True)),
    ),
    "labelled-last": ("the same, the meta box last", lambda: labelled(HEIC._replace(meta_last=True))),
    "labelled-open": ("the same, the mdat box without a size", lambda: labelled(HEIC._replace(open_end=True))),
    "labelled-cut": ("label in XMP cut into three extents", lambda: heic(xmp(2, XMP_ATTRIBUTE, cuts=(50, 333)))),
    "labelled-idat": ("label in XMP in idat", lambda: heic(xmp(2, XMP_ATTRIBUTE, in_idat=True))),
    "labelled-deflate": (
        "label in compressed XMP",
        lambda: heic(xmp(2, "", data=zlib.compress(XMP_ELEMENT.encode()), encoding=b"deflate")),
    ),
    "labelled-uuid": (
        "label in XMP in a uuid box",
        lambda: heic(form=HEIC._replace(between=uuid(XMP_BOX, XMP_ATTRIBUTE.encode()))),
    ),
    "labelled-exif": (
        "wrapped label in EXIF UserComment, UTF-16, cut into two extents",
        lambda: heic(exif_item(2, COMMENT)._replace(cuts=(100,))),
    ),
    "manifest": (
        "uuid boxes, as C2PA has them (no real manifest), before and behind the data",
        lambda: heic(form=HEIC._replace(between=uuid(C2PA, bytes(4) + b"manifest\0" + bytes(8)), after=MERKLE)),
    ),
}  # fmt: skip
