"""One answer labelled for a look: no socket, no pool, nothing recorded.

What serves traffic and what is tried out are the same transforms; only who runs the Work differs.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from proxy.dialects.dialect import Dialect
from proxy.label.provenance import UNTOLD, Making
from proxy.labelling.errors import Blocked, LabellingError
from proxy.labelling.mark import Home, Mark, Operator, Urls, mark, terms
from proxy.labelling.message import ResponseHead
from proxy.labelling.picture import Picture, linked
from proxy.labelling.plan import Bounds, Label, framing, label
from proxy.labelling.request import Asked
from proxy.labelling.transform import Conclude, Piece, Work, plain
from proxy.policy.decision import Decision
from proxy.record.exchange import Item

PRODUCE_ID = "0" * 32

# A picture labelled, and what was done to it. Given by whoever has a decoder: the proxy itself has none.
Draw = Callable[[Picture], tuple[bytes, Item]]


@dataclass(frozen=True, slots=True)
class Bench:
    """What a trial needs besides the table and the answer: who labels and how, by kind of content, what draws, the
    bounds, the other dialects by their names, and how the answer was made."""

    operator: Operator
    decisions: Mapping[str, Decision]
    draw: Draw
    bounds: Bounds
    dialects: Mapping[str, Dialect]
    trusted: bool = False
    urls: Urls = "refuse"
    home: Home | None = None
    making: Making = UNTOLD

    @property
    def mark(self) -> Mark:
        """The mark of every answer on this bench."""
        agreed = terms(self.decisions, "", trusted=self.trusted, urls=self.urls, home=self.home)
        return mark(self.operator, agreed, PRODUCE_ID, self.making)


@dataclass(slots=True)
class Ran:
    """What became of an answer: the bytes that left, the outcome's word and its reason, the record's items, and what
    each picture was before and is now, as they stand in the answer."""

    mark: Mark
    data: bytes = b""
    outcome: str = ""
    reason: str = ""
    items: tuple[Item, ...] = ()
    pictures: list[tuple[bytes, bytes]] = field(default_factory=list)


def run(dialect: Dialect, asked: Asked, chunks: Iterable[bytes], media_type: str, bench: Bench) -> Ran:
    """Label the answer that comes in these chunks."""
    given = [chunk for chunk in chunks if chunk]
    ran = Ran(bench.mark)
    out: list[bytes] = []
    try:
        head = ResponseHead(200, [(b"content-type", media_type.encode("latin-1", "replace"))])
        framed = framing(dialect, head, b"".join(given)[:64])
        plan = label(dialect, asked, ran.mark, framed, bench.bounds, bench.dialects)
        for chunk in given:
            _take(plan.guard.feed(chunk), plan, bench, ran, out)
        _take(plan.guard.end(), plan, bench, ran, out)
        outcome, ran.reason = plan.done.outcome()
        ran.outcome = outcome.replace("_", " ")
        ran.items = plan.done.items()
    except (Blocked, LabellingError) as blocked:
        ran.outcome, ran.reason = "blocked", str(blocked)
    ran.data = b"".join(out)
    return ran


def _take(pieces: Sequence[Piece], plan: Label, bench: Bench, ran: Ran, out: list[bytes]) -> None:
    retained: Sequence[Piece] = ()
    for piece in pieces:
        match piece:
            case Work(raw=raw) if plan.done.failure:
                out.append(raw)
            case Work(pictures, join, raw):
                try:
                    labelled = [_labelled(picture, bench) for picture in pictures]
                except LabellingError as error:
                    # Of a whole answer, all is retained; of a stream, what was taken in behind all of these pieces.
                    retained = plan.guard.fail(str(error))
                    out += [raw] if plan.terminal is not None else []
                    continue
                ran.pictures += [(picture.data, one) for picture, (one, _) in zip(pictures, labelled, strict=True)]
                plan.done.parts += [item for _, item in labelled]
                out.append(join([one for one, _ in labelled]))
            case Conclude(data):
                out.append(data)
            case _:
                out.append(piece)
    out += [plain(piece) for piece in retained]


def _labelled(picture: Picture, bench: Bench) -> tuple[bytes, Item]:
    """A picture with its label; for one that is a URL, what the proxy would put there, without its secrets."""
    if picture.encoding != "url":
        return bench.draw(picture)
    mark, public = picture.mark, (bench.home and bench.home.public) or ""
    if mark.terms.urls == "rewrite":
        return f"{public}/countermark/media/...".encode(), linked(picture)
    produce_id = mark.of_item(picture.index).produce_id
    placed = ("badge", *mark.terms.envelope) if mark.terms.badge else mark.terms.envelope
    return b"(fetched and labelled)", Item(produce_id, picture.kind, picture.unit, placed, "")
