"""A whole JSON answer, labelled: the transform of answers that are not streamed."""

from collections.abc import Sequence

from proxy.dialects.dialect import Dialect
from proxy.labelling.document import label_document
from proxy.labelling.errors import LabellingError
from proxy.labelling.outcome import Done
from proxy.labelling.request import Asked
from proxy.labelling.transform import Piece


class BodyLabeller:
    """Takes a JSON body in and, at its end, gives the labelled one out; ``limit`` bounds it, in bytes."""

    def __init__(self, dialect: Dialect, asked: Asked, done: Done, limit: int) -> None:
        self._dialect = dialect
        self._asked = asked
        self._done = done
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> Sequence[Piece]:
        self._size += len(data)
        self._parts.append(data)
        if self._size > self._limit:
            raise LabellingError(f"the answer is longer than {self._limit} bytes")
        return ()

    def end(self) -> Sequence[Piece]:
        return label_document(self._dialect, self._asked, self._done, self.retained)

    @property
    def retained(self) -> bytes:
        if len(self._parts) > 1:
            self._parts = [b"".join(self._parts)]
        return self._parts[0] if self._parts else b""
