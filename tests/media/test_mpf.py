"""Several pictures in one JPEG: each is found again after the file has changed; broken indexes are refused."""

import struct
from collections.abc import Callable
from io import BytesIO

import pytest
from PIL import Image

from proxy.label import xmp
from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement
from proxy.media import jpeg, mpf
from proxy.media.errors import MediaError

LABEL = Statement(Aigc.first_write("ACME", "0a1b"))
OLD = Statement(Aigc.first_write("doubao", "7642551196644884771"))
SEVERAL = ("several.jpg", "several-turned.jpg", "gain-map.jpg")


def parts(data: bytes) -> list[bytes]:
    return [data[start:end] for start, end in mpf.pictures(data)]


def frames(data: bytes) -> list[bytes]:
    """Every picture as Pillow finds it by the index."""
    picture = Image.open(BytesIO(data))
    found = []
    for number in range(picture.n_frames):  # type: ignore[attr-defined]
        picture.seek(number)
        found.append(picture.convert("RGB").tobytes())
    return found


@pytest.mark.parametrize("name", SEVERAL)
def test_every_picture_but_the_first_is_the_same_after_a_label(name: str, load: Callable[[str], bytes]) -> None:
    before = load(name)
    after = jpeg.write(before, LABEL)
    assert len(after) > len(before)
    assert parts(after)[1:] == parts(before)[1:]
    assert frames(after) == frames(before)
    assert after.endswith(b"trailer") == before.endswith(b"trailer")
    assert after.count(bytes(10) + b"\xff\xd8") == before.count(bytes(10) + b"\xff\xd8")


@pytest.mark.parametrize(
    "labelled",
    [
        b"\xff\xe1" + b"http://ns.adobe.com/xap/1.0/\0" + xmp.packet(OLD),
        b"\xff\xe1" + b"Exif\0\0II*\0\x08\0\0\0\1\0\x0e\1\2\0\xff\0\0\0\x1a\0\0\0" + bytes(4)
        + OLD.aigc.compact().encode().ljust(255, b"\0"),
        b"\xff\xfe" + b"AIGC" + OLD.aigc.compact().encode(),
    ],
    ids=["XMP", "EXIF", "COM"],
)  # fmt: skip
def test_a_label_in_a_later_picture_is_read_and_taken_out(labelled: bytes, load: Callable[[str], bytes]) -> None:
    data = load("several.jpg")
    first, second, *others = parts(data)
    marker, payload = labelled[:2], labelled[2:]
    second = second[:2] + marker + (len(payload) + 2).to_bytes(2) + payload + second[2:]
    data = mpf.rejoined(data, mpf.pictures(data), [first, second, *others])
    assert jpeg.read(data) == (OLD.aigc,)
    after = jpeg.write(data, LABEL)
    assert jpeg.read(after) == (LABEL.aigc,)
    assert jpeg.write(after, LABEL) == after
    assert OLD.aigc.content_producer.encode() not in after
    assert len(parts(after)[1]) == len(second)
    assert frames(after) == frames(data)


def test_a_file_of_one_picture_has_one(load: Callable[[str], bytes]) -> None:
    data = load("metadata.jpg")
    assert mpf.pictures(data) == [(0, len(data) - len(b"trailer"))]
    assert mpf.rejoined(data, mpf.pictures(data), parts(data)) == data


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize("place", [0, 1])
def test_any_picture_may_grow_or_shrink(place: int, name: str, load: Callable[[str], bytes]) -> None:
    data = load(name)
    longer = parts(data)
    longer[place] = longer[place][:20] + b"\xff\xfe\0\x12sixteen bytes ok" + longer[place][20:]
    grown = mpf.rejoined(data, mpf.pictures(data), longer)
    assert parts(grown) != parts(data)
    assert frames(grown) == frames(data)
    shrunk = parts(grown)
    shrunk[place] = shrunk[place][:20] + shrunk[place][40:]
    assert mpf.rejoined(grown, mpf.pictures(grown), shrunk) == data


@pytest.mark.parametrize(
    ("expected", "change"),
    [
        (False, lambda data: data),
        (True, lambda data: data.replace(b"\x20\3\0\0", b"\x20\5\0\0")),
        *(
            (True, lambda data, name=name: data[:20] + b"\xff\xe1" + (len(name) + 2).to_bytes(2) + name + data[20:])
            for name in (
                b"http://ns.google.com/photos/1.0/container/",
                b"urn:com:apple:photo:2020:aux:hdrgainmap",
                b"http://ns.apple.com/HDRGainMap/1.0/",
                b"urn:iso:std:iso:ts:21496:-1\0",
            )
        ),
    ],
)
def test_measures_are_known_by_the_index_or_by_metadata(
    expected: bool, change: Callable[[bytes], bytes], load: Callable[[str], bytes]
) -> None:
    data = load("several-turned.jpg")
    first, *others = parts(data)
    assert expected == mpf.has_measures(mpf.rejoined(data, mpf.pictures(data), [change(first), *others]))
    assert not mpf.has_measures(change(load("420.jpg")))  # one picture measures nothing


@pytest.mark.parametrize(
    ("expected", "item"),
    [
        (True, b'<C:Item I:Semantic="Primary" I:Length="4711"/>'),
        (True, b"<C:Item I:Length = '4711' I:Mime='image/jpeg' I:Semantic = 'Primary'/>"),
        (False, b'<C:Item I:Semantic="Primary" I:Length="0"/>'),
        (False, b'<C:Item I:Semantic="Primary"/><C:Item I:Semantic="GainMap" I:Length="4711"/>'),
    ],
)
def test_a_packet_that_counts_the_first_picture_is_not_changed(
    expected: bool, item: bytes, load: Callable[[str], bytes]
) -> None:
    packet = b"http://ns.adobe.com/xap/1.0/\0<x>" + item + b"</x>"
    assert mpf.counts_first(packet) == expected
    if expected:
        data = load("several.jpg")
        first, *others = parts(data)
        first = first[:20] + b"\xff\xe1" + (len(packet) + 2).to_bytes(2) + packet + first[20:]
        with pytest.raises(MediaError, match="tells the length"):
            jpeg.write(mpf.rejoined(data, mpf.pictures(data), [first, *others]), LABEL)


def entry(data: bytes, number: int, *, size: int | None = None, offset: int | None = None) -> bytes:
    """The little-endian index of ``several.jpg`` with other figures for a picture."""
    at = data.index(b"MPF\0") + 4 + 50 + 16 * number
    old = struct.unpack_from("<III", data, at)
    new = (old[0], old[1] if size is None else size, old[2] if offset is None else offset)
    return data[:at] + struct.pack("<III", *new) + data[at + 12 :]


@pytest.mark.parametrize(
    ("message", "change"),
    [
        ("not where it says", lambda data: entry(data, 1, offset=0)),
        ("not where it says", lambda data: entry(data, 1, offset=2**32 - 1)),
        ("not where it says", lambda data: entry(data, 1, size=2**32 - 1)),
        ("not where it says", lambda data: data[:-1]),
        ("no header", lambda data: data.replace(b"MPF\0II", b"MPF\0IM")),
        ("no entries", lambda data: data.replace(b"\2\xb0\7\0", b"\3\xb0\7\0")),
        ("ends too early", lambda data: data.replace(b"MPF\0II*\0\x08\0", b"MPF\0II*\0\x08\1")),
        ("ends too early", lambda data: data.replace(b"\2\xb0\7\0\x20\0\0\0", b"\2\xb0\7\0\x20\x20\0\0")),
    ],
)
def test_a_broken_index_is_refused_with_the_reason(
    message: str, change: Callable[[bytes], bytes], load: Callable[[str], bytes]
) -> None:
    data = change(load("several.jpg"))
    assert data != load("several.jpg")
    with pytest.raises(MediaError, match=message):
        jpeg.write(data, LABEL)


def test_an_index_of_pictures_that_were_cut_away_is_left_as_it_is(load: Callable[[str], bytes]) -> None:
    data = load("several.jpg")
    first = parts(data)[0]
    assert mpf.pictures(first) == [(0, len(first))]
    written = jpeg.write(first, LABEL)
    assert jpeg.read(written) == (LABEL.aigc,)
    assert jpeg.write(written, LABEL) == written
    index = first[first.index(mpf.IDENTIFIER) :][:86]
    assert index in written


def test_an_entry_of_no_size_is_no_picture(load: Callable[[str], bytes]) -> None:
    data = entry(load("several.jpg"), 1, size=0, offset=0)
    assert len(mpf.pictures(data)) == 1
    assert jpeg.read(jpeg.write(data, LABEL)) == (LABEL.aigc,)
