"""EXIF as far as labels need it (CIPA DC-008, TIFF 6.0): the orientation, labels in text fields, the thumbnail.

Law: nothing is moved. What is taken out is written over with zeros, so that every offset in the block stays right. A
block that cannot be read has no orientation and no label, as for any viewer.

A block is a TIFF file, with or without the ``Exif`` identifier of JPEG before it.
"""

from collections.abc import Iterable, Iterator

from proxy.label.aigc import Aigc
from proxy.media import tags
from proxy.media.carriers import Carrier, decoded, in_text
from proxy.media.tags import Directory, Field, Layout

IDENTIFIER = b"Exif\0\0"

_ORIENTATION, _DESCRIPTION, _EXIF_IFD, _USER_COMMENT = 0x0112, 0x010E, 0x8769, 0x9286
_THUMBNAIL, _THUMBNAIL_LENGTH = 0x0201, 0x0202
# Where labels are found: the first two as a guide has it, the others as tools that know no better place do. Of
# Windows' own fields (XP) the words are UTF-16.
_NAMES = {
    _DESCRIPTION: "ImageDescription",
    _USER_COMMENT: "UserComment",
    0x010D: "DocumentName",
    0x010F: "Make",
    0x0110: "Model",
    0x0131: "Software",
    0x013B: "Artist",
    0x8298: "Copyright",
    0x9C9B: "XPTitle",
    0x9C9C: "XPComment",
    0x9C9D: "XPAuthor",
    0x9C9E: "XPKeywords",
    0x9C9F: "XPSubject",
}
TEXTS = frozenset(_NAMES)
_CODE_LENGTH = 8  # the character code that opens a UserComment


def orientation(block: bytes) -> int:
    """How the picture is turned for display: 1 to 8, and 1 (upright) where nothing valid is said."""
    tiff = block.removeprefix(IDENTIFIER)
    layout = tags.layout(tiff)
    if layout is None:
        return 1
    first = tags.directory(tiff, layout, layout.offset(tiff, layout.first))
    return turned(tiff, layout, first)


def turned(tiff: bytes, layout: Layout, directory: Directory) -> int:
    """The orientation that a directory says: 1 to 8, and 1 where it says nothing valid."""
    for field in directory.fields:
        if (field.tag, field.kind, field.amount) == (_ORIENTATION, tags.SHORT, 1):
            (value,) = tags.numbers(tiff, layout, field)
            return value if 1 <= value <= 8 else 1
    return 1


def carriers(block: bytes) -> list[Carrier]:
    """UserComment, ImageDescription and other text fields, where they hold a label."""
    return [carrier(field, label) for field, label in _labelled(block.removeprefix(IDENTIFIER))]


def carrier(field: Field, label: Aigc) -> Carrier:
    """A text field with a label, by its name."""
    return Carrier(f"EXIF {_NAMES[field.tag]}", (label,))


def without_labels(block: bytes) -> bytes:
    """The same block with zeros in place of every label."""
    tiff = block.removeprefix(IDENTIFIER)
    base = len(block) - len(tiff)
    blank = bytearray(block)
    for field, _ in _labelled(tiff):
        start = _words(tiff, field)
        blank[base + start : base + field.end] = bytes(field.end - start)
    return bytes(blank)


def without_thumbnail(block: bytes) -> bytes:
    """The same block without the small second picture: the link to its IFD is zero, and zeros stand for its JPEG."""
    tiff = block.removeprefix(IDENTIFIER)
    layout = tags.layout(tiff)
    if layout is None:
        return block
    first = tags.directory(tiff, layout, layout.offset(tiff, layout.first))
    if not first.next or first.end > len(tiff):
        return block
    second = tags.directory(tiff, layout, first.next)
    base = len(block) - len(tiff)
    blank = bytearray(block)
    blank[base + first.link : base + first.end] = bytes(layout.word)
    said = {
        field.tag: tags.numbers(tiff, layout, field)[0]
        for field in second.fields
        if (field.kind, field.amount) == (tags.LONG, 1)
    }
    if _THUMBNAIL in said and _THUMBNAIL_LENGTH in said:
        start = said[_THUMBNAIL]
        end = min(start + said[_THUMBNAIL_LENGTH], len(tiff))
        if tiff.startswith(b"\xff\xd8", start, end):
            blank[base + start : base + end] = bytes(end - start)
    return bytes(blank)


def inner(tiff: bytes, layout: Layout, directory: Directory) -> Directory | None:
    """The EXIF directory that another one points to."""
    field = directory.find(_EXIF_IFD)
    if field is None or field.kind not in tags.OFFSETS or field.amount != 1:
        return None
    return tags.directory(tiff, layout, tags.numbers(tiff, layout, field)[0])


def labelled(tiff: bytes, fields: Iterable[Field]) -> Iterator[tuple[Field, Aigc]]:
    """The text fields that hold a label, and the label.

    Values that take more bytes together than there are overlap, which no honest file does: the rest is passed over.
    """
    left = len(tiff)
    for field in fields:
        if field.tag in _NAMES and field.start < field.end <= len(tiff):
            left -= field.end - field.start
            if left < 0:
                return
            for label in in_text(_text(tiff, field)):
                yield field, label


def _labelled(tiff: bytes) -> Iterator[tuple[Field, Aigc]]:
    """The fields of the first directory with a label, then those of the EXIF directory."""
    layout = tags.layout(tiff)
    if layout is None:
        return
    first = tags.directory(tiff, layout, layout.offset(tiff, layout.first))
    second = inner(tiff, layout, first)
    yield from labelled(tiff, (*first.fields, *(second.fields if second else ())))


def _text(tiff: bytes, field: Field) -> str:
    # A UserComment says that it is Unicode, but not in which byte order: the block's is right, others are found, too.
    return decoded(tiff[_words(tiff, field) : field.end])


def _words(tiff: bytes, field: Field) -> int:
    """Where the words of a text field begin: in a UserComment, behind the code for its encoding."""
    if field.tag != _USER_COMMENT:
        return field.start
    # The code is shorter than its eight bytes in some files.
    brace = tiff.find(b"{", field.start, field.end)
    return min(field.start + _CODE_LENGTH, field.end if brace < 0 else brace)
