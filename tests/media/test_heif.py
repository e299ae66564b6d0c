"""HEIF: items kept, their data where the locations say, one label in the XMP of the primary item.

The judge is a reader of its own that knows nothing but pitm, iinf, iloc, iref and idat.
"""

import struct
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement
from proxy.media import avif, heif
from proxy.media.boxes import box, full_box
from proxy.media.errors import MediaError

LABEL = Aigc.first_write("ACME", "0a1b")
STATEMENT = Statement(LABEL)
XMP_TYPE = b"application/rdf+xml"
FORMATS = {".avif": avif, ".heic": heif}
SAMPLES = Path(__file__).parent.parent / "samples"
CONTAINERS = sorted(path.name for path in SAMPLES.iterdir() if path.suffix in FORMATS)


class Read(NamedTuple):
    """An item as the reader finds it: its type, its content type, its data, and what it is about."""

    kind: bytes
    content_type: bytes
    data: bytes
    about: tuple[int, ...]


def children(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    while start < end:
        length, kind = struct.unpack_from(">I4s", data, start)
        header = 8
        if length == 1:
            (length,), header = struct.unpack_from(">Q", data, start + 8), 16
        length = length or end - start
        yield kind, start + header, start + length
        start += length
    assert start == end


def items(data: bytes) -> dict[int, Read]:
    """Every item by its number; the primary one is in ``[0]``, as its number in ``about``."""
    (meta,) = [found for found in children(data, 0, len(data)) if found[0] == b"meta"]
    inner = {kind: (start, end) for kind, start, end in children(data, meta[1] + 4, meta[2])}
    found: dict[int, Read] = {}
    start, end = inner[b"iinf"]
    for _, at, stop in children(data, start + (8 if data[start] else 6), end):
        number, kind = struct.unpack_from(">H2x4s", data, at + 4)
        _, content_type, *_ = [*data[at + 12 : stop].split(b"\0"), b""]
        found[number] = Read(kind, content_type if kind == b"mime" else b"", b"", ())
    for number, content in located(data, *inner[b"iloc"], inner.get(b"idat", (0, 0))[0]):
        found[number] = found[number]._replace(data=content)
    if b"iref" in inner:
        start, end = inner[b"iref"]
        for kind, at, _ in children(data, start + 4, end):
            source, count = struct.unpack_from(">HH", data, at)
            if kind == b"cdsc":
                found[source] = found[source]._replace(about=struct.unpack_from(f">{count}H", data, at + 4))
    primary = int.from_bytes(data[inner[b"pitm"][0] + 4 : inner[b"pitm"][0] + 6])
    return {0: Read(b"", b"", b"", (primary,)), **found}


def located(data: bytes, start: int, end: int, idat: int) -> Iterator[tuple[int, bytes]]:
    version, sizes = data[start], data[start + 4 : start + 6]
    at = start + 6

    def number(length: int) -> int:
        nonlocal at
        at += length
        return int.from_bytes(data[at - length : at])

    wide = 4 if version == 2 else 2
    for _ in range(number(wide)):
        item, method, _, base = number(wide), number(2) if version else 0, number(2), number(sizes[1] >> 4)
        parts = [(number(sizes[0] >> 4), number(sizes[0] & 15)) for _ in range(number(2))]
        first = base + (idat if method else 0)
        yield item, b"".join(data[first + offset : first + offset + length] for offset, length in parts)
    assert at == end


def packets(found: dict[int, Read]) -> list[Read]:
    return [item for item in found.values() if item.content_type == XMP_TYPE]


def written(name: str) -> tuple[bytes, bytes]:
    data = (SAMPLES / name).read_bytes()
    return data, FORMATS[Path(name).suffix].write(data, STATEMENT)


@pytest.mark.parametrize("name", CONTAINERS)
def test_the_data_of_every_other_item_is_the_same_to_the_byte(name: str) -> None:
    data, after = written(name)
    before, now = items(data), items(after)
    for number, item in before.items():
        if item.content_type == XMP_TYPE:
            continue
        if "exif" in name and item.kind == b"Exif":
            assert len(item.data) == len(now[number].data)
        else:
            assert item == now[number]
    assert len(now) <= len(before) + 1


@pytest.mark.parametrize("name", CONTAINERS)
def test_the_label_is_in_one_packet_about_the_picture(name: str) -> None:
    found = items(written(name)[1])
    (labelled,) = [item for item in packets(found) if b"TC260:AIGC" in item.data]
    assert labelled.kind == b"mime"
    assert labelled.about == found[0].about
    assert labelled.data.startswith(b"<?xpacket begin=")


@pytest.mark.parametrize("name", [name for name in CONTAINERS if name.endswith(".avif") and name != "animated.avif"])
def test_another_decoder_finds_the_label_in_the_pictures_xmp(name: str) -> None:
    found = Image.open(BytesIO(written(name)[1])).info["xmp"]
    assert b"<TC260:AIGC>{&quot;Label&quot;:&quot;1&quot;" in found


def test_xmp_about_something_else_is_somebody_elses() -> None:
    for name in ("metadata.heic", "metadata.avif"):
        data, after = written(name)
        before, now = items(data), items(after)
        assert before[3] == now[3]
        assert b"image/small" in now[3].data
        assert b'dc:format="image/x"' in now[4].data
        assert b"<TC260:AIGC>" in now[4].data


@pytest.mark.parametrize("name", ["plain.heic", "420.avif", "labelled-xmp.heic", "labelled-wide.heic", "grid.heic"])
def test_a_longer_label_moves_nothing_that_was_written_before(name: str) -> None:
    form = FORMATS[Path(name).suffix]
    _, once = written(name)
    long = form.write(once, Statement(Aigc.first_write("ACME", "0a1b", "r" * 2000)))
    assert len(long) == len(once) + 2000
    difference = next(at for at, pair in enumerate(zip(once, long, strict=False)) if pair[0] != pair[1])
    assert once[:difference] == long[:difference]
    meta = once.index(b"meta")
    assert once.index(b"iloc") < difference < meta + int.from_bytes(once[meta - 4 : meta])
    assert once[difference + 4 : once.rindex(b"mdat") - 4] == long[difference + 4 : long.rindex(b"mdat") - 4]


def test_an_old_packet_leaves_no_hole() -> None:
    data, after = written("labelled-xmp.heic")
    old = next(item.data for item in packets(items(data)))
    new = next(item.data for item in packets(items(after)))
    # The data box of its own costs a header; the locations are as long as they were.
    assert len(after) == len(data) - len(old) + len(new) + 8


def test_boxes_between_and_behind_are_kept() -> None:
    for name in ("metadata.heic", "metadata.avif"):
        assert box(b"priv", b"private") in written(name)[1]
    _, after = written("manifest.heic")
    assert b"merkle" not in after
    assert b"uuid" not in after


@pytest.mark.parametrize("name", ["animated.avif", "labelled-animated.avif"])
def test_a_sequence_keeps_its_pictures(name: str) -> None:
    data, after = written(name)
    before, now = Image.open(BytesIO(data)), Image.open(BytesIO(after))
    assert (before.n_frames, now.n_frames) == (2, 2)
    frames = []
    for number in range(2):
        before.seek(number)
        now.seek(number)
        frames.append(now.tobytes())
        assert before.tobytes() == now.tobytes()
    assert frames[0] != frames[1]


def test_a_packet_that_file_and_track_share_stays_shared() -> None:
    _, after = written("labelled-animated.avif")
    assert after.count(b"<TC260:AIGC>") == 1
    # The decoder takes the packet of the track.
    assert b'"0a1b"'.replace(b'"', b"&quot;") in Image.open(BytesIO(after)).info["xmp"]


def test_a_packet_that_only_a_track_has_is_read_and_blanked() -> None:
    data = (SAMPLES / "labelled-animated.avif").read_bytes().replace(XMP_TYPE, b"application/xyz+xml", 1)
    (carrier,) = avif.carriers(data)
    assert carrier.place == "XMP item of a track"
    assert carrier.labels
    after = avif.write(data, STATEMENT)
    assert avif.read(after) == (LABEL,)
    assert b"doubao" not in after
    assert avif.write(after, STATEMENT) == after


@pytest.mark.parametrize(
    ("expected", "brands"),
    [
        (avif, b"avif\0\0\0\0mif1"),
        (avif, b"avis\0\0\0\0msf1"),
        (avif, b"mif1\0\0\0\0avifmiaf"),
        (avif, b"miaf\0\0\0\0mif1avif"),
        (heif, b"heic\0\0\0\0mif1"),
        (heif, b"heix\0\0\0\0avif"),
        (heif, b"mif1\0\0\0\0heic"),
        (heif, b"mif1\0\0\0\0"),
        (heif, b"msf1\0\0\0\0hevc"),
        (None, b"isom\0\0\0\0avc1"),
        (None, b"mp42\0\0\0\0mif1"),
    ],
)
def test_brands_tell_the_formats_apart(expected: object, brands: bytes) -> None:
    assert expected == next((found for found in (avif, heif) if found.sniff(box(b"ftyp", brands))), None)


# --- What is refused -------------------------------------------------------------------------------------------------


def item(number: int, kind: bytes, rest: bytes = b"\0") -> bytes:
    return full_box(b"infe", 2, 0, number.to_bytes(2), b"\0\0", kind, rest)


def location(*entries: tuple[int, int, int], sizes: int = 0x4400, version: int = 0) -> bytes:
    """Entries of number, offset and length in version 0."""
    packed = [struct.pack(">HHHII", number, 0, 1, offset, length) for number, offset, length in entries]
    return full_box(b"iloc", version, 0, sizes.to_bytes(2), len(entries).to_bytes(2), *packed)


FTYP = box(b"ftyp", b"heic\0\0\0\0mif1heic")
PICTURE = item(1, b"hvc1")
XMP = item(2, b"mime", b"\0" + XMP_TYPE + b"\0")
PRIMARY = full_box(b"pitm", 0, 0, b"\0\1")
MDAT = box(b"mdat", bytes(range(100)))


def meta(*parts: bytes) -> bytes:
    return full_box(b"meta", 0, 0, *parts)


def info(*entries: bytes, said: int | None = None) -> bytes:
    return full_box(b"iinf", 0, 0, (len(entries) if said is None else said).to_bytes(2), *entries)


def file(*entries: tuple[int, int, int], infos: tuple[bytes, ...] = (PICTURE, XMP), extra: bytes = b"") -> bytes:
    """Offsets count from the data box's contents."""
    blank = location(*((0, 0, 0) for _ in entries))
    length = len(FTYP) + len(meta(PRIMARY, info(*infos), blank, extra)) + 8
    placed = [(number, offset + length, size) for number, offset, size in entries]
    return FTYP + meta(PRIMARY, info(*infos), location(*placed), extra) + MDAT


def track(*tables: bytes) -> bytes:
    inner = box(b"mdia", box(b"minf", box(b"stbl", *tables)))
    return box(b"moov", box(b"trak", full_box(b"tkhd", 0, 0, bytes(8), b"\0\0\0\1"), inner))


BROKEN = [
    ("0 meta boxes", FTYP + MDAT),
    ("2 meta boxes", FTYP + meta() + meta()),
    ("has no pitm box", FTYP + meta(info(PICTURE), location())),
    ("has no iinf box", FTYP + meta(PRIMARY, location())),
    ("has no iloc box", FTYP + meta(PRIMARY, info(PICTURE))),
    ("2 boxes of the type pitm", FTYP + meta(PRIMARY, PRIMARY)),
    ("primary item is missing", file((2, 0, 9), infos=(XMP,))),
    ("one number to two items", file((1, 0, 9), infos=(PICTURE, PICTURE))),
    ("one number to two items", file((1, 0, 9), (1, 9, 9))),
    ("another number of items", FTYP + meta(PRIMARY, info(PICTURE, said=2), location())),
    ("kind that images do not have", file((1, 0, 9), infos=(full_box(b"infe", 1, 0, bytes(8)),))),
    ("form that the standard does not know", FTYP + meta(PRIMARY, info(PICTURE), location(sizes=0x3400))),
    ("form that the standard does not know", FTYP + meta(PRIMARY, info(PICTURE), location(version=3))),
    ("in another file", FTYP + meta(PRIMARY, info(PICTURE), full_box(b"iloc", 0, 0, b"\x44\0\0\1\0\1\0\1"))),
    ("ends inside its fields", FTYP + meta(PRIMARY, info(PICTURE), full_box(b"iloc", 0, 0, b"\x44\0\0\1"))),
    ("beyond the reach", FTYP + meta(
        PRIMARY, info(PICTURE), full_box(b"iloc", 0, 0, b"\x88\0\0\1\0\1\0\0\0\1", b"\xff" * 8, bytes(8)))),
    ("more than 10000 parts", FTYP + meta(
        PRIMARY, info(PICTURE), full_box(b"iloc", 0, 0, b"\0\0\0\1\0\1\0\0\xff\xff"))),
    ("more than 10000 parts", FTYP + meta(PRIMARY, info(PICTURE), full_box(
        b"iloc", 2, 0, b"\0\0", (20_000).to_bytes(4), b"".join(at.to_bytes(4) + bytes(6) for at in range(20_000))))),
    ("more than 10000 items", FTYP + meta(PRIMARY, info(PICTURE), location(), box(b"iprp", full_box(
        b"ipma", 0, 0, (20_000).to_bytes(4), b"\0\1\0" * 20_000)))),
    ("more than 100000 times", FTYP + meta(PRIMARY, info(PICTURE), location(), full_box(
        b"iref", 0, 0, *[box(b"cdsc", b"\0\1\xea\x60", bytes(120_000))] * 2))),
    ("no idat box", FTYP + meta(
        PRIMARY, info(PICTURE), full_box(b"iloc", 1, 0, b"\x44\0\0\1\0\1\0\1\0\0\0\1\0\0\0\0\0\0\0\1"))),
    ("before the data of an item", file((1, 90, 11))),
    ("in fragments (moof)", file((1, 0, 9)) + box(b"moof")),
    ("sequence in fragments", file((1, 0, 9)) + box(b"moov", box(b"mvex"))),
    ("track without a header", file((1, 0, 9)) + box(b"moov", box(b"trak"))),
    ("track without tables", file((1, 0, 9)) + box(b"moov", box(b"trak", full_box(b"tkhd", 0, 0, bytes(12))))),
    ("over the limit of 100000", file((1, 0, 9)) + track(full_box(b"stco", 0, 0, b"\0\1\x86\xa1", bytes(400_004)))),
    ("over the limit of 100000", file((1, 0, 9)) + track(
        *[full_box(b"stco", 0, 0, b"\0\0\xc3\x51", bytes(200_004))] * 2)),
    ("inside its tracks", file((1, 0, 9)) + box(b"moov", meta(
        info(XMP), full_box(b"iloc", 1, 0, b"\x44\0\0\1\0\2\0\1\0\0\0\1", bytes(7), b"\1")))),
    ("cut short", file((1, 0, 9)) + track(full_box(b"stco", 0, 0, b"\0\0\0\2\0\0\0\0"))),
    ("data of its sequence", file((1, 0, 9)) + track(full_box(b"stco", 0, 0, b"\0\0\0\1\x0f\0\0\0"))),
    ("protected", file((1, 0, 9)) + track(full_box(b"saio", 0, 0, bytes(8)))),
    ("places for labels", file((1, 0, 9), infos=(
        PICTURE, *(item(number, b"Exif") for number in range(2, 19))))),
]  # fmt: skip


@pytest.mark.parametrize(("message", "data"), BROKEN, ids=[f"{at}-{row[0]}" for at, row in enumerate(BROKEN)])
def test_a_broken_file_is_refused_with_the_reason(message: str, data: bytes) -> None:
    for act in (heif.read, heif.has_manifest, lambda found: heif.write(found, STATEMENT)):
        with pytest.raises(MediaError, match=message.replace("(", r"\(").replace(")", r"\)")):
            act(data)


@pytest.mark.parametrize(
    ("message", "data"),
    [
        ("share their data", file((1, 0, 50), (2, 40, 20))),
        ("share their data", file((1, 0, 99), (2, 10, 1))),
        ("cannot be changed", file((1, -60, 9), (2, 40, 20))),
        ("cannot be changed", file((1, 0, 9), (2, 40, 20)) + track(full_box(b"stco", 0, 0, b"\0\0\0\1\0\0\0\xe0"))),
    ],
)
def test_what_would_break_another_item_is_refused(message: str, data: bytes) -> None:
    assert heif.read(data) == ()
    with pytest.raises(MediaError, match=message):
        heif.write(data, STATEMENT)


def test_metadata_made_of_another_items_data_is_refused() -> None:
    entry = struct.pack(">HHHHII", 2, 2, 0, 1, 0, 9)
    data = FTYP + meta(PRIMARY, info(PICTURE, XMP), full_box(b"iloc", 1, 0, b"\x44\0\0\1", entry)) + MDAT
    with pytest.raises(MediaError, match="another item's"):
        heif.read(data)
    data = FTYP + meta(PRIMARY, info(PICTURE, item(2, b"Exif")), full_box(b"iloc", 1, 0, b"\x44\0\0\1", entry)) + MDAT
    for act in (heif.read, lambda found: heif.write(found, STATEMENT)):
        with pytest.raises(MediaError, match="another item's"):
            act(data)


def test_a_new_item_takes_a_number_that_nothing_has() -> None:
    groups = box(b"grpl", full_box(b"altr", 0, 0, (2).to_bytes(4), bytes(4)))
    data = file((1, 0, 9), (4, 9, 9), infos=(PICTURE, item(4, b"hvc1")), extra=groups) + track()
    data = data.replace(full_box(b"tkhd", 0, 0, bytes(8), b"\0\0\0\1"), full_box(b"tkhd", 0, 0, bytes(8), b"\0\0\0\3"))
    found = items(heif.write(data, STATEMENT))
    assert sorted(found) == [0, 1, 4, 5]
    assert found[5].about == (1,)


def test_protected_or_unreadable_xmp_gives_way() -> None:
    protected = XMP.replace(b"\0\2\0\0mime", b"\0\2\0\1mime")
    assert protected != XMP
    data = file((1, 0, 9), (2, 9, 30), infos=(PICTURE, protected))
    assert heif.read(data) == ()
    after = heif.write(data, STATEMENT)
    assert heif.read(after) == (LABEL,)
    assert protected not in after
