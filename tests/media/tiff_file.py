"""A TIFF reader and a maker of small files for the tests, which owe nothing to the product's code."""

import struct
import zlib
from functools import lru_cache
from typing import Any, NamedTuple

CODES = {1: "B", 2: "c", 3: "H", 4: "I", 5: "II", 7: "c", 13: "I", 16: "Q", 18: "Q"}

Pixels = list[list[tuple[int, ...]]]


class Read(NamedTuple):
    """A page: its fields (numbers, or bytes) and their types, where their entries and values stand, its directory, its
    pixels as they are stored."""

    fields: dict[int, Any]
    kinds: dict[int, int]
    places: dict[int, list[tuple[int, int]]]
    directory: tuple[int, int]
    blocks: list[tuple[int, int]]
    pixels: Pixels


@lru_cache(maxsize=256)
def read(data: bytes) -> list[Read]:
    """Every page of the chain, and SubIFDs behind it."""
    order = {b"II": "<", b"MM": ">"}[data[:2]]
    big = struct.unpack_from(order + "H", data, 2) == (43,)
    (link,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    found, ahead = [], [link]
    while ahead:
        page, following = _page(data, order, big, ahead.pop())
        found.append(page)
        ahead += [following] if following else []
        ahead += page.fields.get(330, ())
    return found


def _page(data: bytes, order: str, big: bool, start: int) -> tuple[Read, int]:
    word, counter = ("Q", "Q") if big else ("I", "H")
    inline = struct.calcsize(word)
    (count,) = struct.unpack_from(order + counter, data, start)
    at = start + struct.calcsize(counter)
    fields: dict[int, Any] = {}
    kinds, places = {}, {}
    for _ in range(count):
        tag, kind, number = struct.unpack_from(f"{order}HH{word}", data, at)
        form = f"{order}{number * len(CODES[kind])}{CODES[kind][0]}"
        length = struct.calcsize(form)
        value = at + 4 + inline
        if length > inline:
            (value,) = struct.unpack_from(order + word, data, value)
        assert value % 2 == 0
        assert tag not in fields
        assert not fields or tag > max(fields), "entries are sorted"
        fields[tag] = data[value : value + length] if kind in (1, 2, 7) else struct.unpack_from(form, data, value)
        kinds[tag] = kind
        places[tag] = [(at, at + 4 + 2 * inline), (value, value + length)]
        at += 4 + 2 * inline
    (following,) = struct.unpack_from(order + word, data, at)
    numbers = zip(*(fields[tag] for tag in ((324, 325) if 324 in fields else (273, 279))), strict=True)
    blocks = [(first, first + length) for first, length in numbers]
    return Read(fields, kinds, places, (start, at + inline), blocks, _pixels(data, order, fields)), following


def _pixels(data: bytes, order: str, fields: dict[int, Any]) -> Pixels:
    (width,), (height,), (samples,) = fields[256], fields[257], fields.get(277, (1,))
    depth, planes = fields[258][0], samples if fields.get(284) == (2,) else 1
    step = samples // planes
    across, down = (fields[322][0], fields[323][0]) if 322 in fields else (width, min(fields[278][0], height))
    starts, lengths = (fields[324], fields[325]) if 322 in fields else (fields[273], fields[279])
    out: list[list[list[int]]] = [[[0] * samples for _ in range(width)] for _ in range(height)]
    number = 0
    for plane in range(planes):
        for top in range(0, height, down):
            for left in range(0, width, across):
                rows = down if 322 in fields else min(down, height - top)
                length = (across * step * depth + 7) // 8
                packed = data[starts[number] : starts[number] + lengths[number]]
                assert len(packed) == lengths[number]
                raw = _unpacked(packed, fields[259][0])
                assert len(raw) == length * rows
                number += 1
                for y in range(top, min(top + rows, height)):
                    row = _row(raw[(y - top) * length : (y - top + 1) * length], depth, order, across * step)
                    for at in range(across * step):
                        if fields.get(317) == (2,) and at >= step:
                            row[at] = (row[at] + row[at - step]) % (1 << depth)
                        if left + at // step < width:
                            out[y][left + at // step][plane + at % step] = row[at]
    return [[tuple(pixel) for pixel in line] for line in out]


def _row(raw: bytes, depth: int, order: str, count: int) -> list[int]:
    if depth >= 8:
        return list(struct.unpack(f"{order}{count}{'B' if depth == 8 else 'H'}", raw))
    bits, length = int.from_bytes(raw), len(raw) * 8
    return [bits >> length - (at + 1) * depth & (1 << depth) - 1 for at in range(count)]


def _unpacked(packed: bytes, compression: int) -> bytes:
    match compression:
        case 1:
            return packed
        case 8 | 32946:
            return zlib.decompress(packed)
        case 5:
            return _lzw(packed)
    assert compression == 32773
    out, at = bytearray(), 0
    while at < len(packed):
        count = packed[at]
        if count < 128:
            out += packed[at + 1 : at + 2 + count]
            at += 2 + count
        else:
            out += packed[at + 1 : at + 2] * (257 - count)
            at += 2
    return bytes(out)


def _lzw(packed: bytes) -> bytes:
    table: list[bytes] = []
    out, width, at, known = bytearray(), 9, 0, b""
    bits = format(int.from_bytes(packed), f"0{len(packed) * 8}b")
    while True:
        code = int(bits[at : at + width], 2)
        at += width
        if code == 257:
            return bytes(out)
        if code == 256:
            table, width, known = [bytes((value,)) for value in range(256)] + [b"", b""], 9, b""
            continue
        entry = table[code] if code < len(table) else known + known[:1]
        out += entry
        if known:
            table.append(known + entry[:1])
        known = entry
        width = 9 + sum(len(table) + 1 >= limit for limit in (512, 1024, 2048))


def tiff(fields: dict[int, tuple[int, Any]], samples: bytes, order: str = "<", big: bool = False) -> bytes:
    """A file of one page and one strip, uncompressed; a field is its type and its numbers, or bytes."""
    word = "Q" if big else "I"
    inline = struct.calcsize(word)
    head = struct.pack(order + "HHHQ", 43, 8, 0, 0) if big else struct.pack(order + "HI", 42, 0)
    out = bytearray((b"II" if order == "<" else b"MM") + head)
    link = len(out) - inline
    every = {273: (4, (len(out),)), 279: (4, (len(samples),)), **fields}
    out += samples + bytes(len(samples) % 2)
    directory = struct.pack(order + ("Q" if big else "H"), len(every))
    for tag, (kind, value) in sorted(every.items()):
        body = value if isinstance(value, bytes) else struct.pack(f"{order}{len(value)}{CODES[kind][0]}", *value)
        directory += struct.pack(f"{order}HH{word}", tag, kind, len(value) // len(CODES[kind]))
        if len(body) > inline:
            directory += struct.pack(order + word, len(out))
            out += body + bytes(len(body) % 2)
        else:
            directory += body.ljust(inline, b"\0")
    struct.pack_into(order + word, out, link, len(out))
    return bytes(out + directory + bytes(inline))


def picture(
    size: tuple[int, int], level: int = 200, depth: int = 8, samples: int = 1, more: dict[int, Any] | None = None,
    order: str = "<", big: bool = False,
) -> bytes:  # fmt: skip
    """One colour: every sample has the same value."""
    row = (bytes((level,)) if depth == 8 else struct.pack(order + "H", level)) * samples * size[0]
    photometric = 2 if samples > 2 else 1
    fields = {
        256: (3, (size[0],)), 257: (3, (size[1],)), 258: (3, (depth,) * samples), 259: (3, (1,)),
        262: (3, (photometric,)), 277: (3, (samples,)), 278: (3, (size[1],)), 284: (3, (1,)), **(more or {}),
    }  # fmt: skip
    return tiff(fields, row * size[1], order, big)
