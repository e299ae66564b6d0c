"""One picture labelled: what a pool runs, away from whatever else must not wait.

The order is the law: bounds before decoding, draw, then metadata, then read back, then hash. A picture that was not
read back with exactly the label that was written does not leave as labelled.
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from proxy.label.aigc import Aigc
from proxy.labelling.errors import LabellingError
from proxy.labelling.mark import Mark, kept
from proxy.media.badge import Badge
from proxy.media.errors import MediaError
from proxy.media.format import Format
from proxy.media.formats import find
from proxy.media.pixels import stamp
from proxy.record.exchange import Item


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture in base64 as it stands in an answer, with its mark; ``index`` counts the answer's items."""

    data: bytes
    unit: str
    index: int
    mark: Mark


@dataclass(frozen=True, slots=True)
class Studio:
    """What labelling a picture needs besides the picture: the font, and the most pixels that are decoded."""

    font: bytes
    pixels: int


def label_picture(picture: Picture, studio: Studio) -> tuple[bytes, Item]:
    """The picture with its label, in base64, and what was done. Raises LabellingError where it cannot be labelled."""
    try:
        before = base64.b64decode(picture.data, validate=True)
    except binascii.Error:
        raise LabellingError(f"{picture.unit} is not base64") from None
    try:
        return _label(picture, before, studio)
    except MediaError as error:
        raise LabellingError(f"{picture.unit} is no picture that can be labelled: {error}") from None


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
    return base64.b64encode(after), item


def _label_of(picture: Picture, found: tuple[Aigc, ...]) -> Aigc:
    """The label to write: our own first write, or the upstream's with us as its propagator."""
    mark = picture.mark
    own = mark.of_item(picture.index)
    return own if not found else kept(mark, own, found, picture.unit)


def _with_metadata(media: Format, data: bytes, aigc: Aigc) -> bytes:
    after = media.write(data, aigc)
    read: Callable[[bytes], tuple[Aigc, ...]] = media.read
    if read(after) != (aigc,):
        raise LabellingError("the label that was written into a picture does not read back")
    return after
