"""PNG: chunks kept in order, text chunks read in every form, broken files refused."""

import struct
import time
import zlib
from collections.abc import Callable

import pytest

from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement, packet
from proxy.media import png
from proxy.media.errors import MediaError

LABEL = Aigc.first_write("ACME", "0a1b")
JSON = LABEL.compact()
HEADER = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
IDAT = (b"IDAT", zlib.compress(b"\0\x80"))


def file(*chunks: tuple[bytes, bytes], header: bytes = HEADER) -> bytes:
    every = ((b"IHDR", header), *chunks, (b"IEND", b""))
    return png.SIGNATURE + b"".join(png.chunk_bytes(kind, data) for kind, data in every)


@pytest.mark.parametrize(
    "chunk",
    [
        (b"tEXt", b"AIGC\0" + JSON.encode()),
        (b"tEXt", b"aigc\0" + JSON.encode()),
        (b"tEXt", b'AIGC\0{"AIGC": ' + JSON.encode() + b"}"),
        (b"zTXt", b"AIGC\0\0" + zlib.compress(JSON.encode())),
        (b"iTXt", b"AIGC\0\0\0\0\0" + JSON.encode()),
        (b"iTXt", b"AIGC\0\1\0zh\0x\0" + zlib.compress(JSON.encode())),
    ],
)
@pytest.mark.parametrize("last", [False, True])
def test_a_label_is_read_from_every_text_chunk_and_moved_to_xmp(chunk: tuple[bytes, bytes], last: bool) -> None:
    data = file(IDAT, chunk) if last else file(chunk, IDAT)
    assert png.read(data) == (LABEL,)
    written = png.write(data, Statement(LABEL))
    assert png.read(written) == (LABEL,)
    assert [found.kind for found in png.parse(written)[1]] == [b"IHDR", b"iTXt", b"IDAT", b"IEND"]


def test_what_is_no_label_is_passed_over() -> None:
    bad = zlib.compress(JSON.encode())[:-6]
    data = file((b"tEXt", b"AIGC\0yes"), (b"zTXt", b"AIGC\0\0" + bad), (b"zTXt", b"AIGC"), (b"iTXt", b"AIGC"), IDAT)
    assert png.read(data) == ()
    assert png.read(png.write(data, Statement(LABEL))) == (LABEL,)


def test_the_label_goes_where_the_packet_was(load: Callable[[str], bytes]) -> None:
    before = [chunk.kind for chunk in png.parse(load("metadata.png"))[1]]
    written = png.write(load("metadata.png"), Statement(LABEL))
    assert [chunk.kind for chunk in png.parse(written)[1]] == before
    old, new = (png.parse(data)[1] for data in (load("metadata.png"), written))
    changed = [index for index, pair in enumerate(zip(old, new, strict=True)) if pair[0].whole != pair[1].whole]
    assert [bytes(new[index].data[:17]) for index in changed] == [b"XML:com.adobe.xmp"]
    assert b'dc:format="image/x"' in written
    assert written.endswith(b"trailer")


def test_a_new_packet_follows_the_header_uncompressed(load: Callable[[str], bytes]) -> None:
    written = png.write(load("rgb8.png"), Statement(LABEL))
    assert written[33:].startswith(written[33:37] + b"iTXtXML:com.adobe.xmp\0\0\0\0\0<?xpacket")
    end = 33 + 12 + int.from_bytes(written[33:37])
    assert written[:33] + written[end:] == load("rgb8.png")


def test_of_several_packets_one_holds_the_label() -> None:
    plain = b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"></rdf:RDF>'
    found = (b"not XML", packet(Statement(LABEL)), plain)
    packets = [(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + one) for one in found]
    written = png.write(file(*packets, IDAT), Statement(LABEL))
    assert png.read(written) == (LABEL,)
    assert [chunk.kind for chunk in png.parse(written)[1]].count(b"iTXt") == 2


def test_exif_with_a_label_loses_nothing_but_the_label(load: Callable[[str], bytes]) -> None:
    old, new = (
        {chunk.kind: bytes(chunk.data) for chunk in png.parse(data)[1]}[b"eXIf"]
        for data in (load("labelled-exif.png"), png.write(load("labelled-exif.png"), Statement(LABEL)))
    )
    assert len(old) == len(new)
    assert new.rstrip(b"\0") == old[: len(new.rstrip(b"\0"))]
    assert b"UNICODE\0" in new


@pytest.mark.parametrize(
    ("message", "data"),
    [
        ("signature is missing", b""),
        ("signature is missing", b"\xff\xd8\xff"),
        ("before its header", png.SIGNATURE),
        ("header is damaged", file(IDAT).replace(b"IHDR", b"IHDr")),
        ("header is damaged", file(IDAT).replace(HEADER, b"\1" + HEADER[1:])),
        ("impossible size", file(IDAT, header=bytes(4) + HEADER[4:])),
        ("impossible size", file(IDAT, header=b"\xff" + HEADER[1:])),
        ("does not know", file(IDAT, header=HEADER[:8] + b"\x03\0\0\0\0")),
        ("does not know", file(IDAT, header=HEADER[:8] + b"\x08\x05\0\0\0")),
        ("does not know", file(IDAT, header=HEADER[:8] + b"\x08\0\1\0\0")),
        ("does not know", file(IDAT, header=HEADER[:8] + b"\x08\0\0\0\2")),
        ("not in the order", file()),
        ("not in the order", file(IDAT, (b"IHDR", HEADER))),
        ("not in the order", file(IDAT, (b"PLTE", bytes(3)))),
        ("not together", file(IDAT, (b"tEXt", b"a\0b"), IDAT)),
        ("palette", file((b"PLTE", bytes(3)), IDAT)),
        ("palette", file(IDAT, header=HEADER[:8] + b"\x08\3\0\0\0")),
        ("a critical chunk", file((b"CgBI", b""), IDAT)),
        ("IDAT chunk is damaged", file(IDAT).replace(IDAT[1], IDAT[1][:-1] + b"\xff")),
        ("no name", file((b"te t", b""), IDAT)),
        ("before its IEND", file(IDAT)[:-12]),
        ("inside a chunk", file((b"tEXt", bytes(100)), IDAT).replace(b"\0\0\0\x64tEXt", b"\0\1\0\x64tEXt")),
        ("places for labels", file(*[(b"tEXt", b"AIGC\0" + JSON.encode())] * 17, IDAT)),
    ],
)
def test_a_broken_file_is_refused_with_the_reason(message: str, data: bytes) -> None:
    for act in (png.read, png.has_manifest, lambda found: png.write(found, Statement(LABEL))):
        with pytest.raises(MediaError, match=message):
            act(data)


def test_a_damaged_checksum_of_an_ancillary_chunk_is_kept_as_it_is() -> None:
    data = file((b"tEXt", b"Comment\0hello"), IDAT).replace(b"hello", b"jello")
    assert b"jello" in png.write(data, Statement(LABEL))


def test_the_time_is_bounded() -> None:
    bomb = zlib.compress(bytes(20_000_000), 9)
    begun = time.monotonic()
    assert png.read(file(*[(b"zTXt", b"AIGC\0\0" + bomb)] * 16, IDAT)) == ()
    with pytest.raises(MediaError, match="too many chunks"):
        png.read(file(*[(b"prVt", b"")] * 200_000, IDAT))
    assert time.monotonic() - begun < 5
