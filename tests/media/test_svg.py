"""SVG: sniffed past any prolog, labels read in any metadata, every other byte kept, nothing clever accepted."""

import time
from collections.abc import Callable
from contextlib import suppress
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement
from proxy.media import svg, svg_document
from proxy.media.carriers import MAX_CARRIERS
from proxy.media.errors import MediaError

LABEL = Aigc.first_write("ACME", "0a1b", '{"a":"<b>&\'"}')
OLD = Aigc.first_write("OTHER", "2")
JSON = OLD.compact().replace('"', "&quot;")
NAMESPACE = 'xmlns="http://www.w3.org/2000/svg"'
PREFIXES = (
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:T="http://www.tc260.org.cn/ns/AIGC/1.0/" '
    'xmlns:c2pa="http://c2pa.org/manifest"'
)
DTD = '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'


def document(inner: str = "", attributes: str = 'viewBox="0 0 96 64"') -> bytes:
    return f"<svg {NAMESPACE} {PREFIXES} {attributes}>{inner}</svg>".encode()


def tree(data: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(data)  # noqa: S314  it is our own


def many(attribute: str, count: int) -> str:
    return f"<g {' '.join(attribute.format(number) for number in range(count))}/>"


def rdf(inner: str) -> str:
    return f"<metadata><rdf:RDF>{inner}</rdf:RDF></metadata>"


@pytest.mark.parametrize(
    ("expected", "start"),
    [
        (True, "<svg>"),
        (True, "<svg/>"),
        (True, '<svg xmlns="x">'),
        (True, "<s:svg>"),
        (True, "\ufeff <svg "),
        (True, '<?xml version="1.0"?>\n<!-- <html> --><?xml-stylesheet href="a>b"?>\n<svg\n'),
        (True, f"{DTD}<svg>"),
        (True, "<!DOCTYPE svg [<!ENTITY a 'b'>]>"),
        (True, "<!--" + "-" * 60_000 + "--><svg>"),
        (False, "<!--" + "-" * 70_000 + "--><svg>"),
        (False, "<!-- <svg>"),
        (False, "<html><svg>"),
        (False, "<svgs>"),
        (False, "<!DOCTYPE html><svg>"),
        (False, "svg"),
        (False, ""),
        (False, "<" * 100_000),
        (False, "<?" * 50_000),
        (False, "<!--->" * 20_000),
    ],
)
def test_the_first_element_tells(expected: bool, start: str) -> None:
    begun = time.process_time()
    assert svg.sniff(start.encode()) is expected
    assert time.process_time() - begun < 0.5


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_known_and_refused(encoding: str) -> None:
    data = ("" if encoding == "utf-16" else "\ufeff").encode(encoding) + document().decode().encode(encoding)
    assert svg.sniff(data)
    for act in (svg.size, svg.read, svg.has_manifest, lambda data: svg.write(data, Statement(LABEL))):
        with pytest.raises(MediaError, match="UTF-16"):
            act(data)


LABELLED = {
    "in RDF": rdf(f"<rdf:Description><T:AIGC>{JSON}</T:AIGC></rdf:Description>"),
    "as an attribute in RDF": rdf(f"<rdf:Description T:AIGC='{JSON}'/>"),
    "in RDF of a prefix declared here": (
        f'<metadata xmlns:T="urn:x"><rdf:RDF><rdf:Description T:AIGC="{JSON}"/></rdf:RDF></metadata>'
    ),
    "in a packet": (
        f'<metadata><?xpacket begin=""?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description T:AIGC="{JSON}"/>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?></metadata>'
    ),
    "beside empty RDF": f"<metadata><rdf:RDF/><T:AIGC>{JSON}</T:AIGC></metadata>",
    "around RDF": f"<metadata><AIGC><rdf:RDF></rdf:RDF>{JSON}</AIGC></metadata>",
    "of a group": f"<g>{rdf(f'<rdf:Description T:AIGC=^{JSON}^/>')}</g>".replace("^", '"'),
    "as an attribute of metadata": f'<metadata aigc="{JSON}"/>',
    "as an element": f"<metadata><aigc>{JSON}</aigc></metadata>",
    "as text": f"<metadata> {JSON}\n</metadata>",
    "as text in CDATA": f'<metadata><![CDATA[{{"AIGC": {OLD.compact()}}}]]></metadata>',
    "as text beside a manifest": f"<metadata>{JSON}<c2pa:manifest>A<a/></c2pa:manifest></metadata>",
    "as text behind a manifest": f"<metadata><c2pa:manifest>A<a/></c2pa:manifest>{JSON}</metadata>",
    "as text of an element": f"<metadata><a><b>AIGC={JSON}</b></a></metadata>",
}


@pytest.mark.parametrize("inner", LABELLED.values(), ids=LABELLED)
def test_every_form_is_read_and_replaced_by_one(inner: str) -> None:
    data = document(f"<g/>{inner}<path/>")
    assert svg.read(data) == (OLD,)
    written = svg.write(data, Statement(LABEL))
    assert svg.read(written) == (LABEL,)
    assert b"OTHER" not in written
    assert svg.write(written, Statement(LABEL)) == written
    tree(written)


@pytest.mark.parametrize("first", LABELLED.values(), ids=LABELLED)
@pytest.mark.parametrize("second", LABELLED.values(), ids=LABELLED)
def test_any_two_of_them_too(first: str, second: str) -> None:
    data = document(first + second)
    assert svg.read(data) == (OLD, OLD)
    assert [carrier.labels for carrier in svg.carriers(data)] == [(OLD,), (OLD,)]
    written = svg.write(data, Statement(LABEL))
    assert svg.read(written) == (LABEL,)
    assert svg.write(written, Statement(LABEL)) == written


@pytest.mark.parametrize(
    "inner",
    [
        "<metadata>a cat</metadata>",
        '<metadata>{"prompt": 1}</metadata>',
        "<metadata><AIGC>a cat</AIGC></metadata>",
        f"<desc>{JSON}</desc>",
        f"<text AIGC='{JSON}'>{JSON}</text>",
        f"<!-- <metadata>{JSON}</metadata> -->",
        f"<x:metadata xmlns:x='urn:x'>{JSON}</x:metadata>",
    ],
)
def test_what_is_no_label_in_metadata_is_none(inner: str) -> None:
    assert svg.read(document(inner)) == ()


def test_a_label_that_is_laid_bare_goes_as_well() -> None:
    for beside in ("<AIGC/>", f"<T:AIGC>{JSON}</T:AIGC>", f"<c2pa:manifest/><AIGC>{JSON}</AIGC>"):
        written = svg.write(document(f"<metadata><a>{JSON}{beside}</a></metadata>"), Statement(LABEL))
        assert svg.read(written) == (LABEL,)
        assert b"OTHER" not in written


def test_a_new_element_is_the_roots_first_child_and_nothing_else_changes() -> None:
    before = document("<title>A  cat &amp; more</title>\n<g a = '1'/>\r\n<metadata>a cat</metadata>")
    after = svg.write(before, Statement(LABEL))
    start = before.index(b"<title>")
    assert after.startswith(before[:start] + b"<metadata>")
    assert after.endswith(b"</metadata>" + before[start:])


def test_rdf_that_is_there_takes_the_label_and_keeps_its_own() -> None:
    work = '<cc:Work xmlns:cc="http://creativecommons.org/ns#" rdf:about=""><cc:a  b=\'c\'/></cc:Work>\n  '
    before = document(f"<g/>{rdf(work)}<path/>")
    after = svg.write(before, Statement(LABEL))
    start = before.index(b"</rdf:RDF>")
    assert after.startswith(before[:start])
    assert after.endswith(before[start:])


@pytest.mark.parametrize(
    ("expected", "data"),
    [
        (b"<svg %b><metadata>", b"<svg %b/>"),
        (b"<svg %b ><metadata>", b"<svg %b />"),
        (b"<svg %b ><metadata>", b"<svg %b ></svg >"),
        (
            b"<s:svg xmlns:s='http://www.w3.org/2000/svg' %b><s:metadata>",
            b"<s:svg xmlns:s='http://www.w3.org/2000/svg' %b/>",
        ),
    ],
)
def test_the_root_is_opened_where_it_is_closed_and_keeps_its_prefix(expected: bytes, data: bytes) -> None:
    space = NAMESPACE.encode()
    written = svg.write(data % space, Statement(LABEL))
    assert written.startswith(expected % space)
    assert tree(written)[0].tag == "{http://www.w3.org/2000/svg}metadata"


def test_other_metadata_keeps_all_but_labels() -> None:
    foreign = rdf(f'<rdf:Description rdf:about="uuid:7" T:AIGC="{JSON}"><T:title>A  title</T:title></rdf:Description>')
    written = svg.write(document(f"<g>{foreign}</g>"), Statement(LABEL))
    assert b'<g><metadata><rdf:RDF><rdf:Description rdf:about="uuid:7"><T:title>A  title</T:title>' in written


def test_a_manifest_goes_and_what_is_beside_it_stays() -> None:
    manifest = "<c2pa:manifest>AAAA<a>{}</a></c2pa:manifest>"
    for inner in (f"<metadata><a/>{manifest}<b/></metadata>", f"<a/>{manifest}<b/>"):
        data = document(inner)
        assert svg.has_manifest(data)
        assert not svg.has_manifest(svg.write(data, Statement(LABEL)))
        assert svg.without_manifest(data)[0] == data.replace(manifest.encode(), b"")
    assert not svg.has_manifest(document("<metadata><manifest/></metadata>"))


def test_the_statements_system_is_beside_the_label_in_utf_8() -> None:
    written = svg.write(document(), Statement(LABEL, system="模型", system_version="2"))
    assert "<Iptc4xmpExt:AISystemUsed>模型</Iptc4xmpExt:AISystemUsed>".encode() in written
    assert svg.write(written, Statement(LABEL)) == written  # what is there outlives a statement that says nothing


@pytest.mark.parametrize(
    ("message", "data"),
    [
        ("not well-formed", b""),
        ("not well-formed", b"<svg"),
        ("not well-formed", document()[:-1]),
        ("not well-formed", document() + document()),
        ("not well-formed", document() + b"\0"),
        ("not well-formed", document("<g>")),
        ("not well-formed", document("<x:g/>")),
        ("not well-formed", document("&nbsp;")),
        ("not well-formed", document("é").decode().encode("latin-1")),
        ("no svg element", b"<svg/>"),
        ("no svg element", b"<svg xmlns='http://www.w3.org/2000/svg/'/>"),
        ("no svg element", b"<html xmlns='http://www.w3.org/2000/svg'/>"),
        ("ISO-8859-1, not in UTF-8", b"<?xml version='1.0' encoding='ISO-8859-1'?>" + document()),
        ("document type declares", b"<!DOCTYPE svg [<!ENTITY a 'b'>]>" + document("&a;")),
        ("document type declares", b"<!DOCTYPE svg []>" + document()),
        ("uses the entity 'nbsp'", DTD.encode() + document("&nbsp;")),
        ("more than", document("<g>" * 500 + "</g>" * 500)),
        ("more than", document(many("a{}='b'", 501))),
        ("more than 200 namespaces", document(many("xmlns:a{}='b'", 200))),
        ("over the limit", document(" " * svg_document.MAX_BYTES)),
        (f"over the limit of {MAX_CARRIERS}", document(rdf("") * (MAX_CARRIERS + 1))),
        (f"over the limit of {MAX_CARRIERS}", document(f"<metadata>{JSON}</metadata>" * (MAX_CARRIERS + 1))),
    ],
)  # fmt: skip
def test_what_is_refused(message: str, data: bytes) -> None:
    for act in (svg.read, svg.has_manifest, lambda data: svg.write(data, Statement(LABEL))):
        with pytest.raises(MediaError, match=message):
            act(data)


def test_metadata_that_is_too_large_to_label_is_refused_and_still_read() -> None:
    data = document(rdf("<rdf:Description/>" * 20_000) + f"<metadata>{JSON}</metadata>")
    assert svg.read(data) == (OLD,)
    with pytest.raises(MediaError, match="metadata cannot be labelled"):
        svg.write(data, Statement(LABEL))


@pytest.mark.parametrize(
    "unit",
    ["<g>", "<g/>", "<metadata/>", "<metadata><a/></metadata>", "&lt;", "<g a='&lt;'/>", "<g xmlns:a='b'>", "x" * 999,
     "<metadata>", "<metadata><a>", "<!-- -->", "<metadata>{", "<c2pa:manifest/>"],
)  # fmt: skip
def test_the_time_is_bounded(unit: str) -> None:
    data = document(unit * (500_000 // len(unit)))
    begun = time.process_time()
    with suppress(MediaError):
        svg.write(data, Statement(LABEL))
    assert time.process_time() - begun < 4


def test_size_reads_the_root_alone() -> None:
    assert svg.size(document("<g>")[:-6]) == (96, 64)
    assert svg.size(document(attributes='width="1in" height="32pt" viewBox="0 0 9 9"')) == (96, 43)


@given(st.lists(st.sampled_from([*LABELLED.values(), "<g/>", "text", "<!-- -->", rdf(""), "<metadata/>"]), max_size=5))
def test_any_of_them_in_any_order(parts: list[str]) -> None:
    data = document("".join(parts))
    written = svg.write(data, Statement(LABEL))
    assert svg.read(written) == (LABEL,)
    assert svg.write(svg.write(data, Statement(OLD)), Statement(LABEL)) == written


def test_the_label_goes_where_a_reader_of_the_samples_finds_it(load: Callable[[str], bytes]) -> None:
    for name, expected in (("metadata.svg", 1), ("packet.svg", 0), ("prolog.svg", 0)):
        root = tree(svg.write(load(name), Statement(LABEL)))
        found = root[expected].find(".//{http://www.tc260.org.cn/ns/AIGC/1.0/}AIGC")
        assert found is not None
        assert found.text == LABEL.compact()
