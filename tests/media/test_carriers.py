"""Texts and packets: every spelling read, one label left, the work bounded."""

import pytest

from proxy.label import xmp
from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement
from proxy.media.carriers import MAX_CARRIERS, check_count, decoded, in_packet, in_text, in_value, one_packet
from proxy.media.errors import MediaError

LABEL = Aigc.first_write("ACME", "0a1b")
OTHER = Aigc.first_write("OTHER", "2")
PLAIN = b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"></rdf:RDF>'


@pytest.mark.parametrize("before", ["", "AIGC", "AIGC\0", "AIGC=", "AIGC: ", " \n"])
@pytest.mark.parametrize("after", ["", "\0", "\n"])
def test_a_text_that_is_a_label(before: str, after: str) -> None:
    assert in_text(before + LABEL.compact() + after) == (LABEL,)
    assert in_text(f'{before}{{"AIGC": {LABEL.compact()}}}{after}') == (LABEL,)


@pytest.mark.parametrize("text", ["", "AIGC", "AIGC{", "a cat", '{"prompt": 1}', "[1]", "{" * 10_000])
def test_a_text_that_is_none(text: str) -> None:
    assert in_text(text) == ()
    assert in_value(text) == ()


@pytest.mark.parametrize(
    ("named", "unnamed", "text"),
    [
        (True, True, '{"AIGC": {"Label": "1"}}'),
        (True, False, '{"Label": "1"}'),
        (True, False, '{"label": "cat", "steps": 20}'),
        (True, True, '{"label": "1", "contentProducer": "x"}'),
        (True, True, '{"ServiceProvider": "x", "ContentId": "y"}'),
        (False, False, '{"ServiceProvider": "x"}'),
        (False, True, 'aigc {"Label": "1"}'),
    ],
)
def test_a_name_makes_a_label_of_less(named: bool, unnamed: bool, text: str) -> None:
    assert (bool(in_value(text)), bool(in_text(text))) == (named, unnamed)


@pytest.mark.parametrize("text", ["", "{", '{"Label":"1"}', "AIGC{}", "\0", "标识"])
def test_texts_are_decoded_whatever_was_said_of_their_encoding(text: str) -> None:
    assert decoded(text.encode()) == text
    assert decoded(text.encode("utf-16")).removeprefix("\ufeff") == text
    if text.isascii() and len(text) > 1:
        assert decoded(text.encode("utf-16-le")) == text
        assert decoded(text.encode("utf-16-be")) == text


def test_a_packet_padded_with_zeros_is_read() -> None:
    assert in_packet(xmp.packet(Statement(LABEL)) + bytes(100)) == (LABEL,)


@pytest.mark.parametrize("packet", [b"", b"not XML", b"<!DOCTYPE a><a/>"])
def test_a_packet_that_cannot_be_read_holds_none_and_is_replaced(packet: bytes) -> None:
    assert in_packet(packet) == ()
    assert one_packet(Statement(LABEL), [packet]) == [xmp.packet(Statement(LABEL))]


@pytest.mark.parametrize(
    ("expected", "packets"),
    [
        ([(LABEL,)], []),
        ([(LABEL,)], [PLAIN]),
        ([(LABEL,), ()], [PLAIN, PLAIN]),
        ([(LABEL,), None, ()], [PLAIN, xmp.packet(Statement(OTHER)), PLAIN]),
        ([(LABEL,), ()], [xmp.packet(Statement(OTHER)), b"not XML"]),
    ],
)
def test_only_the_first_packet_holds_the_label(expected: list[tuple[Aigc, ...] | None], packets: list[bytes]) -> None:
    assert [None if new is None else in_packet(new) for new in one_packet(Statement(LABEL), packets)] == expected


@pytest.mark.parametrize("damaged", [b"<a>AIGC", b"<rdf:RDF tc:aigc='{}'/>"])
def test_a_later_packet_that_cannot_be_read_goes_if_it_speaks_of_a_label(damaged: bytes) -> None:
    assert one_packet(Statement(LABEL), [PLAIN, damaged, b"", b"<a>"])[1:] == [None, b"", b"<a>"]


@pytest.mark.parametrize("oversize", [PLAIN + b" " * (1 << 20), PLAIN.replace(b"></", b">" + b"<a/>" * 20_001 + b"</")])
def test_a_packet_over_a_bound_is_not_lost(oversize: bytes) -> None:
    for packets in ([oversize], [PLAIN, oversize]):
        with pytest.raises(MediaError, match=r"limit of 1048576|more than 20000"):
            one_packet(Statement(LABEL), packets)


def test_no_more_carriers_than_any_honest_file_has() -> None:
    check_count(MAX_CARRIERS)
    with pytest.raises(MediaError):
        check_count(MAX_CARRIERS + 1)
