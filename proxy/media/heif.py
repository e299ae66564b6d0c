"""HEIF and HEIC (ISO/IEC 23008-12): the label among the items of the container, whatever codes the pictures.

Law: that of ``heif_labels``: an XMP item that describes the picture (TC260-PG-20259A). Nothing is decoded.
"""

from proxy.media.boxes import brands
from proxy.media.heif_labels import carriers, has_manifest, read, size, write

__all__ = ["TYPES", "carriers", "has_manifest", "read", "size", "sniff", "write"]

TYPES: tuple[str, ...] = ("image/heic", "image/heif", "image/heic-sequence", "image/heif-sequence")

_CODED = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))
_GENERAL = frozenset((b"mif1", b"mif2", b"mif3", b"msf1", b"miaf"))
_ELSEWHERE = frozenset((b"avif", b"avis"))  # AVIF is a format of its own


def sniff(data: bytes) -> bool:
    """Whether the data begins with a ``ftyp`` box of HEIF's that does not name AVIF."""
    major, *others = brands(data) or [b""]
    return major in _CODED or (major in _GENERAL and _ELSEWHERE.isdisjoint(others))
