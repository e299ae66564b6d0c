"""Codings undone at any cut are what went in; corrupt or cut ones are errors; no input makes a long piece."""

import gzip
import random
import zlib
from collections.abc import Callable, Iterable

import brotli
import pytest
from backports import zstd

from proxy.labelling.coding import MOST, PIECE, SUPPORTED, decode, decoders
from proxy.labelling.coding import undone as undone_within
from proxy.labelling.errors import CodingError, LabellingError, Swollen


def bare(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


CODERS: dict[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    "gzip": (b"gzip", gzip.compress),
    "x-gzip": (b"X-GZip", gzip.compress),
    "deflate": (b"deflate", zlib.compress),
    "bare deflate": (b"deflate", bare),
    "br": (b"br", brotli.compress),
    "zstd": (b"zstd", zstd.compress),
    "two gzip members": (b"gzip", lambda data: gzip.compress(data[:7]) + gzip.compress(data[7:])),
    "two zstd frames": (b"zstd", lambda data: zstd.compress(data[:7]) + zstd.compress(data[7:])),
    "gzip padded with zeros": (b"gzip", lambda data: gzip.compress(data) + b"\0" * 9),
    "two codings": (b"gzip, identity , br", lambda data: brotli.compress(gzip.compress(data))),
    "none": (b"", bytes),
    "identity": (b"identity", bytes),
}
CODED = [name for name in CODERS if name not in ("none", "identity")]
TEXT = ('data: {"choices":[]}\n\n' * 9 + "你好").encode()


def undone(name: bytes, chunks: Iterable[bytes]) -> bytes:
    chain = decoders(name)
    pieces = [piece for chunk in chunks for piece in decode(chain, chunk)]
    for one in chain:
        one.end()
    assert all(0 < len(piece) <= PIECE for piece in pieces)
    return b"".join(pieces)


@pytest.mark.parametrize("coder", CODERS)
@pytest.mark.parametrize("data", [b"", b"x", TEXT], ids=["empty", "one byte", "text"])
def test_any_cut(coder: str, data: bytes) -> None:
    name, code = CODERS[coder]
    coded = code(data)
    for at in range(len(coded) + 1):
        assert data == undone(name, [coded[:at], coded[at:]])
    assert data == undone(name, [coded[at : at + 1] for at in range(len(coded))])


@pytest.mark.parametrize("coder", [name for name in CODED if name != "gzip padded with zeros"])
def test_a_cut_coding_is_an_error_and_no_shorter_text(coder: str) -> None:
    name, code = CODERS[coder]
    coded = code(TEXT)
    first = {"two gzip members": len(gzip.compress(TEXT[:7])), "two zstd frames": len(zstd.compress(TEXT[:7]))}.get(
        coder
    )
    for at in range(1, len(coded)):
        if at == first:  # the first of two is whole
            continue
        with pytest.raises(CodingError):
            undone(name, [coded[:at]])


@pytest.mark.parametrize("coder", CODED)
def test_a_corrupt_coding_is_an_error_or_what_went_in(coder: str) -> None:
    """One flipped bit is found where the format has a checksum; in no case is it another kind of error."""
    name, code = CODERS[coder]
    coded = bytearray(code(TEXT))
    chance = random.Random(1)
    found = 0
    for _ in range(200):
        at = chance.randrange(len(coded))
        bit = 1 << chance.randrange(8)
        coded[at] ^= bit
        try:
            undone(name, [bytes(coded)])
        except CodingError:
            found += 1
        coded[at] ^= bit
    assert found > 100 if coder not in ("br", "bare deflate", "zstd", "two zstd frames") else found > 10


@pytest.mark.parametrize("name", [b"gzip", b"deflate", b"br", b"zstd"])
def test_what_is_not_coded_at_all(name: bytes) -> None:
    with pytest.raises(CodingError):
        undone(name, [b'{"choices":[]}'])


@pytest.mark.parametrize("coder", ["deflate", "bare deflate", "br"])
def test_nothing_may_follow(coder: str) -> None:
    name, code = CODERS[coder]
    with pytest.raises(CodingError):
        undone(name, [code(TEXT) + b"x"])
    with pytest.raises(CodingError):
        undone(name, [code(TEXT), b"x"])


@pytest.mark.parametrize("coder", ["gzip", "deflate", "bare deflate", "br", "zstd"])
def test_a_bomb_comes_out_in_bounded_pieces(coder: str) -> None:
    name, code = CODERS[coder]
    bomb = code(bytes(40 * PIECE))
    chain = decoders(name)
    size = 0
    for piece in decode(chain, bomb):
        assert len(piece) <= PIECE
        size += len(piece)
        if size > 3 * PIECE:  # whoever reads has had enough
            break
    assert size <= 4 * PIECE
    assert len(undone(name, [bomb])) == 40 * PIECE


@pytest.mark.parametrize("coder", ["gzip", "deflate", "bare deflate", "br", "zstd"])
def test_an_end_that_falls_on_the_end_of_a_piece(coder: str) -> None:
    name, code = CODERS[coder]
    for size in (*range(PIECE - 2, PIECE + 2), *range(PIECE + 3, PIECE + 300, 7), 2 * PIECE, 2 * PIECE + 258):
        assert size == len(undone(name, [code(bytes(size))]))


def test_a_flush_comes_out_at_once() -> None:
    stream = zlib.compressobj(wbits=31)
    (decoder,) = decoders(b"gzip")
    assert b"".join(decoder.feed(stream.compress(b"data: 1\n\n") + stream.flush(zlib.Z_SYNC_FLUSH))) == b"data: 1\n\n"


@pytest.mark.parametrize("name", [b"compress", b"aws-chunked", b"gzip, lzma", b"*", b"\xff"])
def test_other_codings(name: bytes) -> None:
    with pytest.raises(LabellingError, match="coding"):
        decoders(name)


def test_too_many_codings() -> None:
    assert len(decoders(b", ".join([b"gzip"] * MOST))) == MOST
    with pytest.raises(LabellingError, match="5 times over"):
        decoders(b",".join([b"gzip"] * (MOST + 1)))


@pytest.mark.parametrize("name", SUPPORTED)
def test_every_supported_coding_has_a_decoder(name: bytes) -> None:
    assert len(decoders(name)) == 1


def test_a_bound_is_kept_and_each_piece_is_paid_for() -> None:
    data = bytes(3 * PIECE)
    paid: list[int] = []
    assert data == undone_within(decoders(b"gzip"), gzip.compress(data), len(data), paid.append)
    assert len(data) == sum(paid)
    with pytest.raises(Swollen):
        undone_within(decoders(b"gzip"), gzip.compress(data), len(data) - 1, paid.append)
    assert len(data) > sum(paid[3:]), "what is too much is not paid for"
    assert data == undone_within((), data, 0), "what is not coded is there already"
