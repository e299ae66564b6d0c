"""The law of this file: words that were ever in force stay known, or somebody is told which of them are not.

Clients send notices back in the earlier turns of a conversation. Words that no policy knows any more would go upstream
with them, and a model would learn to write them.
"""

from __future__ import annotations

from proxy.policy.errors import Fault
from proxy.policy.policies import PolicySet

__all__ = ["gone", "lost_words", "unlisted"]


def lost_words(before: PolicySet, after: PolicySet) -> dict[str, tuple[str, ...]]:
    """The words for texts that ``before`` knows and ``after`` does not, by the policy that had them (the first of
    several), in the order of names."""
    lost = set(before.every_words) - set(after.every_words)
    found: dict[str, tuple[str, ...]] = {}
    for name, policy in before.policies.items():
        mine = tuple(words for words in PolicySet({name: policy}).every_words if words in lost)
        if mine:
            found[name] = mine
            lost.difference_update(mine)
    return found


def unlisted(words: tuple[str, ...]) -> Fault:
    """What is wrong with a policy that has lost these words."""
    return Fault(("retired_words",), f"{_spelled(words)} was in force: list it here, {_WHY}")


def gone(words: tuple[str, ...]) -> str:
    """What is wrong where the policy itself is gone, and these words with it."""
    return f"this policy is gone, and {_spelled(words)} with it: list that under retired_words of another one, {_WHY}"


_WHY = "so that it is still cut out of the earlier turns that clients send back"


def _spelled(words: tuple[str, ...]) -> str:
    return " and ".join(map(repr, words))
