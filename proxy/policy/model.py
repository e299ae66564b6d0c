"""The law of this file: a policy is what its file says, no more; what follows from it is worked out elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from proxy.policy.conditions import KINDS, When
from proxy.policy.decision import (
    Backing,
    BadgeMark,
    BadgePosition,
    Carrier,
    Convertible,
    OnFailure,
    TextNotice,
    Undrawable,
    Words,
)
from proxy.policy.facts import Facts

__all__ = ["BadgeTerms", "Example", "Policy", "Rule"]


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
class Rule:
    """One rule: to which responses it applies, what they must carry, and the clause of the law that says so.
    ``convert`` names the formats of pictures that may become PNG for it."""

    id: str
    when: When
    clause: str
    notice: TextNotice | BadgeTerms | None
    metadata: frozenset[Carrier]
    on_failure: OnFailure
    convert: frozenset[Convertible] = frozenset()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of content that the rule speaks about."""
        return dict(self.when).get("kind", KINDS)


@dataclass(frozen=True, slots=True)
class Example:
    """Facts, and what the policy's writer expects to be decided: the fields that were given, by name."""

    facts: Facts
    decision: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Policy:
    """One regime. ``retired_words`` were in force once and are still stripped from history; ``canonical`` is the
    content that the policy set's digest covers, comments excepted."""

    id: str
    title: str
    as_of: date
    sources: tuple[str, ...]
    requires: str
    rules: tuple[Rule, ...]
    retired_words: tuple[str, ...]
    examples: tuple[Example, ...]
    canonical: str
