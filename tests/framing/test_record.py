"""The laws that every framing keeps, each written once."""

import random
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.framing.errors import FramingError
from proxy.framing.record import Record
from tests.framing.framings import FRAMINGS, Framing, Piece, records, told

CASES = [
    pytest.param(framing, pieces, id=f"{name}, {about}")
    for name, framing in FRAMINGS.items()
    for about, pieces in framing.streams.items()
]
ALL = pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS)
MiB = 1 << 20


def data_of(pieces: list[Piece]) -> list[bytes]:
    return [data for _, data in pieces if data is not None]


def bytes_of(stream: bytes) -> list[bytes]:
    return [stream[at : at + 1] for at in range(len(stream))]


def cuts(framing: Framing, stream: bytes, *ends: int) -> list[Record]:
    return records(framing.splitter(), [stream[start:end] for start, end in pairwise([0, *ends, len(stream)])])


@pytest.mark.parametrize(("framing", "pieces"), CASES)
def test_no_byte_is_lost_and_no_cut_matters(framing: Framing, pieces: list[Piece]) -> None:
    stream = b"".join(raw for raw, _ in pieces)
    step = max(len(stream) // 60, 1)  # the long ones, at some of their cuts only
    for first in range(len(stream) + 1):
        for second in range(first, len(stream) + 1, step):
            found = cuts(framing, stream, first, second)
            assert stream == b"".join(record.raw for record in found)
            assert data_of(pieces) == told(found)


@pytest.mark.parametrize(("framing", "pieces"), CASES)
def test_a_record_comes_out_with_its_last_byte(framing: Framing, pieces: list[Piece]) -> None:
    splitter = framing.splitter()
    for at, (raw, data) in enumerate(pieces):
        *before, last = bytes_of(raw)
        early = [record for byte in before for record in splitter.feed(byte)]
        found = [*splitter.feed(last), *(splitter.end() if at == len(pieces) - 1 else ())]
        assert ([data] if data is not None else []) == told(found)
        assert not told(early)
        assert raw == b"".join(record.raw for record in (*early, *found))
    assert (b"", 0) == (splitter.rest, splitter.size)


@pytest.mark.parametrize(("framing", "pieces"), CASES)
def test_a_record_with_its_own_data_is_itself(framing: Framing, pieces: list[Piece]) -> None:
    stream = b"".join(raw for raw, _ in pieces)
    for record in cuts(framing, stream):
        if record.data is not None:
            assert record == record.with_data(record.data)


@pytest.mark.parametrize(("framing", "pieces"), CASES)
def test_other_data_stands_in_the_place_of_a_records_own(framing: Framing, pieces: list[Piece]) -> None:
    found = cuts(framing, b"".join(raw for raw, _ in pieces))
    for at, record in enumerate(found):
        if record.data is None:
            continue
        other = record.with_data(b'{"other":"data"}')
        again = cuts(framing, b"".join(one.raw for one in (*found[:at], other, *found[at + 1 :])))
        assert told([*found[:at], other, *found[at + 1 :]]) == told(again)
        assert (b'{"other":"data"}', record.fields) == (other.data, other.fields)


@pytest.mark.parametrize(("framing", "pieces"), CASES)
def test_a_copy_is_one_record_more(framing: Framing, pieces: list[Piece]) -> None:
    """Behind its record or further back, and behind a copy."""
    found = cuts(framing, b"".join(raw for raw, _ in pieces))
    for at, record in enumerate(found):
        if record.data is None:
            continue
        copy = record.copy(b'{"a":"copy"}')
        for place in range(at + 1, len(found) + (found[-1].data is not None)):
            with_copies = [*found[:place], copy, copy.copy(b"[2]"), *found[place:]]
            if place > at + 1 and place == len(found) and not is_ended(framing, found[-1]):
                continue  # only a copy of the last record knows that it is not ended
            again = cuts(framing, b"".join(one.raw for one in with_copies))
            assert told(with_copies) == told(again)
            assert record.fields == copy.fields


def is_ended(framing: Framing, record: Record) -> bool:
    """Whether the record is whole before the stream's end is there."""
    return bool(told([*framing.splitter().feed(record.raw)]))


@pytest.mark.parametrize(("framing", "pieces"), CASES)
def test_whoever_stops_asking_has_the_others_in_rest(framing: Framing, pieces: list[Piece]) -> None:
    stream = b"".join(raw for raw, _ in pieces)
    whole = [*framing.splitter().feed(stream)]
    for count in range(len(whole) + 1):
        splitter = framing.splitter()
        coming = splitter.feed(stream)
        first = [next(coming) for _ in range(count)]
        assert stream == b"".join(record.raw for record in first) + splitter.rest
        assert splitter.size == len(splitter.rest)
        assert whole[count:] == [*splitter.feed(b"")]


@ALL
def test_what_nobody_asks_for_is_kept(framing: Framing) -> None:
    stream = framing.joined([b"{}", b'{"a":1}', b"[]"])
    splitter = framing.splitter()
    for byte in bytes_of(stream):
        splitter.feed(byte)
    assert (stream, len(stream)) == (splitter.rest, splitter.size)
    assert [b"{}", b'{"a":1}', b"[]"] == told([*splitter.feed(b"")])


@ALL
@pytest.mark.parametrize(
    "filler", [b"x", b"\\\\", b'\\"', b"{", b"\xe2\x80\xa8"], ids=["text", "\\", '"', "{", "U+2028"]
)
def test_a_long_record_takes_no_longer_for_coming_in_small_chunks(framing: Framing, filler: bytes) -> None:
    """Where every chunk were copied or searched again with all before it, this would take half a minute."""
    data = b'"%b"' % (filler * (3 * MiB // len(filler)))
    stream = framing.joined([data])
    began = time.process_time()
    assert [data] == told(records(framing.splitter(), [stream[at : at + 256] for at in range(0, len(stream), 256)]))
    assert time.process_time() - began < 5


@ALL
def test_many_records_in_one_chunk_take_no_longer_than_one_by_one(framing: Framing) -> None:
    data = [b'{"a":%d}' % n for n in range(50_000)]
    stream = framing.joined(data)
    began = time.process_time()
    assert data == told(records(framing.splitter(), [stream]))
    assert time.process_time() - began < 5


def outcome(framing: Framing, stream: bytes, ends: list[int]) -> tuple[list[bytes], bool]:
    """The data that came out, and whether the framing was broken."""
    splitter = framing.splitter()
    found: list[Record] = []
    fed = 0
    broken = False
    for start, end in pairwise([0, *ends, len(stream)]):
        fed = end
        try:
            for record in splitter.feed(stream[start:end]):
                found.append(record)  # noqa: PERF402  # what came before the error counts
        except FramingError:
            broken = True
        assert stream[:fed] == b"".join(record.raw for record in found) + splitter.rest
        assert splitter.size == len(splitter.rest)
    try:
        found += splitter.end()
    except FramingError:
        broken = True
    assert stream == b"".join(record.raw for record in found) + splitter.rest
    return told(found), broken


JUNK = [
    b"[",
    b"]",
    b"{",
    b"}",
    b",",
    b'"',
    b"\\",
    b"\n",
    b"\r",
    b" ",
    b"1",
    b"x",
    b"data",
    b":",
    b"\x00",
    b"\xef\xbb\xbf",
]


@ALL
@given(st.data(), st.randoms())
def test_any_bytes_are_records_or_an_error_and_none_is_lost(
    framing: Framing, drawn: st.DataObject, chance: random.Random
) -> None:
    """Junk, and streams of the framing's own with some of their bytes changed, cut off or put in."""
    stream = bytearray(framing.joined([b"{}", b'{"a":"b"}', b"[1]"][: drawn.draw(st.integers(0, 3))]))
    for junk in drawn.draw(st.lists(st.sampled_from(JUNK) | st.binary(max_size=20), max_size=6)):
        at = chance.randrange(len(stream) + 1)
        stream[at : at + chance.choice([0, 0, 1, len(junk)])] = junk
    if chance.random() < 0.3:
        del stream[chance.randrange(len(stream) + 1) :]
    ends = sorted(chance.randrange(len(stream) + 1) for _ in range(chance.randrange(5)))
    assert outcome(framing, bytes(stream), []) == outcome(framing, bytes(stream), ends)
