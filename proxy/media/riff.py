"""RIFF (Microsoft and IBM, 1991): a file of chunks, as WebP, WAV and AVI are.

Law: nothing is believed that goes beyond the bytes there are, and what is read can be written again byte for byte.
Numbers are little-endian; a chunk of odd length is followed by a byte that counts for nothing. That byte may be missing
at the very end, as some writers have it, and is then put there.
"""

from collections.abc import Iterable
from typing import NamedTuple

from proxy.media.errors import MediaError

MAX_CHUNKS = 100_000
MAX_BYTES = 1 << 32

_HEAD = 8  # name and length
_FORM = 12  # "RIFF", length, the form's name


class Chunk(NamedTuple):
    """One chunk: its name of four characters, its data, and all its bytes with those around the data."""

    kind: bytes
    data: memoryview
    whole: memoryview


class File(NamedTuple):
    """A RIFF file: the form's name, its chunks, and what follows the end that the file gives."""

    form: bytes
    chunks: list[Chunk]
    trailer: memoryview


def is_form(data: bytes, form: bytes) -> bool:
    """Whether the data begins as a RIFF file of this form."""
    return data.startswith(b"RIFF") and data.startswith(form, 8)


def parse(data: bytes) -> File:
    """The file in its parts. MediaError where it is cut short, or its chunks do not fill it."""
    if not data.startswith(b"RIFF") or len(data) < _FORM:
        raise MediaError("not a RIFF file: its header is missing")
    end = _HEAD + int.from_bytes(data[4:8], "little")
    if not _FORM <= end <= len(data):
        raise MediaError("the RIFF file ends before its last chunk does")
    view = memoryview(data)
    return File(data[8:12], chunks(view[_FORM:end]), view[end:])


def chunks(space: memoryview) -> list[Chunk]:
    """The chunks that fill a space, such as a file or a chunk that holds others."""
    found: list[Chunk] = []
    position = 0
    while position < len(space):
        start = position + _HEAD
        kind = bytes(space[position : position + 4])
        length = int.from_bytes(space[position + 4 : start], "little")
        if start + length > len(space):
            raise MediaError("the RIFF file ends inside a chunk")
        if len(found) >= MAX_CHUNKS or not (kind.isascii() and kind.decode().isprintable()):
            raise MediaError("the RIFF file has a chunk with no name, or too many chunks")
        stop = start + length
        if length % 2 and stop == len(space):
            whole = memoryview(bytes(space[position:stop]) + b"\0")
        else:
            stop += length % 2
            whole = space[position:stop]
        found.append(Chunk(kind, space[start : start + length], whole))
        position = stop
    return found


def chunk(kind: bytes, *data: bytes | memoryview) -> bytes:
    """A whole chunk; its data may come in parts."""
    length = sum(map(len, data))
    return b"".join((kind, length.to_bytes(4, "little"), *data, bytes(length % 2)))


def file(form: bytes, chunks: Iterable[bytes | memoryview], trailer: bytes | memoryview = b"") -> bytes:
    """A whole file. MediaError where it would be longer than RIFF can say, 4 GiB."""
    pieces = [*chunks]
    length = len(form) + sum(map(len, pieces))
    if length >= MAX_BYTES:
        raise MediaError(f"{length} bytes do not fit into a RIFF file")
    return b"".join((b"RIFF", length.to_bytes(4, "little"), form, *pieces, trailer))
