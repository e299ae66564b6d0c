"""What would be done is told, and nothing is drawn, fetched or given out."""

import json
from binascii import a2b_base64

import pytest

from proxy.dialects.dialect import Dialect
from proxy.dialects.examples import Example
from proxy.labelling.errors import Blocked, LabellingError
from proxy.labelling.message import ResponseHead
from proxy.labelling.observer import NOT_DRAWN, TURNED_ON, UNBADGED, Observer, Seen
from proxy.labelling.order import Studio
from proxy.labelling.plan import Bounds, framing, label
from proxy.labelling.rehearsal import PICTURE, decisions
from proxy.labelling.request import read
from proxy.labelling.stamping import UNASKED
from proxy.labelling.trial import Bench, run
from proxy.labelling.watermark import Forced
from proxy.labelling.wire import MEDIA_TYPES, answer, shape
from proxy.record.outcome import Outcome
from proxy.shipped import font
from tests.labelling.answers import DIALECTS, OPERATOR, drawn

STUDIO = Studio(font(), 1 << 20)
BOUNDS = Bounds(1 << 20, 1 << 20)
TOKENS = {"png": PICTURE, "png hex": a2b_base64(PICTURE).hex()}


@pytest.mark.parametrize(
    ("expected", "seen"),
    [
        ("would be labelled", Seen(Outcome.LABELLED, "")),
        ("would be blocked: it is no JSON", Seen(Outcome.BLOCKED, "it is no JSON")),
        ("was not looked at: it is too large", Seen(None, "it is too large")),
    ],
)
def test_what_is_told(expected: str, seen: Seen) -> None:
    assert expected == seen.told()


@pytest.mark.parametrize(
    "outcome", sorted(set(Outcome) - {Outcome.PENDING, Outcome.OBSERVED, Outcome.CLIENT_LEFT, Outcome.INTERRUPTED})
)
def test_every_end_of_an_answer_has_its_words(outcome: Outcome) -> None:
    """But for those that it cannot come to while somebody looks on."""
    assert Seen(outcome, "").told().startswith("would ")


LABELLED = Seen(Outcome.LABELLED, "")
CANNOT = "it is no JSON"
BODY = b"{}"


@pytest.mark.parametrize(
    ("expected", "seen", "forced"),
    [
        ("would be labelled", LABELLED, Forced(BODY)),
        (f"would be labelled: {TURNED_ON}", LABELLED, Forced(b'{"watermark":true}')),
        (f"would be labelled: {TURNED_ON}", LABELLED, Forced(BODY, frozenset({b"x-no-watermark"}))),
        (f"would be blocked: {CANNOT}", LABELLED, Forced(BODY, cannot=CANNOT, refused=True)),
        (f"would pass unlabelled: {CANNOT}", LABELLED, Forced(BODY, cannot=CANNOT)),
        (
            f"would pass unlabelled: {CANNOT}; it is JSON",
            Seen(Outcome.METADATA_ONLY, "it is JSON"),
            Forced(BODY, cannot=CANNOT),
        ),
        ("would be blocked: too long", Seen(Outcome.BLOCKED, "too long"), Forced(BODY, cannot=CANNOT)),
    ],
)
def test_the_upstream_s_own_marks_are_told(expected: str, seen: Seen, forced: Forced) -> None:
    assert expected == seen.after(forced, BODY).told()


def test_a_picture_without_a_badge_is_told_in_the_words_of_who_draws() -> None:
    assert UNASKED == UNBADGED


def observed(dialect: Dialect, example: Example, bench: Bench, size: int) -> Seen:
    """What is seen of an example's answer that comes in pieces of ``size`` bytes."""
    came, media_type = answer(dialect, example, TOKENS), MEDIA_TYPES[shape(example)]
    spoken = dialect.spoken_by(example.server)
    asked = read(spoken, OPERATOR.notices, json.dumps(dict(example.request)).encode()).asked
    try:
        framed = framing(spoken, ResponseHead(200, [(b"content-type", media_type.encode())]), came[:64])
        observer = Observer(label(spoken, asked, bench.mark, framed, BOUNDS, DIALECTS))
        for at in range(0, len(came), size):
            if not observer.over:
                observer.feed(came[at : at + size])
        if not observer.over:
            observer.end()
    except (Blocked, LabellingError) as error:
        return Seen(Outcome.BLOCKED, str(error))
    return observer.seen()


@pytest.mark.parametrize("name", DIALECTS)
def test_what_is_seen_is_what_would_be_done(name: str) -> None:
    """Of every example of every API: the outcome, its reason, and what would be placed in what."""
    dialect = DIALECTS[name]
    for example in dialect.examples:
        bench = Bench(
            OPERATOR,
            decisions(dialect, example.position),
            lambda one: drawn(one, STUDIO),
            BOUNDS,
            DIALECTS,
            urls="rewrite",
        )
        spoken = dialect.spoken_by(example.server)
        asked = read(spoken, OPERATOR.notices, json.dumps(dict(example.request)).encode()).asked
        came = answer(dialect, example, TOKENS)
        ran = run(spoken, asked, [came], MEDIA_TYPES[shape(example)], bench)

        for size in (len(came) or 1, 17):
            seen = observed(dialect, example, bench, size)
            assert seen.outcome is not None, example.about
            assert (ran.outcome, ran.reason) == (seen.outcome.replace("_", " "), seen.reason), example.about
            assert [one.unit for one in ran.items] == [one.unit for one in seen.items], example.about
            for did, would in zip(ran.items, seen.items, strict=True):
                assert () == would.placed
                assert not did.placed or f"would get: {', '.join(did.placed)}" in would.skipped, example.about
                assert did.skipped in would.skipped, example.about
                assert (NOT_DRAWN in would.skipped) is (did.kind == "image" and bool(did.placed)), example.about
