"""One answer's mark: the words, the label and its carriers, made from the decisions about each kind of content."""

import pytest

from proxy.label.aigc import Aigc
from proxy.label.seal import verify
from proxy.labelling.errors import LabellingError
from proxy.labelling.mark import mark, terms
from proxy.policy.decision import Decision, Position, TextNotice
from proxy.policy.words import Words
from tests.labelling.answers import ID, OPERATOR, PREFIX, SUFFIX, WORDS, badge, decision, marked

OTHER = Aigc("1", "OTHER", "77", "code", "OTHER", "77", "more")


@pytest.mark.parametrize(
    ("expected", "position"),
    [((PREFIX, ""), "start"), (("", SUFFIX), "end"), ((PREFIX, SUFFIX), "both"), (("", ""), None)],
)
def test_where_the_words_go(expected: tuple[str, str], position: Position | None) -> None:
    made = marked(decision(position))
    assert expected == (made.terms.text.prefix, made.terms.text.suffix)
    assert bool(made.terms.text.shown) is any(expected)


@pytest.mark.parametrize(("expected", "language"), [("【甲】", ""), ("[b]", "en-GB, de;q=0.5"), ("【甲】", "de")])
def test_words_by_language(expected: str, language: str) -> None:
    words = Words((("zh", "【甲】"), ("en", "[b]")))
    made = mark(OPERATOR, terms({"text": Decision(TextNotice(words))}, language), ID)
    assert expected + "\n\n" == made.terms.text.prefix


def test_the_label_is_sealed_and_every_item_has_its_own() -> None:
    made = marked()
    labels = [made.of_item(index) for index in range(3)]
    assert [ID, f"{ID}-1", f"{ID}-2"] == [one.produce_id for one in labels]
    assert made.aigc == labels[0]
    for one in labels:
        assert ("ACME", "ACME", one.produce_id) == (one.content_producer, one.content_propagator, one.propagate_id)
        assert verify(OPERATOR.issuer.sealing, one.content_producer, one.produce_id, one.label, one.reserved_code1)


def test_several_kinds_together() -> None:
    made = marked(decision(metadata=("header",), on_failure="pass"), badge(metadata=("xmp",)))
    assert (PREFIX, "AI生成", {"header", "xmp"}, "block") == (
        made.terms.text.prefix,
        made.terms.badge_words,
        set(made.terms.carriers),
        made.terms.on_failure,
    )
    idle = Decision(on_failure="block")
    agreed = terms({"text": decision(on_failure="pass"), "image": idle}, "")
    assert agreed.on_failure == "pass"
    assert agreed.asked_of == {"text"}


def test_a_trusted_upstreams_label_gets_a_propagator() -> None:
    made = marked(trusted=True).kept((OTHER, OTHER), "it")
    assert (made.label, made.content_producer, made.produce_id, made.reserved_code1) == ("1", "OTHER", "77", "code")
    assert (made.content_propagator, made.propagate_id) == ("ACME", ID)


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("Label is '9'", {"label": "9"}),
        ("ContentProducer holds", {"content_producer": "a b"}),
        ("ProduceID holds", {"produce_id": "一"}),
        ("ReservedCode1 has", {"reserved_code1": "x" * 2049}),
        ("neither ContentProducer", {"content_producer": "", "content_propagator": ""}),
    ],
)
def test_a_label_that_breaks_the_standard_is_not_passed_on(reason: str, change: dict[str, str]) -> None:
    with pytest.raises(LabellingError, match=f"^it carries a label that may not be passed on: {reason}"):
        marked(trusted=True).kept((OTHER._replace(**change),), "it")
    with pytest.raises(LabellingError) as error:
        marked(trusted=True).kept((OTHER._replace(label="x" * 9999),), "it")
    assert len(str(error.value)) < 300


def test_a_label_that_we_sealed_is_believed_and_one_that_merely_names_us_is_not() -> None:
    chained = OPERATOR.issuer.first_write("1234")
    assert marked().kept((chained,), "it").produce_id == "1234"
    forged = [Aigc.first_write("ACME", "1234"), chained._replace(produce_id="1235"), chained._replace(label="2")]
    for one in (*forged, OPERATOR.issuer._replace(sealing=b"x" * 32).first_write("1234")):
        with pytest.raises(LabellingError, match="it came with a label already"):
            marked().kept((one,), "it")


def test_the_words_in_force_are_those_of_the_notice_in_every_language() -> None:
    notice = TextNotice(Words((("zh", "【甲】"), ("en", "[b]"))))
    made = mark(OPERATOR, terms({"text": Decision(notice)}, "en"), ID)
    assert ["yes", "yes", "no"] == [made.terms.notices.opening(text) for text in ("【甲】", "[b] Hi", WORDS)]
    assert marked(badge()).terms.notices.opening("AI生成") == "no"


def test_other_labels_are_never_dropped_in_silence() -> None:
    with pytest.raises(LabellingError, match="it came with a label already"):
        marked().kept((OTHER,), "it")
    with pytest.raises(LabellingError, match="it carries labels that contradict"):
        marked(trusted=True).kept((OTHER, Aigc("2", "OTHER", "77")), "it")
