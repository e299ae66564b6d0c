"""What one answer is to be marked with: the words for people, the AIGC object, and where each goes."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, get_args

from proxy.label.aigc import Aigc
from proxy.label.identifier import item_id
from proxy.label.provenance import UNTOLD, Grounds, Making, Speaker, statement
from proxy.labelling.issuer import Issuer
from proxy.labelling.length import Count, estimate
from proxy.labelling.notices import Notices
from proxy.labelling.text_terms import ByText, TextTerms, by_text, text_terms
from proxy.policy.decision import Decision, ImageNotice, Role, TextNotice
from proxy.policy.facts import Output


@dataclass(frozen=True, slots=True)
class Operator:
    """Who labels, the same for every answer: the issuer of labels, the name that people read, the notices ever in force
    (for the conversation's history).

    ``digest`` is a keyed digest of a text for the record, or None where nothing is recorded; ``stored`` is the key for
    ids that are made from what is stored; ``count`` tells how many tokens a text has, where a rule asks. ``resource``
    is the URL that we are reached under, ``policy_set`` the short digest of the policies in force; empty where unknown.
    """

    issuer: Issuer
    name: str
    notices: Notices
    digest: Callable[[str], str] | None = None
    stored: bytes = b""
    count: Count = estimate
    resource: str = ""
    policy_set: str = ""

    @property
    def speaker(self) -> Speaker:
        """Who speaks in statements."""
        issuer = self.issuer
        return Speaker(self.name, issuer.provider, issuer.system, issuer.system_version, self.resource, self.policy_set)


Urls = Literal["refuse", "rewrite", "inline", "pass"]

_ROLES: Final[tuple[Role, ...]] = get_args(Role)  # the strictest first
_IN_FILES: Final = frozenset({"xmp"})  # carriers that no answer has around them


class Home(NamedTuple):
    """Where an answer comes from and where we are, for URLs in it: the upstream's URL and our own, None if unknown."""

    upstream: str
    public: str | None


class Terms(NamedTuple):
    """What does not change from answer to answer while the decisions and the client's language are the same.

    ``text`` are those of a text; where rules ask what it is and how long, ``by_text`` has them all, and ``text`` are
    those of words for people, as long as any. ``unbadged`` is why pictures get no badge although rules have one.
    ``envelope`` is what carries the label of the answer as a whole; ``beside`` are those of the ``carriers`` that
    content of other kinds than text asks for, by its kind, and ``varies`` says that what the answer turns out to hold
    decides which of them it gets. ``notices`` are the words in force, in every language: who shows one of them is
    labelled already; ``trusted`` says that the upstream's own labels are believed (we are its propagator).
    ``asked_of`` are the kinds of content for which a rule asks for anything, ``urls`` what becomes of media that are
    handed out as URLs, ``convert`` the formats that may become PNG. ``grounds`` are those of statements: of one kind of
    content by its name, and of the answer as a whole under the empty name. ``roles``: what we are for content, by kind.
    ``fingerprint``: what people see of texts is to be gathered, for they are to be found again (see likeness.py).
    ``granted``: some of it goes without a notice because who asks holds a grant.
    """

    text: TextTerms
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
    by_text: ByText | None = None
    beside: Mapping[str, frozenset[str]] = MappingProxyType({})
    varies: bool = False
    unbadged: str = ""
    grounds: Mapping[str, Grounds] = MappingProxyType({})
    roles: Mapping[str, Role] = MappingProxyType({})
    granted: bool = False
    fingerprint: bool = False

    def role(self, kind: str) -> Role:
        """What we are for content of this kind; for an answer as a whole, as for its text. What a trusted upstream has
        labelled is passed on."""
        role = self.roles.get(kind, "producer")
        return "propagator" if self.trusted and role == "producer" else role

    def of_text(self, output: Output, tokens: int | None = None) -> TextTerms:
        """What is shown for a text of this output and so many tokens, None where that is not known."""
        return self.text if self.by_text is None else self.by_text.of(output, tokens)

    @property
    def shows(self) -> bool:
        """Whether any text is shown a notice."""
        return bool(self.text.prefix or self.text.suffix) if self.by_text is None else self.by_text.shows


class Mark(NamedTuple):
    """How one answer is marked: who labels it, its own id, its label, the terms, and how it was made."""

    operator: Operator
    produce_id: str
    aigc: Aigc
    terms: Terms
    making: Making = UNTOLD

    def of_item(self, index: int) -> Aigc:
        """The label of the answer's ``index``-th item, with an id of its own."""
        if index == 0:
            return self.aigc
        return self.operator.issuer.first_write(item_id(self.produce_id, index))

    def statement(self, kind: str = "", index: int = 0) -> str:
        """What the answer says of where it comes from, or of its ``index``-th item, which is of this kind: JSON text;
        empty where no rule asks for it."""
        grounds = self.terms.grounds.get(kind) if "statement" in self.terms.carriers else None
        if grounds is None:
            return ""
        return statement(self.operator.speaker, grounds, self.making, item_id(self.produce_id, index))

    def kept(self, found: tuple[Aigc, ...], where: str) -> Aigc:
        """What becomes of the answer's label where it came with labels from upstream (see ``Issuer.kept``)."""
        return self.operator.issuer.kept(self.aigc, found, where, self.terms.role("text"))


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
    text, various = TextTerms(), None
    badge: ImageNotice | None = None
    badge_words = unbadged = ""
    carriers: frozenset[str] = frozenset()
    beside: dict[str, frozenset[str]] = {}
    asked: set[frozenset[str]] = set()
    shown: set[str] = set()
    blocks = False
    convert: frozenset[str] = frozenset()
    for kind, decision in decisions.items():
        convert |= decision.convert
        # Whatever a text turns out to be: who cannot put a label in has not learnt it.
        every = (decision, *(one for _, _, one in decision.by_text))
        blocks = blocks or any(one.acts and one.on_failure == "block" for one in every)
        metadata = decision.metadata.union(*(one.metadata for one in every))
        carriers |= metadata
        asked.add(metadata - _IN_FILES)
        if kind == "text":
            various = by_text(decision, language) if decision.by_text else None
            text = text_terms(decision, language) if various is None else various.of("plain")
            for one in every:
                if isinstance(one.notice, TextNotice):
                    shown.update(one.notice.words.texts)
            continue
        beside[kind] = metadata
        if isinstance(decision.notice, ImageNotice):
            badge, badge_words = decision.notice, decision.notice.words.pick(language)
        elif kind == "image":
            unbadged = decision.hidden
    envelope = tuple(carrier for carrier in ("body", "header", "disclosure", "statement") if carrier in carriers)
    on_failure: Literal["block", "pass"] = "block" if blocks else "pass"
    asked_of = frozenset(kind for kind, decision in decisions.items() if decision.acts)
    return Terms(
        text,
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
        various,
        beside,
        various is not None or len(asked) > 1,
        unbadged,
        _grounds(decisions) if "statement" in carriers else {},
        _roles(decisions),
        any(decision.leans_on_grant for decision in decisions.values()),
        any(one.fingerprint for one in _of_texts(decisions)),
    )


def _of_texts(decisions: Mapping[str, Decision]) -> tuple[Decision, ...]:
    """What was decided of the answer's texts, whatever they turn out to be."""
    decision = decisions.get("text")
    return () if decision is None else (decision, *(one for _, _, one in decision.by_text))


def _roles(decisions: Mapping[str, Decision]) -> Mapping[str, Role]:
    """What we are, by kind of content; an answer of which no rule for text speaks is what its strictest part is."""
    roles = {kind: decision.role for kind, decision in decisions.items() if decision.acts}
    roles.setdefault("text", min(roles.values(), key=_ROLES.index, default="producer"))
    return roles


def _grounds(decisions: Mapping[str, Decision]) -> dict[str, Grounds]:
    """The grounds of statements, by kind of content; of the answer as a whole only the marks that all kinds bear."""
    found = {
        kind: Grounds(policies(decision.because), tuple(sorted(decision.upstream_marks)))
        for kind, decision in decisions.items()
    }
    marks = [decision.upstream_marks for decision in decisions.values()]
    because = (reason for decision in decisions.values() for reason in decision.because)
    return {**found, "": Grounds(policies(because), tuple(sorted(frozenset.intersection(*marks))))}


def policies(because: Iterable[str]) -> tuple[str, ...]:
    """The names of the policies whose rules have spoken."""
    return tuple(sorted({reason.partition("/")[0] for reason in because}))


def mark(operator: Operator, agreed: Terms, produce_id: str, making: Making = UNTOLD) -> Mark:
    """The mark of one answer."""
    return Mark(operator, produce_id, operator.issuer.first_write(produce_id), agreed, making)
