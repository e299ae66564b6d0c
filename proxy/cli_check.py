"""``countermark check``: every mistake in a configuration, in policies and in tables of APIs, before anybody meets it.

The law: what ``serve`` would refuse is refused here in the same words, and nothing that it would take is. Each fault is
a line of its own on stderr, ``file:line:column: message``, in the order of the files. Status 0: all is sound; 1: it can
be used, and an example does not hold; 2: it cannot be used, or it was asked wrongly.
"""

import json as spelling
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from proxy.checking import CONFIGURATION, Checked, check, policies_at
from proxy.cli_endings import FAILED, MISUSED, end, say
from proxy.policy.gaps import gaps
from proxy.policy.policies import PolicySet
from proxy.settings import Settings
from proxy.source import SourceError

__all__ = ["check_files"]

_QUIET = "dim"
_OBSERVED = {"observe": " (mode: observe, so nothing is changed)"}

NOTHING_TO_CHECK = (
    f"there is no {CONFIGURATION} in this folder. Say what to check, or begin with a folder of files that are right:",
    "    countermark check policies/",
    "    countermark init DIR",
)


def check_files(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH",
            help="Configurations, policies, tables of APIs, or folders of them; else config.yaml in this folder.",
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="The same as its path.")] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="PATH",
            help="Policies that are in force, or their configuration: none of their words may be lost.",
        ),
    ] = None,
    no_secrets: Annotated[
        bool,
        typer.Option(
            "--no-secrets", help="Do not ask for the keys that requests are signed with: they are not on this machine."
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="For programs: one JSON object on stdout.")] = False,
) -> None:
    """Check a configuration and all that belongs to it, or policies alone: everything that serve would refuse, and
    whether the examples in them hold.

    Status 0: all is sound; 1: it can be used, but an example does not hold; 2: it cannot be used.
    """
    asked = list(dict.fromkeys([*(paths or ()), *([config] if config is not None else [])]))
    if not asked and not Path(CONFIGURATION).exists():
        end(MISUSED, *NOTHING_TO_CHECK)
    before = _before(against)
    try:
        found = [check(path, before, secrets=not no_secrets) for path in asked or [Path(CONFIGURATION)]]
    except SourceError as error:
        end(MISUSED, str(error))
    errors = _in_order(error for one in found for error in one.errors)
    failing = _in_order(error for one in found for error in one.failing)
    if json:
        typer.echo(spelling.dumps(_document(found, errors, failing), ensure_ascii=False, indent=2))
    else:
        say(map(str, _in_order([*errors, *failing])))
    if errors or failing:
        raise typer.Exit(MISUSED if errors else FAILED)
    if not json:
        for one in found:
            _tell(Console(highlight=False), one)


def _before(path: Path | None) -> PolicySet | None:
    """The policies that are in force, which must be sound: else nobody could tell which words they have."""
    if path is None:
        return None
    try:
        folder = policies_at(path)
    except SourceError as error:
        end(MISUSED, f"--against: {error}")
    if folder.fault or folder.errors:
        end(MISUSED, *(f"--against: {fault}" for fault in (*filter(None, [folder.fault]), *folder.errors)))
    return folder.set


def _in_order(errors: Iterable[SourceError]) -> list[SourceError]:
    """Each fault once, in the order of the files and within them of the lines."""
    distinct = {str(error): error for error in errors}
    return sorted(distinct.values(), key=lambda one: (str(one.file), one.line, one.column, one.message))


def _document(found: Sequence[Checked], errors: Sequence[SourceError], failing: Sequence[SourceError]) -> Any:
    """What programs get: all that is wrong, and what is in what was checked."""
    told = [(error, "fault") for error in errors] + [(error, "example") for error in failing]
    return {
        "ok": not told,
        "errors": [
            {
                "file": str(error.file),
                "line": error.line,
                "column": error.column,
                "message": error.message,
                "what": what,
            }
            for error, what in told
        ],
        "policy_set": found[0].policies.digest if len(found) == 1 else None,
        "checked": [
            {
                "path": str(one.path),
                "what": one.what,
                "policy_set": one.policies.digest,
                "routes": [*_routes(one.settings)],
                "policies": [*one.policies.policies],
                "dialects": [dialect.name for dialect in one.dialects],
                "examples": one.examples,
            }
            for one in found
        ],
    }


def _routes(settings: Settings | None) -> Iterable[dict[str, Any]]:
    for route in settings.routes if settings is not None else ():
        yield {
            "path": route.path,
            "upstream": route.upstream.name,
            "mode": route.mode,
            "policies": list(route.policies),
            "gaps": [
                {"policy": gap.policy, "layer": gap.layer, "kinds": gap.kinds} for gap in gaps(route.rules.policies)
            ],
        }


def _tell(console: Console, one: Checked) -> None:
    """What people want to know of what is sound: what applies where, and what the law asks for and nobody adds."""
    held = {0: "", 1: "; its example holds"}.get(one.examples, f"; {one.examples} examples hold")
    console.print(Text.assemble((f"{one.path} is sound", "bold green"), held), soft_wrap=True)
    routes = one.settings.routes if one.settings is not None else ()
    if routes:
        rows = _grid("route", "upstream", "policies")
        for route in routes:
            names = ", ".join(route.policies) or "none: answers pass unlabelled"
            rows.add_row(route.path, route.upstream.name, names + _OBSERVED.get(route.mode, ""))
        _indented(console, rows)
    policies = one.policies.policies
    used = {name: policies[name] for name in policies if not routes or any(name in one.policies for one in routes)}
    if used:
        rows = _grid("policy", "as of", "rules", "title")
        for name, policy in used.items():
            rows.add_row(name, str(policy.as_of), str(len(policy.rules)), policy.title)
        _indented(console, rows)
    if idle := [name for name in policies if name not in used]:
        _indented(console, Text(f"on no route: {', '.join(idle)}", style=_QUIET))
    if one.dialects:
        rows = _grid("API", "title")
        for dialect in one.dialects:
            rows.add_row(dialect.name, dialect.title)
        _indented(console, rows)
    together = [route.rules.policies for route in routes] if routes else [(policy,) for policy in used.values()]
    if told := list(dict.fromkeys(gap.told() for policies in together for gap in gaps(policies))):
        console.print("\nWhat these laws ask for, and we cannot add:")
        for line in told:
            console.print(Padding(Text(line), (0, 0, 0, 2), expand=False))


def _indented(console: Console, what: Table | Text) -> None:
    console.print()
    console.print(Padding(what, (0, 0, 0, 2), expand=False))


def _grid(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style=_QUIET)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
