"""What may carry a label inside a file, whatever the format: an XMP packet, or a text with the JSON object.

Law: reading takes every spelling and passes over what is no label; writing leaves one label, in one packet. A file with
more carriers than any honest one has is refused, so that the work stays bounded.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from proxy.label import xmp
from proxy.label.aigc import KEYWORD, Aigc, parse
from proxy.label.errors import LabelError
from proxy.label.xmp import Statement
from proxy.media.errors import MediaError

MAX_CARRIERS = 16


class Carrier(NamedTuple):
    """One place in a file that may hold labels: its name as people look it up, the labels, and the packet if it is XMP.

    ``place`` is such as ``iTXt XML:com.adobe.xmp`` or ``EXIF UserComment``.
    """

    place: str
    labels: tuple[Aigc, ...]
    packet: bytes = b""


def check_count(carriers: int) -> None:
    """MediaError where a file has more than 16 places that may hold a label."""
    if carriers > MAX_CARRIERS:
        raise MediaError(f"{carriers} places for labels, over the limit of {MAX_CARRIERS}")


def labels(carriers: Iterable[Carrier]) -> tuple[Aigc, ...]:
    """All labels, in the order of the file."""
    return tuple([label for carrier in carriers for label in carrier.labels])


def in_text(text: str) -> tuple[Aigc, ...]:
    """The label that a text is, bare or wrapped, with or without the keyword before it; nothing where it is none."""
    found = text.strip("\0 \t\r\n").removeprefix(KEYWORD).lstrip("\0 :=")
    if not found.startswith("{"):
        return ()
    try:
        return (parse(found),)
    except LabelError:
        return ()


def in_packet(packet: bytes) -> tuple[Aigc, ...]:
    """The labels in an XMP packet; a packet that cannot be read holds none."""
    try:
        return xmp.every(packet.rstrip(b"\0"))
    except LabelError:
        return ()


def xmp_carrier(place: str, packet: bytes) -> Carrier:
    """An XMP packet as a carrier."""
    return Carrier(place, in_packet(packet), packet)


def one_packet(statement: Statement, packets: Sequence[bytes]) -> list[bytes | None]:
    """What takes the place of each XMP packet of a file (at least one is returned): only the first holds a label.

    Later packets stay as they are, or go (None) where they hold a label. A first packet that cannot be read is
    replaced: no reader could have used it.
    """
    if not packets:
        return [xmp.packet(statement)]
    try:
        first = xmp.packet(statement, packets[0].rstrip(b"\0"))
    except LabelError:
        first = xmp.packet(statement)
    return [first, *(None if in_packet(packet) else packet for packet in packets[1:])]
