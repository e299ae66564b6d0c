"""The segments of a JPEG file (ITU-T T.81 annex B; JFIF, Adobe's APP14), and where its compressed picture begins.

Law: every byte is in one part, so that the parts joined are the file. A file is whole or it is an error: frame, scan
and ``EOI`` are there.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from proxy.media import exif
from proxy.media.errors import MediaError

SOI = b"\xff\xd8"
XMP = b"http://ns.adobe.com/xap/1.0/\0"
APP0, APP1, APP2, APP11, COM = 0xE0, 0xE1, 0xE2, 0xEB, 0xFE
MAX_SEGMENTS = 10_000
MAX_PAYLOAD = 0xFFFF - 2

_APP14, _APP15 = 0xEE, 0xEF
_SOS, _EOI, _DHP = 0xDA, 0xD9, 0xDE
# Start of frame: C0 to CF without DHT, JPG and DAC (T.81 table B.1).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))
# In compressed data FF is followed by 00, by a restart marker, or by another FF; all else ends the data (T.81 B.1.1.5).
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_FILL = re.compile(rb"\xff+[^\xff]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Segment:
    """One marker segment: the marker's second byte, the payload, and all its bytes as they stand in the file."""

    marker: int
    payload: bytes
    whole: bytes

    @property
    def is_metadata(self) -> bool:
        """Whether this is an application segment or a comment, and so no part of the compressed picture."""
        return APP0 <= self.marker <= _APP15 or self.marker == COM

    @property
    def is_exif(self) -> bool:
        """Whether it holds EXIF (CIPA DC-008)."""
        return self.marker == APP1 and self.payload.startswith(exif.IDENTIFIER)

    @property
    def is_xmp(self) -> bool:
        """Whether it holds an XMP packet (ISO 16684-3)."""
        return self.marker == APP1 and self.payload.startswith(XMP)

    @property
    def is_adobe(self) -> bool:
        """Whether it is Adobe's, which says how colours are stored."""
        return self.marker == _APP14 and self.payload.startswith(b"Adobe") and len(self.payload) >= 12

    @property
    def is_jfif(self) -> bool:
        """Whether it is JFIF's, which says the same by being there."""
        return self.marker == APP0 and self.payload.startswith(b"JFIF\0")


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
    process: int
    """The second byte of its marker, which says how the picture is compressed (T.81 table B.1)."""
    components: bytes

    @property
    def is_progressive(self) -> bool:
        """Whether the picture comes in scans that refine it."""
        return self.process in (0xC2, 0xCA)


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
    return Frame(width, height, payload[0], found[0].marker, payload[6::3])


def is_usual(segments: list[Segment]) -> bool:
    """Whether common decoders read the picture: Huffman coding of 8 bits, sequential or progressive, no hierarchy."""
    found = frame(segments)
    if any(segment.marker == _DHP for segment in segments):
        return False
    return found.depth == 8 and found.process in (0xC0, 0xC1, 0xC2) and len(found.components) in (1, 3, 4)


def orientation(segments: list[Segment]) -> int:
    """How a viewer turns the picture, by its EXIF segment: 1 to 8."""
    return next((exif.orientation(segment.payload) for segment in segments if segment.is_exif), 1)


def stores_rgb(segments: list[Segment]) -> bool:
    """Whether three components are red, green and blue, not YCbCr: as libjpeg decides, by JFIF, Adobe, identifiers."""
    if any(segment.is_jfif for segment in segments):
        return False
    adobe = next((segment for segment in segments if segment.is_adobe), None)
    components = frame(segments).components
    return len(components) == 3 and (not adobe.payload[11] if adobe else components == b"RGB")


def manifest(segments: list[Segment]) -> frozenset[Segment]:
    """The APP11 segments that hold a C2PA manifest; other JUMBF boxes are somebody else's (ISO 19566-5)."""
    boxes = [segment for segment in segments if segment.marker == APP11 and segment.payload.startswith(b"JP")]
    numbers = {box.payload[2:4] for box in boxes if b"jumb" in box.payload[:16] and b"c2pa" in box.payload[:64]}
    return frozenset(box for box in boxes if box.payload[2:4] in numbers)


def parse(data: bytes) -> Picture:
    """The file in its parts. MediaError where it is not whole."""
    segments, start = opening(data)
    frame(segments)
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


def opening(data: bytes) -> tuple[list[Segment], int]:
    """The segments between SOI and the first SOS marker, and where that stands."""
    if not data.startswith(SOI + b"\xff"):
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


def segment_bytes(marker: int, payload: bytes) -> bytes:
    """A whole segment. MediaError where the payload is over 65,533 bytes."""
    if len(payload) > MAX_PAYLOAD:
        raise MediaError(f"{len(payload)} bytes of metadata do not fit into one JPEG segment")
    return b"".join((b"\xff", bytes((marker,)), (len(payload) + 2).to_bytes(2), payload))


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
