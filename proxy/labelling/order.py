"""What is to be done to one picture, in plain values that can travel to another process, no secret among them."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from proxy.label.aigc import Aigc
from proxy.label.provenance import CREATED
from proxy.label.xmp import Statement
from proxy.labelling.written import Written
from proxy.media.badge import Badge

PRESERVED: Final = "it is left as its maker has labelled it"


class Order(NamedTuple):
    """``data`` is the picture as it is ``written`` in the answer, ``unit`` what the record calls it, ``own`` the label
    that we write where it has none.

    ``undrawable``: what becomes of a sound picture that cannot carry the badge. ``convert``: the formats that may
    become PNG. ``xmp``: whether the file is to hold the label; ``envelope``: what else carries it. ``system`` and
    ``system_version`` name what generates, empty where nobody said. ``preserve``: it is left alone where its maker has
    labelled it. ``disclosure``: the statement that the file is to hold, empty for none; ``source_type``: how it came to
    be (see ``xmp.Statement``); ``believed``: a statement that is in it is its maker's own, and stays.
    ``unbadged``: why there is no badge although rules have one.
    """

    data: bytes
    written: Written
    unit: str
    own: Aigc
    badge: Badge | None = None
    undrawable: Literal["refuse", "metadata"] = "refuse"
    convert: frozenset[str] = frozenset()
    xmp: bool = True
    envelope: tuple[str, ...] = ()
    system: str = ""
    system_version: str = ""
    preserve: bool = False
    disclosure: str = ""
    source_type: str = CREATED
    believed: bool = False
    unbadged: str = ""

    @property
    def labels(self) -> bool:
        """Whether the picture is to have a label (GB 45438-2025) at all, in the file or beside it."""
        return self.xmp or not {"body", "header"}.isdisjoint(self.envelope)

    def statement(self, aigc: Aigc, labels: Sequence[Aigc], disclosures: Sequence[str]) -> Statement:
        """What the file is to say, which says this by now; ``aigc`` is the label to write where there is to be one.

        What no rule asks for stays as it is, and so does a statement that is believed.
        """
        stays = bool(disclosures) and (self.believed or not self.disclosure)
        return Statement(
            aigc if self.xmp else next(iter(labels), None),
            self.source_type,
            self.system,
            self.system_version,
            disclosures[0] if stays else self.disclosure,
        )


class Studio(NamedTuple):
    """What labelling a picture needs besides the order: the font, and the most pixels that are decoded."""

    font: bytes
    pixels: int
