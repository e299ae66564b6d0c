"""XMP packets: one label in, everything else kept, every form read, nothing clever accepted."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.label.aigc import Aigc
from proxy.label.errors import LabelError
from proxy.label.xmp import MAX_PACKET, Statement, every, packet, read

OLD = Aigc.first_write("doubao", "7642551196644884771")
NEW = Aigc.first_write("ACME", "0a1b", '{"a":"b"}')
JSON = OLD.compact().replace('"', "&quot;")

XMLNS = (
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
)
SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
TITLE = "<dc:title><rdf:Alt><rdf:li xml:lang='x-default'>A  title &amp; more</rdf:li></rdf:Alt></dc:title>"


def rdf(inner: str) -> bytes:
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/">\n <rdf:RDF {XMLNS}>{inner}</rdf:RDF>\n</x:xmpmeta>'.encode()


LABELLED = {
    "element": rdf(f'<rdf:Description rdf:about=""><TC260:AIGC>{JSON}</TC260:AIGC></rdf:Description>'),
    "attribute": rdf(f'<rdf:Description rdf:about="" dc:format="image/png" TC260:AIGC="{JSON}"/>'),
    "single quotes": rdf(f"<rdf:Description TC260:AIGC='{JSON}' dc:format='a>b'></rdf:Description>"),
    "array": rdf(
        f"<rdf:Description><TC260:AIGC><rdf:Bag><rdf:li>{JSON}</rdf:li></rdf:Bag></TC260:AIGC></rdf:Description>"
    ),
    "wrapped": rdf(f'<rdf:Description><TC260:AIGC>{{"AIGC": {JSON}}}</TC260:AIGC></rdf:Description>'),
    "CDATA": rdf(f"<rdf:Description><TC260:AIGC><![CDATA[{OLD.compact()}]]></TC260:AIGC></rdf:Description>"),
    "another prefix": rdf(
        f'<rdf:Description><n:AIGC xmlns:n="http://www.tc260.org.cn/ns/AIGC/1.0/">{JSON}</n:AIGC></rdf:Description>'
    ),
    "typed node": rdf(f"<dc:Thing><TC260:AIGC>{JSON}</TC260:AIGC></dc:Thing>"),
    "with other properties": rdf(
        f'<rdf:Description rdf:about="uuid:7">{TITLE}<TC260:AIGC>{JSON}</TC260:AIGC></rdf:Description>'
    ),
    "ours": packet(Statement(OLD)),
}


@pytest.mark.parametrize("existing", LABELLED.values(), ids=LABELLED)
def test_every_form_is_read_and_replaced_by_one(existing: bytes) -> None:
    assert read(existing) == OLD
    once = packet(Statement(NEW), existing)
    assert every(once) == (NEW,)
    assert once.count(b"AIGC>") == 2
    assert packet(Statement(NEW), once) == once


@given(st.lists(st.text(), min_size=7, max_size=7))
def test_read_finds_what_packet_writes(values: list[str]) -> None:
    label = Aigc(*values)
    assert read(packet(Statement(label))) == label


def test_everything_else_is_kept_to_the_byte() -> None:
    before = rdf(f'<rdf:Description rdf:about="uuid:7" dc:format = "a>b" >{TITLE}</rdf:Description>\n')
    after = packet(Statement(NEW), before)
    start = before.index(b"</rdf:RDF>")
    assert after.startswith(before[:start])
    assert after.endswith(before[start:])
    assert b'<rdf:Description rdf:about="uuid:7" xmlns:rdf' in after  # the resource that the others describe


def test_only_the_label_goes_from_a_description_with_other_properties() -> None:
    after = packet(Statement(NEW), LABELLED["with other properties"])
    assert f'<rdf:Description rdf:about="uuid:7">{TITLE}</rdf:Description>'.encode() in after


@pytest.mark.parametrize(
    ("expected", "inner"),
    [
        ("trainedAlgorithmicMedia", ""),
        ("trainedAlgorithmicMedia", f'<rdf:Description e:DigitalSourceType="{SOURCE}digitalCapture"/>'),
        (
            "compositeWithTrainedAlgorithmicMedia",
            f'<rdf:Description e:DigitalSourceType="{SOURCE}compositeWithTrainedAlgorithmicMedia"/>',
        ),
        (
            "compositeWithTrainedAlgorithmicMedia",
            f"<rdf:Description><e:DigitalSourceType>{SOURCE}compositeWithTrainedAlgorithmicMedia"
            "</e:DigitalSourceType></rdf:Description>",
        ),
    ],
)
def test_one_source_type_remains_and_generation_outlives_ours(expected: str, inner: str) -> None:
    after = packet(Statement(NEW), rdf(inner))
    assert after.count(SOURCE.encode()) == 1
    assert f"<Iptc4xmpExt:DigitalSourceType>{SOURCE}{expected}</Iptc4xmpExt:DigitalSourceType>".encode() in after


def test_a_packet_without_a_label_holds_none() -> None:
    assert read(rdf(f"<rdf:Description>{TITLE}</rdf:Description>")) is None
    assert read(rdf("<rdf:Description><TC260:AIGC>none of yours</TC260:AIGC></rdf:Description>")) is None


def test_two_labels_that_disagree_are_not_chosen_between() -> None:
    two = rdf(
        f'<rdf:Description TC260:AIGC="{JSON}"/><rdf:Description TC260:AIGC="{{&quot;Label&quot;:&quot;1&quot;}}"/>'
    )
    assert len(every(two)) == 2
    with pytest.raises(LabelError, match="disagree"):
        read(two)
    assert every(packet(Statement(NEW), two)) == (NEW,)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"not XML",
        b"<a>",
        b"<a/>",
        b"<rdf:RDF/>",
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>',
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<a>\xff</a>",
        "<a/>".encode("utf-16"),
        b" " * (MAX_PACKET + 1),
    ],
)
def test_a_packet_that_cannot_be_read_is_not_merged_into(bad: bytes) -> None:
    with pytest.raises(LabelError):
        packet(Statement(NEW), bad)


@pytest.mark.parametrize(
    "unit",
    [b"<a>", b"<AIGC>", b'<a xmlns:b="c">', b"<a/>", b"&lt;", b"<a b='", b"text ", b"<a xmlns='x'>t"],
)
def test_the_time_is_bounded(unit: bytes) -> None:
    packet_ = b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">' + unit * (
        MAX_PACKET // len(unit) - 100
    )
    begun = time.monotonic()
    with pytest.raises(LabelError):
        every(packet_)
    assert time.monotonic() - begun < 2


@given(st.data())
def test_any_prefix_is_refused_or_read(data: st.DataObject) -> None:
    whole = LABELLED["with other properties"]
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(LabelError):
        every(cut)
