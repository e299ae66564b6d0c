"""The law of this file: what people write is read as the program would read it, and held to its own examples.

Nothing is served and nothing is written. Every fault has its place, and all are found at once: those with which the
files could not be used, and apart from them the examples that do not hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from proxy import shipped
from proxy.dialects.dialect import Dialect
from proxy.dialects.errors import DialectError
from proxy.labelling.order import Studio
from proxy.labelling.rehearsal import rehearse
from proxy.labelling.trial import Draw
from proxy.policy.errors import Fault
from proxy.policy.policies import PolicySet
from proxy.settings import Settings, SettingsError, load
from proxy.settings_dialects import Table, TableFolder, dialect_folder, read_table, told
from proxy.settings_faults import placed
from proxy.settings_policies import PolicyFolder
from proxy.settings_sources import policy_folder
from proxy.source import Source, SourceError, listed, read

__all__ = ["NO_POLICIES", "Checked", "What", "check", "drawing", "policies_at", "rehearsed", "what_is"]

What = Literal["configuration", "policies", "dialects"]

CONFIGURATION: Final = "config.yaml"
NO_POLICIES: Final = PolicySet({})

_PIXELS: Final = 1 << 20  # the pictures of examples are small


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in one file or folder: ``errors``, with which it cannot be used; ``failing``, the examples that do
    not hold; the policies and the dialects of one's own that are sound; of a configuration without errors, its
    settings."""

    what: What
    path: Path
    errors: tuple[SourceError, ...] = ()
    failing: tuple[SourceError, ...] = ()
    policies: PolicySet = NO_POLICIES
    dialects: tuple[Dialect, ...] = ()
    settings: Settings | None = None

    @property
    def examples(self) -> int:
        """How many examples were tried."""
        held = sum(len(policy.examples) for policy in self.policies.policies.values())
        return held + sum(len(dialect.examples) for dialect in self.dialects)


def what_is(path: Path) -> tuple[What, Path]:
    """What people mean by a path, and where that is: a folder that holds a configuration stands for it. SourceError
    where there is nothing."""
    if not path.exists():
        raise SourceError(path, 1, 1, "there is no such file or folder")
    if path.is_file():
        return _content(path), path
    if (path / CONFIGURATION).exists():
        return "configuration", path / CONFIGURATION
    files = [file for file in _files(path) if isinstance(file, Path)]
    return ("dialects" if "dialects" in map(_content, files) else "policies"), path


def check(path: Path, before: PolicySet | None = None, *, secrets: bool = True) -> Checked:
    """A configuration with all that belongs to it, a policy, a dialect's table, or a folder of either.

    ``before``: policies that were in force, whose words must stay known. ``secrets``: whether the keys that sign must
    be there. SourceError where there is nothing.
    """
    what, there = what_is(path)
    match what:
        case "configuration":
            return _configuration(there, before, secrets=secrets)
        case "policies":
            return _policies(there, before)
        case "dialects":
            return _dialects(there)


def policies_at(path: Path, *, laid_aside: bool = False) -> PolicyFolder:
    """The policies that people mean by a path: a configuration's, those of a folder, or one. SourceError where there is
    nothing, or something else. ``laid_aside``: the file of one may be a copy, which is called anything."""
    what, there = what_is(path)
    if what == "dialects":
        raise SourceError(path, 1, 1, "there are dialects here, and no policies")
    if what == "configuration":
        return _read(policy_folder(read(there).data, there.parent))
    return _read(there, laid_aside=laid_aside)


def _read(path: Path, font: bytes | None = None, *, laid_aside: bool = False) -> PolicyFolder:
    """The policies of a folder, or the one in a file."""
    if path.is_file():
        return PolicyFolder(path.parent, font, [path], laid_aside=laid_aside)
    return PolicyFolder(path, font)


def _configuration(path: Path, before: PolicySet | None, *, secrets: bool) -> Checked:
    settings: Settings | None = None
    errors: tuple[SourceError, ...] = ()
    try:
        settings = load(path, before, secrets=secrets)
    except SettingsError as error:
        placed_ones = {str(one) for one in error.errors}
        others = (fault for fault in error.faults if fault not in placed_ones)
        errors = (*error.errors, *(SourceError(path, 1, 1, fault) for fault in others))
    try:
        data = read(path).data
    except SourceError:
        return Checked("configuration", path, errors)
    policies = PolicyFolder(policy_folder(data, path.parent), None)
    folder = dialect_folder(data, path.parent)
    tables = TableFolder(folder).tables if folder is not None else {}
    own = [table for table in tables.values() if table.own]
    failing = (*policies.failing_examples(), *_failing(own, tables))
    return Checked(
        "configuration", path, errors, failing, policies.set, tuple(table.dialect for table in own), settings
    )


def _policies(path: Path, before: PolicySet | None) -> Checked:
    # Which dialects there are is the configuration's to say; which font is, too, but few name one of their own.
    policies = _read(path, shipped.font())
    if before is not None and path.is_file():  # the words of the others are not its business
        before = PolicySet({name: before.policies[name] for name in policies.names if name in before.policies})
    policies.check_words(before)
    errors = [*policies.errors, *([_nothing(path, policies.fault)] if policies.fault or not policies.names else [])]
    return Checked("policies", path, tuple(errors), tuple(policies.failing_examples()), policies.set)


def _dialects(path: Path) -> Checked:
    if path.is_dir():
        folder = TableFolder(path)
        own = [table for table in folder.tables.values() if table.own]
        errors = [*folder.errors, *([_nothing(path, folder.fault)] if folder.fault else [])]
        tables = folder.tables
    else:
        own, errors, tables = [], [], TableFolder().tables
        source = read(path)
        try:
            own = [replace(read_table(source), own=True)]
        except DialectError as error:
            errors = placed(source, told(source, error.faults))
    dialects = tuple(table.dialect for table in own)
    return Checked("dialects", path, tuple(errors), tuple(_failing(own, tables)), dialects=dialects)


def _failing(own: Sequence[Table], tables: Mapping[str, Table]) -> Iterator[SourceError]:
    """What labelling makes of the examples of one's own tables otherwise than they say."""
    for table in own:
        for index, wrong in enumerate(rehearsed(table, tables)):
            faults = [Fault(("examples", index), f"does not hold: {sentence}") for sentence in wrong]
            yield from placed(table.source, faults)


def rehearsed(table: Table, tables: Mapping[str, Table]) -> list[list[str]]:
    """What is wrong with each of a table's examples, in sentences; ``tables`` are those that its answers may speak."""
    dialects = {name: one.dialect for name, one in tables.items()} | {table.dialect.name: table.dialect}
    draw = drawing(Studio(shipped.font(), _PIXELS))
    return [rehearse(table.dialect, example, dialects, draw) for example in table.dialect.examples]


def drawing(studio: Studio) -> Draw:
    """What labels the pictures of an answer, here and now."""
    # Imported here: the decoders of pictures are no part of the proxy's own process.
    from proxy.labelling.stamping import label_picture

    return lambda picture: label_picture(picture.order(), studio, picture.kept)


def _content(file: Path) -> What:
    """What a file is, by the keys that nothing else has; one that is none of them is told as a policy."""
    try:
        source: Source = read(file)
    except SourceError:
        return "configuration" if file.name == CONFIGURATION else "policies"
    keys = source.data.keys() if isinstance(source.data, dict) else set()
    if keys & {"provider", "upstreams", "routes"} or file.name == CONFIGURATION:
        return "configuration"
    return "dialects" if "matches" in keys else "policies"


def _files(folder: Path) -> list[Path | SourceError]:
    try:
        return listed(folder, "policy")
    except OSError as error:
        raise SourceError(folder, 1, 1, f"the folder cannot be read: {error.strerror or error}") from None


def _nothing(path: Path, fault: str) -> SourceError:
    return SourceError(path, 1, 1, fault or "no policy is in this folder: a policy's file ends with .yaml")
