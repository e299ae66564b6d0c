"""AVIF (AV1 Image File Format 1.2): the label among the items of its HEIF container.

Law: that of ``heif_labels``. TC260-PG-20259A does not name AVIF; the label stands where it stands in HEIF, of which
AVIF is a form.
"""

from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement
from proxy.media import heif_labels
from proxy.media.boxes import brands
from proxy.media.carriers import Carrier, labels

TYPES: tuple[str, ...] = ("image/avif", "image/avif-sequence")

_BRANDS = frozenset((b"avif", b"avis"))
# A brand that says no more than HEIF leaves it to the others to name the coding (ISO/IEC 23008-12 clause 10.2).
_GENERAL = frozenset((b"mif1", b"mif2", b"mif3", b"msf1", b"miaf"))


def sniff(data: bytes) -> bool:
    """Whether the data begins with a ``ftyp`` box of AVIF's."""
    major, *others = brands(data) or [b""]
    return major in _BRANDS or (major in _GENERAL and not _BRANDS.isdisjoint(others))


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
