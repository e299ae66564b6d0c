"""The law of this file: the table of facts is the vocabulary of ``when``; a condition that is not here cannot be asked.

Each row says how a fact is read, how it is spelled for comparison, and which values a pattern fits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from proxy.policy.automaton import BENEATH, Step
from proxy.policy.facts import DEEPFAKE, KINDS, OUTPUTS, Facts
from proxy.policy.patterns import (
    Clues,
    Match,
    is_glob,
    match_name,
    match_path,
    name_clues,
    name_steps,
    path_clues,
    path_steps,
    plain_name,
    plain_path,
)

__all__ = ["FACTS", "GRANTED", "TEXT_ONLY", "UNSAID", "WISH", "Fact", "When"]

# What a rule asks for: each fact that it names, with the patterns of which one must fit.
When = tuple[tuple[str, tuple[str, ...]], ...]


def _as_it_stands(value: str) -> str:
    return value


def _exactly(pattern: str) -> Match:
    return pattern.__eq__


def _no_clues(pattern: str) -> Clues:
    return Clues()


def _within_language(pattern: str) -> Match:
    """RFC 4647 3.3.1, basic filtering: ``zh`` fits ``zh`` and ``zh-TW``."""
    plain = pattern.lower()
    beneath = f"{plain}-"
    return lambda tag: tag == plain or tag.startswith(beneath)


def _as_long_as(pattern: str) -> Match:
    """A text of unknown length may be as long as any."""
    least = int(pattern)
    return lambda tokens: not tokens or int(tokens) >= least


def _tag_steps(tag: str) -> Sequence[Step]:
    return (*tag.lower(), BENEATH)


def _truth(name: str) -> Callable[[Facts], str]:
    read = attrgetter(name)
    return lambda facts: "true" if read(facts) else "false"


@dataclass(frozen=True, slots=True)
class Fact:
    """How one fact is read, spelled and matched.

    ``clues`` are what the values that fit a pattern have in common, so that a value is not held against each of many
    patterns; ``steps`` are the pattern's own (see ``automaton.py``). ``open`` tells whether a pattern may fit more than
    one value; ``values`` lists all that the fact can be, where that is a closed list.
    """

    about: str
    read: Callable[[Facts], str]
    match: Callable[[str], Match] = _exactly
    plain: Callable[[str], str] = _as_it_stands
    clues: Callable[[str], Clues] = _no_clues
    steps: Callable[[str], Sequence[Step]] = tuple
    open: Callable[[str], bool] = bool
    values: tuple[str, ...] = ()

    def is_literal(self, pattern: str) -> bool:
        """Whether ``pattern`` fits exactly one value."""
        return not self.open(pattern)


def _closed(pattern: str) -> bool:
    return False


def _every(pattern: str) -> bool:
    return True


_BOOLEAN = ("true", "false")

FACTS: dict[str, Fact] = {
    "kind": Fact("what the response holds", attrgetter("kind"), open=_closed, values=KINDS),
    "dialect": Fact(
        "the API: a name from countermark dialect list",
        attrgetter("dialect"),
        match_name,
        plain_name,
        name_clues,
        name_steps,
        is_glob,
    ),
    "path": Fact(
        "the request's path; * is a segment or part of one, ** any number of them",
        attrgetter("path"),
        match_path,
        plain_path,
        path_clues,
        path_steps,
        is_glob,
    ),
    "model": Fact(
        "the model, as the client names it",
        attrgetter("model"),
        match_name,
        plain_name,
        name_clues,
        name_steps,
        is_glob,
    ),
    "upstream": Fact("the upstream, by its name in the configuration", attrgetter("upstream"), open=_closed),
    # A route is known by its own pattern, whose stars are part of its name.
    "route": Fact("the route, by its path in the configuration", attrgetter("route"), open=_closed),
    "tenant": Fact(
        "who asks (identity.tenant): a header's value, or of a credential its keyed hash as in records",
        attrgetter("tenant"),
        match_name,
        plain_name,
        name_clues,
        name_steps,
        is_glob,
    ),
    "language": Fact(
        "what Accept-Language likes best; zh fits zh-TW, too",
        attrgetter("language"),
        _within_language,
        str.lower,
        lambda tag: Clues(tag.lower()),
        _tag_steps,
        _every,
    ),
    "streaming": Fact("whether the answer comes piece by piece", _truth("streaming"), open=_closed, values=_BOOLEAN),
    "informed": Fact(
        "whether the conversation that is sent back carries a notice of ours already",
        _truth("informed"),
        open=_closed,
        values=_BOOLEAN,
    ),
    "deepfake": Fact(
        "whether what is made may be taken for real persons, places or events (the route's deepfake)",
        attrgetter("deepfake"),
        open=_closed,
        values=DEEPFAKE,
    ),
    "output": Fact("what a text turns out to be", lambda facts: facts.output or "plain", open=_closed, values=OUTPUTS),
    "min_tokens": Fact(
        "how many tokens a text has at least",
        lambda facts: "" if facts.tokens is None else str(facts.tokens),
        _as_long_as,
        open=_every,
    ),
}

# What is known of texts and of nothing else.
TEXT_ONLY = ("informed", "output", "min_tokens")

# No rule asks for these: the mode of a notice and opt_out say what they count for.
WISH = Fact("what the client asks for of the notice", attrgetter("wish"), open=_closed, values=("", "show", "hide"))
GRANTED = Fact("whether a grant is in force for who asks", _truth("granted"), open=_closed, values=_BOOLEAN)
UNSAID: dict[str, Fact] = {"wish": WISH, "granted": GRANTED}
