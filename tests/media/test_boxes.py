"""Boxes: they tile their space, or the file is broken."""

import pytest

from proxy.media.boxes import Fields, box, brands, full_box, one, resized, walk
from proxy.media.errors import MediaError

LARGE = b"\0\0\0\1free" + (20).to_bytes(8) + b"data"
USER = b"\0\0\0\x1cuuid" + bytes(range(16)) + b"data"


@pytest.mark.parametrize(
    ("expected", "data"),
    [
        ([], b""),
        ([(b"free", 0, 8, 12)], box(b"free", b"data")),
        ([(b"free", 0, 8, 8), (b"mdat", 8, 16, 18)], box(b"free") + box(b"mdat", b"ab")),
        ([(b"free", 0, 16, 20)], LARGE),
        ([(b"free", 0, 8, 8), (b"mdat", 8, 16, 20)], box(b"free") + b"\0\0\0\0mdatdata"),
        ([(b"uuid", 0, 24, 28)], USER),
        ([(b"meta", 0, 8, 14)], full_box(b"meta", 1, 2, b"ab")),
    ],
)
def test_boxes_tile_the_file(expected: list[tuple[bytes, int, int, int]], data: bytes) -> None:
    assert expected == [found[:4] for found in walk(data)]


def test_a_uuid_box_is_named_by_its_user() -> None:
    assert [bytes(range(16))] == [found.usertype for found in walk(USER)]


@pytest.mark.parametrize(
    "data",
    [
        box(b"free", b"data")[:-1],
        box(b"free") + b"\0",
        b"\0\0\0\7free",
        LARGE[:12],
        b"\0\0\0\1free" + (15).to_bytes(8),
        b"\0\0\0\1free" + b"\xff" * 8,
        USER[:20],
        b"\0\0\0\x10uuid" + bytes(16),
        box(b"free") * 10_001,
    ],
)
def test_what_does_not_tile_is_refused(data: bytes) -> None:
    with pytest.raises(MediaError, match="box"):
        list(walk(data))


def test_only_the_last_box_of_the_file_may_be_open() -> None:
    with pytest.raises(MediaError, match="impossible"):
        list(walk(b"\0\0\0\0free" + box(b"free"), 0, 8))
    with pytest.raises(MediaError, match="cut short"):
        list(walk(b"\0\0\0\0free", 0, 8))


def test_one_of_a_type_and_no_more() -> None:
    data = box(b"meta") + box(b"free")
    assert one(data, b"moov", 0, 16) is None
    assert one(data, b"free", 0, 16) == next(walk(data, 8))
    with pytest.raises(MediaError, match="2 boxes of the type meta"):
        one(data + box(b"meta"), b"meta", 0, 24)


@pytest.mark.parametrize(
    ("expected", "data"),
    [
        ([b"avif", b"mif1", b"miaf"], box(b"ftyp", b"avif\0\0\0\0mif1miaf")),
        ([b"avif"], box(b"ftyp", b"avif\0\0\0\0")),
        ([b"avif", b"mif1"], box(b"ftyp", b"avif\0\0\0\0mif1miaf")[:22]),
        ([], box(b"ftyp")),
        ([], box(b"free", b"avif\0\0\0\0")),
    ],
)
def test_brands(expected: list[bytes], data: bytes) -> None:
    assert expected == brands(data)


def test_a_header_keeps_its_length_when_its_size_changes() -> None:
    for data in (box(b"free", b"data"), LARGE, USER, b"\0\0\0\0freedata"):
        found = next(walk(data))
        header = resized(data, found, len(data) - 4)
        assert next(walk((header + data[found.body :])[:-4]))[:3] == found[:3]


def test_fields_end_where_the_box_ends() -> None:
    fields = Fields(b"\1\2\3ab\0cd", 1, 8)
    assert (0x0203, b"ab", b"cd", b"") == (fields.number(2), fields.text(), fields.text(), fields.text())
    assert fields.number(0) == 0
    with pytest.raises(MediaError, match="inside its fields"):
        fields.number(1)
