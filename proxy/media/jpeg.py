"""JPEG (ITU-T T.81, JFIF, Adobe's APP14): segments, and the label among them.

Law: a segment that carries no label is copied byte for byte, in its order; the compressed picture is not touched. The
label goes into an APP1 segment with the identifier of XMP (TC260-PG-20259A); EXIF, comments and bare JSON in APP
segments are read, never written. A file is whole or it is an error: frame, scan and ``EOI`` are there.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement
from proxy.media import exif
from proxy.media.carriers import Carrier, check_count, in_text, labels, one_packet, xmp_carrier
from proxy.media.errors import MediaError

TYPES: tuple[str, ...] = ("image/jpeg", "image/jpg", "image/pjpeg")

SOI = b"\xff\xd8"
MAX_SEGMENTS = 10_000
MAX_PAYLOAD = 0xFFFF - 2

_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_APP0, _APP1, _APP2, _APP11, _APP14, _APP15, _COM = 0xE0, 0xE1, 0xE2, 0xEB, 0xEE, 0xEF, 0xFE
_JFIF_LENGTH = 14  # without a thumbnail
_SOS, _EOI = 0xDA, 0xD9
# Start of frame: C0 to CF without DHT, JPG and DAC (T.81 table B.1).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))
# In compressed data FF is followed by 00, by a restart marker, or by another FF; all else ends the data (T.81 B.1.1.5).
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_FILL = re.compile(rb"\xff+[^\xff]", re.DOTALL)
# Labels are also found glued into comments and APP segments of any number.
_GLUED = re.compile(rb'\s*(?:AIGC[\0 :=]*\{|\{\s*"AIGC"|\{\s*"Label")')


@dataclass(frozen=True, slots=True)
class Segment:
    """One marker segment: the marker's second byte, the payload, and all its bytes as they stand in the file."""

    marker: int
    payload: bytes
    whole: bytes

    @property
    def is_metadata(self) -> bool:
        """Whether this is an application segment or a comment, and so no part of the compressed picture."""
        return _APP0 <= self.marker <= _APP15 or self.marker == _COM


class Picture(NamedTuple):
    """A JPEG file in three parts; ``scan`` goes from the first SOS marker to EOI, ``trailer`` is what follows."""

    segments: list[Segment]
    scan: memoryview
    trailer: memoryview


class Frame(NamedTuple):
    """The frame header (T.81 B.2.2): sizes in pixels, ``depth`` in bits per sample, the components' identifiers."""

    width: int
    height: int
    depth: int
    progressive: bool
    components: bytes


def sniff(data: bytes) -> bool:
    """Whether the data begins with SOI and a marker."""
    return data.startswith(b"\xff\xd8\xff")


def size(data: bytes) -> tuple[int, int]:
    """Width and height in stored pixels, from the segments before the first scan."""
    found = frame(_segments(data)[0])
    return found.width, found.height


def read(data: bytes) -> tuple[Aigc, ...]:
    """Every label: in XMP, in EXIF, in comments and APP segments that are nothing but a label."""
    return labels(carriers(data))


def carriers(data: bytes) -> list[Carrier]:
    """Every XMP packet; EXIF, comments and APP segments that are nothing but a label, where they hold one."""
    found: list[Carrier] = []
    for segment in parse(data).segments:
        if _is_exif(segment):
            found += exif.carriers(segment.payload)
        elif _is_xmp(segment):
            found.append(xmp_carrier("APP1 XMP", segment.payload[len(_XMP) :]))
        elif _is_label(segment):
            name = "COM" if segment.marker == _COM else f"APP{segment.marker - _APP0}"
            found.append(Carrier(name, in_text(segment.payload.decode("utf-8", "replace"))))
    return found


def write(data: bytes, statement: Statement) -> bytes:
    """The file with this label only; the picture and every other segment as it was, but C2PA manifests.

    MediaError where the XMP packet would not fit its segment (65,504 bytes), and for several pictures in one file.
    """
    segments, scan, trailer = parse(data)
    _check_single(segments)
    new = one_packet(statement, [segment.payload[len(_XMP) :] for segment in segments if _is_xmp(segment)])
    if not any(map(_is_xmp, segments)):
        segments.insert(_place(segments), Segment(_APP1, _XMP, b""))
    packets = iter(new)
    manifest = _manifest(segments)
    pieces: list[bytes | memoryview] = [SOI]
    for segment in segments:
        if _is_xmp(segment):
            packet = next(packets)
            pieces.append(b"" if packet is None else _segment(_APP1, _XMP + packet))
        elif _is_exif(segment):
            blank = exif.without_labels(segment.payload)
            pieces.append(segment.whole if blank == segment.payload else _segment(_APP1, blank))
        elif segment not in manifest and not _is_label(segment):
            pieces.append(segment.whole)
    return b"".join([*pieces, scan, trailer])


def has_manifest(data: bytes) -> bool:
    """Whether there is a C2PA manifest: JUMBF boxes in APP11 segments (C2PA 2.x, appendix A.3.1)."""
    return bool(_manifest(parse(data).segments))


def orientation(segments: list[Segment]) -> int:
    """How a viewer turns the picture, by its EXIF segment: 1 to 8."""
    return next((exif.orientation(segment.payload) for segment in segments if _is_exif(segment)), 1)


def frame(segments: list[Segment]) -> Frame:
    """The frame header. MediaError where there is none, or more than one (hierarchical files)."""
    found = [segment for segment in segments if segment.marker in _FRAMES]
    if len(found) != 1:
        raise MediaError(f"the JPEG has {len(found)} frame headers before its first scan, not one")
    payload = found[0].payload
    if len(payload) < 6 or len(payload) != 6 + 3 * payload[5]:
        raise MediaError("the JPEG's frame header is damaged")
    height, width = int.from_bytes(payload[1:3]), int.from_bytes(payload[3:5])
    if not width or not height:
        raise MediaError(f"the JPEG's frame header gives an impossible size, {width} x {height}")
    return Frame(width, height, payload[0], found[0].marker in (0xC2, 0xCA), payload[6::3])


def stores_rgb(segments: list[Segment]) -> bool:
    """Whether three components are red, green and blue, not YCbCr: as libjpeg decides, by JFIF, Adobe, identifiers."""
    if any(segment.marker == _APP0 and segment.payload.startswith(b"JFIF\0") for segment in segments):
        return False
    adobe = next(filter(_is_adobe, segments), None)
    components = frame(segments).components
    return len(components) == 3 and (not adobe.payload[11] if adobe else components == b"RGB")


def bare(data: bytes) -> bytes:
    """The picture alone: only the segments that a decoder needs, those that say how colours are stored among them."""
    segments, scan, _ = parse(data)
    _check_single(segments)
    needed = [segment.whole for segment in segments if not segment.is_metadata or _colour(segment)]
    return b"".join([SOI, *needed, scan])


def dressed(original: bytes, encoded: bytes) -> bytes:
    """``encoded``, a bare picture, with the metadata of ``original``, in order and byte for byte.

    C2PA manifests go, and so do the thumbnails of JFIF and EXIF, which show the picture as it was. Adobe's segment says
    how the samples are stored, so that the encoder's own stands in its place.
    """
    old, _, trailer = parse(original)
    new, scan, _ = parse(encoded)
    adobe = next((segment.whole for segment in new if _is_adobe(segment)), b"")
    manifest = _manifest(old)
    pieces: list[bytes | memoryview] = [SOI]
    if adobe and not any(map(_is_adobe, old)) and len(frame(new).components) == 3:
        pieces.append(adobe)
    for segment in old:
        if _is_adobe(segment):
            # Without a segment of the encoder's the samples are YCbCr or grey: transform 1 says no more than that.
            pieces.append(adobe or (segment.whole if segment.payload[11] == 1 else b""))
        elif segment.is_metadata and segment not in manifest:
            pieces.append(_without_thumbnail(segment))
    pieces += [segment.whole for segment in new if not segment.is_metadata]
    return b"".join([*pieces, scan, trailer])


def parse(data: bytes) -> Picture:
    """The file in its parts. MediaError where it is not whole."""
    segments, start = _segments(data)
    frame(segments)
    check_count(sum(_is_exif(segment) or _is_xmp(segment) or _is_label(segment) for segment in segments))
    position, count = start, 0
    while (marker := data[position + 1]) != _EOI:
        count += 1
        if marker in _ALONE or count > MAX_SEGMENTS:
            raise MediaError("the JPEG has a marker inside its scans that does not belong there")
        position += 2 + _length(data, position + 2)
        if marker == _SOS:
            found = _MARKER.search(data, position)
            if found is None:
                raise MediaError("the JPEG ends inside its compressed data")
            position = found.start()
        else:
            position = _next(data, position)
    view = memoryview(data)
    return Picture(segments, view[start : position + 2], view[position + 2 :])


def _segments(data: bytes) -> tuple[list[Segment], int]:
    """The segments between SOI and the first SOS marker, and where that stands."""
    if not sniff(data):
        raise MediaError("not a JPEG: SOI is missing")
    segments: list[Segment] = []
    position = len(SOI)
    while True:
        start, position = position, _next(data, position)
        if len(segments) >= MAX_SEGMENTS:
            raise MediaError(f"the JPEG has more than {MAX_SEGMENTS} segments")
        marker = data[position + 1]
        if marker == _SOS:
            return segments, position
        if marker in _ALONE or marker in (0x00, _EOI):
            raise MediaError(f"the JPEG has the marker {marker:02X} before its first scan")
        length = _length(data, position + 2)
        position += 2
        segments.append(Segment(marker, data[position + 2 : position + length], data[start : position + length]))
        position += length


def _next(data: bytes, position: int) -> int:
    """Where the marker stands that must come here; any number of FF may fill the space before it (T.81 B.1.1.2)."""
    found = _FILL.match(data, position)
    if found is None:
        raise MediaError("the JPEG ends, or is damaged, between two segments")
    return found.end() - 2


def _length(data: bytes, position: int) -> int:
    length = int.from_bytes(data[position : position + 2])
    if length < 2 or position + length > len(data):
        raise MediaError("the JPEG ends inside a segment")
    return length


def _segment(marker: int, payload: bytes) -> bytes:
    if len(payload) > MAX_PAYLOAD:
        raise MediaError(f"{len(payload)} bytes of metadata do not fit into one JPEG segment")
    return b"".join((b"\xff", bytes((marker,)), (len(payload) + 2).to_bytes(2), payload))


def _place(segments: list[Segment]) -> int:
    """Where a new XMP segment goes: after JFIF and EXIF, which want to be first."""
    return next(
        (index for index, segment in enumerate(segments) if segment.marker != _APP0 and not _is_exif(segment)),
        len(segments),
    )


def _check_single(segments: list[Segment]) -> None:
    # The index of a multi-picture file (CIPA DC-007) holds offsets, and its other pictures would stay unlabelled.
    if any(segment.marker == _APP2 and segment.payload.startswith(b"MPF\0") for segment in segments):
        raise MediaError("a JPEG of several pictures (MPF) is not supported yet")


def _manifest(segments: list[Segment]) -> frozenset[Segment]:
    """The APP11 segments that hold a C2PA manifest; other JUMBF boxes are somebody else's (ISO 19566-5)."""
    boxes = [segment for segment in segments if segment.marker == _APP11 and segment.payload.startswith(b"JP")]
    numbers = {box.payload[2:4] for box in boxes if b"jumb" in box.payload[:16] and b"c2pa" in box.payload[:64]}
    return frozenset(box for box in boxes if box.payload[2:4] in numbers)


def _without_thumbnail(segment: Segment) -> bytes:
    payload = bare = segment.payload
    if segment.marker == _APP0 and payload.startswith(b"JFXX\0"):
        return b""  # it is nothing but a thumbnail (JFIF 1.02)
    if segment.marker == _APP0 and payload.startswith(b"JFIF\0") and len(payload) > _JFIF_LENGTH:
        bare = payload[: _JFIF_LENGTH - 2] + b"\0\0"  # a thumbnail of 0 x 0
    elif _is_exif(segment):
        bare = exif.without_thumbnail(payload)
    return segment.whole if bare == payload else _segment(segment.marker, bare)


def _is_exif(segment: Segment) -> bool:
    return segment.marker == _APP1 and segment.payload.startswith(exif.IDENTIFIER)


def _is_xmp(segment: Segment) -> bool:
    return segment.marker == _APP1 and segment.payload.startswith(_XMP)


def _is_adobe(segment: Segment) -> bool:
    return segment.marker == _APP14 and segment.payload.startswith(b"Adobe") and len(segment.payload) >= 12


def _is_label(segment: Segment) -> bool:
    return segment.is_metadata and _GLUED.match(segment.payload) is not None


def _colour(segment: Segment) -> bool:
    return _is_adobe(segment) or (segment.marker == _APP0 and segment.payload.startswith(b"JFIF\0"))
