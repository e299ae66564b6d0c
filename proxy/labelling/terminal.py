"""The record that ends a stream for its client, found in passing: from it on, all leaves only once the record is kept.

Clients stop reading at ``data: [DONE]``, before the connection's own end. The stream is not parsed here: a raw line end
cannot stand inside JSON, so a marker that stands alone on a data line is the record and nothing else.
"""

from collections.abc import Sequence

from proxy.labelling.transform import Conclude, Piece

_TAIL = 16  # longer than "\r\n\r\ndata: ", which must be seen in front of the marker


class Terminal:
    """Passes bytes on; the piece that holds the terminal record becomes ``Conclude``, once."""

    def __init__(self, marker: bytes) -> None:
        self._marker = marker
        self._keep = len(marker) + _TAIL
        self._tail = b"\n"  # the stream begins a line
        self._seen = not marker

    @property
    def seen(self) -> bool:
        """Whether the stream has come to its end, or has no record that tells."""
        return self._seen

    def feed(self, data: bytes) -> Sequence[Piece]:
        if self._seen:
            return (data,)
        window = self._tail + data
        at = window.find(self._marker)
        while at >= 0:
            start = _line_of(window, at)
            if start >= 0 and at + len(self._marker) > len(self._tail):
                self._seen = True
                cut = max(start - len(self._tail), 0)
                return (data[:cut], Conclude(data[cut:])) if cut else (Conclude(data),)
            at = window.find(self._marker, at + 1)
        self._tail = window[-self._keep :]
        return (data,)

    def end(self) -> Sequence[Piece]:
        return ()


def _line_of(window: bytes, at: int) -> int:
    """Where the data line begins whose data begins at ``at``, or -1 where no such line does."""
    for field in (b"data: ", b"data:"):
        start = at - len(field)
        if start > 0 and window.startswith(field, start) and window[start - 1] in b"\r\n":
            return start
    return -1
