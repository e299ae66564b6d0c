"""EXIF: orientation and labels found in either byte order, and nothing believed that is out of bounds."""

import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.label.aigc import Aigc
from proxy.media import exif
from proxy.media.carriers import labels

LABEL = Aigc.first_write("ACME", "0a1b")
WRAPPED = '{"AIGC": ' + LABEL.compact() + "}"
ORDERS = {"<": b"II*\0", ">": b"MM\0*"}


def ifd(order: str, *entries: tuple[int, int, int, bytes]) -> bytes:
    return (
        struct.pack(order + "H", len(entries))
        + b"".join(struct.pack(order + "HHI", *entry[:3]) + entry[3].ljust(4, b"\0") for entry in entries)
        + bytes(4)
    )


def block(order: str, tag: int, kind: int, value: bytes, inner: bool = False) -> bytes:
    """A TIFF block with one long field, in IFD0 or in the EXIF IFD."""
    at = 8 + 18 * (1 + inner)
    field = ifd(order, (tag, kind, len(value), struct.pack(order + "I", at)))
    outer = ifd(order, (0x8769, 4, 1, struct.pack(order + "I", 26))) if inner else b""
    return ORDERS[order] + struct.pack(order + "I", 8) + outer + field + value


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("prefix", [b"", exif.IDENTIFIER])
@pytest.mark.parametrize(("expected", "value"), [(1, 1), (6, 6), (8, 8), (1, 0), (1, 9), (1, 65535)])
def test_orientation(expected: int, value: int, order: str, prefix: bytes) -> None:
    entry = (0x0112, 3, 1, struct.pack(order + "H", value))
    assert exif.orientation(prefix + ORDERS[order] + struct.pack(order + "I", 8) + ifd(order, entry)) == expected


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("tag", "kind", "value", "inner"),
    [
        (0x9286, 7, b"ASCII\0\0\0" + WRAPPED.encode(), True),
        (0x9286, 7, b"ASCII\0" + WRAPPED.encode(), True),
        (0x9286, 7, bytes(8) + LABEL.compact().encode() + bytes(3), True),
        (0x9286, 2, b"ASCII\0\0\0" + WRAPPED.encode(), False),
        (0x010E, 2, WRAPPED.encode() + b"\0", False),
        (0x010E, 2, b"AIGC" + LABEL.compact().encode() + b"\0", False),
    ],
)
def test_a_label_is_found_and_blanked_in_place(order: str, tag: int, kind: int, value: bytes, inner: bool) -> None:
    found = block(order, tag, kind, value, inner)
    assert labels(exif.carriers(found)) == (LABEL,)
    blank = exif.without_labels(found)
    assert labels(exif.carriers(blank)) == ()
    assert len(blank) == len(found)
    assert blank.rstrip(b"\0") == found[: len(blank.rstrip(b"\0"))]


@pytest.mark.parametrize(("order", "encoding"), [("<", "utf-16-le"), (">", "utf-16-be")])
def test_a_label_in_utf_16(order: str, encoding: str) -> None:
    found = block(order, 0x9286, 7, b"UNICODE\0" + WRAPPED.encode(encoding), True)
    assert labels(exif.carriers(found)) == (LABEL,)


@pytest.mark.parametrize(
    "value", [b"", b"ASCII\0\0\0a cat", b'ASCII\0\0\0{"prompt": "a cat"}', b"UNICODE\0\0a", b"ASCII\0\0\0{", b"{"]
)
def test_what_is_no_label_stays(value: bytes) -> None:
    found = block("<", 0x9286, 7, value, True)
    assert labels(exif.carriers(found)) == ()
    assert exif.without_labels(found) == found


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("prefix", [b"", exif.IDENTIFIER])
def test_the_thumbnail_is_blanked_and_nothing_else(order: str, prefix: bytes) -> None:
    head = prefix + ORDERS[order] + struct.pack(order + "I", 8)
    turned = (0x0112, 3, 1, struct.pack(order + "H", 6))
    jpeg = b"\xff\xd8\xff thumbnail \xff\xd9"
    at = struct.pack(order + "I", 26 + 30)
    second = ifd(order, (0x0201, 4, 1, at), (0x0202, 4, 1, struct.pack(order + "I", len(jpeg))))
    first = ifd(order, turned)
    linked = first[:-4] + struct.pack(order + "I", 26)
    before = head + linked + second + jpeg + b"rest"
    assert exif.without_thumbnail(before) == head + first + second + bytes(len(jpeg)) + b"rest"
    assert exif.orientation(exif.without_thumbnail(before)) == 6
    alone = head + first + b"rest"
    assert exif.without_thumbnail(alone) == alone


def test_fields_that_share_their_text_take_no_longer_than_one() -> None:
    count, text = 4_000, b'{"AIGC": {"x": "' + bytes(1_000_000)
    entry = (0x010E, 2, len(text), struct.pack("<I", 8 + 2 + 12 * count + 4))
    found = ORDERS["<"] + struct.pack("<I", 8) + ifd("<", *[entry] * count) + text
    begun = time.monotonic()
    assert exif.carriers(found) == []
    assert time.monotonic() - begun < 2


def test_an_exif_ifd_that_points_to_itself_ends() -> None:
    found = ORDERS["<"] + struct.pack("<I", 8) + ifd("<", (0x8769, 4, 1, struct.pack("<I", 8)))
    assert labels(exif.carriers(found)) == ()


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"II*\0", b"MM\0*", b"II*\0\x08\0\0\0", b"Exif\0\0MM\0*\0\0\0\x08"])
)
def test_no_block_breaks_it(rest: bytes, start: bytes) -> None:
    found = start + rest
    assert 1 <= exif.orientation(found) <= 8
    assert len(exif.without_labels(found)) == len(found)


@given(st.data())
def test_no_flipped_byte_breaks_it(data: st.DataObject) -> None:
    found = bytearray(block("<", 0x9286, 7, b"ASCII\0\0\0" + WRAPPED.encode(), True))
    found[data.draw(st.integers(0, 60))] = data.draw(st.integers(0, 255))
    exif.orientation(bytes(found))
    exif.carriers(exif.without_labels(bytes(found)))
