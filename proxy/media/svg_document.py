"""An SVG document as bytes (XML 1.0, Namespaces in XML 1.0): where its root, its metadata and its labels stand.

Law: it is read whole and in UTF-8, or it is an error. A document type may name a DTD, but declares nothing, and no
entity but XML's own five is used: nothing honest needs them, and readers differ in what they make of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from proxy.label import xmp
from proxy.label.aigc import KEYWORD, Aigc
from proxy.media.carriers import check_count, in_text
from proxy.media.errors import MediaError

NAMESPACE = "http://www.w3.org/2000/svg"
MAX_BYTES = 32 << 20
MAX_ELEMENTS = 300_000
MAX_DEPTH = 500
MAX_ATTRIBUTES = 500  # of one element
MAX_PREFIXES = 200  # in scope at one place

UTF_16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}  # by their byte order marks

# Names as expat gives them: namespace, space, local name.
_ROOT = f"{NAMESPACE} svg"
_METADATA = f"{NAMESPACE} metadata"
_RDF_ROOT = f"{xmp.RDF} RDF"

Span = tuple[int, int]


class Root(NamedTuple):
    """The root element: its attributes, its prefix with the colon, and where its content stands.

    ``end`` is where the end tag begins; None for a root without one (``<svg/>``).
    """

    attributes: dict[str, str]
    prefix: bytes
    start: int
    end: int | None


class Metadata(NamedTuple):
    """A ``metadata`` element with RDF, a property named AIGC or a statement in it; ``labelled``: with one of these two.

    ``scope`` holds the namespace declarations that it needs from the elements around it, as attributes, and ``name``
    where they can be put; ``home`` says whether a label can go into it: a child of the root, with an RDF element that
    has an end tag.
    """

    span: Span
    name: int
    scope: bytes
    labelled: bool
    home: bool


class Document(NamedTuple):
    """A document in parts. ``texts`` are contents of elements in metadata that are nothing but a label; ``manifests``
    are C2PA's, as whole elements."""

    root: Root
    metadata: list[Metadata]
    texts: list[tuple[Span, Aigc]]
    manifests: list[Span]


def parse(data: bytes) -> Document:
    """The whole document in its parts. MediaError where it is not well-formed, is no SVG, or is over a bound."""
    scan = _Scan(data)
    scan.run()
    assert scan.root is not None  # a well-formed document has a root
    return Document(scan.root, scan.metadata, scan.texts, scan.manifests)


def attributes(data: bytes) -> dict[str, str]:
    """The root's attributes, read no further than that. MediaError where the document does not come so far."""
    scan = _Scan(data, head=True)
    try:
        scan.run()
    except _HeadIsRead:
        assert scan.root is not None
        return scan.root.attributes
    raise AssertionError("a root ends the reading, or it is an error")


def edited(data: bytes, edits: Iterable[tuple[Span, bytes]]) -> bytes:
    """The data with each span replaced; a span inside one that is replaced goes with it."""
    pieces: list[bytes] = []
    position = 0
    for (start, end), new in sorted(edits, key=lambda edit: (edit[0][0], -edit[0][1])):
        if start >= position:
            pieces += (data[position:start], new)
            position = end
    return b"".join([*pieces, data[position:]])


class _HeadIsRead(Exception):
    """What follows the root's start tag is not asked for."""


@dataclass(slots=True)
class _Open:
    """An element that is open: a metadata element, a manifest, or what is inside one."""

    name: str
    start: int
    tag_end: int
    declared: int  # namespaces, by itself
    leaf: bool = True
    text: list[str] = field(default_factory=list)


class _Scan:
    """One reading of a document, event by event."""

    def __init__(self, data: bytes, head: bool = False) -> None:
        self.root: Root | None = None
        self.metadata: list[Metadata] = []
        self.texts: list[tuple[Span, Aigc]] = []
        self.manifests: list[Span] = []
        self._data, self._head = data, head
        self._depth = self._elements = 0
        self._prefixes: list[tuple[str, str]] = []  # in scope, outermost first
        self._declared = 0  # how many of them by the element that is about to start
        self._open: list[_Open] = []
        self._within = 0  # how many of those are named AIGC
        self._rdf = self._labelled = self._home = False  # what the open metadata element has
        # What the document declares as its encoding is checked; expat is to assume no other.
        self._parser = expat.ParserCreate("utf-8", " ")
        self._parser.ordered_attributes = True
        self._parser.buffer_text = True  # else every line is a piece of its own
        self._parser.XmlDeclHandler = self._declaration
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.SkippedEntityHandler = self._entity
        self._parser.StartNamespaceDeclHandler = self._prefix
        self._parser.EndNamespaceDeclHandler = self._prefix_end
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end

    def run(self) -> None:
        if len(self._data) > MAX_BYTES:
            raise MediaError(f"an SVG of {len(self._data)} bytes is over the limit of {MAX_BYTES}")
        if self._data[:2] in UTF_16:
            raise MediaError("the SVG is in UTF-16, not in UTF-8")
        try:
            self._parser.Parse(self._data, True)
        except expat.ExpatError as error:
            raise MediaError(f"the SVG is not well-formed XML: {error}") from None

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() not in ("utf-8", "utf8"):
            raise MediaError(f"the SVG is in {encoding}, not in UTF-8")

    def _doctype(self, name: str, system: str | None, public: str | None, declares: int) -> None:
        if declares:
            raise MediaError("the SVG's document type declares something, which is refused")

    def _entity(self, name: str, parameter: bool) -> None:
        raise MediaError(f"the SVG uses the entity {name!r}, which is refused")

    def _prefix(self, prefix: str | None, uri: str | None) -> None:
        self._prefixes.append((prefix or "", uri or ""))
        self._declared += 1
        if len(self._prefixes) > MAX_PREFIXES:
            raise MediaError(f"the SVG declares more than {MAX_PREFIXES} namespaces at one place")

    def _prefix_end(self, prefix: str | None) -> None:
        self._prefixes.pop()

    def _start(self, name: str, attributes: list[str]) -> None:
        self._elements += 1
        self._depth += 1
        declared, self._declared = self._declared, 0
        if self._elements > MAX_ELEMENTS or self._depth > MAX_DEPTH or len(attributes) > 2 * MAX_ATTRIBUTES:
            raise MediaError(
                f"the SVG has more than {MAX_ELEMENTS} elements, {MAX_ATTRIBUTES} attributes in one of them, or "
                f"{MAX_DEPTH} elements in one another"
            )
        if self._depth == 1:
            self._begin(name, attributes)
        if self._open or name == _METADATA or _is_manifest(name):
            self._enter(name, attributes, declared)

    def _begin(self, name: str, attributes: list[str]) -> None:
        if name != _ROOT:
            raise MediaError("the document's root is no svg element of SVG's namespace")
        tag = self._tag()
        qualified = self._data[tag[0] + 1 : tag[1]].split(None, 1)[0].rstrip(b"/>")
        self.root = Root(
            dict(zip(attributes[::2], attributes[1::2], strict=True)), qualified.removesuffix(b"svg"), tag[1], None
        )
        if self._head:
            raise _HeadIsRead

    def _enter(self, name: str, attributes: list[str], declared: int) -> None:
        """One more element of those whose content matters."""
        element = _Open(name, *self._tag(), declared)
        if self._open:
            # What stands beside a manifest is an element's whole text as soon as that is gone.
            if not _is_manifest(name):
                self._open[-1].leaf = False
                self._open[-1].text.clear()
        else:
            self._parser.CharacterDataHandler = self._character_data
            self._rdf = self._labelled = self._home = False
        self._open.append(element)
        named = _is_label(name)
        self._within += named
        self._rdf |= name == _RDF_ROOT
        self._labelled |= any(map(_speaks, (name, *attributes[::2])))

    def _character_data(self, text: str) -> None:
        if self._open[-1].leaf:
            self._open[-1].text.append(text)

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._open:
            self._leave(self._open.pop())
        elif not self._depth:
            assert self.root is not None
            if not self._empty(self.root.start):
                self.root = self.root._replace(end=self._parser.CurrentByteIndex)

    def _leave(self, element: _Open) -> None:
        empty = self._empty(element.tag_end)
        closing = element.tag_end if empty else self._parser.CurrentByteIndex
        end = closing if empty else self._data.index(b">", closing) + 1
        if _is_manifest(element.name):
            self.manifests.append((element.start, end))
        if element.name == _RDF_ROOT and not empty and not self._within:
            self._home = True
        if element.leaf and not self._within:
            self.texts += (((element.tag_end, closing), label) for label in in_text("".join(element.text)))
        self._within -= _is_label(element.name)
        if self._open:
            return
        self._parser.CharacterDataHandler = None
        if element.name == _METADATA and (self._rdf or self._labelled):
            home = self._home and self._depth == 1
            name = element.start + len(self._data[element.start : element.tag_end].split(None, 1)[0].rstrip(b"/>"))
            scope = _declarations(self._prefixes, len(self._prefixes) - element.declared)
            self.metadata.append(Metadata((element.start, end), name, scope, self._labelled, home))
            check_count(len(self.metadata))
        check_count(len(self.texts))

    def _tag(self) -> Span:
        """Where the start tag stands that is being read."""
        start = self._parser.CurrentByteIndex
        tag = xmp.START_TAG.match(self._data, start)
        if tag is None:
            raise MediaError("the SVG has a start tag that cannot be read")
        return start, tag.end()

    def _empty(self, tag_end: int) -> bool:
        return self._data.endswith(b"/>", 0, tag_end)


def _is_manifest(name: str) -> bool:
    # The specification shows the prefix alone; the namespace that writers agree on is http://c2pa.org/manifest.
    return name.endswith(" manifest") and "c2pa" in name


def _is_label(name: str) -> bool:
    return name.rpartition(" ")[2].upper() == KEYWORD


def _speaks(name: str) -> bool:
    return _is_label(name) or name == xmp.DISCLOSURE


def _declarations(prefixes: list[tuple[str, str]], outer: int) -> bytes:
    """The first ``outer`` of the namespaces in scope, as attributes with a space before each, as far as none of the
    others takes its place."""
    own = {prefix for prefix, _ in prefixes[outer:]}
    names = {f"xmlns:{prefix}" if prefix else "xmlns": uri for prefix, uri in prefixes[:outer] if prefix not in own}
    return "".join(f" {name}={quoteattr(uri)}" for name, uri in names.items()).encode()
