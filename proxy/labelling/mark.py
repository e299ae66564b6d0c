"""What one answer is to be marked with: the words for people, the AIGC object, and where each goes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from proxy.label.aigc import Aigc
from proxy.label.identifier import item_id
from proxy.labelling.issuer import Issuer
from proxy.labelling.notices import SEPARATOR, Notices
from proxy.policy.decision import Decision, ImageNotice, TextNotice


@dataclass(frozen=True, slots=True)
class Operator:
    """Who labels, the same for every answer: the issuer of labels, the name that people read, the notices ever in force
    (for the conversation's history).

    ``digest`` is a keyed digest of a text for the record, or None where nothing is recorded; ``stored`` is the key for
    ids that are made from what is stored.
    """

    issuer: Issuer
    name: str
    notices: Notices
    digest: Callable[[str], str] | None = None
    stored: bytes = b""


Urls = Literal["refuse", "rewrite", "inline", "pass"]

_SHOWN: tuple[tuple[tuple[str, ...], ...], ...] = (((), ("suffix",)), (("prefix",), ("prefix", "suffix")))


class Home(NamedTuple):
    """Where an answer comes from and where we are, for URLs in it: the upstream's URL and our own, None if unknown."""

    upstream: str
    public: str | None


class Terms(NamedTuple):
    """What does not change from answer to answer while the decisions and the client's language are the same.

    ``envelope`` is what carries the label of the answer as a whole; ``notices`` are the words in force, in every
    language: who shows one of them is labelled already; ``trusted`` says that the upstream's own labels are believed
    (we are its propagator). ``asked_of`` are the kinds of content for which a rule asks for anything, ``urls`` what
    becomes of media that are handed out as URLs, ``convert`` the formats that may become PNG.
    """

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
    convert: frozenset[str] = frozenset()


class Mark(NamedTuple):
    """How one answer is marked: who labels it, its own id, its label, and the terms."""

    operator: Operator
    produce_id: str
    aigc: Aigc
    terms: Terms

    def of_item(self, index: int) -> Aigc:
        """The label of the answer's ``index``-th item, with an id of its own."""
        if index == 0:
            return self.aigc
        return self.operator.issuer.first_write(item_id(self.produce_id, index))

    def kept(self, found: tuple[Aigc, ...], where: str) -> Aigc:
        """What becomes of the answer's label where it came with labels from upstream (see ``Issuer.kept``)."""
        return self.operator.issuer.kept(self.aigc, found, where, trusted=self.terms.trusted)

    @property
    def shown(self) -> tuple[str, ...]:
        """What people see of a text that is labelled; empty where no rule asks for words."""
        return _SHOWN[bool(self.terms.prefix)][bool(self.terms.suffix)]

    @property
    def closing(self) -> str:
        """The notice as it stands behind a text; where policy wants it in front, for one that has no place there."""
        return self.terms.suffix or SEPARATOR + self.terms.prefix.removesuffix(SEPARATOR)


def terms(
    decisions: Mapping[str, Decision],
    language: str,
    *,
    trusted: bool = False,
    urls: Urls = "refuse",
    home: Home | None = None,
) -> Terms:
    """The terms of answers of which these decisions were made, one for each kind of content that they may hold.

    ``language`` is the request's Accept-Language value, or empty; for the others see Terms.
    """
    prefix = suffix = badge_words = ""
    badge: ImageNotice | None = None
    carriers: frozenset[str] = frozenset()
    shown: set[str] = set()
    blocks = False
    convert: frozenset[str] = frozenset()
    for decision in decisions.values():
        carriers |= decision.metadata
        convert |= decision.convert
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
        convert,
    )


def mark(operator: Operator, agreed: Terms, produce_id: str) -> Mark:
    """The mark of one answer."""
    return Mark(operator, produce_id, operator.issuer.first_write(produce_id), agreed)
