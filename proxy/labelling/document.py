"""One JSON document that is an answer, labelled.

The law: every unit gets one notice where it has text that people read, every picture becomes Work, the metadata stands
once in its member, offsets into a text move with it; no other byte changes. An answer that holds nothing the dialect
knows is a failure, not a success.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, cast

from proxy.dialects.dialect import Dialect
from proxy.dialects.engine import Content, content
from proxy.dialects.media import Medium
from proxy.dialects.unit import Unit, spell
from proxy.framing.errors import FramingError
from proxy.framing.json_text import Path, cut, parse, quote, spans, starts, within
from proxy.framing.slim import slim
from proxy.labelling import think
from proxy.labelling.code import blocks
from proxy.labelling.errors import LabellingError, NothingFound
from proxy.labelling.length import tokens
from proxy.labelling.location import link
from proxy.labelling.medium import UNASKED, UNREADY
from proxy.labelling.metadata import metadata
from proxy.labelling.outcome import Done, TextDone
from proxy.labelling.output import calls_tool, output
from proxy.labelling.picture import Picture
from proxy.labelling.request import Asked
from proxy.labelling.text_terms import SHOWN, TextTerms
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
    places = _texts(dialect, asked, done, found, document, text)
    terms = done.mark.terms
    if terms.varies and not (terms.carriers or terms.shows or found.media):
        done.passed = UNASKED
        return (body,)
    if dialect.links:
        places += links(dialect, done, document, text)
    places += metadata(done, dialect.metadata, document, text, "the answer")
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


def _texts(dialect: Dialect, asked: Asked, done: Done, holds: Content, document: Any, body: bytes) -> list[Place]:
    """The places that give each unit its notice. They are looked for once: an answer may have thousands of units."""
    begins: list[tuple[Unit, int, str]] = []
    shifts: list[tuple[Unit, int, str]] = []
    ends: dict[Path, str] = {}
    varies = done.mark.terms.varies
    turned_out: list[TextTerms] = []
    for unit in holds.units:
        if unit.rule.text is None and not unit.parts:
            continue
        at, prefix, suffix, agreed = _text(dialect, asked, done, unit)
        if varies:
            turned_out.append(agreed)
        if prefix:
            begins.append((unit, at, prefix))
            if unit.rule.may_shift(body):
                shifts.append((unit, at, prefix))
        if suffix:
            ends[unit.parts[-1][0]] = suffix
    if varies:
        if not turned_out and calls_tool(document):
            turned_out.append(done.mark.terms.of_text("tool", 0))
        kinds = {medium.kind for medium in holds.media}
        if turned_out or kinds:
            done.ask_only(turned_out, None if None in kinds else [kind for kind in kinds if kind])
    places: list[Place] = prefixed(body, begins)
    places += shifted(body, shifts)
    found = spans(body, ends.keys()) if ends else {}
    places += [(end - 1, end - 1, quote(ends[part])) for part, (_, end) in found.items()]
    return places


def _text(dialect: Dialect, asked: Asked, done: Done, unit: Unit) -> tuple[int, str, str, TextTerms]:
    """Where one unit's text gets its prefix, what that is, and its suffix, empty where it gets none, and the terms for
    what it is; its item goes into the record."""
    terms, text = done.mark.terms, unit.text
    begin = think.visible(text, dialect.think) if dialect.think else 0
    seen = text[begin or 0 :]
    skipped = verdict(seen, asked, terms.notices, ended=True, whole=True)
    assert isinstance(skipped, str)  # a whole text is never unclear
    agreed = terms.text
    because: tuple[str, ...] = ()
    if terms.by_text is not None:
        length = tokens(seen, done.mark.operator.count, terms.by_text.most)
        agreed = terms.by_text.of(output(skipped, blocks(unit, begin or 0), unit.value), length)
        because = agreed.because
        if skipped == ALREADY and not agreed.are_carried(seen):
            skipped = ""
    prefix, suffix = agreed.prefix, agreed.suffix
    if begin is None and prefix and not skipped:  # reasoning that never ends: behind it, for a client that looks for it
        prefix, suffix = "", agreed.closing
    if suffix and not skipped and agreed.notices.trailing(text):  # from another Countermark in the chain
        suffix, skipped = "", "" if prefix else ALREADY
    skipped = skipped or ("" if prefix or suffix else agreed.why)
    if skipped:
        prefix = suffix = ""
    placed, at = SHOWN[bool(prefix)][bool(suffix)], begin or 0
    after = text[:at] + prefix + text[at:] + suffix if placed else text
    done.parts.append(TextDone(done.number(), unit.name, placed, skipped, text, after, because, seen))
    return at, prefix, suffix, agreed


def prefixed(body: bytes, wanted: Sequence[tuple[Unit, int, str]]) -> list[Place]:
    """The places that put a text in front of a character of each unit."""
    starting = text_places(body, [(unit, at) for unit, at, _ in wanted])
    return [(start, start, quote(text)) for start, (_, _, text) in zip(starting, wanted, strict=True)]


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


def shifted(body: bytes, units: Iterable[tuple[Unit, int, str]]) -> list[Place]:
    """Offsets into the units' texts, moved behind the prefix that stands at the character beside each."""
    moved: dict[Path, int] = {}
    for unit, at, prefix in units:
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


def refuse_unknown(dialect: Dialect, found: Content) -> None:
    """Raises LabellingError where a document holds what would leave unlabelled: text no rule reads, or a medium."""
    if found.medium is not None:
        raise LabellingError(f"{spell(found.medium)} holds a medium that cannot be labelled yet")
    if found.unknown is not None:
        where = spell(found.unknown) if found.unknown else "the document"
        raise LabellingError(f"{where} holds text in a form that the dialect {dialect.name} does not know")
