"""What a law asks for and nobody adds is told, once for a policy and a layer, with those who do add it."""

from datetime import date

import pytest

from proxy.policy.decision import Role, UpstreamMark
from proxy.policy.facts import Facts
from proxy.policy.gaps import gaps
from proxy.policy.model import MarkRow, Policy, Rule
from proxy.policy.policies import Rules

BOTH = frozenset({"signed-metadata", "watermark"})


def policy(*rows: MarkRow, name: str = "own", role: Role = "preserve", needs: bool = True) -> Policy:
    rules = (
        Rule(
            "media",
            (("kind", ("image", "audio")),),
            "-",
            None,
            frozenset({"header"}),
            "block",
            needs=frozenset({"signed-metadata", "watermark"}) if needs else frozenset(),
            role=role,
        ),
        Rule("text", (("kind", ("text",)),), "-", None, frozenset({"header"}), "block"),
    )
    return Policy(name, name, date(2026, 1, 31), (), "", rules, (), (), name, upstream_marks=rows)


def row(*marks: UpstreamMark, **when: tuple[str, ...]) -> MarkRow:
    return MarkRow(tuple(when.items()), frozenset(marks))


SIGNED = "own asks for signed metadata in {}: nobody is known to add it"
MARKED = "own asks for a watermark in {}: nobody is known to add it"


@pytest.mark.parametrize(
    ("expected", "policies"),
    [
        ([], [policy(needs=False)]),
        ([SIGNED.format("image, audio"), MARKED.format("image, audio")], [policy()]),
        ([SIGNED.format("image, audio")], [policy(row("synthid"))]),
        ([SIGNED.format("image, audio"), MARKED.format("audio")], [policy(row("watermark", kind=("image",)))]),
        (
            [SIGNED.format("image, audio"), MARKED.format("image, audio") + ", but for model gpt-image-* (image)"],
            [policy(row("synthid", kind=("image",), model=("gpt-image-*",)))],
        ),
        (
            [
                SIGNED.format("image, audio"),
                MARKED.format("image, audio")
                + ", but for model a or b (image, audio); upstream x, model c (image, audio)",
            ],
            [policy(row("synthid", model=("a", "b")), row("watermark", upstream=("x",), model=("c",)))],
        ),
        # A signature holds as long as the file is left alone, which all who speak of it must let.
        ([], [policy(row("c2pa", "synthid"))]),
        ([SIGNED.format("image, audio")], [policy(row("c2pa", "synthid"), role="producer")]),
        (
            [SIGNED.format("image, audio")],
            [policy(row("c2pa", "synthid")), policy(name="strict", role="producer", needs=False)],
        ),
    ],
)
def test_gaps(expected: list[str], policies: list[Policy]) -> None:
    assert expected == [gap.told() for gap in gaps(policies)]


@pytest.mark.parametrize("marks", [(), ("synthid",), ("c2pa",), ("c2pa", "watermark")])
@pytest.mark.parametrize("role", ["preserve", "producer"])
def test_without_conditions_they_are_the_decision_s(marks: tuple[UpstreamMark, ...], role: Role) -> None:
    policies = [policy(row(*marks), role=role)]

    told = {gap.layer for gap in gaps(policies) if "image" in gap.kinds}

    assert told == Rules(policies).decide(Facts("image")).gaps
