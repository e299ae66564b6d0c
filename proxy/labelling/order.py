"""What is to be done to one picture, in plain values that can travel to another process, no secret among them."""

from typing import Literal, NamedTuple

from proxy.label.aigc import Aigc
from proxy.label.xmp import Statement
from proxy.labelling.written import Written
from proxy.media.badge import Badge


class Order(NamedTuple):
    """``data`` is the picture as it is ``written`` in the answer, ``unit`` what the record calls it, ``own`` the label
    that we write where it has none.

    ``undrawable``: what becomes of a sound picture that cannot carry the badge. ``convert``: the formats that may
    become PNG. ``xmp``: whether the file is to hold the label; ``envelope``: what else carries it. ``system`` and
    ``system_version`` name what generates, empty where nobody said.
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

    def statement(self, aigc: Aigc) -> Statement:
        """What the file is to say."""
        return Statement(aigc, system=self.system, system_version=self.system_version)


class Studio(NamedTuple):
    """What labelling a picture needs besides the order: the font, and the most pixels that are decoded."""

    font: bytes
    pixels: int
