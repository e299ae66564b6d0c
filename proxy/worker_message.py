"""What a process that labels pictures and the one that started it say to each other.

A message is two lengths of 8 bytes, big-endian, then a head and a file.
"""

from typing import IO, Final

_LENGTHS: Final = 16  # bytes


def message(head: bytes, data: bytes) -> tuple[bytes, bytes]:
    """A message's beginning, and its file."""
    return b"".join((len(head).to_bytes(8), len(data).to_bytes(8), head)), data


def receive(source: IO[bytes]) -> tuple[bytes, bytes] | None:
    """The next message's head and file; None at the end. EOFError where a message is cut short."""
    lengths = source.read(_LENGTHS)
    if not lengths:
        return None
    head, data = int.from_bytes(lengths[:8]), int.from_bytes(lengths[8:])
    found = source.read(head), source.read(data)
    if (len(found[0]), len(found[1])) != (head, data):
        raise EOFError
    return found
