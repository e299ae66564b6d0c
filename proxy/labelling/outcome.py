"""What was done to one answer, and why: gathered while it is labelled, read when its record is made."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from proxy.label.aigc import Aigc
from proxy.labelling.gathered import MOST, Said
from proxy.labelling.mark import Mark
from proxy.labelling.text_terms import TextTerms
from proxy.labelling.verdict import ALREADY
from proxy.policy.combine import GRANTED
from proxy.record.exchange import Item
from proxy.record.likeness import LONGEST, normalised
from proxy.record.outcome import Outcome

# What people see stands first in the list of what was placed.
_VISIBLE = frozenset({"prefix", "suffix", "badge"})


class TextDone(NamedTuple):
    """What was done to one unit of text, as in a record's item, with the text before and after instead of digests;
    both are empty where it was not gathered (a stream). ``number`` counts the answer's items, ``because`` is of which
    rules, where those hang on the text, ``said`` what people see of it as it came, as far as that was gathered. The
    item is made only where a record is kept."""

    number: int
    unit: str
    placed: tuple[str, ...]
    skipped: str
    before: str = ""
    after: str = ""
    because: tuple[str, ...] = ()
    said: str = ""

    def item(self, mark: Mark) -> Item:
        """The record's item."""
        produce_id = mark.of_item(self.number).produce_id
        placed = (*self.placed, *mark.terms.envelope)
        digest = mark.operator.digest
        if not self.before or digest is None:
            return Item(produce_id, "text", self.unit, placed, self.skipped)
        before, after = (len(text.encode("utf-8", "surrogatepass")) for text in (self.before, self.after))
        plain = normalised(self.said)
        return Item(
            produce_id, "text", self.unit, placed, self.skipped, digest(self.before), digest(self.after), before, after,
            text=digest(plain) if plain else "",
        )  # fmt: skip


@dataclass(slots=True)
class Done:
    """What was done to one answer so far.

    ``aigc_json`` is the label of the answer as a whole, ``failure`` why labelling failed, ``error`` that the upstream
    sent an error with status 200, ``left`` what was let go without a label because the configuration says so,
    ``passed`` why it needs none. ``media_type`` is the type of a file that has become another. ``live`` tells of
    the units of a stream that is under way, ``within`` are texts of answers within this one.
    """

    mark: Mark
    aigc_json: bytes
    parts: list[TextDone | Item] = field(default_factory=list)
    failure: str = ""
    error: bool = False
    left: str = ""
    passed: str = ""
    media_type: str = ""
    live: Callable[[], list[TextDone]] = list
    within: list[Said] = field(default_factory=list)
    _count: int = 0

    def number(self) -> int:
        """The index of one item more."""
        self._count += 1
        return self._count - 1

    def forgo(self, *carriers: str) -> None:
        """The answer has no place for these carriers of its label, so no item may say that it carries them."""
        envelope = tuple(one for one in self.mark.terms.envelope if one not in carriers)
        self.mark = self.mark._replace(terms=self.mark.terms._replace(envelope=envelope))

    def leave(self, carrier: str) -> None:
        """What stands in this carrier is the upstream's, and stays."""
        envelope = tuple(dict.fromkeys("upstream" if one == carrier else one for one in self.mark.terms.envelope))
        self.mark = self.mark._replace(terms=self.mark.terms._replace(envelope=envelope))

    def ask_only(self, texts: Iterable[TextTerms], kinds: Iterable[str] | None = None) -> None:
        """It is known what the answer's texts are, or may be, and of which ``kinds`` its media are, None where they may
        be of any: their carriers are the label's, and no others."""
        terms = self.mark.terms
        media = [terms.beside.get(kind, frozenset()) for kind in (terms.beside if kinds is None else kinds)]
        carriers = frozenset[str]().union(*media, *(text.carriers for text in texts))
        if carriers != terms.carriers:
            envelope = tuple(one for one in terms.envelope if one in carriers)
            self.mark = self.mark._replace(terms=terms._replace(carriers=carriers, envelope=envelope))

    def keep(self, upstream: Aigc, where: str) -> None:
        """The answer came with a label: what becomes of it is the label of the answer (see ``Issuer.kept``)."""
        self.aigc_json = self.mark.kept((upstream,), where).compact().encode()

    def rewrite(self, first: int, text: Callable[[str], str]) -> None:
        """Say of the texts from the part ``first`` on what ``text`` makes of them."""
        self.parts[first:] = [
            part
            if isinstance(part, Item)
            else part._replace(before=text(part.before), after=text(part.after), said=text(part.said))
            for part in self.parts[first:]
        ]

    def items(self) -> tuple[Item, ...]:
        """The record's items."""
        return tuple(part if isinstance(part, Item) else part.item(self.mark) for part in (*self.parts, *self.live()))

    def texts(self) -> list[Said]:
        """The texts of which a rule asks for a fingerprint, as far as they count; one more than count where there are
        more."""
        if not self.mark.terms.fingerprint:
            return []
        texts = [part for part in (*self.parts, *self.live()) if isinstance(part, TextDone) and part.said]
        said = [
            Said(
                self.mark.of_item(part.number).produce_id,
                part.unit,
                part.said[:LONGEST],
                bool(part.before),
                len(part.said) <= LONGEST,
            )
            for part in texts[: MOST + 1]
        ]
        return [*said, *self.within][: MOST + 1]

    @property
    def granted(self) -> bool:
        """Whether any of it goes without a notice by a grant; as long as nothing is there yet, whether any may."""
        if not self.mark.terms.granted:
            return False
        parts = (*self.parts, *self.live())
        return not (parts or self.error) or any(part.skipped == GRANTED for part in parts)

    @property
    def because(self) -> tuple[str, ...]:
        """The rules that spoke of the texts that there are, where those hang on the text; empty where they do not."""
        if self.mark.terms.by_text is None:
            return ()
        texts = [part.because for part in (*self.parts, *self.live()) if isinstance(part, TextDone)]
        return tuple(dict.fromkeys(reason for because in texts for reason in because))

    def outcome(self) -> tuple[Outcome, str]:
        """One word for the answer, and the reason in words: what should carry a label and does not is no success."""
        if self.failure:
            return Outcome.UNLABELLED, self.failure
        if self.passed:
            return Outcome.PASSED, self.passed
        if self.left:
            return Outcome.UNLABELLED, self.left
        if self.error:
            return Outcome.ERROR_RESPONSE, "the upstream sent an error"
        reason = bare = ""
        labelled = False
        for part in (*self.parts, *self.live()):
            if not _VISIBLE.isdisjoint(part.placed):
                labelled = True
            elif isinstance(part, Item) and part.kind == "image":
                bare = bare or part.skipped  # a picture goes where its neighbours do not: it counts by itself
            reason = ALREADY if part.skipped == ALREADY else reason or part.skipped
        if labelled:
            return Outcome.LABELLED, bare
        if reason == ALREADY:
            return Outcome.ALREADY_LABELLED, ALREADY
        return Outcome.METADATA_ONLY, reason or "no rule asks for a notice"
