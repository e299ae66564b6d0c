"""Labels as vendors really write them: each is read, and none of it is left once ours is written.

The spellings are those seen in public files; producers and numbers are made up, so that they can be looked for.
"""

import json
import struct
import zlib
from collections.abc import Callable
from io import BytesIO

import pytest
from PIL import Image

from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement
from proxy.media import jpeg, png, svg
from proxy.media.badge import Badge
from proxy.media.drawing.stamp import stamp
from proxy.media.format import Format
from proxy.media.formats import find

OURS = Aigc.first_write("ACME", "019c0e7e5f3a7b2c8d4e6f708192a3b4")
PRODUCER, NUMBER = "00119100OLDPRODUCER00010000", "7642551196644884771"
OLD = Aigc.first_write(PRODUCER, NUMBER)
FULL = OLD.document()
CODE = '{"Type":" TC260PG","AlgID":"sm3"}'
SIGNED = {
    "SecurityData": {"Type": "TC260PG", "Version": 1, "PubSD": [{"Type": "DS", "TBSData": {"Type": "LabelMataD"}}]}
}


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def camel(document: dict[str, str]) -> dict[str, str]:
    return {key[0].lower() + key[1:]: value for key, value in document.items()}


# The label that is to be read, and the text that stands in the file.
SPELLINGS: dict[str, tuple[Aigc, str]] = {
    "bare": (OLD, compact(FULL)),
    "wrapped": (OLD, compact({"AIGC": FULL})),
    "wrapped, as a string": (OLD, compact({"AIGC": compact(FULL)})),
    "wrapped, as the standard prints it": (OLD, '{"AIGC": ' + compact(FULL) + "}"),
    "wrapped in lower case": (OLD, compact({"aigc": FULL})),
    "indented": (OLD, json.dumps({"AIGC": FULL}, indent=4)),
    "another order": (OLD, compact(dict(reversed(FULL.items())))),
    "lower camel case": (OLD, compact(camel(FULL))),
    "lower camel case, wrapped": (OLD, compact({"AIGC": camel(FULL)})),
    "upper case": (OLD, compact({key.upper(): value for key, value in FULL.items()})),
    "null for reserved codes": (OLD, compact({**FULL, "ReservedCode1": None, "ReservedCode2": None})),
    "integers": (OLD, compact({**FULL, "Label": 1, "ProduceID": int(NUMBER)})),
    "fields that are not there": (
        Aigc("2", PRODUCER, NUMBER),
        compact({"Label": "2", "ContentProducer": PRODUCER, "ProduceID": NUMBER}),
    ),
    "a propagator alone": (
        Aigc("3", "", "", content_propagator=PRODUCER, propagate_id=NUMBER),
        compact({"Label": "3", "ContentPropagator": PRODUCER, "PropagateID": NUMBER}),
    ),
    "fields of its own": (OLD, compact({**FULL, "Extension": {"a": [1]}})),
    "JSON in a reserved code": (OLD._replace(reserved_code1=CODE), compact({"AIGC": {**FULL, "ReservedCode1": CODE}})),
    "an object for a reserved code": (
        OLD._replace(reserved_code1=compact(SIGNED)),
        compact({**FULL, "ReservedCode1": SIGNED}),
    ),
    "a digest": (
        OLD._replace(reserved_code1="S7Wr/Evf+Mq+T3SWymUoO7naAs0WPNLrahOqG9WzR+o="),
        compact({**FULL, "ReservedCode1": "S7Wr/Evf+Mq+T3SWymUoO7naAs0WPNLrahOqG9WzR+o="}),
    ),
    "a path beyond ASCII": (
        OLD._replace(produce_id=f"{NUMBER}-data/所有对话/a b.md"),
        compact({**FULL, "ProduceID": f"{NUMBER}-data/所有对话/a b.md"}),
    ),
    "slashes escaped": (
        OLD._replace(reserved_code2="a/b"),
        compact({**FULL, "ReservedCode2": "a/b"}).replace("/", "\\/"),
    ),
    "another schema": (
        Aigc("1", PRODUCER, NUMBER),
        compact({"ServiceProvider": PRODUCER, "ServiceUser": "u", "Time": "2025-09-01", "ContentId": NUMBER}),
    ),
}

# What looks like a label and is none: it is to stay.
FOREIGN = {
    "a vendor's private fields": compact({"aigc_info": {"aigc_type": 0, "aigc_label_type": 1}, "data": {"id": "x"}}),
    "a prompt": compact({"prompt": "a cat", "label": "x", "steps": 20}),
    "a workflow": compact({"nodes": [{"Label": "1", "ContentProducer": "x"}], "aigc": {"Label": "1"}}),
    "a list": compact([FULL]),
    "no JSON": '{"Label":"1","ContentProducer":',
    "half of the other schema": compact({"ServiceProvider": "x", "Time": "2025"}),
}


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)


def in_png(*chunks: bytes) -> bytes:
    out = BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    whole = out.getvalue()
    return whole[:33] + b"".join(chunks) + whole[33:]


def in_jpeg(marker: int, payload: bytes) -> bytes:
    out = BytesIO()
    Image.new("RGB", (8, 8)).save(out, "JPEG")
    whole = out.getvalue()
    return whole[:20] + bytes((0xFF, marker)) + (len(payload) + 2).to_bytes(2) + payload + whole[20:]


def exif(tag: int, value: bytes, order: str = "<", kind: int = 7) -> bytes:
    """A block with one field, in IFD0 or, a UserComment, in the EXIF IFD."""
    inside = tag == 0x9286
    at = 26 + 18 * inside
    field = struct.pack(order + "HHHII", 1, tag, kind, len(value), at) + bytes(4)
    pointer = struct.pack(order + "HHHII", 1, 0x8769, 4, 1, 26) + bytes(4) if inside else b""
    return {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8) + pointer + field + value


def xmp(inner: str) -> bytes:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        f'xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/">{inner}</rdf:RDF></x:xmpmeta>'
    ).encode()


def quoted(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;").replace("\n", "&#10;")


def description(text: str) -> bytes:
    return xmp(f"<rdf:Description><TC260:AIGC>{quoted(text)}</TC260:AIGC></rdf:Description>")


def attribute(text: str) -> bytes:
    return xmp(f'<rdf:Description rdf:about="" TC260:AIGC="{quoted(text)}"/>')


def item(text: str) -> bytes:
    return xmp(
        f"<rdf:Description><TC260:AIGC><rdf:Seq><rdf:li>{quoted(text)}</rdf:li></rdf:Seq></TC260:AIGC></rdf:Description>"
    )


def in_svg(inner: bytes) -> bytes:
    return b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><metadata>' + inner + b"</metadata></svg>"


def raw_profile(kind: str, profile: bytes) -> bytes:
    digits = profile.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    return (
        f"Raw profile type {kind}\0".encode() + b"\0" + zlib.compress(f"\n{kind}\n{len(profile):8}\n{lines}\n".encode())
    )


XMP_KEY, XMP_SEGMENT = b"XML:com.adobe.xmp\0", b"http://ns.adobe.com/xap/1.0/\0"

# The carriers whose name tells nothing, or the text with it, and those that are called AIGC.
UNNAMED: dict[str, tuple[Format, Callable[[str], bytes]]] = {
    "PNG tEXt Comment": (png, lambda text: in_png(chunk(b"tEXt", b"Comment\0" + text.encode()))),
    "PNG iTXt Description": (png, lambda text: in_png(chunk(b"iTXt", b"Description\0\0\0\0\0" + text.encode()))),
    "PNG zTXt Comment": (png, lambda text: in_png(chunk(b"zTXt", b"Comment\0\0" + zlib.compress(text.encode())))),
    "PNG iTXt Comment, compressed": (
        png,
        lambda text: in_png(chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(text.encode()))),
    ),
    "PNG eXIf UserComment": (png, lambda text: in_png(chunk(b"eXIf", exif(0x9286, b"ASCII\0\0\0" + text.encode())))),
    "PNG eXIf UserComment, UTF-16": (
        png,
        lambda text: in_png(chunk(b"eXIf", exif(0x9286, b"UNICODE\0" + text.encode("utf-16-be"), ">"))),
    ),
    "PNG eXIf ImageDescription": (
        png,
        lambda text: in_png(chunk(b"eXIf", exif(0x010E, text.encode() + b"\0", kind=2))),
    ),
    "PNG raw profile of EXIF": (
        png,
        lambda text: in_png(
            chunk(b"zTXt", raw_profile("exif", b"Exif\0\0" + exif(0x9286, b"ASCII\0\0\0" + text.encode())))
        ),
    ),
    "JPEG UserComment": (jpeg, lambda text: in_jpeg(0xE1, b"Exif\0\0" + exif(0x9286, b"ASCII\0\0\0" + text.encode()))),
    "JPEG UserComment, short code": (
        jpeg,
        lambda text: in_jpeg(0xE1, b"Exif\0\0" + exif(0x9286, b"ASCII\0" + text.encode(), ">")),
    ),
    "JPEG UserComment, no code, zeros behind": (
        jpeg,
        lambda text: in_jpeg(0xE1, b"Exif\0\0" + exif(0x9286, bytes(8) + text.encode() + bytes(40))),
    ),
    "JPEG UserComment, UTF-16": (
        jpeg,
        lambda text: in_jpeg(0xE1, b"Exif\0\0" + exif(0x9286, b"UNICODE\0" + text.encode("utf-16-le"))),
    ),
    "JPEG UserComment, UTF-16 in the other order": (
        jpeg,
        lambda text: in_jpeg(0xE1, b"Exif\0\0" + exif(0x9286, b"UNICODE\0" + text.encode("utf-16-be"))),
    ),
    "JPEG UserComment, UTF-16 with a mark": (
        jpeg,
        lambda text: in_jpeg(0xE1, b"Exif\0\0" + exif(0x9286, b"UNICODE\0" + text.encode("utf-16"), ">")),
    ),
    "JPEG ImageDescription": (
        jpeg,
        lambda text: in_jpeg(0xE1, b"Exif\0\0" + exif(0x010E, text.encode() + bytes(3), kind=2)),
    ),
    "JPEG XPComment": (
        jpeg,
        lambda text: in_jpeg(0xE1, b"Exif\0\0" + exif(0x9C9C, text.encode("utf-16-le") + bytes(2), kind=1)),
    ),
    "JPEG XPKeywords": (
        jpeg,
        lambda text: in_jpeg(0xE1, b"Exif\0\0" + exif(0x9C9E, text.encode("utf-16-le") + bytes(2), kind=1)),
    ),
    "JPEG Model": (jpeg, lambda text: in_jpeg(0xE1, b"Exif\0\0" + exif(0x0110, text.encode() + b"\0", kind=2))),
    "JPEG Software": (jpeg, lambda text: in_jpeg(0xE1, b"Exif\0\0" + exif(0x0131, text.encode() + b"\0", kind=2))),
    "JPEG COM": (jpeg, lambda text: in_jpeg(0xFE, text.encode())),
    "JPEG COM, UTF-16": (jpeg, lambda text: in_jpeg(0xFE, text.encode("utf-16"))),
    "JPEG APP9": (jpeg, lambda text: in_jpeg(0xE9, text.encode())),
    "JPEG APP11 with an identifier": (jpeg, lambda text: in_jpeg(0xEB, b"label\0" + text.encode() + b"\0")),
    "SVG metadata": (svg, lambda text: in_svg(quoted(text).encode())),
}
NAMED: dict[str, tuple[Format, Callable[[str], bytes]]] = {
    "PNG tEXt": (png, lambda text: in_png(chunk(b"tEXt", b"AIGC\0" + text.encode()))),
    "PNG tEXt with zeros behind": (png, lambda text: in_png(chunk(b"tEXt", b"AIGC\0" + text.encode() + bytes(4)))),
    "PNG tEXt aigc": (png, lambda text: in_png(chunk(b"tEXt", b"aigc\0" + text.encode()))),
    "PNG tEXt TC260:AIGC": (png, lambda text: in_png(chunk(b"tEXt", b"TC260:AIGC\0" + text.encode()))),
    "PNG zTXt": (png, lambda text: in_png(chunk(b"zTXt", b"AIGC\0\0" + zlib.compress(text.encode())))),
    "PNG iTXt": (png, lambda text: in_png(chunk(b"iTXt", b"AIGC\0\0\0zh\0AIGC\0" + text.encode()))),
    "PNG iTXt, compressed": (
        png,
        lambda text: in_png(chunk(b"iTXt", b"AIGC\0\1\0\0\0" + zlib.compress(text.encode()))),
    ),
    "PNG XMP element": (png, lambda text: in_png(chunk(b"iTXt", XMP_KEY + bytes(4) + description(text)))),
    "PNG XMP attribute": (png, lambda text: in_png(chunk(b"iTXt", XMP_KEY + bytes(4) + attribute(text)))),
    "PNG XMP in tEXt": (png, lambda text: in_png(chunk(b"tEXt", XMP_KEY + description(text)))),
    "PNG raw profile of XMP": (png, lambda text: in_png(chunk(b"zTXt", raw_profile("xmp", description(text))))),
    "PNG raw profile of APP1": (
        png,
        lambda text: in_png(chunk(b"zTXt", raw_profile("APP1", XMP_SEGMENT + attribute(text)))),
    ),
    "JPEG XMP element": (jpeg, lambda text: in_jpeg(0xE1, XMP_SEGMENT + description(text))),
    "JPEG XMP attribute": (jpeg, lambda text: in_jpeg(0xE1, XMP_SEGMENT + attribute(text))),
    "JPEG XMP in UTF-16": (
        jpeg,
        lambda text: in_jpeg(0xE1, XMP_SEGMENT + description(text).decode().encode("utf-16")),
    ),
    "JPEG XMP item of a list": (jpeg, lambda text: in_jpeg(0xE1, XMP_SEGMENT + item(text))),
    "JPEG APP9, glued": (jpeg, lambda text: in_jpeg(0xE9, b"AIGC" + text.encode())),
    "JPEG COM, glued": (jpeg, lambda text: in_jpeg(0xFE, b"AIGC=" + text.encode() + b"\0\0")),
    "JPEG UserComment, glued": (
        jpeg,
        lambda text: in_jpeg(0xE1, b"Exif\0\0" + exif(0x9286, b"ASCII\0\0\0AIGC" + text.encode())),
    ),
    "SVG element": (svg, lambda text: in_svg(b"<AIGC>" + quoted(text).encode() + b"</AIGC>")),
    "SVG XMP attribute": (svg, lambda text: in_svg(attribute(text))),
}
CARRIERS = {**UNNAMED, **NAMED}


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_it_is_read_and_nothing_of_it_is_left_beside_ours(carrier: str, spelling: str) -> None:
    found, put = CARRIERS[carrier]
    expected, text = SPELLINGS[spelling]
    data = put(text)
    assert found.read(data) == (expected,)
    written = found.write(data, Statement(OURS))
    assert found.read(written) == (OURS,)
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        for trace in (PRODUCER, NUMBER):
            assert trace.encode(encoding) not in written


@pytest.mark.parametrize("carrier", UNNAMED)
@pytest.mark.parametrize("foreign", FOREIGN)
def test_what_only_looks_like_a_label_stays(carrier: str, foreign: str) -> None:
    found, put = CARRIERS[carrier]
    data = put(FOREIGN[foreign])
    assert found.read(data) == ()
    kept = FOREIGN[foreign] if found is not svg else quoted(FOREIGN[foreign])
    written = found.write(data, Statement(OURS))
    # All chunks after a PNG's header, or the words in an encoding that has them plain.
    assert data[33:] in written or any(kept.encode(each) in written for each in ("utf-8", "utf-16-le", "utf-16-be"))


@pytest.mark.parametrize("carrier", NAMED)
def test_under_its_name_a_label_needs_no_more_than_its_label(carrier: str) -> None:
    found, put = CARRIERS[carrier]
    assert found.read(put('{"Label": 1}')) == (Aigc("1", "", ""),)
    assert found.read(put('{"Level": 1}')) == ()


@pytest.mark.parametrize("carrier", UNNAMED)
def test_without_it_a_label_alone_is_somebody_elses(carrier: str) -> None:
    found, put = CARRIERS[carrier]
    assert found.read(put('{"Label": "cat"}')) == ()
    assert found.read(put('{"AIGC": {"Label": "1"}}')) == (Aigc("1", "", ""),)


def test_a_private_chunk_of_a_vendor_stays_though_its_keyword_has_the_letters() -> None:
    private = chunk(b"tEXt", b"aigc_info\0" + FOREIGN["a vendor's private fields"].encode())
    assert png.read(in_png(private)) == ()
    assert private in png.write(in_png(private), Statement(OURS))


# What tools need to find again: prompts, graphs, settings.
KEPT = {
    "parameters": "a cat, (best quality:1.2)\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, Seed: 1, Size: 8x8",
    "prompt": '{"3": {"inputs": {"seed": 1, "label": "x"}, "class_type": "KSampler", "_meta": {"title": "Label"}}}',
    "workflow": '{"nodes": [{"title": "Label", "widgets_values": ["AIGC"]}], "links": [], "Label": null}',
}


@pytest.mark.parametrize("keyword", KEPT)
def test_what_tools_keep_in_text_chunks_is_kept(keyword: str) -> None:
    text = KEPT[keyword].encode()
    chunks = (
        chunk(b"tEXt", keyword.encode() + b"\0" + text),
        chunk(b"zTXt", keyword.encode() + b"\0\0" + zlib.compress(text)),
        chunk(b"iTXt", keyword.encode() + b"\0\0\0\0\0" + text),
    )
    written = png.write(in_png(*chunks), Statement(OURS))
    assert all(whole in written for whole in chunks)
    assert Image.open(BytesIO(written)).text[keyword] == KEPT[keyword]


@pytest.mark.parametrize("keyword", KEPT)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_what_tools_keep_in_exif_is_kept(kind: str, keyword: str, font: bytes) -> None:
    block = Image.Exif()
    block[0x010E] = KEPT[keyword]
    block[0x010F] = f"{keyword}:{KEPT[keyword]}"
    block.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + KEPT[keyword].encode("utf-16-be")
    out = BytesIO()
    Image.new("RGB", (96, 64)).save(out, kind, exif=block)
    data = out.getvalue()
    found = find(data)
    assert found is not None
    assert found.read(data) == ()
    before = texts(data)
    assert before[0x010F] == f"{keyword}:{KEPT[keyword]}"
    written = found.write(data, Statement(OURS))
    assert texts(written) == before
    assert texts(stamp(written, Badge("AI"), font, 10_000).data) == before


def texts(data: bytes) -> dict[int, object]:
    """What EXIF says in words, as an independent reader finds it."""
    block = Image.open(BytesIO(data)).getexif()
    said = {**block, **block.get_ifd(0x8769)}
    return {tag: said[tag] for tag in (0x010E, 0x010F, 0x9286) if tag in said}
