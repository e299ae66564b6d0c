"""What may carry a label inside a file, whatever the format: an XMP packet, or a text with the JSON object.

Law: reading takes every spelling and passes over what is no label; writing leaves one label, in one packet. A file with
more carriers than any honest one has is refused, so that the work stays bounded.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from proxy.label import xmp
from proxy.label.aigc import KEYWORD, Aigc, parse
from proxy.label.errors import LabelError, OversizeError
from proxy.label.xmp import Statement
from proxy.media.errors import MediaError

MAX_CARRIERS = 16

_PADDING = "\ufeff\0 \t\r\n"
_KEY = re.compile(rf"{KEYWORD}[\0 \t\r\n:=]*(?=\{{)", re.IGNORECASE)
_WRAPPED = re.compile(rf'\{{\s*"{KEYWORD}"', re.IGNORECASE)
# What names no field of a label is not parsed: tools keep megabytes of JSON in pictures.
_FIELD = re.compile(r'"(?:label|serviceprovider)\\?"', re.IGNORECASE)
_MARKS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


class Carrier(NamedTuple):
    """One place in a file that may hold labels: its name as people look it up, the labels, and the packet if it is XMP.

    ``place`` is such as ``iTXt XML:com.adobe.xmp`` or ``EXIF UserComment``.
    """

    place: str
    labels: tuple[Aigc, ...]
    packet: bytes = b""

    @property
    def disclosures(self) -> tuple[str, ...]:
        """The statements in the packet (see ``xmp.disclosures``); none where it cannot be read."""
        return _disclosures(self.packet) if self.packet else ()


def check_count(carriers: int) -> None:
    """MediaError where a file has more than 16 places that may hold a label."""
    if carriers > MAX_CARRIERS:
        raise MediaError(f"{carriers} places for labels, over the limit of {MAX_CARRIERS}")


def labels(carriers: Iterable[Carrier]) -> tuple[Aigc, ...]:
    """All labels, in the order of the file."""
    return tuple([label for carrier in carriers for label in carrier.labels])


def disclosures(carriers: Iterable[Carrier]) -> tuple[str, ...]:
    """All statements, in the order of the file."""
    return tuple([text for carrier in carriers for text in carrier.disclosures])


def decoded(data: bytes) -> str:
    """Text whose encoding is not said, or said wrongly: UTF-16 where a byte order mark or zeros tell, else UTF-8."""
    encoding = _MARKS.get(data[:2], "utf-8")
    if len(data) >= 4 and any(data[:4]):
        if not data[0] | data[2]:
            encoding = "utf-16-be"
        elif not data[1] | data[3]:
            encoding = "utf-16-le"
    return data.decode(encoding, "replace")


def in_text(text: str) -> tuple[Aigc, ...]:
    """The label that a text is, bare or wrapped, with or without the keyword before it; nothing where it is none.

    Without the keyword, an object that has a ``Label`` and no other field of a label is somebody else's.
    """
    found = text.strip(_PADDING)
    key = _KEY.match(found)
    label = in_value(found[key.end() :] if key else found)
    return label if key or _WRAPPED.match(found) or any(field for each in label for field in each[1:]) else ()


def opens_label(text: str) -> bool:
    """Whether a text that begins so may be a label."""
    found = text.lstrip(_PADDING)
    return found.startswith("{") or _KEY.match(found) is not None


def in_value(text: str) -> tuple[Aigc, ...]:
    """The label that a text is which stands under a name that tells; nothing where it is none."""
    found = text.strip(_PADDING)
    if not found.startswith("{") or not _FIELD.search(found):
        return ()
    try:
        return (parse(found),)
    except LabelError:
        return ()


def in_packet(packet: bytes) -> tuple[Aigc, ...]:
    """The labels in an XMP packet; a packet that cannot be read holds none."""
    try:
        return xmp.every(packet)
    except LabelError:
        return ()


def speaks(packet: bytes) -> bool:
    """Whether an XMP packet holds a label or a statement, which belong into the first packet of a file."""
    return bool(in_packet(packet) or _disclosures(packet))


def _disclosures(packet: bytes) -> tuple[str, ...]:
    try:
        return xmp.disclosures(packet)
    except LabelError:
        return ()


def xmp_carrier(place: str, packet: bytes) -> Carrier:
    """An XMP packet as a carrier."""
    return Carrier(place, in_packet(packet), packet)


def one_packet(statement: Statement, packets: Sequence[bytes]) -> list[bytes | None]:
    """What takes the place of each XMP packet of a file (at least one is returned): only the first says the statement.

    Later packets stay as they are, or go (None) where they hold a label or a statement. A first packet that cannot be
    read is replaced: no reader could have used it; a later one goes if it speaks of a label. MediaError where one is
    over a bound: what it holds is not known, and not to be lost.
    """
    if not packets:
        return [xmp.packet(statement)]
    try:
        first = xmp.packet(statement, packets[0])
    except OversizeError as error:
        raise MediaError(f"the metadata cannot be labelled: {error}") from None
    except LabelError:
        first = xmp.packet(statement)
    return [first, *(None if _speaks(packet) else packet for packet in packets[1:])]


def _speaks(packet: bytes) -> bool:
    """Whether a packet holds a label or a statement, or, where it cannot be read, the word that a label goes by."""
    try:
        return bool(xmp.every(packet) or xmp.disclosures(packet))
    except OversizeError as error:
        raise MediaError(f"the metadata cannot be labelled: {error}") from None
    except LabelError:
        return KEYWORD.encode() in packet.upper()
