"""The badge on a WebP: whole on every frame, and every other pixel as it was, as Pillow shows it."""

import struct
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from math import log10
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageOps, ImageSequence, ImageStat

from proxy.media import riff, webp
from proxy.media.badge import Badge, Box
from proxy.media.drawing.webp import stamp
from proxy.media.errors import BadgeError, MediaError

MANY = 10**8
SAMPLES = Path(__file__).parents[2] / "samples"
LOSSLESS = ["lossless", "lossless-alpha", "lossless-opaque", "orientation6", "animated-lossless"]
LOSSY = ["lossy", "lossy-fine", "lossy-coarse", "lossy-alpha", "metadata", "labelled-xmp-first", "manifest"]
ANIMATED = ["animated", "animated-sticker", "animated-lossless"]
AI = Badge("AI")
KEEP, BACKGROUND, REPLACE = 0, 1, 2

Load = Callable[[str], bytes]


def frames(data: bytes) -> list[Image.Image]:
    return [frame.copy() for frame in ImageSequence.Iterator(Image.open(BytesIO(data)))]


def encoded(image: Image.Image, **options: object) -> bytes:
    out = BytesIO()
    image.save(out, "WEBP", exact=True, **options)
    return out.getvalue()


def outside(image: Image.Image, box: Box, around: int = 0) -> Image.Image:
    """The image without what a badge covers, and as many pixels ``around``."""
    image = image.copy()
    left, top, right, bottom = box
    image.paste((0,) * len(image.getbands()), (left - around, top - around, right + around, bottom + around))
    return image


def grain(size: tuple[int, int], cell: int) -> Image.Image:
    """Coloured noise of a coarseness, always the same."""
    state, out = 1, bytearray()
    across, down = size[0] // cell + 2, size[1] // cell + 2
    for _ in range(3 * across * down):
        state = state * 1103515245 + 12345 & 0x7FFFFFFF
        out.append(state >> 16 & 255)
    return Image.frombytes("RGB", (across, down), bytes(out)).resize(size, Image.Resampling.BICUBIC)


def pixels(image: Image.Image) -> list[tuple[int, ...]]:
    return [*zip(*(band.tobytes() for band in image.split()), strict=True)]


PHOTO = Image.blend(grain((320, 240), 40), grain((320, 240), 1), 0.12)
FLAT = grain((320, 240), 60).quantize(12, dither=Image.Dither.NONE).convert("RGB")


def peak_ratio(one: Image.Image, other: Image.Image) -> float:
    """The peak signal-to-noise ratio in decibels."""
    found = ImageStat.Stat(ImageChops.difference(one, other))
    error = sum(found.sum2) / sum(found.count)
    return 10 * log10(255**2 / error) if error else 99.0


# --- Still pictures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOSSLESS)
def test_a_lossless_picture_is_the_same_to_the_bit_outside_the_box(name: str, font: bytes, load: Load) -> None:
    before = load(f"{name}.webp")
    after = stamp(before, AI, font, MANY)
    assert b"VP8 " not in after.data
    for old, new in zip(frames(before), frames(after.data), strict=True):
        assert outside(old, after.box).convert(new.mode).tobytes() == outside(new, after.box).tobytes() or (
            # What no frame has ever covered is shown black where the file does not tell of alpha.
            old.mode == "RGB" and outside(old, after.box).tobytes() == outside(new, after.box).convert("RGB").tobytes()
        )
        assert old.crop(after.box).tobytes() != new.crop(after.box).tobytes()


@pytest.mark.parametrize("picture", [PHOTO, FLAT], ids=["dense", "flat"])
def test_a_lossless_file_stays_about_as_large(picture: Image.Image, font: bytes) -> None:
    before = encoded(picture, lossless=True)
    after = stamp(before, AI, font, MANY)
    (old,), (new,) = frames(before), frames(after.data)
    assert outside(old, after.box).tobytes() == outside(new, after.box).tobytes()
    assert len(after.data) < 1.25 * len(before) + 500


WITHIN = """
import resource
import sys
from pathlib import Path
from proxy.media.badge import Badge
from proxy.media.drawing.webp import stamp
picture, font = (Path(name).read_bytes() for name in sys.argv[1:3])
now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + int(sys.argv[3]),) * 2)
Path(sys.argv[1]).write_bytes(stamp(picture, Badge("AI"), font, 10**8).data)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only there a process knows how much memory it has")
def test_a_large_lossless_picture_takes_no_more_memory_than_there_is(font: bytes, tmp_path: Path) -> None:
    """26 bytes to the pixel; libwebp's search alone takes 34."""
    side = 5800
    rings = Image.radial_gradient("L").resize((side, side), Image.Resampling.NEAREST)
    picture, letters = tmp_path / "picture", tmp_path / "font"
    picture.write_bytes(encoded(rings.convert("RGB"), lossless=True, method=0, quality=0))
    letters.write_bytes(font)
    command = [sys.executable, "-c", WITHIN, str(picture), str(letters), str(26 * side * side)]
    subprocess.run(command, check=True, timeout=120)
    assert webp.size(picture.read_bytes()) == (side, side)


@pytest.mark.parametrize("quality", [1, 30, 60, 75, 80, 87, 90, 95, 100])
@pytest.mark.parametrize("picture", [PHOTO, FLAT], ids=["dense", "flat"])
def test_a_lossy_picture_is_nearly_the_same_outside_the_box(picture: Image.Image, quality: int, font: bytes) -> None:
    """The bound that is stated: one more generation as fine as the last, a ratio of 34 decibels and 5 levels of 255
    in the mean, from quality 75 on 39 decibels and 2.5 levels.

    The blocks that the box cuts are compressed with it, so that they are left out of the count.
    """
    before = encoded(picture, quality=quality)
    after = stamp(before, AI, font, MANY)
    old, new = (outside(Image.open(BytesIO(data)), after.box, 16) for data in (before, after.data))
    assert (old.mode, old.size) == (new.mode, new.size)
    ratio, levels = (39, 2.5) if quality >= 75 else (34, 5)
    assert peak_ratio(old, new) >= ratio
    assert max(ImageStat.Stat(ImageChops.difference(old, new)).mean) < levels
    assert len(after.data) < 1.2 * len(before) + 1000


@pytest.mark.parametrize("name", LOSSY)
def test_every_lossy_sample_too(name: str, font: bytes, load: Load) -> None:
    before = load(f"{name}.webp")
    after = stamp(before, AI, font, MANY)
    old, new = (outside(Image.open(BytesIO(data)), after.box, 16) for data in (before, after.data))
    assert (old.mode, old.size) == (new.mode, new.size)
    assert peak_ratio(old.convert("RGB"), new.convert("RGB")) >= 34
    if old.mode == "RGBA":
        assert old.getchannel("A").tobytes() == new.getchannel("A").tobytes()


@pytest.mark.parametrize("quality", [10, 50, 80, 95])
def test_alpha_comes_back_without_loss(quality: int, font: bytes) -> None:
    picture = PHOTO.copy()
    picture.putalpha(grain(PHOTO.size, 3).convert("L"))
    before = encoded(picture, quality=quality)
    after = stamp(before, AI, font, MANY)
    old, new = (Image.open(BytesIO(data)).getchannel("A") for data in (before, after.data))
    assert outside(old, after.box).tobytes() == outside(new, after.box).tobytes()
    assert new.crop(after.box).getextrema() == (255, 255)


@pytest.mark.parametrize("name", [name for name in (*LOSSLESS, *LOSSY) if name not in ANIMATED])
def test_black_and_white_are_in_the_box(name: str, font: bytes, load: Load) -> None:
    after = stamp(load(f"{name}.webp"), AI, font, MANY)
    levels = Image.open(BytesIO(after.data)).convert("RGB").convert("L").crop(after.box).tobytes()
    assert min(levels) < 40
    assert max(levels) > 215


def test_an_opaque_picture_gets_what_its_ground_carries_and_others_a_plate(font: bytes, load: Load) -> None:
    smooth = Image.new("RGB", (200, 150), (30, 90, 60))
    for image, bare in ((smooth, True), (smooth.convert("RGBA"), True), (Image.new("RGBA", (200, 150), 7), False)):
        after = stamp(encoded(image, lossless=True), AI, font, MANY)
        levels = Image.open(BytesIO(after.data)).convert("RGB").crop(after.box)
        assert ((30, 90, 60) in pixels(levels)) == bare


def test_a_turned_picture_shows_its_badge_upright(font: bytes) -> None:
    exif = Image.Exif()
    for turn in range(1, 9):
        exif[0x0112] = turn
        size = (200, 150) if turn < 5 else (150, 200)
        turned = stamp(encoded(Image.new("RGB", size, "white"), lossless=True, exif=exif), AI, font, MANY)
        upright = stamp(encoded(Image.new("RGB", (200, 150), "white"), lossless=True), AI, font, MANY)
        shown = ImageOps.exif_transpose(Image.open(BytesIO(turned.data)))
        assert shown.tobytes() == Image.open(BytesIO(upright.data)).tobytes()


# --- What is not the picture -----------------------------------------------------------------------------------------


def test_every_other_chunk_is_kept_byte_for_byte_and_in_order(font: bytes, load: Load) -> None:
    for name in ("metadata", "labelled-xmp-first", "orientation6", "animated-sticker"):
        before, after = load(f"{name}.webp"), stamp(load(f"{name}.webp"), AI, font, MANY).data
        old, new = (
            [bytes(found.whole) for found in riff.parse(data).chunks if found.kind not in (b"VP8 ", b"VP8L", b"ANMF")]
            for data in (before, after)
        )
        assert old == new
        assert after.endswith(b"trailer") == before.endswith(b"trailer")


def test_the_manifest_goes_and_so_does_the_thumbnail(font: bytes, load: Load) -> None:
    assert not webp.has_manifest(stamp(load("manifest.webp"), AI, font, MANY).data)
    small = b"\xff\xd8\xff small \xff\xd9"
    ifds = struct.pack("<IHI H HHII HHII I", 8, 0, 14, 2, 0x0201, 4, 1, 44, 0x0202, 4, 1, len(small), 0)
    data = encoded(FLAT, exif=b"II*\0" + ifds + small)
    assert small in data
    assert small not in stamp(data, AI, font, MANY).data


def test_alpha_that_a_file_has_not_told_of_is_told(font: bytes, load: Load) -> None:
    (picture,) = riff.parse(load("lossless-alpha.webp")).chunks
    silent = riff.file(b"WEBP", [riff.chunk(b"VP8X", bytes(4) + b"\x5f\0\0\x3f\0\0"), picture.whole])
    assert riff.parse(stamp(silent, AI, font, MANY).data).chunks[0].data[0] == webp.ALPHA_FLAG


# --- Animations ------------------------------------------------------------------------------------------------------


def frame(image: Image.Image, left: int, top: int, flags: int, **options: object) -> bytes:
    sizes = (left // 2, top // 2, image.width - 1, image.height - 1, 70)
    picture = [found.whole for found in riff.parse(encoded(image, **options)).chunks if found.kind != b"VP8X"]
    return riff.chunk(b"ANMF", b"".join(size.to_bytes(3, "little") for size in sizes), bytes((flags,)), *picture)


def animation(*pieces: bytes, size: tuple[int, int] = (96, 64), flags: int = 0x12) -> bytes:
    sides = b"".join((side - 1).to_bytes(3, "little") for side in size)
    head = (riff.chunk(b"VP8X", bytes((flags, 0, 0, 0)), sides), riff.chunk(b"ANIM", b"\1\2\3\4\5\0"))
    return riff.file(b"WEBP", [*head, *pieces])


def part(width: int, height: int, opacity: int | None = None) -> Image.Image:
    image = FLAT.crop((0, 0, width, height))
    if opacity is not None:
        image.putalpha(opacity)
    return image


CLEAR = part(32, 24, 0)
HALF = part(30, 20, 128)
# The second frame takes the badge with it when it goes; the third and later ones are not where the badge is.
HARD = {
    "then an opaque one that replaces": [(part(20, 20), 4, 4, KEEP | REPLACE)],
    "then a small one that is cleared": [
        (HALF, 4, 4, BACKGROUND),
        (part(20, 20), 40, 2, BACKGROUND),
        (HALF, 2, 40, KEEP),
    ],
    "then a small one that replaces": [(HALF, 4, 4, KEEP | REPLACE), (CLEAR, 0, 30, KEEP | REPLACE)],
    "then small ones that replace and are cleared": [
        (HALF, 4, 4, BACKGROUND | REPLACE),
        (CLEAR, 20, 30, BACKGROUND | REPLACE),
        (part(96, 64), 0, 0, BACKGROUND),
        (HALF, 4, 4, BACKGROUND),
    ],
}


@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("words", ["AI", "AI生成"])
def test_no_animation_of_any_form_is_refused(name: str, words: str, font: bytes) -> None:
    first = [(part(96, 64), 0, 0, KEEP), (part(32, 24), 64, 40, BACKGROUND)]
    before = animation(*(frame(*given, lossless=True) for given in first + HARD[name]))
    after = stamp(before, Badge(words), font, MANY)
    for old, new in zip(frames(before), frames(after.data), strict=True):
        assert outside(old, after.box).tobytes() == outside(new, after.box).tobytes()
    assert whole_on_every_frame(after.data, after.box)


@pytest.mark.parametrize("size", [(96, 64), (97, 64), (96, 65), (97, 65)])
def test_a_frame_in_the_last_corner_grows_to_even_edges(size: tuple[int, int], font: bytes) -> None:
    before = animation(frame(part(4, 4), 92, 60, KEEP, lossless=True), size=size)
    after = stamp(before, AI, font, MANY)
    ((old,), (new,)) = frames(before), frames(after.data)
    assert outside(old, after.box).tobytes() == outside(new, after.box).tobytes()
    assert whole_on_every_frame(after.data, after.box)


def whole_on_every_frame(data: bytes, box: Box) -> bool:
    """Whether the box looks the same on all frames, and has black and white and nothing transparent."""
    first, *others = (image.convert("RGBA").crop(box).tobytes() for image in frames(data))
    return all(other == first for other in others) and {min(first), max(first)} == {0, 255} == {*first[3::4], 0}


@pytest.mark.parametrize("name", ANIMATED)
def test_an_animation_keeps_its_time_its_loops_and_its_ground(name: str, font: bytes, load: Load) -> None:
    before, after = load(f"{name}.webp"), stamp(load(f"{name}.webp"), AI, font, MANY).data
    old, new = webp.parse(before), webp.parse(after)
    assert [found.duration for found in old.frames] == [found.duration for found in new.frames]
    assert [found.bitmap.lossless for found in old.frames] == [found.bitmap.lossless for found in new.frames]
    assert old.canvas == new.canvas
    old_ground, new_ground = ([found.whole for found in each.chunks if found.kind == b"ANIM"] for each in (old, new))
    assert old_ground == new_ground != []


def test_frames_that_the_badge_does_not_touch_stay_as_they_are(font: bytes, load: Load) -> None:
    old, new = (
        [bytes(found.chunk.whole) for found in webp.parse(data).frames]
        for data in (load("animated.webp"), stamp(load("animated.webp"), AI, font, MANY).data)
    )
    assert [one == other for one, other in zip(old, new, strict=True)] == [False, True, True, False]


def test_what_a_frame_has_gained_is_transparent_and_told_of(font: bytes) -> None:
    silent = animation(frame(part(20, 20), 0, 0, KEEP | REPLACE, lossless=True), flags=0x02)
    assert riff.parse(stamp(silent, AI, font, MANY).data).chunks[0].data[0] == 0x12
    full = animation(frame(part(96, 64), 0, 0, KEEP), flags=0x02)
    assert riff.parse(stamp(full, AI, font, MANY).data).chunks[0].data[0] == 0x02


def test_what_else_is_in_a_frame_is_kept(font: bytes) -> None:
    plain = frame(part(96, 64), 0, 0, KEEP, lossless=True)
    more = riff.chunk(b"ANMF", plain[8:], riff.chunk(b"prVt", b"odd"))
    stray = plain.replace(b"VP8L", riff.chunk(b"ALPH", b"\0" * 8) + b"VP8L")
    (kept,) = webp.parse(stamp(animation(more), AI, font, MANY).data).frames
    assert [(found.kind, bytes(found.data)) for found in kept.rest] == [(b"prVt", b"odd")]
    # An ALPH chunk before VP8L counts for nothing (RFC 9649 section 2.7.1.2).
    (odd,) = webp.parse(stamp(animation(riff.chunk(b"ANMF", stray[8:])), AI, font, MANY).data).frames
    assert bytes(odd.bitmap.chunks[0].whole) == bytes(kept.bitmap.chunks[0].whole)


@pytest.mark.parametrize("name", ["animated", "animated-sticker"])
def test_lossy_frames_are_nearly_the_same_outside_the_box(name: str, font: bytes, load: Load) -> None:
    before = load(f"{name}.webp")
    after = stamp(before, AI, font, MANY)
    for old, new in zip(frames(before), frames(after.data), strict=True):
        one, other = (outside(image.convert("RGBA"), after.box, 16) for image in (old, new))
        assert one.getchannel("A").tobytes() == other.getchannel("A").tobytes()
        black = Image.new("RGBA", one.size, "black")
        seen = (Image.alpha_composite(black, image).convert("RGB") for image in (one, other))
        assert peak_ratio(*seen) >= 34


def test_an_animation_by_libwebps_own_encoder_too(font: bytes) -> None:
    """Pillow's encoder picks regions and disposals for itself."""
    pictures = []
    for number in range(8):
        picture = Image.new("RGBA", (160, 120))
        picture.paste(part(40, 40, 255), (15 * number, 10 * number))
        pictures.append(picture)
    out = BytesIO()
    pictures[0].save(out, "WEBP", save_all=True, append_images=pictures[1:], lossless=True, exact=True, duration=50)
    after = stamp(out.getvalue(), AI, font, MANY)
    for old, new in zip(frames(out.getvalue()), frames(after.data), strict=True):
        assert outside(old, after.box).tobytes() == outside(new, after.box).tobytes()
    assert whole_on_every_frame(after.data, after.box)


def test_what_the_badge_is_drawn_on_is_bounded_over_all_frames(font: bytes, load: Load) -> None:
    full = animation(*[frame(part(96, 64), 0, 0, KEEP)] * 10)
    assert stamp(full, AI, font, 10 * 96 * 64).box
    with pytest.raises(MediaError, match="61440 pixels to draw on is over the limit of 61439 pixels"):
        stamp(full, AI, font, 10 * 96 * 64 - 1)
    # Frames that stay as they are cost nothing.
    one = animation(frame(part(96, 64), 0, 0, KEEP), *[frame(part(20, 20), 0, 0, KEEP)] * 500)
    assert stamp(one, AI, font, 96 * 64).box


# --- What is refused -------------------------------------------------------------------------------------------------


def test_what_cannot_be_stamped_is_refused_with_the_reason(font: bytes, load: Load) -> None:
    for message, data in (
        ("too small for a legible badge", encoded(Image.new("RGB", (12, 12)))),
        ("another picture follows", load("lossy.webp") + load("lossy.webp")),
    ):
        with pytest.raises(MediaError, match=message):
            stamp(data, AI, font, MANY)


def test_a_sound_file_without_room_for_the_badge_can_still_be_labelled(font: bytes) -> None:
    # The frame would have to grow to more than libwebp encodes; Pillow decodes no more than 178,956,970 pixels.
    wide = animation(frame(part(32, 24), 0, 0, KEEP, lossless=True), size=(16500, 64))
    huge = riff.file(b"WEBP", [riff.chunk(b"VP8L", b"\x2f\xff\xff\xff\x0f" + bytes(9))])
    for data in (wide, huge, encoded(Image.new("RGB", (12, 12)))):
        with pytest.raises(BadgeError):
            stamp(data, AI, font, MANY)


@pytest.mark.parametrize("kind", ["lossy", "lossless", "animated", "animated-lossless"])
def test_a_picture_that_cannot_be_decoded_is_an_error(kind: str, font: bytes, load: Load) -> None:
    data = bytearray(load(f"{kind}.webp"))
    picture = webp.parse(bytes(data))
    bitmap = picture.bitmap or picture.frames[0].bitmap
    start = bytes(data).index(bytes(bitmap.chunks[-1].data))
    data[start + 10 : start + len(bitmap.chunks[-1].data)] = b"\xff" * (len(bitmap.chunks[-1].data) - 10)
    with pytest.raises(MediaError, match="cannot be decoded"):
        stamp(bytes(data), AI, font, MANY)
