"""The properties of HEIF's items (ISO/IEC 23008-12 clause 9.3): sizes, colours, turns, what a decoder has to know.

Law: a property is a whole box that is never looked into here. What one item is said to be changes for no other item,
though they share a box.
"""

from typing import NamedTuple

from proxy.media.boxes import MAX_BOXES, Box, Fields, box, full_box, walk
from proxy.media.errors import MediaError

_ESSENTIAL = 0x8000  # a reader that does not know the property is to leave the item alone
_INDEX = 0x7FFF
_DECODER = b"av1C"  # what none can do without


class Association(NamedTuple):
    """The properties of an item: numbers of boxes, from 1, with the bit 0x8000 where one is essential."""

    number: int
    indices: tuple[int, ...]


class Properties(NamedTuple):
    """The boxes inside ``ipco``, whole, and whose they are, by ``ipma``."""

    boxes: tuple[bytes, ...] = ()
    associations: tuple[Association, ...] = ()

    def of(self, number: int) -> list[bytes]:
        """The properties of an item in their order; those that are missing are passed over."""
        indices = (index & _INDEX for found in self.associations if found.number == number for index in found.indices)
        return [self.boxes[index - 1] for index in indices if 0 < index <= len(self.boxes)]

    def without(self, gone: set[int]) -> "Properties":
        """The same without what is said of some items."""
        return self._replace(associations=tuple(found for found in self.associations if found.number not in gone))

    def having(self, number: int, new: bytes) -> "Properties":
        """The same with another property of its kind for an item, or with one more.

        The kind is the box's type, and of a colour also how it is told: by numbers or by a profile.
        """
        boxes, kind = list(self.boxes), _kind(new)
        indices = [index for found in self.associations if found.number == number for index in found.indices]
        others = {index & _INDEX for found in self.associations if found.number != number for index in found.indices}
        at = next((at for at, index in enumerate(indices) if _kind(self._box(index)) == kind), None)
        if at is not None and indices[at] & _INDEX not in others:
            boxes[(indices[at] & _INDEX) - 1] = new
        else:
            boxes.append(new)
            if at is None:
                # What turns the picture stays last, as clause 6.5.1 has it.
                indices.insert(0, len(boxes) | (_ESSENTIAL if kind == _DECODER else 0))
            else:
                indices[at] = len(boxes) | indices[at] & _ESSENTIAL
        kept = self.without({number}).associations
        return Properties(tuple(boxes), tuple(sorted([*kept, Association(number, tuple(indices))])))

    def pack(self) -> bytes:
        """The whole ``iprp`` box."""
        wide = any(found.number > 0xFFFF for found in self.associations)
        pieces = [len(self.associations).to_bytes(4)]
        for number, indices in self.associations:
            pieces += (number.to_bytes(4 if wide else 2), len(indices).to_bytes(1))
            pieces += (index.to_bytes(2) for index in indices)
        return box(b"iprp", box(b"ipco", *self.boxes), full_box(b"ipma", int(wide), 1, *pieces))

    def _box(self, index: int) -> bytes:
        return self.boxes[(index & _INDEX) - 1] if 0 < index & _INDEX <= len(self.boxes) else b""


def parse_properties(data: bytes, found: Box | None) -> Properties:
    """What ``ipco`` and every ``ipma`` inside ``iprp`` hold; nothing where the box is missing.

    MediaError where they are broken, or tell of more than 10,000 items.
    """
    boxes: list[bytes] = []
    associations: list[Association] = []
    for inner in walk(data, found.body, found.end) if found is not None else ():
        if inner.kind == b"ipco":
            boxes += (data[entry.start : entry.end] for entry in walk(data, inner.body, inner.end))
        elif inner.kind == b"ipma":
            fields = Fields(data, inner.body, inner.end)
            version, flags = fields.number(1), fields.number(3)
            for _ in range(fields.number(4)):
                if len(associations) >= MAX_BOXES:
                    raise MediaError(f"the HEIF container tells the properties of more than {MAX_BOXES} items")
                number, count = fields.number(4 if version else 2), fields.number(1)
                indices = [fields.number(2 if flags & 1 else 1) for _ in range(count)]
                if not flags & 1:
                    indices = [(index & 0x80) << 8 | index & 0x7F for index in indices]
                associations.append(Association(number, tuple(indices)))
    return Properties(tuple(boxes), tuple(associations))


def _kind(whole: bytes) -> bytes:
    return whole[4:12] if whole[4:8] == b"colr" else whole[4:8]
