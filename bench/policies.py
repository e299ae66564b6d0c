"""What a decision costs: 10 rules against 10,000, and clients that vary what they send at will.

    python bench/policies.py

Each line is the least of several runs, in microseconds a decision (one exchange asks for one decision for each kind of
content that its API's answers may hold).
"""

from __future__ import annotations

import random
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import date
from itertools import cycle

from proxy.policy.decision import TextNotice
from proxy.policy.facts import Facts
from proxy.policy.model import Policy, Rule
from proxy.policy.policies import PolicySet, Rules
from proxy.policy.words import Words

DECISIONS, RUNS = 20_000, 9


def policy(count: int) -> Policy:
    """So many rules: for models by name and by pattern, for paths, tenants and languages, and one for the rest."""
    shapes: list[Callable[[int], tuple[tuple[str, tuple[str, ...]], ...]]] = [
        lambda n: (("model", (f"model-{n}",)),),
        lambda n: (("model", (f"family-{n}-*",)),),
        lambda n: (("model", (f"*-tuned-{n}",)),),
        lambda n: (("model", (f"*-{n}-turbo*",)),),
        lambda n: (("path", (f"/tenants/{n}/**",)), ("streaming", ("true",))),
        lambda n: (("tenant", (f"tenant-{n}",)), ("language", ("zh", "de"))),
    ]
    rules = [
        Rule(
            f"r{n}",
            (("kind", ("text",)), *shapes[n % len(shapes)](n)),
            "-",
            TextNotice(Words((("en", f"[{n}]"),))),
            frozenset({"body", "header"}),
            "block",
        )
        for n in range(count - 1)
    ]
    rest = Rule(
        "rest",
        (("kind", ("text",)),),
        "-",
        TextNotice(Words((("en", "[AI]"),))),
        frozenset(),
        "block",
    )
    return Policy("many", "Many", date.min, (), "", (*rules, rest), (), (), str(count))


def steady() -> Iterator[Facts]:
    """A few clients that ask what they always ask."""
    return cycle([Facts("text", "openai.chat", "v1/chat/completions", f"gpt-{n}", tenant="a") for n in range(4)])


def varied() -> Iterator[Facts]:
    """Clients that never name the same path, model, tenant and language twice."""
    chance = random.Random(7)  # noqa: S311  # made-up names
    while True:
        n = chance.randrange(1 << 40)
        yield Facts(
            "text",
            "openai.chat",
            f"v1/{n}/chat",
            f"m{n}-x",
            tenant=f"t{n}",
            language=f"l{n % 977}",
        )


def known() -> Iterator[Facts]:
    """Clients that go through what the rules name."""
    return cycle(
        [
            Facts(
                "text",
                "openai.chat",
                f"tenants/{n}/chat",
                f"model-{n}",
                tenant=f"tenant-{n}",
                language="zh",
            )
            for n in range(10_000)
        ]
    )


def microseconds(rules: Rules, facts: Iterator[Facts]) -> float:
    """Of one decision."""
    least = float("inf")
    for _ in range(RUNS):
        several = [next(facts) for _ in range(DECISIONS)]
        decide = rules.decide
        begun = time.perf_counter()
        for one in several:
            decide(one)
        least = min(least, time.perf_counter() - begun)
    return least / DECISIONS * 1e6


def main() -> None:
    """Print the table."""
    print(f"{'':44}{'10 rules':>10}{'10,000':>10}")
    few, many = (PolicySet({"many": policy(count)}).rules(["many"]) for count in (10, 10_000))
    for name, clients in (
        ("the same few clients", steady),
        ("never the same twice", varied),
        ("all names", known),
    ):
        print(f"{name:44}{microseconds(few, clients()):10.2f}{microseconds(many, clients()):10.2f}")
    begun = time.perf_counter()
    tracemalloc.start()
    rules = PolicySet({"many": policy(10_000)}).rules(["many"])
    size = tracemalloc.get_traced_memory()[0]
    facts = varied()
    for _ in range(10_000):
        rules.decide(next(facts))
    after = tracemalloc.get_traced_memory()[0]
    for _ in range(20_000):
        rules.decide(next(facts))
    grown = tracemalloc.get_traced_memory()[0] - after
    tracemalloc.stop()
    print(f"10,000 rules: compiled in {time.perf_counter() - begun:.1f} s with all that follows, {size >> 10} KiB,")
    print(f"after 10,000 clients {after - size >> 10} KiB more, after 20,000 further ones {grown >> 10} KiB more")


if __name__ == "__main__":
    sys.exit(main())
