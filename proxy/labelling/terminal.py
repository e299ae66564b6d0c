"""The record that ends a stream for its client, found in passing: from it on, all leaves only once the record is kept.

Clients stop reading at ``data: [DONE]``, before the connection's own end. The stream is not parsed here: a raw line end
cannot stand inside JSON, so a marker that stands alone on a data line is the record and nothing else.
"""

import re
from collections.abc import Sequence

from proxy.labelling.transform import Conclude, Piece

_TAIL = 16  # longer than "\r\n\r\ndata: ", which must be seen in front of the marker


class Terminal:
    """Passes bytes on; the piece that holds the terminal record becomes ``Conclude``, once."""

    def __init__(self, marker: bytes) -> None:
        self._marker = marker
        self._line = re.compile(rb"(?<=[\r\n])data: ?" + re.escape(marker)).search
        self._keep = len(marker) + _TAIL
        self._tail = b"\n"  # the stream begins a line
        self._seen = not marker

    def feed(self, data: bytes) -> Sequence[Piece]:
        if self._seen:
            return (data,)
        window = self._tail + data
        if self._marker in window:
            match = self._line(window)
            if match is not None and match.end() > len(self._tail):
                self._seen = True
                at = max(match.start() - len(self._tail), 0)
                return (data[:at], Conclude(data[at:])) if at else (Conclude(data),)
        self._tail = window[-self._keep :]
        return (data,)

    def end(self) -> Sequence[Piece]:
        return ()
