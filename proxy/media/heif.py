"""HEIF and HEIC (ISO/IEC 23008-12): the label among the items of the container, whatever codes the pictures.

Law: that of ``heif_labels``: an XMP item that describes the picture (TC260-PG-20259A). Nothing is decoded.
"""

from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement
from proxy.media import heif_labels
from proxy.media.boxes import brands
from proxy.media.carriers import Carrier, labels

TYPES: tuple[str, ...] = ("image/heic", "image/heif", "image/heic-sequence", "image/heif-sequence")

_CODED = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))
_GENERAL = frozenset((b"mif1", b"mif2", b"mif3", b"msf1", b"miaf"))
_ELSEWHERE = frozenset((b"avif", b"avis"))  # AVIF is a format of its own


def sniff(data: bytes) -> bool:
    """Whether the data begins with a ``ftyp`` box of HEIF's that does not name AVIF."""
    major, *others = brands(data) or [b""]
    return major in _CODED or (major in _GENERAL and _ELSEWHERE.isdisjoint(others))


def size(data: bytes) -> tuple[int, int]:
    """Width and height of the primary item in stored pixels, from the meta box alone."""
    return heif_labels.size(data)


def read(data: bytes) -> tuple[Aigc, ...]:
    """Every label: in XMP, in EXIF."""
    return labels(carriers(data))


def carriers(data: bytes) -> list[Carrier]:
    """Every XMP packet; EXIF where it holds a label."""
    return heif_labels.carriers(data)


def write(data: bytes, statement: Statement) -> bytes:
    """The file with this label only; every picture and every other item as it was, but C2PA manifests."""
    return heif_labels.write(data, statement)


def has_manifest(data: bytes) -> bool:
    """Whether there is a C2PA manifest: a ``uuid`` box of C2PA's."""
    return heif_labels.has_manifest(data)
