"""What one answer is to be marked with: the words for people, the AIGC object, and where each goes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from proxy.label.aigc import Aigc, check
from proxy.label.errors import LabelError
from proxy.label.identifier import item_id
from proxy.label.seal import seal, verify
from proxy.labelling.errors import LabellingError
from proxy.labelling.notices import SEPARATOR, Notices
from proxy.policy.decision import Decision, ImageNotice, TextNotice


@dataclass(frozen=True, slots=True)
class Operator:
    """Who labels, the same for every answer: the provider's code or name, the keys, the notices ever in force (for the
    conversation's history).

    ``digest`` is a keyed digest of a text for the record, or None where nothing is recorded; ``stored`` is the key for
    ids that are made from what is stored.
    """

    provider: str
    name: str
    sealing: bytes
    notices: Notices
    digest: Callable[[str], str] | None = None
    stored: bytes = b""


Urls = Literal["refuse", "rewrite", "inline", "pass"]

_REASON = 200  # characters: the reason may quote what came from upstream
_SHOWN: tuple[tuple[tuple[str, ...], ...], ...] = (((), ("suffix",)), (("prefix",), ("prefix", "suffix")))


class Home(NamedTuple):
    """Where an answer comes from and where we are, for URLs in it: the upstream's URL and our own, None if unknown."""

    upstream: str
    public: str | None


class Mark(NamedTuple):
    """How one answer is marked. ``envelope`` is what carries the label of the answer as a whole; ``notices`` are the
    words in force, in every language: who shows one of them is labelled already; ``trusted`` says that the upstream's
    own labels are believed (we are its propagator). ``asked_of`` are the kinds of content for which a rule asks for
    anything, ``urls`` what becomes of media that are handed out as URLs."""

    operator: Operator
    produce_id: str
    aigc: Aigc
    prefix: str
    suffix: str
    badge: ImageNotice | None
    badge_words: str
    carriers: frozenset[str]
    envelope: tuple[str, ...]
    on_failure: Literal["block", "pass"]
    notices: Notices
    trusted: bool = False
    asked_of: frozenset[str] = frozenset()
    urls: Urls = "refuse"
    home: Home | None = None

    def of_item(self, index: int) -> Aigc:
        """The label of the answer's ``index``-th item, with an id of its own."""
        if index == 0:
            return self.aigc
        return first_write(self.operator, item_id(self.produce_id, index))

    @property
    def shown(self) -> tuple[str, ...]:
        """What people see of a text that is labelled; empty where no rule asks for words."""
        return _SHOWN[bool(self.prefix)][bool(self.suffix)]

    @property
    def closing(self) -> str:
        """The notice as it stands behind a text; where policy wants it in front, for one that has no place there."""
        return self.suffix or SEPARATOR + self.prefix.removesuffix(SEPARATOR)


def first_write(operator: Operator, produce_id: str) -> Aigc:
    """The sealed label of something that this operator produced."""
    return Aigc.first_write(operator.provider, produce_id, seal(operator.sealing, operator.provider, produce_id, "1"))


def propagated(operator: Operator, upstream: Aigc, produce_id: str) -> Aigc:
    """An upstream's label with us as its propagator: only the propagator's fields change (GB 45438 Appendix E)."""
    return Aigc(
        upstream.label,
        upstream.content_producer,
        upstream.produce_id,
        upstream.reserved_code1,
        operator.provider,
        produce_id,
        seal(operator.sealing, operator.provider, produce_id, upstream.label),
    )


def kept(mark: Mark, own: Aigc, found: tuple[Aigc, ...], where: str) -> Aigc:
    """What becomes of labels that came from upstream: never two, and never one dropped in silence.

    An upstream that is declared ``labels: trusted`` keeps its own label, and we become its propagator; so does one
    whose label bears this operator's seal (another Countermark in the chain). Anything else may be a user's forgery.
    What is kept is passed on under our name, in header fields too, so it keeps to the standard or is a LabellingError.
    """
    if len(set(found)) > 1:
        raise LabellingError(f"{where} carries labels that contradict each other")
    upstream = found[0]
    producer, produce_id, label = upstream.content_producer, upstream.produce_id, upstream.label
    if mark.trusted or verify(mark.operator.sealing, producer, produce_id, label, upstream.reserved_code1):
        try:
            check(upstream)
        except LabelError as error:
            raise LabellingError(f"{where} carries a label that may not be passed on: {str(error)[:_REASON]}") from None
        return propagated(mark.operator, upstream, own.produce_id)
    raise LabellingError(
        f"{where} came with a label already, and the upstream is not declared to label what it makes (labels: trusted)"
    )


class Terms(NamedTuple):
    """What does not change from answer to answer while the decisions and the client's language are the same."""

    prefix: str
    suffix: str
    badge: ImageNotice | None
    badge_words: str
    carriers: frozenset[str]
    envelope: tuple[str, ...]
    on_failure: Literal["block", "pass"]
    notices: Notices
    trusted: bool
    asked_of: frozenset[str]
    urls: Urls
    home: Home | None


def terms(
    decisions: Mapping[str, Decision],
    language: str,
    *,
    trusted: bool = False,
    urls: Urls = "refuse",
    home: Home | None = None,
) -> Terms:
    """The terms of answers of which these decisions were made, one for each kind of content that they may hold.

    ``language`` is the request's Accept-Language value, or empty; for the others see Mark.
    """
    prefix = suffix = badge_words = ""
    badge: ImageNotice | None = None
    carriers: frozenset[str] = frozenset()
    shown: set[str] = set()
    blocks = False
    for decision in decisions.values():
        carriers |= decision.metadata
        blocks = blocks or (decision.acts and decision.on_failure == "block")
        match decision.notice:
            case TextNotice(words, position):
                chosen = words.pick(language)
                shown.update(words.texts)
                prefix = chosen + SEPARATOR if position != "end" else ""
                suffix = SEPARATOR + chosen if position != "start" else ""
            case ImageNotice(words) as notice:
                badge, badge_words = notice, words.pick(language)
            case None:
                pass
    envelope = tuple(carrier for carrier in ("body", "header", "disclosure") if carrier in carriers)
    on_failure: Literal["block", "pass"] = "block" if blocks else "pass"
    asked_of = frozenset(kind for kind, decision in decisions.items() if decision.acts)
    return Terms(
        prefix,
        suffix,
        badge,
        badge_words,
        carriers,
        envelope,
        on_failure,
        Notices(shown),
        trusted,
        asked_of,
        urls,
        home,
    )


def mark(operator: Operator, agreed: Terms, produce_id: str) -> Mark:
    """The mark of one answer."""
    return Mark(operator, produce_id, first_write(operator, produce_id), *agreed)
