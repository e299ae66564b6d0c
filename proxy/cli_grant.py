"""``countermark grant``: who may get answers without the notice that people see (Measures for Labelling AI-Generated
Synthetic Content, Art. 9), under which agreement, and until when.

The law: a grant is given to somebody who has asked for it, under an agreement that states their duty to label and their
liability; without either there is none. A credential is hashed on the spot and kept nowhere. What is granted is told,
and what it does not cover. Status 0: done; 1: the file or the keys cannot be used; 2: it was asked wrongly.
"""

import json as spelling
import os
import secrets
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer

from proxy.cli_endings import FAILED, MISUSED, end, visible
from proxy.cli_options import ConfigOption
from proxy.cli_times import SECOND, moment, span
from proxy.grants import GrantsError, append
from proxy.identity import CREDENTIALS
from proxy.keys import Keys, KeysError
from proxy.record.grant import HASH, Grant, Grants, spelled
from proxy.settings import Settings, SettingsError, load
from proxy.settings_secrets import read_place, read_secret
from proxy.signing import whose

__all__ = ["grant"]

USUAL: Final = Path("config.yaml")
_DAY: Final = 86_400
_FARTHEST: Final = 253_402_300_799  # the end of the year 9999, in Unix seconds: what the file can spell
_LONGEST_KEY: Final = 64 << 10  # characters on standard input

grant = typer.Typer(
    name="grant",
    help="Who may get answers without the notice that people see: give, list and take back.",
    no_args_is_help=True,
)


class _Place(NamedTuple):
    settings: Settings
    path: Path


@grant.command()
def add(
    agreement: Annotated[
        str,
        typer.Option(
            "--agreement", metavar="VERSION", help="The agreement that states their duty to label, and their liability."
        ),
    ],
    applicant: Annotated[str, typer.Option("--applicant", metavar="WHO", help="Who has applied for it.")],
    expires: Annotated[
        str, typer.Option("--expires", metavar="WHEN", help='The last day (UTC), or a time such as "365 d" from now.')
    ],
    tenant_key: Annotated[
        str | None,
        typer.Option(
            "--tenant-key",
            metavar="env:NAME|file:PATH|-",
            help="Where their key is read from (-: standard input); it is hashed, and kept nowhere.",
        ),
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option(
            "--tenant",
            metavar="VALUE",
            help="The hash that records show of their key; or the value of the header that identity.tenant names "
            "(hash:... for a hash of that).",
        ),
    ] = None,
    subject: Annotated[
        str | None,
        typer.Option(
            "--subject", metavar="VALUE", help="Only this user of theirs, as the header of identity.subject says it."
        ),
    ] = None,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Whatever you want to find there later.")] = "",
    config: ConfigOption = None,
) -> None:
    """Grant answers without the notice that people see to a tenant, or to one of its users."""
    settings, path = _place(config)
    now = time.time()
    until = _until(expires, now)
    try:
        keys = Keys.open(settings.keys)
    except KeysError as error:
        end(FAILED, f"the keys cannot be used: {error}")
    event = {
        "at": spelled(now),
        "grant": secrets.token_hex(8),
        "event": "add",
        "tenant": _tenant(settings, keys, tenant_key, tenant),
        "subject": _subject(settings, keys, subject),
        "agreement": agreement.strip(),
        "applicant": applicant.strip(),
        "note": note.strip(),
        "expires": spelled(until),
    }
    if not event["tenant"] and not event["subject"]:
        end(MISUSED, "identity.tenant is null, so tenants are not told apart: say for whom it is with --subject")
    grants = _append(path, event)
    for line in _told(next(one for one in grants.every if one.id == event["grant"]), settings):
        typer.echo(line)


@grant.command("list")
def list_(
    config: ConfigOption = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that have expired or were revoked.")] = False,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """List the grants that are in force."""
    settings, _ = _place(config)
    now = time.time()
    listed = [one for one in settings.granted.every if every or one.holds(now)]
    if json:
        typer.echo(spelling.dumps([_document(one, now) for one in listed], ensure_ascii=False, indent=2))
        return
    if not listed:
        typer.echo("no grant was ever given" if every else "no grant is in force")
    for one in listed:
        typer.echo(f"{one.id}  {_state(one, now)}")
        typer.echo(f"    {_whose(one)}; agreement {visible(one.agreement)}, applied for by {visible(one.applicant)}")
        if one.note:
            typer.echo(f"    {visible(one.note)}")


@grant.command()
def revoke(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="The grant's id, as list shows it.")],
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Why, for whoever reads the file later.")] = "",
    config: ConfigOption = None,
) -> None:
    """Take a grant back: from the next request on, its holder's answers carry the notice again."""
    settings, path = _place(config)
    known = {one.id: one for one in settings.granted.every}
    if identifier not in known:
        end(MISUSED, f"there is no grant {identifier} in {path}: `countermark grant list --all` shows them")
    if known[identifier].revoked is not None:
        end(MISUSED, f"the grant {identifier} was revoked already")
    _append(path, {"at": spelled(time.time()), "grant": identifier, "event": "revoke", "note": note.strip()})
    typer.echo(f"Revoked: {identifier}. A proxy that is running hears of it within seconds.")


def _place(config: Path | None) -> _Place:
    """The settings, and the file of grants that they name. Ends the command where there is none."""
    if config is None and not USUAL.is_file():
        end(MISUSED, f"there is no {USUAL} in this folder: name the proxy's configuration with --config FILE")
    try:
        settings = load(config or USUAL, secrets=False)
    except SettingsError as error:
        end(MISUSED, *error.faults)
    if settings.grants is None:
        end(MISUSED, f"{config or USUAL} names no file of grants: say `grants: grants.jsonl` in it")
    return _Place(settings, settings.grants)


def _append(path: Path, event: dict[str, str]) -> Grants:
    try:
        return append(path, event)
    except GrantsError as error:
        end(FAILED, *error.faults)


def _until(text: str, now: float) -> float:
    """When a grant expires, in Unix seconds."""
    try:
        return min(now + span(text), _FARTHEST)
    except ValueError:
        pass
    try:
        until = min(moment(text, 0, ends=True) / SECOND, _FARTHEST)
    except ValueError:
        end(MISUSED, f'--expires: must be a day such as 2027-01-31, or a time from now such as "365 d", not {text!r}')
    if until <= now:
        end(MISUSED, f"--expires: {text} is over already")
    return until


def _tenant(settings: Settings, keys: Keys, key: str | None, value: str | None) -> str:
    """The keyed hash of a tenant; empty where tenants are not told apart."""
    name = settings.tenant
    if key is not None and value is not None:
        end(MISUSED, "--tenant-key and --tenant exclude each other: both say whose grant it is")
    if name is None:
        if key is not None or value is not None:
            end(MISUSED, "identity.tenant is null, so tenants are not told apart: say for whom it is with --subject")
        return ""
    if key is None and value is None:
        end(MISUSED, "whose grant is it? Say so with --tenant-key, or --tenant")
    if key is not None:
        if name not in CREDENTIALS:
            end(MISUSED, f"identity.tenant is {name}, which is no credential: give its value with --tenant")
        return keys.hash("tenant", _credential(name, key))
    assert value is not None
    if name not in CREDENTIALS:
        return _hashed(keys, "tenant", value)
    if not HASH.fullmatch(value.removeprefix("hash:")):
        end(MISUSED, "--tenant: is no hash as records show it; the key itself is given with --tenant-key")
    return value.removeprefix("hash:")


def _subject(settings: Settings, keys: Keys, value: str | None) -> str:
    if value is None:
        return ""
    if settings.subject is None:
        end(MISUSED, "--subject: users are not told apart: name the header that tells them in identity.subject")
    return _hashed(keys, "subject", value)


def _hashed(keys: Keys, purpose: str, value: str) -> str:
    """The keyed hash of a header's value, or the hash that is given itself."""
    given = value.removeprefix("hash:")
    if given != value:
        if not HASH.fullmatch(given):
            end(MISUSED, f"--{purpose}: behind hash: stand 32 lower-case hex digits, as records show them")
        return given
    if not value.strip():
        end(MISUSED, f"--{purpose}: is empty")
    return keys.hash(purpose, value.encode("utf-8", "surrogateescape"))


def _credential(name: str, place: str) -> bytes:
    """A key as clients send it in the field ``name``."""
    if place == "-":
        key = sys.stdin.read(_LONGEST_KEY).strip()
    else:
        if not place.startswith(("env:", "file:")):
            end(MISUSED, "--tenant-key: must be env:NAME, file:PATH or -: others see what stands on a command line")
        try:
            key = read_secret(read_place(place), Path(), os.environ)
        except ValueError as error:
            end(MISUSED, f"--tenant-key: {error}")
    if not key:
        end(MISUSED, "--tenant-key: nothing came")
    if name == "authorization" and " " not in key:
        key = f"Bearer {key}"
    return whose(key.encode("utf-8", "surrogateescape"))


def _told(one: Grant, settings: Settings) -> Iterator[str]:
    """What was granted, and what was not."""
    yield f"Granted: {one.id}, until {spelled(one.expires)}"
    yield f"  to: {_whose(one)}"
    yield f"  under: agreement {visible(one.agreement)}, applied for by {visible(one.applicant)}"
    letting = list(_routes(settings, "grant"))
    where = "; ".join(letting) or "nowhere yet: no policy on any route says opt_out: grant"
    yield f"  what: answers without the notice that people see: {where}"
    yield "It does not cover:"
    yield "  - the label that machines read: it stays in every answer, and must not be removed;"
    keeping = "; ".join(_routes(settings, "forbidden"))
    yield f"  - policies that forbid it, or say nothing of it: their notice stays{f' ({keeping})' if keeping else ''};"
    yield "  - their own duty: who gets such an answer must label it before others see it (Measures, Art. 9 and 10)."
    named = settings.tenant not in CREDENTIALS if one.tenant else False
    if (named or one.subject) and not settings.trusted_peers:
        yield "It counts for nobody yet: trusted_peers is empty, so no header that names a caller is believed."
    yield f"Each such answer is recorded as theirs, for {_kept(settings)} days at least."
    yield "A proxy that is running hears of it within seconds."


def _kept(settings: Settings) -> int:
    return int(settings.ledger.retention // _DAY) if settings.ledger is not None else 0


def _routes(settings: Settings, says: str) -> Iterator[str]:
    """The policies with rules that say this of opt_out, with the routes that they are on."""
    found: dict[str, list[str]] = {}
    for route in settings.routes:
        for policy in route.rules.policies:
            if any(rule.opt_out == says for rule in policy.rules):
                found.setdefault(policy.id, []).append(route.path)
    return (f"{name} on {', '.join(paths)}" for name, paths in found.items())


def _whose(one: Grant) -> str:
    tenant = f"tenant {one.tenant}" if one.tenant else "any tenant"
    return f"{tenant}, {f'subject {one.subject}' if one.subject else 'all its users'}"


def _state(one: Grant, now: float) -> str:
    if one.revoked is not None:
        return f"revoked on {spelled(one.revoked)}"
    return f"{'in force until' if one.holds(now) else 'expired on'} {spelled(one.expires)}"


def _document(one: Grant, now: float) -> dict[str, object]:
    return {
        "grant": one.id,
        "in_force": one.holds(now),
        "tenant": one.tenant,
        "subject": one.subject,
        "agreement": one.agreement,
        "applicant": one.applicant,
        "note": one.note,
        "at": spelled(one.at),
        "expires": spelled(one.expires),
        "revoked": None if one.revoked is None else spelled(one.revoked),
    }
