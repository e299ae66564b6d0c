"""The law of this file: a policy is what its file says, no more; what follows from it is worked out elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from proxy.policy.decision import (
    AudioNotice,
    Backing,
    BadgeMark,
    BadgePosition,
    Carrier,
    Convertible,
    DocumentNotice,
    Layer,
    Mode,
    OnFailure,
    OptOut,
    Role,
    Shown,
    TextNotice,
    Undrawable,
    UpstreamMark,
)
from proxy.policy.facts import KINDS, Facts
from proxy.policy.vocabulary import When
from proxy.policy.words import Words

__all__ = ["BadgeTerms", "Example", "MarkRow", "NoticeTerms", "Policy", "Rule", "VideoTerms"]


@dataclass(frozen=True, slots=True)
class BadgeTerms:
    """What a rule asks of the badge on a picture, as in ImageNotice. ``position`` is None where the rule leaves the
    choice to others."""

    words: Words
    position: BadgePosition | None
    height: float
    mark: BadgeMark | None = None
    backing: Backing = "auto"
    undrawable: Undrawable = "refuse"


@dataclass(frozen=True, slots=True)
class VideoTerms:
    """What a rule asks of the badge on a video's pictures, and when it is seen, as in VideoNotice."""

    badge: BadgeTerms
    shown: Shown = "start"
    seconds: float = 2.0
    interval: float = 60.0

    @property
    def words(self) -> Words:
        """The words of the badge."""
        return self.badge.words


NoticeTerms = TextNotice | BadgeTerms | AudioNotice | VideoTerms | DocumentNotice


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: to which responses it applies, what they must carry, and the clause of the law that says so.

    mode: when the notice is given: ``always``; where what is made may be a ``deepfake``; ``optional``, where the client
    asks for it; or never (``off``). opt_out: whether a client may ask for no notice (``request``), or needs a ``grant``
    for that, whether nothing is said of it, or whether nobody may offer it. For the others see Decision.
    """

    id: str
    when: When
    clause: str
    notice: NoticeTerms | None
    metadata: frozenset[Carrier]
    on_failure: OnFailure
    convert: frozenset[Convertible] = frozenset()
    mode: Mode = "always"
    opt_out: OptOut = "none"
    role: Role = "producer"
    retention: int = 0
    fingerprint: bool = False
    upstream_watermark: bool = False
    needs: frozenset[Layer] = frozenset()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of content that the rule speaks about."""
        return dict(self.when).get("kind", KINDS)

    @property
    def shows(self) -> bool:
        """Whether there are circumstances in which its notice is given."""
        return self.notice is not None and self.mode != "off"


@dataclass(frozen=True, slots=True)
class MarkRow:
    """Which marks a model's own maker adds to which answers."""

    when: When
    marks: frozenset[UpstreamMark]


@dataclass(frozen=True, slots=True)
class Example:
    """Facts, and what the policy's writer expects to be decided: the fields that were given, by name."""

    facts: Facts
    decision: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Policy:
    """One regime. ``cannot`` says what of it the program does not do, in sentences for people. ``retired_words`` were
    in force once and are still stripped from history; ``canonical`` is the content that the policy set's digest covers,
    comments excepted."""

    id: str
    title: str
    as_of: date
    sources: tuple[str, ...]
    requires: str
    rules: tuple[Rule, ...]
    retired_words: tuple[str, ...]
    examples: tuple[Example, ...]
    canonical: str
    cannot: tuple[str, ...] = ()
    upstream_marks: tuple[MarkRow, ...] = ()
