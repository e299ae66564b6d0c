"""TIFF: the label at the end of the file, nothing moved, every page looked at, broken files refused in little time."""

import struct
import time
from collections.abc import Callable
from typing import Any

import pytest

from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement, packet
from proxy.media import tiff
from proxy.media.errors import MediaError
from tests.media.tiff_file import Read, picture, read

LABEL = Aigc.first_write("ACME", "0a1b")
LATER = Aigc.first_write("OTHER", "2")
WRAPPED = b'{"AIGC": ' + LABEL.compact().encode() + b"}"
XMP = 700

LAYOUTS = pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True), (">", True)])


def patched(data: bytes, at: int, form: str, *values: int | bytes) -> bytes:
    return data[:at] + struct.pack(form, *values) + data[at + struct.calcsize(form) :]


def number_at(data: bytes, page: int, tag: int) -> int:
    """Where the value of a short field stands, or the offset of a long one: the last bytes of its entry."""
    start, end = read(data)[page].places[tag][0]
    return start + (12 if end - start == 20 else 8)


def others(page: Read) -> dict[int, Any]:
    """The fields but the XMP packet."""
    return {tag: value for tag, value in page.fields.items() if tag != XMP}


@LAYOUTS
def test_the_label_is_tag_700_of_type_7_at_the_end(order: str, big: bool) -> None:
    data = picture((10, 8), order=order, big=big, more={270: (2, b"a cat\0"), 65000: (7, b"private")})
    written = tiff.write(data, Statement(LABEL))
    (before,), (after,) = read(data), read(written)
    assert after.kinds[XMP] == 7
    assert after.fields[XMP] == packet(Statement(LABEL))
    assert others(after) == before.fields
    assert tiff.read(written) == (LABEL,)
    _, (start, end) = after.places[XMP]
    assert after.directory == (len(data), start)
    assert end == len(written)


@LAYOUTS
def test_nothing_moves_and_zeros_stand_for_what_was_there(order: str, big: bool) -> None:
    old = packet(Statement(LATER))
    data = picture((10, 8), order=order, big=big, more={700: (1, old), 52545: (7, b"a manifest, of C2PA")})
    (before,) = read(data)
    written = tiff.write(data, Statement(LABEL))
    blank = bytearray(data)
    for start, end in (before.directory, before.places[XMP][1], before.places[52545][1]):
        blank[start:end] = bytes(end - start)
    link = 16 if big else 8
    assert written[link : len(data)] == blank[link:]
    assert written[: link // 2] == data[: link // 2]
    assert b"OTHER" not in written
    assert not tiff.has_manifest(written)


@LAYOUTS
def test_a_label_takes_the_place_of_the_one_that_was_written_before(order: str, big: bool) -> None:
    data = picture((10, 8), order=order, big=big)
    once = tiff.write(data, Statement(LABEL))
    assert tiff.write(tiff.write(data, Statement(LATER)), Statement(LABEL)) == once
    assert once.startswith(data[16:], 16) is False  # the directory that was there is gone
    assert len(tiff.write(once, Statement(LABEL))) == len(once)


@pytest.mark.parametrize("behind", [b"", b"x", b"xy", b"xyz"])
def test_directories_stand_at_even_places(behind: bytes) -> None:
    data = picture((10, 8)) + behind
    once = tiff.write(data, Statement(LABEL))
    assert read(once)[0].directory[0] == len(data) + len(data) % 2
    assert tiff.write(once, Statement(LABEL)) == once
    assert behind in once


def test_a_packet_is_merged_and_a_broken_one_replaced() -> None:
    theirs = packet(Statement(LATER)).replace(b"<rdf:Description", b'<rdf:Description xmlns:x="y:z" x:kept="1"', 1)
    written = tiff.write(picture((10, 8), more={700: (1, theirs)}), Statement(LABEL))
    assert b'x:kept="1"' in read(written)[0].fields[XMP]
    written = tiff.write(picture((10, 8), more={700: (1, b"<broken")}), Statement(LABEL))
    assert read(written)[0].fields[XMP] == packet(Statement(LABEL))


# --- Labels elsewhere ------------------------------------------------------------------------------------------------


def test_a_label_in_a_text_field_is_written_over() -> None:
    data = picture((10, 8), more={270: (2, WRAPPED + b"\0")})
    assert [carrier.place for carrier in tiff.carriers(data)] == ["EXIF ImageDescription"]
    (after,) = read(tiff.write(data, Statement(LATER)))
    assert after.fields[270] == bytes(len(WRAPPED) + 1)


def test_a_label_of_a_later_page_goes_and_its_other_fields_stay(load: Callable[[str], bytes]) -> None:
    data = load("labelled-second-page.tiff")
    before, after = read(data), read(tiff.write(data, Statement(LABEL)))
    assert b"AIGC" in before[1].fields[XMP]
    assert XMP not in after[1].fields
    for old, new in zip(before, after, strict=True):
        assert others(old) == others(new)
        assert old.pixels == new.pixels
    assert [page.directory[0] for page in after[1:]] == [page.directory[0] for page in before[1:]]


def test_a_packet_without_a_label_stays_where_it_is(load: Callable[[str], bytes]) -> None:
    data = load("labelled-second-page.tiff")
    after = read(tiff.write(data, Statement(LABEL)))
    assert after[2].fields[XMP] == read(data)[2].fields[XMP]
    assert b"AIGC" not in after[2].fields[XMP].replace(b"ns/AIGC/", b"")


def test_many_pages_may_have_packets_of_their_own(load: Callable[[str], bytes]) -> None:
    """Only those with a label count towards the limit of places."""
    page = picture((10, 8), more={700: (7, b"<x:xmpmeta/>")})
    start, end = read(page)[0].directory
    data = bytearray(page)
    for _ in range(40):
        data[-4:] = struct.pack("<I", len(data))
        data += page[start:end]
    assert len(tiff.carriers(bytes(data))) == 1
    written = tiff.write(bytes(data), Statement(LABEL))
    assert tiff.read(written) == (LABEL,)
    assert len(read(written)) == 41


def test_what_another_page_uses_too_is_not_written_over() -> None:
    plain = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    page = picture((10, 8), more={700: (7, plain)})
    start, end = read(page)[0].directory
    data = page[:-4] + struct.pack("<I", len(page)) + page[start:end]
    second = read(tiff.write(data, Statement(LABEL)))[1]
    assert second.fields[XMP] == plain


def test_a_label_in_bytes_that_hold_pixels_too_is_refused() -> None:
    data = picture((10, 8), more={270: (2, WRAPPED)})
    (page,) = read(data)
    start, end = page.places[270][1]
    data = patched(data, number_at(data, 0, 273), "<I", start + 1)
    data = patched(data, number_at(data, 0, 279), "<I", end - start - 2)
    with pytest.raises(MediaError, match="something else uses the same bytes"):
        tiff.write(data, Statement(LABEL))


def test_a_manifest_of_any_page_goes(load: Callable[[str], bytes]) -> None:
    data = load("pages.tiff")
    page = read(data)[1]
    start, _ = page.places[284][0]
    last = page.directory[1] - 4
    # Entries stay sorted: the one that becomes the manifest's goes to the end.
    entry = struct.pack("<HHI", 52545, 7, 4) + b"jumb"
    data = data[:start] + data[start + 12 : last] + entry + data[last:]
    assert tiff.has_manifest(data)
    written = tiff.write(data, Statement(LABEL))
    assert not tiff.has_manifest(written)
    assert 52545 not in read(written)[1].fields


@pytest.mark.parametrize("make", [b"Canon\0", b"NIKON CORPORATION\0"])
def test_a_cameras_raw_file_can_be_labelled(make: bytes) -> None:
    more: dict[int, Any] = {271: (2, make), 262: (3, (32803,)), 50706: (1, b"\1\4\0\0"), 37500: (7, b"maker's notes")}
    data = picture((10, 8), more=more)
    assert tiff.read(tiff.write(data, Statement(LABEL))) == (LABEL,)


# --- What is refused -------------------------------------------------------------------------------------------------


@LAYOUTS
def test_directories_in_a_circle_are_refused(order: str, big: bool) -> None:
    data = picture((10, 8), order=order, big=big)
    start, end = read(data)[0].directory
    word = order + ("Q" if big else "I")
    with pytest.raises(MediaError, match="in a circle"):
        tiff.parse(patched(data, end - struct.calcsize(word), word, start))


def test_sub_directories_in_a_circle_are_refused() -> None:
    data = picture((10, 8), more={330: (4, (0,))})
    at = data.index(struct.pack("<HHI", 330, 4, 1)) + 8
    with pytest.raises(MediaError, match="in a circle"):
        tiff.parse(patched(data, at, "4s", data[4:8]))


@pytest.mark.parametrize(
    ("message", "more"),
    [
        ("impossible size, 0 x 8", {256: (3, (0,))}),
        ("does not belong to it", {257: (2, b"8\0")}),
        ("does not belong to it", {256: (3, (8,) * 2000)}),
        ("how long each of its strips", {279: (4, (1, 1))}),
        ("ends inside a strip", {273: (4, (100_000,))}),
        ("ends inside a strip", {279: (4, (0xFFFFFFFF,))}),
        ("ends before one of its directories", {330: (4, (3,))}),
        ("ends before one of its directories", {330: (4, (100_000,))}),
        ("ends inside a directory", {34665: (4, (100_000,))}),
    ],
)
def test_a_page_that_is_not_whole_is_refused(message: str, more: dict[int, Any]) -> None:
    with pytest.raises(MediaError, match=message):
        tiff.parse(picture((10, 8), more=more))


def test_a_value_beyond_the_file_is_refused() -> None:
    data = picture((10, 8), more={270: (2, b"a description\0")})
    with pytest.raises(MediaError, match="ends inside a directory or a field"):
        tiff.parse(patched(data, number_at(data, 0, 270), "<I", len(data) - 5))


def test_thousands_of_manifests_are_little_work() -> None:
    data = bytearray(picture((10, 8), more=dict.fromkeys(range(1000, 30_000), (3, (1,)))))
    for field in tiff.parse(bytes(data))[0].directory.fields:
        if field.tag >= 1000:
            data[field.entry : field.entry + 2] = struct.pack("<H", 52545)
    started = time.process_time()
    assert not tiff.has_manifest(tiff.write(bytes(data), Statement(LABEL)))
    assert time.process_time() - started < 3


def test_a_directory_of_millions_of_fields_is_refused_soon() -> None:
    count = 1_000_000
    data = b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, count) + struct.pack("<HHQQ", 256, 3, 1, 8) * count + bytes(8)
    started = time.process_time()
    with pytest.raises(MediaError, match="more than 65535 fields"):
        tiff.size(data)
    assert time.process_time() - started < 1


def test_a_page_without_a_picture_is_refused() -> None:
    data = picture((10, 8))
    start, _ = read(data)[0].places[273][0]
    with pytest.raises(MediaError, match="without a picture"):
        tiff.parse(patched(data, start, "<H", 272))


@pytest.mark.parametrize("data", [b"", b"II*\0", b"II*\0\x08\0\0\0", b"II*\0\0\0\0\0", b"MM\0+\0\x08\0\0" + bytes(8)])
def test_a_header_alone_is_refused(data: bytes) -> None:
    for act in (tiff.size, tiff.read, tiff.has_manifest, lambda data: tiff.write(data, Statement(LABEL))):
        with pytest.raises(MediaError):
            act(data)


@pytest.mark.parametrize(
    "more",
    [
        {270: (2, b"{" * 200_000)},
        {273: (4, (8,) * 60_000), 279: (4, (1,) * 60_000)},
        dict.fromkeys(range(1000, 20_000), (3, (1,))),
    ],
    ids=["text", "strips", "fields"],
)
def test_pages_that_share_more_than_any_file_holds_are_refused_soon(more: dict[int, Any]) -> None:
    page = picture((10, 8), more=more)
    directory = tiff.parse(page)[0].directory
    data = bytearray(page[:-4])
    for _ in range(100):
        data += struct.pack("<I", len(data) + 4) + page[directory.start : directory.end - 4]
    started = time.process_time()
    with pytest.raises(MediaError, match="more fields, strips or text than any honest file"):
        tiff.read(bytes(data) + bytes(4))
    assert time.process_time() - started < 3
