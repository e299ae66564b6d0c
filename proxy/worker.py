"""A process that labels pictures, one after another, as long as its input lasts.

Law: an order comes in from standard input, and what became of it goes out to standard output. What a picture can do to
it (a decoder that crashes, memory without end) ends this process and no other.

On the way here, a head is a pickle first, of the studio and of the seconds that a picture may take, and then of each
order without its data. On the way back it is empty once, as a sign that the process is ready, and then JSON, nothing
that could be run: ``{"item": ...}``, ``{"refused": why}``, or in between ``{"found": [label, ...]}``. That asks what is
to become of the labels in a picture, which takes a key that is not here; ``{"label": ...}`` or ``{"refused": why}``
answers.
"""

import json
import os
import pickle
import signal
import sys
from dataclasses import asdict
from typing import IO, Any, Final

from proxy.label.aigc import Aigc
from proxy.labelling.errors import LabellingError
from proxy.labelling.order import Order, Studio
from proxy.labelling.stamping import Kept, label_picture
from proxy.worker_message import message, receive

# Latency of pictures matters less than that of the tokens of streams.
_NICENESS: Final = 5
# What a picture of many pixels needs: as samples, as an image of four bytes to the pixel, written anew, and twice in
# between (AVIF with alpha takes most: 27); and what the interpreter and the libraries take up.
_BYTES_A_PIXEL: Final = 32
_BASE: Final = 1 << 30


def main() -> None:
    """Work until the input ends."""
    source = os.fdopen(os.dup(0), "rb")
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no message
    first = _next(source)
    if first is None:
        return
    studio, seconds = pickle.loads(first[0])  # noqa: S301  # from the process that started this one
    _confine(studio)
    _say(sink, b"", b"")  # ready: starting is no part of the time that a picture has

    def kept(found: tuple[Aigc, ...]) -> Aigc:
        _say(sink, _head({"found": found}), b"")
        answer = _next(source)
        if answer is None:
            raise SystemExit
        said = json.loads(answer[0])
        if "refused" in said:
            raise LabellingError(said["refused"])
        return Aigc(*said["label"])

    while (came := _next(source)) is not None:
        order: Order = pickle.loads(came[0])  # noqa: S301
        _limit(2 * seconds)  # whoever started this one ends it before; this is for when it is no more
        _say(sink, *_done(order._replace(data=came[1]), studio, kept))
        _limit(0)


def _next(source: IO[bytes]) -> tuple[bytes, bytes] | None:
    try:
        return receive(source)
    except EOFError:  # whoever was saying it is no more
        return None


def _say(sink: IO[bytes], head: bytes, data: bytes) -> None:
    for piece in message(head, data):
        sink.write(piece)
    sink.flush()


def _done(order: Order, studio: Studio, kept: Kept) -> tuple[bytes, bytes]:
    try:
        data, item = label_picture(order, studio, kept)
    except LabellingError as error:
        return _head({"refused": str(error)}), b""
    except MemoryError:
        return _head({"refused": f"{order.unit} needs more memory than a picture may"}), b""
    return _head({"item": asdict(item)}), data


def _head(said: dict[str, Any]) -> bytes:
    # The standard library's, since what is told may hold lone surrogates.
    return json.dumps(said).encode()


def _limit(seconds: float) -> None:
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _confine(studio: Studio) -> None:
    """Give way to whatever must not wait, end where nobody waits, and bound what one picture can take."""
    if sys.platform == "win32":
        return
    import resource

    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # where nobody takes the result any more, this ends without a word
    os.nice(_NICENESS)
    if sys.platform != "linux":  # where the limit counts memory that nobody has touched, no process keeps it
        return
    limit = _BASE + _BYTES_A_PIXEL * studio.pixels
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard < 0 else min(limit, hard), hard))
