"""JPEG: segments kept in order, labels read in every place, broken files refused."""

import struct
from collections.abc import Callable

import pytest

from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement, packet
from proxy.media import jpeg
from proxy.media.dressing import bare, dressed
from proxy.media.errors import MediaError
from proxy.media.segments import stores_rgb

LABEL = Aigc.first_write("ACME", "0a1b")
XMP, EXTENSION = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"


def segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(payload) + 2).to_bytes(2) + payload


def markers(data: bytes) -> list[int]:
    return [found.marker for found in jpeg.parse(data).segments]


def insert(data: bytes, *segments: bytes) -> bytes:
    """After JFIF's segment of 18 bytes."""
    return data[:20] + b"".join(segments) + data[20:]


@pytest.mark.parametrize("name", ["420.jpg", "progressive.jpg", "cmyk.jpg", "bare.jpg"])
def test_the_compressed_picture_is_not_touched(name: str, load: Callable[[str], bytes]) -> None:
    before, after = jpeg.parse(load(name)), jpeg.parse(jpeg.write(load(name), Statement(LABEL)))
    assert before.scan == after.scan
    kept = [found for found in after.segments if not found.payload.startswith(XMP)]
    assert kept == before.segments


def test_a_redrawn_picture_keeps_no_thumbnail_of_what_it_was(load: Callable[[str], bytes]) -> None:
    data = load("420.jpg")
    jfif = jpeg.parse(data).segments[0].payload
    small = segment(0xE0, jfif[:12] + b"\1\1" + b"rgb")
    old = data[:2] + small + segment(0xE0, b"JFXX\0\x10thumbnail") + data[20:]
    assert dressed(old, bare(data)) == data
    assert jpeg.write(old, Statement(LABEL)).startswith(data[:2] + small)  # where nothing was drawn, nothing goes


def test_a_new_packet_follows_jfif_and_exif(load: Callable[[str], bytes]) -> None:
    for name, expected in (("420.jpg", [0xE0, 0xE1]), ("orientation6.jpg", [0xE0, 0xE1, 0xE1]), ("bare.jpg", [0xE1])):
        written = jpeg.write(load(name), Statement(LABEL))
        assert markers(written)[: len(expected)] == expected
        assert jpeg.parse(written).segments[len(expected) - 1].payload.startswith(XMP)


def test_other_segments_are_kept_byte_for_byte_and_in_order(load: Callable[[str], bytes]) -> None:
    before, after = jpeg.parse(load("metadata.jpg")), jpeg.parse(jpeg.write(load("metadata.jpg"), Statement(LABEL)))
    changed = [old for old, new in zip(before.segments, after.segments, strict=True) if old != new]
    assert [found.payload[: len(XMP)] for found in changed] == [XMP]
    assert after.trailer == b"trailer"


def test_only_c2pas_boxes_go(load: Callable[[str], bytes]) -> None:
    before, after = load("manifest.jpg"), jpeg.write(load("manifest.jpg"), Statement(LABEL))
    assert markers(before).count(0xEB) == 3
    assert markers(after).count(0xEB) == 1
    assert b"somebody else's" in after


@pytest.mark.parametrize("marker", [0xE1, 0xE4, 0xE9, 0xEF, 0xFE])
@pytest.mark.parametrize(
    "payload",
    [
        b"AIGC" + LABEL.compact().encode(),
        b"AIGC\0" + LABEL.compact().encode(),
        b"AIGC=" + LABEL.compact().encode(),
        LABEL.compact().encode(),
        b'{"AIGC": ' + LABEL.compact().encode() + b"}\0",
    ],
)
def test_a_label_in_a_segment_of_its_own_is_read_and_replaced(
    marker: int, payload: bytes, load: Callable[[str], bytes]
) -> None:
    data = insert(load("420.jpg"), segment(marker, payload))
    assert jpeg.read(data) == (LABEL,)
    assert jpeg.write(data, Statement(LABEL)) == jpeg.write(load("420.jpg"), Statement(LABEL))


def test_other_json_in_a_comment_is_kept(load: Callable[[str], bytes]) -> None:
    data = insert(load("420.jpg"), segment(0xFE, b'{"prompt": "a cat"}'))
    assert jpeg.read(data) == ()
    assert b'{"prompt": "a cat"}' in jpeg.write(data, Statement(LABEL))


def test_a_packet_that_does_not_fit_is_refused(load: Callable[[str], bytes]) -> None:
    filler = packet(Statement(LABEL)).replace(b"<rdf:Description", b"<!--" + b"x" * 64_000 + b"--><rdf:Description", 1)
    data = insert(load("420.jpg"), segment(0xE1, XMP + filler))
    long = Aigc.first_write("ACME", "0a1b", "r" * 2048)
    assert jpeg.read(data) == (LABEL,)
    with pytest.raises(MediaError, match="do not fit into one JPEG segment"):
        jpeg.write(data, Statement(long))


def test_a_packet_that_does_not_fit_gives_up_its_room_for_changes(load: Callable[[str], bytes]) -> None:
    plain = packet(Statement(LABEL))
    data = insert(
        load("420.jpg"), segment(0xE1, XMP + plain.replace(b"<?xpacket end", b" " * 64_000 + b"<?xpacket end"))
    )
    long = Statement(Aigc.first_write("ACME", "0a1b", "r" * 2048))
    assert jpeg.write(data, long) == jpeg.write(load("420.jpg"), long)


def test_a_label_in_extended_xmp_is_read_and_taken_out_in_place(load: Callable[[str], bytes]) -> None:
    old = Aigc.first_write("doubao", "7642551196644884771")
    whole = packet(Statement(old)).replace(b"<rdf:Description", b"<!--" + b"x" * 70_000 + b"--><rdf:Description", 1)
    name = b"0123456789ABCDEF" * 2
    parts = [
        segment(0xE1, EXTENSION + name + struct.pack(">II", len(whole), at) + whole[at : at + 65_000])
        for at in (65_000, 0)
    ]
    data = insert(load("420.jpg"), *parts)
    assert jpeg.read(data) == (old,)
    written = jpeg.write(data, Statement(LABEL))
    assert jpeg.read(written) == (LABEL,)
    assert jpeg.write(written, Statement(LABEL)) == written
    assert b"doubao" not in written
    assert len(written) - len(jpeg.write(load("420.jpg"), Statement(LABEL))) == sum(map(len, parts))
    other = insert(load("420.jpg"), segment(0xE1, EXTENSION + name + struct.pack(">II", 4, 0) + b"<a/>"), parts[1])
    assert parts[1] in jpeg.write(other, Statement(LABEL))


def test_fill_bytes_before_a_marker_are_kept(load: Callable[[str], bytes]) -> None:
    data = load("420.jpg").replace(b"\xff\xdb", b"\xff\xff\xff\xdb", 1)
    assert jpeg.size(data) == (96, 64)
    assert b"\xff\xff\xff\xdb" in jpeg.write(data, Statement(LABEL))


def test_how_colours_are_stored_is_decided_as_libjpeg_does(load: Callable[[str], bytes]) -> None:
    stored = {
        name: stores_rgb(jpeg.parse(load(name)).segments) for name in ("420.jpg", "rgb.jpg", "cmyk.jpg", "bare.jpg")
    }
    assert stored == {"420.jpg": False, "rgb.jpg": True, "cmyk.jpg": False, "bare.jpg": False}


def broken(data: bytes) -> dict[str, bytes]:
    scan = data.index(b"\xff\xda")
    frame = data.index(b"\xff\xc0")
    return {
        "SOI is missing": data[1:],
        "between two segments": data[:20],
        "inside a segment": data[: scan - 5],
        "0 frame headers": data.replace(b"\xff\xc0", b"\xff\xc8"),
        "2 frame headers": data[:scan] + data[frame : frame + 19] + data[scan:],
        "frame header is damaged": data[:frame] + segment(0xC0, b"\x08\0\x40\0\x60\4" + bytes(9)) + data[frame + 19 :],
        "impossible size": data[: frame + 5] + b"\0\0" + data[frame + 7 :],
        "inside its compressed data": data[:-2],
        "marker D9": data[:20] + b"\xff\xd9" + data[20:],
        "marker D0": data[:20] + b"\xff\xd0" + data[20:],
        "inside its scans": data[:-2] + b"\xff\xd8\xff\xd9",
        "places for labels": insert(data, *[segment(0xFE, LABEL.compact().encode())] * 17),
        "more than 10000": insert(data, *[segment(0xFE, b"")] * 20_000),
    }


@pytest.mark.parametrize("message", list(broken(b"\xff\xda\xff\xc0")))
def test_a_broken_file_is_refused_with_the_reason(message: str, load: Callable[[str], bytes]) -> None:
    data = broken(load("420.jpg"))[message]
    for act in (jpeg.read, jpeg.has_manifest, lambda found: jpeg.write(found, Statement(LABEL))):
        with pytest.raises(MediaError, match=message):
            act(data)
