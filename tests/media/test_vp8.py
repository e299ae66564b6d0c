"""WebP's codecs' headers, read from what libwebp has written."""

from io import BytesIO

import pytest
from PIL import Image

from proxy.media import vp8
from proxy.media.errors import MediaError


def payload(image: Image.Image, **options: object) -> memoryview:
    """The codec's data in a WebP of the simple form."""
    out = BytesIO()
    image.save(out, "WEBP", **options)
    return memoryview(out.getvalue())[20:]


SIZES = [(1, 1), (96, 64), (17, 255), (257, 3)]


@pytest.mark.parametrize("size", SIZES)
def test_the_size_is_read(size: tuple[int, int]) -> None:
    assert vp8.lossy_header(payload(Image.new("RGB", size))) == (*size, False)
    assert vp8.lossless_header(payload(Image.new("RGB", size), lossless=True)) == (*size, False)
    assert vp8.lossless_header(payload(Image.new("RGBA", size), lossless=True)) == (*size, True)


def test_only_a_whole_frame_has_to_be_whole() -> None:
    data = payload(Image.new("RGB", (96, 64)))
    assert vp8.lossy_header(data[:10], whole=False) == (96, 64, False)
    with pytest.raises(MediaError, match="cut short"):
        vp8.lossy_header(data[:10])


@pytest.mark.parametrize("end", range(10))
def test_what_is_too_short_is_refused(end: int) -> None:
    with pytest.raises(MediaError):
        vp8.lossy_header(payload(Image.new("RGB", (9, 9)))[:end], whole=False)
    with pytest.raises(MediaError):
        vp8.lossless_header(payload(Image.new("RGB", (9, 9)), lossless=True)[: min(end, 5)])


@pytest.mark.parametrize(
    ("message", "at", "byte"),
    [
        ("damaged", 0, 0x11),  # no key frame
        ("damaged", 0, 0x18),  # a version that nobody knows
        ("damaged", 0, 0x00),  # not shown
        ("missing or damaged", 3, 0x9E),
        ("impossible size", 6, 0x00),
    ],
)
def test_a_lossy_frame_that_cannot_be_is_refused(message: str, at: int, byte: int) -> None:
    data = bytearray(payload(Image.new("RGB", (9, 9))))
    data[at] = byte
    with pytest.raises(MediaError, match=message):
        vp8.lossy_header(memoryview(data))


@pytest.mark.parametrize(("at", "byte"), [(0, 0x2E), (4, 0x20)])
def test_a_lossless_frame_that_cannot_be_is_refused(at: int, byte: int) -> None:
    data = bytearray(payload(Image.new("RGB", (9, 9)), lossless=True))
    data[at] = byte
    with pytest.raises(MediaError, match="VP8L header is missing or damaged"):
        vp8.lossless_header(memoryview(data))


def test_the_quantisers_are_finer_at_higher_quality() -> None:
    noise = Image.frombytes("L", (16, 16), bytes(at * 89 % 251 for at in range(256))).resize((128, 128)).convert("RGB")
    means = []
    for quality in range(0, 101, 10):
        found = vp8.quantisers(payload(noise, quality=quality))
        assert 0.99 < sum(part for _, part in found) < 1.01
        assert all(0 <= index <= 127 for index, _ in found)
        means.append(sum(index * part for index, part in found))
    assert means == sorted(means, reverse=True)
    assert means[0] > 100
    assert means[-1] == 0


def test_data_that_ends_in_the_header_goes_on_with_zeros() -> None:
    data = bytearray(payload(Image.new("RGB", (9, 9))))
    data[:3] = (0x10).to_bytes(3, "little")  # a first partition of nothing
    assert vp8.quantisers(memoryview(data)[:10]) == [(0, 1.0)]
