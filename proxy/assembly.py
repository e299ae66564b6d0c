"""Settings put together into a Service.

The law: what works stays at work. Where the settings of a part are those of the Service before, the part itself is
taken over: connections stay warm, processes stay up, counts go on, and what exchanges have promised each other holds.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from proxy import upstream as client
from proxy.bounds import Memory
from proxy.counts import Counts
from proxy.dialects.table import finder
from proxy.fingerprints import Fingerprints
from proxy.followed import Trails
from proxy.identity import Identity
from proxy.keys import Keys
from proxy.labelling.issuer import Issuer
from proxy.labelling.length import Count
from proxy.labelling.mark import Operator
from proxy.labelling.notices import Notices
from proxy.labelling.order import Studio
from proxy.labelling.plan import Bounds
from proxy.ledger import Ledger
from proxy.service import Service
from proxy.settings import Settings
from proxy.tokens import counter
from proxy.upstream_signed import signed
from proxy.upstream_websocket import Sockets
from proxy.workshop import Workshop, cores

if TYPE_CHECKING:
    from proxy.linked_media import LinkedMedia

__all__ = ["service"]


def service(settings: Settings, keys: Keys, ledger: Ledger | None, before: Service | None = None) -> Service:
    """Put a Service together, with all that can be taken over from the one before it; safe in a thread of its own.

    Raises ValueError where the settings of an upstream cannot be met.
    """
    limits = settings.limits
    dialects = {
        name: {one.name: one.spoken_by(upstream.server) for one in settings.dialects[name]}
        for name, upstream in settings.upstreams.items()
    }
    return Service(
        settings=settings,
        keys=keys,
        ledger=ledger,
        fingerprints=_fingerprints(ledger, keys, before),
        upstreams={name: _upstream(settings, name, before) for name in settings.upstreams},
        sockets={name: _sockets(settings, name, before) for name in settings.upstreams},
        operator=Operator(
            issuer=Issuer(settings.provider_id, keys.sealing, settings.system, settings.system_version),
            name=settings.provider_name,
            notices=Notices(settings.known_words),
            digest=(lambda text: keys.hash("text", text.encode("utf-8", "surrogatepass"))) if ledger else None,
            count=_count(settings, before),
            resource=settings.public_url or "",
            policy_set=settings.policy_set.short_digest,
        ),
        memory=_memory(settings, before),
        workshop=_workshop(settings, before),
        bounds=Bounds(limits.whole_body, limits.record),
        counts=(trails := _trails(settings, before)).counts,
        trails=trails,
        policy=settings.policy_set.short_digest.encode(),
        media=_linked_media(settings, keys),
        identity=Identity(settings, keys),
        dialects=dialects,
        _finders={name: finder(spoken.values()) for name, spoken in dialects.items()},
        _harmless=settings.harmless,
    )


def _trails(settings: Settings, before: Service | None) -> Trails:
    """What exchanges leave for whoever asks: the desk, a collector, or lines of the log that name their traces."""
    if before is not None:
        return before.trails
    telemetry = settings.telemetry
    follows = settings.desk is not None or telemetry.otlp is not None or telemetry.logs == "json"
    return Trails(Counts(), follows=follows, share=telemetry.sample)


def _fingerprints(ledger: Ledger | None, keys: Keys, before: Service | None) -> Fingerprints | None:
    if ledger is None or (before is not None and before.ledger is ledger):
        return before.fingerprints if before is not None and ledger is not None else None
    return Fingerprints(ledger, keys)


def _count(settings: Settings, before: Service | None) -> Count:
    """What counts tokens; its table is loaded only where a rule asks."""
    if before is not None and _table(before.settings) == _table(settings):
        return before.operator.count
    return counter(*_table(settings))


def _table(settings: Settings) -> tuple[str, Path | None]:
    asked = any(route.rules.asks("min_tokens") for route in settings.routes)
    return settings.tokens.encoding, settings.tokens.tables if asked else None


def _memory(settings: Settings, before: Service | None) -> Memory:
    total = settings.limits.total_memory
    if before is None:
        return Memory(total)
    return before.memory if before.settings.limits.total_memory == total else Memory(total, before.memory)


def _workshop(settings: Settings, before: Service | None) -> Workshop:
    if before is not None and _studio(before.settings) == _studio(settings):
        return before.workshop
    font, pixels, waiting, seconds = _studio(settings)
    return Workshop(Studio(font, pixels), cores(), waiting, seconds)


def _studio(settings: Settings) -> tuple[bytes, int, int, float]:
    limits = settings.limits
    return settings.font, limits.pixels, limits.work_waiting, limits.work_time


def _linked_media(settings: Settings, keys: Keys) -> LinkedMedia | None:
    if not any(route.urls in ("rewrite", "inline") for route in settings.routes):
        return None
    # Imported here: what fetches takes longer to import than the rest of the proxy, and few need it.
    from proxy.fetch import Fetcher
    from proxy.linked_media import LinkedMedia
    from proxy.links import Links

    limits, public_url = settings.limits, settings.public_url
    links = Links(keys, public_url, limits.link) if public_url is not None else None
    return LinkedMedia(settings.routes, links, Fetcher(limits.fetch, limits.fetch_time))


def _upstream(settings: Settings, name: str, before: Service | None) -> client.Upstream:
    upstream, target = settings.upstreams[name], _target(settings, name)
    if before is not None and name in before.settings.upstreams:
        former = before.settings.upstreams[name]
        asked = target, upstream.transport, upstream.sign
        if asked == (_target(before.settings, name), former.transport, former.sign):
            return before.upstreams[name]
    opened = client.open(target, "httpx" if upstream.transport == "httpx" else "http11")
    return opened if upstream.sign is None else signed(opened, name, upstream.url, upstream.sign)


def _sockets(settings: Settings, name: str, before: Service | None) -> Sockets:
    target = _target(settings, name)
    if before is not None and name in before.sockets and target == _target(before.settings, name):
        return before.sockets[name]
    return Sockets(target)


def _target(settings: Settings, name: str) -> client.Target:
    upstream, limits = settings.upstreams[name], settings.limits
    return client.Target(
        url=upstream.url,
        connect_timeout=limits.connect,
        first_byte_timeout=limits.first_byte,
        idle_timeout=limits.idle,
        keep_alive=upstream.keep_alive,
        max_connections=upstream.max_connections,
        header_limit=limits.headers,
        proxy=upstream.proxy,
    )
