"""W3C Trace Context: what counts, what does not, and which share of traces is recorded."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.label.identifier import produce_id
from proxy.record.trace_context import Context, falls_in, parse, spell

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
IDS = f"{TRACE}-{SPAN}"


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        (Context(TRACE, SPAN, True), f"00-{IDS}-01"),
        (Context(TRACE, SPAN, False), f"00-{IDS}-00"),
        (Context(TRACE, SPAN, True), f"00-{IDS}-ff"),
        (Context(TRACE, SPAN, False), f" 00-{IDS}-02\t"),
        (Context(TRACE, SPAN, True), f"cc-{IDS}-01"),
        (Context(TRACE, SPAN, True), f"01-{IDS}-01-what-the-future-brings"),
        (None, f"00-{IDS}-01-more"),
        (None, f"cc-{IDS}-01more"),
        (None, f"ff-{IDS}-01"),
        (None, f"00-{IDS}"),
        (None, f"00-{IDS}-1"),
        (None, f"00-{IDS.upper()}-01"),
        (None, f"00-{'0' * 32}-{SPAN}-01"),
        (None, f"00-{TRACE}-{'0' * 16}-01"),
        (None, f"00-{TRACE[1:]}-{SPAN}-01"),
        (None, f"00-{IDS}-0g"),
        (None, ""),
    ],
)
def test_what_counts(expected: Context | None, said: str) -> None:
    assert expected == parse(said.encode())


@given(st.binary())
def test_nothing_raises(said: bytes) -> None:
    context = parse(said)

    assert context is None or context == parse(spell(context))


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans())
def test_what_is_spelled_is_read(trace: int, span: int, sampled: bool) -> None:
    context = Context(f"{trace:032x}", f"{span:016x}", sampled)

    assert context == parse(spell(context))


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 1.0])
def test_our_own_ids_fall_in_by_their_share(share: float) -> None:
    ids = [produce_id(1_700_000_000_000, os.urandom(10)) for _ in range(4000)]

    assert share == pytest.approx(sum(falls_in(one, share) for one in ids) / len(ids), abs=0.05 if 0 < share < 1 else 0)
    assert all(falls_in(one, 1.0) for one in ids if falls_in(one, share))
