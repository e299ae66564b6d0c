"""What labelling would make of an answer that leaves as it came: the transforms run on a copy, and nothing comes out.

The law: what would have been recorded is told in words, and nothing is said to have been done. Pictures are not drawn:
that costs too much for a look, so whether they can be is not found out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from proxy.labelling.errors import LabellingError
from proxy.labelling.picture import Picture, linked
from proxy.labelling.plan import Label
from proxy.labelling.transform import Piece, Work, plain
from proxy.labelling.watermark import Body, Forced
from proxy.labelling.written import read
from proxy.record.exchange import Item
from proxy.record.outcome import DELIVERED_AS_DECIDED, Outcome

NOT_DRAWN: Final = "not tried, for nothing is drawn where a route observes"
TURNED_ON: Final = "the upstream's own watermark would be turned on in the request"
# What stamping.py says where no badge is asked for; it cannot be imported here, for it brings what draws.
UNBADGED: Final = "no rule asks for a badge"

_WOULD: Final[Mapping[Outcome, str]] = {
    Outcome.LABELLED: "would be labelled",
    Outcome.METADATA_ONLY: "would get metadata and no notice",
    Outcome.ALREADY_LABELLED: "would get metadata and no second notice",
    Outcome.PASSED: "would pass as it came",
    Outcome.ERROR_RESPONSE: "would pass as an error",
    Outcome.UNLABELLED: "would pass unlabelled",
    Outcome.BLOCKED: "would be blocked",
    Outcome.UPSTREAM_ERROR: "would be answered with an error",
    Outcome.TRUNCATED: "would be cut off",
}


def _and(*reasons: str) -> str:
    return "; ".join(filter(None, reasons))


class Seen(NamedTuple):
    """How the exchange would have ended: the outcome's word, its reason, and the record's items. No outcome: nobody
    looked, and the reason says why."""

    outcome: Outcome | None
    reason: str
    items: tuple[Item, ...] = ()

    def told(self) -> str:
        """The reason of a record whose outcome is ``observed``."""
        would = "was not looked at" if self.outcome is None else _WOULD[self.outcome]
        return f"{would}: {self.reason}" if self.reason else would

    def after(self, request: Forced, body: Body) -> "Seen":
        """What is seen where the upstream's own marks would have been forced so in a request with this body."""
        if request.refused:
            return Seen(Outcome.BLOCKED, request.cannot)
        if request.cannot and self.outcome in DELIVERED_AS_DECIDED:
            return self._replace(outcome=Outcome.UNLABELLED, reason=_and(request.cannot, self.reason))
        forced = request.without or request.body is not body
        return self._replace(reason=_and(self.reason, TURNED_ON)) if forced else self


class Observer:
    """Takes a copy of a body in, decoded, and gives nothing out. Raises Blocked where the answer would be blocked."""

    def __init__(self, plan: Label) -> None:
        self._plan = plan

    def feed(self, data: bytes) -> None:
        """Look at what has come. Nothing more is to be fed once labelling has failed."""
        self._look(self._plan.guard.feed(data))

    def end(self) -> None:
        """The body has come to its end."""
        self._look(self._plan.guard.end())

    @property
    def over(self) -> bool:
        """Whether nothing that comes can change what is seen: labelling has failed, and policy lets the rest pass."""
        return bool(self._plan.done.failure)

    @property
    def concluded(self) -> bool:
        """Whether a stream has said that it is whole; what is no stream says nothing of that."""
        return self._plan.terminal is None or self._plan.terminal.seen

    def seen(self) -> Seen:
        """What would have been recorded."""
        outcome, reason = self._plan.done.outcome()
        return Seen(outcome, reason, tuple(map(_untouched, self._plan.done.items())))

    def _look(self, pieces: Sequence[Piece]) -> None:
        plan = self._plan
        for piece in pieces:
            if isinstance(piece, Work):
                if plan.done.failure:
                    continue
                try:
                    plan.done.parts += [_foreseen(picture) for picture in piece.pictures]
                except LabellingError as error:
                    plan.guard.fail(str(error))
            elif plan.terminal is not None:
                plan.terminal.feed(plain(piece))


def _foreseen(picture: Picture) -> Item:
    """What would be placed in a picture. Raises LabellingError where it is a URL that nobody is to follow."""
    order, urls = picture.order(), picture.mark.terms.urls
    if picture.encoding == "url" and urls == "rewrite":
        return linked(picture)
    if picture.encoding == "url" and urls != "inline":
        read(order.data, order.written, order.unit)
    inside = {"badge": order.badge is not None, "xmp": order.xmp, "statement": bool(order.disclosure)}
    placed = dict.fromkeys((*(name for name, there in inside.items() if there), *order.envelope))
    skipped = order.unbadged or (UNBADGED if order.badge is None else "")
    told = _and(skipped, "unless its maker has labelled it" if order.preserve else "")
    return Item(order.own.produce_id, picture.kind, picture.unit, tuple(placed), told)


def _untouched(item: Item) -> Item:
    """The item of something that leaves as it came: what would have been placed is told where a reason is told."""
    would = f"would get: {', '.join(item.placed)}" if item.placed else ""
    untried = NOT_DRAWN if item.kind == "image" and item.placed else ""
    return replace(
        item,
        placed=(),
        skipped=_and(would, item.skipped, untried),
        after=item.before,
        size_after=item.size_before,
        dropped=(),
    )
