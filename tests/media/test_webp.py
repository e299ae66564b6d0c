"""WebP: chunks kept in order, the simple form extended rightly, broken files refused."""

from collections.abc import Callable
from io import BytesIO

import pytest
from PIL import Image

from proxy.label import xmp
from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement
from proxy.media import riff, webp
from proxy.media.errors import MediaError

LABEL = Aigc.first_write("ACME", "0a1b")
Load = Callable[[str], bytes]


def chunks(data: bytes) -> list[riff.Chunk]:
    return riff.parse(data).chunks


def kinds(data: bytes) -> list[bytes]:
    return [found.kind for found in chunks(data)]


def written(data: bytes) -> bytes:
    return webp.write(data, Statement(LABEL))


def with_chunks(data: bytes, *added: bytes, at: int | None = None) -> bytes:
    """Chunks put in before the chunk numbered ``at``, or at the end."""
    whole: list[bytes | memoryview] = [found.whole for found in chunks(data)]
    place = len(whole) if at is None else at
    return riff.file(b"WEBP", [*whole[:place], *added, *whole[place:]])


def without(data: bytes, *names: bytes) -> bytes:
    return riff.file(b"WEBP", [found.whole for found in chunks(data) if found.kind not in names])


@pytest.mark.parametrize(
    ("expected", "name"),
    [
        (0x04, "lossy.webp"),
        (0x04, "lossless.webp"),
        (0x14, "lossless-alpha.webp"),
        (0x14, "lossless-opaque.webp"),
        (0x14, "lossy-alpha.webp"),
        (0x0C, "orientation6.webp"),
        (0x2C, "metadata.webp"),
        (0x06, "animated.webp"),
        (0x1E, "animated-sticker.webp"),
        (0x04, "labelled-xmp-first.webp"),
    ],
)
def test_the_first_chunk_says_that_there_is_xmp_and_what_else_there_was(expected: int, name: str, load: Load) -> None:
    first = chunks(written(load(name)))[0]
    assert (first.kind, first.data[0]) == (b"VP8X", expected)
    assert bytes(first.data[1:]) == b"\0\0\0\x5f\0\0\x3f\0\0"
    judge = Image.open(BytesIO(written(load(name))))
    assert xmp.every(judge.info["xmp"]) == (LABEL,)
    assert judge.mode == ("RGBA" if expected & 0x10 else "RGB")


@pytest.mark.parametrize(
    ("expected", "name"),
    [
        ([b"VP8X", b"VP8 ", b"XMP "], "lossy.webp"),
        ([b"VP8X", b"ALPH", b"VP8 ", b"XMP "], "lossy-alpha.webp"),
        ([b"VP8X", b"VP8L", b"EXIF", b"XMP "], "orientation6.webp"),
        ([b"VP8X", b"ICCP", b"VP8 ", b"EXIF", b"XMP ", b"prVt"], "metadata.webp"),
        ([b"VP8X", b"ANIM", *[b"ANMF"] * 4, b"XMP "], "animated.webp"),
        ([b"VP8X", b"XMP ", b"VP8 "], "labelled-xmp-first.webp"),
        ([b"VP8X", b"VP8 ", b"XMP "], "labelled-chunk.webp"),
        ([b"VP8X", b"VP8 ", b"XMP "], "manifest.webp"),
    ],
)
def test_the_packet_follows_pictures_and_exif_or_stays_in_its_place(
    expected: list[bytes], name: str, load: Load
) -> None:
    assert kinds(written(load(name))) == expected


def test_every_other_chunk_is_kept_byte_for_byte_and_in_order(load: Load) -> None:
    before, after = load("metadata.webp"), written(load("metadata.webp"))
    changed = [
        old.kind for old, new in zip(chunks(before), chunks(after), strict=True) if bytes(old.whole) != bytes(new.whole)
    ]
    assert changed == [b"XMP "]
    assert after.endswith(b"trailer")


def test_frames_are_not_touched(load: Load) -> None:
    before, after = (webp.parse(data).frames for data in (load("animated.webp"), written(load("animated.webp"))))
    assert [bytes(frame.chunk.whole) for frame in before] == [bytes(frame.chunk.whole) for frame in after]


def test_a_simple_file_is_not_told_of_chunks_that_no_viewer_has_heeded(load: Load) -> None:
    """A viewer that had passed over the profile and the orientation would show another picture."""
    data = with_chunks(load("lossy.webp"), riff.chunk(b"ICCP", b"profile"), riff.chunk(b"EXIF", b"II*\0"))
    assert chunks(written(data))[0].data[0] == 0x04


def test_a_second_packet_goes_where_it_holds_a_label_and_stays_where_not(load: Load) -> None:
    plain, other = load("metadata.webp"), xmp.packet(Statement(Aigc.first_write("OTHER", "2")))
    assert kinds(written(with_chunks(plain, riff.chunk(b"XMP ", other)))).count(b"XMP ") == 1
    assert kinds(written(with_chunks(plain, riff.chunk(b"XMP ", b"not a packet")))).count(b"XMP ") == 2


@pytest.mark.parametrize(
    "text", [LABEL.compact(), f'{{"AIGC": {LABEL.compact()}}}', LABEL.compact() + "\0", "AIGC=" + LABEL.compact()]
)
def test_a_label_in_a_chunk_of_its_own_is_read_and_replaced(text: str, load: Load) -> None:
    data = with_chunks(load("lossy.webp"), riff.chunk(b"AIGC", text.encode()))
    assert webp.read(data) == (LABEL,)
    assert written(data) == written(load("lossy.webp"))


def test_what_stands_where_is_told(load: Load) -> None:
    assert [found.place for found in webp.carriers(load("labelled-exif-prefix.webp"))] == ["EXIF ImageDescription"]
    assert [found.place for found in webp.carriers(load("metadata.webp"))] == ["XMP chunk"]
    assert [found.place for found in webp.carriers(load("labelled-chunk.webp"))] == ["AIGC chunk"]


def test_a_last_chunk_without_its_even_byte_is_read_and_mended(load: Load) -> None:
    data = with_chunks(load("lossy.webp"), riff.chunk(b"prVt", b"odd"))
    short = data[:4] + (len(data) - 9).to_bytes(4, "little") + data[8:-1]
    assert written(short) == written(data)


def test_animations_say_where_their_frames_stand(load: Load) -> None:
    picture = webp.parse(load("animated-sticker.webp"))
    assert picture.bitmap is None
    assert [frame.region for frame in picture.frames] == [(0, 0, 40, 40), (20, 10, 70, 50), (50, 20, 90, 60)]
    assert [frame.replaces for frame in picture.frames] == [False, True, False]
    assert [frame.bitmap.lossless for frame in picture.frames] == [False, True, True]
    assert all(frame.bitmap.alpha for frame in picture.frames)


def frame_of(data: bytes, at: int, value: bytes) -> bytes:
    """The animation with other bytes in its first frame's header."""
    start = data.index(b"ANMF") + 8 + at
    return data[:start] + value + data[start + len(value) :]


def broken(load: Load) -> dict[str, list[bytes]]:
    lossy, alpha, animated = load("lossy.webp"), load("lossy-alpha.webp"), load("animated.webp")
    picture = bytes(chunks(lossy)[0].whole)
    second = bytes(chunks(alpha)[1].whole)
    return {
        "header is missing": [lossy.replace(b"WEBP", b"WEBM"), lossy.replace(b"RIFF", b"RIFX")],
        "ends before its last chunk": [lossy[:-2]],
        "does not begin with the chunk": [
            riff.file(b"WEBP", []),
            with_chunks(lossy, riff.chunk(b"prVt", b""), at=0),
            with_chunks(alpha, bytes(chunks(alpha)[0].whole)),
        ],
        "VP8X chunk is damaged": [
            riff.file(b"WEBP", [riff.chunk(b"VP8X", bytes(9)), picture]),
            riff.file(b"WEBP", [riff.chunk(b"VP8X", bytes(12)), picture]),
        ],
        "impossible size": [riff.file(b"WEBP", [riff.chunk(b"VP8X", bytes(4) + b"\xff" * 6), picture])],
        "VP8 header is missing": [lossy.replace(b"\x9d\x01\x2a", b"\x9d\x01\x2b")],
        "2 pictures where one belongs": [with_chunks(lossy, picture), with_chunks(alpha, picture)],
        "0 pictures where one belongs": [without(alpha, b"VP8 "), without(alpha, b"VP8 ", b"ALPH")],
        "chunks in disorder": [with_chunks(without(alpha, b"ALPH"), second), with_chunks(alpha, second, at=1)],
        "not as large as its canvas": [alpha.replace(b"\x5f\0\0\x3f\0\0", b"\x5f\0\0\x40\0\0", 1)],
        "does not say that it is one": [animated[:20] + b"\0" + animated[21:]],
        "no ANIM chunk": [without(animated, b"ANIM"), without(animated, b"ANMF"), alpha[:20] + b"\x12" + alpha[21:]],
        "damaged ANIM chunk": [
            with_chunks(without(animated, b"ANIM"), riff.chunk(b"ANIM", bytes(5)), at=1),
            with_chunks(animated, picture),
        ],
        "frame that is cut short": [with_chunks(animated, riff.chunk(b"ANMF", bytes(15)))],
        "another size, or not on the canvas": [
            frame_of(animated, 0, b"\1"),
            frame_of(animated, 3, b"\1"),
            frame_of(animated, 6, b"\x5e"),
            frame_of(animated, 9, b"\x3e"),
        ],
        "more than 10000 frames": [with_chunks(animated, *[riff.chunk(b"ANMF", b"")] * 10_001)],
        "inside a chunk": [frame_of(animated, 20, b"\xff\xff")],
        "places for labels": [with_chunks(alpha, *[riff.chunk(b"XMP ", b"")] * 17)],
    }


def test_a_broken_file_is_refused_with_the_reason(load: Load) -> None:
    for message, files in broken(load).items():
        for data in files:
            for act in (webp.read, webp.has_manifest, written):
                with pytest.raises(MediaError, match=message):
                    act(data)


@pytest.mark.parametrize("end", [12, 20, 29])
def test_the_size_needs_the_first_chunks_header(end: int, load: Load) -> None:
    for name in ("lossy.webp", "lossy-alpha.webp"):
        assert webp.size(load(name)[:30]) == (96, 64)
        with pytest.raises(MediaError):
            webp.size(load(name)[:end])
