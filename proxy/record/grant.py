"""Grants: who may get answers without the notice that people see, and how that is written down.

The law: a grant is a line that says who asked for it and which agreement it rests on (Measures for Labelling
AI-Generated Synthetic Content, Art. 9); nothing in the file is ever changed, and what is taken back is another line. A
file that is not sound as a whole grants nothing new.

    {"at": "2026-01-31T08:00:00Z", "grant": "5f0c...", "event": "add", "tenant": "9e1a...", "subject": "",
     "agreement": "2026-01", "applicant": "...", "note": "", "expires": "2027-01-31T00:00:00Z"}
    {"at": "2026-03-01T09:30:00Z", "grant": "5f0c...", "event": "revoke", "note": "..."}

Tenants and subjects are keyed hashes, as in records. Times are RFC 3339 in UTC, to the second.
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

__all__ = ["HASH", "LONGEST", "NOBODY", "Grant", "Grants", "LineFault", "parse", "spelled", "written"]

HASH: Final = re.compile(r"[0-9a-f]{32}")
LONGEST: Final = 500  # characters of a text

_ID: Final = re.compile(r"[0-9a-f]{8,32}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_OF_BOTH: Final = ("at", "grant", "event")
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "add": (*_OF_BOTH, "tenant", "subject", "agreement", "applicant", "note", "expires"),
    "revoke": (*_OF_BOTH, "note"),
}


class Grant(NamedTuple):
    """One grant. ``tenant`` and ``subject`` are keyed hashes; of the two, one may be empty: any subject of the tenant,
    or a subject where tenants are not told apart. ``at`` and ``expires`` are Unix seconds, between which it counts;
    ``revoked`` likewise when it was taken back, or None."""

    id: str
    tenant: str
    subject: str
    agreement: str
    applicant: str
    note: str
    at: int
    expires: int
    revoked: int | None = None

    def holds(self, now: float) -> bool:
        """Whether it is in force at this time, in Unix seconds."""
        return self.revoked is None and self.at <= now < self.expires


class Grants:
    """All grants of one file, in its order, also those that no longer count. Equal files have equal grants."""

    __slots__ = ("_held", "every")

    def __init__(self, every: Iterable[Grant] = ()) -> None:
        self.every = tuple(every)
        self._held: dict[tuple[str, str], list[Grant]] = {}
        for grant in self.every:
            if grant.revoked is None:
                self._held.setdefault((grant.tenant, grant.subject), []).append(grant)

    def of(self, tenants: Iterable[str], subjects: Iterable[str], now: float) -> Grant | None:
        """The grant in force for whoever asks, at this time in Unix seconds; of several one for the subject itself,
        else the latest.

        ``tenants`` and ``subjects`` are all keyed hashes that the asker goes by: under each of the secrets that there
        are and were. The only tenant is empty where tenants are not told apart.
        """
        if not self._held:
            return None
        asking = tuple(tenants)
        for subject in (*subjects, ""):
            for tenant in asking:
                held = self._held.get((tenant, subject), ())
                for grant in reversed(held):
                    if grant.holds(now):
                        return grant
        return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Grants) and self.every == other.every

    def __hash__(self) -> int:
        return hash(self.every)


NOBODY: Final = Grants()


class LineFault(NamedTuple):
    """What is wrong with one line, counted from 1; ``column`` likewise."""

    line: int
    column: int
    message: str


def parse(text: str) -> tuple[Grants, tuple[LineFault, ...]]:
    """The grants of a file's text, and all that is wrong with it. Where anything is, the grants are not to be used."""
    grants: dict[str, Grant] = {}
    faults: list[LineFault] = []
    for number, line in enumerate(text.split("\n")[: -1 if text.endswith("\n") or not text else None], start=1):
        try:
            _follow(grants, _event(line))
        except json.JSONDecodeError as error:
            faults.append(LineFault(number, error.colno, f"not JSON: {error.msg}"))
        except RecursionError:
            faults.append(LineFault(number, 1, "not JSON that anybody would write: it is too deep"))
        except ValueError as error:
            faults.append(LineFault(number, 1, str(error)))
    return Grants(grants.values()), tuple(faults)


def written(event: Mapping[str, str]) -> str:
    """An event as a line, without its end. Raises ValueError where ``parse`` would find fault with it."""
    line = json.dumps(event, ensure_ascii=False, separators=(", ", ": "))
    _event(line)
    return line


def spelled(seconds: float) -> str:
    """A time in Unix seconds as the file has it."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _follow(grants: dict[str, Grant], event: Mapping[str, str]) -> None:
    """What an event makes of the grants before it."""
    name, at = event["grant"], _seconds(event["at"], "at")
    former = grants.get(name)
    if event["event"] == "add":
        if former is not None:
            raise ValueError(f"the grant {name} is there already")
        grants[name] = Grant(
            name,
            event["tenant"],
            event["subject"],
            event["agreement"],
            event["applicant"],
            event["note"],
            at,
            _seconds(event["expires"], "expires"),
        )
    elif former is None:
        raise ValueError(f"there is no grant {name} before this line")
    elif former.revoked is not None:
        raise ValueError(f"the grant {name} is revoked already")
    else:
        grants[name] = former._replace(revoked=at)


def _event(line: str) -> dict[str, str]:
    """One line, read and checked by itself. ValueError says what is wrong."""
    event = json.loads(line, object_pairs_hook=_pairs) if line.strip() else None
    if event is None:
        raise ValueError("the line is empty")
    if not isinstance(event, dict):
        raise ValueError("must be one JSON object: {...}")
    keys = _KEYS.get(str(event.get("event")))
    if keys is None:
        raise ValueError("event must be add or revoke")
    for key in keys:
        if key not in event:
            raise ValueError(f"the key {key} is missing")
    for key, value in event.items():
        if key not in keys:
            raise ValueError(f"unknown key {key}")
        if not isinstance(value, str):
            raise ValueError(f"{key} must be text")
        if len(value) > LONGEST or not value.isprintable():
            raise ValueError(f"{key} must be at most {LONGEST} characters that people can see, on one line")
    _check(event)
    return event


def _check(event: Mapping[str, str]) -> None:
    if not _ID.fullmatch(event["grant"]):
        raise ValueError("grant must be 8 to 32 lower-case hex digits")
    at = _seconds(event["at"], "at")
    if event["event"] == "revoke":
        return
    for key in ("tenant", "subject"):
        if event[key] and not HASH.fullmatch(event[key]):
            raise ValueError(f"{key} must be a keyed hash of 32 lower-case hex digits, as records show it, or empty")
    if not event["tenant"] and not event["subject"]:
        raise ValueError("tenant and subject are both empty: a grant is somebody's")
    for key in ("agreement", "applicant"):
        if not event[key].strip():
            raise ValueError(f"{key} is empty: a grant rests on an application and an agreement (Measures, Art. 9)")
    if _seconds(event["expires"], "expires") <= at:
        raise ValueError("expires must be later than at")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _seconds(value: str, key: str) -> int:
    """A time as Unix seconds."""
    try:
        if _TIME.fullmatch(value) and value.isascii():
            return int(datetime.fromisoformat(value).timestamp())
    except ValueError:  # a day that no month has
        pass
    raise ValueError(f"{key} must be a time in UTC such as 2026-01-31T08:00:00Z")
