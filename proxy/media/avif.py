"""AVIF (AV1 Image File Format 1.2): the label among the items of its HEIF container.

Law: that of ``heif_labels``. TC260-PG-20259A does not name AVIF; the label stands where it stands in HEIF, of which
AVIF is a form.
"""

from proxy.media.boxes import brands
from proxy.media.heif_labels import carriers, has_manifest, read, size, write

__all__ = ["TYPES", "carriers", "has_manifest", "read", "size", "sniff", "write"]

TYPES: tuple[str, ...] = ("image/avif", "image/avif-sequence")

_BRANDS = frozenset((b"avif", b"avis"))
# A brand that says no more than HEIF leaves it to the others to name the coding (ISO/IEC 23008-12 clause 10.2).
_GENERAL = frozenset((b"mif1", b"mif2", b"mif3", b"msf1", b"miaf"))


def sniff(data: bytes) -> bool:
    """Whether the data begins with a ``ftyp`` box of AVIF's."""
    major, *others = brands(data) or [b""]
    return major in _BRANDS or (major in _GENERAL and not _BRANDS.isdisjoint(others))
