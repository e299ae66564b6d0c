"""One JSON document that is an answer, labelled.

The law: every unit gets one notice where it has text that people read, every picture becomes Work, the metadata stands
once in its member, offsets into a text move with it; no other byte changes. An answer that holds nothing the dialect
knows is a failure, not a success.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, cast

from proxy.dialects.dialect import Dialect
from proxy.dialects.engine import Content, content
from proxy.dialects.media import Medium
from proxy.dialects.unit import Unit, spell
from proxy.framing.errors import FramingError
from proxy.framing.json_text import Path, cut, member, parse, quote, spans, starts, within
from proxy.framing.slim import slim
from proxy.label.aigc import Aigc
from proxy.label.aigc import parse as parse_aigc
from proxy.label.errors import LabelError
from proxy.labelling import think
from proxy.labelling.errors import LabellingError, NothingFound
from proxy.labelling.location import link
from proxy.labelling.medium import UNREADY
from proxy.labelling.outcome import Done, TextDone
from proxy.labelling.picture import Picture
from proxy.labelling.request import Asked
from proxy.labelling.transform import Piece, Work
from proxy.labelling.verdict import ALREADY, verdict

Place = tuple[int, int, bytes | Picture]


def label_document(dialect: Dialect, asked: Asked, done: Done, body: bytes) -> Sequence[Piece]:
    """The answer ``body`` with its label. Raises LabellingError where it cannot be labelled."""
    thin = slim(body)
    text, before = thin.text, len(done.parts)
    try:
        document = parse(text)
    except FramingError:
        raise LabellingError("the answer is not JSON") from None
    found = content(dialect, dialect.body, document, text)
    if found.error:
        refuse_unknown(dialect, found)
        done.error = True
        return (body,)
    if not found.recognised or not isinstance(document, (dict, list)):
        raise NothingFound(f"the answer holds nothing that the dialect {dialect.name} knows")
    refuse_unknown(dialect, found)
    places = _texts(dialect, asked, done, found.units, text)
    if dialect.links:
        places += links(dialect, done, document, text)
    if "body" in done.mark.terms.carriers:
        places += _metadata(dialect, done, document, text)
    places += pictures(done, found.media, text)  # behind the metadata: a picture says where its label is
    if thin.files:
        done.rewrite(before, thin.full_text)
    return (replaced(text, places, body, _as_it_is, thin.full),)


def replaced(
    text: bytes,
    places: Sequence[Place],
    raw: bytes,
    write: Callable[[bytes], bytes],
    full: Callable[[bytes], bytes] | None = None,
) -> Piece:
    """A JSON text with its places replaced, and written out: bytes, or Work where pictures are among them.

    ``raw`` are the bytes that the text came in; ``full`` puts back what was taken out of it.
    """
    pieces = cut(text, places)
    if full is not None:
        pieces = [full(one) if isinstance(one, bytes) else replace(one, data=full(one.data)) for one in pieces]
    drawn = tuple([piece for piece in pieces if isinstance(piece, Picture)])
    if not drawn:
        return write(b"".join(cast("list[bytes]", pieces)))

    def join(results: Sequence[bytes]) -> bytes:
        made = iter(results)
        return write(b"".join([next(made) if isinstance(piece, Picture) else piece for piece in pieces]))

    return Work(drawn, join, raw)


def _as_it_is(text: bytes) -> bytes:
    return text


def _texts(dialect: Dialect, asked: Asked, done: Done, units: Sequence[Unit], body: bytes) -> list[Place]:
    """The places that give each unit its notice. They are looked for once: an answer may have thousands of units."""
    places: list[Place] = []
    begins: list[tuple[Unit, int]] = []
    shifts: list[tuple[Unit, int]] = []
    ends: dict[Path, str] = {}
    for unit in units:
        if unit.rule.text is None and not unit.parts:
            continue
        at, suffix = _text(dialect, asked, done, unit)
        if at is not None:
            begins.append((unit, at))
            if unit.rule.may_shift(body):
                shifts.append((unit, at))
        if suffix:
            ends[unit.parts[-1][0]] = suffix
    places += [(start, start, quote(done.mark.terms.prefix)) for start in text_places(body, begins)]
    places += shifted(body, shifts, done.mark.terms.prefix)
    found = spans(body, ends.keys()) if ends else {}
    places += [(end - 1, end - 1, quote(ends[part])) for part, (_, end) in found.items()]
    return places


def _text(dialect: Dialect, asked: Asked, done: Done, unit: Unit) -> tuple[int | None, str]:
    """Where one unit's text gets its prefix, None where it does not, and its suffix; its item goes into the record."""
    mark, text = done.mark, unit.text
    begin = think.visible(text, dialect.think) if dialect.think else 0
    skipped = verdict(text[begin or 0 :], asked, mark.terms.notices, ended=True, whole=True)
    assert isinstance(skipped, str)  # a whole text is never unclear
    prefix, suffix, placed = mark.terms.prefix, mark.terms.suffix, mark.shown
    if begin is None and prefix and not skipped:  # reasoning that never ends: behind it, for a client that looks for it
        prefix, suffix, placed = "", mark.closing, ("suffix",)
    if suffix and not skipped and mark.terms.notices.trailing(text):  # from another Countermark in the chain
        suffix, placed, skipped = "", mark.shown[:-1], "" if prefix else ALREADY
    if skipped or not placed:
        done.parts.append(TextDone(done.number(), unit.name, (), skipped, text, text))
        return None, ""
    at = begin or 0
    done.parts.append(TextDone(done.number(), unit.name, placed, "", text, text[:at] + prefix + text[at:] + suffix))
    return at if prefix else None, suffix


def text_places(body: bytes, wanted: Sequence[tuple[Unit, int]]) -> list[int]:
    """Where in the body the characters of these units stand, one of each."""
    if not wanted:
        return []
    parts = [_part(unit, at) for unit, at in wanted]
    if not any(at for _, at in parts):
        begun = starts(body, [part for part, _ in parts])
        return [begun[part] + 1 for part, _ in parts]
    found = spans(body, [part for part, _ in parts])
    return [within(body, found[part], at, at)[0] for part, at in parts]


def _part(unit: Unit, at: int) -> tuple[Path, int]:
    """The part of the unit's text that its character ``at`` is in, and which of that part's it is."""
    part, found = unit.parts[0]
    for place, text in unit.parts[1:]:
        if at <= len(found):
            break
        at -= len(found)
        part, found = place, text
    return part, at


def shifted(body: bytes, units: Iterable[tuple[Unit, int]], prefix: str) -> list[Place]:
    """Offsets into the units' texts, moved behind the prefix that stands at the character beside each."""
    moved: dict[Path, int] = {}
    for unit, at in units:
        moved |= _moved(unit, at, prefix)
    found = spans(body, moved.keys()) if moved else {}
    return [(*span, b"%d" % moved[place]) for place, span in found.items()]


def _moved(unit: Unit, at: int, prefix: str) -> dict[Path, int]:
    """The unit's offsets as they are to be, by their places."""
    moved: dict[Path, int] = {}
    first = unit.parts[0][0] if unit.parts else ()
    index = next((step for step in reversed(first) if type(step) is int), 0)
    for shift in unit.rule.shifts:
        for place, offset in shift.path.find(unit.value, unit.element):
            if type(offset) is not int or (shift.part and _beside(unit, place, shift.part) != index):
                continue
            begin = len(unit.text[:at].encode("utf-8", "surrogatepass")) if shift.utf8 else at
            if offset >= begin:
                moved[place] = offset + (len(prefix.encode()) if shift.utf8 else len(prefix))
    return moved


def _beside(unit: Unit, place: Path, name: str) -> int:
    """The value of a member beside an offset; 0 where it is absent, as protocol buffers write a 0."""
    holder = unit.value
    for step in place[len(unit.element) : -1]:
        holder = holder[step]
    value = holder.get(name)
    return value if type(value) is int else 0


def pictures(done: Done, media: Sequence[Medium], body: bytes) -> list[Place]:
    """The places of the media for which a rule asks. Raises LabellingError for one that cannot be labelled."""
    terms = done.mark.terms
    places: list[Place] = []
    wanted: list[Medium] = []
    for medium in media:
        kind, where, encoding = medium.kind, spell(medium.place), medium.rule.encoding
        if kind not in terms.asked_of and (kind is not None or terms.asked_of.isdisjoint(("image", "audio", "video"))):
            continue
        if encoding == "url" and terms.urls == "pass":
            done.left = f"{where} is a URL: what it leads to is not labelled, as the route says"
        elif encoding == "url" and (terms.urls == "refuse" or (terms.urls == "inline" and not medium.rule.inline)):
            raise LabellingError(f"{where} is a URL: what it leads to cannot be labelled here; ask for base64")
        elif kind is None or (kind != "image" and not (encoding == "url" and terms.urls == "rewrite")):
            what = "a medium" if kind is None else UNREADY.get(kind, "a medium")
            raise LabellingError(f"{where} holds {what}, which cannot be labelled yet")
        else:
            wanted.append(medium)
    found = spans(body, [medium.place for medium in wanted]) if wanted else {}
    for medium in wanted:
        start, end = found[medium.place]
        encoding, kind = medium.rule.encoding, medium.kind
        data = medium.value.encode("utf-8", "replace")
        picture = Picture(data, encoding, spell(medium.place), done.number(), done.mark, kind or "image")
        if encoding == "url" and terms.urls == "inline":
            places += _inlined(medium, picture, body, start, end)
        else:
            places.append((start + 1, end - 1, picture))
    return places


def _inlined(medium: Medium, picture: Picture, body: bytes, start: int, end: int) -> list[Place]:
    """The places that turn a URL at ``start`` into base64 in a member of another name, which may be there and null."""
    other = (*medium.place[:-1], medium.rule.inline)
    if medium.rule.inline in medium.holder:
        at, to = spans(body, [other])[other]
        return [(start, end, b"null"), (at, at, b'"'), (at, to, picture), (to, to, b'"')]
    name = body.rindex(b'"', 0, body.rindex(b'"', 0, start))
    renamed = (name + 1, body.index(b'"', name + 1), quote(medium.rule.inline))
    return [renamed, (start + 1, end - 1, picture)]


def links(dialect: Dialect, done: Done, document: Any, body: bytes) -> list[Place]:
    """The places of URLs that lead to more answers: they lead to us."""
    home = done.mark.terms.home
    found = {place: url for path in dialect.links for place, url in path.find(document) if isinstance(url, str) and url}
    if not found or home is None:
        return []
    where = spans(body, found.keys())
    return [
        (where[place][0] + 1, where[place][1] - 1, quote(link(url, home.upstream, home.public)))
        for place, url in found.items()
    ]


def _metadata(dialect: Dialect, done: Done, document: Any, body: bytes) -> list[Place]:
    """Where the implicit label goes: a new last member, or in the place of the upstream's own (one label only)."""
    if dialect.metadata is None or not isinstance(document, dict):
        done.forgo("body")
        return []
    keep_upstream(done, document, dialect.metadata.names, "the answer")
    try:
        return [member(body, dialect.metadata.names, done.aigc_json, document)]
    except FramingError:
        raise LabellingError("the answer has no place for its label") from None


def keep_upstream(done: Done, document: Any, names: tuple[str, ...], where: str) -> bool:
    """Look for the upstream's own label, which ours becomes the propagator of; whether there is one."""
    for name in names:
        if not isinstance(document, dict) or name not in document:
            return False
        document = document[name]
    done.keep(upstream_label(document), where)
    return True


def refuse_unknown(dialect: Dialect, found: Content) -> None:
    """Raises LabellingError where a document holds what would leave unlabelled: text no rule reads, or a medium."""
    if found.medium is not None:
        raise LabellingError(f"{spell(found.medium)} holds a medium that cannot be labelled yet")
    if found.unknown is not None:
        where = spell(found.unknown) if found.unknown else "the document"
        raise LabellingError(f"{where} holds text in a form that the dialect {dialect.name} does not know")


def upstream_label(value: object) -> Aigc:
    """The label that an upstream put into its JSON. Raises LabellingError where it cannot be read."""
    try:
        return parse_aigc(json.dumps(value))
    except (LabelError, RecursionError):
        raise LabellingError("the answer carries a label that cannot be read") from None
