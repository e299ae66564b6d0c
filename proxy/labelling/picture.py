"""One picture labelled: what a pool runs, away from whatever else must not wait.

The order is the law: bounds before decoding, draw, then metadata, then read back, then hash. A picture that was not
read back with exactly the label that was written does not leave as labelled. How it is written never changes: what was
base64 stays base64, and what a data URL says of its media type stays true, since a label changes no format.
"""

from binascii import Error, a2b_base64, b2a_base64, hexlify, unhexlify
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal

from proxy.dialects.dialect import MediaKind
from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement
from proxy.labelling.errors import LabellingError
from proxy.labelling.mark import Mark, kept
from proxy.media.badge import Badge
from proxy.media.drawing.stamp import stamp
from proxy.media.errors import MediaError
from proxy.media.format import Format
from proxy.media.formats import find
from proxy.record.exchange import Item

Written = Literal["base64", "hex", "data_url", "url", "raw"]

LATER: Final = "what is linked to is labelled when it is fetched from here"

_WHITE: Final = b" \t\r\n"  # encoders of mail (RFC 2045) break lines
_HEAD: Final = 256  # bytes: longer than the head of any honest data URL


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it stands in an answer (``data`` is the inside of a string, or a file where it is raw), with its
    mark; ``index`` counts the answer's items. What is only linked to (``url``) may be of another ``kind``."""

    data: bytes
    encoding: Written
    unit: str
    index: int
    mark: Mark
    kind: MediaKind = "image"


@dataclass(frozen=True, slots=True)
class Studio:
    """What labelling a picture needs besides the picture: the font, and the most pixels that are decoded."""

    font: bytes
    pixels: int


def linked(picture: Picture) -> Item:
    """What the record says of a picture whose URL leads to us now: it is labelled when it is fetched from here."""
    mark = picture.mark
    return Item(mark.of_item(picture.index).produce_id, picture.kind, picture.unit, ("link", *mark.envelope), LATER)


def label_picture(picture: Picture, studio: Studio) -> tuple[bytes, Item]:
    """The picture with its label, written as it came (safe in JSON unless it is raw), and what was done.

    Raises LabellingError where it cannot be labelled; one that is a URL has not been fetched, so it cannot be.
    """
    before, written = _read(picture)
    try:
        after, item = _label(picture, before, studio)
    except MediaError as error:
        raise LabellingError(f"{picture.unit} is no picture that can be labelled: {error}") from None
    return written(after), item


def _read(picture: Picture) -> tuple[bytes, Callable[[bytes], bytes]]:
    """The file, and what writes a file as this one was written."""
    data, unit = picture.data, picture.unit
    match picture.encoding:
        case "raw":
            return data, bytes
        case "base64":
            return _base64(data, unit), _in_base64
        case "hex":
            try:
                return unhexlify(data), hexlify
            except Error:
                raise LabellingError(f"{unit} is not hexadecimal") from None
        case "data_url":
            # RFC 2397: data:[<media type>][;base64],<data>
            comma = data.find(b",", 0, _HEAD) + 1
            head = data[:comma]
            if not head.lower().startswith(b"data:") or not head.lower().endswith(b";base64,"):
                raise LabellingError(f"{unit} is a data URL that is not in base64")
            return _base64(data[comma:], unit), lambda after: head + _in_base64(after)
        case "url":
            raise LabellingError(f"{unit} is a URL: what it leads to cannot be labelled here")


def _base64(data: bytes, unit: str) -> bytes:
    try:
        return a2b_base64(data, strict_mode=True)
    except Error:
        pass
    try:
        return a2b_base64(data.translate(None, _WHITE), strict_mode=True)
    except Error:
        raise LabellingError(f"{unit} is not base64") from None


def _in_base64(data: bytes) -> bytes:
    return b2a_base64(data, newline=False)


def _label(picture: Picture, before: bytes, studio: Studio) -> tuple[bytes, Item]:
    mark = picture.mark
    media = find(before)
    if media is None:
        raise MediaError("neither PNG nor JPEG")
    width, height = media.size(before)
    if width * height > studio.pixels:
        raise MediaError(f"it has {width} x {height} pixels, more than the {studio.pixels} that are allowed")
    aigc = _label_of(picture, media.read(before))
    after = before
    placed: list[str] = []
    if mark.badge is not None:
        badge = Badge(mark.badge_words, mark.badge.corner, mark.badge.height)
        after = stamp(after, badge, studio.font, studio.pixels).data
        placed.append("badge")
    if "xmp" in mark.carriers:
        after = _with_metadata(media, after, aigc)
        placed.append("xmp")
    item = Item(
        produce_id=aigc.produce_id,
        kind="image",
        unit=picture.unit,
        placed=(*placed, *mark.envelope),
        skipped="" if mark.badge else "no rule asks for a badge",
        before=sha256(before).hexdigest(),
        after=sha256(after).hexdigest(),
        size_before=len(before),
        size_after=len(after),
        dropped=("c2pa",) if after is not before and media.has_manifest(before) else (),
    )
    return after, item


def _label_of(picture: Picture, found: tuple[Aigc, ...]) -> Aigc:
    """The label to write: our own first write, or the upstream's with us as its propagator."""
    mark = picture.mark
    own = mark.of_item(picture.index)
    return own if not found else kept(mark, own, found, picture.unit)


def _with_metadata(media: Format, data: bytes, aigc: Aigc) -> bytes:
    after = media.write(data, Statement(aigc))
    read: Callable[[bytes], tuple[Aigc, ...]] = media.read
    if read(after) != (aigc,):
        raise LabellingError("the label that was written into a picture does not read back")
    return after
