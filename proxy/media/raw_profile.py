"""Raw profiles: EXIF and XMP as ImageMagick and its kin put them into text chunks of a PNG, in hexadecimal.

Law: they are read, for converters carry labels into them, and never written. A profile that cannot be read holds none.
"""

import re

from proxy.label.aigc import Aigc
from proxy.media import exif
from proxy.media.carriers import in_packet, labels

KEYWORDS = frozenset(("Raw profile type APP1", "Raw profile type exif", "Raw profile type xmp"))

_FORM = re.compile(rb"\s*[\w.-]+\s+(?P<length>\d{1,9})\s+(?P<digits>[0-9a-fA-F\s]*)")
_XMP = b"http://ns.adobe.com/xap/1.0/\0"


def in_profile(text: bytes) -> tuple[Aigc, ...]:
    """The labels in the text of such a chunk: a name, the length of the profile in bytes, the profile's digits."""
    found = _FORM.fullmatch(text)
    if found is None:
        return ()
    digits = b"".join(found["digits"].split())
    if len(digits) != 2 * int(found["length"]):
        return ()
    profile = bytes.fromhex(digits.decode())
    if profile.startswith((_XMP, b"<")):
        return in_packet(profile.removeprefix(_XMP))
    return labels(exif.carriers(profile))
