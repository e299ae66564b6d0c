"""Everything that a process can say of itself in numbers at this moment, for the desk and for a collector.

The law: reading changes nothing and waits for nothing; any thread may read.
"""

from proxy.metrics import Reading, counter, gauge
from proxy.service import Service
from proxy.shipper import Shipper
from proxy.succession import Succession

__all__ = ["readings"]


def readings(services: Succession) -> list[Reading]:
    """What was counted since the process began, and how things stand in the Service in force."""
    service = services.service
    return [
        *service.counts.readings(),
        *_now(service),
        *_ledger(service),
        *_shipping(services.shipper),
        *_policies(services),
    ]


def _now(service: Service) -> list[Reading]:
    trails, memory = service.trails, service.memory
    return [
        gauge("connections", "Connections that clients have open", trails.connections()),
        gauge("requests_under_way", "Requests that have begun and not ended", trails.under_way),
        gauge("streams_under_way", "Streams and WebSockets that have begun and not ended", trails.streaming),
        gauge("drawing", "Answers whose pictures are labelled now, or wait for it", service.workshop.under_way),
        gauge("memory_promised", "What bodies may take of the memory that limits.total_memory gives", memory.promised,
              unit="By"),
        gauge("memory_limit", "limits.total_memory", service.settings.limits.total_memory, unit="By"),
        counter("spans_dropped", "Spans that found no room on their way to the collector", trails.dropped),
    ]  # fmt: skip


def _ledger(service: Service) -> list[Reading]:
    if service.ledger is None:
        return []
    told = [gauge("ledger_pending", "Records that wait for the disk", service.ledger.pending)]
    if service.fingerprints is not None:
        pending, dropped = service.fingerprints.pending, service.fingerprints.dropped
        told += [
            gauge("fingerprints_pending", "Answers whose fingerprints are still to be made", pending),
            counter("fingerprints_dropped", "Texts that got no fingerprint, for too many were to be made", dropped),
        ]
    return told


def _shipping(shipper: Shipper | None) -> list[Reading]:
    if shipper is None:
        return []
    return [
        gauge("shipping_backlog", "Records that the database they are shipped to does not have yet", shipper.backlog),
        gauge("shipping_oldest", "How long ago the oldest of those records was made", shipper.oldest, unit="s"),
        counter("shipping_failures", "Attempts to ship records that failed", shipper.failures),
    ]


def _policies(services: Succession) -> list[Reading]:
    digest = services.service.policy.decode()
    return [
        gauge("policy_set", "1 for the policy set in force", {(digest,): 1}, ("digest",)),
        gauge("earlier_configurations", "Configurations that exchanges under way began with", services.earlier),
    ]
