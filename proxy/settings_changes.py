"""The law of this file: what differs between two settings is told by the names that their writers gave.

Most of it can change while requests are served. What cannot stays as it was, and is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from typing import NamedTuple

from proxy.settings import Settings, SettingsError
from proxy.settings_conflicts import unkept
from proxy.settings_parts import Route

__all__ = ["Kept", "changes", "keep"]

# Parts of Settings that are compared member by member, or that follow from others.
_APART = {"upstreams", "routes", "policy_set", "dialects", "harmless", "limits", "known_words"}
# What is opened, or listened on, once and for all; of the ledger, too.
TAKES_A_RESTART = ("listen", "keys", "desk", "telemetry")
_OPENED = ("path", "synchronous", "checkpoint", "ship_to")
# How the others are called in the configuration, where that is not their own name.
_CALLED = {
    "provider_id": "provider.id",
    "provider_name": "provider.name",
    "system": "provider.system.name",
    "system_version": "provider.system.version",
    "tenant": "identity.tenant",
    "subject": "identity.subject",
    "granted": "grants",
}


class Kept(NamedTuple):
    """Settings that can come into force while requests are served, and the ``keys`` of what takes a restart."""

    settings: Settings
    keys: tuple[str, ...]


def keep(before: Settings, after: Settings) -> Kept:
    """``after`` with all that takes a restart as ``before`` has it: where to listen, the keys, what is told of traces,
    and where records are kept and how they get there. Raises SettingsError where what is new cannot do without what
    takes a restart."""
    keys = [*_differing(before, after, TAKES_A_RESTART)]
    ledger = before.ledger
    if ledger is not None and after.ledger is not None:
        keys += [f"ledger.{name}" for name in _differing(ledger, after.ledger, _OPENED)]
        ledger = replace(after.ledger, **{name: getattr(ledger, name) for name in _OPENED})
    else:
        keys += _differing(before, after, ("ledger",))
    if ledger is None:
        asking = dict.fromkeys(why for route in after.routes if (why := unkept(route.rules)))
        if asking:
            raise SettingsError(f"ledger: {why}, which only a restart changes" for why in asking)
    same = {name: getattr(before, name) for name in TAKES_A_RESTART}
    return Kept(replace(after, **same, ledger=ledger), tuple(keys))


def changes(before: Settings, after: Settings) -> tuple[str, ...]:
    """What is new, gone or changed, in words for people: ``policy cn-gb45438``, ``new upstream pictures``."""
    found = [
        *_members("policy", _policies(before), _policies(after)),
        *_members("upstream", before.upstreams, after.upstreams),
        *_members("route", _routes(before), _routes(after)),
    ]
    if _order(before, after) != _order(after, before):
        found.append("the order of the routes")
    return (*found, *_dialects(before, after), *_sections(before, after))


def _differing(one: object, other: object, names: Iterable[str]) -> Iterator[str]:
    return (name for name in names if getattr(one, name) != getattr(other, name))


def _members(what: str, old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[str]:
    for name in {**old, **new}:
        if name not in old:
            yield f"new {what} {name}"
        elif name not in new:
            yield f"no {what} {name} any more"
        elif old[name] != new[name]:
            yield f"{what} {name}"


def _order(one: Settings, other: Settings) -> list[str]:
    """The routes of the one that the other has, too, as they come."""
    shared = {route.path for route in other.routes}
    return [route.path for route in one.routes if route.path in shared]


def _policies(settings: Settings) -> dict[str, str]:
    return {name: policy.canonical for name, policy in settings.policy_set.policies.items()}


def _routes(settings: Settings) -> dict[str, object]:
    """What each route says by itself: its policies and its upstream are compared where they stand."""
    said = [one.name for one in fields(Route) if one.name not in ("rules", "fits", "upstream")]
    return {route.path: (route.upstream.name, *(getattr(route, name) for name in said)) for route in settings.routes}


def _dialects(before: Settings, after: Settings) -> Iterator[str]:
    told: set[str] = set()
    for name in before.dialects.keys() & after.dialects.keys():
        old, new = ({one.name: one for one in held.dialects[name]} for held in (before, after))
        told.update(_members("dialect", old, new))
    yield from sorted(told)


def _sections(before: Settings, after: Settings) -> Iterator[str]:
    whole = [one.name for one in fields(before) if one.name not in _APART]
    yield from (_CALLED.get(name, name) for name in _differing(before, after, whole))
    limits = [one.name for one in fields(before.limits)]
    yield from (f"limits.{name}" for name in _differing(before.limits, after.limits, limits))
