"""A whole answer that is a medium and nothing else, labelled: the file itself, as it came.

The law: a picture becomes Work; sound and video, for which there are no labels yet, are failures where a rule asks for
them; what no rule asks for leaves as it came. There is no JSON around the file, so nothing stands in a body's member.
"""

from collections.abc import Sequence
from typing import Final

from proxy.dialects.dialect import Dialect, MediaKind
from proxy.dialects.media import kind_of
from proxy.labelling.errors import LabellingError
from proxy.labelling.message import ResponseHead
from proxy.labelling.metadata import CARRIERS
from proxy.labelling.outcome import Done
from proxy.labelling.picture import Picture
from proxy.labelling.transform import Piece, Work
from proxy.media.formats import find
from proxy.record.exchange import Item

UNASKED: Final = "no rule asks for anything"
# The kinds for which there is no label yet, as people call them.
UNREADY: Final[dict[MediaKind, str]] = {"audio": "sound", "video": "video"}


def medium(dialect: Dialect, head: ResponseHead) -> MediaKind | None:
    """What kind of medium the answer is as a whole, by its media type; None where it is none, or where that type does
    not tell."""
    return kind_of(head.value(b"content-type").decode("latin-1").strip()) if dialect.whole else None


class MediumLabeller:
    """Takes a file in and, at its end, gives the labelled one out; ``unit`` is what the record calls it, ``limit``
    bounds what is held of it, in bytes."""

    def __init__(self, kind: MediaKind, unit: str, done: Done, limit: int) -> None:
        done.forgo(*CARRIERS)
        self._kind: MediaKind = kind
        self._unit, self._done, self._limit = unit, done, limit
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> Sequence[Piece]:
        self._size += len(data)
        if not self._asked:
            self._done.passed = self._unasked
            return (data,)
        self._parts.append(data)
        if self._kind in UNREADY:
            raise LabellingError(f"{UNREADY[self._kind]} cannot be labelled yet")
        if self._size > self._limit:
            raise LabellingError(f"the answer is longer than {self._limit} bytes")
        return ()

    def end(self) -> Sequence[Piece]:
        done, size = self._done, self._size
        if not size:
            raise LabellingError("the answer is empty")
        index = done.number()
        if self._asked:
            body = self.retained
            return (Work((Picture(body, "raw", self._unit, index, done.mark),), self._join, body),)
        produce_id = done.mark.of_item(index).produce_id
        item = Item(produce_id, self._kind, self._unit, skipped=self._unasked, size_before=size, size_after=size)
        done.parts.append(item)
        return ()

    def _join(self, pictures: Sequence[bytes]) -> bytes:
        (after,) = pictures
        if find(self.retained) is None and (made := find(after)) is not None:
            self._done.media_type = made.TYPES[0]  # a format without a place for metadata has become another
        return after

    @property
    def retained(self) -> bytes:
        if len(self._parts) > 1:
            self._parts = [b"".join(self._parts)]
        return self._parts[0] if self._parts else b""

    @property
    def _unasked(self) -> str:
        return (self._done.mark.terms.unbadged if self._kind == "image" else "") or UNASKED

    @property
    def _asked(self) -> bool:
        return self._kind in self._done.mark.terms.asked_of
