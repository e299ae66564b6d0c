"""A JPEG picture without its metadata, for a decoder, and in its metadata again.

A picture goes from SOI to EOI; what follows it in its file is no part of it.

Law: metadata is kept in order and byte for byte, but what shows the picture as it was before it was redrawn, or vouches
for it: thumbnails and C2PA manifests.
"""

from proxy.media import exif
from proxy.media.segments import APP0, SOI, Segment, frame, manifest, opening, segment_bytes

_JFIF_LENGTH = 14  # without a thumbnail


def bare(data: bytes) -> bytes:
    """The picture alone: only the segments that a decoder needs, those that say how colours are stored among them."""
    segments, start = opening(data)
    needed = [segment.whole for segment in segments if not segment.is_metadata or segment.is_adobe or segment.is_jfif]
    return b"".join([SOI, *needed, data[start:]])


def dressed(original: bytes, encoded: bytes) -> bytes:
    """``encoded``, a bare picture, with the metadata of ``original``, in order and byte for byte.

    C2PA manifests go, and so do the thumbnails of JFIF and EXIF, which show the picture as it was. Adobe's segment says
    how the samples are stored, so that the encoder's own stands in its place.
    """
    old, _ = opening(original)
    new, start = opening(encoded)
    adobe = next((segment.whole for segment in new if segment.is_adobe), b"")
    dropped = manifest(old)
    pieces = [SOI]
    if adobe and not any(segment.is_adobe for segment in old) and len(frame(new).components) == 3:
        pieces.append(adobe)
    for segment in old:
        if segment.is_adobe:
            # Without a segment of the encoder's the samples are YCbCr or grey: transform 1 says no more than that.
            pieces.append(adobe or (segment.whole if segment.payload[11] == 1 else b""))
        elif segment.is_metadata and segment not in dropped:
            pieces.append(_without_thumbnail(segment))
    pieces += [segment.whole for segment in new if not segment.is_metadata]
    return b"".join([*pieces, encoded[start:]])


def _without_thumbnail(segment: Segment) -> bytes:
    payload = bare = segment.payload
    if segment.marker == APP0 and payload.startswith(b"JFXX\0"):
        return b""  # it is nothing but a thumbnail (JFIF 1.02)
    if segment.is_jfif and len(payload) > _JFIF_LENGTH:
        bare = payload[: _JFIF_LENGTH - 2] + b"\0\0"  # a thumbnail of 0 x 0
    elif segment.is_exif:
        bare = exif.without_thumbnail(payload)
    return segment.whole if bare == payload else segment_bytes(segment.marker, bare)
