"""One picture labelled: bounded before it is decoded, read back before it leaves, and never labelled twice."""

import base64
import json
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from proxy import shipped
from proxy.label.aigc import Aigc
from proxy.label.provenance import UNTOLD, Making
from proxy.label.xmp import Statement, packet
from proxy.labelling.errors import LabellingError
from proxy.labelling.mark import Mark
from proxy.labelling.order import Studio
from proxy.labelling.outcome import Done
from proxy.labelling.picture import Picture
from proxy.labelling.written import Written
from proxy.media import png
from proxy.media.carriers import disclosures
from proxy.media.formats import find
from proxy.policy.decision import Decision
from proxy.record.exchange import Item
from proxy.record.outcome import Outcome
from tests.labelling.answers import ID, badge, decision, drawn, marked

SAMPLES = Path(__file__).parent.parent / "samples"
STUDIO = Studio(shipped.font(), 1_000_000)
MARK = marked(badge())
QUIET = marked(decision(None, ("xmp",)))


def picture(data: bytes, mark: Mark = MARK, index: int = 0) -> Picture:
    return Picture(base64.b64encode(data), "base64", "data[0].b64_json", index, mark)


def labels(data: bytes) -> tuple[Aigc, ...]:
    media = find(data)
    assert media is not None
    return media.read(data)


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


@pytest.mark.parametrize("name", ["rgb8.png", "rgb.jpg"])
@pytest.mark.parametrize("index", [0, 2])
def test_metadata_alone(name: str, index: int) -> None:
    out, item = drawn(picture(sample(name), QUIET, index), STUDIO)
    after = base64.b64decode(out)
    assert (QUIET.of_item(index),) == labels(after)
    assert (item.placed, item.skipped, item.kind) == (("xmp",), "no rule asks for a badge", "image")
    assert (sha256(sample(name)).hexdigest(), sha256(after).hexdigest()) == (item.before, item.after)
    assert (len(sample(name)), len(after)) == (item.size_before, item.size_after)
    assert QUIET.of_item(index).produce_id == item.produce_id


def test_a_badge_and_metadata() -> None:
    held = BytesIO()
    Image.new("RGB", (256, 256), (9, 99, 199)).save(held, "PNG")
    out, item = drawn(picture(held.getvalue()), STUDIO)
    assert item.placed == ("badge", "xmp", "body")
    assert item.skipped == ""
    after = base64.b64decode(out)
    assert (MARK.aigc,) == labels(after)
    with Image.open(BytesIO(after)) as image:
        assert image.size == (256, 256)
        assert image.getextrema() == ((0, 255),) * 3  # black and white are the badge's


PLAIN = base64.b64encode(sample("rgb8.png"))
URL = b"data:image/png;base64,"


@pytest.mark.parametrize(
    ("encoding", "data", "head"),
    [
        ("base64", PLAIN, b""),
        ("base64", base64.encodebytes(sample("rgb8.png")), b""),
        ("base64", b" " + PLAIN[:60] + b"\r\n\t" + PLAIN[60:] + b"\n", b""),
        ("hex", sample("rgb8.png").hex().encode(), b""),
        ("hex", sample("rgb8.png").hex().upper().encode(), b""),
        ("raw", sample("rgb8.png"), b""),
        ("data_url", URL + PLAIN, URL),
        ("data_url", b"DATA:;Base64," + base64.encodebytes(sample("rgb8.png")), b"DATA:;Base64,"),
        ("data_url", b"data:image/png;name=a.png;base64," + PLAIN, b"data:image/png;name=a.png;base64,"),
    ],
)
def test_a_picture_leaves_written_as_it_came(encoding: Written, data: bytes, head: bytes) -> None:
    out, item = drawn(replace(picture(b"", QUIET), data=data, encoding=encoding), STUDIO)
    assert head == out[: len(head)]
    written = out[len(head) :]
    match encoding:
        case "raw":
            after = written
        case "hex":
            after = bytes.fromhex(written.decode())
        case _:
            after = base64.b64decode(written, validate=True)
    expected, _ = drawn(picture(sample("rgb8.png"), QUIET), STUDIO)
    assert base64.b64decode(expected) == after
    assert (sha256(sample("rgb8.png")).hexdigest(), sha256(after).hexdigest()) == (item.before, item.after)
    assert encoding == "raw" or json.loads(b'"%b"' % out) == out.decode("ascii")


@pytest.mark.parametrize(
    ("reason", "encoding", "data"),
    [
        ("is not hexadecimal", "hex", b"QUJD"),
        ("is not hexadecimal", "hex", b"abc"),
        ("a data URL that is not in base64", "data_url", b"data:image/png," + PLAIN),
        ("a data URL that is not in base64", "data_url", b"data:image/svg+xml;utf8,<svg/>"),
        ("a data URL that is not in base64", "data_url", URL[:-1] + PLAIN),
        ("a data URL that is not in base64", "data_url", PLAIN),
        ("a data URL that is not in base64", "data_url", b""),
        ("is not base64", "data_url", URL + b"a%20b"),
        ("in no picture format", "data_url", URL),
        ("is a URL", "url", b"https://images.example.com/a.png"),
    ],
)
def test_what_is_written_in_another_way(reason: str, encoding: Written, data: bytes) -> None:
    with pytest.raises(LabellingError, match=reason):
        drawn(replace(picture(b""), data=data, encoding=encoding), STUDIO)


@pytest.mark.parametrize(
    ("reason", "data"),
    [
        ("is not base64", b"not base64!"),
        ("is not base64", b"QUJ"),
        ("is not base64", b"QUI=QUJD"),
        ("is not base64", b"QUJD?"),
        ("in no picture format", base64.b64encode(b"a text")),
        ("in no picture format", b""),
        ("no picture that can be labelled", base64.b64encode(sample("rgb8.png")[:40])),
        ("no picture that can be labelled", base64.b64encode(sample("rgb.jpg")[:200])),
    ],
)
def test_what_is_no_picture(reason: str, data: bytes) -> None:
    with pytest.raises(LabellingError, match=reason):
        drawn(replace(picture(b""), data=data), STUDIO)


@pytest.mark.parametrize("mark", [MARK, QUIET])
def test_a_picture_over_the_bound_is_not_decoded(mark: Mark) -> None:
    header = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (50_000).to_bytes(4) * 2 + b"\x08\x02\x00\x00\x00"
    with pytest.raises(LabellingError, match=r"50000 x 50000 pixels|no picture"):
        drawn(picture(header + b"\0" * 40, mark), STUDIO)
    with pytest.raises(LabellingError, match="more than the 3 that are allowed"):
        drawn(picture(sample("rgb8.png"), mark), STUDIO._replace(pixels=3))


def test_a_picture_that_came_with_a_label() -> None:
    name = "labelled-xmp.png"
    with pytest.raises(LabellingError, match="came with a label already"):
        drawn(picture(sample(name), QUIET), STUDIO)
    (upstream,) = labels(sample(name))
    trusted = marked(decision(None, ("xmp",)), trusted=True)
    out, _ = drawn(picture(sample(name), trusted), STUDIO)
    (after,) = labels(base64.b64decode(out))
    assert (upstream.content_producer, upstream.produce_id, "ACME") == (
        after.content_producer,
        after.produce_id,
        after.content_propagator,
    )


# --- Statements -------------------------------------------------------------------------------------------------------

SAYS = Decision(None, frozenset({"statement"}), because=("test/image",))
SAYS_BOTH = Decision(None, frozenset({"statement", "xmp", "header"}), because=("test/image",))
EDIT = Making(0, "m", altered=True)


def stated(data: bytes) -> tuple[str, ...]:
    media = find(data)
    assert media is not None
    return disclosures(media.carriers(data))


def made(one: Decision, *, trusted: bool = False, making: Making = UNTOLD) -> Mark:
    return marked(one, trusted=trusted)._replace(making=making)


def labelled(data: bytes, mark: Mark, index: int = 0) -> tuple[bytes, Item]:
    out, item = drawn(picture(data, mark, index), STUDIO)
    return base64.b64decode(out), item


@pytest.mark.parametrize("name", ["rgb8.png", "rgb.jpg", "plain.svg"])
@pytest.mark.parametrize("index", [0, 2])
def test_the_statement_alone(name: str, index: int) -> None:
    mark = made(SAYS, making=EDIT)
    after, item = labelled(sample(name), mark, index)
    assert ((mark.statement("image", index),), ()) == (stated(after), labels(after))
    assert (mark.of_item(index).produce_id, ("statement",)) == (item.produce_id, item.placed)
    assert (item.produce_id, "altered") == (
        json.loads(stated(after)[0])["content_id"],
        json.loads(*stated(after))["mode"],
    )
    assert b"compositeWithTrainedAlgorithmicMedia</Iptc4xmpExt" in after


def test_label_and_statement() -> None:
    mark = made(SAYS_BOTH)
    after, item = labelled(sample("rgb8.png"), mark)
    assert ((mark.statement("image"),), (mark.aigc,)) == (stated(after), labels(after))
    assert ("xmp", "statement", "header") == item.placed
    again, item = labelled(after, mark)
    assert (mark.statement("image"),) == stated(again)  # it is ours to say, and said once
    assert ("xmp", "statement", "header") == item.placed


def test_a_statement_of_the_upstreams_stays_where_it_is_believed_or_none_is_asked_for() -> None:
    theirs = png.write(sample("rgb8.png"), Statement(None, disclosure='{"mode":"theirs"}'))
    for expected, one, placed, trusted in (
        ("created", SAYS, ("statement",), False),
        ("theirs", SAYS, ("upstream", "statement"), True),  # ours stands in the JSON around it
        ("theirs", SAYS_BOTH, ("xmp", "upstream", "header", "statement"), True),
        ("theirs", decision(None, ("xmp",)), ("xmp",), False),
        ("theirs", decision(None, ("header",)), ("header",), False),
    ):
        after, item = labelled(theirs, made(one, trusted=trusted))
        assert expected == json.loads(*stated(after))["mode"]
        assert placed == item.placed


@pytest.mark.parametrize("name", ["labelled-xmp.png", "labelled-text.png", "labelled-comment.jpg"])
def test_a_label_that_no_rule_speaks_of_stays_beside_the_statement(name: str) -> None:
    after, item = labelled(sample(name), made(SAYS))
    assert labels(sample(name)) == labels(after)
    assert (("statement",), ID) == (item.placed, item.produce_id)
    with pytest.raises(LabellingError, match="came with a label already"):
        labelled(sample(name), made(SAYS_BOTH))


def test_labels_that_contradict_each_other_are_not_chosen_between() -> None:
    other = Statement(Aigc.first_write("OTHER", "2"))
    data = sample("labelled-text.png")
    at = data.index(b"IDAT") - 4
    both = data[:at] + png.xmp_chunk(packet(other)) + data[at:]
    assert 2 == len(labels(both))
    with pytest.raises(LabellingError, match="labels that contradict each other"):
        labelled(both, made(SAYS))


def test_what_its_maker_has_stated_is_preserved() -> None:
    theirs = png.write(sample("rgb8.png"), Statement(None, disclosure='{"mode":"theirs"}'))
    after, item = labelled(theirs, made(replace(SAYS, role="preserve")))
    assert theirs == after
    assert ("upstream",) == item.placed[:1]


def test_a_badge_that_nobody_wanted_is_told_of() -> None:
    mark = marked(Decision(None, frozenset({"xmp"}), because=("test/image",), hidden="the client asked for no notice"))
    _, item = drawn(picture(sample("rgb8.png"), mark), STUDIO)
    assert (("xmp",), "the client asked for no notice") == (item.placed, item.skipped)
    done = Done(mark, b"", [item])
    assert (Outcome.METADATA_ONLY, "the client asked for no notice") == done.outcome()
