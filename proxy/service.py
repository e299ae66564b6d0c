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
from proxy.account import UNGRANTED, Account
from proxy.bounds import Memory
from proxy.client import Client
from proxy.counts import Counts
from proxy.dialects.dialect import Dialect, Match
from proxy.dialects.find import Finder, model_in, readings
from proxy.dialects.fit import fits, is_conditional
from proxy.fingerprints import Fingerprints
from proxy.followed import Trails
from proxy.identity import Identity
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
from proxy.record.trace_context import TRACEPARENT, parse
from proxy.settings import Route, Settings, UpstreamSettings
from proxy.signing import broken
from proxy.trail import UNFOLLOWED, Trail
from proxy.upstream_websocket import Sockets
from proxy.workshop import Workshop

if TYPE_CHECKING:
    from proxy.linked_media import LinkedMedia

_MOST_PATHS = 4096
_MOST_TERMS = 1024
_LONGEST = 512  # bytes of a path that is remembered: a head may have 64 KiB of it
_LONGEST_LANGUAGE = 256  # bytes of an Accept-Language that is read

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
    fingerprints: Fingerprints | None
    upstreams: Mapping[str, client.Upstream]
    sockets: Mapping[str, Sockets]
    operator: Operator
    memory: Memory
    workshop: Workshop
    bounds: Bounds
    counts: Counts
    trails: Trails
    policy: bytes
    media: "LinkedMedia | None"
    identity: Identity
    dialects: Mapping[str, Mapping[str, Dialect]]
    _finders: Mapping[str, Finder[tuple[Dialect, Match]]]
    _harmless: Finder[str]
    _claims: dict[tuple[str, bytes], tuple[Claim, ...]] = field(default_factory=dict)
    _terms: dict[tuple[object, ...], tuple[Terms, tuple[Decision, ...]]] = field(default_factory=dict)

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
        tenant = self.identity.tenant_as_asked(asker) if rules.asks("tenant") else ""
        language = preferred(_bounded(asker.field(_LANGUAGE).decode("latin-1"))) if rules.asks("language") else ""
        deepfake = self._deepfake(route, asker) if rules.asks("deepfake") else "unknown"
        wish = _WISHES.get(asker.field(_NOTICE).strip().lower(), "") if rules.asks("wish") else ""
        granted = rules.asks("granted") and self.identity.grant(asker, route.upstream) is not None
        circumstances = streaming, tenant, language, asked.informed, deepfake, wish, granted
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
        self,
        asker: Client,
        claim: Claim,
        asked: Asked,
        decisions: Mapping[str, Decision],
        trail: Trail = UNFOLLOWED,
    ) -> Account:
        """The account of an exchange that begins now, and its ``trail``; ``decisions`` are those that were made."""
        now = time.time_ns()
        identifier = trail.id or produce_id(now // 1_000_000, os.urandom(10))
        settings = self.settings
        trail.decided(asked, decisions)
        if self.ledger is None or settings.ledger is None:
            return Account(identifier, now, None, "pass", self.counts, {}, trail)
        assert claim.route is not None
        assert claim.dialect is not None
        facts = {
            "trace_id": trail.trace_id or _trace_id(asker) or identifier,
            "route": claim.route.path,
            "upstream": claim.route.upstream.name,
            "dialect": claim.dialect.name,
            "model": clip(asked.model),
            "tenant": self.identity.tenant(asker),
            "subject": self.identity.subject(asker),
            "method": asker.head.method,
            "policy_set": settings.policy_set.digest,
            "because": tuple(reason for decision in decisions.values() for reason in decision.because),
            **(self.grant(asker, claim, decisions) if claim.route.mode == "enforce" else UNGRANTED),
        }
        # Where nothing is to be changed, nothing is to be held back for a record either.
        on_failure = "pass" if claim.route.mode == "observe" else settings.ledger.on_failure
        return Account(identifier, now, self.ledger, on_failure, self.counts, facts, trail)

    @staticmethod
    def leans_on_grant(claim: Claim, decisions: Mapping[str, Decision]) -> bool:
        """Whether a grant leaves the notice out of something that the answer may hold."""
        asked = claim.route is not None and claim.route.rules.asks("granted")
        return asked and any(decision.leans_on_grant for decision in decisions.values())

    def grant(self, asker: Client, claim: Claim, decisions: Mapping[str, Decision]) -> Mapping[str, str]:
        """The fields of a record that tell of the grant by which an answer may leave without a notice."""
        assert claim.route is not None
        leans = self.leans_on_grant(claim, decisions)
        grant = self.identity.grant(asker, claim.route.upstream) if leans else None
        return UNGRANTED if grant is None else {"grant": grant.id, "agreement": grant.agreement}

    def fingerprint(self, account: Account) -> None:
        """The answer has left, or a part of it, and is recorded: have made what its texts can be found by when they
        were edited."""
        if self.fingerprints is not None and account.recorded and (texts := account.texts()):
            self.fingerprints.take(account.fingerprinted(), texts)

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
        parts = [(*other.upstreams.values(), other.workshop, other.ledger, other.fingerprints) for other in others]
        kept = {id(one) for part in parts for one in part}
        for one in self.upstreams.values():
            if id(one) not in kept:
                await one.aclose()
        if id(self.workshop) not in kept:
            await asyncio.to_thread(self.workshop.close)  # it waits for its processes to end
        if self.fingerprints is not None and id(self.fingerprints) not in kept:
            await asyncio.to_thread(self.fingerprints.close)
        if self.ledger is not None and id(self.ledger) not in kept:
            self.ledger.close()


def _bounded(language: str) -> str:
    """An Accept-Language value; one that is longer than any honest one says nothing."""
    return language if len(language) <= _LONGEST_LANGUAGE else ""


def _trace_id(asker: Client) -> str:
    """The trace that the caller says the request belongs to, or an empty string."""
    said = asker.only(TRACEPARENT)
    context = parse(said) if said else None
    return context.trace_id if context is not None else ""
