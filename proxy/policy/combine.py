"""The law of this file: regimes on one route add up, and in whatever order they are named the sum is the same.

===========  ====================================================================================
metadata     the union
on_failure   the stricter: ``block`` wins
mode         the strictest of ``always``, ``deepfake``, ``optional``, ``off``; where it applies, all notices are given
words        those of all, in the order of the policies' names, each once; on a badge with a dot between them
position     of words: what all agree on; ``both`` where they differ
form         of a mark that people hear: what all agree on; ``both`` where they differ
height       the larger
seconds      the longer time; ``throughout`` wins over ``interval`` and that over ``start``; the shorter interval
place        of the badge: the one that is fixed; two different ones clash, an error before any response
mark         the one that is given; two different ones clash likewise
backing      ``plate`` wins over ``outline``, and that over ``auto``
undrawable   ``refuse`` wins
convert      what all rules for pictures allow
opt_out      heeded where all with a notice offer it; that one offers it on request and another forbids it is a clash.
             A grant counts where they all let it (with ``request``, if the client asks, too) and no rule forbids it
role         ``producer`` wins over ``propagator``, and that over ``preserve``: who must label cannot leave a file alone
retention    the longest
fingerprint  taken where any asks for it
the others   (upstream_watermark, needs, upstream_marks) the union
===========  ====================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final, NamedTuple, get_args

from proxy.policy.decision import (
    AudioNotice,
    Backing,
    BadgePosition,
    Decision,
    DocumentNotice,
    ImageNotice,
    Mode,
    Notice,
    Position,
    Role,
    Shown,
    TextNotice,
    UpstreamMark,
    VideoNotice,
)
from proxy.policy.errors import Fault
from proxy.policy.facts import Deepfake, Wish
from proxy.policy.model import BadgeTerms, NoticeTerms, Policy, Rule, VideoTerms
from proxy.policy.reach import between
from proxy.policy.vocabulary import FACTS, When
from proxy.policy.words import Words

__all__ = ["Circumstances", "clashes", "combine"]

# Where no regime cares, the badge goes where people have come to look for it.
USUAL_POSITION: BadgePosition = "bottom-right"

# The strictest first, or what is surer to be read.
_MODES: tuple[Mode, ...] = get_args(Mode)
_ROLES: tuple[Role, ...] = get_args(Role)
_BACKINGS: tuple[Backing, ...] = ("plate", "outline", "auto")
_SHOWN: tuple[Shown, ...] = ("throughout", "interval", "start")

NO_DEEPFAKE = "what is made is no deepfake, as the operator says"
NOT_WISHED = "the notice is given where the client asks for it"
WISHED_AWAY = "the client asked for no notice, as the rules let it"
GRANTED = "delivered without the notice: a grant (Measures, Art. 9)"


class Circumstances(NamedTuple):
    """What decides, beside the rules, whether a notice is given: whether it may be a deepfake, the client's wish, and
    whether it holds a grant."""

    deepfake: Deepfake = "unknown"
    wish: Wish = ""
    granted: bool = False


USUAL_CIRCUMSTANCES: Final = Circumstances()


def combine(
    rules: Sequence[tuple[str, Rule]],
    circumstances: Circumstances = USUAL_CIRCUMSTANCES,
    marks: frozenset[UpstreamMark] = frozenset(),
) -> Decision:
    """The decision that the winning rules come to, one of each policy, given with their policies' names; ``marks`` are
    those that the upstream is said to add."""
    spoken = sorted(rules, key=lambda pair: pair[0])
    notices = [rule.notice for _, rule in spoken if rule.notice is not None and rule.mode != "off"]
    hidden = _hidden([rule for _, rule in spoken], circumstances)
    allowed = [rule.convert for _, rule in spoken if rule.kinds == ("image",)]
    return Decision(
        notice=None if hidden or not notices else _notice(notices),
        metadata=frozenset().union(*(rule.metadata for _, rule in spoken)),
        on_failure="pass" if spoken and all(rule.on_failure == "pass" for _, rule in spoken) else "block",
        because=tuple(f"{policy}/{rule.id}" for policy, rule in spoken),
        convert=frozenset.intersection(*allowed) if allowed else frozenset(),
        role=min((rule.role for _, rule in spoken), key=_ROLES.index, default="producer"),
        retention=max((rule.retention for _, rule in spoken), default=0),
        fingerprint=any(rule.fingerprint for _, rule in spoken),
        upstream_watermark=any(rule.upstream_watermark for _, rule in spoken),
        hidden=hidden,
        granted=hidden == GRANTED,
        needs=frozenset().union(*(rule.needs for _, rule in spoken)),
        upstream_marks=marks,
    )


def _hidden(rules: Sequence[Rule], circumstances: Circumstances) -> str:
    """Why these rules' notices are not given; empty where they are, or where there is none."""
    noticing = [rule for rule in rules if rule.notice is not None]
    mode = min((rule.mode for rule in noticing), key=_MODES.index, default="off")
    if mode == "off":
        return ""
    if circumstances.wish == "show":
        return ""
    offers = {rule.opt_out for rule in noticing}
    if circumstances.wish == "hide" and offers == {"request"}:
        return WISHED_AWAY
    if mode == "optional":
        return NOT_WISHED
    if mode == "deepfake" and circumstances.deepfake == "no":
        return NO_DEEPFAKE
    # Last, so that no grant is recorded as used where the notice was not due.
    asked = circumstances.wish == "hide" or "request" not in offers
    offered = "grant" in offers <= {"grant", "request"} and all(rule.opt_out != "forbidden" for rule in rules)
    return GRANTED if circumstances.granted and offered and asked else ""


def _notice(notices: Sequence[NoticeTerms]) -> Notice:
    """All notices as one; they are of one kind, as the rules are that gave them."""
    # On a badge each regime's words have a line of their own where there is no room for all on one.
    between = " · " if isinstance(notices[0], BadgeTerms | VideoTerms) else " "
    words = _together([notice.words for notice in notices], between)
    match notices[0]:
        case TextNotice():
            return TextNotice(words, _agreed([one.position for one in notices if isinstance(one, TextNotice)]))
        case DocumentNotice():
            return DocumentNotice(words, _agreed([one.position for one in notices if isinstance(one, DocumentNotice)]))
        case AudioNotice():
            heard = [one for one in notices if isinstance(one, AudioNotice)]
            forms = {one.form for one in heard}
            return AudioNotice(
                words, forms.pop() if len(forms) == 1 else "both", _agreed([one.position for one in heard])
            )
        case BadgeTerms():
            return _badge([one for one in notices if isinstance(one, BadgeTerms)], words)
        case VideoTerms():
            videos = [one for one in notices if isinstance(one, VideoTerms)]
            badge = _badge([one.badge for one in videos], words)
            return VideoNotice(
                words,
                badge.position,
                badge.height,
                badge.mark,
                badge.backing,
                shown=min((one.shown for one in videos), key=_SHOWN.index),
                seconds=max(one.seconds for one in videos),
                interval=min(one.interval for one in videos),
            )


def _badge(badges: Sequence[BadgeTerms], words: Words) -> ImageNotice:
    return ImageNotice(
        words=words,
        position=next((badge.position for badge in badges if badge.position), USUAL_POSITION),
        height=max(badge.height for badge in badges),
        mark=next((badge.mark for badge in badges if badge.mark), None),
        backing=min((badge.backing for badge in badges), key=_BACKINGS.index),
        undrawable="metadata" if all(badge.undrawable == "metadata" for badge in badges) else "refuse",
    )


def _agreed(positions: Sequence[Position]) -> Position:
    return positions[0] if len(set(positions)) == 1 else "both"


def _together(words: Sequence[Words], between: str) -> Words:
    languages = dict.fromkeys(language for one in words for language, _ in one.by_language)
    # A regime without words in some language says its default ones: the law asks for its notice all the same.
    spoken = [one for one in words if one.by_language]
    said = {language: dict.fromkeys(one.pick(language) for one in spoken) for language in languages}
    return Words(tuple((language, between.join(texts)) for language, texts in said.items()))


def clashes(policies: Sequence[Policy]) -> Iterator[Fault]:
    """What the table cannot settle: two rules that put the badge of one picture in different places, that mark one
    picture in different ways, or of which one offers what the other forbids."""
    # Most rules cannot clash with anything: a policy may have thousands of them.
    for first, second in combinations(policies, 2):
        for one in filter(_may_clash, first.rules):
            for other in filter(_may_clash, second.rules):
                differences = list(_differences(f"{first.id}/{one.id}", one, f"{second.id}/{other.id}", other))
                if differences and not _apart(one.when, other.when):
                    yield from (Fault((), difference) for difference in differences)


def _may_clash(rule: Rule) -> bool:
    badge = _badge_of(rule)
    return rule.opt_out != "none" or (badge is not None and (badge.position is not None or badge.mark is not None))


def _differences(one: str, here: Rule, other: str, there: Rule) -> Iterator[str]:
    """What two rules cannot agree on; ``one`` and ``other`` are their names."""
    match _badge_of(here), _badge_of(there):
        case BadgeTerms() as mine, BadgeTerms() as yours:
            if mine.position and yours.position and mine.position != yours.position:
                yield f"{one} puts the badge {mine.position} and {other} {yours.position}: a picture has one badge"
            if mine.mark and yours.mark and mine.mark != yours.mark:
                yield f"{one} marks the picture as {mine.mark} and {other} as {yours.mark}: a picture has one mark"
    for offers, offering, forbids, forbidding in ((one, here, other, there), (other, there, one, here)):
        if offering.opt_out == "request" and offering.shows and forbidding.opt_out == "forbidden":
            yield f"{offers} lets clients ask for no notice, which {forbids} forbids (opt_out)"


def _badge_of(rule: Rule) -> BadgeTerms | None:
    if not rule.shows:
        return None
    if isinstance(rule.notice, VideoTerms):
        return rule.notice.badge
    return rule.notice if isinstance(rule.notice, BadgeTerms) else None


def _apart(one: When, other: When) -> bool:
    """Whether no response can fit both."""
    wanted = dict(other)
    return any(
        name in wanted and not any(_may_meet(name, mine, yours) for mine in patterns for yours in wanted[name])
        for name, patterns in one
    )


def _may_meet(name: str, one: str, other: str) -> bool:
    """Whether some value of the fact ``name`` may fit both patterns."""
    fact = FACTS[name]
    if fact.is_literal(one):
        return fact.match(other)(fact.plain(one))
    if fact.is_literal(other):
        return fact.match(one)(fact.plain(other))
    here, there = fact.clues(one).begin, fact.clues(other).begin
    if not here.startswith(there) and not there.startswith(here):
        return False
    if name == "min_tokens":
        return True
    apart = between(name, (one, other))
    fits = fact.match(one), fact.match(other)
    return not apart.whole or any(all(match(fact.plain(value)) for match in fits) for value in apart.values)
