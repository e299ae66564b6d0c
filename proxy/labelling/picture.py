"""A picture as it stands in an answer, and what is to be done to it."""

from dataclasses import dataclass
from typing import Final

from proxy.dialects.dialect import MediaKind
from proxy.label.aigc import Aigc
from proxy.labelling.mark import Mark
from proxy.labelling.order import Order
from proxy.labelling.written import Written
from proxy.media.badge import Badge
from proxy.record.exchange import Item

LATER: Final = "what is linked to is labelled when it is fetched from here"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it stands in an answer (``data`` is the inside of a string, or a file where it is raw), with its
    mark; ``index`` counts the answer's items. What is only linked to (``url``) may be of another ``kind``."""

    data: bytes
    encoding: Written
    unit: str
    index: int
    mark: Mark
    kind: MediaKind = "image"

    def order(self) -> Order:
        """What is to be done to it."""
        mark, terms = self.mark, self.mark.terms
        notice, badge = terms.badge, None
        if notice is not None:
            badge = Badge(terms.badge_words, notice.position, notice.height, notice.mark, notice.backing)
        return Order(
            self.data,
            self.encoding,
            self.unit,
            mark.of_item(self.index),
            badge,
            "refuse" if notice is None else notice.undrawable,
            terms.convert,
            "xmp" in terms.carriers,
            terms.envelope,
            mark.operator.issuer.system,
            mark.operator.issuer.system_version,
            preserve=terms.role("image") == "preserve",
            unbadged=terms.unbadged,
            disclosure=mark.statement("image", self.index),
            source_type=mark.making.source_type,
            believed=terms.role("image") != "producer",
        )

    def kept(self, found: tuple[Aigc, ...]) -> Aigc:
        """The label to write where labels were found in the picture (see ``Issuer.kept``). Raises LabellingError."""
        mark = self.mark
        own = mark.of_item(self.index)
        return mark.operator.issuer.kept(own, found, self.unit, mark.terms.role("image"))


def linked(picture: Picture) -> Item:
    """What the record says of a picture whose URL leads to us now: it is labelled when it is fetched from here."""
    mark = picture.mark
    placed = ("link", *mark.terms.envelope)
    return Item(mark.of_item(picture.index).produce_id, picture.kind, picture.unit, placed, LATER)
