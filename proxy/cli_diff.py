"""``countermark diff``: what becomes otherwise when policies, or a configuration, are put in the place of others.

The law: what is told is what is decided, not what is written: a comment changes nothing, an order of rules may.
Status 0: all decisions are the same; 1: some differ, or words are lost; 2: one of both cannot be used, or it was asked
wrongly.
"""

import json as spelling
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from proxy.checking import policies_at, what_is
from proxy.cli_endings import MISUSED, end
from proxy.policy.decision import Decision
from proxy.policy.difference import Change, Differences, asked_by, differences
from proxy.policy.facts import Facts
from proxy.policy.lost_words import lost_words
from proxy.policy.model import Policy
from proxy.policy.policies import PolicySet, Rules
from proxy.policy.vocabulary import When
from proxy.settings import Settings, SettingsError, load
from proxy.settings_parts import Route
from proxy.source import SourceError

__all__ = ["diff"]

DIFFERENT: Final = 1
_MOST_LANGUAGES: Final = 3
_MOST: Final = 12  # descriptions of responses of which one and the same is told


class Part(NamedTuple):
    """What is compared by itself: one policy, or the whole of a configuration."""

    name: str
    found: Differences


class Sides(NamedTuple):
    """What is compared: policies, or configurations, old and new."""

    old: PolicySet
    new: PolicySet
    parts: tuple[Part, ...]
    routes: tuple[str, ...] = ()


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A configuration, a folder of policies, or one policy.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Another of the same kind.")],
    json: Annotated[bool, typer.Option("--json", help="For programs: one JSON object on stdout.")] = False,
) -> None:
    """Show which decisions change between two configurations, or between two sets of policies, each policy by itself.

    Status 0: all decisions are the same; 1: some differ, or words are lost; 2: one of both cannot be used.
    """
    try:
        sides = _sides(old, new)
    except SourceError as error:
        end(MISUSED, str(error))
    except SettingsError as error:
        end(MISUSED, *error.faults)
    lost = lost_words(sides.old, sides.new)
    same = not lost and not sides.routes and not any(part.found.changes for part in sides.parts)
    if json:
        typer.echo(spelling.dumps(_document(sides, lost, same=same), ensure_ascii=False, indent=2))
    else:
        _tell(Console(highlight=False), sides, lost, same=same)
    if not same:
        raise typer.Exit(DIFFERENT)


def _sides(old: Path, new: Path) -> Sides:
    (one, here), (other, there) = what_is(old), what_is(new)
    for path, what in ((old, one), (new, other)):
        if what == "dialects":
            raise SourceError(path, 1, 1, "there are dialects here, and no policies")
    if one != other:
        raise SourceError(new, 1, 1, f"holds {_named(other)}, and {old} {_named(one)}: compare what is alike")
    if one == "configuration":
        return _configurations(load(here, secrets=False), load(there, secrets=False))
    return _policies(_sound(here), _sound(there))


def _named(what: str) -> str:
    return "a configuration" if what == "configuration" else what


def _sound(path: Path) -> PolicySet:
    folder = policies_at(path, laid_aside=True)
    if folder.fault or folder.errors:
        raise SettingsError([*filter(None, [folder.fault]), *folder.errors])
    return folder.set


def _policies(old: PolicySet, new: PolicySet) -> Sides:
    """Each policy by itself, as if it were alone on a route; one that is on one side only decides nothing on the other.
    A single one is compared with another single one, whatever both are called."""
    if len(old.policies) == len(new.policies) == 1:
        (before,), (after,) = old.policies.values(), new.policies.values()
        return Sides(old, new, (_part(after.id, replace(before, id=after.id), after),))
    names = sorted({*old.policies, *new.policies})
    return Sides(old, new, tuple(_part(name, old.policies.get(name), new.policies.get(name)) for name in names))


def _part(name: str, old: Policy | None, new: Policy | None) -> Part:
    before, after = (Rules([policy] if policy is not None else []) for policy in (old, new))
    known = [example.facts for policy in (old, new) if policy is not None for example in policy.examples]
    whens = [*asked_by(before), *asked_by(after)]
    return Part(name, differences(before.decide, after.decide, whens, known))


def _configurations(old: Settings, new: Settings) -> Sides:
    """What the same request meets; which route it takes, and to which upstream, is a part of that."""
    whens = [*dict.fromkeys((*_asked(old), *_asked(new)))]
    policies = (*old.policy_set.policies.values(), *new.policy_set.policies.values())
    known = [example.facts for policy in policies for example in policy.examples]
    found = differences(_deciding(old), _deciding(new), whens, known)
    return Sides(old.policy_set, new.policy_set, (Part("", found),), tuple(_routes(old, new)))


def _asked(settings: Settings) -> Iterator[When]:
    """What decisions depend on: the rules' conditions, and the paths of the routes in the place of those on routes and
    upstreams."""
    for route in settings.routes:
        yield (("path", (route.path,)),)
        for when in asked_by(route.rules):
            yield tuple((name, patterns) for name, patterns in when if name not in ("route", "upstream"))


def _deciding(settings: Settings) -> Callable[[Facts], Decision]:
    def decide(facts: Facts) -> Decision:
        route = settings.route(facts.path)
        if route is None:
            return Decision()
        says, header = route.deepfake
        deepfake = facts.deepfake if header else says
        return route.rules.decide(facts._replace(route=route.path, upstream=route.upstream.name, deepfake=deepfake))

    return decide


def _routes(old: Settings, new: Settings) -> Iterator[str]:
    """What is different of the routes themselves, in sentences."""
    before, after = ({route.path: _spelled(route) for route in side.routes} for side in (old, new))
    for path in dict.fromkeys([*before, *after]):
        if path not in after:
            yield f"{path} is gone; it was: {before[path]}"
        elif path not in before:
            yield f"{path} is new: {after[path]}"
        elif before[path] != after[path]:
            yield f"{path}: {before[path]} → {after[path]}"
    kept = [[path for path in side if path in before and path in after] for side in (before, after)]
    if kept[0] != kept[1]:
        yield f"the order: {', '.join(kept[0])} → {', '.join(kept[1])}"


def _spelled(route: Route) -> str:
    observed = ", observed" if route.mode == "observe" else ""
    return f"{', '.join(route.policies) or 'no policy'} for {route.upstream.name}{observed}"


def _document(sides: Sides, lost: Mapping[str, Sequence[str]], *, same: bool) -> Any:
    """What programs get."""
    return {
        "same": same,
        "complete": all(part.found.complete for part in sides.parts),
        "policy_sets": {"old": sides.old.digest, "new": sides.new.digest},
        "routes": list(sides.routes),
        "changes": [
            {
                "policy": part.name or None,
                "responses": list(change.responses),
                "fields": {name: {"old": before, "new": after} for name, before, after in change.fields},
            }
            for part in sides.parts
            for change in part.found.changes
        ],
        "lost_words": {name: list(words) for name, words in lost.items()},
    }


def _tell(console: Console, sides: Sides, lost: Mapping[str, Sequence[str]], *, same: bool) -> None:
    if same:
        console.print("all decisions are the same" if sides.old.digest != sides.new.digest else "nothing is different")
    if sides.routes:
        console.print(Text("routes", style="bold"))
    for line in sides.routes:
        console.print(Padding(Text(line), (0, 0, 0, 2), expand=False))
    for part in sides.parts:
        if part.found.changes and part.name:
            there = "" if part.name in sides.new.policies else " (gone)"
            here = "" if part.name in sides.old.policies or len(sides.parts) == 1 else " (new)"
            console.print(Text(f"{part.name}{there}{here}", style="bold"))
        for change in part.found.changes:
            _change(console, change)
    if lost:
        console.print(Text("words that are lost", style="bold red"))
    for name, words in lost.items():
        told = f"{name}: {' '.join(words)}; list them under retired_words: clients still send them back"
        console.print(Padding(Text(told), (0, 0, 0, 2), expand=False))
    if not all(part.found.complete for part in sides.parts):
        console.print(
            Text("\nThere are more combinations of conditions than were tried: there may be more.", style="yellow")
        )


def _change(console: Console, change: Change) -> None:
    """What it is about, and below that each field as it was and as it is."""
    for response in change.responses[:_MOST]:
        console.print(Padding(Text(response), (0, 0, 0, 2), expand=False))
    if len(change.responses) > _MOST:
        console.print(Text(f"  ... and {len(change.responses) - _MOST} more", style="dim"))
    rows = Table.grid(padding=(0, 2, 0, 0))
    for column in ("dim", "red", "dim", "green"):
        rows.add_column(style=column, overflow="fold")
    words = [field for field in change.fields if field[0].startswith("words ")]
    left = words[_MOST_LANGUAGES:] if len(words) > _MOST_LANGUAGES + 1 else []
    for name, before, after in change.fields:
        if (name, before, after) not in left:
            rows.add_row(name, Text(before), "→", Text(after))
    console.print(Padding(rows, (0, 0, 0, 6), expand=False))
    if left:
        console.print(Text(f"      and words in {len(left)} more languages", style="dim"))
