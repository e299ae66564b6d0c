"""The law of this file: a decision is explained by the tables that made it, so that no explanation tells another story.

Which rules speak is found out here by asking each rule about each fact, one by one; ``Rules.decide`` finds it out for
all of them at once. That both agree is a law with a test.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from proxy.policy.decision import Decision
from proxy.policy.facts import Facts
from proxy.policy.model import Policy, Rule
from proxy.policy.policies import Rules
from proxy.policy.together import Together, together
from proxy.policy.vocabulary import FACTS, TEXT_ONLY

__all__ = ["Explanation", "Silent", "Spoken", "explain"]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A rule that speaks: the first of its policy whose conditions hold."""

    policy: Policy
    rule: Rule

    @property
    def name(self) -> str:
        """As in a decision's ``because``."""
        return f"{self.policy.id}/{self.rule.id}"


@dataclass(frozen=True, slots=True)
class Silent:
    """A rule that does not speak, by its name as in ``because``, and why not: one reason at least, for people."""

    name: str
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The decision about some facts with all its reasons. Every rule is among the ``spoken`` or the ``silent``;
    ``differing`` are the rows on which several that spoke differ."""

    facts: Facts
    decision: Decision
    spoken: tuple[Spoken, ...]
    silent: tuple[Silent, ...]
    differing: tuple[Together, ...]


def explain(rules: Rules, facts: Facts) -> Explanation:
    """Why ``rules.decide(facts)`` is what it is. A text that is not there yet is taken to become plain and long; what
    is decided where it turns out otherwise stands in the decision's ``by_text``."""
    spoken: list[Spoken] = []
    silent: list[Silent] = []
    for policy in rules.policies:
        speaker = ""
        for rule in policy.rules:
            why = tuple(_unmet(rule, facts))
            if why:
                silent.append(Silent(f"{policy.id}/{rule.id}", why))
            elif speaker:
                silent.append(Silent(f"{policy.id}/{rule.id}", (f"comes after {speaker}, which speaks first",)))
            else:
                speaker = rule.id
                spoken.append(Spoken(policy, rule))
    decision = rules.decide(facts)
    differing = together([(one.name, one.rule) for one in spoken], decision)
    return Explanation(facts, decision, tuple(spoken), tuple(silent), differing)


def _unmet(rule: Rule, facts: Facts) -> Iterator[str]:
    """What the rule asks for and the facts do not have."""
    for name, patterns in rule.when:
        fact = FACTS[name]
        value = fact.read(facts)
        plain = fact.plain(value)
        if name in TEXT_ONLY and facts.kind != "text" and "kind" in dict(rule.when):
            continue  # its kind says enough
        if any(fact.match(pattern)(plain) for pattern in patterns):
            continue
        wanted = patterns[0] if len(patterns) == 1 else f"one of [{', '.join(patterns)}]"
        if name == "min_tokens":
            yield f"min_tokens: {value} are fewer than {wanted}"
        elif not value:
            yield f"{name}: nothing is known of it, and the rule asks for {wanted}"
        elif len(patterns) > 1:
            yield f"{name}: {value} fits none of [{', '.join(patterns)}]"
        elif fact.is_literal(wanted):
            yield f"{name}: {value}, not {wanted}"
        else:
            yield f"{name}: {value} does not fit {wanted}"
