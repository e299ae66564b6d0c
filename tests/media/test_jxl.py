"""JPEG XL: boxes kept in order, a container where there was none, sizes as the codestream has them."""

from collections.abc import Callable

import brotli
import pytest

from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement, packet
from proxy.media import jxl
from proxy.media.boxes import box
from proxy.media.errors import MediaError

LABEL = Aigc.first_write("ACME", "0a1b")
STATEMENT = Statement(LABEL)
HEAD = box(b"JXL ", b"\r\n\x87\n") + box(b"ftyp", b"jxl \0\0\0\0jxl ")
CODESTREAM = bytes.fromhex("ff0a") + (1 | 7 << 1 | 0 << 6 | 11 << 9).to_bytes(4, "little")


def kinds(data: bytes) -> list[bytes]:
    found, position = [], 0
    while position < len(data):
        length = int.from_bytes(data[position : position + 4]) or len(data) - position
        found.append(data[position + 4 : position + 8])
        position += length
    assert position == len(data)
    return found


def contents(data: bytes, kind: bytes) -> bytes:
    start = data.index(kind) - 4
    return data[start + 8 : start + (int.from_bytes(data[start : start + 4]) or len(data))]


@pytest.mark.parametrize(
    ("expected", "name"),
    [
        ([b"xml ", b"jxlc"], "codestream.jxl"),
        ([b"xml ", b"jxlc"], "container.jxl"),
        ([b"jxll", b"xml ", b"jxlc"], "container-open.jxl"),
        ([b"jxlp", b"xml ", b"jxlp"], "jpeg.jxl"),
        ([b"Exif", b"xml ", b"jumb", b"jxlc", b"priv"], "metadata.jxl"),
        ([b"jxlc", b"xml "], "labelled-brob.jxl"),
        ([b"Exif", b"xml ", b"jxlc"], "labelled-exif-brob.jxl"),
        ([b"jumb", b"xml ", b"jxlc"], "manifest.jxl"),
    ],
)
def test_boxes_stay_in_order(expected: list[bytes], name: str, load: Callable[[str], bytes]) -> None:
    assert [b"JXL ", b"ftyp", *expected] == kinds(jxl.write(load(name), STATEMENT))


@pytest.mark.parametrize("name", ["codestream.jxl", "container.jxl", "container-open.jxl", "labelled-xmp.jxl"])
def test_the_codestream_is_not_touched(name: str, load: Callable[[str], bytes]) -> None:
    assert contents(jxl.write(load(name), STATEMENT), b"jxlc") == load("codestream.jxl")


def test_boxes_that_carry_no_label_are_kept_byte_for_byte(load: Callable[[str], bytes]) -> None:
    before, after = load("metadata.jxl"), jxl.write(load("metadata.jxl"), STATEMENT)
    start, end = before.index(b"xml ") - 4, before.index(b"jumb") - 4
    assert after.startswith(before[:start])
    assert after.endswith(before[end:])
    assert b"<TC260:AIGC>" in after
    assert b'dc:format="image/x"' in after


def test_xmp_of_a_transcoded_jpeg_is_merged_not_lost(load: Callable[[str], bytes]) -> None:
    (before,), (after,) = jxl.carriers(load("jpeg.jxl")), jxl.carriers(jxl.write(load("jpeg.jxl"), STATEMENT))
    assert (before.place, after.place) == ("xml box in brob", "xml box")
    assert b'dc:format="image/x"' in before.packet
    assert packet(STATEMENT, before.packet) == after.packet


def test_only_c2pas_boxes_go(load: Callable[[str], bytes]) -> None:
    after = jxl.write(load("manifest.jxl"), STATEMENT)
    assert b"jumdmine" in after
    assert b"jumdc2pa" not in after
    packed = HEAD + box(b"brob", b"jumb" + brotli.compress(b"\0\0\0\x80jumdc2pa" + bytes(10**7), quality=1))
    assert jxl.has_manifest(packed + box(b"jxlc", CODESTREAM))


def test_metadata_that_cannot_be_unpacked_gives_way() -> None:
    packed = HEAD + box(b"brob", b"xml " + brotli.compress(b" " * 10**7, quality=1)) + box(b"jxlc", CODESTREAM)
    assert jxl.read(packed) == ()
    assert jxl.read(jxl.write(packed, STATEMENT)) == (LABEL,)


def stream(*fields: tuple[int, int]) -> bytes:
    """A codestream's header of numbers, each with how many bits it takes, the lowest bit first."""
    bits = shift = 0
    for value, count in fields:
        bits |= value << shift
        shift += count
    return b"\xff\x0a" + bits.to_bytes(12, "little")


@pytest.mark.parametrize(
    ("expected", "data"),
    [
        ((96, 64), stream((1, 1), (7, 5), (0, 3), (11, 5))),
        ((64, 64), stream((1, 1), (7, 5), (1, 3))),
        ((76, 64), stream((1, 1), (7, 5), (2, 3))),
        ((85, 64), stream((1, 1), (7, 5), (3, 3))),
        ((128, 64), stream((1, 1), (7, 5), (7, 3))),
        ((301, 201), stream((0, 1), (0, 2), (200, 9), (0, 3), (0, 2), (300, 9))),
        ((8000, 6000), stream((0, 1), (1, 2), (5999, 13), (0, 3), (1, 2), (7999, 13))),
        ((200_000, 100), stream((0, 1), (0, 2), (99, 9), (0, 3), (2, 2), (199_999, 18))),
        ((1 << 30, 1 << 30), stream((0, 1), (3, 2), ((1 << 30) - 1, 30), (1, 3))),
    ],
)
def test_sizes(expected: tuple[int, int], data: bytes) -> None:
    assert expected == jxl.size(data)
    assert expected == jxl.size(HEAD + box(b"jxlc", data))
    assert expected == jxl.size(HEAD + box(b"jxlp", bytes(4), data) + box(b"jxlp", b"\x80\0\0\1more"))


@pytest.mark.parametrize(
    ("message", "data"),
    [
        ("signature is missing", b"\xff\xd8\xff"),
        ("ends before its size", b"\xff\x0a"),
        ("no codestream", HEAD),
        ("without its signature", HEAD + box(b"jxlc", b"\xff\xd8\xff\xff")),
        ("one codestream", HEAD + box(b"jxlc", CODESTREAM) * 2),
        ("one codestream", HEAD + box(b"jxlc", CODESTREAM) + box(b"jxlp", b"\x80\0\0\0" + CODESTREAM)),
        ("one codestream", HEAD[:12] + box(b"jxlc", CODESTREAM)),
        ("lacks a part", HEAD + box(b"jxlp", bytes(4), CODESTREAM)),
        ("lacks a part", HEAD + box(b"jxlp", bytes(4), CODESTREAM) + box(b"jxlp", b"\x80\0\0\2")),
        ("cut short", HEAD + box(b"jxlc", CODESTREAM) + b"\0\0\0\x20xml "),
        ("places for labels", HEAD + box(b"xml ") * 17 + box(b"jxlc", CODESTREAM)),
    ],
)
def test_a_broken_file_is_refused_with_the_reason(message: str, data: bytes) -> None:
    for act in (jxl.read, jxl.has_manifest, lambda found: jxl.write(found, STATEMENT)):
        with pytest.raises(MediaError, match=message):
            act(data)
