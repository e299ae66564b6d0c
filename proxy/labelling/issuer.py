"""Who issues labels: a provider, with the key that seals what it says.

Law: a label of ours names us and bears our seal; one that came from upstream is never doubled and never dropped in
silence (GB 45438-2025 6.1 c), Measures Art. 10). These are plain values: they can travel to another process.
"""

from typing import NamedTuple

from proxy.label.aigc import Aigc, check
from proxy.label.errors import LabelError
from proxy.label.seal import seal, verify
from proxy.labelling.errors import LabellingError
from proxy.policy.decision import Role

_REASON = 200  # characters: the reason may quote what came from upstream


class Issuer(NamedTuple):
    """``provider`` is the code or name that labels bear, ``sealing`` the key of the seal; ``system`` and
    ``system_version`` name what generates (IPTC AISystemUsed, AISystemVersionUsed), empty where nobody said."""

    provider: str
    sealing: bytes
    system: str = ""
    system_version: str = ""

    def first_write(self, produce_id: str) -> Aigc:
        """The sealed label of something that this provider produced."""
        return Aigc.first_write(self.provider, produce_id, seal(self.sealing, self.provider, produce_id, "1"))

    def propagated(self, upstream: Aigc, produce_id: str) -> Aigc:
        """An upstream's label with us as its propagator: only the propagator's fields change (Appendix E)."""
        return Aigc(
            upstream.label,
            upstream.content_producer,
            upstream.produce_id,
            upstream.reserved_code1,
            self.provider,
            produce_id,
            seal(self.sealing, self.provider, produce_id, upstream.label),
        )

    def kept(self, own: Aigc, found: tuple[Aigc, ...], where: str, role: Role) -> Aigc:
        """What becomes of labels that came from upstream; ``own`` is the one that we would write else.

        A producer believes none but a label that bears this operator's seal (another Countermark in the chain): any
        other may be a user's forgery. That an upstream's labels are its own is the operator's word, ``labels: trusted``
        or the ``role`` of a rule; such a label is kept and we become its propagator, or, who preserves, leaves it as it
        is. What is kept is passed on, in header fields too, so it keeps to the standard or is a LabellingError.
        """
        if len(set(found)) > 1:
            raise LabellingError(f"{where} carries labels that contradict each other")
        upstream = found[0]
        sealed = verify(
            self.sealing, upstream.content_producer, upstream.produce_id, upstream.label, upstream.reserved_code1
        )
        if sealed or role != "producer":
            try:
                check(upstream)
            except LabelError as error:
                why = str(error)[:_REASON]
                raise LabellingError(f"{where} carries a label that may not be passed on: {why}") from None
            return upstream if role == "preserve" else self.propagated(upstream, own.produce_id)
        raise LabellingError(
            f"{where} came with a label already, and the upstream is not declared to label what it makes "
            "(labels: trusted)"
        )
