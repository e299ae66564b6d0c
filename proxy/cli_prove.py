"""``countermark ledger prove`` and ``check``: that a record is one of those that were signed for, shown to strangers.

The law: a proof is one text that needs nothing beside it but the public key, and ``check`` needs no ledger and no
secret. On standard output stands the proof, or the record, and nothing else. Status 0: it is proven; 1: it is not; 2:
it was asked wrongly.
"""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from proxy.archive import Archive, ArchiveError, Entry, Question
from proxy.cli_endings import FAILED, MISUSED, end, say
from proxy.cli_options import ConfigOption
from proxy.cli_place import DatabaseOption, KeysOption, LedgerOption, place
from proxy.cli_trust import KeyOption, content, publics
from proxy.notary import NoteError, check, verified
from proxy.proving import ProvingError, prove
from proxy.record.exchange import RecordError, decode
from proxy.record.note import encoded
from proxy.record.outcome import State
from proxy.record.proof import Proof
from proxy.record.terms import term

__all__ = ["check_proof", "prove_record"]

_LARGEST: Final = 64 << 20  # bytes of a proof
_MOST: Final = 1000  # entries of one exchange, or with one content id


def prove_record(
    id: Annotated[str, typer.Argument(metavar="ID", help="A content id (ProduceID), or the id of an exchange.")],
    entry: Annotated[
        State | None,
        typer.Option("--entry", help="Which of its entries; a stream has two.", case_sensitive=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Where to put a file for each entry, ID.STATE.proof.")
    ] = None,
    key: KeyOption = None,
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    database: DatabaseOption = None,
    keys: KeysOption = None,
) -> None:
    """Show to a stranger that a record was written as it is: a proof that countermark ledger check understands."""
    at = place(config, ledger, database, keys)
    believed = publics(key, at.keys)
    try:
        entries = [one for one in _entries(at.archive, id) if entry in (None, one.state)]
        if not entries:
            end(FAILED, f"{at.name}: no {f'{entry} ' if entry else ''}entry of {id}")
        if len(entries) > 1 and out is None:
            states = ", ".join(f"--entry {one.state}" for one in entries)
            end(MISUSED, f"{id} has {len(entries)} entries: name one ({states}), or a folder for all with --out FOLDER")
        proofs = [(one, prove(at.archive, one, believed)) for one in entries]
    except ArchiveError as error:
        end(FAILED, f"the records cannot be read: {error}")
    except ProvingError as error:
        end(FAILED, str(error))
    finally:
        at.archive.close()
    for one, proof in proofs:
        if out is None:
            sys.stdout.buffer.write(proof.text().encode())
            sys.stdout.buffer.flush()
            where = "the proof"
        else:
            where = str(_write(out, one, proof))
        say([f"{where}: entry {one.state} of {one.id}; to be checked with --key {_signer(proof, believed)}"])


def check_proof(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The proof; - is standard input.")],
    key: KeyOption = None,
) -> None:
    """Check a proof, with nothing at hand but the public key, and show the record that it proves."""
    believed = publics(key, None)
    data = sys.stdin.buffer.read(_LARGEST) if file == Path("-") else content(file, _LARGEST)
    try:
        body = check(data, believed)
        proof = Proof.parse(data.decode())
        checkpoint = verified(proof.checkpoint_note, believed)
    except NoteError as error:
        end(FAILED, f"not proven: {error}")
    sys.stdout.buffer.write(body + b"\n")
    sys.stdout.buffer.flush()
    say([f"proven: this record is entry {proof.index} of {checkpoint.size - 1} in {checkpoint.origin}"])


def _entries(archive: Archive, id: str) -> list[Entry]:
    """The entries of an exchange, or those with a content id, the oldest first."""
    found = list(archive.find(Question(id=id, limit=_MOST)))
    if not found:
        likely = archive.find(Question(any_of=(term("item", id),), limit=_MOST))
        found = [one for one in likely if _holds(one, id)]
    return sorted(found, key=lambda one: (one.writer, one.seq))


def _holds(entry: Entry, produce_id: str) -> bool:
    try:
        return any(item.produce_id == produce_id for item in decode(entry.body).items)
    except RecordError:
        return False


def _write(folder: Path, entry: Entry, proof: Proof) -> Path:
    path = folder / f"{entry.id}.{entry.state}.proof"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(proof.text(), encoding="utf-8", newline="")
    except OSError as error:
        end(FAILED, f"{path} cannot be written: {error.strerror}")
    return path


def _signer(proof: Proof, believed: tuple[bytes, ...]) -> str:
    """The public key that signed a proof's checkpoint."""
    for public in believed:
        try:
            verified(proof.checkpoint_note, [public])
        except NoteError:
            continue
        return encoded(public)
    raise AssertionError("a proof was made under a signature that nobody gave")
