"""What exchanges share: one policy set and all that goes with it, put together once (see assembly.py).

Whoever changes the configuration makes a new Service; an exchange keeps the one it began with (see succession.py).
"""

import asyncio
import logging
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proxy import upstream as client
from proxy.account import Account
from proxy.bounds import Memory
from proxy.client import Client
from proxy.counts import Counts
from proxy.dialects.dialect import Dialect, Match
from proxy.dialects.find import Finder, model_in, readings
from proxy.dialects.fit import fits, is_conditional
from proxy.keys import Keys
from proxy.label.identifier import produce_id
from proxy.labelling.mark import Home, Operator, Terms, terms
from proxy.labelling.message import RequestHead
from proxy.labelling.plan import Bounds
from proxy.labelling.request import Asked
from proxy.ledger import Ledger
from proxy.policy.decision import Decision
from proxy.policy.facts import KINDS, Deepfake, Facts, Wish
from proxy.policy.words import preferred
from proxy.record.exchange import clip
from proxy.settings import Route, Settings, UpstreamSettings
from proxy.signing import broken, whose
from proxy.upstream_websocket import Sockets
from proxy.workshop import Workshop

if TYPE_CHECKING:
    from proxy.linked_media import LinkedMedia

_MOST_PATHS = 4096
_MOST_TERMS = 1024
_MOST_TENANTS = 1024
_LONGEST = 512  # bytes of a path or a credential that is remembered: a head may have 64 KiB of either
_LONGEST_LANGUAGE = 256  # bytes of an Accept-Language that is read

# Only who is behind a trusted peer can be told by another field: anybody can write one, and a credential is checked.
_CREDENTIALS = frozenset({"authorization", "api-key", "x-api-key"})

# What a client asks for of the notice that people see, where rules let it.
_NOTICE = b"countermark-notice"
_LANGUAGE = b"accept-language"
_WISHES: dict[bytes, Wish] = {b"show": "show", b"hide": "hide"}

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

    def decide(self, claim: Claim, asked: Asked, asker: Client, *, streaming: bool) -> dict[str, Decision]:
        """What the route's policies say of each kind of content that the dialect's answers hold. Of the asker is found
        out what rules ask about, and no more."""
        route, dialect = claim.route, claim.dialect
        assert route is not None
        assert dialect is not None
        rules, upstream = route.rules, route.upstream.name
        tenant = self._tenant_as_asked(asker) if rules.asks("tenant") else ""
        language = preferred(_bounded(asker.field(_LANGUAGE).decode("latin-1"))) if rules.asks("language") else ""
        deepfake = self._deepfake(route, asker) if rules.asks("deepfake") else "unknown"
        wish = _WISHES.get(asker.field(_NOTICE).strip().lower(), "") if rules.asks("wish") else ""
        circumstances = streaming, tenant, language, asked.informed, deepfake, wish
        return {
            kind: rules.decide(Facts(kind, dialect.name, claim.path, asked.model, upstream, route.path, *circumstances))
            for kind in KINDS
            if kind in dialect.kinds
        }

    def terms(self, decisions: Mapping[str, Decision], language: str, route: Route) -> Terms:
        """The terms of these decisions on one of our routes, remembered; the rules give the same object for the same
        decision.

        ``language``: an Accept-Language value; one that is longer than any honest one says nothing.
        """
        language = _bounded(language)
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
        # Where nothing is to be changed, nothing is to be held back for a record either.
        on_failure = "pass" if claim.route.mode == "observe" else settings.ledger.on_failure
        return Account(identifier, now, self.ledger, on_failure, self.counts, facts)

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

    def _tenant_as_asked(self, asker: Client) -> str:
        """Who asks, as policies know it: what records say of a credential, and any other header's value, believed."""
        name = self.settings.tenant
        if name is None or name in _CREDENTIALS:
            return self._tenant(asker.head, "")
        said = asker.field(name.encode()) if asker.peer(self.settings.trusts).trusted else b""
        return said.decode("latin-1") if len(said) <= _LONGEST else ""

    def _deepfake(self, route: Route, asker: Client) -> Deepfake:
        says, header = route.deepfake
        if header and asker.peer(self.settings.trusts).trusted:
            return route.deepfake.of(asker.field(header))
        return says

    def doubt(self, head: RequestHead, upstream: UpstreamSettings, *, changed: bool) -> None:
        """Tell the operator, once an upstream, where a signature of the client's own cannot hold; ``changed``: its body
        is no longer the client's."""
        why = broken(head, upstream.url, changed=changed)
        if why and self.counts.is_new(f"signature {upstream.name}"):
            log.warning("upstream %s: %s", upstream.name, why)

    async def close(self, beside: Iterable["Service"] = ()) -> None:
        """Close connections, processes and the ledger, but for those that Services ``beside`` work with too; what is
        under way fails, what is written stays."""
        others = list(beside)
        kept = {id(one) for other in others for one in (*other.upstreams.values(), other.workshop, other.ledger)}
        for one in self.upstreams.values():
            if id(one) not in kept:
                await one.aclose()
        if id(self.workshop) not in kept:
            await asyncio.to_thread(self.workshop.close)  # it waits for its processes to end
        if self.ledger is not None and id(self.ledger) not in kept:
            self.ledger.close()


def _bounded(language: str) -> str:
    """An Accept-Language value; one that is longer than any honest one says nothing."""
    return language if len(language) <= _LONGEST_LANGUAGE else ""


def _trace_id(traceparent: bytes) -> str:
    """The trace id of a W3C Trace Context header, or an empty string where it has none."""
    parts = traceparent.decode("latin-1").split("-")
    if len(parts) < 4 or len(parts[1]) != 32 or set(parts[1]) == {"0"} or not set(parts[1]) <= set("0123456789abcdef"):
        return ""
    return parts[1]
