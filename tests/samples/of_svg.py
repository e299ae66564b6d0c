"""SVG documents: what editors, plotting libraries and models write, in short."""

from collections.abc import Callable

from parts import ESCAPED, HEIGHT, LABEL, WIDTH, WRAPPED, XMP_ATTRIBUTE, XMP_ELEMENT, XMP_PLAIN

SVG = 'xmlns="http://www.w3.org/2000/svg"'
RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
TC260 = 'xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/"'
PIXELS = f'width="{WIDTH}" height="{HEIGHT}"'
SHAPES = '<rect width="96" height="64" fill="#8cf"/><circle cx="30" cy="30" r="20" fill="#e33"/>'
PROLOG = (
    '\ufeff<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<!-- Generator: an editor <svg -->\n'
    '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">\n'
)
WORK = '<metadata id="m"><rdf:RDF><cc:Work rdf:about=""><dc:format>x</dc:format></cc:Work></rdf:RDF></metadata>'


def svg(inner: str = SHAPES, attributes: str = PIXELS, before: str = "", after: str = "") -> bytes:
    return f"{before}<svg {SVG} {attributes}>{inner}</svg>{after}".encode()


def fitted(aspect: str) -> bytes:
    """A viewBox of another shape than the picture."""
    return svg(attributes=f'{PIXELS} viewBox="-10 5 200 40" preserveAspectRatio="{aspect}"')


SVGS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "plain": ("width and height in pixels, no metadata", svg),
    "closed": ("a root without an end tag", lambda: f"<svg {SVG} {PIXELS} />\n".encode()),
    "viewbox": ("a viewBox and no size", lambda: svg(attributes='viewBox="0,0 96 64"')),
    "percent": (
        "a viewBox and a size in per cent",
        lambda: svg(attributes='width="100%" height="100%" viewBox="0 0 96 64"'),
    ),
    "units": ("a size in inches and picas", lambda: svg(attributes='width="1in" height="4pc" viewBox="0 0 48 32"')),
    "slice": ("a viewBox that is cut off on both sides", lambda: fitted("xMidYMid slice")),
    "meet": ("a viewBox with room above and below", lambda: fitted("xMidYMid")),
    "none": ("a viewBox that is stretched", lambda: fitted("none")),
    "prolog": (
        "byte order mark, declaration, comment, document type, prefixed elements, a comment after the root",
        lambda: (
            f'{PROLOG}<svg:svg xmlns:svg="http://www.w3.org/2000/svg" {PIXELS} title="a > b">'
            "<svg:title>一只猫</svg:title><svg:path d='M0 0h9v9z'/></svg:svg>\n<!-- end -->\n"
        ).encode(),
    ),
    "metadata": (
        "RDF with prefixes of the root, style, script, animation, metadata of a group",
        lambda: svg(
            f"<title>A cat</title>{WORK}<style>g{{opacity:0}} path{{fill:none;stroke:red;transform:scale(3)}}</style>"
            "<script>/* &lt; */</script><g><metadata>a group</metadata><path d='M0 0h9'/></g>"
            f"<circle r='9'><animate attributeName='r' to='20' dur='1s'/></circle>{SHAPES}",
            f'{PIXELS} {RDF} xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:cc="http://creativecommons.org/ns#"',
        ),
    ),
    "packet": ("an XMP packet in metadata", lambda: svg(f"<metadata>{XMP_PLAIN}</metadata>{SHAPES}")),
    "labelled-xmp": (
        "label as an XMP element in a packet",
        lambda: svg(f"{SHAPES}<metadata>{XMP_ELEMENT}</metadata>"),
    ),
    "labelled-attribute": (
        "label as an XMP attribute in a packet",
        lambda: svg(f"<metadata>{XMP_ATTRIBUTE}</metadata>{SHAPES}"),
    ),
    "labelled-root": (
        "label in RDF with prefixes of the root, in the metadata of a group",
        lambda: svg(
            f'<g><metadata><rdf:RDF><rdf:Description TC260:AIGC="{ESCAPED}"/></rdf:RDF></metadata>{SHAPES}</g>',
            f"{PIXELS} {RDF} {TC260}",
        ),
    ),
    "labelled-element": (
        "label as an element of metadata, without RDF",
        lambda: svg(f"<metadata><aigc><![CDATA[{LABEL}]]></aigc></metadata>{SHAPES}"),
    ),
    "labelled-text": ("wrapped label as metadata's text", lambda: svg(f"<metadata>{WRAPPED}</metadata>{SHAPES}")),
    "labelled-inner": (
        "label as the text of an element of metadata",
        lambda: svg(
            f"<metadata><note xmlns='x:y' lang='en'>AIGC={ESCAPED}</note><note xmlns='x:y'/></metadata>{SHAPES}"
        ),
    ),
    "manifest": (
        "an element as C2PA has it (no real manifest)",
        lambda: svg(
            f'<metadata><c2pa:manifest xmlns:c2pa="http://c2pa.org/manifest">anVtYg==</c2pa:manifest></metadata>{SHAPES}'
        ),
    ),
}
