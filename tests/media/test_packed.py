"""Compressed metadata: every encoding that is found, and nothing beyond a bound."""

import gzip
import zlib

import brotli
import pytest

from proxy.media.packed import brotli_opening, from_brotli, unpacked

TEXT = b"<x:xmpmeta/>" * 100
BARE = zlib.compress(TEXT)[2:-4]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (TEXT, b""),
        (gzip.compress(TEXT, mtime=0), b"gzip"),
        (zlib.compress(TEXT), b"deflate"),
        (BARE, b"deflate"),
        (zlib.compress(TEXT), b"compress_zlib"),
        (brotli.compress(TEXT), b"br"),
    ],
)
def test_what_was_packed_is_unpacked(content: bytes, encoding: bytes) -> None:
    assert unpacked(content, encoding) == TEXT
    if encoding:
        assert unpacked(content[:-9], encoding) == b""
        assert unpacked(b"\xff" + content, encoding) == b""


def test_what_nobody_knows_is_empty() -> None:
    assert unpacked(TEXT, b"zstd") == b""


@pytest.mark.parametrize("length", [1 << 20, (1 << 20) + 1])
def test_nothing_grows_over_the_bound(length: int) -> None:
    text = b"x" * length
    expected = text if length <= 1 << 20 else b""
    assert from_brotli(brotli.compress(text, quality=1)) == expected
    assert unpacked(zlib.compress(text), b"deflate") == expected


def test_an_opening_is_read_of_any_length() -> None:
    assert brotli_opening(brotli.compress(b"jumd" + bytes(10**7), quality=1), 6) == b"jumd\0\0"
    assert brotli_opening(b"\xff\xff\xff", 6) == b""
