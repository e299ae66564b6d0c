"""One exchange from start to end: the only place where await meets labelling.

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
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from typing import Any

import orjson

from proxy.account import Account, Unrecorded
from proxy.bounds import RETRY_AFTER, Lease, Overloaded
from proxy.label.identifier import derived_id, produce_id
from proxy.labelling import headers as fields
from proxy.labelling.coding import Decoder, decode, decoders
from proxy.labelling.errors import Blocked, CodingError, LabellingError
from proxy.labelling.mark import mark
from proxy.labelling.message import Headers, RequestHead, ResponseHead, value
from proxy.labelling.outcome import Done
from proxy.labelling.plan import Label, acts, framing, label, needs_no_label
from proxy.labelling.request import Asked, read
from proxy.labelling.transform import Conclude, Draw, Piece
from proxy.policy.decision import Decision
from proxy.policy.facts import Facts
from proxy.record.exchange import Record, clip
from proxy.record.outcome import Outcome, State
from proxy.service import Claim, Service
from proxy.upstream import Response, UpstreamError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

log = logging.getLogger("countermark")


class Aborted(Exception):
    """The response cannot be finished: raised out of the application, so that the server cuts the connection."""


class ClientLeft(Exception):
    """The client closed its connection."""


class TooLarge(Exception):
    """A request's body is longer than the bound."""


class Relay:
    """The ASGI application that stands in front of the upstreams. ``service`` may be swapped at any time."""

    def __init__(self, service: Service) -> None:
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await Exchange(self.service, scope, receive, send).run()


class Exchange:
    """One request and its response."""

    def __init__(self, service: Service, scope: Scope, receive: Receive, send: Send) -> None:
        self._service = service
        self._scope = scope
        self._receive = receive
        self._send = send
        self._lease = Lease(service.memory)
        self._response: Response | None = None
        self._account: Account | None = None
        self._started = False
        self._finished = False
        self._left = False
        self._done: Done | None = None

    async def run(self) -> None:
        """Serve the exchange; raises Aborted where the connection must be cut, and nothing else."""
        scope = self._scope
        query = scope["query_string"]
        path = scope["raw_path"]
        head = RequestHead(scope["method"], path + b"?" + query if query else path, scope["headers"])
        claim = self._service.claim(head.method, path)
        try:
            await self._serve(head, claim)
        except (ClientLeft, asyncio.CancelledError):
            await self._give_up()
            if not self._left:
                raise
        except UpstreamError as error:
            retry_after = getattr(error, "retry_after", 0)
            outcome = Outcome.TRUNCATED if self._started else Outcome.UPSTREAM_ERROR
            await self._fail(error.status, "upstream_error", str(error), outcome, retry_after)
        except (Blocked, LabellingError) as error:
            await self._fail(502, "not_labelled", f"the answer could not be labelled: {error}", Outcome.BLOCKED)
        except CodingError as error:
            await self._fail(502, "upstream_error", str(error), Outcome.UPSTREAM_ERROR)
        except Unrecorded as error:
            await self._fail(503, "not_recorded", str(error), Outcome.BLOCKED, RETRY_AFTER)
        except Overloaded as error:
            await self._fail(503, "overloaded", str(error), Outcome.BLOCKED, RETRY_AFTER)
        except TooLarge as error:
            await self._fail(413, "too_large", str(error), Outcome.BLOCKED)
        except Aborted:
            raise
        except Exception:
            log.exception("an exchange failed")
            await self._fail(500, "internal", "the proxy failed; its log says how", Outcome.BLOCKED)
        finally:
            self._lease.end()
            if self._response is not None:
                await self._response.close()

    async def _serve(self, head: RequestHead, claim: Claim) -> None:
        if claim.route is None:
            await self._refuse(404, "no_route", "no route of this proxy serves this path")
        elif value(head.headers, b"upgrade").lower() == b"websocket":
            await self._refuse(501, "websocket", "WebSockets are not relayed: what they carry could not be labelled")
        elif claim.dialect is None:
            await self._unclaimed(head, claim)
        else:
            await self._claimed(head, claim)

    # Requests that no dialect claims.

    async def _unclaimed(self, head: RequestHead, claim: Claim) -> None:
        assert claim.route is not None
        counts = self._service.counts
        if not claim.harmless:
            if claim.route.unclaimed == "refuse":
                counts.refused += 1
                await self._refuse(403, "unclaimed", "this path is none that the proxy can label, and the route refuses such")
                return
            counts.unclaimed += 1
            if counts.is_new(claim.path):
                log.warning("unclaimed: %s /%s passes without a label", head.method, claim.path)
        upstream = claim.route.upstream
        outbound = fields.outbound(head, self._peer(), claimed=False, forwarded=upstream.forwarded)
        body, length = await self._upload(head)
        client = self._service.upstreams[upstream.name]
        # The watch begins when the upload has ended: until then, the upload itself hears of the client's leaving.
        watch = None if body is not None and not isinstance(body, bytes) else self._watch()
        try:
            self._response = response = await client.send(RequestHead(head.method, head.target, outbound), body, length)
            head_fields = fields.passed(response.head.headers)
            if not claim.harmless:
                head_fields += [(fields.STATUS, b"unclaimed"), *fields.exposed(response.head.headers)]
            await self._pass(response, head_fields)
        finally:
            if watch is not None:
                watch.cancel()

    async def _upload(self, head: RequestHead) -> tuple[bytes | AsyncIterator[bytes] | None, int | None]:
        """The request's body to pass on as it comes, and its length where it is known."""
        length = value(head.headers, b"content-length")
        if not length and not value(head.headers, b"transfer-encoding"):
            await self._message()
            return None, None
        return self._chunks(), int(length) if length else None

    async def _chunks(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self._message()
            more = message.get("more_body", False)
            if data := message.get("body"):
                yield data

    async def _message(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._left = True
            raise ClientLeft
        return message

    async def _pass(self, response: Response, head_fields: Headers) -> None:
        """Send a response on as it comes, in constant memory."""
        await self._start(response.head.status, head_fields)
        data = await response.read()
        while data:
            if self._account is not None:
                self._account.bytes_in += len(data)
                self._account.bytes_out += len(data)
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
            data = await response.read()
        await self._finish()

    # Requests that a dialect claims.

    async def _claimed(self, head: RequestHead, claim: Claim) -> None:
        assert claim.route is not None
        assert claim.dialect is not None
        upstream = claim.route.upstream
        outbound = fields.outbound(head, self._peer(), claimed=True, forwarded=upstream.forwarded)
        body: bytes | AsyncIterator[bytes] | None
        length: int | None = None
        asked = Asked()
        if value(head.headers, b"content-type").lower().startswith(b"multipart/"):
            body, length = await self._upload(head)
            watch = None
        else:
            whole, outbound = await self._whole_request(head, outbound)
            asked_of = read(claim.dialect, upstream.server, self._service.operator.notices, whole)
            asked, body = asked_of.asked, asked_of.body or None
            watch = self._watch()
        decisions = self._decide(claim, asked, streaming=asked.streaming)
        account = self._account = self._account_for(head, claim, asked, decisions)
        if asked.streaming:
            account.open()
        client = self._service.upstreams[upstream.name]
        try:
            response = self._response = await client.send(RequestHead(head.method, head.target, outbound), body, length)
            account.first_byte = account.elapsed
            if watch is None:
                watch = self._watch()
            await self._answer(head, claim, asked, decisions, response, account)
        finally:
            if watch is not None:
                watch.cancel()

    async def _whole_request(self, head: RequestHead, outbound: Headers) -> tuple[bytes, Headers]:
        """A claimed request's body, decoded, and its outbound fields; a coding that was undone is no longer named."""
        limit = self._service.bounds.whole_body
        announced = value(head.headers, b"content-length")
        if announced and int(announced) > limit:
            raise TooLarge(f"the request's body is longer than {limit} bytes")
        parts: list[bytes] = []
        size, more = 0, True
        while more:
            message = await self._message()
            more = message.get("more_body", False)
            part = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise TooLarge(f"the request's body is longer than {limit} bytes")
            self._lease.take(len(part))
            parts.append(part)
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        coding = value(head.headers, b"content-encoding")
        if not coding:
            return body, outbound
        chain = decoders(coding)
        decoded: list[bytes] = []
        size = 0
        for piece in decode(chain, body):
            size += len(piece)
            if size > limit:
                raise TooLarge(f"the request's body is longer than {limit} bytes")
            self._lease.take(len(piece))
            decoded.append(piece)
        for one in chain:
            one.end()
        return b"".join(decoded), [field for field in outbound if field[0].lower() != b"content-encoding"]

    def _decide(self, claim: Claim, asked: Asked, *, streaming: bool) -> dict[str, Decision]:
        """What the route's policies say of each kind of content that the dialect's answers hold."""
        route, dialect = claim.route, claim.dialect
        assert route is not None
        assert dialect is not None
        return {
            kind: route.rules.decide(
                Facts(
                    kind=kind,
                    dialect=dialect.name,
                    path=claim.path,
                    model=asked.model,
                    upstream=route.upstream.name,
                    route=route.path,
                    streaming=streaming,
                )
            )
            for kind in dialect.kinds
        }

    def _account_for(self, head: RequestHead, claim: Claim, asked: Asked, decisions: dict[str, Decision]) -> Account:
        service, settings = self._service, self._service.settings
        assert claim.route is not None
        assert claim.dialect is not None
        now = time.time_ns()
        identifier = produce_id(now // 1_000_000, os.urandom(10))
        tenant = ""
        if service.ledger is not None and settings.tenant is not None:
            credential = value(head.headers, settings.tenant.encode())
            tenant = service.keys.hash("tenant", credential) if credential else ""
        record = Record(
            id=identifier,
            trace_id=_trace_id(value(head.headers, b"traceparent")) or identifier,
            at=now,
            state=State.WHOLE,
            route=claim.route.path,
            upstream=claim.route.upstream.name,
            dialect=claim.dialect.name,
            model=clip(asked.model),
            tenant=tenant,
            method=head.method,
            policy_set=settings.policy_set.digest,
            because=tuple(reason for decision in decisions.values() for reason in decision.because),
        )
        return Account(record, service.ledger, settings.ledger.on_failure if settings.ledger else "pass", service.counts)

    async def _answer(
        self, head: RequestHead, claim: Claim, asked: Asked, decisions: dict[str, Decision], response: Response, account: Account
    ) -> None:
        """Send the response to a claimed request: labelled, or passed with the reason."""
        assert claim.match is not None
        status = response.head.status
        why = needs_no_label(head.method, response.head)
        if why or not acts(decisions):
            outcome = Outcome.ERROR_RESPONSE if status >= 400 else Outcome.PASSED
            await account.settle(outcome, why or "no rule asks for anything", status=status)
            await self._pass(response, fields.passed(response.head.headers))
            return
        chain = decoders(value(response.head.headers, b"content-encoding"))
        first = await self._first(response, chain)
        begun = await self._rest(response, chain, first) if claim.match.stored else first
        framed = framing(response.head.headers, first)
        if (framed == "sse") is not asked.streaming:
            decisions = self._decide(claim, asked, streaming=framed == "sse")
        service = self._service
        identifier = account.record.id
        if claim.match.stored:
            identifier = derived_id(service.keys.stored, service.operator.provider, begun)
        language = value(head.headers, b"accept-language").decode("latin-1")
        assert claim.dialect is not None
        assert claim.route is not None
        trusted = claim.route.upstream.labels == "trusted"
        marked = mark(service.operator, identifier, decisions, language, trusted=trusted)
        plan = label(claim.dialect, asked, marked, framed, service.bounds)
        self._done = plan.done
        own = fields.relabelled(response.head.headers)
        if plan.terminal is None:
            await self._whole(response, chain, begun, plan, own, asked, account)
        else:
            await self._stream(response, chain, begun, plan, own, asked, account)

    async def _first(self, response: Response, chain: tuple[Decoder, ...]) -> bytes:
        """The first decoded bytes of a body, or empty bytes where there is none."""
        while data := await response.read():
            if self._account is not None:
                self._account.bytes_in += len(data)
            decoded = b"".join(decode(chain, data)) if chain else data
            if decoded.strip():
                return decoded
        return b""

    async def _rest(self, response: Response, chain: tuple[Decoder, ...], first: bytes) -> bytes:
        """A stored answer is read to its end before it is labelled: its id is made from all of its bytes."""
        parts = [first]
        size = len(first)
        async for piece in self._decoded(response, chain):
            size += len(piece)
            if size > self._service.bounds.whole_body:
                raise LabellingError(f"the answer is longer than {self._service.bounds.whole_body} bytes")
            self._lease.take(len(piece))
            parts.append(piece)
        return b"".join(parts)

    async def _decoded(self, response: Response, chain: tuple[Decoder, ...]) -> AsyncIterator[bytes]:
        """The rest of the body, decoded, up to its clean end."""
        while data := await response.read():
            if self._account is not None:
                self._account.bytes_in += len(data)
            for piece in decode(chain, data):
                yield piece
        for one in chain:
            one.end()

    async def _whole(
        self, response: Response, chain: tuple[Decoder, ...], begun: bytes, plan: Label, own: Headers, asked: Asked, account: Account
    ) -> None:
        """A whole answer: read, labelled, recorded, sent."""
        self._lease.take(len(begun))
        pieces = list(plan.guard.feed(begun))
        async for data in self._decoded(response, chain):
            self._lease.take(len(data))
            pieces += plan.guard.feed(data)
        pieces += plan.guard.end()
        body = b"".join(await self._worked(pieces, plan))
        done = plan.done
        own += self._ours(own, asked, account)
        own.append((b"content-length", b"%d" % len(body)))
        account.bytes_out = len(body)
        outcome, reason = done.outcome()
        await account.settle(outcome, reason, status=response.head.status, items=tuple(done.items))
        await self._start(response.head.status, own)
        self._finished = True
        await self._send({"type": "http.response.body", "body": body})

    async def _worked(self, pieces: Sequence[Piece], plan: Label) -> list[bytes]:
        """The pieces with all Work done, in order. Where one fails, what the policy says of the whole answer."""
        jobs = [self._service.workshop.label(piece.picture) for piece in pieces if isinstance(piece, Draw)]
        if not jobs:
            return [piece.data if isinstance(piece, Conclude) else piece for piece in pieces if not isinstance(piece, Draw)]
        results = await asyncio.gather(*jobs, return_exceptions=True)
        for result in results:
            if isinstance(result, LabellingError):
                return await self._worked(plan.guard.fail(str(result)), plan)
            if isinstance(result, BaseException):
                raise result
        drawn = iter(result for result in results if not isinstance(result, BaseException))
        out: list[bytes] = []
        for piece in pieces:
            match piece:
                case Draw():
                    data, item = next(drawn)
                    plan.done.items.append(item)
                    out.append(data)
                case Conclude(data):
                    out.append(data)
                case _:
                    out.append(piece)
        return out

    async def _stream(
        self, response: Response, chain: tuple[Decoder, ...], begun: bytes, plan: Label, own: Headers, asked: Asked, account: Account
    ) -> None:
        """A stream: labelled as it comes, its end recorded before the client sees it."""
        assert plan.terminal is not None
        guard, terminal, status = plan.guard, plan.terminal, response.head.status
        account.open()
        if not value(own, b"x-accel-buffering"):
            own.append((b"x-accel-buffering", b"no"))  # a buffering front end would hold the tokens back
        pending = begun
        while True:
            for piece in guard.feed(pending) if pending else ():
                assert isinstance(piece, bytes)
                for last in terminal.feed(piece):
                    await self._emit(last, status, own, asked, account, plan.done)
            data = await response.read()
            if not data:
                break
            account.bytes_in += len(data)
            pending = b"".join(decode(chain, data)) if chain else data
        for one in chain:
            one.end()
        for piece in guard.end():
            assert isinstance(piece, bytes)
            for last in terminal.feed(piece):
                await self._emit(last, status, own, asked, account, plan.done)
        if not self._started:
            await account.opened()
            await self._start(status, own + self._ours(own, asked, account))
        await self._settle(account, plan.done, status)
        await self._finish()

    async def _emit(self, piece: Piece, status: int, own: Headers, asked: Asked, account: Account, done: Done) -> None:
        data = piece if isinstance(piece, bytes) else piece.data if isinstance(piece, Conclude) else b""
        if not self._started:
            await account.opened()
            await self._start(status, own + self._ours(own, asked, account))
        account.bytes_out += len(data)
        if isinstance(piece, Conclude):
            await self._settle(account, done, status)
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def _settle(self, account: Account, done: Done, status: int) -> None:
        outcome, reason = done.outcome()
        await account.settle(outcome, reason, status=status, items=tuple(done.items))

    def _ours(self, own: Headers, asked: Asked, account: Account) -> Headers:
        assert self._done is not None
        seconds = account.record.at // 1_000_000_000
        return fields.ours(self._done, own, model=asked.model, policy=self._service.policy, seconds=seconds)

    # The client's side.

    def _peer(self) -> fields.Peer:
        client = self._scope.get("client")
        address = client[0] if client else ""
        return fields.Peer(address, self._scope.get("scheme", "http"), self._service.settings.trusts(address))

    def _watch(self) -> "asyncio.Task[None]":
        """Cancel this exchange when the client leaves; to be called once the request has been received whole."""
        current = asyncio.current_task()
        assert current is not None
        return asyncio.ensure_future(self._watched(current))

    async def _watched(self, exchange: "asyncio.Task[Any]") -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if not self._finished:
            self._left = True
            exchange.cancel()

    async def _start(self, status: int, head_fields: Headers) -> None:
        self._started = True
        await self._send({"type": "http.response.start", "status": status, "headers": head_fields})

    async def _finish(self) -> None:
        self._finished = True
        await self._send({"type": "http.response.body", "body": b""})

    async def _refuse(self, status: int, code: str, message: str, retry_after: int = 0) -> None:
        """An answer of our own: JSON in the shape that SDKs of every dialect show their users."""
        body = orjson.dumps({"error": {"message": message, "type": "countermark", "code": code}})
        head_fields: Headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        if retry_after:
            head_fields.append((b"retry-after", b"%d" % retry_after))
        await self._start(status, head_fields)
        self._finished = True
        await self._send({"type": "http.response.body", "body": body})

    async def _fail(self, status: int, code: str, message: str, outcome: Outcome, retry_after: int = 0) -> None:
        """The exchange failed: say so where nothing was sent, and cut the connection where something was."""
        log.warning("%s: %s", outcome.value, message)
        started = self._started
        if self._account is not None:
            try:
                items = tuple(self._done.items) if self._done else ()
                await self._account.settle(outcome, message, status=0 if started else status, items=items)
            except Unrecorded:
                pass  # it was counted and logged; the client is told of a failure in any case
        if started:
            raise Aborted(message)
        await self._refuse(status, code, message, retry_after)

    async def _give_up(self) -> None:
        """The client left: close the upstream at once, then write it down."""
        if self._response is not None:
            await self._response.close()
        if self._account is not None and not self._account.settled:
            try:
                await self._account.settle(Outcome.CLIENT_LEFT, "the client closed its connection", status=0)
            except (Unrecorded, asyncio.CancelledError):
                pass


def _trace_id(traceparent: bytes) -> str:
    """The trace id of a W3C traceparent, or an empty string where it has none."""
    parts = traceparent.decode("latin-1").split("-")
    if len(parts) < 4 or len(parts[1]) != 32 or set(parts[1]) == {"0"} or not set(parts[1]) <= set("0123456789abcdef"):
        return ""
    return parts[1]


__all__ = ["Aborted", "Relay", "ResponseHead"]
