"""What the makers of samples share: the picture itself, labels in several spellings, EXIF, a profile."""

import struct
from collections.abc import Callable

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
Maker = Callable[[], bytes]


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


def picture(mode: str) -> Image.Image:
    channels = {"L": 1, "RGB": 3, "CMYK": 4}[mode]
    pixel = slopes(channels, 8)
    return Image.frombytes(
        mode, (WIDTH, HEIGHT), bytes(s for y in range(HEIGHT) for x in range(WIDTH) for s in pixel(x, y))
    )


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


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
