"""A ledger of a million entries: how fast it grows, how large it is, how fast something is found in it and checked.

    python bench/ledger.py [ENTRIES]

Exchanges are spread over half a year. A third are streams (two entries each), a tenth are pictures, and one text in
twenty leaves a fingerprint (120 hashes, as 2,200 characters do). Times of questions are the median and the most of
several, each for something else, with what the system caches by itself. After six minutes it grows no more.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from proxy.archive import Archive, open_archive
from proxy.audit import verify
from proxy.cli_stats import Counted
from proxy.finding import Wanted, find, text_of
from proxy.fingerprints import DIGITS
from proxy.keys import Keys
from proxy.ledger import Ledger
from proxy.notary import Notary
from proxy.record.exchange import Item, Record
from proxy.record.likeness import normalised, sketch
from proxy.record.outcome import Outcome, State

ENTRIES = 1_000_000
WAITING = 2_000  # entries that wait for the disk at once
SPAN = 182 * 86_400 * 10**9  # nanoseconds
LONGEST = 360  # seconds
TARGETS = 40  # answers of which the text is known
WORDS, HASHES, EDITED = 330, 120, 0.15
SECOND = 1e-9

chance = random.Random(7)  # noqa: S311  # made-up exchanges
vocabulary = ["".join(chance.choices("abcdefghijklmnoprstuvw", k=chance.randint(2, 10))) for _ in range(20_000)]


def digits(count: int) -> str:
    """Something that nobody can guess, so long in hex digits."""
    return f"{chance.getrandbits(4 * count):0{count}x}"


def prose() -> str:
    """An answer of some 2,200 characters."""
    return " ".join(chance.choices(vocabulary, k=WORDS))


def edited(text: str) -> str:
    """The same with some of its words replaced."""
    return " ".join(chance.choice(vocabulary) if chance.random() < EDITED else word for word in text.split())


tenants = [digits(32) for _ in range(997)]


class Making:
    """Records as the proxy makes them."""

    def __init__(self, keys: Keys, entries: int) -> None:
        self.keys = keys
        self.texts = [prose() for _ in range(TARGETS)]
        self.ids: list[str] = []
        self._entries = entries
        self._begun = time.time_ns() - SPAN

    def records(self) -> Iterator[Record]:
        """As many entries as there are to be."""
        made = number = 0
        marks = [int((place + 0.5) * self._entries / TARGETS) for place in range(TARGETS)]
        while made < self._entries:
            text = self.texts[TARGETS - len(marks)] if marks and made >= marks[0] else ""
            if text:
                del marks[0]
            for entry in self._exchange(number, self._begun + SPAN * made // self._entries, text):
                yield entry
                made += 1
            number += 1

    def _exchange(self, number: int, at: int, text: str) -> Iterator[Record]:
        kind = number % 10
        streaming, picture = not text and kind in (0, 3, 6), kind == 9 and not text
        opened = Record(
            id=f"{at // 10**6:012x}7{digits(19)}",
            trace_id=digits(32),
            at=at,
            state=State.OPENED,
            route="/v1/**",
            upstream="models",
            dialect="openai.images" if picture else "openai.chat",
            model=f"acme-chat-{number % 23}",
            tenant=tenants[number % len(tenants)],
            method="POST",
            streaming=streaming,
            policy_set="0123456789abcdef" * 4,
            because=("cn-gb45438/text-prefix", "eu-ai-act/text"),
        )
        if streaming:
            yield opened
        produced = f"{at // 10**6:012x}7{digits(19)}"
        if text:
            self.ids.append(produced)
        item = Item(produced, "text", "choice 0", ("prefix", "body", "header"))
        if picture:
            item = Item(
                produced, "image", "data 0", ("badge", "xmp"), "", digits(64), digits(64), 1_234_567, 1_234_890
            )  # fmt: skip
        elif not streaming:
            digest = self.keys.hash("text", normalised(text).encode()) if text else digits(32)
            item = replace(
                item, before=digits(32), after=digits(32), size_before=2_000, size_after=2_030, text=digest
            )  # fmt: skip
        ended = replace(
            opened,
            state=State.CLOSED if streaming else State.WHOLE,
            status=200,
            outcome=Outcome.LABELLED,
            items=(item,),
            first_byte_us=312_000,
            duration_us=4_123_456,
            bytes_in=48_000,
            bytes_out=48_400,
        )
        yield ended
        if text or number % 20 == 1:
            hashes = sketch(text, self.gram) if text else tuple(digits(16) for _ in range(HASHES))
            known = Item(produced, "text", "choice 0", sketch=hashes)
            yield replace(ended, state=State.FINGERPRINTED, because=(), items=(known,))

    def gram(self, data: bytes) -> str:
        """As the proxy hashes a gram."""
        return self.keys.hash("sketch", data)[:DIGITS]


async def grown(path: Path, making: Making, notary: Notary) -> tuple[int, float]:
    """How many entries were appended, and how many a second, with an fsync for each batch."""
    begun, count = time.perf_counter(), 0
    with closing(Ledger.open(path, notary)) as ledger:
        waiting: list[asyncio.Future[None]] = []
        for record in making.records():
            waiting.append(ledger.append(record))
            count += 1
            if len(waiting) == WAITING:
                await waiting[WAITING // 2]
                waiting = [entry for entry in waiting if not entry.done()]
                if time.perf_counter() - begun > LONGEST:
                    break
        await asyncio.gather(*waiting)
    return count, count / (time.perf_counter() - begun)


def told(what: str, value: str) -> None:
    print(f"{what:58}{value:>22}", flush=True)


def asked(what: str, questions: list[Callable[[], object]]) -> None:
    """How long such a question takes, and that it is answered."""
    times = []
    for question in questions:
        begun = time.perf_counter()
        found = question()
        times.append((time.perf_counter() - begun) * 1000)
        if not found:
            raise SystemExit(f"{what}: not found")
    told(what, f"{statistics.median(times):.1f} / {max(times):.1f} ms")


def sizes(path: Path) -> None:
    """What a record takes on disk, and which part of it."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        entries, bodies = connection.execute("SELECT count(*), sum(length(body)) FROM entries").fetchone()
        terms = connection.execute("SELECT count(*) FROM terms").fetchone()[0]
        size = path.stat().st_size
        told("size of the file", f"{size / 2**20:,.0f} MiB")
        told(
            "bytes an entry, of which the record itself",
            f"{size / entries:,.0f} / {bodies / entries:,.0f}",
        )
        told("terms an entry", f"{terms / entries:.1f}")
        try:
            parts = connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC").fetchall()
        except sqlite3.OperationalError:  # not every SQLite can tell
            return
        for name, taken in parts[:4]:
            told(f"    {name}", f"{taken / entries:,.0f} B an entry")


def questions(archive: Archive, making: Making) -> None:
    """How long it takes to find something."""
    keys, ids, texts = making.keys, making.ids, making.texts[: len(making.ids)]
    half = len(ids) // 2
    some = range(half)
    exchanges = [find(archive, Wanted(id=one))[0].last for one in ids]
    day = 86_400 * 10**9
    asked(
        "find by exchange id",
        [lambda n=n: find(archive, Wanted(id=exchanges[n].id)) for n in some],
    )
    asked(
        "find by content id",
        [lambda n=n: find(archive, Wanted(id=ids[-n - 1])) for n in some],
    )
    asked(
        "find by trace id",
        [lambda n=n: find(archive, Wanted(trace=exchanges[n].trace_id)) for n in some],
    )
    asked(
        "find by tenant, model and a day",
        [
            lambda one=one: find(
                archive,
                Wanted(
                    model=one.model,
                    tenants=(one.tenant,),
                    since=one.at - day // 2,
                    until=one.at + day // 2,
                ),
            )
            for one in exchanges[:half]
        ],
    )
    asked(
        "find the last 20 of a model",
        [lambda n=n: find(archive, Wanted(model=f"acme-chat-{n}")) for n in some],
    )
    asked(
        "find by the text (2,200 characters)",
        [lambda n=n: known(archive, texts[n], keys) for n in some],
    )
    changed = [edited(text) for text in texts[half:]]
    asked(
        "find by the text with 15 % of its words edited",
        [lambda t=t: known(archive, t, keys) for t in changed],
    )
    parts = [" ".join(text.split()[100:200]) for text in texts[half:]]
    asked(
        "find by a third of the text",
        [lambda t=t: known(archive, t, keys) for t in parts],
    )


def known(archive: Archive, text: str, keys: Keys) -> object:
    """The exchange that a text is of, from the text on."""
    return find(archive, Wanted(text=text_of(text, keys), limit=1))


def whole(archive: Archive, notary: Notary) -> None:
    """What goes through all of it."""
    begun = time.perf_counter()
    report = verify(archive, notary, notary.all_publics())
    taken = time.perf_counter() - begun
    if report.findings:
        raise SystemExit(f"verify found {report.findings[:3]}")
    told("verify all", f"{taken:.1f} s, {report.entries / taken:,.0f} / s")
    counted = Counted()
    begun = time.perf_counter()
    for writer in archive.writers():
        for entry in archive.entries(writer, 0, None):
            counted.add(entry)
    told("count all (stats)", f"{time.perf_counter() - begun:.1f} s")


def main() -> None:
    """Print the table."""
    entries = int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "countermark.db"
        keys = Keys.ephemeral(b"a secret of nobody, for a benchmark")
        notary, making = Notary(keys), Making(keys, entries)
        count, rate = asyncio.run(grown(path, making, notary))
        told("entries", f"{count:,}")
        told("appended", f"{rate:,.0f} / s")
        sizes(path)
        with closing(open_archive(path)) as archive:
            questions(archive, making)
            whole(archive, notary)


if __name__ == "__main__":
    main()
