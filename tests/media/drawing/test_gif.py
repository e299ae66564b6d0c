"""The badge on a GIF: whole on every frame, and every other pixel as it was, as Pillow shows it."""

import random
import struct
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageSequence

from proxy.media import gif_blocks
from proxy.media.badge import Badge, Position
from proxy.media.drawing.gif import stamp
from proxy.media.errors import BadgeError, MediaError

MANY = 10**7
SIZE = (96, 64)
FEW = ((200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 30))
PALE = [(100 + level // 4, 200, 100) for level in range(256)]

CORNERS: tuple[Position, ...] = ("top-left", "top-right", "bottom-left", "bottom-right")

Box = tuple[int, int, int, int]
WHOLE: Box = (0, 0, *SIZE)


def frames(data: bytes) -> list[Image.Image]:
    return [frame.convert("RGBA") for frame in ImageSequence.Iterator(Image.open(BytesIO(data)))]


def visible(frame: Image.Image) -> bytes:
    """The pixels as they are seen: of what is transparent the colour does not count."""
    return Image.composite(
        frame, Image.new("RGBA", frame.size), frame.getchannel("A").point([0] + [255] * 255)
    ).tobytes()


def check(data: bytes, stamped: bytes, box: Box) -> None:
    before, after = frames(data), frames(stamped)
    badge = after[0].crop(box)
    for old, new in zip(before, after, strict=True):
        assert new.crop(box).tobytes() == badge.tobytes()
        assert old.info.get("duration") == new.info.get("duration")
        for frame in (old, new):
            frame.paste((0, 0, 0, 0), box)
        assert visible(old) == visible(new)
    assert badge.getchannel("A").getextrema() == (255, 255), "something shows through"


def contrast(badge: Image.Image) -> float:
    parts = sorted(sample / 255 for sample in badge.convert("L").getextrema())
    low, high = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return (high + 0.05) / (low + 0.05)


# --- Files, by hand ---------------------------------------------------------------------------------------------------


def file(*parts: bytes, colours: tuple[tuple[int, ...], ...] | list[tuple[int, ...]] = FEW) -> bytes:
    flags = 0x80 | (len(colours) - 1).bit_length() - 1 if colours else 0
    screen = struct.pack("<6sHHBBB", b"GIF89a", *SIZE, flags, 0, 0)
    return screen + b"".join(map(bytes, colours)) + b"".join(parts) + b"\x3b"


def control(disposal: int, transparent: int | None = 3) -> bytes:
    flags = disposal << 2 | (transparent is not None)
    return struct.pack("<BBBBHBB", 0x21, 0xF9, 4, flags, 5, transparent or 0, 0)


def picture(
    box: Box = WHOLE, seed: int = 0, entries: int = 4, local: bytes = b"", interlaced: bool = False, bits: int = 8
) -> bytes:
    left, top, right, bottom = box
    places = ((x, y) for y in range(top, bottom) for x in range(left, right))
    pixels = bytes(
        ((x + seed) // 5 + y // 7 * (x // 9) + seed + (x + y * 96) * (entries > 4)) % entries for x, y in places
    )
    size = (right - left, bottom - top)
    packed = Image.frombytes("L", size, pixels).tobytes("gif", "L", bits, interlaced)
    flags = 0x40 * interlaced | (0x80 | (len(local) // 3 - 1).bit_length() - 1 if local else 0)
    return struct.pack("<BHHHHB", 0x2C, left, top, *size, flags) + local + bytes((bits,)) + packed + b"\0"


def images(data: bytes) -> Iterator[gif_blocks.Image]:
    return (block.image for block in gif_blocks.parse(data).blocks if block.image)


# --- The laws, over the samples ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["AI", "AI生成"])
@pytest.mark.parametrize("position", ["top-left", "bottom-right"])
def test_every_frame_shows_the_badge_and_what_it_showed_before(
    gif_sample: Path, words: str, position: Position, font: bytes
) -> None:
    data = gif_sample.read_bytes()
    stamped = stamp(data, Badge(words, position), font, MANY)
    check(data, stamped.data, stamped.box)
    assert contrast(frames(stamped.data)[0].crop(stamped.box)) >= 4.5


def test_every_other_block_is_kept_byte_for_byte_and_in_order(gif_sample: Path, font: bytes) -> None:
    data = gif_sample.read_bytes()
    before, after = gif_blocks.parse(data), gif_blocks.parse(stamp(data, Badge("AI"), font, MANY).data)
    kept = [
        [bytes(block.whole) for block in found.blocks if not block.image and block.label != gif_blocks.CONTROL]
        for found in (before, after)
    ]
    if gif_sample.stem == "manifest":
        assert kept.pop(0) == [b"\x21\xff\x0bC2PA_GIF\1\0\0\x09jumb c2pa\0"]
        kept.append([])
    assert kept[0] == kept[1]
    assert after.rest == before.rest
    assert (after.screen.rest, after.screen.flags & 0x70) == (before.screen.rest, before.screen.flags & 0x70)
    assert after.screen.table.startswith(before.screen.table)
    for old, new in zip(images(data), images(stamp(data, Badge("AI"), font, MANY).data), strict=True):
        assert old.interlaced == new.interlaced


def test_indices_outside_the_badge_are_kept(gif_sample: Path, font: bytes) -> None:
    data = gif_sample.read_bytes()
    stamped = stamp(data, Badge("AI"), font, MANY)
    for old, new in zip(images(data), images(stamped.data), strict=True):
        canvases = []
        for image in (old, new):
            pixels = Image.frombytes(
                "L", (image.width, image.height), bytes(image.data), "gif", image.code_size, image.interlaced, -1
            )
            canvas = Image.new("L", SIZE)
            canvas.paste(pixels, (image.left, image.top))
            canvas.paste(0, stamped.box)
            canvases.append(canvas.crop((old.left, old.top, old.left + old.width, old.top + old.height)))
        assert canvases[0].tobytes() == canvases[1].tobytes()


def test_frames_that_need_no_paint_are_kept_byte_for_byte(font: bytes, load: Callable[[str], bytes]) -> None:
    """All but the first, and those that stand where the badge is."""
    for name in ("animated-keep.gif", "animated-previous.gif"):
        data = load(name)
        same = [
            old == new for old, new in zip(images(data), images(stamp(data, Badge("AI"), font, MANY).data), strict=True)
        ]
        assert same == [False, True, False, True, False, True]


# --- The laws, over animations that nobody thought of -----------------------------------------------------------------


def some_animation(chance: random.Random) -> bytes:
    """Of what Pillow shows as viewers do: where nothing is transparent, it fills in and clears with a colour."""
    parts = []
    for number in range(chance.randint(1, 6)):
        (left, right), (top, bottom) = (sorted(chance.sample(range(side + 1), 2)) for side in SIZE)
        transparent = chance.choice([3, 0, None] if number else [3, 0])
        disposal = chance.choice([1, 2, 3] if transparent is not None else [1, 3])
        local = b"".join(map(bytes, FEW[::-1])) if chance.random() < 0.5 else b""
        box = WHOLE if chance.random() < 0.3 else (left, top, right, bottom)
        parts += [control(disposal, transparent), picture(box, number, local=local, interlaced=chance.random() < 0.3)]
    return file(*parts)


def test_any_animation_shows_the_badge_and_what_it_showed_before(font: bytes) -> None:
    refused = []
    for seed in range(200):
        chance = random.Random(seed)
        data = some_animation(chance)
        try:
            stamped = stamp(data, Badge("AI", chance.choice(CORNERS)), font, MANY)
        except BadgeError as error:
            refused.append(str(error))
        else:
            check(data, stamped.data, stamped.box)
    assert len(refused) < 10
    assert all("cannot show the whole badge and leave the rest of it as it is" in reason for reason in refused)


def ball(at: int, mode: str) -> Image.Image:
    ground = Image.new(mode, (120, 90), 0 if mode == "RGBA" else 60)
    ImageDraw.Draw(ground).ellipse((at * 20, at * 13, at * 20 + 30, at * 13 + 30), fill=(200, 40 + at * 10, 60))
    return ground


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("disposal", [0, 1, 2, 3])
@pytest.mark.parametrize("optimize", [False, True])
def test_what_a_common_encoder_makes_is_stamped(mode: str, disposal: int, optimize: bool, font: bytes) -> None:
    first, *others = (ball(at, mode) for at in range(6))
    out = BytesIO()
    first.save(out, "GIF", save_all=True, append_images=others, disposal=disposal, duration=80, optimize=optimize)
    stamped = stamp(out.getvalue(), Badge("AI生成"), font, MANY)
    check(out.getvalue(), stamped.data, stamped.box)


# --- Colours ----------------------------------------------------------------------------------------------------------


def test_the_shared_table_grows_where_it_can(font: bytes) -> None:
    """Then no frame needs a table of its own."""
    data = file(control(1), picture(bits=2), control(1), picture(bits=2, seed=1))
    after = gif_blocks.parse(stamp(data, Badge("AI"), font, MANY).data)
    assert after.screen.table.startswith(bytes(sum(FEW, ())))
    assert len(after.screen.table) == 3 * 32
    assert all(not block.image.table for block in after.blocks if block.image)


@pytest.mark.parametrize("bits", [3, 8])
def test_a_shared_table_that_pictures_may_point_beyond_stays(bits: int, font: bytes) -> None:
    """What is beyond the end of a table is the viewer's choice, and no business of the badge."""
    data = file(picture(bits=bits))
    after = gif_blocks.parse(stamp(data, Badge("AI"), font, MANY).data)
    assert after.screen == gif_blocks.parse(data).screen
    assert [len(block.image.table) for block in after.blocks if block.image] == [3 * 32]
    with pytest.raises(BadgeError, match="no two colours that are legible"):
        stamp(file(picture(entries=5, bits=bits), colours=FEW[:2] * 2), Badge("AI"), font, MANY)


def test_entries_that_a_frame_does_not_use_are_its_badges(font: bytes) -> None:
    data = file(
        control(1, None) + picture(entries=240),
        control(1, None) + picture(entries=256, seed=3),
        colours=[*PALE[:254], (0, 0, 0), (255, 255, 255)],
    )
    stamped = stamp(data, Badge("AI"), font, MANY)
    first, second = images(stamped.data)
    assert (len(first.table), second.table) == (3 * 256, b"")
    greys, others = (frame.crop(stamped.box) for frame in frames(stamped.data))
    assert all(red == green == blue for _, (red, green, blue, _) in greys.getcolors() or ())
    assert len(greys.getcolors() or ()) > 4
    assert others.convert("L").getextrema() == (0, 255)


def test_what_has_no_legible_colours_left_is_refused(font: bytes) -> None:
    with pytest.raises(BadgeError, match="no two colours that are legible"):
        stamp(file(picture(entries=256), colours=PALE), Badge("AI"), font, MANY)


def test_a_frame_that_must_grow_takes_an_unused_entry_for_what_it_lets_show(font: bytes) -> None:
    small = (4, 4, 20, 20)
    data = file(control(2, None), picture(small), control(2, None), picture(small, seed=1))
    after = gif_blocks.parse(stamp(data, Badge("AI"), font, MANY).data)
    found = [one for block in after.blocks if (one := gif_blocks.control(block))]
    assert [(one.disposal, one.delay, one.transparent is not None) for one in found] == [(2, 5, True)] * 2
    full = file(control(2, None), picture(small, entries=256), colours=[(level,) * 3 for level in range(256)])
    assert len(frames(stamp(full, Badge("AI"), font, MANY).data)) == 1
    whole = (0, 0, 96, 50)
    crowded = file(control(2, None), picture(whole, entries=256), colours=[(level,) * 3 for level in range(256)])
    with pytest.raises(BadgeError, match="nothing in it can be transparent"):
        stamp(crowded, Badge("AI"), font, MANY)


def test_a_frame_without_a_control_extension_gets_one_where_it_must_grow(font: bytes) -> None:
    data = file(picture((4, 4, 20, 20))).replace(b"GIF89a", b"GIF87a")
    after = stamp(data, Badge("AI"), font, MANY).data
    assert after.startswith(b"GIF89a")
    (extension, _) = gif_blocks.parse(after).blocks
    found = gif_blocks.control(extension)
    assert found is not None
    assert (found.disposal, found.delay) == (0, 0)
    assert stamp(file(picture()).replace(b"GIF89a", b"GIF87a"), Badge("AI"), font, MANY).data.startswith(b"GIF87a")


# --- What is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "message", "data"),
    [
        (BadgeError, "no colour table", file(picture(), colours=())),
        (BadgeError, "the disposal 5", file(control(5), picture())),
        (MediaError, "does not lie on its canvas", file(picture((0, 0, 97, 64)))),
        (MediaError, "does not lie on its canvas", file(struct.pack("<BHHHHBB", 0x2C, 0, 0, 0, 0, 0, 2) + b"\0")),
        (MediaError, "cannot be decoded", file(struct.pack("<BHHHHBB", 0x2C, 0, 0, 96, 64, 0, 2) + b"\1\x44\0")),
        (MediaError, "cannot be decoded", file(struct.pack("<BHHHHBB", 0x2C, 0, 0, 96, 64, 0, 2) + b"\0")),
        (MediaError, "damaged graphic control", file(b"\x21\xf9\1\0\0", picture())),
        (BadgeError, "another picture follows", file(picture()) + file(picture())),
    ],
)
def test_what_cannot_be_stamped_is_refused_with_the_reason(
    expected: type[MediaError], message: str, data: bytes, font: bytes
) -> None:
    with pytest.raises(MediaError, match=message) as caught:
        stamp(data, Badge("AI"), font, MANY)
    assert type(caught.value) is expected


def test_the_frames_are_bounded_together(font: bytes) -> None:
    data = file(*[control(1), picture()] * 10)
    assert len(frames(stamp(data, Badge("AI"), font, 10 * 96 * 64).data)) == 10
    with pytest.raises(MediaError, match="61440 pixels together, over the limit of 61439"):
        stamp(data, Badge("AI"), font, 10 * 96 * 64 - 1)


def test_many_small_frames_cost_no_more_than_what_is_drawn(font: bytes) -> None:
    """Each must grow to the badge, as each is cleared away."""
    tiny = control(2) + picture((0, 0, 1, 1))
    begun = time.monotonic()
    with pytest.raises(MediaError, match="pixels together"):
        stamp(file(*[tiny] * 5_000), Badge("AI"), font, 10**6)
    with pytest.raises(MediaError, match="5001 frames, over the limit of 5000"):
        stamp(file(*[tiny] * 5_001), Badge("AI"), font, 10**6)
    with pytest.raises(MediaError, match="more than 50000 blocks"):
        stamp(file(*[tiny] * 100_000), Badge("AI"), font, 10**6)
    assert time.monotonic() - begun < 5


def test_a_compressed_bomb_costs_no_more_than_its_picture(font: bytes) -> None:
    """Far more data than the picture has pixels is not decoded."""
    packed = Image.new("L", (4000, 4000)).tobytes("gif", "L", 2, 0)
    data = file(struct.pack("<BHHHHBB", 0x2C, 0, 0, *SIZE, 0, 2) + packed + b"\0")
    begun = time.monotonic()
    assert len(stamp(data, Badge("AI"), font, MANY).data) < 2_000
    assert time.monotonic() - begun < 1
