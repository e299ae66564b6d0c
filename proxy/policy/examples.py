"""The law of this file: what a policy's writer expects of it is what it does."""

from __future__ import annotations

from collections.abc import Iterator

from proxy.policy.decision import Decision, ImageNotice
from proxy.policy.errors import Fault
from proxy.policy.model import Policy
from proxy.policy.policies import Rules

__all__ = ["check_examples"]


def check_examples(policy: Policy) -> tuple[Fault, ...]:
    """Every field of every example that the policy, alone on a route, decides otherwise."""
    rules = Rules([policy])
    faults: list[Fault] = []
    for index, example in enumerate(policy.examples):
        found = dict(_fields(rules.decide(example.facts)))
        for name, expected in example.decision.items():
            if found.get(name) != expected:
                message = f"the example expects {_shown(expected)}, the policy decides {_shown(found.get(name))}"
                faults.append(Fault(("examples", index, "decision", name), message))
    return tuple(faults)


def _fields(decision: Decision) -> Iterator[tuple[str, object]]:
    """A decision in the words of an example; what only a notice of the other kind has is absent."""
    yield "rule", decision.because[0].partition("/")[2] if decision.because else "none"
    yield "metadata", decision.metadata
    yield "convert", decision.convert
    yield "on_failure", decision.on_failure
    if decision.notice is not None:
        yield "words", decision.notice.words.pick("") or None
        yield "position", decision.notice.position
    if isinstance(decision.notice, ImageNotice):
        for name in ("height", "mark", "backing", "undrawable"):
            yield name, getattr(decision.notice, name)


def _shown(value: object) -> str:
    if isinstance(value, frozenset):
        return f"[{', '.join(sorted(value))}]"
    return "nothing" if value is None else str(value)
