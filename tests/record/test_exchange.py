from dataclasses import fields, replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.record.exchange import VERSION, Item, Record, RecordError, clip, decode, encode
from proxy.record.outcome import DELIVERED_AS_DECIDED, Outcome, State

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
counts = st.integers(min_value=0, max_value=2**63 - 1)
names = st.lists(words, max_size=4).map(tuple)

items = st.builds(
    Item,
    produce_id=words,
    kind=st.sampled_from(["text", "image", "audio", "video"]),
    unit=words,
    placed=names,
    skipped=words,
    before=words,
    after=words,
    size_before=counts,
    size_after=counts,
    dropped=names,
)
records = st.builds(
    Record,
    id=words,
    trace_id=words,
    at=counts,
    state=st.sampled_from(State),
    route=words,
    upstream=words,
    dialect=words,
    model=words,
    tenant=words,
    method=words,
    status=st.integers(0, 999),
    streaming=st.booleans(),
    policy_set=words,
    because=names,
    outcome=st.sampled_from(Outcome),
    reason=words,
    items=st.lists(items, max_size=3).map(tuple),
    first_byte_us=counts,
    duration_us=counts,
    bytes_in=counts,
    bytes_out=counts,
)

SAMPLE = Record(id="0" * 31 + "1", trace_id="a" * 32, at=1, state=State.WHOLE, items=(Item("p", "text", "choice 0"),))


@given(records)
def test_decoding_undoes_encoding(record: Record) -> None:
    again = decode(encode(record))
    assert record == again
    assert encode(record) == encode(again)


@given(records, records)
def test_equal_bytes_mean_equal_records(one: Record, other: Record) -> None:
    assert (one == other) == (encode(one) == encode(other))


def test_bytes_of_version_1_are_still_read() -> None:
    former = (
        b'{"v":1,"id":"00000000000000000000000000000001","trace_id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","at":1,'
        b'"state":"whole","route":"","upstream":"","dialect":"","model":"","tenant":"","method":"","status":0,'
        b'"streaming":false,"policy_set":"","because":[],"outcome":"","reason":"","items":[{"produce_id":"p",'
        b'"kind":"text","unit":"choice 0","placed":[],"skipped":"","before":"","after":"","size_before":0,'
        b'"size_after":0,"dropped":[]}],"first_byte_us":0,"duration_us":0,"bytes_in":0,"bytes_out":0}'
    )
    assert SAMPLE == decode(former)


def test_the_bytes_of_version_2_stay_as_they_are() -> None:
    expected = (
        b'{"v":2,"id":"00000000000000000000000000000001","trace_id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","at":1,'
        b'"state":"whole","route":"","upstream":"","dialect":"","model":"","tenant":"","method":"","status":0,'
        b'"streaming":false,"policy_set":"","because":[],"outcome":"","reason":"","items":[{"produce_id":"p",'
        b'"kind":"text","unit":"choice 0","placed":[],"skipped":"","before":"","after":"","size_before":0,'
        b'"size_after":0,"dropped":[],"text":"","sketch":[]}],"first_byte_us":0,"duration_us":0,"bytes_in":0,'
        b'"bytes_out":0,"subject":"","grant":"","agreement":""}'
    )
    assert expected == encode(SAMPLE)
    assert SAMPLE == decode(expected)


def test_the_bytes_are_json_in_the_order_of_the_fields() -> None:
    expected = ["v", *(field.name for field in fields(Record))]
    assert expected == list(orjson.loads(encode(SAMPLE)))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_record_error_or_nothing(data: bytes) -> None:
    try:
        decode(data)
    except RecordError:
        pass


@given(st.data())
def test_a_prefix_of_a_record_is_no_record(data: st.DataObject) -> None:
    whole = encode(SAMPLE)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(RecordError):
        decode(whole[:cut])


def changed(**values: object) -> bytes:
    plain = orjson.loads(encode(SAMPLE))
    plain.update(values)
    return orjson.dumps(plain)


@pytest.mark.parametrize(
    ("expected", "data"),
    [
        (f"version {VERSION + 1}; this program reads versions 1 to {VERSION}", changed(v=VERSION + 1)),
        ("version 0", changed(v=0)),
        ("version '1'", changed(v="1")),
        ("unknown fields: extra", changed(extra=1)),
        ("unknown fields: x", changed(items=[{"x": 1}])),
        ("'sleeping' is not a valid State", changed(state="sleeping")),
        ("'great' is not a valid Outcome", changed(outcome="great")),
        ("not a record", changed(items=None)),
        ("not a record", changed(items=["text"])),
        ("not a record", b"[]"),
        ("not a record", b"{}"),
        ("not a record", b'{"v":1}'),
        ("not a record", b"\xff"),
    ],
)
def test_what_is_no_record(expected: str, data: bytes) -> None:
    with pytest.raises(RecordError, match=expected):
        decode(data)


@pytest.mark.parametrize("record", [replace(SAMPLE, model="m\ud800"), replace(SAMPLE, at=2**64)])
def test_what_cannot_be_written_down(record: Record) -> None:
    with pytest.raises(RecordError, match=SAMPLE.id):
        encode(record)


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("gpt", "gpt"),
        ("", ""),
        ("x" * 256, "x" * 10_000),
        ("模型", "模型"),
        ("a�b", "a\ud800b"),
        ("�", "\udc00"),
        ("😀", "\ud83d\ude00"),  # two halves that a decoder left apart
    ],
)
def test_clip(expected: str, text: str) -> None:
    assert expected == clip(text)


@given(st.text(max_size=300))
def test_what_is_clipped_can_be_written_down(text: str) -> None:
    record = replace(SAMPLE, model=clip(text))
    assert record == decode(encode(record))


def test_a_label_that_is_missing_is_never_a_success() -> None:
    failures = {
        Outcome.PENDING,
        Outcome.OBSERVED,
        Outcome.UNLABELLED,
        Outcome.BLOCKED,
        Outcome.UPSTREAM_ERROR,
        Outcome.CLIENT_LEFT,
        Outcome.TRUNCATED,
        Outcome.ERROR_RESPONSE,
        Outcome.INTERRUPTED,
    }
    assert set(Outcome) - failures == DELIVERED_AS_DECIDED
