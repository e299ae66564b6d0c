"""``countermark label``: the labels of the proxy, put into picture files.

The law: a file is labelled as the same picture would be on its way through the proxy, by the same policies, in the same
processes; it is written whole or not at all, and one that cannot be labelled stays as it is and stops no other. Status
0: all are labelled; 1: some are not; 2: it was asked wrongly, and nothing was done.
"""

import json as spelling
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from threading import Lock
from typing import Annotated, Any, NamedTuple

import typer

from proxy import files
from proxy.cli_endings import FAILED, MISUSED, end, say, visible
from proxy.cli_options import ConfigOption, ProviderOption
from proxy.files import FileError
from proxy.keys import Keys, KeysError
from proxy.label.identifier import RANDOM_BYTES, produce_id
from proxy.label.provenance import Making
from proxy.label.seal import verify
from proxy.labelling.errors import LabellingError
from proxy.labelling.issuer import Issuer
from proxy.labelling.mark import Operator, mark, terms
from proxy.labelling.notices import Notices
from proxy.labelling.order import PRESERVED, Studio
from proxy.labelling.picture import Picture
from proxy.media import formats
from proxy.media.errors import MediaError
from proxy.policy.decision import Decision
from proxy.policy.errors import PolicyError
from proxy.policy.facts import Facts
from proxy.policy.policies import Rules
from proxy.record.exchange import Item, clip
from proxy.settings import Settings, SettingsError, from_flags, load
from proxy.workshop import Workshop, cores

# What the one-line form asks for, and no file needs.
NOWHERE = "http://127.0.0.1:8000"

NOTHING_TO_GO_BY = (
    "Countermark needs to know who labels, and by which policies. Either name a configuration file:",
    "    countermark label photo.png --config config.yaml",
    "or say it in one line, with your own provider code or name:",
    "    countermark label photo.png --provider YOUR-NAME --policy cn-gb45438",
)

# What messages call the file, whose name leads the line.
UNIT = "it"

_GONE = {"c2pa": "its C2PA manifest would no longer hold, and is gone"}


class Job(NamedTuple):
    """One file, where its labelled form goes (None: into its place), and the number that its label gets."""

    file: Path
    target: Path | None
    produce_id: str


class Done(NamedTuple):
    """What became of a file: where it was written and what was done, or why not. ``kept``: its label was there already,
    with our seal, and has us as its propagator now."""

    job: Job
    because: tuple[str, ...] = ()
    written: Path | None = None
    item: Item | None = None
    kept: bool = False
    why: str = ""

    def line(self) -> str:
        """For a person."""
        name = visible(str(self.job.file))
        item = self.item
        if item is None:
            return f"{name}: not labelled: {visible(self.why)}"
        to = "in place" if self.job.target is None else f"as {visible(str(self.written))}"
        placed = " and ".join(item.placed) + (f" ({item.skipped})" if item.skipped else "")
        told = [f"labelled {to}", placed, f"ProduceID {item.produce_id}"]
        if self.kept:
            told.append("a label of ours was there: kept, with us as its propagator")
        told += [_GONE.get(one, f"a PNG file now, for {one.upper()} has no place for metadata") for one in item.dropped]
        return f"{name}: {'; '.join(told)}"

    def document(self, at: int, policy_set: str) -> dict[str, Any]:
        """For programs, and for keeping: the item of the record that the proxy would leave."""
        begins = {"file": str(self.job.file), "at": at}
        if self.item is None:
            return {**begins, "result": "not labelled", "why": self.why}
        result = {"result": "kept" if self.kept else "labelled", "written": str(self.written)}
        item = {key: value for key, value in asdict(self.item).items() if key != "unit"}
        return {**begins, **result, "policy_set": policy_set, "because": self.because, **item}


class Desk:
    """What all files share: who labels, the rules, the processes that do it."""

    def __init__(self, settings: Settings, rules: Rules, keys: Keys, workshop: Workshop, language: str) -> None:
        issuer = Issuer(settings.provider_id, keys.sealing, settings.system, settings.system_version)
        resource, policy_set = settings.public_url or "", settings.policy_set.short_digest
        self._operator = Operator(issuer, settings.provider_name, Notices(()), resource=resource, policy_set=policy_set)
        self._most = settings.limits.whole_body
        self._rules, self._workshop, self._language = rules, workshop, language
        self._written: set[Path] = set()
        self._lock = Lock()

    def label(self, job: Job, *, force: bool) -> Done:
        """One file, from its name to its name."""
        decision = self._decision(job.file)
        done = Done(job, decision.because)
        try:
            if job.target is not None and not force:
                files.check_absent(job.target)
            data, status = files.read(job.file, self._most)
            if not decision.acts:
                return done._replace(why="no rule of the policies asks for anything in it")
            if others := self._of_others(data):
                return done._replace(why=others)
            after, item = self._workshop.work(self._picture(data, job, decision))
            if item.skipped == PRESERVED:
                return done._replace(why=PRESERVED)
            target = job.target
            if formats.find(data) is None:  # it has become PNG
                if target is None:
                    return done._replace(why="it would become a PNG file, and keep its name: give --out FOLDER")
                target = target.with_name(f"{target.name.removesuffix(job.file.suffix)}.png")
            if target is None:
                files.overwrite(job.file, after, status)
            else:
                self._take(target)
                files.write(target, after, status, force=force)
        except (FileError, LabellingError) as error:
            return done._replace(why=str(error))
        return done._replace(written=target or job.file, item=item, kept=item.produce_id != job.produce_id)

    def _take(self, target: Path) -> None:
        """No two files become one, whatever may be written over."""
        with self._lock:
            if target in self._written:
                raise FileError(f"{target} is another of these files already")
            self._written.add(target)

    def _of_others(self, data: bytes) -> str:
        """Why a file that is labelled already stays as it is: only a label that bears our seal is known to be true."""
        media = formats.find(data)
        try:
            found = media.read(data) if media is not None else ()
        except MediaError:
            return ""  # whoever labels it says so
        sealing = self._operator.issuer.sealing
        for one in found:
            if not verify(sealing, one.content_producer, one.produce_id, one.label, one.reserved_code1):
                return (
                    f"it has a label already, of {clip(one.content_producer) or 'somebody'} "
                    f"(ProduceID {clip(one.produce_id)}), which does not bear our seal; a file has one label"
                )
        return ""

    def _decision(self, file: Path) -> Decision:
        """What the rules ask of a file; there is no JSON and no header around it."""
        decision = self._rules.decide(Facts("image", dialect="file", path=file.name))
        return replace(decision, metadata=decision.metadata & {"xmp", "statement"})

    def _picture(self, data: bytes, job: Job, decision: Decision) -> Picture:
        agreed = terms({"image": decision}, self._language)
        making = Making(time.time_ns() // 1_000_000_000)
        return Picture(data, "raw", UNIT, 0, mark(self._operator, agreed, job.produce_id, making))


def label(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE", help="Picture files.")],
    config: ConfigOption = None,
    provider: ProviderOption = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            "--policy", metavar="NAME", help="A policy such as cn-gb45438, or several; else those of all routes."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Where to put the labelled files, by their names.")
    ] = None,
    in_place: Annotated[bool, typer.Option("--in-place", help="Put each labelled file in its place.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over files that are there already.")] = False,
    language: Annotated[
        str, typer.Option("--language", metavar="TAG", help="Of the words, such as zh or en; else the policy's first.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="For programs: one line of JSON for each file.")] = False,
) -> None:
    """Put labels into picture files, as the proxy would: NAME.labelled.SUFFIX beside each, unless told otherwise."""
    if out is not None and in_place:
        end(MISUSED, "--out and --in-place exclude each other")
    settings = _settings(config, provider, policy or ())
    rules = _rules(settings, policy or ())
    jobs = _jobs(list(dict.fromkeys(paths)), out, in_place=in_place)
    try:
        is_new = not settings.keys.exists()
        keys = Keys.open(settings.keys)
        if is_new:
            say([f"made {settings.keys}, with the secret that seals labels: keep it, and keep it private"])
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
    except KeysError as error:
        end(FAILED, f"the keys cannot be used: {error}")
    except OSError as error:
        end(FAILED, f"{out} cannot be made a folder: {error.strerror}")
    limits, workers = settings.limits, min(cores(), len(jobs))
    workshop = Workshop(Studio(settings.font, limits.pixels), workers, 0, limits.work_time)
    desk = Desk(settings, rules, keys, workshop, language)
    whole = True
    with ThreadPoolExecutor(workers) as pool, _shown(len(jobs)) as told:
        try:
            for done in pool.map(lambda job: desk.label(job, force=force), jobs):
                whole = whole and done.item is not None
                told(spelling.dumps(done.document(time.time_ns(), settings.policy_set.digest)) if json else done.line())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            workshop.close()
    if not whole:
        raise typer.Exit(FAILED)


def _settings(config: Path | None, provider: str | None, policy: Sequence[str]) -> Settings:
    if config is not None and provider:
        end(MISUSED, "--config and --provider exclude each other: put it into the file")
    if config is None and not provider and not policy:
        end(MISUSED, *NOTHING_TO_GO_BY)
    try:
        if config is not None:
            return load(config)
        if not provider or not policy:
            missing = "--policy" if provider else "--provider"
            end(MISUSED, f"{missing} missing: without a configuration, both are needed", NOTHING_TO_GO_BY[-1])
        return from_flags(NOWHERE, provider, policy)
    except SettingsError as error:
        end(MISUSED, *error.faults)


def _rules(settings: Settings, policy: Sequence[str]) -> Rules:
    """Those of the policies that were named, else of all that the configuration's routes name."""
    names = policy or [name for route in settings.routes for name in route.policies]
    if not names:
        end(MISUSED, "the routes of the configuration name no policies: say which ones with --policy NAME")
    try:
        return settings.policy_set.rules(names)
    except PolicyError as error:
        end(MISUSED, *(f"--policy: {fault.message}" for fault in error.faults))


def _jobs(paths: Sequence[Path], out: Path | None, *, in_place: bool) -> list[Job]:
    jobs: list[Job] = []
    becoming: dict[Path, Path] = {}
    for path in paths:
        beside = path.parent / f"{path.stem}.labelled{path.suffix}"
        target = None if in_place else beside if out is None else out / path.name
        if target is not None and target in becoming:
            end(MISUSED, f"{becoming[target]} and {path} would both become {target}")
        if target is not None:
            becoming[target] = path
        jobs.append(Job(path, target, produce_id(time.time_ns() // 1_000_000, os.urandom(RANDOM_BYTES))))
    return jobs


@contextmanager
def _shown(total: int) -> Iterator[Callable[[str], None]]:
    """What tells a line, once for each file; where people look on, a bar on stderr shows how far it is."""
    if total < 2 or not sys.stderr.isatty():
        yield typer.echo
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.text import Text

    console = Console(stderr=True)
    columns = (TextColumn("Labelling"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        bar = progress.add_task("", total=total)

        def tell(line: str) -> None:
            if sys.stdout.isatty():
                console.print(Text(line), soft_wrap=True)  # above the bar
            else:
                typer.echo(line)
            progress.advance(bar)

        yield tell
