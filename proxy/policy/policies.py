"""The law of this file: the same facts under the same policies give the same decision, at the same small cost.

Decisions are kept by what the conditions say, never by the facts themselves: a client that varies its path or its model
at will finds the same few answers, and a bound holds in any case.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from proxy.policy.combine import Circumstances, clashes, combine
from proxy.policy.conditions import Conditions
from proxy.policy.decision import Decision, TextNotice
from proxy.policy.errors import Fault, PolicyError
from proxy.policy.facts import OUTPUTS, Facts
from proxy.policy.model import Policy
from proxy.policy.reader import closest
from proxy.policy.vocabulary import When

__all__ = ["PolicySet", "Rules"]

KEPT_DECISIONS = 4096


class Rules:
    """The rules of the policies that apply to one route."""

    __slots__ = ("_by_text", "_combined", "_conditions", "_known", "_ranges", "_rules", "_steps", "_tables", "policies")

    def __init__(self, policies: Sequence[Policy]) -> None:
        """PolicyError where two of the policies cannot be met together."""
        self.policies = tuple(sorted(policies, key=lambda policy: policy.id))
        faults = list(clashes(self.policies))
        if faults:
            raise PolicyError(faults)
        self._rules = [(policy.id, rule) for policy in self.policies for rule in policy.rules]
        self._tables = [row for policy in self.policies for row in policy.upstream_marks]
        self._ranges: list[int] = []
        start = 0
        for policy in self.policies:
            self._ranges.append((1 << len(policy.rules)) - 1 << start)
            start += len(policy.rules)
        # Behind the rules' own conditions stand those of the tables of marks, and what a notice's mode asks about.
        self._conditions = Conditions(
            [*(rule.when for _, rule in self._rules), *(row.when for row in self._tables), *self._asked_by_modes()]
        )
        self._steps = _steps(rule.when for _, rule in self._rules)
        self._combined = lru_cache(maxsize=KEPT_DECISIONS)(self._combine)
        self._known: dict[tuple[int, ...], Decision] = {}
        self._by_text: dict[tuple[int, ...], Decision] = {}

    def decide(self, facts: Facts) -> Decision:
        """What a response of which these facts are known must carry; of a text that is not there yet, for each way that
        it may turn out."""
        outcomes = self._conditions.outcomes(facts)
        if self._steps and facts.kind == "text" and not facts.output:
            return self._of_any_text(facts, outcomes)
        known = self._known.get(outcomes)
        if known is None:
            held = self._conditions.rules(outcomes)
            # Within a policy the first rule that holds speaks.
            mine = [held & one for one in self._ranges]
            winners = tuple([(bits & -bits).bit_length() - 1 for bits in mine if bits])
            circumstances = Circumstances(facts.deepfake, facts.wish, facts.granted)
            known = self._combined(winners, held >> len(self._rules), circumstances)
            _keep(self._known, outcomes, known)
        return known

    def asks(self, fact: str) -> bool:
        """Whether any decision depends on this fact, by its name in ``when``, or ``wish`` or ``granted``."""
        return fact in self._conditions.names

    def _of_any_text(self, facts: Facts, outcomes: tuple[int, ...]) -> Decision:
        known = self._by_text.get(outcomes)
        if known is None:
            found = tuple(
                (output, least, self.decide(facts._replace(output=output, tokens=least)))
                for output in OUTPUTS
                for least in self._steps
            )
            known = replace(self.decide(facts._replace(output="plain")), by_text=found)
            _keep(self._by_text, outcomes, known)
        return known

    def _asked_by_modes(self) -> list[When]:
        rules = [rule for _, rule in self._rules if rule.shows]
        asked: list[When] = []
        if any(rule.mode == "deepfake" for rule in rules):
            asked.append((("deepfake", ("no",)),))
        if any(rule.mode in ("deepfake", "optional") or rule.opt_out == "grant" for rule in rules):
            asked.append((("wish", ("show",)),))
        if any(rule.opt_out == "request" for rule in rules):
            asked.append((("wish", ("hide",)),))
        if any(rule.opt_out == "grant" for rule in rules):
            asked.append((("granted", ("true",)),))
        return asked

    def _combine(self, winners: tuple[int, ...], rows: int, circumstances: Circumstances) -> Decision:
        """The decision of the rules at these indexes; ``rows`` are those of the tables of marks that hold, as bits."""
        marks = [row.marks for index, row in enumerate(self._tables) if rows >> index & 1]
        return combine([self._rules[index] for index in winners], circumstances, frozenset().union(*marks))


def _steps(whens: Iterable[When]) -> tuple[int, ...]:
    """The numbers of tokens at which decisions may change, from 0 on; none where no rule asks about a text itself."""
    asked = [dict(when) for when in whens]
    least = {int(number) for when in asked for number in when.get("min_tokens", ())}
    return (*sorted({0, *least}),) if least or any("output" in when for when in asked) else ()


def _keep(kept: dict[tuple[int, ...], Decision], outcomes: tuple[int, ...], decision: Decision) -> None:
    if len(kept) >= KEPT_DECISIONS:
        kept.clear()
    kept[outcomes] = decision


class PolicySet:
    """All policies that are there, applied or not.

    ``digest`` is the SHA-256 of their content (hex; comments and layout are not content), ``short_digest`` its first
    16 digits. ``every_words`` holds all notices for text that are or ever were in force, longest first; a notice of
    several policies together is some of them one after the other.
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

    def rules(self, names: Iterable[str]) -> Rules:
        """The rules of the policies so named, in any order. PolicyError on an unknown name and on a clash."""
        wanted = dict.fromkeys(names)
        unknown = [name for name in wanted if name not in self.policies]
        if unknown:
            raise PolicyError(Fault((), f"there is no policy {name}{closest(name, self.policies)}") for name in unknown)
        return Rules([self.policies[name] for name in wanted])


def _longest_first(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(words), key=lambda one: (-len(one), one)))
