"""The badge on animated PNG: a renderer of our own, written from the standard, shows every frame before and after."""

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageSequence

from proxy.media import png
from proxy.media.badge import Badge
from proxy.media.drawing.png import stamp
from proxy.media.errors import BadgeError, MediaError
from tests.media.apng_file import FIRST, SECOND, WHOLE, animation, frame
from tests.media.conftest import ADAM7

Pixels = list[list[tuple[int, ...]]]
Decode = Callable[[bytes], Pixels]
Chunks = Callable[[bytes], list[tuple[bytes, bytes]]]

SAMPLES = Path(__file__).parents[2] / "samples"
ANIMATED = sorted(path.name for path in SAMPLES.glob("animated*.png"))
PLATE = Badge("AI", backing="plate")
CLEAR = (0, 0, 0, 0)
MANY = 10**6


def still(header: bytes, found: list[tuple[bytes, bytes]], size: bytes, samples: bytes) -> bytes:
    """A frame as a PNG of its own."""
    colours = [chunk for chunk in found if chunk[0] in (b"PLTE", b"tRNS")]
    parts = [(b"IHDR", size + header[8:]), *colours, (b"IDAT", samples), (b"IEND", b"")]
    return png.SIGNATURE + b"".join(png.chunk_bytes(kind, data) for kind, data in parts)


def over(new: tuple[int, ...], old: tuple[int, ...]) -> tuple[int, ...]:
    """Alpha blending (PNG, third edition, section 13.16), rounded down."""
    alpha = new[3] + old[3] * (65535 - new[3]) // 65535
    if not alpha:
        return CLEAR
    mixed = ((a * new[3] + b * old[3] * (65535 - new[3]) // 65535) // alpha for a, b in zip(new[:3], old, strict=False))
    return (*mixed, alpha)


def rendered(data: bytes, rgba16: Decode, chunks: Chunks) -> list[Pixels]:
    """What is shown of each frame, then the default image (section 11.3.6.2)."""
    found = chunks(data)
    header = found[0][1]
    width, height = struct.unpack(">II", header[:8])
    controls: list[bytes] = []
    streams: list[bytes] = []
    default = b""
    number = 0
    for kind, body in found:
        if kind in (b"fcTL", b"fdAT"):
            assert int.from_bytes(body[:4]) == number
            number += 1
        if kind == b"fcTL":
            controls.append(body)
            streams.append(b"")
        elif kind == b"IDAT":
            default += body
            if controls:
                streams[-1] += body
        elif kind == b"fdAT":
            streams[-1] += body[4:]
    assert len(controls) == int.from_bytes(dict(found)[b"acTL"][:4])
    canvas: Pixels = [[CLEAR] * width for _ in range(height)]
    shown = []
    for control, samples in zip(controls, streams, strict=True):
        _, across, down, left, top, _, _, dispose, blend = struct.unpack(">5IHHBB", control)
        before = [list(row) for row in canvas]
        pixels = rgba16(still(header, found, control[4:12], samples))
        for y in range(down):
            for x in range(across):
                new = pixels[y][x]
                opaque = not blend or new[3] == 65535
                canvas[top + y][left + x] = new if opaque else over(new, canvas[top + y][left + x])
        shown.append([list(row) for row in canvas])
        if dispose == 2:
            canvas = before
        elif dispose == 1:
            for y in range(top, top + down):
                canvas[y][left : left + across] = [CLEAR] * across
    return [*shown, rgba16(still(header, found, header[:8], default))]


def seen(pixel: tuple[int, ...]) -> tuple[int, ...]:
    """Transparent pixels look the same whatever colour they hide."""
    return pixel if pixel[3] else CLEAR


@pytest.mark.parametrize("name", ANIMATED)
def test_every_frame_shows_what_it_showed_and_the_badge(
    name: str, font: bytes, load: Callable[[str], bytes], rgba16: Decode, chunks: Chunks
) -> None:
    data = load(name)
    stamped = stamp(data, PLATE, font, MANY)
    left, top, right, bottom = stamped.box
    badges = []
    for old, new in zip(rendered(data, rgba16, chunks), rendered(stamped.data, rgba16, chunks), strict=True):
        for y, (before, after) in enumerate(zip(old, new, strict=True)):
            for x, (one, other) in enumerate(zip(before, after, strict=True)):
                if one != other and not (left <= x < right and top <= y < bottom):
                    assert seen(one) == seen(other), (x, y)
        badges.append([row[left:right] for row in new[top:bottom]])
    assert all(badge == badges[0] for badge in badges)
    inside = [pixel for row in badges[0] for pixel in row]
    assert all(pixel[3] == 65535 and pixel[0] == pixel[1] == pixel[2] for pixel in inside)
    assert max(inside)[0] >= 65000 > 600 >= min(inside)[0]


@pytest.mark.parametrize("name", ANIMATED)
def test_pillow_shows_every_frame_too(name: str, font: bytes, load: Callable[[str], bytes]) -> None:
    data = load(name)
    stamped = stamp(data, PLATE, font, MANY)
    before, after = Image.open(BytesIO(data)), Image.open(BytesIO(stamped.data))
    assert before.n_frames == after.n_frames
    for old, new in zip(ImageSequence.Iterator(before), ImageSequence.Iterator(after), strict=True):
        assert old.info.get("duration") == new.info.get("duration")
        assert new.convert("RGBA").crop(stamped.box).getchannel("A").getextrema() == (255, 255)


def test_other_chunks_stay_where_they_are(font: bytes, load: Callable[[str], bytes], chunks: Chunks) -> None:
    drawn = {b"IDAT", b"fcTL", b"fdAT"}
    for name in ("animated-rgba8.png", "animated-default.png"):
        old, new = chunks(load(name)), chunks(stamp(load(name), PLATE, font, MANY).data)
        kept = [chunk for chunk in new if chunk[0] not in drawn]
        assert kept == [chunk for chunk in old if chunk[0] not in drawn]
        controls = [body[20:] for kind, body in new if kind == b"fcTL"]
        assert controls == [body[20:] for kind, body in old if kind == b"fcTL"]


def test_a_frame_that_the_badge_does_not_touch_keeps_its_samples(
    font: bytes, load: Callable[[str], bytes], chunks: Chunks
) -> None:
    old = [body[4:] for kind, body in chunks(load("animated-rgba8.png")) if kind == b"fdAT"]
    new = [body[4:] for kind, body in chunks(stamp(load("animated-rgba8.png"), PLATE, font, MANY).data)]
    assert old[0] in new  # the second frame, in the upper left
    assert old[-1] in new


def test_the_plain_case_is_sound(font: bytes) -> None:
    assert stamp(animation(*FIRST, *SECOND), PLATE, font, MANY).box


def test_interlaced_frames_are_drawn_too(font: bytes, rgba16: Decode, chunks: Chunks) -> None:
    """Pillow, the other judge, does not open them."""

    def weave(width: int, height: int) -> bytes:
        passes = [(len(range(x, width, dx)), len(range(y, height, dy))) for x, dx, y, dy in ADAM7]
        return zlib.compress(b"".join((b"\1" + b"\2\3\4" * across) * down for across, down in passes if across))

    parts = FIRST[0], (b"IDAT", weave(96, 64)), frame(1, (50, 30, 5, 3)), (b"fdAT", b"\0\0\0\2" + weave(5, 3))
    data = animation(*parts)
    data = data.replace(data[8:33], png.chunk_bytes(b"IHDR", data[16:28] + b"\1"))
    stamped = stamp(data, PLATE, font, MANY)
    left, top, right, bottom = stamped.box
    for old, new in zip(rendered(data, rgba16, chunks), rendered(stamped.data, rgba16, chunks), strict=True):
        changed = [(x, y) for y in range(64) for x in range(96) if old[y][x] != new[y][x]]
        assert changed
        assert all(left <= x < right and top <= y < bottom for x, y in changed)


def test_frames_without_transparent_pixels_get_them_where_they_must_grow(
    font: bytes, load: Callable[[str], bytes], chunks: Chunks
) -> None:
    forms = {}
    for name in ("grey4", "grey16", "rgb16", "palette"):
        found = dict(chunks(stamp(load(f"animated-apart-{name}.png"), PLATE, font, MANY).data))
        forms[name] = (found[b"IHDR"][8], found[b"IHDR"][9])
        assert b"tRNS" not in found
    assert forms == {"grey4": (8, 4), "grey16": (16, 4), "rgb16": (16, 6), "palette": (8, 6)}


def test_chunks_that_speak_of_the_form_follow_it(font: bytes, chunks: Chunks) -> None:
    first = (frame(0, WHOLE, dispose=1), FIRST[1])
    told = (b"sBIT", b"\5\6\5"), (b"bKGD", b"\0\1\0\2\0\3")
    found = dict(chunks(stamp(animation(*told, *first, *SECOND), PLATE, font, MANY).data))
    assert (b"\5\6\5\x08", told[1][1]) == (found[b"sBIT"], found[b"bKGD"])


def test_an_opaque_frame_whose_transparency_is_damaged_gets_no_badge(font: bytes) -> None:
    first = ((b"tRNS", b"\0"), frame(0, WHOLE, dispose=1), FIRST[1])
    with pytest.raises(BadgeError, match="no transparent pixel"):
        stamp(animation(*first, *SECOND), PLATE, font, MANY)


def test_all_frames_together_are_bounded(font: bytes) -> None:
    data = animation(*FIRST, *SECOND)
    with pytest.raises(MediaError, match="6225 pixels in all is over the limit of 6200"):
        stamp(data, PLATE, font, 6200)
