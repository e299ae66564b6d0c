"""One unit of a stream - a choice, a message - and what is known of it so far."""

from dataclasses import dataclass, field
from typing import Any, Final

from proxy.dialects.paths import MISSING
from proxy.dialects.unit import Unit
from proxy.framing.record import Record
from proxy.labelling.errors import LabellingError
from proxy.labelling.gathered import Gathered
from proxy.labelling.outcome import TextDone
from proxy.labelling.pending import Pending
from proxy.labelling.so_far import SoFar
from proxy.labelling.text_terms import SHOWN, TextTerms
from proxy.labelling.think import Reading
from proxy.labelling.verdict import SILENT

_PIECE: Final = 64  # characters: as many as no piece of a text begins with that the one before it was
_TAIL: Final = 4096  # characters: longer than any notice with the white space around it


@dataclass(slots=True)
class StreamUnit:
    """``skipped`` is None while the unit's text is not clear, then why it has no notice, or empty.

    ``text`` is what people read of it, as long as that is not clear, ``first`` the records in which a prefix would go,
    with the character that it goes in front of. ``last`` is the last record with text, which a suffix is modelled on,
    ``tail`` how the text ends so far, and ``head`` how it begins where each record says it again, or what came last
    where the client says that none does. ``slot`` is the block that came last, ``stop`` the record that ended it, held
    back. ``opened``: the beginning of the unit was seen, not only its text. ``so_far`` follows what the text is, where
    that matters; ``late``: only its end will tell whether it gets a notice; ``gathered`` keeps the text, where it is
    asked for. ``prefix`` and ``suffix`` are the words that were put in.
    """

    index: int
    place: str
    reading: Reading
    text: str = ""
    head: str = ""
    tail: str = ""
    skipped: str | None = None
    held: bool = False
    first: list[tuple[Pending, Unit, int]] = field(default_factory=list)
    last: tuple[Record, Unit] | None = None
    slot: Any = MISSING
    stop: Pending | None = None
    opened: bool = False
    closed: bool = False
    so_far: SoFar | None = None
    gathered: Gathered | None = None
    late: bool = False
    prefix: str = ""
    suffix: str = ""

    def remember(self, record: Record, found: Unit) -> None:
        """This record holds the unit's last text so far."""
        self.last = (record, found)
        self.tail = (self.tail + found.text)[-_TAIL:]

    def check_claim(self, text: str) -> None:
        """A client says that only pieces will come: a server that does not heed it would show the text without its
        notice. A long text that comes again and goes on is no piece. Raises LabellingError."""
        if len(self.head) >= _PIECE and text != self.head and text.startswith(self.head):
            raise LabellingError("the stream says all of its text again, although the request asks for pieces of it")
        self.head = text

    @property
    def placed(self) -> tuple[str, ...]:
        """What was put in."""
        return SHOWN[bool(self.prefix)][bool(self.suffix)]

    @property
    def ends_in_text(self) -> bool:
        """Whether the last block is the one that holds the last text: behind another, a suffix has no place."""
        return self.last is not None and (self.slot is MISSING or self.last[1].slot == self.slot)

    def lacks(self, agreed: TextTerms) -> bool:
        """Whether it has no notice of ours yet, or one that says less than the terms of its text ask for."""
        return not self.placed or not (agreed.are_in(self.prefix) or agreed.are_in(self.suffix))

    def done(self, *, shown: bool, agreed: TextTerms, because: tuple[str, ...]) -> TextDone:
        """What the record says of it; ``shown``: a rule asks for words, ``agreed``: the terms of this text."""
        skipped = (SILENT if shown else "") if self.skipped is None else self.skipped
        skipped = "" if self.placed else skipped or agreed.why
        said = "" if self.gathered is None else self.gathered.text
        return TextDone(self.index, self.place, self.placed, skipped, because=because, said=said)
