"""WebP (RFC 9649): a RIFF file of chunks, and the label among them.

Law: a chunk that carries no label is copied byte for byte, in its order; no picture is touched. The label goes into an
``XMP `` chunk (TC260-PG-20259A), and a file of the simple form gets the ``VP8X`` chunk that this asks for. A file is
whole or it is an error: RIFF's lengths hold, pictures begin as their codec says and have the size that the file gives.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement
from proxy.media import exif, riff, vp8
from proxy.media.badge import Box, Size
from proxy.media.carriers import Carrier, check_count, in_text, labels, one_packet, xmp_carrier
from proxy.media.errors import MediaError
from proxy.media.riff import Chunk

TYPES: tuple[str, ...] = ("image/webp",)

MAX_FRAMES = 10_000

FORM = b"WEBP"
VP8X, ANIM, ANMF, ALPH, LOSSY, LOSSLESS = b"VP8X", b"ANIM", b"ANMF", b"ALPH", b"VP8 ", b"VP8L"
EXIF, XMP, MANIFEST = b"EXIF", b"XMP ", b"C2PA"

# VP8X's flags (RFC 9649 section 2.7).
ALPHA_FLAG, XMP_FLAG, ANIMATION_FLAG = 0x10, 0x04, 0x02
# ANMF's flags (section 2.7.1.1).
NO_BLENDING, TO_BACKGROUND = 0x02, 0x01

_LABEL = b"AIGC"  # the chunk that TC260-PG-202510A gives to WAV
_PICTURES = frozenset((LOSSY, LOSSLESS))
_VP8X_BYTES, _ANIM_BYTES, _ANMF_BYTES = 10, 6, 16


@dataclass(frozen=True, slots=True)
class Bitmap:
    """A compressed picture: the chunks that it is made of in their order, and what their headers say.

    ``alpha`` says that it may be transparent.
    """

    chunks: tuple[Chunk, ...]
    size: Size
    lossless: bool
    alpha: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """An ANMF chunk (section 2.7.1.1): where it stands on the canvas, its duration and flags, its picture.

    ``rest`` are the chunks of the frame that are no part of the picture; ``chunk`` is the frame as it stands.
    """

    region: Box
    duration: bytes
    flags: int
    bitmap: Bitmap
    rest: tuple[Chunk, ...]
    chunk: Chunk

    @property
    def replaces(self) -> bool:
        """Whether its transparent pixels take the place of what is on the canvas."""
        return bool(self.flags & NO_BLENDING) and self.bitmap.alpha


class Picture(NamedTuple):
    """A WebP in its parts: the canvas in pixels, VP8X's flags (None in the simple form), all chunks, the trailer.

    A still picture has a ``bitmap`` and no frames; an animation has frames and no bitmap.
    """

    canvas: Size
    flags: int | None
    chunks: list[Chunk]
    bitmap: Bitmap | None
    frames: list[Frame]
    trailer: memoryview


def sniff(data: bytes) -> bool:
    """Whether the data begins as a RIFF file of the form WEBP (section 2.4)."""
    return riff.is_form(data, FORM)


def size(data: bytes) -> Size:
    """Width and height of the canvas in pixels, from the first chunk's header."""
    if not sniff(data):
        raise MediaError("not a WebP: its header is missing")
    kind, length, start = data[12:16], int.from_bytes(data[16:20], "little"), memoryview(data)[20:50]
    if kind == VP8X:
        return _canvas(start[:length])
    header = _header(kind, start, whole=False)
    return header.width, header.height


def read(data: bytes) -> tuple[Aigc, ...]:
    """Every label: in XMP, in EXIF, in a chunk AIGC."""
    return labels(carriers(data))


def carriers(data: bytes) -> list[Carrier]:
    """Every XMP packet; EXIF and a chunk AIGC where they hold a label."""
    found: list[Carrier] = []
    for chunk in parse(data).chunks:
        if chunk.kind == EXIF:
            found += exif.carriers(bytes(chunk.data))
        elif chunk.kind == XMP:
            found.append(xmp_carrier("XMP chunk", bytes(chunk.data)))
        elif chunk.kind == _LABEL:
            found.append(Carrier("AIGC chunk", in_text(bytes(chunk.data).decode("utf-8", "replace"))))
    return found


def write(data: bytes, statement: Statement) -> bytes:
    """The file with this label only; every picture and every other chunk as it was, but C2PA manifests."""
    picture = parse(data)
    new = one_packet(statement, [bytes(chunk.data) for chunk in picture.chunks if chunk.kind == XMP])
    packets = iter(new)
    pieces: list[bytes | memoryview] = []
    if picture.flags is None:
        alpha = picture.bitmap is not None and picture.bitmap.alpha
        pieces.append(_extended(picture.canvas, XMP_FLAG | ALPHA_FLAG * alpha))
    place = len(pieces)
    for chunk in picture.chunks:
        if chunk.kind == VP8X:
            pieces.append(_flagged(chunk, XMP_FLAG))
        elif chunk.kind == XMP:
            packet = next(packets)
            pieces.append(b"" if packet is None else riff.chunk(XMP, packet))
        elif chunk.kind == EXIF:
            pieces.append(_changed(chunk, exif.without_labels))
        elif chunk.kind not in (MANIFEST, _LABEL):
            pieces.append(chunk.whole)
        if chunk.kind in (*_PICTURES, ANMF, EXIF):
            place = len(pieces)
    # The packet of a file that has none follows the pictures and EXIF, in the order that section 2.7 gives.
    pieces[place:place] = [riff.chunk(XMP, packet) for packet in packets if packet is not None]
    return riff.file(FORM, pieces, picture.trailer)


def has_manifest(data: bytes) -> bool:
    """Whether there is a C2PA manifest: a chunk C2PA (C2PA 2.x, appendix A.3)."""
    return any(chunk.kind == MANIFEST for chunk in parse(data).chunks)


def orientation(picture: Picture) -> int:
    """How a viewer turns the picture, by its EXIF chunk: 1 to 8."""
    return next((exif.orientation(bytes(chunk.data)) for chunk in picture.chunks if chunk.kind == EXIF), 1)


def parse(data: bytes) -> Picture:
    """The file in its parts. MediaError where it is not whole."""
    if not sniff(data):
        raise MediaError("not a WebP: its header is missing")
    _, chunks, trailer = riff.parse(data)
    check_count(sum(chunk.kind in (EXIF, XMP, _LABEL) for chunk in chunks))
    kinds = [chunk.kind for chunk in chunks]
    if not kinds or kinds[0] not in (VP8X, *_PICTURES) or VP8X in kinds[1:]:
        raise MediaError("the WebP does not begin with the chunk that it has to")
    if kinds[0] != VP8X:
        bitmap = _bitmap([chunk for chunk in chunks if chunk.kind in _PICTURES])
        return Picture(bitmap.size, None, chunks, bitmap, [], trailer)
    canvas, flags = _canvas(chunks[0].data), chunks[0].data[0]
    if not flags & ANIMATION_FLAG:
        if ANMF in kinds:
            raise MediaError("the WebP has the frames of an animation and does not say that it is one")
        bitmap = _bitmap([chunk for chunk in chunks if chunk.kind in (ALPH, *_PICTURES)])
        if bitmap.size != canvas:
            raise MediaError("the WebP's picture is not as large as its canvas")
        return Picture(canvas, flags, chunks, bitmap, [], trailer)
    if kinds.count(ANIM) != 1 or ANMF not in kinds or ANMF in kinds[: kinds.index(ANIM)]:
        raise MediaError("the animated WebP has no ANIM chunk before its frames, or no frames")
    if len(chunks[kinds.index(ANIM)].data) < _ANIM_BYTES or not _PICTURES.isdisjoint(kinds):
        raise MediaError("the animated WebP has a damaged ANIM chunk, or a picture outside its frames")
    if kinds.count(ANMF) > MAX_FRAMES:
        raise MediaError(f"the animated WebP has more than {MAX_FRAMES} frames")
    frames = [_frame(chunk, canvas) for chunk in chunks if chunk.kind == ANMF]
    return Picture(canvas, flags, chunks, None, frames, trailer)


def frame_chunk(frame: Frame, region: Box, flags: int, bitmap: Bitmap) -> bytes:
    """A frame with another picture in another region, whose left and top edges are even."""
    left, top, right, bottom = region
    numbers = (left // 2, top // 2, right - left - 1, bottom - top - 1)
    header = (*(number.to_bytes(3, "little") for number in numbers), frame.duration, bytes((flags,)))
    return riff.chunk(ANMF, *header, *(chunk.whole for chunk in (*bitmap.chunks, *frame.rest)))


def bare(bitmap: Bitmap) -> bytes:
    """A file of nothing but this picture."""
    pictures = [chunk.whole for chunk in bitmap.chunks]
    return riff.file(FORM, pictures if len(pictures) == 1 else [_extended(bitmap.size, ALPHA_FLAG), *pictures])


def bare_animation(picture: Picture) -> bytes:
    """A file of nothing but the frames and their canvas."""
    kept = [chunk.whole for chunk in picture.chunks if chunk.kind in (ANIM, ANMF)]
    return riff.file(FORM, [_extended(picture.canvas, ANIMATION_FLAG | ALPHA_FLAG), *kept])


def redrawn(picture: Picture, drawn: Iterable[bytes | memoryview], alpha: bool) -> bytes:
    """The file with other pictures; without C2PA manifest and thumbnail, all else as it was.

    ``drawn`` are the chunks of the new bitmap in one piece, or a new ANMF chunk for each. ``alpha`` says whether
    anything in them is transparent.
    """
    pieces: list[bytes | memoryview] = []
    new = iter(drawn)
    for chunk in picture.chunks:
        if chunk.kind == VP8X:
            pieces.append(_flagged(chunk, ALPHA_FLAG * alpha))
        elif chunk.kind in (ANMF, *_PICTURES):
            pieces.append(next(new))
        elif chunk.kind == EXIF:
            pieces.append(_changed(chunk, exif.without_thumbnail))
        elif chunk.kind not in (MANIFEST, ALPH):
            pieces.append(chunk.whole)
    return riff.file(FORM, pieces, picture.trailer)


def _changed(chunk: riff.Chunk, change: Callable[[bytes], bytes]) -> bytes | memoryview:
    """The chunk with other content, as it stands there where that is the same."""
    before = bytes(chunk.data)
    after = change(before)
    return chunk.whole if after == before else riff.chunk(chunk.kind, after)


def _canvas(data: memoryview) -> Size:
    if len(data) != _VP8X_BYTES:
        raise MediaError("the WebP's VP8X chunk is damaged")
    width, height = (1 + int.from_bytes(data[at : at + 3], "little") for at in (4, 7))
    if width * height >= 1 << 32:
        raise MediaError(f"the WebP's header gives an impossible size, {width} x {height}")
    return width, height


def _header(kind: bytes, data: memoryview, whole: bool = True) -> vp8.Header:
    if kind not in _PICTURES:
        raise MediaError("the WebP does not begin with the chunk that it has to")
    return vp8.lossless_header(data) if kind == LOSSLESS else vp8.lossy_header(data, whole)


def _bitmap(chunks: list[Chunk]) -> Bitmap:
    """The one picture that these chunks are, and nothing more."""
    pictures = [chunk for chunk in chunks if chunk.kind in _PICTURES]
    if len(pictures) != 1 or len(chunks) > 2 or chunks[-1] is not pictures[0]:
        raise MediaError(f"the WebP has {len(pictures)} pictures where one belongs, or their chunks in disorder")
    header = _header(pictures[0].kind, pictures[0].data)
    lossless = pictures[0].kind == LOSSLESS
    if lossless:
        chunks = pictures  # an ALPH chunk before VP8L counts for nothing (section 2.7.1.2)
    return Bitmap(tuple(chunks), (header.width, header.height), lossless, header.alpha or len(chunks) == 2)


def _frame(chunk: Chunk, canvas: Size) -> Frame:
    if len(chunk.data) < _ANMF_BYTES:
        raise MediaError("the animated WebP has a frame that is cut short")
    left, top, width, height = (int.from_bytes(chunk.data[at : at + 3], "little") for at in (0, 3, 6, 9))
    region = (2 * left, 2 * top, 2 * left + width + 1, 2 * top + height + 1)
    inner = riff.chunks(chunk.data[_ANMF_BYTES:])
    bitmap = _bitmap([inside for inside in inner if inside.kind in (ALPH, *_PICTURES)])
    if bitmap.size != (width + 1, height + 1) or region[2] > canvas[0] or region[3] > canvas[1]:
        raise MediaError("the animated WebP has a frame whose picture is of another size, or not on the canvas")
    rest = tuple(inside for inside in inner if inside.kind not in (ALPH, *_PICTURES))
    return Frame(region, bytes(chunk.data[12:15]), chunk.data[15], bitmap, rest, chunk)


def _extended(canvas: Size, flags: int) -> bytes:
    """A VP8X chunk (section 2.7)."""
    return riff.chunk(VP8X, bytes((flags, 0, 0, 0)), *((side - 1).to_bytes(3, "little") for side in canvas))


def _flagged(chunk: Chunk, flag: int) -> bytes | memoryview:
    """VP8X with one more flag set."""
    flags = chunk.data[0] | flag
    return chunk.whole if flags == chunk.data[0] else riff.chunk(VP8X, bytes((flags,)), chunk.data[1:])
