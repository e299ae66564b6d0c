"""Trails: nothing where nobody asks, and where somebody does, numbers that tell no one answer from another."""

from collections.abc import Iterator
from typing import Any

import pytest

from proxy.counts import Counts
from proxy.followed import Trails
from proxy.metrics import Reading
from proxy.record.span import Span
from proxy.record.trace_context import Context, spell
from proxy.trail import UNDER_WAY, UNFOLLOWED

CALLER = Context("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", sampled=True)


@pytest.fixture(autouse=True)
def _apart() -> Iterator[None]:
    """An exchange has a task of its own, and a test has not."""
    token = UNDER_WAY.set(UNFOLLOWED)
    yield
    UNDER_WAY.reset(token)


def series(reading: Reading) -> list[tuple[str, ...]]:
    return [point.labels for point in reading.points]


def follow(share: float = 0.0, tell: Any = None) -> Trails:
    trails = Trails(Counts(), follows=True, share=share)
    trails.tell = tell
    return trails


def test_where_nobody_asks_nothing_is_done() -> None:
    trail = Trails(Counts(), follows=False, share=1.0).begin("POST", spell(CALLER), b"p")
    headers = [(b"a", b"b")]

    assert trail is UNFOLLOWED
    assert len is trail.timed("parse", len)
    assert headers is trail.asks(headers, None)  # type: ignore[arg-type]
    assert ("", "", "", 0) == (trail.id, trail.trace_id, trail.span_id, trail.now())


def test_what_a_stage_makes_is_what_comes_of_it_and_what_it_raises_goes_on() -> None:
    trails = follow()
    trail = trails.begin("POST", b"", b"p")

    assert 3 == trail.timed("parse", len)("abc")
    with pytest.raises(TypeError):
        trail.timed("decide", len)(3)  # type: ignore[arg-type]
    trail.end(200, 0)
    assert [("parse",)] == series(trails.counts.added.read())


def test_an_exchange_is_under_way_until_it_ends() -> None:
    trails = follow()
    first, second = (trails.begin("POST", b"", b"p") for _ in range(2))
    first.streams()
    first.streams()

    assert (2, 1) == (trails.under_way, trails.streaming)
    assert second is UNDER_WAY.get()
    first.end(200, 0)
    second.end(0, 0)
    assert (0, 0) == (trails.under_way, trails.streaming)


@pytest.mark.parametrize(
    ("expected", "reason"),
    [
        ("", ""),
        ("no rule asks for a notice", "no rule asks for a notice"),
        ("the answer is longer than ... bytes", "the answer is longer than 67108864 bytes"),
        ("data ... holds sound", "data 17 holds sound"),
        ("the answer's media type ... is not one", "the answer's media type 'x/y' is not one"),
        ("x" * 120, "x" * 5000),
    ],
)
def test_reasons_differ_by_their_words_and_not_by_the_answer(expected: str, reason: str) -> None:
    trails = follow()
    trail = trails.begin("POST", b"", b"p")
    trail.settled("unlabelled", reason, ("a/text", "b/text"), tuple)
    trail.end(200, 0)

    assert [("a/text b/text", "unlabelled", expected)] == series(trails.counts.answers.read())


def test_what_a_record_says_of_the_end_counts_more_than_what_befell_later() -> None:
    trails = follow()
    for settled, failed in (("labelled", "client_left"), ("", "client_left")):
        trail = trails.begin("POST", b"", b"p")
        if settled:
            trail.settled(settled, "", (), tuple)
        trail.failed("ClientLeft", failed)
        trail.end(0, 0)

    assert [("", "", "labelled"), ("", "", "client_left")] == series(trails.counts.requests.read())


def test_a_failure_that_no_record_tells_of_is_counted_by_its_kind() -> None:
    trails = follow()
    trail = trails.begin("POST", b"", b"p")
    trail.failed("Unrecorded", "blocked")
    trail.end(503, 0)

    assert [("", "blocked", "Unrecorded")] == series(trails.counts.answers.read())


@pytest.mark.parametrize("room", [True, False])
def test_a_span_that_finds_no_room_is_counted(room: bool) -> None:
    told: list[Span] = []

    def tell(span: Span) -> bool:
        told.append(span)
        return room

    trails = follow(tell=tell)
    trails.begin("POST", spell(CALLER), b"p").end(204, 0)
    trails.begin("POST", spell(CALLER._replace(sampled=False)), b"p").end(204, 0)

    assert [(CALLER.trace_id, CALLER.span_id, "server")] == [(one.trace_id, one.parent, one.kind) for one in told]
    assert trails.dropped == (not room)


def test_the_items_of_an_answer_are_made_only_for_a_trace() -> None:
    def items() -> Any:
        raise AssertionError("nobody asked")

    trail = follow(tell=lambda _: True).begin("POST", b"", b"p")
    trail.settled("labelled", "", (), items)
    trail.end(200, 0)
