"""What is an array, and what stands between elements that are put in."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.framing.errors import FramingError
from proxy.framing.json_array import Element, Splitter
from tests.framing.framings import records, told


def found(*chunks: bytes) -> list[bytes]:
    return told(records(Splitter(), chunks))


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b" ",
        b"{}",
        b"x[]",
        b"[{}",
        b"[{},",
        b"[{},]",
        b"[,{}]",
        b"[{},,{}]",
        b"[{}{}]",
        b"[{} {}]",
        b"[1 2]",
        b"[{}]x",
        b"[{}]]",
        b"[]\n[]",
        b"[:]",
        b"[{]",
        b'["]',
        b"[\xef\xbb\xbf{}]",
        b"[\x00]",
    ],
)
def test_what_is_no_array(stream: bytes) -> None:
    with pytest.raises(FramingError):
        found(stream)
    with pytest.raises(FramingError):
        found(*(stream[at : at + 1] for at in range(len(stream))))


def test_a_broken_array_stays_broken_and_keeps_its_bytes() -> None:
    splitter = Splitter()
    coming = splitter.feed(b"[{}{}]")
    assert next(coming).data == b"{}"
    for _ in range(2):
        with pytest.raises(FramingError):
            [*splitter.feed(b"")]
    assert splitter.rest == b"{}]"


@pytest.mark.parametrize("scalar", [b"1", b"-1.5e+10", b"true", b"null"])
def test_a_number_or_a_word_ends_with_the_byte_behind_it(scalar: bytes) -> None:
    splitter = Splitter()
    for at in range(len(scalar)):
        assert not [*splitter.feed((b"[" if at == 0 else b"") + scalar[at : at + 1])]
    assert [b"[" + scalar] == [element.raw for element in splitter.feed(b",")]
    assert [b"," + scalar, b"]"] == [element.raw for element in splitter.feed(scalar + b"]")]


def test_the_end_does_not_wait_for_more_white_space() -> None:
    splitter = Splitter()
    assert [b"[]\r"] == [element.raw for element in splitter.feed(b"[]\r")]
    assert [Element(b"\n", None)] == [*splitter.feed(b"\n")]
    assert not [*splitter.end()]


def test_brackets_are_counted_however_deep() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    assert [deep] == found(b"[" + deep + b"]")


@given(
    st.lists(
        st.recursive(st.none() | st.text(max_size=9) | st.floats(allow_nan=False), st.lists, max_leaves=9), max_size=5
    )
)
def test_the_elements_are_those_that_json_finds(values: list[object]) -> None:
    for indent in (None, 2):
        stream = json.dumps(values, indent=indent).encode()
        assert values == [json.loads(data) for data in found(stream)]


@pytest.mark.parametrize(
    ("expected", "first", "second"),
    [
        (b",\r\nNEW", b"[{}", b""),
        (b",\r\nNEW", b"\xef\xbb\xbf[{}", b""),
        (b",\n  NEW", b"[\n  {}", b""),
        (b",\r\nNEW", b"[{}", b",\r\n{}"),
        (b",NEW", b"[{}", b",{}"),
        (b",\nNEW", b"[{}", b" ,\n{}"),
    ],
)
def test_a_copy_brings_a_comma_and_the_arrays_white_space(expected: bytes, first: bytes, second: bytes) -> None:
    element = [*Splitter().feed(first + second)][-1]
    assert expected == element.copy(b"NEW").raw
    assert expected == element.copy(b"OLD").copy(b"NEW").raw
