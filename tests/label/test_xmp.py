"""XMP packets: one label in, everything else kept, every form read, nothing clever accepted."""

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.label.aigc import Aigc
from proxy.label.errors import LabelError
from proxy.label.xmp import MAX_PACKET, Statement, disclosures, every, packet, properties, read, unpadded, without

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
    "zeros behind": packet(Statement(OLD)) + bytes(9),
    **{
        f"{encoding}{', declared' * declared}": (
            f"<?xml version='1.0' encoding='{encoding}'?>\n" * declared + packet(Statement(OLD)).decode()
        ).encode(encoding)
        for encoding in ("utf-16", "utf-16-be", "utf-16-le", "utf-32", "utf-32-be", "utf-32-le")
        for declared in (False, True)
    },
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


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32-le"])
def test_of_a_packet_in_another_encoding_everything_is_kept_to_the_letter(encoding: str) -> None:
    plain = rdf(f'<rdf:Description dc:rights="作者">{TITLE}</rdf:Description>')
    declared = b'<?xml version="1.0" encoding="UTF-16"?>' + plain
    assert packet(Statement(NEW), declared.decode().encode(encoding) + bytes(8)) == packet(Statement(NEW), plain)


def test_the_room_for_changes_can_be_given_up() -> None:
    whole = packet(Statement(NEW))
    assert unpadded(whole.replace(b"<?xpacket end", b" \n" * 9 + b"<?xpacket end")) == whole
    assert unpadded(b" <a/> ") == b" <a/> "


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
        (
            "compositeSynthetic",
            f'<rdf:Description><e:DigitalSourceType rdf:resource="{SOURCE}compositeSynthetic"/></rdf:Description>',
        ),
    ],
)
def test_one_source_type_remains_and_generation_outlives_ours(expected: str, inner: str) -> None:
    after = packet(Statement(NEW), rdf(inner))
    assert after.count(SOURCE.encode()) == 1
    assert f"<Iptc4xmpExt:DigitalSourceType>{SOURCE}{expected}</Iptc4xmpExt:DigitalSourceType>".encode() in after


@pytest.mark.parametrize(
    ("expected", "existing"),
    [
        ("compositeWithTrainedAlgorithmicMedia", None),
        ("compositeWithTrainedAlgorithmicMedia", packet(Statement(OLD))),
        ("compositeSynthetic", packet(Statement(OLD, "compositeSynthetic"))),
    ],
)
def test_an_edit_is_no_new_creation_whatever_was_edited(expected: str, existing: bytes | None) -> None:
    after = packet(Statement(NEW, "compositeWithTrainedAlgorithmicMedia"), existing)
    assert {"DigitalSourceType": (SOURCE + expected,)} == properties(after)


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
        "<a/>".encode("utf-16")[:-1],
        b"<\0\0\xd8",
        bytes(8),
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


# --- The system that made the picture ---------------------------------------------------------------------------------


def said(existing: bytes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    found = properties(existing)
    return found.get("AISystemUsed", ()), found.get("AISystemVersionUsed", ())


NAMED = rdf("<rdf:Description e:AISystemVersionUsed='1'><e:AISystemUsed>Theirs</e:AISystemUsed></rdf:Description>")


@pytest.mark.parametrize(
    ("expected", "statement", "existing"),
    [
        (((), ()), Statement(NEW), None),
        ((("Ours",), ()), Statement(NEW, system="Ours"), None),
        ((("Ours",), ("2",)), Statement(NEW, system="Ours", system_version="2"), None),
        ((("模型 <3> & \"co\"",), ("2",)), Statement(NEW, system="模型 <3> & \"co\"", system_version="2"), None),
        (((), ()), Statement(NEW), rdf("")),
        ((("Ours",), ("2",)), Statement(NEW, system="Ours", system_version="2"), rdf("")),
        ((("Theirs",), ("1",)), Statement(NEW), NAMED),
        ((("Ours",), ("2",)), Statement(NEW, system="Ours", system_version="2"), NAMED),
        ((("Ours",), ()), Statement(NEW, system="Ours"), NAMED),  # their version is not of our system
    ],
)  # fmt: skip
def test_the_system_is_said_once_and_theirs_outlives_silence(
    expected: tuple[tuple[str, ...], tuple[str, ...]], statement: Statement, existing: bytes | None
) -> None:
    once = packet(statement, existing)
    assert said(once) == expected
    assert packet(statement, once) == once


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")).map(str.strip))
def test_any_name_of_a_system_is_read_back(name: str) -> None:
    assert said(packet(Statement(NEW, system=name)))[0] == ((name,) if name else ())


@pytest.mark.skipif(
    shutil.which("exiftool") is None, reason="exiftool is not installed: the independent reader is missing"
)
def test_exiftool_reads_the_system_beside_the_label(tmp_path: Path) -> None:
    statement = Statement(NEW, "compositeWithTrainedAlgorithmicMedia", "模型 <3>", "2025-09 & later")
    for name, existing in (("new", None), ("merged", NAMED), ("beside others", LABELLED["with other properties"])):
        (tmp_path / f"{name}.xmp").write_bytes(packet(statement, existing))
    command = ["exiftool", "-json", "-n", "-a", "-G1", "-XMP:all", str(tmp_path)]
    shown = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert len(shown) == 3
    for found in shown:
        assert json.loads(found["XMP-TC260:Aigc"]) == NEW.document()
        assert found["XMP-iptcExt:AISystemUsed"] == "模型 <3>"
        assert found["XMP-iptcExt:AISystemVersionUsed"] == "2025-09 & later"
        assert found["XMP-iptcExt:DigitalSourceType"] == SOURCE + "compositeWithTrainedAlgorithmicMedia"


# --- Without a label --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("existing", LABELLED.values(), ids=LABELLED)
def test_a_label_can_go_and_all_else_stays(existing: bytes) -> None:
    bare = without(existing)
    assert every(bare) == ()
    assert without(bare) == bare
    assert packet(Statement(NEW), bare) == packet(Statement(NEW), existing)


def test_nothing_goes_where_nothing_is_said() -> None:
    plain = rdf(f"<rdf:Description>{TITLE}</rdf:Description>")
    assert without(plain) == plain


# --- Statements -------------------------------------------------------------------------------------------------------

MINE = '{"ai_generated":true,"provider_name":"A & B <c>","model":{"id":"\\u6a21"}}'
THEIRS = '{"ai_generated":true,"mode":"altered"}'
ESCAPED = THEIRS.replace('"', "&quot;")
SPACE = 'xmlns:o="urn:countermark:disclosure:1"'

STATED = {
    "none": rdf(TITLE),
    "a label": LABELLED["with other properties"],
    "ours": packet(Statement(OLD, disclosure=THEIRS)),
    "ours alone": packet(Statement(None, disclosure=THEIRS)),
    "attribute": rdf(f'<rdf:Description {SPACE} dc:format="image/png" o:Disclosure="{ESCAPED}"/>'),
    "beside others": rdf(f"<rdf:Description {SPACE}>{TITLE}<o:Disclosure>{ESCAPED}</o:Disclosure></rdf:Description>"),
    "twice": rdf(f"<rdf:Description {SPACE} o:Disclosure='x'><o:Disclosure>{ESCAPED}</o:Disclosure></rdf:Description>"),
}
WHAT = [Statement(NEW), Statement(NEW, disclosure=MINE), Statement(None, disclosure=MINE)]


@pytest.mark.parametrize("statement", WHAT)
@pytest.mark.parametrize("existing", [None, *STATED.values()], ids=["new", *STATED])
def test_a_packet_says_one_statement_and_nothing_is_left_of_what_was_said(
    existing: bytes | None, statement: Statement
) -> None:
    once = packet(statement, existing)
    assert ((statement.aigc,) if statement.aigc else ()) == every(once)
    assert ((statement.disclosure,) if statement.disclosure else ()) == disclosures(once)
    for other in WHAT:
        assert once == packet(statement, packet(other, existing))
    assert ("altered" in once.decode()) is False
    assert (TITLE.encode() in once) is (TITLE.encode() in (existing or b""))
    assert {"DigitalSourceType": (SOURCE + "trainedAlgorithmicMedia",)} == properties(once)


def test_a_statement_of_another_name_is_somebody_elses() -> None:
    other = rdf(f'<rdf:Description xmlns:o="urn:else" o:Disclosure="{ESCAPED}" dc:Disclosure="x"/>')
    assert () == disclosures(other)
    assert b"urn:else" in packet(WHAT[1], other)
    assert (MINE,) == disclosures(packet(WHAT[1], other))


@pytest.mark.skipif(
    shutil.which("exiftool") is None, reason="exiftool is not installed: the independent reader is missing"
)
def test_exiftool_reads_the_statement(tmp_path: Path) -> None:
    for name, existing in (("new", None), ("merged", STATED["beside others"])):
        (tmp_path / f"{name}.xmp").write_bytes(packet(WHAT[2], existing))
    command = ["exiftool", "-json", "-n", "-a", "-G1", "-XMP:all", str(tmp_path)]
    shown = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    # It calls a namespace that it does not know by the first prefix that it meets.
    assert [MINE] * 2 == [value for found in shown for name, value in found.items() if name.endswith(":Disclosure")]
    assert all("XMP-TC260:Aigc" not in found for found in shown)
