"""Compressed metadata, unpacked: PNG's, by the encodings that HEIF names after HTTP's (RFC 9110 8.4.1), and Brotli.

Law: what is damaged, of an unknown encoding or over 1 MiB is empty: no label was ever that long.
"""

import zlib

import brotli

from proxy.label.aigc import MAX_TEXT

_GZIP, _ZLIB, _RAW = zlib.MAX_WBITS | 16, zlib.MAX_WBITS, -zlib.MAX_WBITS
# "deflate" is zlib's form by the RFC, and a bare stream from some; libheif has a name of its own for the former.
_WINDOWS = {b"gzip": (_GZIP,), b"deflate": (_ZLIB, _RAW), b"compress_zlib": (_ZLIB,)}


def unpacked(content: bytes, encoding: bytes) -> bytes:
    """The content in the clear; ``encoding`` is empty, ``gzip``, ``deflate``, ``compress_zlib`` or ``br``."""
    if not encoding:
        return content
    if encoding == b"br":
        return from_brotli(content)
    return next(filter(None, (inflated(content, window) for window in _WINDOWS.get(encoding, ()))), b"")


def from_brotli(content: bytes) -> bytes:
    """What a Brotli stream (RFC 7932) holds."""
    decoder = brotli.Decompressor()
    try:
        text = bytes(decoder.process(content, output_buffer_limit=MAX_TEXT))
    except brotli.error:
        return b""
    return text if decoder.is_finished() and len(text) <= MAX_TEXT else b""


def brotli_opening(content: bytes, length: int) -> bytes:
    """The first bytes, at most ``length``, of what a Brotli stream holds; empty where it is damaged."""
    try:
        return bytes(brotli.Decompressor().process(content, output_buffer_limit=length))[:length]
    except brotli.error:
        return b""


def inflated(content: bytes, window: int = _ZLIB) -> bytes:
    """What a deflate stream holds, in zlib's form (RFC 1950) or in that of ``window``, as zlib counts."""
    decoder = zlib.decompressobj(window)
    try:
        text = decoder.decompress(content, MAX_TEXT)
    except zlib.error:
        return b""
    return text if decoder.eof else b""
