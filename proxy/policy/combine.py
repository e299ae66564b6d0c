"""The law of this file: regimes on one route add up, and in whatever order they are named the sum is the same.

==========  =====================================================================================
metadata    the union
on_failure  the stricter: ``block`` wins
words       those of all, in the order of the policies' names, each once
position    what all agree on; ``both`` where they differ
height      the larger
corner      the one that is fixed; two different ones clash, and that is an error before any response
==========  =====================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from proxy.policy.conditions import FACTS, When
from proxy.policy.decision import Corner, Decision, ImageNotice, TextNotice, Words
from proxy.policy.errors import Fault
from proxy.policy.model import BadgeTerms, Policy, Rule

__all__ = ["clashes", "combine"]

# Where no regime cares, the badge goes where people have come to look for it.
USUAL_CORNER: Corner = "bottom-right"


def combine(rules: Sequence[tuple[str, Rule]]) -> Decision:
    """The decision that the winning rules come to, one of each policy, given with their policies' names."""
    spoken = sorted(rules, key=lambda pair: pair[0])
    texts = [rule.notice for _, rule in spoken if isinstance(rule.notice, TextNotice)]
    badges = [rule.notice for _, rule in spoken if isinstance(rule.notice, BadgeTerms)]
    notice: TextNotice | ImageNotice | None = None
    if texts:
        positions = {text.position for text in texts}
        notice = TextNotice(
            # Each stands in brackets of its own, so that nothing is needed between them, and nothing is left behind
            # when they are stripped one by one.
            words=_together([text.words for text in texts], ""),
            position=positions.pop() if len(positions) == 1 else "both",
        )
    elif badges:
        notice = ImageNotice(
            words=_together([badge.words for badge in badges], " "),
            corner=next((badge.corner for badge in badges if badge.corner), USUAL_CORNER),
            height=max(badge.height for badge in badges),
        )
    return Decision(
        notice=notice,
        metadata=frozenset().union(*(rule.metadata for _, rule in spoken)),
        on_failure="pass" if spoken and all(rule.on_failure == "pass" for _, rule in spoken) else "block",
        because=tuple(f"{policy}/{rule.id}" for policy, rule in spoken),
    )


def _together(words: Sequence[Words], between: str) -> Words:
    languages = dict.fromkeys(language for one in words for language, _ in one.by_language)
    # A regime without words in some language says its default ones: the law asks for its notice all the same.
    said = {language: dict.fromkeys(one.pick(language) for one in words) for language in languages}
    return Words(tuple((language, between.join(texts)) for language, texts in said.items()))


def clashes(policies: Sequence[Policy]) -> Iterator[Fault]:
    """What the table cannot settle: two rules that put the badge of one picture in different corners."""
    for first, second in combinations(policies, 2):
        for one in first.rules:
            for other in second.rules:
                if (
                    isinstance(one.notice, BadgeTerms)
                    and isinstance(other.notice, BadgeTerms)
                    and one.notice.corner
                    and other.notice.corner
                    and one.notice.corner != other.notice.corner
                    and not _apart(one.when, other.when)
                ):
                    yield Fault(
                        (),
                        f"{first.id}/{one.id} puts the badge {one.notice.corner} and {second.id}/{other.id} "
                        f"{other.notice.corner}: a picture has one badge",
                    )


def _apart(one: When, other: When) -> bool:
    """Whether no response can fit both, as far as plain values tell."""
    wanted = dict(other)
    for name, patterns in one:
        fact = FACTS[name]
        others = wanted.get(name)
        if others is not None and all(map(fact.is_literal, (*patterns, *others))):
            plain = {fact.plain(pattern) for pattern in patterns}
            if plain.isdisjoint(fact.plain(pattern) for pattern in others):
                return True
    return False
