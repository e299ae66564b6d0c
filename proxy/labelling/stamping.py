"""One picture labelled: what a process of its own does, away from whatever else must not wait.

The order is the law: bounds before decoding, draw, then metadata, then read back, then hash. A picture that was not
read back with exactly what was written, label and statement, does not leave as labelled. How it is written does not
change (see ``written``), nor does its format, unless policy lets one that has no place for metadata become PNG. One
that its maker has labelled leaves byte for byte as it came where policy preserves it: a signed manifest holds for no
other file.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Final

from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement
from proxy.labelling.errors import LabellingError
from proxy.labelling.order import PRESERVED, Order, Studio
from proxy.labelling.written import read
from proxy.media import formats
from proxy.media.carriers import disclosures, labels
from proxy.media.drawing.bmp import to_png
from proxy.media.drawing.stamp import stamp
from proxy.media.errors import BadgeError, MediaError
from proxy.media.format import Format
from proxy.record.exchange import Item

UNASKED: Final = "no rule asks for a badge"

# The label to write where labels were found. Raises LabellingError where none may be.
Kept = Callable[[tuple[Aigc, ...]], Aigc]


def label_picture(order: Order, studio: Studio, kept: Kept) -> tuple[bytes, Item]:
    """The picture with its label, written as it came (safe in JSON unless it is raw), and what was done.

    Raises LabellingError where it cannot be labelled; one that is a URL has not been fetched, so it cannot be.
    """
    before, write = read(order.data, order.written, order.unit)
    try:
        data, converted = _converted(before, order, studio)
        media = formats.find(data)
        if media is None:
            raise MediaError("it is in no picture format that can be labelled")
        if order.preserve and _is_labelled(media, data):
            return order.data, _preserved(order, data)
        after, item = _label(media, data, order, studio, kept)
    except MediaError as error:
        raise LabellingError(f"{order.unit} is no picture that can be labelled: {error}") from None
    item = Item(
        produce_id=item.produce_id,
        kind="image",
        unit=order.unit,
        placed=tuple(dict.fromkeys((*item.placed, *order.envelope))),
        skipped=item.skipped,
        before=sha256(before).hexdigest(),
        after=sha256(after).hexdigest(),
        size_before=len(before),
        size_after=len(after),
        dropped=(*converted, *item.dropped),
    )
    return write(after, media.TYPES[0] if converted else ""), item


def _is_labelled(media: Format, data: bytes) -> bool:
    return any(one.labels or one.disclosures for one in media.carriers(data)) or media.has_manifest(data)


def _preserved(order: Order, data: bytes) -> Item:
    """What is said of a picture that is left alone: it bears metadata, and whether people see a mark is not known."""
    digest, size = sha256(data).hexdigest(), len(data)
    placed = tuple(dict.fromkeys(("upstream", *order.envelope)))
    return Item(order.own.produce_id, "image", order.unit, placed, PRESERVED, digest, digest, size, size)


def _converted(data: bytes, order: Order, studio: Studio) -> tuple[bytes, tuple[str, ...]]:
    """The file as PNG where policy lets it become one, and the name of the format that it was in."""
    for name, form in formats.CONVERTIBLE.items():
        if form.sniff(data):
            if name not in order.convert:
                why = f"no rule lets it become PNG (convert: [{name}])"
                raise MediaError(f"a {name.upper()} file has no place for metadata, and {why}")
            _check_size(form.size(data), studio.pixels)
            return to_png(data, studio.pixels), (name,)
    return data, ()


def _check_size(size: tuple[int, int], most: int) -> None:
    width, height = size
    if width * height > most:
        raise MediaError(f"it has {width} x {height} pixels, more than the {most} that are allowed")


def _label(media: Format, data: bytes, order: Order, studio: Studio, kept: Kept) -> tuple[bytes, Item]:
    """The file labelled, and an item that says what was placed, skipped and dropped."""
    _check_size(media.size(data), studio.pixels)
    carriers = media.carriers(data)
    found, said = labels(carriers), disclosures(carriers)
    aigc = kept(found) if found and order.labels else order.own
    after, placed, skipped = data, [], order.unbadged or UNASKED
    if order.badge is not None:
        try:
            after, skipped = stamp(after, order.badge, studio.font, studio.pixels).data, ""
            placed.append("badge")
        except BadgeError as error:
            if order.undrawable == "refuse":
                raise BadgeError(f"{error} (undrawable: metadata would do without the badge)") from None
            skipped = f"it cannot carry the badge: {error}"
    if order.xmp or order.disclosure:
        if not order.labels and len(set(found)) > 1:
            raise LabellingError(f"{order.unit} carries labels that contradict each other")
        statement = order.statement(aigc, found, said)
        after = _with_metadata(media, after, statement, order.unit)
        placed += ["xmp"] * order.xmp
        if order.disclosure:
            placed.append("statement" if statement.disclosure == order.disclosure else "upstream")
    dropped = ("c2pa",) if after is not data and media.has_manifest(data) else ()
    return after, Item(aigc.produce_id, "image", order.unit, tuple(placed), skipped, dropped=dropped)


def _with_metadata(media: Format, data: bytes, statement: Statement, unit: str) -> bytes:
    after = media.write(data, statement)
    carriers = media.carriers(after)
    expected = () if statement.aigc is None else (statement.aigc,), (statement.disclosure,) * bool(statement.disclosure)
    if (labels(carriers), disclosures(carriers)) != expected:
        raise LabellingError(f"the label that was written into {unit} does not read back")
    return after
