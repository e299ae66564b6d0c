"""The badge on an AVIF: there, upright, and the rest of the picture and of its container as near as it can be."""

import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageOps, ImageStat

from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement
from proxy.media import av1, avif, avif_form, heif_items, heif_labels, heif_layout
from proxy.media.badge import Badge, Box
from proxy.media.boxes import box, full_box
from proxy.media.drawing.stamp import stamp
from proxy.media.errors import BadgeError, MediaError

SAMPLES = Path(__file__).parent.parent.parent / "samples"
REFUSED = {"animated", "gain-map", "hdr", "labelled-animated"}
DRAWABLE = sorted(path.name for path in SAMPLES.glob("*.avif") if path.stem not in REFUSED)
MANY = 10**8
STATEMENT = Statement(Aigc.first_write("ACME", "0a1b"))

# In pixels and levels of 256: so far an edge of the badge is carried, by chroma of half the resolution and by blocks.
EDGE, WORST, MEAN = 4, 12, 1.5


def opened(data: bytes) -> Image.Image:
    picture = Image.open(BytesIO(data))
    picture.load()
    return picture


def outside(before: Image.Image, after: Image.Image, inner: Box) -> tuple[int, float]:
    """The worst and the mean difference of any channel, farther than the badge's edge is carried."""
    mask = Image.new("L", before.size, 255)
    left, top, right, bottom = inner
    mask.paste(0, (max(0, left - EDGE), max(0, top - EDGE), right + EDGE, bottom + EDGE))
    found = ImageStat.Stat(ImageChops.difference(before, after), mask)
    return max(high for _, high in found.extrema), max(found.mean)


@pytest.mark.parametrize("name", DRAWABLE)
def test_outside_the_box_the_picture_is_nearly_the_same(name: str, font: bytes, load: Callable[[str], bytes]) -> None:
    stamped = stamp(load(name), Badge("AI"), font, MANY)
    before, after = opened(load(name)), opened(stamped.data)
    assert (before.mode, before.size) == (after.mode, after.size)
    worst, mean = outside(before, after, stamped.box)
    assert worst <= WORST
    assert mean <= MEAN
    inside = after.crop(stamped.box).convert("L").getextrema()
    assert inside[0] < 32
    assert inside[1] > 223


@pytest.mark.parametrize("name", ["rgba.avif", "grey-alpha.avif"])
def test_alpha_comes_back_without_loss_and_the_badge_is_opaque(
    name: str, font: bytes, load: Callable[[str], bytes]
) -> None:
    stamped = stamp(load(name), Badge("AI"), font, MANY)
    before, after = (opened(data).getchannel("A") for data in (load(name), stamped.data))
    before.paste(255, stamped.box)
    assert before.tobytes() == after.tobytes()


def described(data: bytes) -> tuple[tuple[object, ...], list[bytes]]:
    """What the coded data of the picture says of itself, and its properties but those that follow from that."""
    file = heif_layout.parse(data)
    form = avif_form.form(file, MANY)
    properties = [whole for whole in file.meta.described(file.meta.primary) if whole[4:8] not in (b"av1C", b"pixi")]
    return (form.size, form.sequence.depth, form.sequence.sampling, form.sequence.full, form.orientation), properties


@pytest.mark.parametrize("name", DRAWABLE)
def test_the_form_of_the_picture_is_kept(name: str, font: bytes, load: Callable[[str], bytes]) -> None:
    (before, old), (after, new) = described(load(name)), described(stamp(load(name), Badge("AI"), font, MANY).data)
    assert before == after
    if name in ("profile.avif", "grid.avif"):  # what the old data said of its colours the container says now
        assert new.pop(0)[8:16] == b"nclx\0\1\0\x0d"
    assert old == new


def test_a_grid_becomes_one_picture(font: bytes, load: Callable[[str], bytes]) -> None:
    before = heif_layout.parse(load("grid.avif"))
    after = heif_layout.parse(stamp(load("grid.avif"), Badge("AI"), font, MANY).data)
    assert [b"grid", b"av01", b"av01"] == [item.kind for item in before.meta.items]
    assert [(1, b"av01")] == [(item.number, item.kind) for item in after.meta.items]
    assert after.meta.references == ()
    with pytest.raises(MediaError, match="tiles"):  # 96 x 64 pixels of two tiles of 64 x 64
        avif_form.form(before, 4095)


def test_primaries_and_transfer_are_those_that_the_picture_had(font: bytes, load: Callable[[str], bytes]) -> None:
    p3 = load("mif1.avif").replace(b"nclx\0\1\0\x0d\0\6", b"nclx\0\x0c\0\x0d\0\6")
    assert p3 != load("mif1.avif")
    after = stamp(p3, Badge("AI"), font, MANY)
    assert b"nclx\0\x0c\0\x0d\0\6\x80" in after.data
    assert outside(opened(p3), opened(after.data), after.box)[0] <= WORST


@pytest.mark.parametrize("name", DRAWABLE)
def test_everything_else_in_the_container_is_kept_byte_for_byte(
    name: str, font: bytes, load: Callable[[str], bytes]
) -> None:
    before, after = (heif_labels.parse(data) for data in (load(name), stamp(load(name), Badge("AI"), font, MANY).data))
    metadata = {item.number: item.whole for item in before.meta.items if item.kind in (b"mime", b"Exif")}
    if name == "metadata.avif":
        del metadata[3]  # it spoke of the thumbnail
    assert metadata == {item.number: item.whole for item in after.meta.items if item.kind in (b"mime", b"Exif")}
    for number in metadata:
        assert heif_layout.payload(before, number) == heif_layout.payload(after, number)
    boxes = [[file.data[found.start : found.end] for found in file.boxes] for file in (before, after)]
    kept = [[whole for whole in found if whole[4:8] not in (b"meta", b"mdat", b"uuid")] for found in boxes]
    assert kept[0] == kept[1]
    assert avif.read(before.data) == avif.read(after.data)


def test_thumbnails_and_manifests_go(font: bytes, load: Callable[[str], bytes]) -> None:
    after = heif_layout.parse(stamp(load("metadata.avif"), Badge("AI"), font, MANY).data)
    assert sorted(item.number for item in after.meta.items) == [1, 2, 4]
    assert b"image/small" not in after.data
    assert len(after.data) < len(load("metadata.avif")) + 1000
    assert avif.has_manifest(load("manifest.avif"))
    assert not avif.has_manifest(stamp(load("manifest.avif"), Badge("AI"), font, MANY).data)


def test_the_thumbnail_inside_exif_goes(font: bytes, load: Callable[[str], bytes]) -> None:
    small = b"\xff\xd8small picture\xff\xd9"
    fields = struct.pack("<HHHIIHHIII", 2, 0x0201, 4, 1, 44, 0x0202, 4, 1, len(small), 0)
    block = b"II*\0" + struct.pack("<IHI", 8, 0, 14) + fields + small
    file = heif_layout.parse(load("metadata.avif"))
    data = heif_layout.rebuilt(file, file.meta, {2: bytes(4) + block})
    after = stamp(data, Badge("AI"), font, MANY).data
    assert (small in data, small in after) == (True, False)
    assert len(heif_layout.payload(heif_layout.parse(after), 2)) == 4 + len(block)
    assert small in avif.write(data, STATEMENT)  # where nothing was drawn, nothing goes


@pytest.mark.parametrize("quarters", [None, 0, 1, 2, 3])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_turns_are_read_as_other_decoders_read_them(
    quarters: int | None, axis: int | None, load: Callable[[str], bytes]
) -> None:
    meta = heif_layout.parse(load("mif1.avif")).meta
    pieces = [box(kind, bytes((value,))) for kind, value in ((b"irot", quarters), (b"imir", axis)) if value is not None]
    boxes = (*meta.properties.boxes, *pieces)
    (first,) = meta.properties.associations
    extra = (len(meta.properties.boxes) + 1 + at | 0x8000 for at in range(len(pieces)))
    properties = meta.properties._replace(boxes=boxes, associations=(first._replace(indices=(*first.indices, *extra)),))
    file = heif_layout.parse(load("mif1.avif"))
    data = heif_layout.rebuilt(file, meta._replace(properties=properties), {})
    expected = opened(data).getexif().get(0x0112, 1)
    assert expected == avif_form.orientation(heif_layout.parse(data).meta)


@pytest.mark.parametrize("turn", range(2, 9))
def test_a_viewer_shows_the_badge_upright(turn: int, font: bytes, load: Callable[[str], bytes]) -> None:
    badge = Badge("AI", "bottom-right", backing="plate")
    shown = ImageOps.exif_transpose(opened(stamp(load(f"orientation{turn}.avif"), badge, font, MANY).data))
    plain = opened(stamp(load("420.avif"), badge, font, MANY).data)
    width = 24
    corner = shown.convert("L").crop((shown.width - width, shown.height - 19, shown.width - 4, shown.height - 4))
    upright = plain.convert("L").crop((plain.width - width, plain.height - 19, plain.width - 4, plain.height - 4))
    assert ImageStat.Stat(ImageChops.difference(corner, upright)).mean[0] < 10


def deep(data: bytes) -> bytes:
    """The bit that says more than eight bits to the sample, set in the coded data alone."""
    file = heif_layout.parse(data)
    content = bytearray(heif_layout.payload(file, 1))
    start = content.index(b"\x0a") + 2
    for at in range(8 * start, 8 * (start + content[start - 1])):
        changed = bytearray(content)
        changed[at // 8] ^= 0x80 >> at % 8
        try:
            found = av1.sequence(bytes(changed))
        except MediaError:
            continue
        if (found.depth, found.width, found.height) == (10, 96, 64):
            return heif_layout.rebuilt(file, file.meta, {1: bytes(changed)})
    raise AssertionError("no bit makes it deep")


def with_property(data: bytes, whole: bytes, number: int = 1) -> bytes:
    file = heif_layout.parse(data)
    return heif_layout.rebuilt(file, file.meta._replace(properties=file.meta.properties.having(number, whole)), {})


def with_reference(data: bytes, kind: bytes) -> bytes:
    file = heif_layout.parse(data)
    primary = file.meta.primary
    references = (*file.meta.references, heif_items.Reference(kind, primary, (primary,)))
    return heif_layout.rebuilt(file, file.meta._replace(references=references), {})


@pytest.mark.parametrize(
    ("message", "name", "change"),
    [
        ("sequence", "animated.avif", lambda data: data),
        ("kind iovl", "grid.avif", lambda data: data.replace(b"\0grid\0", b"\0iovl\0")),
        ("another picture in it", "gain-map.avif", lambda data: data),
        (r"high dynamic range \(PQ\)", "hdr.avif", lambda data: data),
        (r"high dynamic range \(HLG\)", "hdr.avif", lambda data: data.replace(b"\0\x09\0\x10", b"\0\x09\0\x12")),
        ("of 10 bits", "420.avif", deep),
        ("property clap", "420.avif", lambda data: with_property(data, box(b"clap", bytes(32)))),
        ("property a1lx", "420.avif", lambda data: with_property(data, box(b"a1lx", bytes(7)))),
        (
            "a size of its own",
            "rgba.avif",
            lambda data: with_property(data, full_box(b"ispe", 0, 0, b"\0\0\0\1\0\0\0\1"), 2),
        ),
        ("multiplied by its alpha", "rgba.avif", lambda data: with_reference(data, b"prem")),
        ("too small", "420.avif", lambda data: data),
    ],
)
def test_a_sound_picture_in_another_form_is_told_by_its_name(
    message: str, name: str, change: Callable[[bytes], bytes], font: bytes, load: Callable[[str], bytes]
) -> None:
    data = change(load(name))
    assert avif.read(avif.write(data, STATEMENT)) == (STATEMENT.aigc,)
    words = "AI生成" * 9 if message == "too small" else "AI"
    with pytest.raises(BadgeError, match=message):
        stamp(data, Badge(words), font, MANY)


@pytest.mark.parametrize(
    ("message", "change"),
    [
        (
            "which its header does not say",
            lambda data: data.replace(b"ispe\0\0\0\0\0\0\0\x60", b"ispe\0\0\0\0\0\0\0\x61"),
        ),
        ("cannot be decoded", lambda data: data[:-60] + bytes(60)),
    ],
)
def test_a_broken_picture_is_no_sound_one(
    message: str, change: Callable[[bytes], bytes], font: bytes, load: Callable[[str], bytes]
) -> None:
    with pytest.raises(MediaError, match=message) as raised:
        stamp(change(load("420.avif")), Badge("AI"), font, MANY)
    assert not isinstance(raised.value, BadgeError)


@pytest.mark.parametrize(("kind", "name"), [("image/heic", "plain.heic"), ("image/jxl", "container.jxl")])
def test_formats_that_nothing_decodes_are_told_by_their_name(
    kind: str, name: str, font: bytes, load: Callable[[str], bytes]
) -> None:
    with pytest.raises(BadgeError, match=kind):
        stamp(load(name), Badge("AI"), font, MANY)
    with pytest.raises(MediaError) as raised:
        stamp(load(name)[:-1], Badge("AI"), font, MANY)
    assert not isinstance(raised.value, BadgeError)
