"""``countermark ledger find``: what was labelled, when and by which rule, by anything that is known of it.

The law: all that is given must hold, and an exchange is shown with all its entries. Status 0: something is found; 1:
nothing is, or the records cannot be read; 2: it was asked wrongly.
"""

import hashlib
import json as spelling
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer

from proxy import files
from proxy.archive import ArchiveError
from proxy.cli_endings import FAILED, MISUSED, end, say, visible
from proxy.cli_options import ConfigOption
from proxy.cli_place import DatabaseOption, KeysOption, LedgerOption, Place, place
from proxy.cli_times import SinceOption, UntilOption, asked, said
from proxy.files import FileError
from proxy.finding import Found, Wanted, find, keyed, text_of
from proxy.media import formats
from proxy.media.errors import MediaError
from proxy.record.exchange import Item, Record, encode
from proxy.record.outcome import Outcome
from proxy.settings_secrets import read_place, read_secret
from proxy.signing import whose

__all__ = ["find_records"]

_LARGEST: Final = 1 << 30  # bytes of a file
_LONGEST: Final = 1 << 20  # bytes of a text
_HASH: Final = 32  # hex digits
_WIDTH: Final = 11  # columns: the longest name of a property, and two spaces

_OUTCOMES: Final = {str(one) or "pending": one for one in Outcome}

_UNKEYED: Final = "{} is looked for by a keyed hash, and there is no secret here: name its folder with --keys DIR"


def find_records(
    id: Annotated[
        str, typer.Argument(metavar="ID", help="A content id (ProduceID), or an exchange's.", show_default=False)
    ] = "",
    trace: Annotated[str, typer.Option("--trace", metavar="ID", help="The W3C trace id, 32 hex digits.")] = "",
    since: SinceOption = None,
    until: UntilOption = None,
    model: Annotated[str, typer.Option("--model", metavar="NAME", help="The model, as requests name it.")] = "",
    tenant: Annotated[
        str, typer.Option("--tenant", metavar="VALUE", help="The hash in records, or what the header said.")
    ] = "",
    tenant_key: Annotated[
        str, typer.Option("--tenant-key", metavar="PLACE", help="The tenant's key: env:NAME or file:PATH where it is.")
    ] = "",
    subject: Annotated[
        str, typer.Option("--subject", metavar="VALUE", help="The hash in records, or what the header said.")
    ] = "",
    grant: Annotated[str, typer.Option("--grant", metavar="ID", help="Left without a notice under this grant.")] = "",
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="A media file, before or after it was labelled.")
    ] = None,
    text: Annotated[
        str | None, typer.Option("--text", metavar="TEXT", help="A piece of an answer; may have been edited.")
    ] = None,
    text_file: Annotated[
        Path | None, typer.Option("--text-file", metavar="FILE", help="The same from a file; - is standard input.")
    ] = None,
    outcome: Annotated[
        str, typer.Option("--outcome", metavar="WORD", help=f"How it ended: {', '.join(_OUTCOMES)}.")
    ] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000_000, help="How many exchanges at most.")] = 20,
    json: Annotated[bool, typer.Option("--json", help="For programs: one line of JSON for each exchange.")] = False,
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    database: DatabaseOption = None,
    keys: KeysOption = None,
) -> None:
    """Find exchanges in the records, newest first: all that is given must hold; without anything, the newest.

    A text is found whatever its spaces, marks and Markdown; in part, or edited, where a policy says fingerprint: true.
    """
    if text is not None and text_file is not None:
        end(MISUSED, "--text and --text-file exclude each other")
    now = time.time_ns()
    wanted = Wanted(
        id=id.strip(),
        trace=trace.strip().lower(),
        model=model,
        grant=grant,
        outcome=_outcome(outcome),
        since=asked("--since", since, now),
        until=asked("--until", until, now, ends=True),
        limit=limit,
    )
    data = None if file is None else _content(file)
    if data is not None:
        wanted = wanted._replace(file=hashlib.sha256(data).hexdigest())
    at = place(config, ledger, database, keys)
    try:
        wanted = wanted._replace(
            tenants=_tenants(at, tenant, tenant_key),
            subjects=_hashes(at, "subject", subject),
        )
        piece = text if text_file is None else _piece(text_file)
        if piece is not None:
            if at.keys is None:
                end(MISUSED, _UNKEYED.format("a text"))
            wanted = wanted._replace(text=text_of(piece, at.keys, at.words))
            if not wanted.text or not wanted.text.whole:
                end(MISUSED, "the text has no letter and no digit to find it by")
        found = find(at.archive, wanted)
        if not found and data is not None:
            found = _by_label(at, wanted, data)
        if not found:
            end(FAILED, *_nothing(at, wanted))
    except ArchiveError as error:
        end(FAILED, f"the records cannot be read: {error}")
    finally:
        at.archive.close()
    for number, one in enumerate(found):
        if json:
            typer.echo(spelling.dumps(_document(one), ensure_ascii=False))
            continue
        if number:
            typer.echo()
        for line in filter(None, _lines(one, by_text=wanted.text is not None)):
            typer.echo(line)


def _outcome(word: str) -> Outcome | None:
    if word and word not in _OUTCOMES:
        end(MISUSED, f"--outcome must be one of {', '.join(_OUTCOMES)}")
    return _OUTCOMES[word] if word else None


def _content(path: Path) -> bytes:
    try:
        return files.read(path, _LARGEST).data
    except FileError as error:
        end(FAILED, f"{path}: {error}")


def _piece(path: Path) -> str:
    try:
        data = sys.stdin.buffer.read(_LONGEST + 1) if path == Path("-") else files.content(path, _LONGEST)
    except OSError as error:
        end(FAILED, f"{path}: {error.strerror}")
    return data[:_LONGEST].decode("utf-8-sig", "replace")


def _tenants(at: Place, value: str, key: str) -> tuple[str, ...]:
    if value and key:
        end(MISUSED, "--tenant and --tenant-key exclude each other")
    if not key:
        return _hashes(at, "tenant", value)
    if at.keys is None:
        end(MISUSED, _UNKEYED.format("a key"))
    if not key.startswith(("env:", "file:")):
        end(MISUSED, "--tenant-key must be env:NAME or file:PATH: others see what stands on a command line")
    try:
        credential = read_secret(read_place(key), Path(), os.environ).encode()
    except ValueError as error:
        end(MISUSED, f"--tenant-key {error}")
    # A record knows the whole field, and a person the key that stands in it.
    return keyed(at.keys, "tenant", (whose(credential), b"Bearer " + credential))


def _hashes(at: Place, purpose: str, value: str) -> tuple[str, ...]:
    """What records may know a value by, which may be that itself."""
    value = value.removeprefix("hash:")
    if not value:
        return ()
    is_hash = len(value) == _HASH and not value.strip("0123456789abcdef")
    if at.keys is None:
        if not is_hash:
            end(MISUSED, _UNKEYED.format(f"what a {purpose} is called"))
        return (value,)
    return (value,) * is_hash + keyed(at.keys, purpose, (value.encode("utf-8", "surrogateescape"),))


def _by_label(at: Place, wanted: Wanted, data: bytes) -> list[Found]:
    """Of a file that nobody knows any more, by the label that is still in it."""
    media = formats.find(data)
    try:
        labels = media.read(data) if media is not None else ()
    except MediaError:
        return []
    for label in labels:
        if found := find(at.archive, wanted._replace(file="", id=label.produce_id)):
            say(["the file itself is in no record; this is what its label names, which anybody may have put there:"])
            return found
    return []


def _nothing(at: Place, wanted: Wanted) -> Iterator[str]:
    count = at.archive.count()
    yield f"nothing is found in {at.name}, among {count:,} entr{'y' if count == 1 else 'ies'}"
    if wanted.text is not None:
        yield "an answer that was edited is found only where a policy says `fingerprint: true`"


def _document(found: Found) -> dict[str, Any]:
    records = [orjson.loads(encode(record)) for record in found.records]
    return {"writer": found.writer, "likeness": round(found.likeness, 3), "entries": records}


def _lines(found: Found, *, by_text: bool) -> Iterator[str]:
    """An exchange for a person: what, when, by which rule, to whom."""
    last = found.last
    likeness = f"  (holds {found.likeness:.0%} of it)" if by_text and found.likeness < 1 else ""
    yield f"{said(last.at)}  {last.outcome or 'under way'}{likeness}"
    yield _property("exchange", last.id)
    yield _property("trace", last.trace_id)
    how = "as a stream" if last.streaming else "whole"
    status = f", status {last.status}" if last.status else ""
    yield _property("request", f"{last.method} {last.route} to {last.upstream or 'nowhere'}{status}, {how}")
    yield _property("model", " through ".join(filter(None, (last.model, last.dialect))))
    yield _property("tenant", last.tenant)
    yield _property("subject", last.subject)
    yield _property("rules", ", ".join(last.because))
    yield _property("policies", last.policy_set)
    yield _property("reason", last.reason)
    if last.grant:
        yield _property("grant", f"{last.grant}, agreement {last.agreement}")
    yield _property("took", _took(last))
    yield _property("entries", f"{', '.join(record.state for record in found.records)} in ledger {found.writer}")
    for item in last.items:
        yield from _item(item)


def _took(record: Record) -> str:
    if not record.duration_us:
        return ""
    first = f", first byte after {record.first_byte_us / 1000:,.1f} ms" if record.first_byte_us else ""
    return f"{record.duration_us / 1000:,.1f} ms{first}; {record.bytes_in:,} bytes in, {record.bytes_out:,} out"


def _item(item: Item) -> Iterator[str]:
    placed = " and ".join(item.placed) or "nothing was put anywhere"
    skipped = f" ({item.skipped})" if item.skipped else ""
    yield _property("item", f"{item.produce_id}: {item.kind}, {item.unit}: {placed}{skipped}")
    if item.dropped:
        yield _property("", f"lost: {', '.join(item.dropped)}")
    if item.before or item.after:
        hashed = "keyed hash" if item.kind == "text" else "SHA-256"
        for when, digest, size in (("before", item.before, item.size_before), ("after", item.after, item.size_after)):
            yield _property("", f"{when}: {size:,} bytes, {hashed} {digest or 'unknown'}")


def _property(name: str, value: str) -> str:
    """One line; none where there is nothing to say."""
    return f"  {name:{_WIDTH}}{visible(value)}" if value else ""
