"""Finding: what has all that was asked for, and its records say so."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from proxy.archive import Archive, open_archive
from proxy.finding import Found, Wanted, find, keyed, text_of
from proxy.keys import Keys
from proxy.ledger import Ledger
from proxy.notary import Notary
from proxy.record.exchange import Item, Record
from proxy.record.likeness import normalised, sketch
from proxy.record.outcome import Outcome, State
from proxy.record.terms import term

SECOND = 10**9
BEGUN = 1_700_000_000 * SECOND
FILE = "0123456789abcdef" * 4
NOTICE = "[内容由人工智能生成]"

BEFORE, NOW = bytes(32), bytes(range(32))
KEYS = Keys.ephemeral(NOW, BEFORE)

HARBOUR = """\
The harbour of the old town was dug by hand between two winters, and the stones that line it came down the river on
rafts of pine. Fishermen still mend their nets on the northern quay, although most of the catch is landed elsewhere.
In the evening the lamps are lit one after the other, and whoever walks along the wall hears three languages before
reaching the tower, which has been a customs house, a prison, and lately a school for people who build wooden boats.
Nobody knows who carved the lion above its door, but every child of the town can tell you what it has eaten."""

CHANGED = """\
The harbour of the old town was built by hand between two winters, and the stones that line it came down the river on
rafts of oak. Fishermen still mend their nets on the southern quay, although most of the catch is landed elsewhere.
At night the lamps are lit one after the other, and whoever walks along the wall hears four languages before reaching
the tower, which has been a customs house, a prison, and lately a workshop for people who build wooden boats."""

ORCHARD = """\
An orchard wants patience more than water. The grafts are tied in March, when the sap has begun to rise but the buds
are still closed, and nobody should expect fruit before the fourth summer. What the frost leaves, the wasps divide among
themselves; a good gardener plants one tree more than the family needs and does not count the apples of that one."""


def record(number: int, state: State = State.WHOLE, **said: object) -> Record:
    one = Record(
        id=f"{number:032x}",
        trace_id=f"{number + 1000:08x}" * 4,
        at=BEGUN + number * SECOND,
        state=state,
        model="lion",
        outcome=Outcome.LABELLED if state != State.OPENED else Outcome.PENDING,
        items=(Item(f"item-{number}", "text", "choice 0"),) if state != State.OPENED else (),
    )
    return replace(one, **said)  # type: ignore[arg-type]


def answered(number: int, text: str, secret: bytes = NOW, *, fingerprint: bool) -> list[Record]:
    """The entries of an answer that was this text."""
    keys = Keys.ephemeral(secret)
    whole = record(number)
    known = Item(f"item-{number}", "text", "choice 0")
    said = replace(known, text=keys.hash("text", normalised(text).encode()))
    hashes = sketch(text, lambda gram: keys.hash("sketch", gram)[:16])
    later = replace(whole, state=State.FINGERPRINTED, items=(replace(known, sketch=hashes),))
    return [replace(whole, items=(said,)), *([later] if fingerprint else [])]


ENTRIES = [
    record(0),
    record(1, State.OPENED),
    record(2, model="tiger", tenant=KEYS.hash("tenant", b"Bearer k"), outcome=Outcome.BLOCKED),
    record(1, State.CLOSED, subject=KEYS.hash("subject", b"anna")),
    record(3, grant="g-1", agreement="2"),
    record(4, items=(Item("p-4", "image", "data 0", before=FILE), Item("p-4-1", "image", "data 1", after="f" * 64))),
    record(5, State.OPENED),
    record(6, tenant=Keys.ephemeral(BEFORE).hash("tenant", b"Bearer k")),
    *answered(7, HARBOUR, fingerprint=True),
    *answered(8, ORCHARD, BEFORE, fingerprint=True),
    *answered(9, HARBOUR, BEFORE, fingerprint=False),
]


def kept(path: Path, entries: list[Record]) -> Path:
    async def fill() -> None:
        with closing(Ledger.open(path, Notary(KEYS), synchronous="normal")) as ledger:
            await asyncio.gather(*map(ledger.append, entries))

    asyncio.run(fill())
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kept(tmp_path_factory.mktemp("kept") / "countermark.db", ENTRIES)


@pytest.fixture
def archive(path: Path) -> Iterator[Archive]:
    with closing(open_archive(path)) as one:
        yield one


def numbers(found: list[Found]) -> list[int]:
    return [int(one.last.id, 16) for one in found]


BOTH = keyed(KEYS, "tenant", [b"Bearer k"])


@pytest.mark.parametrize(
    ("expected", "wanted"),
    [
        ([9, 8, 7, 6, 5, 4, 3, 2, 1, 0], Wanted()),
        ([9, 8, 7], Wanted(limit=3)),
        ([1], Wanted(id=record(1).id)),
        ([1], Wanted(id="item-1")),
        ([4], Wanted(id="p-4-1")),
        ([], Wanted(id="p-4-2")),
        ([], Wanted(id="item-1", model="tiger")),
        ([2], Wanted(trace=record(2).trace_id)),
        ([2], Wanted(model="tiger")),
        ([], Wanted(model="tig")),
        ([6, 2], Wanted(tenants=BOTH)),
        ([2], Wanted(tenants=BOTH[:1])),
        ([2], Wanted(tenants=BOTH, model="tiger")),
        ([1], Wanted(subjects=keyed(KEYS, "subject", [b"anna"]))),
        ([], Wanted(subjects=keyed(KEYS, "subject", [b"bert"]))),
        ([], Wanted(tenants=keyed(KEYS, "tenant", [b"anna"]))),
        ([3], Wanted(grant="g-1")),
        ([4], Wanted(file=FILE)),
        ([4], Wanted(file="f" * 64)),
        ([], Wanted(file="f" * 32 + "0" * 32)),
        ([2], Wanted(outcome=Outcome.BLOCKED)),
        ([5], Wanted(outcome=Outcome.PENDING)),
        ([5, 4, 3], Wanted(since=BEGUN + 3 * SECOND, until=BEGUN + 6 * SECOND)),
        ([2], Wanted(tenants=BOTH, until=BEGUN + 6 * SECOND)),
    ],
)
def test_what_has_all_that_is_asked_for(archive: Archive, expected: list[int], wanted: Wanted) -> None:
    assert expected == numbers(find(archive, wanted))


def test_an_exchange_is_found_with_all_its_entries(archive: Archive) -> None:
    (stream,), (known,) = find(archive, Wanted(id="item-1")), find(archive, Wanted(id="item-8"))
    assert [State.OPENED, State.CLOSED] == [one.state for one in stream.records]
    assert [State.WHOLE, State.FINGERPRINTED] == [one.state for one in known.records]
    assert (State.CLOSED, State.WHOLE) == (stream.last.state, known.last.state)


# By a piece of text.


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ([9, 7], HARBOUR),
        ([9, 7], HARBOUR.upper().replace("\n", "  ").replace(",", " *")),
        ([9, 7], f"{NOTICE}\n\n{HARBOUR}"),
        ([9, 7], f"{HARBOUR}\n\n{NOTICE}"),
        ([7], CHANGED),
        ([7], CHANGED[:200]),
        ([7], f"> {NOTICE} he wrote that\n{CHANGED}\nwhich I doubt."),
        ([8], ORCHARD),
        ([8], ORCHARD.replace("patience", "time")),
        ([], "The harbour of another town was dug by machines in a single summer, of concrete."),
        ([], "the old town"),
    ],
)
def test_a_text_is_found(archive: Archive, expected: list[int], text: str) -> None:
    assert expected == numbers(find(archive, Wanted(text=text_of(text, KEYS, [NOTICE]))))


def test_what_is_most_alike_comes_first_and_says_how_much(tmp_path: Path) -> None:
    entries = [*answered(1, HARBOUR, fingerprint=True), *answered(2, CHANGED, fingerprint=True)]
    with closing(open_archive(kept(tmp_path / "countermark.db", entries))) as archive:
        first, second = find(archive, Wanted(text=text_of(HARBOUR[:330], KEYS)))
        (alone,) = find(archive, Wanted(text=text_of(HARBOUR[:330], KEYS), limit=1))
    assert [1, 2] == numbers([first, second])
    assert 1 >= first.likeness > second.likeness > 0.25
    assert first == alone


def test_a_text_is_found_among_the_rest_that_is_asked_for(archive: Archive) -> None:
    text = text_of(HARBOUR, KEYS)
    assert [7] == numbers(find(archive, Wanted(text=text, until=BEGUN + 9 * SECOND)))
    assert [] == find(archive, Wanted(text=text, model="tiger"))
    assert [9] == numbers(find(archive, Wanted(text=text, id="item-9")))


def test_another_installation_finds_no_text(archive: Archive) -> None:
    stranger = Keys.ephemeral(bytes(range(1, 33)))
    assert [] == find(archive, Wanted(text=text_of(HARBOUR, stranger)))


# However many there are.


@pytest.mark.parametrize("apart", [0, 1, SECOND], ids=["at one moment", "a nanosecond apart", "a second apart"])
def test_what_is_rare_is_found_among_many(tmp_path: Path, apart: int) -> None:
    rare = {3, 411, 999}
    entries = [
        record(number, at=BEGUN + number * apart, outcome=Outcome.BLOCKED if number in rare else Outcome.LABELLED)
        for number in range(1_000)
    ]
    with closing(open_archive(kept(tmp_path / "countermark.db", entries))) as archive:
        assert [999, 411, 3] == numbers(find(archive, Wanted(outcome=Outcome.BLOCKED)))
        assert [999, 411] == numbers(find(archive, Wanted(outcome=Outcome.BLOCKED, model="lion", limit=2)))


# What an index says is not believed.


def test_an_index_that_lies_finds_nothing_else(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "countermark.db"
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        for kind, value in (("item", "item-1"), ("model", "tiger"), ("file", FILE), ("trace", record(2).trace_id)):
            target.execute("INSERT INTO terms VALUES (?, 1)", (term(kind, value),))  # type: ignore[arg-type]
        target.commit()
    with closing(open_archive(copy)) as archive:
        assert [1] == numbers(find(archive, Wanted(id="item-1")))
        assert [2] == numbers(find(archive, Wanted(model="tiger")))
        assert [4] == numbers(find(archive, Wanted(file=FILE)))
        assert [2] == numbers(find(archive, Wanted(trace=record(2).trace_id)))


def test_an_entry_that_is_damaged_hides_no_other(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "countermark.db"
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        target.execute("DROP TRIGGER entries_unchanged")
        target.execute("UPDATE entries SET body = x'7b' WHERE seq IN (1, 2)")
        target.commit()
    with closing(open_archive(copy)) as archive:
        (stream,) = find(archive, Wanted(id="item-1"))
        assert [9, 8, 7, 6, 5, 4, 3, 2, 1] == numbers(find(archive, Wanted()))
    assert [State.CLOSED] == [one.state for one in stream.records]
