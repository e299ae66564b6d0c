"""What was done to one answer, and why: gathered while it is labelled, read when its record is made."""

from dataclasses import dataclass, field

from proxy.label.aigc import Aigc
from proxy.labelling.mark import Mark, kept
from proxy.labelling.verdict import ALREADY
from proxy.record.exchange import Item
from proxy.record.outcome import Outcome


# What people see stands first in an item's list of what was placed.
_VISIBLE = frozenset({"prefix", "suffix", "badge"})


@dataclass(slots=True)
class Done:
    """The items of one answer so far. ``aigc_json`` is the label of the answer as a whole, ``envelope`` what carries it,
    ``failure`` why labelling failed, ``error`` that the upstream sent an error with status 200."""

    mark: Mark
    aigc_json: bytes
    envelope: tuple[str, ...] = ()
    items: list[Item] = field(default_factory=list)
    failure: str = ""
    error: bool = False

    def keep(self, upstream: Aigc, where: str) -> None:
        """The answer came with a label: ours becomes that one with us as its propagator (see ``kept``)."""
        self.aigc_json = kept(self.mark, self.mark.aigc, (upstream,), where).compact().encode()

    def outcome(self) -> tuple[Outcome, str]:
        """One word for the answer, and the reason in words. Nothing that should carry a label and does not is a success."""
        if self.failure:
            return Outcome.UNLABELLED, self.failure
        if self.error:
            return Outcome.ERROR_RESPONSE, "the upstream sent an error"
        reason = ""
        for item in self.items:
            if item.placed and item.placed[0] in _VISIBLE:
                return Outcome.LABELLED, ""
            reason = ALREADY if item.skipped == ALREADY else reason or item.skipped
        if reason == ALREADY:
            return Outcome.ALREADY_LABELLED, ALREADY
        return Outcome.METADATA_ONLY, reason or "no rule asks for a notice"

