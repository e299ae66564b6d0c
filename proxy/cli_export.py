"""``countermark ledger export``: the records, for other programs.

The law: an export is in the order of the ledger, takes the same memory however long it is, and where it goes into a
file, that is whole or not there. A line of JSON holds the record's own bytes, so that it can be checked as the ledger
can. Status 0: written; 1: the records cannot be read, or the file not written; 2: it was asked wrongly.

A line is ``{"writer":...,"seq":...,"segment":...,"begun":...,"salt":"<hex>","record":<bytes>}``: what stands between
``"record":`` and the last brace is what ``encode`` made, byte for byte, and the leaf of its segment's tree is salt and
bytes; ``begun`` is when that segment began, in Unix nanoseconds (see record/segment.py). Bytes that are no JSON any
more are in ``"damaged"`` instead, as hex digits.

CSV is as in RFC 4180, with names in the first line and a line for each item; an entry without items has one too.
"""

import csv
import io
import sys
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO, Final, NamedTuple

import orjson
import typer

from proxy import files
from proxy.archive import Archive, ArchiveError, Entry, SegmentRow
from proxy.cli_endings import FAILED, MISUSED, end, say
from proxy.cli_options import ConfigOption
from proxy.cli_place import DatabaseOption, KeysOption, LedgerOption, place
from proxy.cli_progress import counting
from proxy.cli_times import SinceOption, UntilOption, asked, said
from proxy.files import FileError
from proxy.record.exchange import Item, Record, RecordError, decode

__all__ = ["COLUMNS", "Format", "export"]

_STEP: Final = 256  # entries that are taken at once

# What a spreadsheet takes for the beginning of a formula, and a client may have chosen: the name of a model, say.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")

_PLACE: Final = ("writer", "seq", "segment", "salt")
_RECORD: Final = (
    "at", "id", "state", "trace_id", "route", "upstream", "dialect", "model", "tenant", "subject", "grant", "agreement",
    "method", "status", "streaming", "policy_set", "because", "outcome", "reason", "first_byte_us", "duration_us",
    "bytes_in", "bytes_out",
)  # fmt: skip
_ITEM: Final = (
    "produce_id", "kind", "unit", "placed", "skipped", "before", "after", "size_before", "size_after", "dropped",
    "text",
)  # fmt: skip

COLUMNS: Final = (*_PLACE, *_RECORD, *_ITEM)


class Format(StrEnum):
    """How records are written."""

    JSONL = "jsonl"
    CSV = "csv"


class Row(NamedTuple):
    """An entry, and the segment that it belongs to; None where none says so."""

    entry: Entry
    segment: SegmentRow | None


def export(
    format: Annotated[
        Format, typer.Option("--format", help="JSON Lines, one entry each; or CSV, one line for each item.")
    ] = Format.JSONL,
    since: SinceOption = None,
    until: UntilOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where to write it; else standard output.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there already.")] = False,
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    database: DatabaseOption = None,
    keys: KeysOption = None,
) -> None:
    """Write records as JSON Lines or CSV, in the order of the ledger."""
    now = time.time_ns()
    first, last = asked("--since", since, now), asked("--until", until, now, ends=True)
    try:
        if out is not None and not force:
            files.check_absent(out)
    except FileError as error:
        end(MISUSED, str(error))
    at = place(config, ledger, database, keys)
    write = {Format.JSONL: _json_lines, Format.CSV: _csv}[format]
    try:
        with counting("Exporting", at.archive.count()) as told:
            rows = _rows(at.archive, first, last, told)
            if out is None:
                write(rows, sys.stdout.buffer)
                sys.stdout.buffer.flush()
                return
            with files.writing(out, force=force) as file:
                count = write(rows, file)
        say([f"{out}: {count:,} entr{'y' if count == 1 else 'ies'} written"])
    except ArchiveError as error:
        end(FAILED, f"the records cannot be read: {error}")
    except FileError as error:
        end(FAILED, str(error))
    finally:
        at.archive.close()


def _rows(archive: Archive, since: int | None, until: int | None, told: Callable[[int], object]) -> Iterator[Row]:
    """All entries of that time, writer by writer, in their order."""
    for writer in archive.writers():
        entries = archive.entries(writer, 0, None)
        firsts: list[int] = []
        while some := list(islice(entries, _STEP)):
            # Asked for again after each read of the segment that grows: another one may have begun.
            if not firsts or some[-1].seq >= firsts[-1]:
                segments = archive.segments(writer)
                firsts = [row.first for row in segments]
            for entry in some:
                if (since is None or entry.at >= since) and (until is None or entry.at < until):
                    place = bisect_right(firsts, entry.seq) - 1
                    yield Row(entry, segments[place] if place >= 0 else None)
            told(len(some))


def _json_lines(rows: Iterator[Row], file: BinaryIO) -> int:
    count = 0
    for entry, segment in rows:
        number, begun = (None, None) if segment is None else (segment.number, segment.begun)
        place = orjson.dumps(
            {"writer": entry.writer, "seq": entry.seq, "segment": number, "begun": begun, "salt": entry.salt.hex()}
        )
        file.write(b"%b,%b}\n" % (place[:-1], _member(entry.body)))
        count += 1
    return count


def _member(body: bytes) -> bytes:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        is_json = False
    else:
        is_json = b"\n" not in body  # a line is a line, whatever somebody has written into the ledger
    return b'"record":%b' % body if is_json else b'"damaged":"%b"' % body.hex().encode()


def _csv(rows: Iterator[Row], file: BinaryIO) -> int:
    text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
    try:
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        count = 0
        for row in rows:
            writer.writerows(_cells(row))
            count += 1
        return count
    finally:
        text.flush()
        text.detach()


def _cells(row: Row) -> Iterator[Sequence[object]]:
    entry = row.entry
    place = (entry.writer, entry.seq, "" if row.segment is None else row.segment.number, entry.salt.hex())
    try:
        record = decode(entry.body)
    except RecordError:
        known = {"at": said(entry.at), "id": entry.id, "state": entry.state, "reason": "damaged: no record"}
        yield *place, *(_safe(known.get(name, "")) for name in (*_RECORD, *_ITEM))
        return
    told = [said(record.at), *(_cell(record, name) for name in _RECORD[1:])]
    for item in record.items or (None,):
        yield *place, *told, *("" if item is None else _cell(item, name) for name in _ITEM)


def _cell(of: Record | Item, name: str) -> object:
    value = getattr(of, name)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return value
    return _safe(" ".join(value) if isinstance(value, tuple) else value)


def _safe(text: str) -> str:
    """A text that no spreadsheet carries out: one that looks like a formula has an apostrophe before it."""
    return f"'{text}" if text.startswith(_FORMULA) else text
