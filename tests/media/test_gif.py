"""GIF: blocks kept in order, the packet read in either form, labels in comments, broken files refused."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement, packet
from proxy.media import gif
from proxy.media.carriers import MAX_CARRIERS
from proxy.media.errors import MediaError

LABEL = Aigc.first_write("ACME", "0a1b")
JSON = LABEL.compact().encode()
NAME = b"\x21\xff\x0bXMP DataXMP"
PLAIN = b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"></rdf:RDF>'
LANDING = b"\1" + bytes(range(255, -1, -1)) + b"\0"


def blocks(data: bytes, length: int = 255) -> bytes:
    parts = (data[at : at + length] for at in range(0, len(data), length))
    return b"".join(bytes((len(part),)) + part for part in parts) + b"\0"


def comment(text: bytes) -> bytes:
    return b"\x21\xfe" + blocks(text)


def insert(data: bytes, *extensions: bytes) -> bytes:
    """After the screen and its table of four colours."""
    return data[:25] + b"".join(extensions) + data[25:]


def wholes(data: bytes) -> list[bytes]:
    return [bytes(block.whole) for block in gif.parse(data).blocks]


def test_pictures_and_other_blocks_are_kept_byte_for_byte_and_in_order(gif_sample: Path) -> None:
    data = gif_sample.read_bytes()
    written = gif.write(data, Statement(LABEL))
    after = [whole for whole in wholes(written) if not whole.startswith(NAME)]
    gone = {
        "labelled-comment": b"\x21\xfe",
        "labelled-application": b"\x21\xff\x0bAIGC",
        "manifest": b"\x21\xff\x0bC2PA_GIF",
    }
    kept = [whole for whole in wholes(data) if not whole.startswith((NAME, gone.get(gif_sample.stem, NAME)))]
    assert after == kept
    assert gif.parse(written).rest == gif.parse(data).rest
    assert written[:6] == b"GIF89a"
    assert written[6:13] == data[6:13]


def test_a_new_packet_is_what_the_guide_and_the_specification_say(load: Callable[[str], bytes]) -> None:
    written = gif.write(load("still.gif"), Statement(LABEL))
    assert written[25:].startswith(NAME + packet(Statement(LABEL)) + LANDING + b"\x2c")
    assert written[:25] == b"GIF89a" + load("still.gif")[6:25]


def test_a_new_packet_stands_behind_the_loop_and_before_the_control_extension(load: Callable[[str], bytes]) -> None:
    starts = [whole[:11] for whole in wholes(gif.write(load("animated-keep.gif"), Statement(LABEL)))]
    assert [start[:3] for start in starts[:4]] == [b"\x21\xff\x0b", b"\x21\xff\x0b", b"\x21\xf9\4", b"\x2c\0\0"]
    assert starts[0][3:] == b"NETSCAPE"
    assert starts[1][3:] == b"XMP Data"


def test_the_label_goes_where_the_packet_was(load: Callable[[str], bytes]) -> None:
    before, after = wholes(load("metadata.gif")), wholes(gif.write(load("metadata.gif"), Statement(LABEL)))
    changed = [index for index, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]
    assert [after[index][: len(NAME)] for index in changed] == [NAME]
    assert b'dc:format="image/x"' in after[changed[0]]


@pytest.mark.parametrize("existing", [packet(Statement(LABEL)), packet(Statement(LABEL), PLAIN), PLAIN + b"\n" * 300])
@pytest.mark.parametrize(
    "form",
    [
        lambda text: text + LANDING,
        lambda text: b"\xef\xbb\xbf" + text + LANDING,
        lambda text: b"\n " + text + LANDING,
        lambda text: blocks(text),
        lambda text: blocks(text, 200),
        lambda text: blocks(text, ord("<")),
        lambda text: blocks(text + LANDING[:-1]),
        lambda text: text + LANDING[1:],  # not all of it, and still enough
        lambda text: text + bytes(256),
    ],
)
def test_a_packet_is_read_in_every_form_and_written_in_one(
    form: Callable[[bytes], bytes], existing: bytes, load: Callable[[str], bytes]
) -> None:
    data = insert(load("still.gif"), NAME + form(existing))
    assert gif.read(data) == ((LABEL,) if b"ACME" in existing else ())
    (carrier,) = gif.carriers(data)
    assert carrier.packet.strip(b"\0\n ").removeprefix(b"\xef\xbb\xbf") == existing.strip()
    written = gif.write(data, Statement(LABEL))
    assert gif.read(written) == (LABEL,)
    assert written.count(NAME) == 1
    assert written[25:].startswith(NAME + packet(Statement(LABEL), carrier.packet.rstrip(b"\0")) + LANDING)


@given(st.text(max_size=600).map(lambda text: text.replace("\0", "")))
def test_whatever_a_packet_holds_readers_of_sub_blocks_land_at_its_end(text: str) -> None:
    extension = gif.xmp_extension(text.encode())
    position = 14
    while length := extension[position]:
        position += 1 + length
    assert position == len(extension) - 1


def test_of_several_packets_one_holds_the_label(load: Callable[[str], bytes]) -> None:
    others = NAME + blocks(PLAIN), NAME + packet(Statement(LABEL)) + LANDING
    data = insert(load("still.gif"), NAME + b"not XML" + LANDING, *others)
    written = gif.write(data, Statement(LABEL))
    assert gif.read(written) == (LABEL,)
    assert [whole for whole in wholes(written) if whole.startswith(NAME)] == [
        NAME + packet(Statement(LABEL)) + LANDING,
        NAME + blocks(PLAIN),
    ]


@pytest.mark.parametrize(
    "extension",
    [
        comment(JSON),
        comment(b"AIGC" + JSON),
        comment(b"AIGC: " + JSON + b"\0"),
        comment(b' {"AIGC": ' + JSON + b"}"),
        comment(JSON.decode().encode("utf-16")),
        b"\x21\xfe" + blocks(JSON, 1),
        b"\x21\xff\x0bAIGC\0\0\0\0\0\0\0" + blocks(JSON),
        b"\x21\xff\x04aigc" + blocks(b"AIGC=" + JSON),
    ],
)
@pytest.mark.parametrize("last", [False, True])
def test_a_label_outside_xmp_is_read_and_moved_to_xmp(
    extension: bytes, last: bool, load: Callable[[str], bytes]
) -> None:
    still = load("still.gif")
    data = still[:-1] + extension + still[-1:] if last else insert(still, extension)
    assert gif.read(data) == (LABEL,)
    assert gif.write(data, Statement(LABEL)) == gif.write(still, Statement(LABEL))


@pytest.mark.parametrize(
    "text", [b"a cat", b'{"prompt": "a cat"}', b'{"Label"', b"AIGC{", b'{"AIGC": 1}', b'{"labels": "a brand"}']
)
def test_other_comments_are_kept(text: bytes, load: Callable[[str], bytes]) -> None:
    data = insert(load("still.gif"), comment(text))
    assert gif.read(data) == ()
    assert comment(text) in gif.write(data, Statement(LABEL))


def test_only_c2pas_extension_goes(load: Callable[[str], bytes]) -> None:
    other = b"\x21\xff\x0bC2PA_JPG\1\0\0" + blocks(b"jumb c2pa")
    data = insert(load("manifest.gif"), other)
    assert gif.write(data, Statement(LABEL)) == gif.write(insert(load("still.gif"), other), Statement(LABEL))


def test_many_comments_are_no_places_for_labels(load: Callable[[str], bytes]) -> None:
    data = insert(load("still.gif"), *[comment(b'{"prompt": "a cat"}')] * 100)
    assert gif.read(data) == ()
    with pytest.raises(MediaError, match="places for labels"):
        gif.read(insert(load("still.gif"), *[comment(JSON)] * (MAX_CARRIERS + 1)))
