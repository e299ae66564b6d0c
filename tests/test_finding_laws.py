"""Finding by every criterion and by several at once: what it finds is what a look into each record would have found."""

import csv
import io
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from proxy.archive import Archive, open_archive
from proxy.cli import commands
from proxy.finding import Wanted, find, text_of
from proxy.record.exchange import Item, Record, clip
from proxy.record.outcome import Outcome, State
from tests.test_finding import BEGUN, CHANGED, HARBOUR, KEYS, ORCHARD, SECOND, answered, kept, numbers, record

LONG = "m" * 300
MODELS = ("lion", "tiger", "deadbeef", LONG)
TENANTS = ("1" * 32, "2" * 32, "1" * 16 + "3" * 16)  # of two, the terms are the same
SUBJECTS = ("", "1" * 32)  # a tenant's hash, as somebody may try
OUTCOMES = (Outcome.LABELLED, Outcome.BLOCKED, Outcome.UNLABELLED)
FILES = ("a" * 64, "a" * 16 + "b" * 48)
TEXTS = (HARBOUR, ORCHARD, "")


def exchange(number: int) -> list[Record]:
    """The entries of one exchange of all manners: whole, a stream, one that is under way; with and without a text."""
    text = TEXTS[number // 7 % 3]
    said = {
        "at": BEGUN + number // 2 * SECOND,  # two at each moment
        "model": clip(MODELS[number % 4]),
        "tenant": TENANTS[number // 2 % 3],
        "subject": SUBJECTS[number // 5 % 2],
        "grant": "5f0c" if number % 11 == 3 else "",
    }
    ended = {**said, "outcome": OUTCOMES[number // 3 % 3]}
    media = (Item(f"file-{number}", "image", "data 0", before=FILES[number % 2]),) if not text else ()
    if number % 3 == 0:
        if text:
            return [replace(one, **ended) for one in answered(number, text, fingerprint=number % 2 == 0)]
        return [record(number, **ended, items=media)]
    opened = record(number, State.OPENED, **said)
    if number % 13 == 1:
        return [opened]
    closed = record(number, State.CLOSED, **ended, items=media or (Item(f"item-{number}", "text", "choice 0"),))
    if not text:
        return [opened, closed]
    # Of a stream, the text comes with the fingerprint.
    whole, sketched = answered(number, text, fingerprint=True)
    item = replace(sketched.items[0], text=whole.items[0].text)
    return [opened, closed, replace(sketched, **said, outcome=Outcome.PENDING, items=(item,))]


EXCHANGES = {number: exchange(number) for number in range(90)}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    entries = [entry for one in EXCHANGES.values() for entry in one]
    path = kept(tmp_path_factory.mktemp("kept") / "countermark.db", entries)
    with closing(open_archive(path)) as one:
        yield one


def fits(entries: list[Record], wanted: Wanted, text: str) -> bool:
    """A look into each record."""
    told = [one for one in entries if one.state is not State.FINGERPRINTED][-1]
    items = [item for one in entries for item in one.items]
    alone = not any((wanted.trace, wanted.model, wanted.tenants, wanted.subjects, wanted.grant, wanted.file))
    return all(
        (
            told.state is not State.OPENED or wanted.outcome is Outcome.PENDING or bool(wanted.id) or alone,
            not wanted.id or wanted.id == told.id or wanted.id in {item.produce_id for item in items},
            not wanted.trace or wanted.trace == told.trace_id,
            not wanted.model or wanted.model[:256] == told.model,
            not wanted.tenants or told.tenant in wanted.tenants,
            not wanted.subjects or told.subject in wanted.subjects,
            not wanted.grant or told.grant == wanted.grant,
            not wanted.file or wanted.file in {item.before for item in items},
            wanted.outcome is None or told.outcome is wanted.outcome,
            wanted.since is None or told.at >= wanted.since,
            wanted.until is None or told.at < wanted.until,
            not text or any(item.text == KEYS.hash("text", TEXT_HASHED[text]) for item in items),
        )
    )


TEXT_HASHED = {text: "".join(filter(str.isalnum, text)).lower().encode() for text in TEXTS if text}

MOMENT = st.none() | st.integers(-2, 47).map(lambda number: BEGUN + number * SECOND) | st.sampled_from([0, 1 << 70])


@given(
    wanted=st.builds(
        Wanted,
        id=st.sampled_from(["", "", *(f"{number:032x}" for number in (3, 14)), "item-7", "file-15"]),
        trace=st.sampled_from(["", "", "", record(4).trace_id]),
        model=st.sampled_from(["", *MODELS]),
        tenants=st.sets(st.sampled_from(TENANTS), max_size=2).map(tuple),
        subjects=st.sampled_from([(), (), SUBJECTS[1:], ("2" * 32, *SUBJECTS[1:])]),
        grant=st.sampled_from(["", "", "5f0c"]),
        file=st.sampled_from(["", "", *FILES]),
        outcome=st.sampled_from([None, None, *OUTCOMES, Outcome.PENDING]),
        since=MOMENT,
        until=MOMENT,
        limit=st.sampled_from([1, 5, 1000]),
    ),
    text=st.sampled_from(["", *TEXTS]),
)
def test_what_is_found_is_what_has_all_that_was_asked_for(archive: Archive, wanted: Wanted, text: str) -> None:
    expected = [number for number, entries in sorted(EXCHANGES.items(), reverse=True) if fits(entries, wanted, text)]
    found = numbers(find(archive, wanted._replace(text=text_of(text, KEYS) if text else None)))
    assert len(set(found)) == len(found) == min(len(expected), wanted.limit)
    assert set(found) <= set(expected)
    if not text:
        moments = sorted((EXCHANGES[number][0].at for number in expected), reverse=True)
        assert moments[: wanted.limit] == [EXCHANGES[number][0].at for number in found]


def test_an_edited_text_is_found_among_a_hundred_like_it_by_what_else_is_known(tmp_path: Path) -> None:
    entries = [
        replace(entry, tenant=f"{number:032x}")
        for number in range(100)
        for entry in answered(number, HARBOUR, fingerprint=True)
    ]
    with closing(open_archive(kept(tmp_path / "countermark.db", entries))) as archive:
        text = text_of(CHANGED, KEYS)
        for number in (0, 50, 99):
            assert [number] == numbers(find(archive, Wanted(text=text, tenants=(f"{number:032x}",))))
            assert [number] == numbers(find(archive, Wanted(text=text, outcome=Outcome.LABELLED, id=f"{number:032x}")))
        assert 100 == len(find(archive, Wanted(text=text, limit=200)))


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_table_begins_a_cell_with_what_a_spreadsheet_carries_out(tmp_path: Path, begins: str) -> None:
    path = kept(tmp_path / "countermark.db", [record(1, model=f"{begins}1+1")])
    result = CliRunner().invoke(commands, ["ledger", "export", "--format", "csv", "--ledger", str(path)])
    (row,) = csv.DictReader(io.StringIO(result.stdout_bytes.decode(), newline=""))
    assert (0, f"'{begins}1+1") == (result.exit_code, row["model"])
