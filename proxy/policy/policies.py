"""The law of this file: the same facts under the same policies give the same decision, at the same small cost.

Decisions are kept by what the conditions say, never by the facts themselves: a client that varies its path or its model
at will finds the same few answers, and a bound holds in any case.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from proxy.policy.combine import clashes, combine
from proxy.policy.conditions import Conditions
from proxy.policy.decision import Decision, TextNotice
from proxy.policy.errors import Fault, PolicyError
from proxy.policy.facts import Facts
from proxy.policy.model import BadgeTerms, Policy
from proxy.policy.reader import closest

__all__ = ["PolicySet", "Rules"]

KEPT_DECISIONS = 1024


class Rules:
    """The rules of the policies that apply to one route."""

    __slots__ = ("_conditions", "_decided", "policies")

    def __init__(self, policies: Sequence[Policy]) -> None:
        """PolicyError where two of the policies cannot be met together."""
        self.policies = tuple(sorted(policies, key=lambda policy: policy.id))
        faults = list(clashes(self.policies))
        if faults:
            raise PolicyError(faults)
        rules = [(policy.id, rule) for policy in self.policies for rule in policy.rules]
        self._conditions = conditions = Conditions([rule.when for _, rule in rules])
        ranges: list[int] = []
        start = 0
        for policy in self.policies:
            ranges.append((1 << len(policy.rules)) - 1 << start)
            start += len(policy.rules)

        def decided(outcomes: tuple[int, ...]) -> Decision:
            held = conditions.rules(outcomes)
            # Within a policy the first rule that holds speaks.
            mine = [held & one for one in ranges]
            return combine([rules[(bits & -bits).bit_length() - 1] for bits in mine if bits])

        self._decided = lru_cache(maxsize=KEPT_DECISIONS)(decided)

    def decide(self, facts: Facts) -> Decision:
        """What a response of which these facts are known must carry."""
        return self._decided(self._conditions.outcomes(facts))


class PolicySet:
    """All policies that are there, applied or not.

    ``digest`` is the SHA-256 of their content (hex; comments and layout are not content), ``short_digest`` its first
    16 digits. ``every_words`` holds all notices for text that are or ever were in force, longest first; a notice of
    several policies together is some of them one after the other. ``image_words`` holds all words for badges.
    """

    def __init__(self, policies: Mapping[str, Policy]) -> None:
        self.policies = dict(sorted(policies.items()))
        digest = hashlib.sha256()
        for name, policy in self.policies.items():
            digest.update(f"{name}\0{policy.canonical}\0".encode("utf-8", "surrogatepass"))
        self.digest = digest.hexdigest()
        self.short_digest = self.digest[:16]
        rules = [rule for policy in self.policies.values() for rule in policy.rules]
        notices = [rule.notice.words.texts for rule in rules if isinstance(rule.notice, TextNotice)]
        retired = [policy.retired_words for policy in self.policies.values()]
        self.every_words = _longest_first(words for texts in [*notices, *retired] for words in texts)
        badges = [rule.notice.words.texts for rule in rules if isinstance(rule.notice, BadgeTerms)]
        self.image_words = _longest_first(words for texts in badges for words in texts)

    def rules(self, names: Iterable[str]) -> Rules:
        """The rules of the policies so named, in any order. PolicyError on an unknown name and on a clash."""
        wanted = dict.fromkeys(names)
        unknown = [name for name in wanted if name not in self.policies]
        if unknown:
            raise PolicyError(Fault((), f"there is no policy {name}{closest(name, self.policies)}") for name in unknown)
        return Rules([self.policies[name] for name in wanted])


def _longest_first(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(words), key=lambda one: (-len(one), one)))
