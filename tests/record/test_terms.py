from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.record.exchange import Item, Record
from proxy.record.outcome import Outcome, State
from proxy.record.terms import Kind, term, terms

ITEM = Item("1" * 32, "text", "choice 0", before="2" * 32, after="3" * 32, text="4" * 32)
FILE = Item("5" * 32, "image", "data 0", before="6" * 64, after="7" * 64)
RECORD = Record("8" * 32, "9" * 32, 1, State.WHOLE, model="m", outcome=Outcome.LABELLED, items=(ITEM, FILE))
KINDS: tuple[Kind, ...] = ("trace", "item", "file", "text", "model", "tenant", "subject", "grant", "sketch", "outcome")


@pytest.mark.parametrize(
    ("expected", "record"),
    [
        (
            [
                *(("model", "m"), ("trace", "9" * 32), ("text", "4" * 32), ("item", "1" * 32)),
                *(("file", "6" * 64), ("file", "7" * 64), ("item", "5" * 32)),
            ],
            RECORD,
        ),
        ([], replace(RECORD, state=State.OPENED)),
        (
            [("model", "m"), ("trace", "9" * 32), ("outcome", "blocked")],
            replace(RECORD, items=(), outcome=Outcome.BLOCKED),
        ),
        ([("model", "m"), ("trace", "9" * 32)], replace(RECORD, items=())),
        (
            [("tenant", "a"), ("subject", "b"), ("grant", "c"), ("trace", "9" * 32)],
            replace(RECORD, model="", tenant="a", subject="b", grant="c", items=()),
        ),
        (
            [("item", "1" * 32), ("sketch", "a" * 16), ("sketch", "b" * 16)],
            Record(
                "8" * 32,
                "9" * 32,
                1,
                State.FINGERPRINTED,
                items=(Item("1" * 32, "text", "choice 0", sketch=("a" * 16, "b" * 16)),),
            ),
        ),
        ([("trace", "9" * 32), ("item", "1" * 32)], replace(RECORD, model="", items=(replace(ITEM, text=""),) * 2)),
    ],
)
def test_a_record_is_found_by_what_it_says(expected: list[tuple[Kind, str]], record: Record) -> None:
    assert tuple(term(kind, value) for kind, value in expected) == terms(record)


@given(st.sampled_from(KINDS), st.text())
def test_every_value_has_a_term_that_databases_can_keep(kind: Kind, value: str) -> None:
    assert -(2**63) <= term(kind, value) < 2**63
    assert term(kind, value) == term(kind, value)


@given(st.text(min_size=1))
def test_a_value_of_another_kind_is_another_term(value: str) -> None:
    assert len(KINDS) == len({term(kind, value) for kind in KINDS})


def test_ids_that_sort_by_time_stay_together() -> None:
    ids = [f"{moment:012x}{'f' * 20}" for moment in range(1_700_000_000_000, 1_700_000_000_100)]
    found = [term("item", one) for one in ids]
    assert sorted(found) == found
