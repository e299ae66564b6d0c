"""Exchanges found again: by an id, by what was made, by who asked and when, or by a piece of text.

Law: what is found has all that was asked for, and its records say so: an index only leads to them. Texts, credentials
and names of users are looked for by keyed hashes, under the present secret and all that were retired, and kept nowhere.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from proxy.archive import Archive, Entry, Question
from proxy.keys import Keys
from proxy.record.exchange import Record, RecordError, clip, decode
from proxy.record.likeness import ALIKE, asked, normalised, score
from proxy.record.outcome import DELIVERED_AS_DECIDED, Outcome, State
from proxy.record.terms import Kind, term

__all__ = ["Found", "Text", "Wanted", "find", "keyed", "text_of"]

_PAGE = 1024  # entries that are asked for at once, at most
_ENTRIES = 4  # of one exchange, at most
_SOME = 64  # entries that are compared with a piece of text
_MANY = 4096  # of them, where it is not all that is asked for
_GRAM_DIGITS = 16
_NOT_LAST = frozenset({State.OPENED, State.FINGERPRINTED})
_LED_TO = frozenset(Outcome) - DELIVERED_AS_DECIDED - {Outcome.PENDING}  # outcomes that have a term


class Text(NamedTuple):
    """A piece of text, as keyed hashes: of it as a whole, with and without a notice, and of its grams, for each of the
    secrets."""

    whole: tuple[str, ...]
    grams: tuple[frozenset[str], ...]


class Wanted(NamedTuple):
    """What is looked for: all that is given must hold. ``id`` is a content id (ProduceID) or an exchange's id; of
    ``tenants`` and ``subjects`` (hashes as records have them) one must fit; ``file`` is the SHA-256 of a file, 64 hex
    digits; times are Unix time in nanoseconds, ``until`` no longer belongs to it. ``limit`` counts exchanges. One that
    is under way is found by its id, its time, and with the ``outcome`` that it has, PENDING, by all of these."""

    id: str = ""
    trace: str = ""
    model: str = ""
    tenants: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    grant: str = ""
    file: str = ""
    text: Text | None = None
    outcome: Outcome | None = None
    since: int | None = None
    until: int | None = None
    limit: int = 20


class Found(NamedTuple):
    """One exchange: its entries in the order in which they were written, those that could be read. ``likeness``, from 0
    to 1, is how much of it the text at hand holds: 1 where none was asked for, or it is the same."""

    writer: str
    records: tuple[Record, ...]
    likeness: float = 1.0

    @property
    def last(self) -> Record:
        """The entry that says how it ended."""
        told = [record for record in self.records if record.state is not State.FINGERPRINTED]
        return (told or self.records)[-1]


def keyed(keys: Keys, purpose: str, values: Iterable[bytes]) -> tuple[str, ...]:
    """The hashes by which records may know one of these values."""
    return tuple(dict.fromkeys(one for value in values for one in keys.hashes(purpose, value)))


def text_of(text: str, keys: Keys, words: Iterable[str] = ()) -> Text:
    """A piece of text to be found; ``words`` are notices that it may begin or end with, which its record does not
    know."""
    plain = _bare(normalised(text), [normalised(one) for one in words])
    whole = keyed(keys, "text", (one.encode() for one in plain if one))
    secrets = len(keys.hashes("sketch", b""))

    def under(number: int) -> frozenset[str]:
        return frozenset(asked(text, lambda gram: keys.hashes("sketch", gram)[number][:_GRAM_DIGITS]))

    return Text(whole, tuple(map(under, range(secrets))))


def find(archive: Archive, wanted: Wanted) -> list[Found]:
    """The exchanges that are wanted, newest first; those of a text by their likeness, most alike first.

    Raises ArchiveError where the records cannot be read.
    """
    seen: set[tuple[str, str]] = set()
    wanted = wanted._replace(model=clip(wanted.model))
    found = list(islice(_fitting(archive, wanted, _candidates(archive, wanted), seen), wanted.limit))
    if wanted.text is not None and len(found) < wanted.limit:
        alike = list(_fitting(archive, wanted, _alike(archive, wanted), seen))
        alike.sort(key=lambda one: (one.likeness, one.last.at), reverse=True)
        found += alike[: wanted.limit - len(found)]
    return found


def _fitting(
    archive: Archive, wanted: Wanted, candidates: Iterable[Entry], seen: set[tuple[str, str]]
) -> Iterator[Found]:
    for entry in candidates:
        if (entry.writer, entry.id) in seen or not _may_lead(entry, wanted):
            continue
        seen.add((entry.writer, entry.id))
        exchange = _exchange(archive, entry)
        if exchange.records and _fits(exchange, wanted):
            likeness = 1.0 if wanted.text is None else _likeness(exchange, wanted.text)
            if likeness >= ALIKE:
                yield exchange._replace(likeness=likeness)


def _candidates(archive: Archive, wanted: Wanted) -> Iterator[Entry]:
    """Where the indexes lead."""
    asked_for: tuple[tuple[Kind, tuple[str, ...]], ...] = (
        ("trace", (wanted.trace,)),
        ("file", (wanted.file,)),
        ("outcome", (wanted.outcome,) if wanted.outcome is not None and wanted.outcome in _LED_TO else ()),
        ("model", (wanted.model,)),
        ("grant", (wanted.grant,)),
        ("tenant", wanted.tenants),
        ("subject", wanted.subjects),
        ("text", wanted.text.whole if wanted.text is not None else ()),
    )
    # Of a stream, it is a later entry that has the text, and that does not tell the first three again.
    told = asked_for if wanted.text is None else asked_for[3:]
    groups = [tuple(term(kind, value) for value in values if value) for kind, values in told]
    # The first entry of a stream has no terms.
    is_under_way = wanted.outcome is Outcome.PENDING and wanted.text is None
    groups = [group for group in groups if group and not is_under_way]
    several = [group for group in groups if len(group) > 1]
    every = tuple(group[0] for group in groups if len(group) == 1)
    page = min(wanted.limit * _ENTRIES, _PAGE)
    question = Question(
        all_of=every, any_of=several[0] if several else (), since=wanted.since, until=wanted.until, limit=page
    )
    if not wanted.id:
        yield from _paged(archive, question)
        return
    # Whatever else is asked for, there are few with this id: which of them fit is seen by their records.
    yield from _paged(archive, Question(id=wanted.id, limit=_PAGE))
    yield from _paged(archive, Question(all_of=(term("item", wanted.id),), limit=_PAGE))


def _paged(archive: Archive, question: Question) -> Iterator[Entry]:
    """All that is asked for, a page at a time, each longer than the one before: it begins at the time at which that
    ended."""
    met: set[tuple[str, int]] = set()
    while True:
        page = list(archive.find(question))
        fresh = [entry for entry in page if (entry.writer, entry.seq) not in met]
        yield from fresh
        if len(page) < question.limit:
            return
        oldest = page[-1].at
        met = {(entry.writer, entry.seq) for entry in page if entry.at == oldest}
        longer = max(min(question.limit * 2, _PAGE), len(met) * 2)
        question = question._replace(until=oldest + 1, limit=longer)


def _alike(archive: Archive, wanted: Wanted) -> Iterator[Entry]:
    assert wanted.text is not None
    grams = {term("sketch", gram) for some in wanted.text.grams for gram in some}
    is_alone = wanted == Wanted(text=wanted.text, limit=wanted.limit)
    for hit in archive.hits(grams, max(_SOME if is_alone else _MANY, min(wanted.limit, _MANY))):
        yield from archive.entries(hit.writer, hit.seq, hit.seq)


def _exchange(archive: Archive, entry: Entry) -> Found:
    entries = [one for one in archive.find(Question(id=entry.id)) if one.writer == entry.writer]
    records = []
    for one in sorted(entries, key=lambda one: one.seq):
        try:
            records.append(decode(one.body))
        except RecordError:
            continue  # `verify` names it
    return Found(entry.writer, tuple(records))


def _may_lead(entry: Entry, wanted: Wanted) -> bool:
    """Whether an entry may lead to an exchange that ended so: of what went well, very many may have to be tried. A
    text leads to few, and to later entries than the one that says so."""
    outcome = wanted.outcome
    if outcome is None or wanted.text is not None:
        return True
    if outcome is Outcome.PENDING or entry.state in _NOT_LAST:
        return outcome is Outcome.PENDING and entry.state == State.OPENED
    try:
        return decode(entry.body).outcome is outcome
    except RecordError:
        return False


def _fits(found: Found, wanted: Wanted) -> bool:
    records = found.records
    items = [item for record in records for item in record.items]
    digests = {digest for item in items if item.kind != "text" for digest in (item.before, item.after) if digest}
    return all(
        (
            not wanted.id or any(record.id == wanted.id for record in records)
            or any(item.produce_id == wanted.id for item in items),
            not wanted.trace or any(record.trace_id == wanted.trace for record in records),
            not wanted.model or any(record.model == wanted.model for record in records),
            not wanted.tenants or any(record.tenant in wanted.tenants for record in records),
            not wanted.subjects or any(record.subject in wanted.subjects for record in records),
            not wanted.grant or any(record.grant == wanted.grant for record in records),
            not wanted.file or any(wanted.file.startswith(digest) for digest in digests),
            wanted.outcome is None or found.last.outcome is wanted.outcome,
            wanted.since is None or any(record.at >= wanted.since for record in records),
            wanted.until is None or any(record.at < wanted.until for record in records),
        )
    )  # fmt: skip


def _likeness(found: Found, text: Text) -> float:
    items = [item for record in found.records for item in record.items]
    if any(item.text in text.whole for item in items):
        return 1.0
    return max((score(grams, item.sketch) for item in items for grams in text.grams), default=0.0)


def _bare(plain: str, words: Iterable[str]) -> list[str]:
    """A text without its form, as it is, and without what it may begin and end with."""
    found = [plain]
    for word in sorted(filter(None, words), key=len, reverse=True):
        found += [one.removeprefix(word) for one in found if one.startswith(word)]
        found += [one.removesuffix(word) for one in found if one.endswith(word)]
    return list(dict.fromkeys(found))
