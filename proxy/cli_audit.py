"""``countermark ledger verify``: whether the records are what was written.

The law: all that is wrong is told, each on a line of its own, and nothing is called sound that was not looked at.
Status 0: nothing is wrong; 1: something is, or the records cannot be read; 2: it was asked wrongly.
"""

import json as spelling
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer

from proxy.archive import ArchiveError
from proxy.audit import Report, verify
from proxy.audit_guards import guards
from proxy.audit_index import IndexAudit
from proxy.cli_endings import FAILED, MISUSED, end, say, visible
from proxy.cli_options import ConfigOption
from proxy.cli_place import DatabaseOption, KeysOption, LedgerOption, Place, place
from proxy.cli_progress import counting
from proxy.cli_trust import KeyOption, content, publics
from proxy.notary import Notary
from proxy.record.exported import notes

__all__ = ["verify_records"]

_SHOWN: Final = 100  # findings for people
_LARGEST: Final = 64 << 20  # bytes of a file of checkpoints
_SHORTEST: Final = 183 * 86_400.0  # seconds: what no configuration may go below

_BLIND: Final = (
    "The secret is not here (--keys DIR): of entries that were changed, only a range can be named, and those behind "
    "the last checkpoint are not checked."
)


def verify_records(
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(
            "--checkpoint",
            metavar="FILE",
            help="Checkpoints that were exported, to hold the records against; may be repeated.",
        ),
    ] = None,
    key: KeyOption = None,
    json: Annotated[bool, typer.Option("--json", help="For programs: one JSON document.")] = False,
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    database: DatabaseOption = None,
    keys: KeysOption = None,
) -> None:
    """Check that no record was changed, removed, moved or added since it was written; name each that was."""
    # Read before the records are: a checkpoint that comes to be meanwhile is not one that they lack.
    exported = [note for path in checkpoint or () for note in _exported(path)]
    at = place(config, ledger, database, keys)
    believed = publics(key, at.keys)
    notary = None if at.keys is None else Notary(at.keys)
    index = None if at.path is None else IndexAudit(at.path)
    begun = time.monotonic()
    retention = at.retention if config is not None else min(at.retention, _SHORTEST)
    try:
        with counting("Checking", at.archive.count()) as told:
            report = verify(
                at.archive,
                notary,
                believed,
                exported,
                young=time.time_ns() - round(retention * 1e9),
                each=None if index is None else index.see,
                progress=told,
            )
        if at.path is not None and index is not None:
            (writer,) = at.archive.writers()
            report = report._replace(findings=(*report.findings, *guards(at.path, writer), *index.findings()))
    except ArchiveError as error:
        end(FAILED, f"the records cannot be read: {error}")
    finally:
        at.archive.close()
    if json:
        document = report._asdict() | {
            "sound": not report.findings,
            "secret": notary is not None,
            "findings": [finding.document() for finding in report.findings],
        }
        typer.echo(spelling.dumps(document))
    else:
        for line in _told(report, at, time.monotonic() - begun):
            typer.echo(line)
        if notary is None:
            say([_BLIND])
    if report.findings:
        raise typer.Exit(FAILED)


def _exported(path: Path) -> list[str]:
    found = notes(content(path, _LARGEST).decode("utf-8", "replace"))
    if not found:
        end(MISUSED, f"--checkpoint: {path} holds no checkpoint")
    return found


def _told(report: Report, at: Place, seconds: float) -> Iterator[str]:
    """For people."""
    for finding in report.findings[:_SHOWN]:
        whose = f"writer {finding.writer}: " if report.writers > 1 and finding.writer else ""
        yield f"{finding.fault}: {whose}{visible(finding.message)}"
    if len(report.findings) > _SHOWN:
        yield f"and {len(report.findings) - _SHOWN:,} more: --json has them all"
    looked = f"{at.name}: {_count(report.entries, 'entry', 'entries')} in {_count(report.segments, 'segment')}"
    if report.writers != 1:
        looked += f" of {_count(report.writers, 'writer')}"
    if report.pruned:
        looked += f", {report.pruned:,} of them pruned"
    if report.behind:
        looked += f"; {_count(report.behind, 'entry', 'entries')} not under a checkpoint yet"
    if report.compared or report.beyond:
        looked += f"; {_count(report.compared, 'exported checkpoint')} compared"
    if report.beyond:
        looked += f", {report.beyond:,} of segments that are pruned since"
    yield f"{looked}; looked at in {seconds:.1f} s"
    findings = len(report.findings)
    yield f"WRONG: {_count(findings, 'finding')}, see above." if findings else "Nothing is wrong."


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
