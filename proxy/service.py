"""What exchanges share: one policy set and all that goes with it, put together once.

Whoever changes the configuration makes a new Service and swaps it; an exchange keeps the one it began with.
"""

import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proxy import upstream as client
from proxy.account import Account
from proxy.bounds import Memory
from proxy.counts import Counts
from proxy.dialects.dialect import Dialect, Match
from proxy.dialects.find import Finder, model_in, readings
from proxy.dialects.fit import fits, is_conditional
from proxy.dialects.table import finder
from proxy.keys import Keys
from proxy.label.identifier import produce_id
from proxy.labelling.issuer import Issuer
from proxy.labelling.mark import Home, Operator, Terms, terms
from proxy.labelling.message import RequestHead
from proxy.labelling.notices import Notices
from proxy.labelling.order import Studio
from proxy.labelling.plan import Bounds
from proxy.labelling.request import Asked
from proxy.ledger import Ledger
from proxy.policy.conditions import KINDS
from proxy.policy.decision import Decision
from proxy.policy.facts import Facts
from proxy.record.exchange import clip
from proxy.settings import Route, Settings, UpstreamSettings
from proxy.signing import broken, whose
from proxy.upstream_signed import signed
from proxy.upstream_websocket import Sockets
from proxy.workshop import Workshop, cores

if TYPE_CHECKING:
    from proxy.linked_media import LinkedMedia

_MOST_PATHS = 4096
_MOST_TERMS = 1024
_MOST_TENANTS = 1024
_LONGEST = 512  # bytes of a path or a credential that is remembered: a head may have 64 KiB of either
_LONGEST_LANGUAGE = 256  # bytes of an Accept-Language that is read

# Only who is behind a trusted peer can be told by another field: anybody can write one, and a credential is checked.
_CREDENTIALS = frozenset({"authorization", "api-key", "x-api-key"})

log = logging.getLogger("countermark")


@dataclass(frozen=True, slots=True)
class Claim:
    """What is known of a request by its head: its route, and the dialect that claims it, as the upstream speaks it, if
    any does.

    ``model`` is the one that the path names, or empty; ``harmless`` is why an unclaimed request needs no report, or
    empty.
    """

    path: str
    route: Route | None
    dialect: Dialect | None = None
    match: Match | None = None
    model: str = ""
    harmless: str = ""


@dataclass(slots=True)
class Service:
    """Settings made into what the relay works with. ``dialects`` are those of each upstream as its server speaks them,
    by its name and theirs."""

    settings: Settings
    keys: Keys
    ledger: Ledger | None
    upstreams: Mapping[str, client.Upstream]
    sockets: Mapping[str, Sockets]
    operator: Operator
    memory: Memory
    workshop: Workshop
    bounds: Bounds
    counts: Counts
    policy: bytes
    media: "LinkedMedia | None"
    dialects: Mapping[str, Mapping[str, Dialect]]
    _finders: Mapping[str, Finder[tuple[Dialect, Match]]]
    _harmless: Finder[str]
    _claims: dict[tuple[str, bytes], tuple[Claim, ...]] = field(default_factory=dict)
    _terms: dict[tuple[object, ...], tuple[Terms, tuple[Decision, ...]]] = field(default_factory=dict)
    _tenants: dict[bytes, str] = field(default_factory=dict)

    def claim(self, head: RequestHead, path: bytes) -> Claim:
        """What a request's head says, and its raw path, which has no query."""
        claims = self._candidates(head.method, path)
        if len(claims) > 1:
            query = head.target.partition(b"?")[2]
            for claim in claims:
                if claim.match is None or fits(claim.match, head.headers, query):
                    return claim
        return claims[-1]

    def _candidates(self, method: str, path: bytes) -> tuple[Claim, ...]:
        """The claims that method and raw path leave, the best first, the last of them without conditions; remembered,
        within a bound that a client cannot push."""
        if len(method) + len(path) > _LONGEST:
            return self._read(method, path)
        known = self._claims.get((method, path))
        if known is None:
            if len(self._claims) >= _MOST_PATHS:
                self._claims.clear()
            known = self._claims[method, path] = self._read(method, path)
        return known

    def _read(self, method: str, path: bytes) -> tuple[Claim, ...]:
        spelled = readings(path)
        plain = "/".join(spelled[0])
        route = self.settings.route(plain)
        if route is None:
            return (Claim(plain, None),)
        claims: list[Claim] = []
        for dialect, match in self._finders[route.upstream.name].find(method, spelled):
            claims.append(Claim(plain, route, dialect, match, model_in(match.pattern, path)))
            if not is_conditional(match):
                return tuple(claims)
        why = self._harmless.find(method, spelled)
        return (*claims, Claim(plain, route, harmless=why[0] if why else ""))

    def decide(self, claim: Claim, asked: Asked, *, streaming: bool) -> dict[str, Decision]:
        """What the route's policies say of each kind of content that the dialect's answers hold."""
        route, dialect = claim.route, claim.dialect
        assert route is not None
        assert dialect is not None
        upstream = route.upstream.name
        return {
            kind: route.rules.decide(
                Facts(kind, dialect.name, claim.path, asked.model, upstream, route.path, streaming)
            )
            for kind in KINDS
            if kind in dialect.kinds
        }

    def terms(self, decisions: Mapping[str, Decision], language: str, route: Route) -> Terms:
        """The terms of these decisions on one of our routes, remembered; the rules give the same object for the same
        decision.

        ``language``: an Accept-Language value; one that is longer than any honest one says nothing.
        """
        if len(language) > _LONGEST_LANGUAGE:
            language = ""
        key: tuple[object, ...] = (*decisions, *map(id, decisions.values()), language, id(route))
        known = self._terms.get(key)
        if known is None:
            if len(self._terms) >= _MOST_TERMS:
                self._terms.clear()
            # The decisions are kept with their terms, so that no other object can take their identity.
            upstream = route.upstream
            home = Home(upstream.url, self.settings.public_url)
            made = terms(decisions, language, trusted=upstream.labels == "trusted", urls=route.urls, home=home)
            known = self._terms[key] = (made, tuple(decisions.values()))
        return known[0]

    def account(
        self, head: RequestHead, claim: Claim, asked: Asked, decisions: Mapping[str, Decision], *, peer: str
    ) -> Account:
        """The account of an exchange that begins now; ``peer`` is the address that the request came from."""
        now = time.time_ns()
        identifier = produce_id(now // 1_000_000, os.urandom(10))
        settings = self.settings
        if self.ledger is None or settings.ledger is None:
            return Account(identifier, now, None, "pass", self.counts, {})
        assert claim.route is not None
        assert claim.dialect is not None
        facts = {
            "trace_id": _trace_id(head.value(b"traceparent")) or identifier,
            "route": claim.route.path,
            "upstream": claim.route.upstream.name,
            "dialect": claim.dialect.name,
            "model": clip(asked.model),
            "tenant": self._tenant(head, peer),
            "method": head.method,
            "policy_set": settings.policy_set.digest,
            "because": tuple(reason for decision in decisions.values() for reason in decision.because),
        }
        return Account(identifier, now, self.ledger, settings.ledger.on_failure, self.counts, facts)

    def _tenant(self, head: RequestHead, peer: str) -> str:
        """The keyed hash of what tells the caller apart; empty where nothing does, or nothing that can be believed."""
        name = self.settings.tenant
        if name is None or not (name in _CREDENTIALS or self.settings.trusts(peer)):
            return ""
        credential = whose(head.value(name.encode()))
        if not credential or len(credential) > _LONGEST:
            return self.keys.hash("tenant", credential) if credential else ""
        known = self._tenants.get(credential)
        if known is None:
            if len(self._tenants) >= _MOST_TENANTS:
                self._tenants.clear()
            known = self._tenants[credential] = self.keys.hash("tenant", credential)
        return known

    def doubt(self, head: RequestHead, upstream: UpstreamSettings, *, changed: bool) -> None:
        """Tell the operator, once an upstream, where a signature of the client's own cannot hold; ``changed``: its body
        is no longer the client's."""
        why = broken(head, upstream.url, changed=changed)
        if why and self.counts.is_new(f"signature {upstream.name}"):
            log.warning("upstream %s: %s", upstream.name, why)

    async def close(self) -> None:
        """Close connections and the ledger; what is under way fails, what is written stays."""
        for one in self.upstreams.values():
            await one.aclose()
        self.workshop.close()
        if self.ledger is not None:
            self.ledger.close()


def service(settings: Settings, keys: Keys, ledger: Ledger | None) -> Service:
    """Put a Service together."""
    limits = settings.limits
    dialects = {
        name: {one.name: one.spoken_by(upstream.server) for one in settings.dialects[name]}
        for name, upstream in settings.upstreams.items()
    }
    return Service(
        settings=settings,
        keys=keys,
        ledger=ledger,
        upstreams={name: _upstream(settings, name) for name in settings.upstreams},
        sockets={name: Sockets(_target(settings, name)) for name in settings.upstreams},
        operator=Operator(
            issuer=Issuer(settings.provider_id, keys.sealing, settings.system, settings.system_version),
            name=settings.provider_name,
            notices=Notices(settings.known_words),
            digest=(lambda text: keys.hash("text", text.encode("utf-8", "surrogatepass"))) if ledger else None,
        ),
        memory=Memory(limits.total_memory),
        workshop=Workshop(Studio(settings.font, limits.pixels), cores(), limits.work_waiting, limits.work_time),
        bounds=Bounds(limits.whole_body, limits.record),
        counts=Counts(),
        policy=settings.policy_set.short_digest.encode(),
        media=_linked_media(settings, keys),
        dialects=dialects,
        _finders={name: finder(spoken.values()) for name, spoken in dialects.items()},
        _harmless=settings.harmless,
    )


def _trace_id(traceparent: bytes) -> str:
    """The trace id of a W3C Trace Context header, or an empty string where it has none."""
    parts = traceparent.decode("latin-1").split("-")
    if len(parts) < 4 or len(parts[1]) != 32 or set(parts[1]) == {"0"} or not set(parts[1]) <= set("0123456789abcdef"):
        return ""
    return parts[1]


def _linked_media(settings: Settings, keys: Keys) -> "LinkedMedia | None":
    if not any(route.urls in ("rewrite", "inline") for route in settings.routes):
        return None
    # Imported here: what fetches takes longer to import than the rest of the proxy, and few need it.
    from proxy.fetch import Fetcher
    from proxy.linked_media import LinkedMedia
    from proxy.links import Links

    limits, public_url = settings.limits, settings.public_url
    links = Links(keys, public_url, limits.link) if public_url is not None else None
    return LinkedMedia(settings.routes, links, Fetcher(limits.fetch, limits.fetch_time))


def _upstream(settings: Settings, name: str) -> client.Upstream:
    upstream = settings.upstreams[name]
    opened = client.open(_target(settings, name), "httpx" if upstream.transport == "httpx" else "http11")
    return opened if upstream.sign is None else signed(opened, name, upstream.url, upstream.sign)


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
