"""The frames of a WebSocket on their way through: passed as they come, or with the pictures in them labelled.

Law: what needs no label leaves byte for byte, in order. Of a message that may hold a picture nothing leaves before all
of it is there; a picture leaves labelled in a message of its own bytes, or as the policy's ``on_failure`` says. One
picture that cannot be labelled decides about itself: those behind it are labelled again.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from proxy.dialects.dialect import PicturePlace
from proxy.framing.websocket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    PROTOCOL_ERROR,
    TEXT,
    TOO_LONG,
    Frames,
    Head,
    SocketFault,
    frame,
)
from proxy.labelling.errors import LabellingError
from proxy.labelling.guard import failed
from proxy.labelling.outcome import Done
from proxy.labelling.picture import Picture
from proxy.labelling.transform import Conclude, Piece, Work
from proxy.record.exchange import Item
from proxy.record.outcome import Outcome

MOST_ITEMS = 1000  # of one socket's record: a socket may live for days

_NUMBER = 4  # bytes, big-endian: a message's type, and the length of what stands in front of a picture
_PREFIXED = 2 * _NUMBER
_LEAST_HEADS = 1 << 16  # bytes that the heads of one message's frames may take, however small its bound
# How pictures begin: PNG, JPEG, WebP, GIF. Text never looks like the first two, nor a JPEG's marker like chance.
_PICTURE = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff[\xc0-\xef]|RIFF....WEBP|GIF8[79]a", re.DOTALL)
_SIGNS = (b"\x89PNG", b"\xff\xd8\xff", b"WEBP", b"GIF8")  # one is in each, and is found far sooner


class Passage:
    """One direction of a socket that passes as it comes. ``limit``: the most bytes of a message.

    ``concluded`` says that a close frame has passed, behind which nothing is to be said.
    """

    __slots__ = ("_frames", "between", "concluded")

    def __init__(self, limit: int) -> None:
        self._frames = Frames(limit)
        self.between = True
        self.concluded = False

    def feed(self, data: bytes) -> Iterator[Piece]:
        """What may leave now. Raises SocketFault; nothing of this ``data`` leaves then."""
        for part in self._frames.feed(data):
            if type(part) is Head and part.opcode == CLOSE:
                self.concluded = True
        self.between = self._frames.between
        yield data


class SocketLabeller:
    """The direction towards the client, with pictures in its binary messages. ``places``: where the picture begins in
    messages of a type (see ``Dialect.socket``). ``limit``: the most bytes of a message.

    ``concluded`` says that a close frame has been given out.
    """

    __slots__ = ("_control", "_done", "_frames", "_head", "_held", "_limit", "_message", "_payload", "_places",
                 "concluded")  # fmt: skip

    def __init__(self, places: Mapping[int, PicturePlace], done: Done, limit: int) -> None:
        self._places = places
        self._done = done
        self._limit = limit
        self._frames = Frames(limit)
        self._head: Head | None = None  # of the frame that is under way
        self._message = CONTINUATION  # the opcode of the message that is under way, or this where none is
        # Not lists: of pieces that hold next to nothing, each would take more than it holds.
        self._held = bytearray()  # a binary message as it came
        self._payload = bytearray()
        self._control: list[bytes] = []
        self.concluded = False

    @property
    def between(self) -> bool:
        """Whether what has been given out ends with a frame."""
        return self._frames.whole or self._message != TEXT or self._head is None or self._head.is_control

    def feed(self, data: bytes) -> Iterator[Piece]:
        """What may leave now. Raises SocketFault and Blocked; what was given out before that may leave."""
        for part in self._frames.feed(data):
            if isinstance(part, Head):
                self._begin(part)
                raw, payload = part.raw, b""
            else:
                raw = payload = part
            head, whole = self._head, self._frames.whole
            assert head is not None
            if head.is_control:
                self._control.append(raw)
                if whole:
                    yield self._controlled(head)
                continue
            if self._message == TEXT:
                yield raw
            else:
                self._held += raw
                self._payload += payload
            if whole and head.final:
                if self._message == BINARY:
                    yield self._received()
                self._message = CONTINUATION

    def _begin(self, head: Head) -> None:
        """Raises SocketFault for what a client refuses, or could read in another way than it is read here."""
        known = head.opcode in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG)
        ordered = head.is_control or (head.opcode == CONTINUATION) is (self._message != CONTINUATION)
        if not known or not ordered or head.reserved or head.masked or (head.is_control and not head.final):
            raise SocketFault(PROTOCOL_ERROR, "the upstream sent a frame that no client takes")
        if len(self._held) - len(self._payload) > max(self._limit, _LEAST_HEADS):
            raise SocketFault(TOO_LONG, "a message is cut into too many frames")
        self._head = head
        if head.opcode in (TEXT, BINARY):
            self._message = head.opcode

    def _controlled(self, head: Head) -> Piece:
        data = b"".join(self._control)
        self._control.clear()
        self.concluded = head.opcode == CLOSE
        return Conclude(data) if self.concluded else data

    def _received(self) -> Piece:
        """A binary message is there."""
        raw, payload = bytes(self._held), bytes(self._payload)
        self._held.clear()
        self._payload.clear()
        try:
            at = self._find(payload)
        except LabellingError as error:
            failed(self._done, str(error))
            return raw
        if at is None:
            return raw
        index = self._done.number()
        picture = Picture(payload[at:], "raw", f"picture {index}", index, self._done.mark)
        return Work((picture,), partial(_message, payload[:at]), raw)

    def _find(self, payload: bytes) -> int | None:
        """Where the picture begins, None where the message holds none. Raises LabellingError where nobody knows."""
        match self._places.get(int.from_bytes(payload[:_NUMBER])) if len(payload) >= _NUMBER else None:
            case "text":
                return None
            case "prefixed":
                return _PREFIXED + int.from_bytes(payload[_NUMBER:_PREFIXED])
            case int(at):
                return at
        if any(sign in payload for sign in _SIGNS) and _PICTURE.search(payload):
            raise LabellingError("the socket carries a picture in a message of a type that is not known")
        return None


def _message(head: bytes, pictures: Sequence[bytes]) -> bytes:
    return frame(BINARY, head + pictures[0])


def keep(item: Item, done: Done) -> None:
    """Put an item into the record as long as it has room; every one of them counts."""
    if len(done.parts) < MOST_ITEMS:
        done.parts.append(item)


def ended(done: Done, count: int) -> tuple[Outcome, str]:
    """How a socket ended of whose pictures ``count`` were labelled: one word, and the reason in words."""
    outcome, reason = done.outcome()
    if not count and not done.failure:
        return Outcome.PASSED, "no picture came through it"
    more = count - len(done.parts)
    said = f"{more} pictures more were labelled than are listed" if more else ""
    return outcome, "; ".join(filter(None, (reason, said)))
