"""The record that ends a stream for its client, found in passing: from it on, all leaves only once the record is kept.

Clients stop reading at ``data: [DONE]``, ``event: message_stop`` or ``"done":true``, before the connection's own end.
The stream is not parsed here. A raw line end cannot stand inside JSON, so what stands alone on its line is the record
and nothing else; a quotation mark inside JSON text is written with a backslash, so a name with its colon is a member,
and no word of a model's.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from proxy.labelling.transform import Conclude, Piece

MISSED: Final = "the upstream ended the connection before the stream's last record"
_TAIL = 16  # bytes more than a marker has: the line end in front of it, and white space


class Terminal:
    """Passes bytes on; the piece that holds the terminal record becomes ``Conclude``, once, from that record's line on.

    A marker is a line of server-sent events (``data: X`` or ``event: X``, as far as it has come: a stream may end with
    it), or a member as JSON spells it, with a value or, where none stands behind the colon, with any.
    """

    def __init__(self, markers: tuple[str, ...]) -> None:
        self._finds = [_pattern(marker) for marker in markers]
        self._keep = max((len(marker.encode()) for marker in markers), default=0) + _TAIL
        self._tail = b"\n"  # the stream begins a line
        self._seen = not markers

    @property
    def seen(self) -> bool:
        """Whether the stream has come to its end, or has no record that tells."""
        return self._seen

    def feed(self, data: bytes) -> Sequence[Piece]:
        if self._seen:
            return (data,)
        window = self._tail + data
        first = -1
        for word, find in self._finds:
            # The pattern is dear: it is asked only where its word stands.
            if word in window and (match := find(window)) is not None:
                first = match.start() if first < 0 else min(first, match.start())
        if first < 0:
            self._tail = window[-self._keep :]
            return (data,)
        self._seen = True
        line = max(window.rfind(b"\n", 0, first), window.rfind(b"\r", 0, first)) + 1
        cut = max(line - len(self._tail), 0)
        return (data[:cut], Conclude(data[cut:])) if cut else (Conclude(data),)

    def end(self) -> Sequence[Piece]:
        return ()


@lru_cache(maxsize=256)
def _pattern(marker: str) -> tuple[bytes, Callable[[bytes], re.Match[bytes] | None]]:
    """A word that a marker cannot do without, and what finds the marker."""
    name, _, value = marker.partition(":")
    spelled = re.escape(value.strip().encode())
    if not marker.startswith('"'):
        line = rb"(?<=[\r\n])%b: ?%b[ \t]*(?=[\r\n]|\Z)" % (re.escape(name.encode()), spelled)
        return value.strip().encode(), re.compile(line).search
    word = name.strip().encode()
    begun = rb"%b(?<!\\%b)[ \t\r\n]*:[ \t\r\n]*" % (re.escape(word), re.escape(word))
    return word, re.compile(begun + (spelled + rb"(?=[ \t\r\n,}\]])" if spelled else b"")).search  # 1 is not 12
