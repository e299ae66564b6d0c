"""SVG (1.1 and 2): the label in the document's ``metadata``.

Law: what carries no label is kept byte for byte. The label goes as XMP properties into the RDF of the first
``metadata`` element of the root that has one, or into a new one that becomes the root's first child (SVG 2, section
5.10; practice guide TC260-PG-20259A names no place). Labels are read in every ``metadata`` element: in elements and
attributes named AIGC, within RDF or without, and where one is an element's whole text.
"""

import re

from proxy.label import xmp
from proxy.label.aigc import Aigc
from proxy.label.errors import LabelError
from proxy.label.xmp import Statement
from proxy.media import svg_document
from proxy.media.carriers import Carrier, labels, xmp_carrier
from proxy.media.errors import MediaError
from proxy.media.svg_document import UTF_16, Metadata, Root, Span, edited, parse
from proxy.media.viewport import viewport

TYPES: tuple[str, ...] = ("image/svg+xml",)

MAX_PROLOG = 1 << 16  # bytes before the root element

_BOM = b"\xef\xbb\xbf"
_SIGNATURE = re.compile(
    rb"(?:<\?.*?\?>|<!--.*?-->|\s+)*+(?:<!DOCTYPE\s+(?:[\w.-]+:)?svg[\s\[>]|<(?:[\w.-]+:)?svg[\s/>])", re.DOTALL
)


def sniff(data: bytes) -> bool:
    """Whether the first element, or the document type, is ``svg``, past comments and processing instructions."""
    head = data[:MAX_PROLOG]
    if encoding := UTF_16.get(head[:2]):
        head = head[2:].decode(encoding, "ignore").encode("utf-8", "ignore")
    return _SIGNATURE.match(head.removeprefix(_BOM)) is not None


def size(data: bytes) -> tuple[int, int]:
    """Width and height in whole pixels of 1/96 inch; those of the viewBox where no absolute ones are given.

    BadgeError where the picture has neither, and so fills whatever it is put into.
    """
    return viewport(svg_document.attributes(data)).size


def read(data: bytes) -> tuple[Aigc, ...]:
    """Every label in a ``metadata`` element."""
    return labels(carriers(data))


def carriers(data: bytes) -> list[Carrier]:
    """Every ``metadata`` element with RDF or a label, as a document of its own; texts in one that are labels."""
    document = parse(data)
    found = [(span, Carrier("metadata text", (label,))) for span, label in document.texts]
    found += [(item.span, xmp_carrier("metadata", _alone(data, item))) for item in document.metadata]
    return [carrier for _, carrier in sorted(found, key=lambda pair: pair[0])]


def write(data: bytes, statement: Statement) -> bytes:
    """The document with this label only; every other byte as it was, but C2PA manifests.

    MediaError where a ``metadata`` element that has to change is over 1 MiB or 20,000 elements.
    """
    document = parse(data)
    if document.manifests or document.texts:
        data = edited(data, [(span, b"") for span in (*document.manifests, *(span for span, _ in document.texts))])
        document = parse(data)
    home = next((found for found in document.metadata if found.home), None)
    edits: list[tuple[Span, bytes]] = []
    try:
        for found in document.metadata:
            if found is home:
                edits.append((found.span, _in_place(found, xmp.packet(statement, _alone(data, found)))))
            elif found.labelled:
                edits.append((found.span, _in_place(found, xmp.without(_alone(data, found)))))
    except LabelError as error:
        raise MediaError(f"the SVG's metadata cannot be labelled: {error}") from None
    data = edited(data, edits)
    if home is None:
        name = document.root.prefix + b"metadata"
        # Whatever was edited stands behind the root's start tag.
        data = with_child(data, document.root, b"<%b>%b</%b>" % (name, xmp.packet(statement), name), first=True)
    # Where an element went, the text beside it may be its parent's whole content, and so a label.
    return write(data, statement) if edits and parse(data).texts else data


def has_manifest(data: bytes) -> bool:
    """Whether there is a C2PA manifest: an element ``c2pa:manifest`` (C2PA 2.x, appendix A.3)."""
    return bool(parse(data).manifests)


def without_manifest(data: bytes) -> tuple[bytes, Root]:
    """The document without C2PA manifests, and its root element."""
    document = parse(data)
    if not document.manifests:
        return data, document.root
    data = edited(data, [(span, b"") for span in document.manifests])
    return data, parse(data).root


def with_child(data: bytes, root: Root, element: bytes, first: bool = False) -> bytes:
    """The document with one more element in its root: after all others, or before them."""
    if root.end is None:
        tag = (root.start - len(b"/>"), root.start)
        return edited(data, [(tag, b">%b</%bsvg>" % (element, root.prefix))])
    place = root.start if first else root.end
    return edited(data, [((place, place), element)])


def _alone(data: bytes, found: Metadata) -> bytes:
    """A metadata element as a document of its own: it declares every prefix that it may use."""
    start, end = found.span
    return b"".join((data[start : found.name], found.scope, data[found.name : end]))


def _in_place(found: Metadata, alone: bytes) -> bytes:
    """What ``_alone`` gave out, changed since, without the declarations that it added."""
    name = found.name - found.span[0]
    return alone[:name] + alone[name + len(found.scope) :]
