"""``countermark ledger stats``: how much is recorded, of what, how it ended, and how well it is kept.

The law: every entry is counted once, and an exchange by the entry that says how it ended. Status 0: told; 1: the
records cannot be read; 2: it was asked wrongly.
"""

import json as spelling
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer

from proxy.archive import Archive, ArchiveError, Entry
from proxy.archive_sqlite import SqliteArchive
from proxy.cli_endings import FAILED, end, visible
from proxy.cli_options import ConfigOption
from proxy.cli_place import DatabaseOption, KeysOption, LedgerOption, place
from proxy.cli_progress import counting
from proxy.cli_times import said
from proxy.record.outcome import State

__all__ = ["stats"]

_STEP: Final = 1024  # entries between two words about how far it is
_MOST: Final = 10_000  # different values that are counted: a client may name a model as it likes
_SHOWN: Final = 20  # of them for people
_WIDTH: Final = 24
_DAY: Final = 86_400 * 10**9  # nanoseconds

_ENDS: Final = frozenset({State.WHOLE, State.CLOSED, State.INTERRUPTED})
_NONE: Final = "(none)"
_OTHERS: Final = "(others)"


@dataclass
class Kept:
    """How well the entries are kept: their segments, and how many entries are under a signed checkpoint."""

    writers: int = 0
    segments: int = 0
    sealed: int = 0
    pruned: int = 0
    proven: int = 0

    def add(self, archive: Archive, writer: str) -> None:
        """One writer's."""
        self.writers += 1
        for row in archive.segments(writer):
            self.segments += 1
            self.sealed += row.sealed
            self.pruned += row.pruned
            # Leaf 0 is the note of the segment before.
            self.proven += 0 if row.pruned else max(row.size - 1, 0)


@dataclass
class Counted:
    """What all entries come to."""

    entries: int = 0
    damaged: int = 0
    items: int = 0
    body_bytes: int = 0
    newest: int = 0
    first: int | None = None
    last: int | None = None
    states: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    dialects: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    days: Counter[int] = field(default_factory=Counter)

    def add(self, entry: Entry) -> None:
        """One entry."""
        state, at, body = entry.state, entry.at, entry.body
        self.entries += 1
        self.newest = max(self.newest, entry.seq)
        self.body_bytes += len(body)
        self.first = at if self.first is None else min(self.first, at)
        self.last = at if self.last is None else max(self.last, at)
        self.states[state] += 1
        if state not in _ENDS:
            return
        try:
            # Not `decode`, which would take ten times as long to look into what is not counted.
            record = orjson.loads(body)
            model = record["model"] or _NONE
            self.items += len(record["items"])
            self.outcomes[record["outcome"]] += 1
            self.dialects[record["dialect"] or _NONE] += 1
            self.models[model if model in self.models or len(self.models) < _MOST else _OTHERS] += 1
        except (KeyError, TypeError, ValueError):
            self.damaged += 1
        self.days[at // _DAY] += 1


def stats(
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    database: DatabaseOption = None,
    keys: KeysOption = None,
) -> None:
    """Count the records: by outcome, state, model, dialect and day, and how well they are kept."""
    at = place(config, ledger, database, keys)
    counted, kept = Counted(), Kept()
    try:
        with counting("Counting", at.archive.count()) as told:
            for writer in at.archive.writers():
                kept.add(at.archive, writer)
                for entry in at.archive.entries(writer, 0, None):
                    counted.add(entry)
                    if counted.entries % _STEP == 0:
                        told(_STEP)
        shipped = at.archive.marks().get("shipped") if isinstance(at.archive, SqliteArchive) else None
    except ArchiveError as error:
        end(FAILED, f"the records cannot be read: {error}")
    finally:
        at.archive.close()
    document = _document(counted, kept, at.path, shipped if isinstance(shipped, int) else 0)
    if json:
        typer.echo(spelling.dumps(document, ensure_ascii=False))
        return
    typer.echo(f"{visible(at.name)}")
    for line in _lines(document):
        typer.echo(line)


def _document(counted: Counted, kept: Kept, path: Path | None, shipped: int) -> dict[str, Any]:
    document: dict[str, Any] = {
        "entries": counted.entries,
        "exchanges": counted.outcomes.total(),
        "items": counted.items,
        "damaged": counted.damaged,
        "first": None if counted.first is None else said(counted.first),
        "last": None if counted.last is None else said(counted.last),
        "writers": kept.writers,
        "segments": kept.segments,
        "sealed": kept.sealed,
        "pruned": kept.pruned,
        "under_checkpoint": min(kept.proven, counted.entries),
        # Where nothing was ever shipped, nothing waits for it.
        "to_be_shipped": max(counted.newest - shipped, 0) if shipped else None,
    }
    if path is not None:
        size = sum(one.stat().st_size for one in (path, path.with_name(f"{path.name}-wal")) if one.exists())
        document["bytes"] = size
        document["bytes_per_entry"] = round(size / counted.entries) if counted.entries else 0
        document["bytes_of_records"] = counted.body_bytes
    for name in ("outcomes", "states", "dialects", "models"):
        document[name] = dict(getattr(counted, name).most_common())
    document["days"] = {said(day * _DAY)[:10]: count for day, count in sorted(counted.days.items())}
    return document


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    for name, value in document.items():
        title = name.replace("_", " ")
        if isinstance(value, dict):
            yield title
            shown = list(value.items()) if name != "days" else list(value.items())[-_SHOWN:]
            for key, count in shown[:_SHOWN]:
                yield f"    {visible(key):{_WIDTH}}{count:>14,}"
            if len(value) > _SHOWN:
                yield f"    {f'and {len(value) - _SHOWN:,} more':{_WIDTH}}"
        elif value is not None:
            yield f"  {title:{_WIDTH}}  {f'{value:,}' if isinstance(value, int) else value:>14}"
