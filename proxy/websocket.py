"""One request for a WebSocket, from its handshake to the end of the socket that it became.

The law: what the route does not let pass is refused before the upstream hears of it. The client's handshake goes
upstream as it came, so the two agree on subprotocols and extensions themselves, and frames pass as they are, pings and
close codes too. Only a socket whose pictures are labelled offers no extensions: compressed frames cannot be read.
Whatever passes without a label is counted. On a route that observes (``mode: observe``) every socket passes as it is.

    the route says `websockets: refuse`, or knows no label for it and says `unclaimed: refuse`     501, 403
    it is no handshake                                                                             400
    the upstream answers with an error instead                                                     that error
    the upstream fails, is full, answers with anything else                                        as relay.py says

What happens to an open socket stands in socket_bridge.py.
"""

import logging

from proxy.account import Account, Unrecorded
from proxy.bounds import Lease
from proxy.client import Client, HandedOver
from proxy.framing.websocket import accept
from proxy.label.provenance import Making
from proxy.labelling import headers as fields
from proxy.labelling.errors import LabellingError
from proxy.labelling.guard import failed
from proxy.labelling.mark import mark, terms
from proxy.labelling.medium import UNASKED
from proxy.labelling.message import Headers, RequestHead, ResponseHead
from proxy.labelling.metadata import CARRIERS
from proxy.labelling.outcome import Done
from proxy.labelling.request import Asked
from proxy.labelling.socket import Passage, SocketLabeller, ended, keep
from proxy.labelling.transform import Conclude, Work
from proxy.policy.decision import Decision
from proxy.record.outcome import Outcome
from proxy.service import Claim, Service
from proxy.settings import Route
from proxy.socket_bridge import Bridge, End, Lane
from proxy.socket_side import Side
from proxy.trail import Trail
from proxy.upstream import BadResponse
from proxy.upstream_websocket import Agreed, Refusal

SWITCHING = 101

_SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
_EXTENSIONS = b"sec-websocket-extensions"

log = logging.getLogger("countermark")


class _ClientSide(Side, HandedOver):
    bridge: Bridge

    def shutdown(self) -> None:
        self.bridge.shutdown()


class WebSocket:
    """One of them. ``account`` is its record's, where it leaves one."""

    __slots__ = ("_bridge", "_claim", "_client", "_decision", "_done", "_labelled", "_lease", "_passed", "_route",
                 "_service", "_trail", "account")  # fmt: skip

    _bridge: Bridge

    def __init__(
        self, service: Service, client: Client, claim: Claim, route: Route, lease: Lease, trail: Trail
    ) -> None:
        self._service = service
        self._client = client
        self._claim = claim
        self._route = route
        self._lease = lease
        self._trail = trail
        self._decision: Decision | None = None  # where a rule asks for anything
        self._done: Done | None = None
        self._passed = Outcome.PASSED, UNASKED
        self._labelled = 0
        self.account: Account | None = None

    async def run(self) -> None:
        """Relay it, or refuse it. Raises what the relay's table names as long as the client's handshake is open."""
        client, route = self._client, self._route
        known = self._claim.dialect is not None and bool(self._claim.dialect.socket)
        refuses = route.mode == "enforce"
        if route.websockets == "refuse" and refuses:
            message = "this route relays no WebSockets (websockets: refuse): what they carry could pass unlabelled"
            await client.refuse(501, "websocket", message)
        elif not known and route.unclaimed == "refuse" and refuses:
            self._service.counts.refused += 1
            message = "this is no WebSocket whose messages the proxy can label, and the route refuses such paths"
            await client.refuse(403, "unclaimed", message)
        elif not _is_handshake(client):
            await client.refuse(400, "websocket", "this is no handshake of a WebSocket (RFC 6455 section 4.1)")
        else:
            if known:
                self._account_for()
            await self._relay()

    def _account_for(self) -> None:
        """It will leave a record: decide, and write its first entry while the upstream is asked."""
        service, client, asked = self._service, self._client, Asked()
        decision = service.decide(self._claim, asked, client, streaming=True)["image"]
        self.account = service.account(client, self._claim, asked, {"image": decision}, self._trail)
        if decision.acts and self._route.mode == "observe":
            self._passed = Outcome.OBSERVED, "its pictures would be labelled; what a WebSocket carries is not looked at"
        elif decision.acts:
            self._decision = decision
            service.workshop.check()
            self.account.open()

    async def _relay(self) -> None:
        client, upstream = self._client, self._route.upstream
        peer = client.peer(self._service.settings.trusts)
        headers = fields.outbound(client.head, peer, upstream.origin, claimed=False, forwarded=upstream.forwarded)
        if self._decision is not None:
            headers = [field for field in headers if field[0] != _EXTENSIONS]
        client.watch()
        sockets = self._service.sockets[upstream.name]
        headers = self._trail.asks(headers, upstream)
        answer = await sockets.shake_hands(RequestHead("GET", client.head.target, headers))
        self._trail.answered(answer.head.status)
        if isinstance(answer, Refusal):
            await self._refused(answer)
            return
        try:
            await self._join(answer)
        finally:
            sockets.release(answer)

    async def _refused(self, refusal: Refusal) -> None:
        """The upstream has said why not: so the client hears it."""
        status = refusal.head.status
        if status < 400:
            raise BadResponse(f"the upstream answered the handshake of a WebSocket with status {status}")
        if self.account is not None:
            await self.account.settle(Outcome.ERROR_RESPONSE, "the upstream refused the WebSocket", status=status)
        headers = _without(fields.passed(refusal.head.headers), b"content-length")
        await self._client.start(status, [*headers, (b"content-length", b"%d" % len(refusal.body))])
        await self._client.finish(refusal.body)

    async def _join(self, agreed: Agreed) -> None:
        """Both have agreed: hand the connection over, and move bytes until the socket has ended."""
        client, limit = self._client, self._service.bounds.record
        headers = _without(fields.passed(agreed.head.headers), b"content-length")
        down: Passage | SocketLabeller = Passage(limit)
        if self._decision is not None:
            if agreed.head.value(_EXTENSIONS):
                raise BadResponse("the upstream agreed to an extension that nobody offered")
            down = await self._labeller(self._decision, agreed.head, headers)
        elif self.account is not None:
            await self.account.settle(*self._passed, status=SWITCHING)
        else:
            self._unlabelled(headers)
        hand_over = client.socket
        assert hand_over is not None
        side = _ClientSide()
        up = Passage(limit)
        lanes = Lane(side, up, agreed.side, mask=True), Lane(agreed.side, down, side, mask=False)
        side.bridge = self._bridge = Bridge(*lanes, self._service.settings.limits.idle, self._do, self._tell)
        client.unwatch()
        client.started, client.status = True, SWITCHING
        self._trail.streams()
        side.unread(hand_over(side))
        side.transport.write(b"".join([_SWITCH, *(b"%b: %b\r\n" % field for field in headers), b"\r\n"]))
        await self._bridge.run()

    async def _labeller(self, decision: Decision, head: ResponseHead, headers: Headers) -> SocketLabeller:
        """What labels; once the record's first entry is on disk, and with the fields that tell of it."""
        service, account, dialect = self._service, self.account, self._claim.dialect
        assert account is not None
        assert dialect is not None
        language = self._client.field(b"accept-language").decode("latin-1")
        agreed = terms({"image": decision}, language, trusted=self._route.upstream.labels == "trusted")
        seconds = account.at // 1_000_000_000
        marked = mark(service.operator, agreed, account.id, Making(seconds))
        self._done = done = Done(marked, marked.aigc.compact().encode())
        done.forgo(*CARRIERS)
        account.answered()
        await account.opened()
        headers += fields.ours(done, head.headers, model="", policy=service.policy, seconds=seconds)
        return SocketLabeller(dict(dialect.socket), done, service.bounds.record)

    def _unlabelled(self, headers: Headers) -> None:
        counts, path = self._service.counts, self._claim.path
        counts.sockets += 1
        if counts.is_new(f"websocket {path}"):
            log.warning("unclaimed: WebSocket /%s passes without a label", path[:512])
        if self._route.mode == "enforce":
            headers.append((fields.STATUS, b"unclaimed"))

    # What the bridge asks for, of a socket that is labelled.

    async def _do(self, piece: Work | Conclude) -> bytes:
        assert self._done is not None
        if isinstance(piece, Conclude):
            await self._settle(*ended(self._done, self._labelled))
            return piece.data
        size = len(piece.raw)
        self._lease.take(size)
        try:
            since = self._trail.now()
            drawn = await self._service.workshop.label(piece.pictures)
            self._trail.spent("draw", since)
        except LabellingError as error:
            failed(self._done, str(error))
            return piece.raw
        finally:
            self._lease.give(size)
        for _, item in drawn:
            keep(item, self._done)
            self._labelled += 1
        return piece.join([data for data, _ in drawn])

    async def _tell(self, end: End) -> None:
        if self._done is None:
            return
        outcome, reason = ended(self._done, self._labelled)
        if end.by == "failure":
            outcome, reason = Outcome.BLOCKED, end.reason
        elif end.by == "client":
            outcome, reason = Outcome.CLIENT_LEFT, "the client closed its connection"
        elif end.by == "upstream":
            outcome, reason = Outcome.TRUNCATED, "the upstream ended the connection without closing the socket"
        try:
            await self._settle(outcome, reason)
        except Unrecorded:
            pass  # counted and logged; both sides hear of an end in any case

    async def _settle(self, outcome: Outcome, reason: str) -> None:
        assert self.account is not None
        assert self._done is not None
        self.account.bytes_in, self.account.bytes_out = self._bridge.received, self._bridge.sent
        await self.account.settle(outcome, reason, status=SWITCHING, items=self._done.items)


def _is_handshake(client: Client) -> bool:
    try:
        accept(client.field(b"sec-websocket-key"))
    except ValueError:
        return False
    empty = client.field(b"content-length") in (b"", b"0") and not client.field(b"transfer-encoding")
    return client.socket is not None and client.head.method == "GET" and empty


def _without(headers: Headers, name: bytes) -> Headers:
    return [field for field in headers if field[0] != name]
