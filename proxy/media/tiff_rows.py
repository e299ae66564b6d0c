"""Rows of samples as a TIFF stores them, and new pixels put into one.

Law: every other pixel of the row keeps its value to the bit. Where samples are stored as differences (TIFF 6.0, section
14), no more than those of the new pixels and of the one that follows change.

A row is bytes; ``step`` samples make a pixel, ``left`` and ``right`` (exclusive) count pixels. Samples of 16 bits have
the byte order of the file.
"""

import sys
from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate, chain, repeat
from operator import and_, sub

_NATIVE = "<" if sys.byteorder == "little" else ">"

Row = bytes | bytearray | memoryview


def samples(row: Row, depth: int, order: str) -> "array[int]":
    """A row as numbers: one for each sample of 8 or 16 bits."""
    found = array("H" if depth == 16 else "B", bytes(row))
    if depth == 16 and order != _NATIVE:
        found.byteswap()
    return found


def taken(row: Row, step: int, left: int, right: int, differences: bool) -> bytes:
    """The samples of the pixels from ``left`` to ``right``, of 8 bits, sample after sample of each pixel."""
    values = bytearray(row[left * step : right * step])
    if differences:
        for channel in range(step):
            before = sum(row[channel : left * step : step])
            sums = accumulate(values[channel::step], initial=before)
            values[channel::step] = bytes(map(and_, sums, repeat(0xFF)))[1:]
    return bytes(values)


def replaced(
    row: Row, new: Sequence[Sequence[int]], left: int, right: int, depth: int, order: str, differences: bool
) -> bytes:
    """The row with new pixels: ``new`` holds the values of each sample of a pixel, from ``left`` to ``right``."""
    if depth < 8:
        return _bits_replaced(row, new[0], left, right, depth)
    step, mask = len(new), (1 << depth) - 1
    values = samples(row, depth, order)
    for channel, fresh in enumerate(new):
        stored: Iterable[int] = fresh
        if differences:
            before = sum(values[channel : left * step : step])
            following = right * step + channel
            if following < len(values):
                after = before + sum(values[left * step + channel : following + 1 : step])
                values[following] = (after - fresh[-1]) & mask
            stored = map(and_, map(sub, fresh, chain((before,), fresh)), repeat(mask))
        values[left * step + channel : right * step : step] = array(values.typecode, stored)
    if depth == 16 and order != _NATIVE:
        values.byteswap()
    return values.tobytes()


def _bits_replaced(row: Row, new: Sequence[int], left: int, right: int, depth: int) -> bytes:
    """The same for samples that share bytes, the first one in the highest bits."""
    start, end = left * depth // 8, -(-right * depth // 8)
    old = int.from_bytes(row[start:end])
    below = end * 8 - right * depth  # bits of the last byte that belong to later pixels
    width = (right - left) * depth
    fresh = 0
    for value in new:
        fresh = fresh << depth | value
    mask = (1 << width) - 1 << below
    return bytes(row[:start]) + (old & ~mask | fresh << below).to_bytes(end - start) + bytes(row[end:])
