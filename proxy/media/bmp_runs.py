"""The run-length codings of BMP, RLE8 and RLE4: pairs of a count and a value, and escapes that begin with zero.

Law: runs stay in their rows and the rows in the picture, and the last thing is the end of the bitmap, or else it is an
error. What an escape skips keeps the palette's first entry.
"""

from collections.abc import Callable

from proxy.media.errors import MediaError

_END_OF_LINE, _END_OF_BITMAP, _SKIP = 0, 1, 2


def unpacked(data: memoryview, width: int, height: int, bits: int) -> bytes:
    """The palette's indices, one byte to the pixel, from the bottom row up as the coding has them.

    ``bits`` is 8 or 4. MediaError where the coding is damaged or cut short.
    """
    expanded = bytes if bits == 8 else _nibbles
    per_byte = 8 // bits
    out = bytearray(width * height)
    x = y = position = 0
    while True:
        if position + 2 > len(data):
            raise MediaError("the BMP ends inside its runs")
        count, value = data[position], data[position + 1]
        position += 2
        if count:
            run = _run(value, count, expanded)
        elif value == _END_OF_BITMAP:
            return bytes(out)
        elif value == _END_OF_LINE:
            x, y = 0, y + 1
            continue
        elif value == _SKIP:
            if position + 2 > len(data):
                raise MediaError("the BMP ends inside its runs")
            x, y = x + data[position], y + data[position + 1]
            position += 2
            continue
        else:
            length = -(-value // per_byte)
            run = expanded(data[position : position + length])[:value]
            if len(run) < value:
                raise MediaError("the BMP ends inside its runs")
            position += length + length % 2  # runs of single pixels fill whole words
        if y >= height or x + len(run) > width:
            raise MediaError("the BMP has a run that leaves its row")
        out[y * width + x : y * width + x + len(run)] = run
        x += len(run)


def _run(value: int, count: int, expanded: Callable[[bytes], bytes]) -> bytes:
    pair = expanded(bytes((value,)))
    return (pair * -(-count // len(pair)))[:count]


def _nibbles(data: bytes | memoryview) -> bytes:
    out = bytearray(2 * len(data))
    out[0::2] = bytes(byte >> 4 for byte in data)
    out[1::2] = bytes(byte & 15 for byte in data)
    return bytes(out)
