"""The label inside an XMP packet (ISO 16684-1), as practice guide TC260-PG-20259A places it in pictures.

Law: one label, in one ``TC260:AIGC`` element that holds the bare object, one statement (see ``provenance``), as JSON in
``countermark:Disclosure``, or both, beside one each of IPTC's properties (Photo Metadata 2025.1: ``DigitalSourceType``,
``AISystemUsed``, ``AISystemVersionUsed``); everything else in a packet that was there is kept to the byte, or to the
letter where it was in UTF-16 or UTF-32: it is UTF-8 afterwards. Labels in either form, element or attribute, are read.
Zeros behind a packet are no part of it.
A packet with a document type is refused: nothing honest needs entities here.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from proxy.label.aigc import KEYWORD, Aigc, parse
from proxy.label.errors import LabelError, OversizeError
from proxy.label.provenance import ALTERED, CREATED, SOURCE_TYPES

MAX_PACKET = 1 << 20
MAX_ELEMENTS = 20_000

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
TC260 = "http://www.tc260.org.cn/ns/AIGC/1.0/"
IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
OURS = "urn:countermark:disclosure:1"

# What an upstream said about its own generation is more exact than what we can say, which is "trainedAlgorithmicMedia"
# unless we know of an edit; anything else does not hold for generated content (a camera's "digitalCapture" echoed by a
# picture made from a photograph).
_EXACT = frozenset(SOURCE_TYPES + name for name in (ALTERED, "compositeSynthetic"))

START_TAG = re.compile(rb"""<[^\s/>]+(?P<attributes>(?:\s+[^\s=]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*/?>""")
# Namespace declarations match without a name.
_ATTRIBUTE = re.compile(rb"""\s+(?:xmlns(?::[^\s=]+)?|(?P<name>[^\s=]+))\s*=\s*(?:"[^"]*"|'[^']*')""")

# How a packet in another encoding begins (ISO 16684-1, clause 7.1; XML 1.0, appendix F.1).
_ENCODINGS = (
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0", "utf-32-be"),
    ((b"\xff\xfe", b"<\0"), "utf-16-le"),
    ((b"\xfe\xff", b"\0<"), "utf-16-be"),
)
_DECLARATION = re.compile(r"\ufeff?(?:<\?xml\s[^>]*\?>)?")

Span = tuple[int, int]

# Names as expat gives them: namespace, space, local name.
_RDF_ROOT = f"{RDF} RDF"
_DESCRIPTION = f"{RDF} Description"
_ABOUT = f"{RDF} about"
_RESOURCE = f"{RDF} resource"
_SOURCE_TYPE = f"{IPTC_EXT} DigitalSourceType"
_SYSTEM = f"{IPTC_EXT} AISystemUsed"
_SYSTEM_VERSION = f"{IPTC_EXT} AISystemVersionUsed"
DISCLOSURE = f"{OURS} Disclosure"
_PROPERTIES = (_SOURCE_TYPE, _SYSTEM, _SYSTEM_VERSION, DISCLOSURE)


class Statement(NamedTuple):
    """What a packet says: the label, the IPTC term for how the picture came to be, the system that made it, and the
    JSON text of ``provenance.statement``.

    ``source_type`` is a term of the IPTC NewsCodes digital source types. An ``aigc`` that is None, and an empty
    ``system``, ``system_version`` or ``disclosure``, is not said.
    """

    aigc: Aigc | None
    source_type: str = CREATED
    system: str = ""
    system_version: str = ""
    disclosure: str = ""


@dataclass(slots=True)
class _Element:
    name: str
    start: int
    tag_end: int
    others: int = 0  # attributes and children that are not ours
    text: list[str] = field(default_factory=list)
    ours: list[Span] = field(default_factory=list)


@dataclass(slots=True)
class _Found:
    labels: list[str] = field(default_factory=list)
    said: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in _PROPERTIES})
    spans: list[Span] = field(default_factory=list)  # what a new label replaces
    about: str | None = None
    elements: int = 0
    root_end: int | None = None  # where the end tag of rdf:RDF begins

    def into(self, name: str) -> list[str] | None:
        """Where the value of a property of ours goes; None for somebody else's.

        Appendix E a) asks only that the name contains AIGC, so that the namespace of a label is not looked at.
        """
        if name.rpartition(" ")[2].upper() == KEYWORD:
            return self.labels
        return self.said.get(name)


def packet(statement: Statement, existing: bytes | None = None) -> bytes:
    """A packet in UTF-8 that says the statement once: a new one, or ``existing`` with what is older replaced.

    Where ``existing`` already names a source type that says more of generated content than ours, that one stays; so
    does the system that it names where the statement names none. LabelError where ``existing`` cannot be read (see
    ``every``).
    """
    if existing is None:
        body = _description(statement, SOURCE_TYPES + statement.source_type, "")
        return (
            '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
            f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">{body}</rdf:RDF></x:xmpmeta>'
            '<?xpacket end="w"?>'
        ).encode()
    existing = _clear(existing)
    found = _scan(existing)
    if found.root_end is None:
        raise LabelError("an XMP packet has no rdf:RDF element to put a label in")
    kept = [uri for uri in found.said[_SOURCE_TYPE] if uri in _EXACT]
    if not statement.system:
        system, version = (next(iter(found.said[name]), "") for name in (_SYSTEM, _SYSTEM_VERSION))
        statement = statement._replace(system=system, system_version=version)
    body = _description(statement, kept[0] if kept else SOURCE_TYPES + statement.source_type, found.about or "")
    before = _cut(existing, found.spans, 0, found.root_end)
    return b"".join((before, body.encode(), _cut(existing, found.spans, found.root_end, len(existing))))


def without(packet: bytes) -> bytes:
    """The packet without what a new label would replace; LabelError as for ``every``."""
    packet = _clear(packet)
    return _cut(packet, _scan(packet).spans, 0, len(packet))


def every(packet: bytes) -> tuple[Aigc, ...]:
    """Every label in a packet, in order; a property named AIGC that holds no label is passed over.

    LabelError where the packet is not well-formed XML in a Unicode encoding or has a document type; OversizeError where
    it is over 1 MiB or 20,000 elements.
    """
    labels = []
    for text in _scan(_clear(packet)).labels:
        try:
            labels.append(parse(text))
        except LabelError:
            continue
    return tuple(labels)


def properties(packet: bytes) -> dict[str, tuple[str, ...]]:
    """What a packet says by IPTC's properties, by their names; LabelError as for ``every``."""
    said = _scan(_clear(packet)).said
    return {name.rpartition(" ")[2]: tuple(said[name]) for name in _PROPERTIES if said[name] and name != DISCLOSURE}


def disclosures(packet: bytes) -> tuple[str, ...]:
    """Every statement in a packet, as it stands there, in order; LabelError as for ``every``."""
    return tuple(_scan(_clear(packet)).said[DISCLOSURE])


def read(packet: bytes) -> Aigc | None:
    """The label in a packet, or None. LabelError as for ``every``, and where two labels disagree."""
    labels = dict.fromkeys(every(packet))
    if len(labels) > 1:
        raise LabelError("an XMP packet holds labels that disagree")
    return next(iter(labels), None)


def unpadded(packet: bytes) -> bytes:
    """The packet without the white space that stands before its end for later changes (ISO 16684-1, clause 7.3.2)."""
    before, end, after = packet.rpartition(b"<?xpacket end")
    return b"".join((before.rstrip(), end, after)) if end else packet


def _clear(packet: bytes) -> bytes:
    """The packet in UTF-8, without the zeros behind it. LabelError where it is in no encoding of Unicode."""
    if len(packet) > MAX_PACKET:
        raise OversizeError(f"an XMP packet of {len(packet)} bytes is over the limit of {MAX_PACKET}")
    encoding = next((name for opening, name in _ENCODINGS if packet.startswith(opening)), None)
    if encoding is None:
        return packet.rstrip(b"\0")
    try:
        text = packet.decode(encoding).rstrip("\0")
    except UnicodeDecodeError:
        raise LabelError("an XMP packet is damaged: it is not in the encoding that it begins in") from None
    # What was declared of the encoding does not hold any more.
    return _DECLARATION.sub("", text, count=1).encode()


def _cut(packet: bytes, spans: list[Span], start: int, end: int) -> bytes:
    """What stands from ``start`` to ``end``, outside the spans."""
    pieces = []
    for left, right in sorted(spans):
        if start <= left < end:
            pieces.append(packet[start:left])
            start = right
    return b"".join([*pieces, packet[start:end]])


def _description(statement: Statement, source_type: str, about: str) -> str:
    said = {
        "DigitalSourceType": source_type,
        "AISystemUsed": statement.system,
        "AISystemVersionUsed": statement.system_version,
    }
    spaces, elements = "", []
    if statement.aigc is not None:
        spaces += f' xmlns:TC260="{TC260}"'
        elements.append(f"<TC260:AIGC>{_escaped(statement.aigc.compact())}</TC260:AIGC>")
    spaces += f' xmlns:Iptc4xmpExt="{IPTC_EXT}"'
    elements += (f"<Iptc4xmpExt:{name}>{escape(text)}</Iptc4xmpExt:{name}>" for name, text in said.items() if text)
    if statement.disclosure:
        spaces += f' xmlns:countermark="{OURS}"'
        elements.append(f"<countermark:Disclosure>{_escaped(statement.disclosure)}</countermark:Disclosure>")
    return (
        f'<rdf:Description rdf:about={quoteattr(about)} xmlns:rdf="{RDF}"{spaces}>{"".join(elements)}</rdf:Description>'
    )


def _escaped(json: str) -> str:
    return escape(json, {'"': "&quot;"})


def _scan(packet: bytes) -> _Found:
    """Find our properties and where they stand in the bytes."""
    found = _Found()
    stack: list[_Element] = []
    inside: list[_Element] = []  # the element of ours that is open, if any: what stands in it is its value
    # The packet wrapper says UTF-8 and nothing else, whatever a stray XML declaration claims.
    parser = expat.ParserCreate("utf-8", " ")
    parser.ordered_attributes = True
    parser.buffer_text = True  # else every line is a piece of its own

    def doctype(*_: object) -> None:
        raise LabelError("an XMP packet has a document type, which is refused")

    def start(name: str, attributes: list[str]) -> None:
        found.elements += 1
        if found.elements > MAX_ELEMENTS:
            raise OversizeError(f"an XMP packet has more than {MAX_ELEMENTS} elements")
        begin = parser.CurrentByteIndex
        tag = START_TAG.match(packet, begin)
        if tag is None:
            raise LabelError("an XMP packet has a start tag that cannot be read")
        element = _Element(name, begin, tag.end())
        stack.append(element)
        if inside:
            return
        if found.into(name) is not None:
            inside.append(element)
            # A value that is a URI may stand in an attribute (ISO 16684-1, clause 7.5).
            element.text += (
                value for key, value in zip(attributes[::2], attributes[1::2], strict=True) if key == _RESOURCE
            )
            return
        spans = (match.span() for match in _ATTRIBUTE.finditer(packet, *tag.span("attributes")) if match["name"])
        for key, value, span in zip(attributes[::2], attributes[1::2], spans, strict=True):
            values = found.into(key)
            if values is not None:
                values.append(value)
                element.ours.append(span)
            elif key == _ABOUT and name == _DESCRIPTION:
                found.about = value if found.about is None else found.about
            else:
                element.others += 1

    def end(name: str) -> None:
        element = stack.pop()
        if inside and inside[0] is not element:
            return
        closing = parser.CurrentByteIndex
        empty = packet.endswith(b"/>", element.start, element.tag_end)
        span = (element.start, element.tag_end if empty else packet.index(b">", closing) + 1)
        text = "".join(element.text).strip()
        if inside:
            inside.clear()
            values = found.into(name)
            if values is not None:
                values.append(text)
            (stack[-1].ours if stack else found.spans).append(span)
            return
        if name == _RDF_ROOT and found.root_end is None and not empty:
            found.root_end = closing
        # A description that held nothing but ours goes as a whole, so that writing twice equals writing once.
        inner = bool(stack) and stack[-1].name == _RDF_ROOT
        if inner and name == _DESCRIPTION and element.ours and not element.others and not text:
            found.spans.append(span)
            return
        found.spans.extend(element.ours)
        if stack:
            stack[-1].others += 1

    def data(text: str) -> None:
        if stack:
            (inside or stack)[-1].text.append(text)

    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = data
    try:
        parser.Parse(packet, True)
    except expat.ExpatError as error:
        raise LabelError(f"an XMP packet is not well-formed XML: {error}") from None
    return found
