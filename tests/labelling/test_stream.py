"""A labelled stream is the upstream's with the notices and the label in it; every record leaves as soon as it can."""

import json
import random
import tracemalloc
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dialects.dialect import Member
from proxy.framing.json_text import quote
from proxy.framing.sse import Splitter
from proxy.labelling.errors import LabellingError, NothingFound
from proxy.labelling.machine import Machine
from proxy.labelling.mark import Mark
from proxy.labelling.outcome import Done
from proxy.labelling.plan import Bounds
from proxy.labelling.request import Asked
from proxy.labelling.stream import StreamLabeller
from proxy.policy.decision import Position
from tests.labelling.answers import CHAT, PREFIX, SUFFIX, WORDS, answer, cuttings, decision, marked

DONE = b"data: [DONE]\n\n"


def event(document: object, ending: bytes = b"\n") -> bytes:
    return b"data: " + json.dumps(document).encode() + ending * 2


def delta(text: str | None, index: int = 0, finish: str | None = None, **more: object) -> dict[str, Any]:
    return {
        "id": "c",
        "choices": [{"index": index, "delta": {} if text is None else {"content": text}, "finish_reason": finish}],
        **more,
    }


def seen(stream: bytes) -> list[Any]:
    """A simple reader: the documents of a stream."""
    lines = stream.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    return [json.loads(line[6:]) for line in lines if line.startswith(b"data: ") and line != b"data: [DONE]"]


def texts(documents: list[Any]) -> dict[int, str]:
    found: dict[int, str] = {}
    for document in documents:
        for choice in document["choices"]:
            found[choice["index"]] = found.get(choice["index"], "") + (choice["delta"].get("content") or "")
    return found


def labeller(units: int | None = 1, position: Position | None = "start", limit: int = 4096) -> StreamLabeller:
    return over(decided(marked(decision(position))), units, limit)


def decided(mark: Mark) -> Done:
    return Done(mark, mark.aigc.compact().encode())


def over(done: Done, units: int | None = 1, limit: int = 4096) -> StreamLabeller:
    return StreamLabeller(CHAT, Asked(units=units), done, Splitter, (b"\n\n", b"\r\n\r\n"), limit)


def fed(one: StreamLabeller, data: bytes) -> bytes:
    return b"".join(bytes(piece) for piece in one.feed(data))  # type: ignore[arg-type]  # a stream holds no Work


words = st.text(alphabet=st.sampled_from('ab \n【】AI生成"\\\ud83d😀'), max_size=6)


@given(
    st.lists(st.tuples(st.integers(0, 2), words), max_size=12),
    st.sampled_from(["start", "end", "both", None]),
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
    st.randoms(),
    st.sampled_from([1, 2, 3, None]),
)
def test_only_the_notices_and_the_label_are_added(
    deltas: list[tuple[int, str]], position: Position | None, ending: bytes, chance: random.Random, units: int | None
) -> None:
    """Whatever the deltas, the cuts, the line ends: parsed, the stream is the upstream's, with what policy asks for."""
    indexes = {index for index, _ in deltas}
    if units is not None and len(indexes) > units:
        units = 3
    upstream = [delta(text, index) for index, text in deltas] + [
        delta(None, index, "stop") for index in sorted(indexes)
    ]
    upstream.append({"id": "c", "choices": [], "usage": {"n": 1.0}})
    stream = b"".join(event(one, ending) for one in upstream) + b"data: [DONE]" + ending * 2
    cuts = sorted(chance.randrange(len(stream) + 1) for _ in range(chance.randrange(8)))
    chunks = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    sent = answer(
        chunks, asked=Asked(units=units), with_mark=marked(decision(position)), media_type=b"text/event-stream"
    )
    out = seen(sent.data)
    assert sent.done.mark.aigc.document() == out[0].pop("AIGC")
    assert not [one for one in out if "AIGC" in one]
    prefix, suffix = sent.done.mark.terms.text.prefix, sent.done.mark.terms.text.suffix
    for index, text in texts(upstream).items():
        already = text.lstrip().startswith(WORDS)
        behind = "" if text.rstrip().endswith(WORDS) else suffix
        expected = text if already or not text else prefix + text + behind
        assert expected == texts(out)[index]
    # No record moved, none was lost: without the copies that hold a suffix, and the prefixes, it is the upstream.
    rest = [one for one in out if one not in [delta(suffix, index) for index in indexes]] if suffix else out
    for one in rest:
        for choice in one["choices"]:
            if prefix and choice["delta"].get("content", "").startswith(prefix) and one not in upstream:
                choice["delta"]["content"] = choice["delta"]["content"][len(prefix) :]
    assert upstream == rest


@pytest.mark.parametrize("first", [delta("Hi"), delta(""), {"choices": []}, delta(None)])
def test_the_first_record_leaves_before_the_rest_has_come(first: dict[str, Any]) -> None:
    one = labeller()
    (left,) = seen(fed(one, event(first)).replace(json.dumps(PREFIX)[1:-1].encode(), b""))
    assert "AIGC" in left
    assert first | {"AIGC": left["AIGC"]} == left
    assert one.retained == b""


def test_every_record_leaves_with_its_blank_line() -> None:
    one = labeller(units=2)
    fed(one, event(delta("Hi")))
    for text in ("a", "b"):
        record = event(delta(text))
        assert fed(one, record[:-1]) == b""
        assert record == fed(one, record[-1:])


def test_once_all_is_labelled_whole_records_pass_and_nothing_is_parsed() -> None:
    one = labeller(units=2)
    fed(one, event(delta("a", 0)))
    fed(one, event(delta("b", 1)) + b"data: {half of")
    assert (fed(one, b" a record"), one.retained) == (b"", b"data: {half of a record")
    assert (fed(one, b"\n\ndata: no"), one.retained) == (b"data: {half of a record\n\n", b"data: no")
    assert (fed(one, b" JSON\n\n"), one.retained) == (b"data: no JSON\n\n", b"")
    assert (fed(one, b"data: x\n\ndata: y\r\n\r\n"), one.retained) == (b"data: x\n\ndata: y\r\n\r\n", b"")
    fed(one, b"data: cut off")
    assert list(one.end()) == [b"data: cut off"]


def test_once_all_is_labelled_a_record_is_still_bounded() -> None:
    one = labeller(limit=1000)
    fed(one, event(delta("a")))
    with pytest.raises(LabellingError, match="longer than 1000 bytes"):
        fed(one, b"data: " + b"x" * 1000)
    assert one.retained == b"data: " + b"x" * 1000


@pytest.mark.parametrize(
    ("units", "position", "first"),
    [
        (2, "start", [delta("a")]),  # one more is to come
        (None, "start", [delta("a"), delta("b", 1)]),  # nobody knows how many
        (1, "start", [delta("")]),  # no text yet
        (1, "start", [delta(None, finish="stop")]),  # closed, and yet text may follow
        (1, "start", [delta("【")]),  # not clear yet
        (1, "both", [delta("a")]),  # a suffix is due
        (1, None, [{"id": "c"}]),  # nothing known yet
    ],
)
def test_as_long_as_something_is_due_all_is_read(
    units: int | None, position: Position | None, first: list[dict[str, Any]]
) -> None:
    one = labeller(units, position)
    for record in first:
        fed(one, event(record))
    with pytest.raises(LabellingError, match="not JSON"):
        fed(one, b"data: no JSON\n\n")


@pytest.mark.parametrize("cuts", [(), tuple(range(1, 200)), (50,), (199,)])
def test_a_record_over_the_bound_fails_at_every_cut(cuts: tuple[int, ...]) -> None:
    start = event(delta(""))
    record = event(delta("x" * 300))[:-1]
    stream = start + record + b"\n"
    ends = [0, *(len(start) + cut for cut in cuts), len(stream)]
    chunks = [stream[begin:end] for begin, end in pairwise(ends)]
    for limit, passes in ((len(record) + 1, True), (len(record), False)):
        sent = answer(chunks, bounds=Bounds(0, limit), media_type=b"text/event-stream")
        assert passes is not sent.blocked.startswith("a record of the stream is longer than")


deltas = st.lists(st.tuples(st.integers(0, 1), words), max_size=9)


@given(deltas, st.sampled_from([b"data: {broken\n\n", event({"content": "x"})]), deltas, st.randoms())
def test_what_passes_after_a_failure_is_all_that_came(
    before: list[tuple[int, str]], broken: bytes, behind: list[tuple[int, str]], chance: random.Random
) -> None:
    """What left before, what was retained and the rest join to what came in; only what left before is labelled."""
    records = [event(delta(text, index)) for index, text in before]
    stream = b"".join(records) + broken + b"".join(event(delta(text, index)) for index, text in behind) + b"data: {"
    mark = marked(decision(on_failure="pass"))
    for chunks in cuttings(stream, seed=chance.randrange(999), most=3):
        sent = answer(chunks, asked=Asked(units=3), with_mark=mark, media_type=b"text/event-stream")
        assert sent.done.failure
        bare = sent.data.replace(b',"AIGC":' + sent.done.aigc_json, b"").replace(quote(PREFIX), b"")
        assert stream.replace(quote(PREFIX), b"") == bare
        assert sent.data.endswith(stream[sum(map(len, records)) :])


@pytest.mark.parametrize(("expected", "records"), [(True, []), (False, [delta("Hi")])])
def test_an_error_is_told_at_once_only_where_nothing_was_generated(expected: bool, records: list[Any]) -> None:
    """The head leaves behind the first records: it must not say that there is nothing to label where there is."""
    error: dict[str, Any] = {"error": {"message": "busy"}}
    for order in ([error, *records], [*records, error]):
        done = decided(marked())
        one = over(done, units=2)
        one.feed(b"".join(map(event, order)))
        assert expected is done.error
        one.feed(DONE)
        assert done.error


@pytest.mark.parametrize("chunk", [7, 64, 1000])
def test_what_is_retained_is_bounded(chunk: int) -> None:
    """Whatever comes, in whatever pieces: not more than the bound for the record, and as much again that is held."""
    limit = 1000
    for stream in (
        b"data: " + b"x" * 50_000,
        event({"type": "unknown", "x": "y" * 100}) * 500,
        event(delta("【")) + event(delta("A", 1)) * 500,
        event(delta(" ")) * 500,
        b"x\n\n" * 9999,
    ):
        sent = answer([stream[at : at + chunk] for at in range(0, len(stream), chunk)], media_type=b"text/event-stream")
        assert not sent.blocked or len(sent.data) < len(stream)
        one = labeller(None, limit=limit)
        for at in range(0, len(stream), chunk):
            try:
                fed(one, stream[at : at + chunk])
            except LabellingError:
                break
            assert len(one.retained) <= 2 * limit + chunk


def test_what_is_held_too_long_passes_once() -> None:
    stream = event(delta(" ")) * 100
    for chunks in cuttings(stream, most=6):
        mark = marked(decision(on_failure="pass"))
        assert stream == answer(chunks, with_mark=mark, bounds=Bounds(1000, 1000)).data


def test_white_space_without_an_end_is_not_kept() -> None:
    """A model in JSON mode may spend all its tokens on it, and none of these records waits."""
    one = StreamLabeller(
        CHAT, Asked(units=1, machine=Machine(json=True)), decided(marked()), Splitter, (b"\n\n",), 1 << 20
    )
    record = event(delta("\n" * 1000))
    fed(one, record)
    tracemalloc.start()
    try:
        for _ in range(1000):
            assert fed(one, record) == record
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()


def test_what_fails_gives_back_what_came_and_nothing_of_ours() -> None:
    """One choice has closed and its suffix waits behind a record that is held for another choice."""
    stream = event(delta("a", 0)) + event(delta("【", 1)) + event(delta(None, 0, "stop"))
    broken = b"data: {broken\n\n"
    sent = answer([stream, broken], asked=Asked(units=2), with_mark=marked(decision("both", on_failure="pass")))
    (first,) = seen(sent.data.partition(b"\n")[0])
    assert first["choices"][0]["delta"]["content"] == PREFIX + "a"
    assert sent.data.endswith(stream[len(event(delta("a", 0))) :] + broken)
    assert json.dumps(SUFFIX)[1:-1].encode() not in sent.data


@pytest.mark.parametrize(
    "stream", [event({"text": "secret"}) + event({"output": 1}), b"<html>secret</html>\n\n", b"event: x\ndata: 7\n\n"]
)
def test_nothing_leaves_of_a_stream_that_nobody_knows(stream: bytes) -> None:
    for chunks in cuttings(stream + DONE):
        sent = answer(chunks, media_type=b"text/event-stream")
        assert sent.data == b""
        assert sent.blocked


@pytest.mark.parametrize("taken", ["x", [1], 7])
def test_a_stream_without_a_place_for_its_label_is_a_failure(taken: object) -> None:
    dialect = replace(CHAT, stream_metadata=Member(("extra", "AIGC")))
    for chunks in cuttings(event(delta("a") | {"extra": taken}) + DONE):
        assert answer(chunks, dialect=dialect).blocked == "the stream has no place for its label"
    made = answer([event(delta("a") | {"extra": None}) + DONE], dialect=dialect)
    assert made.done.mark.aigc.document() == seen(made.data)[0]["extra"]["AIGC"]


def test_an_empty_stream_is_a_failure() -> None:
    one = labeller()
    with pytest.raises(NothingFound, match="holds nothing"):
        one.end()


def test_items_of_a_stream() -> None:
    stream = (
        b"".join(event(one) for one in (delta("a", 1), delta(None, 0), delta(WORDS, 2), delta(None, 0, "stop"))) + DONE
    )
    sent = answer([stream], asked=Asked(units=3))
    assert [(item.unit, "prefix" in item.placed) for item in sent.done.items()] == [
        ("choices[1]", True),
        ("choices[0]", False),
        ("choices[2]", False),
    ]
    ids = [item.produce_id for item in sent.done.items()]
    assert len(set(ids)) == 3
    assert ids[0] == sent.done.mark.produce_id
