"""What the desk is asked of records, and what it says of them.

Law: a question is understood whole or refused with a sentence; what cannot be asked for is not passed over in silence.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from proxy.archive import Archive, Entry, Question, SegmentRow
from proxy.finding import Found, Wanted, find, text_of
from proxy.keys import Keys
from proxy.notary import NoteError, verified
from proxy.proving import ProvingError, prove
from proxy.record.note import verifier_key
from proxy.record.outcome import State

__all__ = ["ProvingError", "Unclear", "key_of", "latest", "proof", "shown", "wanted", "wanted_text"]

MOST: Final = 1000
USUAL: Final = 20

_PLAIN: Final = ("id", "trace", "model", "grant", "file")
_HASHES: Final = {"tenant": "tenants", "subject": "subjects"}
_TIMES: Final = ("since", "until")
_DAY: Final = re.compile(r"\d{4}-?\d\d-?\d\d")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Unclear(ValueError):
    """The question cannot be understood; the message says why, and what can be asked."""


def wanted(fields: Iterable[tuple[str, str]]) -> Wanted:
    """What the fields of a query ask for, each of them once. Times are RFC 3339, UTC where they have no offset;
    ``tenant`` and ``subject`` are hashes as records show them; ``file`` is a SHA-256. Raises Unclear."""
    known = (*_PLAIN, *_HASHES, *_TIMES, "limit")
    fields = list(fields)
    asked = dict(fields)
    strangers = sorted(asked.keys() - set(known))
    if strangers:
        raise Unclear(f"records cannot be asked for by {', '.join(strangers)}; they can by {', '.join(known)}")
    if len(asked) < len(fields):
        raise Unclear("each of the fields can be asked for once")
    if empty := [name for name, said in asked.items() if not said]:
        raise Unclear(f"nothing stands behind {', '.join(empty)}")
    terms: dict[str, Any] = {name: asked[name] for name in _PLAIN if name in asked}
    terms |= {field: (asked[name],) for name, field in _HASHES.items() if name in asked}
    terms |= {name: _nanoseconds(name, asked[name]) for name in _TIMES if name in asked}
    return Wanted(**terms, limit=_limit(asked.get("limit", str(USUAL))))


def wanted_text(body: bytes, keys: Keys, words: Iterable[str]) -> Wanted:
    """What a JSON body asks for: ``text``, of an answer or a piece of it, and a ``limit``. ``words`` are notices that
    may stand around it. Raises Unclear."""
    try:
        asked = orjson.loads(body)
    except ValueError:
        asked = None
    if not isinstance(asked, dict) or not isinstance(asked.get("text"), str) or asked.keys() - {"text", "limit"}:
        raise Unclear('a question is {"text": "a piece of an answer"}, and may have a "limit"')
    return Wanted(text=text_of(asked["text"], keys, words), limit=_limit(str(asked.get("limit", USUAL))))


def shown(found: list[Found]) -> bytes:
    """The exchanges as JSON, each with its entries in the order in which they were written."""
    return orjson.dumps({"exchanges": [one._asdict() for one in found]})


def latest(archive: Archive) -> SegmentRow | None:
    """The newest segment that has a signed checkpoint."""
    signed = [row for writer in archive.writers() for row in archive.segments(writer) if row.note]
    return max(signed, key=lambda row: (row.begun, row.number), default=None)


def key_of(segment: SegmentRow, publics: Iterable[bytes]) -> str:
    """The verifier key (c2sp.org/signed-note) of a segment's checkpoint: of these, the one that signed it. Raises
    ProvingError where none did."""
    for public in publics:
        try:
            return verifier_key(verified(segment.note, [public]).origin, public)
        except NoteError:
            continue
    raise ProvingError(f"the checkpoint of segment {segment.number} was not signed here: countermark ledger verify")


def proof(archive: Archive, id: str, state: str, publics: tuple[bytes, ...]) -> bytes | None:
    """The proof of one entry of an exchange: the one in this ``state``, or the one that says how it ended where that is
    empty. ``id`` is the exchange's or that of something that it made. None where there is no such entry.

    Raises ProvingError where there is no proof of it (yet).
    """
    entries = _entries(archive, id)
    if not entries:
        entries = [
            entry for found in find(archive, Wanted(id=id, limit=1)) for entry in _entries(archive, found.last.id)
        ]
    said = [entry for entry in entries if (entry.state == state if state else entry.state != State.FINGERPRINTED)]
    return prove(archive, said[-1], publics).text().encode() if said else None


def _entries(archive: Archive, id: str) -> list[Entry]:
    return sorted(archive.find(Question(id=id)), key=lambda entry: entry.seq)


def _limit(said: str) -> int:
    """How many exchanges are wanted at most."""
    if not (said.isascii() and said.isdecimal() and len(said) < 5 and 1 <= int(said) <= MOST):
        raise Unclear(f"limit must be a whole number from 1 to {MOST}")
    return int(said)


def _nanoseconds(name: str, said: str) -> int:
    """A moment in Unix nanoseconds. A day is its beginning, and where it ends a span, the beginning of the next: as
    ``countermark ledger find`` has it."""
    try:
        moment = datetime.fromisoformat(said.replace(" ", "+"))  # a plus sign that somebody forgot to escape
    except ValueError:
        raise Unclear(f"{name} must be a date or a time such as 2026-11-22 or 2026-11-22T10:30:00Z") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    past = timedelta(days=1) if name == "until" and _DAY.fullmatch(said) else timedelta()
    return (moment - _EPOCH + past) // timedelta(microseconds=1) * 1000
