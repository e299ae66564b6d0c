"""A process that labels pictures, one after another, as long as its input lasts.

Law: an order comes in from standard input, and what became of it goes out to standard output. What a picture can do to
it (a decoder that crashes, memory without end) ends this process and no other.

On the way here, the head of a message is a pickle: the studio first, then orders without their data. On the way back it
is empty once, as a sign that the process is ready, and then JSON, nothing that could be run: ``{"item": ...}``, or
``{"refused": why}``.
"""

import os
import pickle
import signal
import sys
from typing import IO, Final

import orjson

from proxy.labelling.errors import LabellingError
from proxy.labelling.order import Order, Studio
from proxy.labelling.stamping import label_picture
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
    studio: Studio = pickle.loads(first[0])  # noqa: S301  # from the process that started this one
    _confine(studio)
    _say(sink, b"", b"")  # ready: starting is no part of the time that a picture has
    while (came := _next(source)) is not None:
        order: Order = pickle.loads(came[0])  # noqa: S301
        _say(sink, *_done(order._replace(data=came[1]), studio))


def _next(source: IO[bytes]) -> tuple[bytes, bytes] | None:
    try:
        return receive(source)
    except EOFError:  # whoever was saying it is no more
        return None


def _say(sink: IO[bytes], head: bytes, data: bytes) -> None:
    for piece in message(head, data):
        sink.write(piece)
    sink.flush()


def _done(order: Order, studio: Studio) -> tuple[bytes, bytes]:
    try:
        data, item = label_picture(order, studio)
    except LabellingError as error:
        return orjson.dumps({"refused": str(error)}), b""
    except MemoryError:
        return orjson.dumps({"refused": f"{order.unit} needs more memory than a picture may"}), b""
    return orjson.dumps({"item": item}), data


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
