"""The law of this file: what a law asks for and nobody adds is told before anybody relies on it.

Some layers are nothing that a proxy can put in (a signature over the file, a watermark in its pixels): a policy says
that they are needed, and which models' makers add them. What is left between the two is a gap.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, get_args

from proxy.policy.decision import LAYERS, Layer, UpstreamMark
from proxy.policy.facts import KINDS
from proxy.policy.model import MarkRow, Policy

__all__ = ["NAMES", "Gap", "gaps"]

NAMES: Final[Mapping[Layer, str]] = {"signed-metadata": "signed metadata", "watermark": "a watermark"}


class Gap(NamedTuple):
    """A layer that a policy asks for in these kinds; ``known``: whose makers are known to add it to some of them, as
    conditions for people."""

    policy: str
    layer: Layer
    kinds: tuple[str, ...]
    known: tuple[str, ...] = ()

    def told(self) -> str:
        """The gap in a sentence."""
        nobody = "nobody is known to add it"
        but = f", but for {'; '.join(self.known)}" if self.known else ""
        return f"{self.policy} asks for {NAMES[self.layer]} in {', '.join(self.kinds)}: {nobody}{but}"


def gaps(policies: Sequence[Policy]) -> Iterator[Gap]:
    """The gaps of a route with these policies, whatever its answers turn out to be."""
    rows = [row for policy in policies for row in policy.upstream_marks]
    for policy in policies:
        for layer in get_args(Layer):
            asked = {kind for rule in policy.rules if layer in rule.needs for kind in rule.kinds}
            added = {kind: list(_added(rows, layer, kind, policies)) for kind in KINDS if kind in asked}
            left = tuple(kind for kind, known in added.items() if "" not in known)
            if left:
                known = {told: [kind for kind in left if told in added[kind]] for kind in left for told in added[kind]}
                yield Gap(policy.id, layer, left, tuple(f"{told} ({', '.join(of)})" for told, of in known.items()))


def _added(rows: Sequence[MarkRow], layer: Layer, kind: str, policies: Sequence[Policy]) -> Iterator[str]:
    """By whom a layer is added to this kind, as conditions; an empty one holds always."""
    for row in rows:
        when = dict(row.when)
        if any(_counts(mark, layer, kind, policies) for mark in row.marks) and kind in when.get("kind", KINDS):
            yield ", ".join(f"{name} {' or '.join(values)}" for name, values in row.when if name != "kind")


def _counts(mark: UpstreamMark, layer: Layer, kind: str, policies: Sequence[Policy]) -> bool:
    """Whether a mark is this layer and still is when the answer leaves: a signature is broken by whatever we put in."""
    of_kind = [rule for policy in policies for rule in policy.rules if kind in rule.kinds]
    return LAYERS[mark] == layer and (mark != "c2pa" or all(rule.role == "preserve" for rule in of_kind))
