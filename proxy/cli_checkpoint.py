"""``countermark ledger checkpoint`` and ``key``: what leaves the machine, so that others can hold the ledger to it.

The law: a checkpoint that is exported is one that the ledger's own key signed; a file of them only ever grows, and what
is in it already is not put in twice. Status 0: done; 1: it cannot be; 2: it was asked wrongly.
"""

import errno
import fcntl
import os
from pathlib import Path
from typing import Annotated

import typer

from proxy.archive import Archive, ArchiveError
from proxy.cli_endings import FAILED, MISUSED, end, say
from proxy.cli_options import ConfigOption
from proxy.cli_place import DatabaseOption, KeysOption, LedgerOption, place
from proxy.cli_trust import KeyOption, publics
from proxy.notary import Notary, NoteError, verified
from proxy.record.checkpoint import origin
from proxy.record.exported import notes
from proxy.record.note import encoded, verifier_key

__all__ = ["export_checkpoint", "show_key"]


def export_checkpoint(
    every: Annotated[bool, typer.Option("--all", help="Those of all segments, not of the newest alone.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="A file to add it to; else standard output.")
    ] = None,
    key: KeyOption = None,
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    database: DatabaseOption = None,
    keys: KeysOption = None,
) -> None:
    """Export the latest checkpoint: kept elsewhere, it shows later that no record before it was removed."""
    at = place(config, ledger, database, keys)
    believed = publics(key, at.keys)
    try:
        found = _latest(at.archive, every=every)
        for note in found:
            verified(note, believed)
    except ArchiveError as error:
        end(FAILED, f"the records cannot be read: {error}")
    except NoteError as error:
        end(FAILED, f"nothing is exported: {error}; countermark ledger verify says more")
    finally:
        at.archive.close()
    if not found:
        end(FAILED, f"{at.name}: nothing is under a checkpoint yet: who serves signs one after some seconds")
    if out is None:
        typer.echo("\n".join(found), nl=False)
        return
    try:
        added = _add(out, found)
    except OSError as error:
        end(FAILED, f"{out} cannot be written: {error.strerror}")
    say([f"{out}: {added} of {len(found)} added" if added else f"{out}: has it already, nothing added"])


def show_key(
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    database: DatabaseOption = None,
    keys: KeysOption = None,
) -> None:
    """Show the public keys that check checkpoints and proofs: first the present one, then those of retired secrets."""
    at = place(config, ledger, database, keys)
    if at.keys is None:
        end(MISUSED, "there is no secret here: name its folder with --keys DIR")
    try:
        newest = {writer: at.archive.segments(writer)[-1:] for writer in at.archive.writers()}
    except ArchiveError as error:
        end(FAILED, f"the records cannot be read: {error}")
    finally:
        at.archive.close()
    for number, public in enumerate(Notary(at.keys).all_publics()):
        typer.echo(f"{encoded(public)}{'  (retired)' if number else ''}")
        for writer, rows in newest.items():
            for row in rows:
                # As other programs want it, with the name of what it signs.
                typer.echo(f"    {verifier_key(origin(writer, row.number), public)}")


def _latest(archive: Archive, *, every: bool) -> list[str]:
    """The latest checkpoint of each writer, or that of each of its segments."""
    found: list[str] = []
    for writer in archive.writers():
        signed = [row.note for row in archive.segments(writer) if row.note]
        found += signed if every else signed[-1:]
    return found


def _add(path: Path, found: list[str]) -> int:
    """Add what a file of checkpoints does not have yet, whole or not at all; how many that were."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        there = file.read().decode("utf-8", "replace")
        fresh = [note for note in found if note not in notes(there)]
        if fresh:
            size = os.fstat(descriptor).st_size
            data = ("\n" if there and not there.endswith("\n") else "").encode() + "".join(fresh).encode()
            try:
                if file.write(data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
    return len(fresh)
