"""Photoshop's resources: the thumbnails are found, and damage ends the search."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.media.photoshop import thumbnails


def resource(number: int, content: bytes, name: bytes = b"") -> bytes:
    named = bytes((len(name),)) + name
    named += bytes(len(named) % 2)
    return (
        b"8BIM"
        + struct.pack(">H", number)
        + named
        + struct.pack(">I", len(content))
        + content
        + bytes(len(content) % 2)
    )


@pytest.mark.parametrize("name", [b"", b"a", b"ab"])
@pytest.mark.parametrize("before", [b"", resource(1005, b"odd"), resource(1005, b"even", b"name")])
@pytest.mark.parametrize("number", [1033, 1036])
def test_each_thumbnail_is_found(number: int, before: bytes, name: bytes) -> None:
    small = resource(number, b"thumbnail", name)
    (first, second) = thumbnails(before + small + resource(1061, b"digest") + small)
    assert (before + small)[slice(*first)] == b"thumbnail"
    assert second[0] - first[0] == len(small) + len(resource(1061, b"digest"))


@pytest.mark.parametrize("content", [b"", b"8BIM", b"8BPS" + bytes(20), resource(1036, b"thumbnail")[:-2]])
def test_what_is_damaged_holds_none(content: bytes) -> None:
    assert thumbnails(content) == []


@given(st.binary(max_size=60))
def test_no_bytes_break_it(rest: bytes) -> None:
    content = resource(1036, b"ab") + b"8BIM" + rest
    assert all(0 <= start <= end <= len(content) for start, end in thumbnails(content))
