"""One exchange from start to end: the request taken in, the upstream asked, its answer sent, and every failure met.

What happens when something breaks, before the response's start is sent and after:

    upstream refuses, is late, is no HTTP          502 or 504, recorded              abort
    upstream ends early                            502                               abort: never a clean end
    labelling fails, policy blocks                 502 with the reason, recorded     abort, recorded
    labelling fails, policy passes                 the bytes, marked unlabelled      the bytes; the record says so
    the content coding is corrupt                  502                               abort
    the client leaves                              the upstream's connection closes at once; recorded
    the record cannot be kept                      503, or passes and is counted     abort, or passes and is counted
    too much memory or work is promised            503 with Retry-After              abort
"""

import asyncio
import logging

from proxy.account import Account, Unrecorded
from proxy.answer import Answer
from proxy.bounds import Lease
from proxy.client import Aborted, Client, ClientLeft, Receive, Scope, Send, TooLarge, Unreadable
from proxy.dialects.dialect import Dialect, Match
from proxy.failures import FAILURES, OURS, Failure, met
from proxy.label.provenance import Making
from proxy.labelling import headers as fields
from proxy.labelling.coding import Decoder, decoders, undone
from proxy.labelling.errors import CodingError, LabellingError, Swollen
from proxy.labelling.location import linked
from proxy.labelling.message import Headers, RequestHead, ResponseHead
from proxy.labelling.request import Asked, asks_for_ciphertext, read, told, unread
from proxy.labelling.watermark import forced
from proxy.links import LinkError
from proxy.look import CIPHERTEXT
from proxy.observed import Observed
from proxy.record.outcome import Outcome
from proxy.record.trace_context import TRACEPARENT
from proxy.service import Claim, Service
from proxy.settings import Route
from proxy.succession import Succession
from proxy.upstream import Body, Response
from proxy.websocket import WebSocket

log = logging.getLogger("countermark")


class Relay:
    """The ASGI application that stands in front of the upstreams. An exchange is served from its start to its end by
    the Service that was in force when it began."""

    def __init__(self, services: Succession) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._services.reign as service:
            await _Exchange(service, Client(scope, receive, send, service.settings.limits.idle)).run()

    async def linked(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the medium that a link of ours leads to, of which the request's path is one (see links.py)."""
        with self._services.reign as service:
            exchange = _Exchange(service, Client(scope, receive, send, service.settings.limits.idle))
            await exchange.run(linked=scope["path"])


class _Exchange:
    """One request and its response."""

    __slots__ = ("_account", "_client", "_lease", "_response", "_service", "_trail")

    def __init__(self, service: Service, client: Client) -> None:
        self._service = service
        self._client = client
        self._lease = Lease(service.memory)
        self._response: Response | None = None
        self._account: Account | None = None
        self._trail = service.trails.begin(client.head.method, client.only(TRACEPARENT), service.policy)

    async def run(self, linked: str = "") -> None:
        """Serve the exchange; ``linked`` is the path where it is a link of ours. Raises Aborted where the connection
        must be cut, and nothing else."""
        client = self._client
        try:
            if linked:
                await self._linked(linked)
            else:
                await self._serve(self._service.claim(client.head, client.path))
        except (ClientLeft, asyncio.CancelledError):
            await self._give_up()
            if not client.left:
                raise
        except FAILURES as error:
            await self._fail(met(error, started=client.started))
        except Exception:
            log.exception("an exchange failed")
            await self._fail(OURS)
        finally:
            client.unwatch()
            self._lease.end()
            if self._response is not None:
                await self._response.close()
            if self._account is not None:
                self._trail.moved(self._account.bytes_in, self._account.bytes_out)
                self._service.fingerprint(self._account)
            self._trail.end(client.status, client.begun)

    async def _serve(self, claim: Claim) -> None:
        client = self._client
        self._trail.routed(claim.route, claim.dialect, claim.path)
        if claim.route is None:
            await client.refuse(404, "no_route", "no route of this proxy serves this path")
        elif client.asks_for_socket:
            await self._websocket(claim, claim.route)
        elif client.field(b"transfer-encoding") and any(
            name == b"transfer-encoding" and coding.lower() != b"chunked" for name, coding in client.head.headers
        ):
            # The server undoes chunked and nothing else: what lies below would go on without its name.
            await client.refuse(501, "transfer_coding", "of the transfer codings, only chunked is known here")
        elif claim.dialect is not None and claim.route.mode == "observe":
            await self._observed(claim)
        elif claim.dialect is not None:
            await self._claimed(claim)
        elif claim.route.unclaimed == "refuse" and claim.route.mode == "enforce" and not claim.harmless:
            self._service.counts.refused += 1
            message = "this path is none whose answers the proxy can label, and the route refuses such paths"
            await client.refuse(403, "unclaimed", message)
        else:
            await self._unclaimed(claim)

    async def _websocket(self, claim: Claim, route: Route) -> None:
        socket = WebSocket(self._service, self._client, claim, route, self._lease, self._trail)
        try:
            await socket.run()
        finally:
            self._account = socket.account

    async def _unclaimed(self, claim: Claim) -> None:
        """Pass a request that no dialect claims, and its response, as they come."""
        assert claim.route is not None
        client, counts = self._client, self._service.counts
        body, length = await self._upload(claim)
        client.watch()
        outbound = self._outbound(claim, claimed=False)
        response = await self._ask(claim, outbound, body, length)
        headers = fields.passed(response.head.headers)
        if not claim.harmless:
            counts.unclaimed += 1
            if counts.is_new(claim.path):
                log.warning("unclaimed: %s /%s passes without a label", client.head.method, claim.path[:512])
            if claim.route.mode == "enforce":
                headers += [(fields.STATUS, b"unclaimed"), *fields.exposed(response.head.headers)]
        await client.start(response.head.status, headers)
        while data := await response.read():
            self._trail.moved(len(data), len(data))
            await client.send(data)
        await client.finish()

    async def _claimed(self, claim: Claim) -> None:
        """Read a request that a dialect claims, ask the upstream, and answer with a label."""
        assert claim.dialect is not None
        assert claim.match is not None
        assert claim.route is not None
        client, dialect, trail = self._client, claim.dialect, self._trail
        outbound = self._outbound(claim, claimed=True)
        said = told(dialect, claim.match, claim.model, client.field(b"accept"))
        body: Body
        length, asked, changed = None, unread(said), False
        if client.field(b"content-type").lower().startswith(b"multipart/"):
            body, length = await self._upload(claim)
        else:
            whole, outbound = await self._decoded(outbound)
            since = trail.now()
            request = read(dialect, self._service.operator.notices, whole, said)
            trail.spent("parse", since)
            asked, body = request.asked, request.body or None
            changed = request.body is not whole or bool(client.field(b"content-encoding"))
        decisions = trail.timed("decide", self._service.decide)(claim, asked, client, streaming=asked.streaming)
        account = self._account = self._service.account(client, claim, asked, decisions, trail)
        marked = forced(dialect, claim.match, decisions, body)
        account.amiss = marked.cannot
        changed, body = changed or marked.body is not body, marked.body
        outbound = [field for field in outbound if field[0] not in marked.without] if marked.without else outbound
        cannot = CIPHERTEXT if asks_for_ciphertext(dialect, client.head.headers) else ""
        blocked = cannot and any(one.acts and one.on_failure == "block" for one in decisions.values())
        if blocked or marked.refused:
            message = cannot if blocked else marked.cannot
            await self._fail(Failure(400, "not_labelled", message, Outcome.BLOCKED, "NotLabelled"))
            return
        if dialect.kinds and "text" not in dialect.kinds:
            self._service.workshop.check()
        if asked.streaming:
            account.open()
        client.watch()
        response = await self._ask(claim, outbound, body, length, changed=changed)
        account.answered()
        if dialect.link_headers and claim.route.policies:
            head, public_url = response.head, self._service.settings.public_url
            fields_to_us = linked(head.headers, dialect.link_headers, claim.route.upstream.url, public_url)
            response.head = ResponseHead(head.status, fields_to_us)
        answer = Answer(self._service, client, claim, asked, decisions, response, account, self._lease, cannot)
        await answer.send()

    async def _observed(self, claim: Claim) -> None:
        """Pass a request that a dialect claims, and its response, as they come: labelling only looks on."""
        observed = Observed(self._service, self._client, claim, self._trail)
        body, length = await observed.request(self._lease)
        self._account = observed.account
        self._client.watch()
        await observed.send(await self._ask(claim, self._outbound(claim, claimed=False), body, length))

    async def _linked(self, path: str) -> None:
        """Fetch what an earlier answer's link leads to, and answer with it as with a medium of the upstream's own."""
        client, service = self._client, self._service
        method, media = client.head.method, service.media
        try:
            if media is None or method not in ("GET", "HEAD"):
                raise LinkError(404, "there is no such link")
            opened = media.open(path)
        except LinkError as error:
            await client.refuse(error.status, "no_link", str(error))
            return
        await client.body(0, self._lease)
        link = opened.link
        dialect = Dialect(link.dialect, link.dialect, (), whole=True)
        match = Match(frozenset((method,)), path, stored=True, alters=link.altered)  # the same bytes get the same ids
        claim, asked = Claim(link.path, opened.route, dialect, match), Asked(model=link.model)
        self._trail.routed(claim.route, dialect, claim.path)
        decisions = self._trail.timed("decide", service.decide)(claim, asked, client, streaming=False)
        account = self._account = service.account(client, claim, asked, decisions, self._trail)
        service.workshop.check()
        client.watch()
        response = self._response = await media.fetch(opened, Lease(service.memory), head=method == "HEAD")
        account.answered()
        making = Making(link.seconds, link.model, link.altered)
        await Answer(service, client, claim, asked, decisions, response, account, self._lease, making=making).send()

    def _outbound(self, claim: Claim, *, claimed: bool) -> Headers:
        assert claim.route is not None
        peer = self._client.peer(self._service.settings.trusts)
        upstream = claim.route.upstream
        return fields.outbound(self._client.head, peer, upstream.origin, claimed=claimed, forwarded=upstream.forwarded)

    async def _decoded(self, outbound: Headers) -> tuple[bytes, Headers]:
        """The request's body, decoded, and its outbound fields: a coding that was undone is no longer named."""
        limit = self._service.bounds.whole_body
        body = await self._client.body(limit, self._lease)
        coding = fields.joined(self._client.head.headers, b"content-encoding")
        if not coding:
            return body, outbound
        try:
            chain = decoders(coding)
        except LabellingError:
            name = coding.decode("ascii", "replace")
            raise Unreadable(415, f"the request's content coding {name!r} is not known here") from None
        try:
            return self._undone(chain, body), [field for field in outbound if field[0] != b"content-encoding"]
        except CodingError:
            raise Unreadable(400, "the request's content coding is corrupt") from None

    def _undone(self, chain: tuple[Decoder, ...], body: bytes) -> bytes:
        limit = self._service.bounds.whole_body
        try:
            whole = undone(chain, body, limit, self._lease.take)
        except Swollen:
            raise TooLarge(f"the request's body is longer than {limit} bytes") from None
        for one in chain:
            one.end()
        return whole

    async def _upload(self, claim: Claim) -> tuple[Body, int | None]:
        """A body that nobody reads: as it comes, and its length; or whole, where we sign it."""
        assert claim.route is not None
        if claim.route.upstream.sign is None:
            return await self._client.upload()
        return await self._client.body(self._service.bounds.whole_body, self._lease) or None, None

    async def _ask(
        self, claim: Claim, headers: Headers, body: Body, length: int | None, *, changed: bool = False
    ) -> Response:
        assert claim.route is not None
        head, settings = self._client.head, claim.route.upstream
        if settings.sign is None and self._client.field(b"authorization"):
            self._service.doubt(head, settings, changed=changed)
        upstream = self._service.upstreams[settings.name]
        headers = self._trail.asks(headers, settings)
        response = self._response = await upstream.send(RequestHead(head.method, head.target, headers), body, length)
        self._trail.answered(response.head.status)
        return response

    async def _fail(self, failure: Failure) -> None:
        """The exchange failed: say so where nothing was sent, and cut the connection where something was."""
        client, message = self._client, failure.message
        client.unwatch()  # its leaving changes nothing any more
        log.warning("%s: %s", failure.outcome.value, message)
        started = client.started
        if self._account is not None:
            if not started:
                self._account.unsent()
            try:
                await self._account.settle(failure.outcome, message, status=0 if started else failure.status)
            except Unrecorded:
                pass  # counted and logged; the client hears of a failure in any case
        self._trail.failed(failure.kind, failure.outcome)
        if started:
            raise Aborted(message)
        await client.refuse(failure.status, failure.code, message, failure.retry_after)

    async def _give_up(self) -> None:
        """The client left: close the upstream's connection at once, then write it down."""
        if self._response is not None:
            await self._response.close()
        if self._account is not None:
            if not self._client.started:
                self._account.unsent()
            try:
                await self._account.settle(Outcome.CLIENT_LEFT, "the client closed its connection", status=0)
            except Unrecorded:
                pass  # counted and logged
        self._trail.failed("ClientLeft", Outcome.CLIENT_LEFT)
