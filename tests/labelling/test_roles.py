"""Who labels, passes on, or leaves alone what its maker has labelled: a rule's role, for each kind of content."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proxy import shipped
from proxy.labelling.errors import LabellingError
from proxy.labelling.mark import Mark
from proxy.labelling.order import PRESERVED, Studio
from proxy.labelling.picture import Picture
from proxy.labelling.written import Written
from proxy.media.formats import find
from proxy.policy.decision import Decision, Role
from proxy.record.outcome import Outcome
from tests.labelling.answers import IMAGES, PREFIX, Sent, answer, badge, decision, drawn, marked

SAMPLES = Path(__file__).parents[1] / "samples"
STUDIO = Studio(shipped.font(), 1_000_000)
LABELLED = sorted(SAMPLES.glob("labelled-*.*"))
SIGNED = sorted(SAMPLES.glob("manifest.*"))
BARE = [SAMPLES / name for name in ("rgb8.png", "rgb.jpg", "still.gif", "rgb8.tiff", "lossy.webp", "plain.svg")]
THEIRS = {"Label": "1", "ContentProducer": "OTHER", "ProduceID": "77", "ReservedCode1": "x"}


def as_(role: Role, *decisions: Decision) -> Mark:
    return marked(*(replace(one, role=role) for one in decisions))


def picture(data: bytes, mark: Mark, encoding: Written = "raw", index: int = 0) -> Picture:
    return Picture(data, encoding, "data[0].b64_json", index, mark)


# Pictures.


@pytest.mark.parametrize("path", LABELLED + SIGNED, ids=lambda path: path.name)
def test_a_picture_that_its_maker_has_labelled_is_left_alone(path: Path) -> None:
    data = path.read_bytes()
    mark = as_("preserve", badge())
    out, item = drawn(picture(data, mark, index=1), STUDIO)
    assert out == data
    assert (item.placed, item.skipped, item.dropped) == (("upstream", "body"), PRESERVED, ())
    assert (item.before, item.size_before) == (item.after, item.size_after)
    assert item.produce_id == mark.of_item(1).produce_id


@pytest.mark.parametrize("path", BARE, ids=lambda path: path.name)
@pytest.mark.parametrize("role", ["propagator", "preserve"])
def test_a_picture_that_nobody_has_labelled_is_labelled_as_ever(role: Role, path: Path) -> None:
    data = path.read_bytes()
    terms = badge(("xmp", "body")), replace(badge(("xmp",)), notice=None)
    for one in terms:
        try:
            expected = drawn(picture(data, marked(one)), STUDIO)
        except LabellingError as error:  # too small for a badge
            with pytest.raises(LabellingError, match=str(error).split("(")[0]):
                drawn(picture(data, as_(role, one)), STUDIO)
            continue
        assert expected == drawn(picture(data, as_(role, one)), STUDIO)


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("base64", base64.encodebytes(LABELLED[0].read_bytes())),
        ("hex", LABELLED[0].read_bytes().hex().upper().encode()),
        ("data_url", b"DATA:;Base64," + base64.encodebytes(LABELLED[0].read_bytes())),
    ],
)
def test_what_is_left_alone_is_written_as_it_came(encoding: Written, data: bytes) -> None:
    assert data == drawn(picture(data, as_("preserve", badge()), encoding), STUDIO)[0]


def test_a_broken_picture_is_not_left_alone_for_what_it_may_hold() -> None:
    data = (SAMPLES / "labelled-xmp.png").read_bytes()
    with pytest.raises(LabellingError, match="no picture that can be labelled"):
        drawn(picture(data[: len(data) // 2], as_("preserve", badge())), STUDIO)


def test_a_propagator_keeps_a_pictures_label_and_adds_itself() -> None:
    data = (SAMPLES / "labelled-xmp.png").read_bytes()
    media = find(data)
    assert media is not None
    (theirs,) = media.read(data)
    quiet = replace(badge(("xmp",)), notice=None)
    with pytest.raises(LabellingError, match="not declared to label"):
        drawn(picture(data, marked(quiet)), STUDIO)
    out, item = drawn(picture(data, as_("propagator", quiet)), STUDIO)
    (kept,) = media.read(out)
    assert (theirs.content_producer, theirs.produce_id) == (kept.content_producer, kept.produce_id)
    assert (kept.content_propagator, item.placed) == ("ACME", ("xmp",))
    assert out == drawn(picture(data, marked(quiet, trusted=True)), STUDIO)[0]


# What an answer says of itself in JSON.


def chat(label: Any) -> bytes:
    message = {"role": "assistant", "content": "Hi"}
    answer = {"id": "1", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    return json.dumps({**answer, "AIGC": label} if label is not None else answer).encode()


def stream(label: Any) -> bytes:
    first: dict[str, Any] = {"choices": [{"index": 0, "delta": {"content": "Hi"}}]}
    records = [{**first, "AIGC": label} if label is not None else first]
    records.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return b"".join(b"data: %b\n\n" % json.dumps(one).encode() for one in records) + b"data: [DONE]\n\n"


def label_of(sent: Sent) -> Any:
    first = sent.data.split(b"\n")[0].removeprefix(b"data: ")
    return json.loads(first)["AIGC"]


@pytest.mark.parametrize("body", [chat, stream])
def test_a_label_in_json_is_refused_passed_on_or_left_alone(body: Any) -> None:
    producer = answer([body(THEIRS)])
    assert "the upstream is not declared to label what it makes" in producer.blocked
    propagator = answer([body(THEIRS)], with_mark=as_("propagator", decision()))
    assert THEIRS.items() <= label_of(propagator).items()
    assert label_of(propagator)["ContentPropagator"] == "ACME"
    (item,) = propagator.done.items()
    assert item.placed == ("prefix", "body", "header")
    preserve = answer([body(THEIRS)], with_mark=as_("preserve", decision()))
    assert label_of(preserve) == THEIRS
    (item,) = preserve.done.items()
    assert item.placed == ("prefix", "upstream", "header")
    assert preserve.data.replace(json.dumps(PREFIX)[1:-1].encode(), b"") == body(THEIRS)
    assert json.loads(preserve.done.aigc_json) == {
        **THEIRS,
        "ContentPropagator": "",
        "PropagateID": "",
        "ReservedCode2": "",
    }
    assert preserve.done.outcome() == (Outcome.LABELLED, "")


@pytest.mark.parametrize("body", [chat, stream])
@pytest.mark.parametrize("role", ["propagator", "preserve"])
def test_where_the_upstream_has_none_the_label_is_ours(role: Role, body: Any) -> None:
    assert answer([body(None)]).data == answer([body(None)], with_mark=as_(role, decision())).data


@pytest.mark.parametrize("role", ["propagator", "preserve"])
@pytest.mark.parametrize(
    ("reason", "label"), [("cannot be read", 7), ("may not be passed on", {**THEIRS, "Label": "9"})]
)
def test_what_is_no_label_is_not_left_alone(role: Role, reason: str, label: Any) -> None:
    assert reason in answer([chat(label)], with_mark=as_(role, decision())).blocked


def test_a_kind_of_content_has_the_role_that_its_own_rule_gives() -> None:
    text, image = replace(decision(), role="preserve"), badge(("xmp", "body"))
    mark = marked(text, image)
    assert (mark.terms.role("text"), mark.terms.role("image")) == ("preserve", "producer")
    labelled = (SAMPLES / "labelled-xmp.png").read_bytes()
    with pytest.raises(LabellingError, match="not declared to label"):
        drawn(picture(labelled, mark), STUDIO)


@pytest.mark.parametrize(
    ("expected", "roles"),
    [
        ("preserve", {"image": "preserve"}),
        ("producer", {"image": "preserve", "audio": "producer"}),
        ("propagator", {"image": "preserve", "audio": "propagator"}),
        ("preserve", {"text": "preserve", "image": "producer"}),
    ],
)
def test_an_answer_as_a_whole_is_as_its_text_or_its_strictest_part(expected: Role, roles: dict[str, Role]) -> None:
    made = marked(
        *(Decision(None, frozenset({"header"}), role=role, because=(f"test/{kind}",)) for kind, role in roles.items())
    )
    assert expected == made.terms.role("text")


def test_an_answer_of_preserved_pictures_is_not_called_labelled() -> None:
    """It has metadata, and whether people see a mark on it nobody knows: so it is no `already_labelled`, either."""
    data = base64.b64encode((SAMPLES / "manifest.png").read_bytes()).decode()
    body = json.dumps({"created": 1, "data": [{"b64_json": data}]}).encode()
    sent = answer([body], with_mark=as_("preserve", badge()), dialect=IMAGES)
    (work,) = sent.works
    made = [drawn(one, STUDIO) for one in work.pictures]
    sent.done.parts += [item for _, item in made]
    assert json.loads(work.join([out for out, _ in made]))["data"] == json.loads(body)["data"]
    assert sent.done.outcome() == (Outcome.METADATA_ONLY, PRESERVED)
