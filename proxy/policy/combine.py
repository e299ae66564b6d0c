"""The law of this file: regimes on one route add up, and in whatever order they are named the sum is the same.

==========  =====================================================================================
metadata    the union
on_failure  the stricter: ``block`` wins
words       those of all, in the order of the policies' names, each once
position    what all agree on; ``both`` where they differ
height      the larger
place       of the badge: the one that is fixed; two different ones clash, an error before any response
mark        the one that is given; two different ones clash likewise
backing     ``plate`` wins over ``outline``, and that over ``auto``
undrawable  ``refuse`` wins
convert     what all rules for pictures allow
==========  =====================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from proxy.policy.conditions import FACTS, When
from proxy.policy.decision import Backing, BadgePosition, Decision, ImageNotice, TextNotice, Words
from proxy.policy.errors import Fault
from proxy.policy.model import BadgeTerms, Policy, Rule

__all__ = ["clashes", "combine"]

# Where no regime cares, the badge goes where people have come to look for it.
USUAL_POSITION: BadgePosition = "bottom-right"

# What is surer to be read wins.
_BACKINGS: tuple[Backing, ...] = ("plate", "outline", "auto")


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
            position=next((badge.position for badge in badges if badge.position), USUAL_POSITION),
            height=max(badge.height for badge in badges),
            mark=next((badge.mark for badge in badges if badge.mark), None),
            backing=min((badge.backing for badge in badges), key=_BACKINGS.index),
            undrawable="metadata" if all(badge.undrawable == "metadata" for badge in badges) else "refuse",
        )
    allowed = [rule.convert for _, rule in spoken if rule.kinds == ("image",)]
    return Decision(
        notice=notice,
        metadata=frozenset().union(*(rule.metadata for _, rule in spoken)),
        on_failure="pass" if spoken and all(rule.on_failure == "pass" for _, rule in spoken) else "block",
        because=tuple(f"{policy}/{rule.id}" for policy, rule in spoken),
        convert=frozenset.intersection(*allowed) if allowed else frozenset(),
    )


def _together(words: Sequence[Words], between: str) -> Words:
    languages = dict.fromkeys(language for one in words for language, _ in one.by_language)
    # A regime without words in some language says its default ones: the law asks for its notice all the same.
    spoken = [one for one in words if one.by_language]
    said = {language: dict.fromkeys(one.pick(language) for one in spoken) for language in languages}
    return Words(tuple((language, between.join(texts)) for language, texts in said.items()))


def clashes(policies: Sequence[Policy]) -> Iterator[Fault]:
    """What the table cannot settle: two rules that put the badge of one picture in different places, or that mark one
    picture in different ways."""
    for first, second in combinations(policies, 2):
        for one in first.rules:
            for other in second.rules:
                match one.notice, other.notice:
                    case BadgeTerms() as here, BadgeTerms() as there:
                        differences = list(_differences(f"{first.id}/{one.id}", here, f"{second.id}/{other.id}", there))
                        if differences and not _apart(one.when, other.when):
                            yield from (Fault((), difference) for difference in differences)


def _differences(one: str, here: BadgeTerms, other: str, there: BadgeTerms) -> Iterator[str]:
    """What two badges cannot agree on; ``one`` and ``other`` are the names of their rules."""
    if here.position and there.position and here.position != there.position:
        yield f"{one} puts the badge {here.position} and {other} {there.position}: a picture has one badge"
    if here.mark and there.mark and here.mark != there.mark:
        yield f"{one} marks the picture as {here.mark} and {other} as {there.mark}: a picture has one mark"


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
