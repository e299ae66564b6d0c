"""Grey levels of a PNG in other terms: those of another depth, and without the one that is declared transparent.

Law: in another depth black stays black and white stays white; what is drawn through `opaque` never shows what lies
beneath it. A table has one entry for each of 256 levels.
"""


def narrowed(depth: int) -> list[int]:
    """The table from 8 bits to ``depth`` bits, for what is drawn."""
    top = (1 << depth) - 1
    return [round(level * top / 255) for level in range(256)]


def widened(depth: int) -> list[int]:
    """The table from ``depth`` bits to 8, for the picture."""
    return [min(255, level * _scale(depth)) for level in range(256)]


def widened_chunk(data: bytes, depth: int) -> bytes:
    """A grey level of two bytes, as tRNS and bKGD hold it, from ``depth`` bits to 8."""
    return min(255, int.from_bytes(data[:2]) * _scale(depth)).to_bytes(2)


def opaque(key: bytes, depth: int) -> list[int]:
    """The table that avoids the transparent level, by a step; ``key`` is a tRNS chunk's data, for ``depth`` bits."""
    # A colour that is no grey is never drawn.
    levels = set(key) if depth == 16 else set(key[1::2])
    return [(level - 1 if level else 1) if levels == {level} else level for level in range(256)]


def _scale(depth: int) -> int:
    return 255 // ((1 << depth) - 1)
