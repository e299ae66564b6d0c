"""Animated PNGs by hand, for what no maker of samples makes: truecolour of 8 bits, black, on a canvas of 96 x 64."""

import struct
import zlib

from proxy.media import png


def frame(number: int, region: tuple[int, int, int, int], dispose: int = 0, blend: int = 0) -> tuple[bytes, bytes]:
    left, top, width, height = region
    return b"fcTL", struct.pack(">5IHHBB", number, width, height, left, top, 1, 10, dispose, blend)


def samples(width: int, height: int) -> bytes:
    return zlib.compress(bytes(height * (1 + 3 * width)))


def animation(*parts: tuple[bytes, bytes], frames: int = 2, size: tuple[int, int] = (96, 64)) -> bytes:
    head = (b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)), (b"acTL", struct.pack(">II", frames, 0))
    return png.SIGNATURE + b"".join(png.chunk_bytes(*part) for part in (*head, *parts, (b"IEND", b"")))


WHOLE = (0, 0, 96, 64)
FIRST = (frame(0, WHOLE), (b"IDAT", samples(96, 64)))
SECOND = (frame(1, (0, 0, 9, 9)), (b"fdAT", b"\0\0\0\2" + samples(9, 9)))
