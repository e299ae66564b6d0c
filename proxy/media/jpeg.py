"""JPEG (ITU-T T.81): the label among its segments.

Law: a segment that carries no label is copied byte for byte, in its order; the compressed picture is not touched. The
label goes into an APP1 segment with the identifier of XMP (TC260-PG-20259A); EXIF, extended XMP, comments and bare JSON
in APP segments are read, never written. A file is whole or it is an error: frame, scan and ``EOI`` are there.
"""

from proxy.label import xmp
from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement
from proxy.media import exif, mpf
from proxy.media.carriers import Carrier, check_count, decoded, in_text, labels, one_packet, speaks, xmp_carrier
from proxy.media.errors import MediaError
from proxy.media.segments import (
    APP0,
    APP1,
    COM,
    MAX_PAYLOAD,
    SOI,
    XMP,
    Picture,
    Segment,
    frame,
    manifest,
    opening,
    parse,
    segment_bytes,
)

TYPES: tuple[str, ...] = ("image/jpeg", "image/jpg", "image/pjpeg")

# What of a packet does not fit its segment goes on in others (ISO 16684-3, clause 6.2.2): an identifier, the packet's
# name, its length, and where in it the part stands.
_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
_NAME_END = len(_EXTENSION) + 32
_EXTENSION_HEAD = _NAME_END + 8
# Labels are also found glued into comments and APP segments of any number, some behind an identifier of their own.
_IDENTIFIER_LENGTH = 32


def sniff(data: bytes) -> bool:
    """Whether the data begins with SOI and a marker."""
    return data.startswith(b"\xff\xd8\xff")


def size(data: bytes) -> tuple[int, int]:
    """Width and height in stored pixels, from the segments before the first scan."""
    found = frame(opening(data)[0])
    return found.width, found.height


def read(data: bytes) -> tuple[Aigc, ...]:
    """Every label: in XMP, in EXIF, in comments and APP segments that are nothing but a label."""
    return labels(carriers(data))


def carriers(data: bytes) -> list[Carrier]:
    """Every XMP packet; EXIF, comments and APP segments that are nothing but a label, where they hold one.

    Of later pictures only what holds one.
    """
    found: list[Carrier] = []
    segments = _parsed(data).segments
    for start, end in mpf.pictures(data)[1:]:
        segments += (segment for segment in opening(data[start:end])[0] if _blank(segment) != segment.payload)
        check_count(sum(map(_counts, segments)))
    for segment in segments:
        if segment.is_exif:
            found += exif.carriers(segment.payload)
        elif segment.is_xmp:
            found.append(xmp_carrier("APP1 XMP", segment.payload[len(XMP) :]))
        elif label := _label(segment):
            name = "COM" if segment.marker == COM else f"APP{segment.marker - APP0}"
            found.append(Carrier(name, label))
    return [*found, *(xmp_carrier("APP1 extended XMP", _joined(parts)) for parts in _extended(segments))]


def write(data: bytes, statement: Statement) -> bytes:
    """The file with this label only; the picture and every other segment as it was, but C2PA manifests.

    Of several pictures the first has the label, and nothing moves in the others. A packet that would not fit its
    segment (65,504 bytes) gives up the room that it keeps for changes. MediaError where that is not enough, or where it
    says itself how long the first of several pictures is.
    """
    segments, scan, _ = _parsed(data)
    segments = _without_extended(segments)
    places = mpf.pictures(data)
    if places[1:] and any(segment.is_xmp and mpf.counts_first(segment.payload) for segment in segments):
        raise MediaError("the JPEG's XMP packet tells the length of its first picture, which a label would change")
    new = one_packet(statement, [segment.payload[len(XMP) :] for segment in segments if segment.is_xmp])
    if not any(segment.is_xmp for segment in segments):
        segments.insert(_place(segments), Segment(APP1, XMP, b""))
    packets = iter(new)
    dropped = manifest(segments)
    pieces: list[bytes | memoryview] = [SOI]
    for segment in segments:
        if segment.is_xmp:
            packet = next(packets)
            pieces.append(b"" if packet is None else segment_bytes(APP1, XMP + _fitted(packet)))
        elif segment.is_exif:
            blank = exif.without_labels(segment.payload)
            pieces.append(segment.whole if blank == segment.payload else segment_bytes(APP1, blank))
        elif segment not in dropped and not _is_label(segment):
            pieces.append(segment.whole)
    later = (_cleared(data[start:end]) for start, end in places[1:])
    return mpf.rejoined(data, places, [b"".join([*pieces, scan]), *later])


def has_manifest(data: bytes) -> bool:
    """Whether there is a C2PA manifest: JUMBF boxes in APP11 segments (C2PA 2.x, appendix A.3.1)."""
    return bool(manifest(_parsed(data).segments))


def _parsed(data: bytes) -> Picture:
    """The file in its parts. MediaError where it is not whole, or has more places for labels than any honest one."""
    picture = parse(data)
    check_count(sum(map(_counts, picture.segments)))
    return picture


def _extended(segments: list[Segment]) -> list[list[Segment]]:
    """The parts of each extended XMP packet that holds a label or a statement, in order."""
    named: dict[bytes, list[Segment]] = {}
    for segment in segments:
        if segment.marker == APP1 and segment.payload.startswith(_EXTENSION) and len(segment.payload) > _EXTENSION_HEAD:
            named.setdefault(segment.payload[len(_EXTENSION) : _NAME_END], []).append(segment)
    check_count(len(named))
    for parts in named.values():
        parts.sort(key=lambda part: part.payload[_EXTENSION_HEAD - 4 : _EXTENSION_HEAD])
    return [parts for parts in named.values() if speaks(_joined(parts))]


def _joined(parts: list[Segment]) -> bytes:
    return b"".join(part.payload[_EXTENSION_HEAD:] for part in parts)


def _without_extended(segments: list[Segment]) -> list[Segment]:
    """The segments without labels in extended XMP; more spaces behind it, so that its parts stay where they are."""
    new: dict[int, Segment] = {}
    for parts in _extended(segments):
        packet = _joined(parts)
        cleared, position = xmp.without(packet).ljust(len(packet)), 0
        for part in parts:
            length = len(part.payload) - _EXTENSION_HEAD
            payload = part.payload[:_EXTENSION_HEAD] + cleared[position : position + length]
            new[id(part)] = Segment(APP1, payload, part.whole[: -len(payload)] + payload)
            position += length
    return [new.get(id(segment), segment) for segment in segments]


def _counts(segment: Segment) -> bool:
    return segment.is_exif or segment.is_xmp or _is_label(segment)


def _cleared(picture: bytes) -> bytes:
    """A picture with something else in place of every label; nothing moves."""
    new, position = bytearray(picture), len(SOI)
    for segment in opening(picture)[0]:
        position += len(segment.whole)
        new[position - len(segment.payload) : position] = _blank(segment)
    return bytes(new)


def _blank(segment: Segment) -> bytes:
    """The payload, as long as it was, without labels: XMP is followed by more spaces, zeros stand for anything else."""
    payload = segment.payload
    if segment.is_exif:
        return exif.without_labels(payload)
    if segment.is_xmp:
        packet = payload[len(XMP) :]
        return (XMP + xmp.without(packet)).ljust(len(payload)) if speaks(packet) else payload
    return bytes(len(payload)) if _is_label(segment) else payload


def _fitted(packet: bytes) -> bytes:
    return packet if len(XMP) + len(packet) <= MAX_PAYLOAD else xmp.unpadded(packet)


def _place(segments: list[Segment]) -> int:
    """Where a new XMP segment goes: after JFIF and EXIF, which want to be first."""
    return next(
        (index for index, segment in enumerate(segments) if segment.marker != APP0 and not segment.is_exif),
        len(segments),
    )


def _is_label(segment: Segment) -> bool:
    return bool(_label(segment))


def _label(segment: Segment) -> tuple[Aigc, ...]:
    """The label that a comment or an APP segment is."""
    if not segment.is_metadata or segment.is_exif or segment.is_xmp:
        return ()
    brace = segment.payload.find(b"{", 0, _IDENTIFIER_LENGTH)
    if brace < 0:
        return ()
    text = decoded(segment.payload)
    return in_text(text) or in_text(text[text.find("{") :])
