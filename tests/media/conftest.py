"""What the tests of pictures share: the samples, the badge's font, and a PNG decoder that owes nothing to ours."""

import zlib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest

from proxy.media.fonts import BADGE

SAMPLES = Path(__file__).parent.parent / "samples"
ADAM7 = ((0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2))

Pixels = list[list[tuple[int, ...]]]


# Samples that some act refuses, as it should: their own tests say with which words.
UNWRITABLE: set[str] = set()
UNDRAWABLE = {
    *UNWRITABLE,
    "gain-map.jpg",
    *(f"{name}.avif" for name in ("animated", "gain-map", "hdr", "labelled-animated")),
    *(path.name for path in SAMPLES.iterdir() if path.suffix in (".heic", ".jxl")),
    *(f"{name}.tiff" for name in ("float", "group4", "jpeg")),
}
# What Pillow, the judge of pixels, does not open.
FOREIGN = frozenset((".heic", ".jxl", ".svg"))
SUFFIXES = frozenset((".avif", ".gif", ".heic", ".jpg", ".jxl", ".png", ".svg", ".tiff", ".webp"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``sample`` runs a test over every file, the others over those of a format, or those that are not refused."""
    every = sorted(path for path in SAMPLES.iterdir() if path.suffix in SUFFIXES)
    writable = [path for path in every if path.name not in UNWRITABLE]
    wanted = {
        "sample": every,
        "writable_sample": writable,
        "decodable_sample": [path for path in writable if path.suffix not in FOREIGN],
        "gif_sample": [path for path in every if path.suffix == ".gif"],
        "png_sample": [path for path in every if path.suffix == ".png"],
        "drawable_png": [path for path in every if path.suffix == ".png" and path.name not in UNDRAWABLE],
        "drawable_jpeg": [path for path in every if path.suffix == ".jpg" and path.name not in UNDRAWABLE],
    }
    for argument, found in wanted.items():
        if argument in metafunc.fixturenames:
            metafunc.parametrize(argument, found, ids=[path.name for path in found])


@pytest.fixture(scope="session")
def font() -> bytes:
    return files("proxy.media.fonts").joinpath(BADGE).read_bytes()


@pytest.fixture(scope="session")
def load() -> Callable[[str], bytes]:
    return lambda name: (SAMPLES / name).read_bytes()


@pytest.fixture(scope="session")
def chunks() -> Callable[[bytes], list[tuple[bytes, bytes]]]:
    return _chunks


@pytest.fixture(scope="session")
def rgba16() -> Callable[[bytes], Pixels]:
    """A PNG as a viewer shows it, unturned: rows of red, green, blue, alpha in 16 bits."""
    return _rgba16


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    found, position = [], 8
    while not found or found[-1][0] != b"IEND":
        length = int.from_bytes(data[position : position + 4])
        kind, body = data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        assert zlib.crc32(kind + body) == int.from_bytes(data[position + 8 + length : position + 12 + length])
        found.append((kind, body))
        position += 12 + length
    return found


def _rgba16(data: bytes) -> Pixels:
    found = _chunks(data)
    held = dict(found)
    header = held[b"IHDR"]
    width, height = int.from_bytes(header[:4]), int.from_bytes(header[4:8])
    depth, colour, interlaced = header[8], header[9], header[12]
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    raw = zlib.decompress(b"".join(body for kind, body in found if kind == b"IDAT"))
    pixels: Pixels = [[()] * width for _ in range(height)]
    position = 0
    for x0, dx, y0, dy in ADAM7 if interlaced else ((0, 1, 0, 1),):
        xs, ys = range(x0, width, dx), range(y0, height, dy)
        length, back = (len(xs) * channels * depth + 7) // 8, max(1, channels * depth // 8)
        above = bytes(length)
        for y in ys if xs else ():
            above = _unfiltered(raw[position], raw[position + 1 : position + 1 + length], above, back)
            position += 1 + length
            bits = int.from_bytes(above)
            for at, x in enumerate(xs):
                shift = length * 8 - (at + 1) * channels * depth
                pixels[y][x] = tuple(
                    bits >> shift + (channels - 1 - channel) * depth & (1 << depth) - 1 for channel in range(channels)
                )
    assert position == len(raw)
    plte, trns = held.get(b"PLTE", b""), held.get(b"tRNS")
    top = (1 << depth) - 1
    key = None
    if trns is not None and colour in (0, 2):
        key = tuple(int.from_bytes(trns[at : at + 2]) for at in range(0, len(trns), 2))

    def shown(pixel: tuple[int, ...]) -> tuple[int, ...]:
        if colour == 3:
            (index,) = pixel
            opacity = trns[index] if trns is not None and index < len(trns) else 255
            return (*(sample * 257 for sample in plte[3 * index : 3 * index + 3]), opacity * 257)
        scaled = [sample * 65535 // top for sample in pixel]
        opacity = scaled.pop() if colour in (4, 6) else 0 if pixel == key else 65535
        return (*(scaled * 3 if len(scaled) == 1 else scaled), opacity)

    return [[shown(pixel) for pixel in row] for row in pixels]


def _unfiltered(kind: int, row: bytes, above: bytes, back: int) -> bytes:
    out = bytearray(row)
    for at in range(len(row)):
        a, b, c = (out[at - back] if at >= back else 0), above[at], (above[at - back] if at >= back else 0)
        estimate = a + b - c
        paeth = min((abs(estimate - a), 0, a), (abs(estimate - b), 1, b), (abs(estimate - c), 2, c))[2]
        out[at] = (row[at] + (0, a, b, (a + b) // 2, paeth)[kind]) & 0xFF
    return bytes(out)
