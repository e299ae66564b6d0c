"""New pixels in a row of samples: theirs and no others, with or without differences, in any depth."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.media import tiff_rows


def stored(values: list[int], depth: int, order: str, step: int, differences: bool) -> bytes:
    if differences:
        values = [(value - (values[at - step] if at >= step else 0)) % (1 << depth) for at, value in enumerate(values)]
    return struct.pack(f"{order}{len(values)}{'B' if depth == 8 else 'H'}", *values)


@given(st.data(), st.sampled_from([8, 16]), st.sampled_from("<>"), st.integers(1, 4), st.booleans())
def test_every_other_pixel_keeps_its_value(
    data: st.DataObject, depth: int, order: str, step: int, differences: bool
) -> None:
    width = data.draw(st.integers(1, 12))
    left = data.draw(st.integers(0, width - 1))
    right = data.draw(st.integers(left + 1, width))
    sample = st.integers(0, (1 << depth) - 1)
    old = data.draw(st.lists(sample, min_size=width * step, max_size=width * step))
    count = right - left
    new = [data.draw(st.lists(sample, min_size=count, max_size=count)) for _ in range(step)]
    expected = list(old)
    for channel, values in enumerate(new):
        expected[left * step + channel : right * step : step] = values
    row = stored(old, depth, order, step, differences)
    found = tiff_rows.replaced(row, new, left, right, depth, order, differences)
    assert found == stored(expected, depth, order, step, differences)
    if depth == 8:
        assert list(tiff_rows.taken(row, step, left, right, differences)) == old[left * step : right * step]


@given(st.data(), st.sampled_from([1, 2, 4]))
def test_pixels_that_share_a_byte(data: st.DataObject, depth: int) -> None:
    width = data.draw(st.integers(1, 30))
    left = data.draw(st.integers(0, width - 1))
    right = data.draw(st.integers(left + 1, width))
    length = -(-width * depth // 8)
    row = data.draw(st.binary(min_size=length, max_size=length))
    new = data.draw(st.lists(st.integers(0, (1 << depth) - 1), min_size=right - left, max_size=right - left))
    found = tiff_rows.replaced(row, [new], left, right, depth, "<", False)

    def bits(content: bytes) -> str:
        return "".join(f"{byte:08b}" for byte in content)

    middle = "".join(f"{value:0{depth}b}" for value in new)
    assert bits(found) == bits(row)[: left * depth] + middle + bits(row)[right * depth :]


@pytest.mark.parametrize(("expected", "order"), [([1, 256], "<"), ([256, 1], ">")])
def test_samples_of_16_bits_have_the_files_byte_order(expected: list[int], order: str) -> None:
    assert list(tiff_rows.samples(b"\1\0\0\1", 16, order)) == expected
