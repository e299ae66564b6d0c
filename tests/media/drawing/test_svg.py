"""The badge on an SVG, judged by a renderer that owes nothing to ours: there, legible, and nothing else changed."""

import io
import time
from collections.abc import Callable
from math import ceil
from pathlib import Path
from xml.etree import ElementTree

import pytest
import resvg_py
from PIL import Image, ImageChops

from proxy.media import svg
from proxy.media.badge import Badge, Position
from proxy.media.drawing.stamp import stamp
from proxy.media.errors import BadgeError, MediaError

MANY = 10**8
SAMPLES = sorted((Path(__file__).parent.parent.parent / "samples").glob("*.svg"))
NAMESPACE = 'xmlns="http://www.w3.org/2000/svg"'
SKY = '<rect x="-9999" y="-9999" width="29999" height="29999" fill="#8cf"/>'
GROUP, PATH = "{http://www.w3.org/2000/svg}g", "{http://www.w3.org/2000/svg}path"


def document(attributes: str, inner: str = SKY) -> bytes:
    return f"<svg {NAMESPACE} {attributes}>{inner}</svg>".encode()


def tree(data: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(data)  # noqa: S314  it is our own


def rendered(data: bytes, width: int | None = None) -> Image.Image:
    """As a viewer shows it, on grey."""
    shown = resvg_py.svg_to_bytes(
        svg_string=data.decode().removeprefix("\ufeff"), width=width, background="#777", dpi=96
    )
    return Image.open(io.BytesIO(bytes(shown))).convert("RGB")


def drawn_on(before: bytes, after: bytes, width: int | None = None) -> tuple[int, int, int, int]:
    box = ImageChops.difference(rendered(before, width), rendered(after, width)).getbbox()
    assert box is not None
    return box


def check_words(badge: Image.Image) -> None:
    """White on black, in shares that words on a plate have."""
    levels = badge.convert("L").histogram()
    black, white = sum(levels[:16]), sum(levels[240:])
    assert black > 0.4 * sum(levels)
    assert 0.04 * sum(levels) < white < 0.5 * sum(levels)


@pytest.mark.parametrize("path", SAMPLES, ids=[path.name for path in SAMPLES])
def test_outside_the_box_every_pixel_is_the_same(path: Path, font: bytes) -> None:
    data = path.read_bytes()
    stamped = stamp(data, Badge("AI"), font, MANY)
    before, after = rendered(data, 480), rendered(stamped.data, 480)
    assert before.size == after.size == (480, 320)
    box = tuple(5 * edge for edge in stamped.box)
    check_words(after.crop(box))
    for picture in (before, after):
        picture.paste((0, 0, 0), box)
    assert ImageChops.difference(before, after).getbbox() is None


@pytest.mark.parametrize("path", SAMPLES, ids=[path.name for path in SAMPLES])
def test_one_element_is_added_as_the_last_child_and_every_other_byte_is_kept(path: Path, font: bytes) -> None:
    data = svg.without_manifest(path.read_bytes())[0]
    stamped = stamp(path.read_bytes(), Badge("AI"), font, MANY).data
    root, old = tree(stamped), tree(data)
    assert [element.tag for element in root] == [*(element.tag for element in old), GROUP]
    assert root[-1].get("aria-label") == "AI"
    assert [element.tag for element in root[-1]] == [PATH, PATH]
    start = next(at for at, pair in enumerate(zip(data, stamped, strict=False)) if pair[0] != pair[1])
    assert path.stem == "closed" or stamped.endswith(data[start:])


@pytest.mark.parametrize("words", ["AI", "AI生成", "AI 생성"])
@pytest.mark.parametrize("height", [0.05, 0.1])
@pytest.mark.parametrize(
    ("attributes", "side"),
    [
        ('width="800" height="1000"', 800),
        ('width="20cm" height="10in" viewBox="0 0 20 25.4"', 756),
        ('width="900" height="700" viewBox="3 -4 9000 7000"', 700),
        ('width="900" height="700" viewBox="0 0 1 1" preserveAspectRatio="none"', 700),
        ('width="900" height="700" viewBox="0 0 90 20" preserveAspectRatio="xMinYMax slice"', 700),
        ('width="900" height="700" viewBox="0 0 200 90"', 700),
        ('viewBox="-5 2 24 24"', 24),
    ],
)
def test_the_ink_is_at_least_as_high_as_asked(
    attributes: str, side: int, height: float, words: str, font: bytes
) -> None:
    stamped = stamp(document(attributes), Badge(words, "top-left", height), font, MANY)
    wide = rendered(stamped.data, 1000)
    factor = wide.width / svg.size(stamped.data)[0]
    area = wide.crop(tuple(round(edge * factor) for edge in stamped.box)).convert("L")
    plate = area.crop(area.point([255] * 8 + [0] * 248).getbbox())
    inner = plate.point([0] * 128 + [255] * 128).getbbox()
    assert inner is not None
    assert inner[3] - inner[1] >= height * side * factor - 1
    if words == "AI":
        assert inner[3] - inner[1] <= ceil(height * side * factor * 1.02) + 3


@pytest.mark.parametrize(
    "position", ["top-left", "top", "top-right", "left", "right", "bottom-left", "bottom", "bottom-right"]
)
@pytest.mark.parametrize(
    "attributes",
    [
        'width="400" height="300"',
        'width="400" height="300" viewBox="-20 70 40 30"',
        'width="400" height="300" viewBox="0 0 400 30" preserveAspectRatio="xMaxYMid slice"',
        'width="400" height="300" viewBox="9 9 1 1" preserveAspectRatio="none"',
        'width="500" height="300" viewBox="0 0 40 30" preserveAspectRatio="xMinYMid"',
    ],
)
def test_it_stands_where_it_was_asked_for_whatever_the_coordinates(
    attributes: str, position: Position, font: bytes
) -> None:
    plain = document('width="400" height="300"')
    data = document(attributes)
    expected = stamp(plain, Badge("AI生成", position), font, MANY)
    stamped = stamp(data, Badge("AI生成", position), font, MANY)
    assert stamped.box == expected.box
    # Less than half of a pixel at an edge is not always seen.
    seen = drawn_on(data, stamped.data)
    assert all(abs(edge - other) <= 1 for edge, other in zip(seen, stamped.box, strict=True))
    difference = ImageChops.difference(
        rendered(stamped.data).crop(stamped.box).convert("L"), rendered(expected.data).crop(stamped.box).convert("L")
    )
    assert difference.getextrema()[1] <= 24  # of the rounding of coordinates


@pytest.mark.parametrize("mark", [None, "generated", "modified"])
def test_marks_and_several_lines_have_their_outlines(mark: str | None, font: bytes) -> None:
    badge = Badge("本图片由人工智能生成 · AI-generated image", mark=mark)  # type: ignore[arg-type]
    stamped = stamp(document('width="300" height="300"'), badge, font, MANY)
    check_words(rendered(stamped.data).crop(stamped.box))
    wide = rendered(stamped.data, 1500).convert("L").crop(tuple(5 * edge for edge in stamped.box))
    assert wide.getpixel((8, wide.height // 2)) < 16


@pytest.mark.parametrize(
    "style",
    [
        "path{fill:none}",
        "path{display:none}",
        "g{opacity:0}",
        "g{display:none}",
        "path{fill:#8cf;stroke:#8cf;stroke-width:40}",
        "path{transform:scale(9)}",
        "g{transform:translate(-500px)}",
        "g:last-child{visibility:hidden}",
        "svg > *{opacity:.01}",
        "path{fill-opacity:0}",
        "rect{width:0}",
    ],
)
def test_no_style_of_the_document_reaches_it(style: str, font: bytes) -> None:
    data = document('width="400" height="300"', f"<style>{style}</style>{SKY}")
    stamped = stamp(data, Badge("AI生成"), font, MANY)
    plain = stamp(document('width="400" height="300"'), Badge("AI生成"), font, MANY)
    inside = (rendered(version.data).crop(plain.box) for version in (stamped, plain))
    # Its very edge is mixed with what lies beneath.
    shown, expected = (picture.crop((1, 1, picture.width - 1, picture.height - 1)) for picture in inside)
    assert ImageChops.difference(shown, expected).getbbox() is None


def test_every_declaration_is_important(font: bytes) -> None:
    """The judge takes stylesheets for stronger than styles where both are important; the standard does not."""
    root = tree(stamp(document('width="400" height="300"'), Badge("AI"), font, MANY).data)
    for element in root[-1].iter():
        declarations = dict(part.split(":") for part in element.attrib["style"].split(";"))
        assert all(value.endswith("!important") for value in declarations.values())
        assert {"display", "visibility", "opacity", "transform", "animation", "clip-path"} <= set(declarations)


def test_a_badge_on_a_badge_is_drawn_all_the_same(font: bytes) -> None:
    once = stamp(document('width="400" height="300"'), Badge("AI"), font, MANY)
    twice = stamp(once.data, Badge("AI生成"), font, MANY)
    assert twice.data.count(b"<g ") == 2
    check_words(rendered(twice.data).crop(twice.box))


@pytest.mark.parametrize(
    ("message", "attributes"),
    [
        ("says no size", ""),
        ("says no size", 'width="100%" height="100%"'),
        ("20 x 20 pixels is too small", 'width="20" height="20" viewBox="0 0 2000 2000"'),
        ("too small for a legible badge", 'width="400" height="14"'),
        ("too small for a legible badge", 'width="300" height="300" viewBox="0 0 400 1"'),
    ],
)
def test_a_sound_document_without_room_says_so(message: str, attributes: str, font: bytes) -> None:
    with pytest.raises(BadgeError, match=message):
        stamp(document(attributes), Badge("AI生成"), font, MANY)


@pytest.mark.parametrize("data", [b"<svg", document('width="0" height="9"'), document("width='1e9' height='1e9'")])
def test_a_broken_document_is_no_matter_of_room(data: bytes, font: bytes) -> None:
    with pytest.raises(MediaError) as refused:
        stamp(data, Badge("AI"), font, MANY)
    assert not isinstance(refused.value, BadgeError)


def test_it_is_small_and_quick(font: bytes, load: Callable[[str], bytes]) -> None:
    data = load("plain.svg")
    assert len(stamp(data, Badge("AI生成"), font, MANY).data) - len(data) < 5_000
    begun = time.process_time()
    for _ in range(20):
        stamp(data, Badge("AI生成"), font, MANY)
    assert time.process_time() - begun < 2
