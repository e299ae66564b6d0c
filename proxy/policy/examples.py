"""The law of this file: what a policy's writer expects of it is what it does."""

from __future__ import annotations

from collections.abc import Iterator

from proxy.policy.decision import Decision
from proxy.policy.errors import Fault
from proxy.policy.model import Policy
from proxy.policy.policies import Rules

__all__ = ["check_examples"]

_PLAIN = (
    "metadata",
    "convert",
    "on_failure",
    "role",
    "retention",
    "fingerprint",
    "needs",
    "gaps",
    "upstream_watermark",
)
_OF_NOTICES = ("position", "form", "height", "mark", "backing", "undrawable", "shown", "seconds", "interval")


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
    """A decision in the words of an example; what only a notice of another kind has is absent."""
    yield "rule", decision.because[0].partition("/")[2] if decision.because else "none"
    for name in _PLAIN:
        yield name, getattr(decision, name)
    yield "notice", decision.notice is not None
    if decision.notice is not None:
        yield "words", decision.notice.words.pick("") or None
        for name in _OF_NOTICES:
            if hasattr(decision.notice, name):
                yield name, getattr(decision.notice, name)


def _shown(value: object) -> str:
    if isinstance(value, frozenset):
        return f"[{', '.join(sorted(value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return "nothing" if value is None else str(value)
