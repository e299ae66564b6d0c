"""The response to a claimed request on its way to the client: passed with a reason, labelled whole, or streamed."""

from collections.abc import Mapping, Sequence

from proxy.account import UNGRANTED, Account
from proxy.bounds import Lease
from proxy.client import Client
from proxy.decoded import Decoded
from proxy.label.identifier import derived_id
from proxy.label.provenance import Making
from proxy.labelling import headers as fields
from proxy.labelling.errors import LabellingError
from proxy.labelling.location import redirected
from proxy.labelling.mark import Mark, mark
from proxy.labelling.message import Headers
from proxy.labelling.plan import STREAMS, Label, acts, framing, is_bare, label, needs_no_label, passes, unlabellable
from proxy.labelling.request import Asked
from proxy.labelling.terminal import MISSED
from proxy.labelling.transform import Conclude, Piece, Work, plain
from proxy.pictures import Pictures, apart
from proxy.policy.decision import Decision
from proxy.record.exchange import Item
from proxy.record.outcome import Outcome
from proxy.service import Claim, Service
from proxy.upstream import Response, Truncated

_SHORT = 1 << 20  # bytes of a response that is read before its record is written


class Answer:
    """One response of the upstream's, and what it takes to send it on."""

    __slots__ = (
        "_account", "_asked", "_body", "_cannot", "_claim", "_client", "_decisions", "_headers", "_lease", "_making",
        "_pictures", "_response", "_service", "_status",
    )  # fmt: skip

    def __init__(
        self,
        service: Service,
        client: Client,
        claim: Claim,
        asked: Asked,
        decisions: Mapping[str, Decision],
        response: Response,
        account: Account,
        lease: Lease,
        cannot: str = "",
        making: Making | None = None,
    ) -> None:
        """``cannot`` is why the answer cannot be labelled, where the request says so already; ``making`` how the answer
        was made, where that is no longer to be seen."""
        self._service = service
        self._client = client
        self._claim = claim
        self._asked = asked
        self._decisions = decisions
        self._response = response
        self._account = account
        self._lease = lease
        self._cannot = cannot
        self._making = making
        self._status = response.head.status
        self._headers: Headers = []
        self._body = Decoded(response, account, lease, service.bounds.whole_body)
        self._pictures = Pictures(service, claim, asked, lease, account.trail)

    async def send(self) -> None:
        """Send the answer. Raises what the relay's table names."""
        head, dialect = self._response.head, self._claim.dialect
        assert dialect is not None
        why = passes(dialect, self._client.head.method, head, self._decisions)
        if why:
            await self._pass(why)
            return
        if is_bare(head):
            await self._bare()
            return
        self._headers = fields.relabelled(head.headers)
        begun = b""
        try:
            self._body.undo(fields.joined(head.headers, b"content-encoding"))
        except LabellingError as error:
            # What cannot be decoded can only pass as it is coded.
            self._headers = [field for field in fields.passed(head.headers) if field[0] != b"content-length"]
            plan = unlabellable(self._mark(self._account.id), str(error))
        else:
            plan, begun = await self._plan()
        self._account.texts = plan.done.texts
        if plan.terminal is None:
            await self._whole(plan, begun)
        else:
            await self._stream(plan, begun)

    async def _pass(self, why: str) -> None:
        """Nothing in it needs a label: send it on, a short one whole, any other as it comes."""
        account, client, response = self._account, self._client, self._response
        outcome = Outcome.ERROR_RESPONSE if self._status >= 400 else Outcome.PASSED
        # What a GET would get is another body than the upstream's, so nothing is said of the upstream's bytes.
        changed = self._client.head.method == "HEAD" and acts(self._decisions)
        headers = (fields.relabelled if changed else fields.passed)(response.head.headers)
        if self._service.leans_on_grant(self._claim, self._decisions):
            headers = fields.unshared(headers)
        if needs_no_label(self._client.head.method, response.head):
            account.amend(UNGRANTED)
        length = response.head.value(b"content-length")
        if length and int(length) <= _SHORT:
            parts: list[bytes] = []
            while data := await response.read():
                parts.append(data)
            body = b"".join(parts)
            account.bytes_in = account.bytes_out = len(body)
            await account.settle(outcome, why, status=self._status)
            await client.start(self._status, headers)
            await client.finish(body)
            return
        await account.opened()
        await client.start(self._status, headers)
        while data := await response.read():
            account.bytes_in += len(data)
            account.bytes_out += len(data)
            await client.send(data)
        await account.settle(outcome, why, status=self._status)
        await client.finish()

    async def _bare(self) -> None:
        """A redirection: its head alone, and it must lead back to us."""
        route, headers = self._claim.route, fields.relabelled(self._response.head.headers)
        assert route is not None
        headers = redirected(headers, route.upstream.url)
        await self._account.settle(Outcome.PASSED, "a redirection", status=self._status)
        await self._client.start(self._status, [*headers, (b"content-length", b"0")])
        await self._client.finish()

    async def _plan(self) -> tuple[Label, bytes]:
        """How the answer is labelled, and as much of it as has been read."""
        claim, asked = self._claim, self._asked
        assert claim.dialect is not None
        assert claim.match is not None
        assert claim.route is not None
        begun: list[bytes] = []
        try:
            if self._cannot:
                raise LabellingError(self._cannot)
            await self._body.begin(begun)
            self._account.trail.told()
            framed = framing(claim.dialect, self._response.head, b"".join(begun))
            if (framed in STREAMS) is not asked.streaming:
                self._decisions = self._service.decide(claim, asked, self._client, streaming=framed in STREAMS)
                self._account.amend(self._service.grant(self._client, claim, self._decisions))
            identifier = self._account.id
            if claim.match.stored and framed not in STREAMS and framed != "lines":
                # It is read to its end before it is labelled: its id is made from all of its bytes.
                await self._body.rest(begun)
                service = self._service
                identifier = derived_id(service.keys.stored, service.operator.issuer.provider, b"".join(begun))
            spoken = self._service.dialects[claim.route.upstream.name]
            plan = label(claim.dialect, asked, self._mark(identifier), framed, self._service.bounds, spoken)
        except LabellingError as error:
            plan = unlabellable(self._mark(self._account.id), str(error))
        return plan, b"".join(begun)

    def _mark(self, identifier: str) -> Mark:
        service, route, match = self._service, self._claim.route, self._claim.match
        assert route is not None
        assert match is not None
        language = self._client.field(b"accept-language").decode("latin-1")
        agreed = service.terms(self._decisions, language, route)
        making = self._making or Making(self._account.at // 1_000_000_000, self._asked.model, match.alters)
        return mark(service.operator, agreed, identifier, making)

    # A whole answer: read, labelled, recorded, sent.

    async def _whole(self, plan: Label, begun: bytes) -> None:
        feed, end = (self._account.trail.timed("metadata", one) for one in (plan.guard.feed, plan.guard.end))
        pieces = [*feed(begun)] if begun else []
        size = len(begun)
        while not plan.done.failure:
            data = await self._body.next()
            if data is None:
                break
            size += len(data)
            self._lease.take(len(data))
            pieces += feed(data)
        else:
            await self._unlabelled(plan, pieces)
            return
        pieces += await apart(size, end)
        body = await self._pictures.whole(pieces, plan)
        headers = fields.retyped(self._told(plan), plan.done.media_type)
        headers.append((b"content-length", b"%d" % len(body)))
        self._account.bytes_out = len(body)
        # The hashes of long texts take their time.
        await self._settle(plan, await apart(size, plan.done.items) if self._account.records else None)
        await self._client.start(self._status, headers)
        await self._client.finish(body)

    async def _unlabelled(self, plan: Label, pieces: Sequence[Piece]) -> None:
        """Labelling has failed and policy lets the answer pass: what is here leaves, and the rest as it comes."""
        await self._settle(plan)
        await self._client.start(self._status, self._told(plan))
        for piece in pieces:
            await self._client.send(piece.raw if isinstance(piece, Work) else plain(piece))
        while (data := await self._body.next()) is not None:
            await self._client.send(data)
        await self._client.finish()

    # A stream: labelled as it comes, its end recorded before the client sees it.

    async def _stream(self, plan: Label, begun: bytes) -> None:
        self._account.open()
        self._account.trail.streams()
        feed = self._account.trail.timed("metadata", plan.guard.feed)
        if not self._response.head.value(b"x-accel-buffering"):
            self._headers.append((b"x-accel-buffering", b"no"))  # a buffering front end would hold the tokens back
        data: bytes | None = begun
        while data is not None:
            await self._emit(feed(data), plan)
            data = await self._body.next()
        await self._emit(plan.guard.end(), plan)
        self._check_end(plan)
        await self._begin(plan)
        await self._settle(plan)
        await self._client.finish()

    def _check_end(self, plan: Label) -> None:
        """Raises Truncated where the connection's end alone says that the stream is whole, and the stream does not."""
        assert plan.terminal is not None
        assert self._claim.route is not None
        framed = self._response.head.is_framed or self._claim.route.upstream.transport != "http1"
        if not framed and not plan.terminal.seen:
            raise Truncated(MISSED)

    async def _emit(self, pieces: Sequence[Piece], plan: Label) -> None:
        """Send the pieces, in order: Work is done when its turn comes, and what stands behind it waits."""
        retained: Sequence[Piece] = ()
        for piece in pieces:
            if not isinstance(piece, Work):
                await self._leave(plain(piece), plan)
                continue
            data = piece.raw
            if not plan.done.failure:
                try:
                    data = await self._pictures.record(piece, plan)
                except LabellingError as error:
                    # It was taken in behind all of these pieces.
                    retained = plan.guard.fail(str(error))
            await self._leave(data, plan)
        for piece in retained:
            await self._leave(plain(piece), plan)

    async def _leave(self, data: bytes, plan: Label) -> None:
        assert plan.terminal is not None
        if not data:
            return
        await self._begin(plan)
        for last in plan.terminal.feed(data):
            data = plain(last)
            self._account.bytes_out += len(data)
            if isinstance(last, Conclude):
                await self._settle(plan)
            await self._client.send(data)

    async def _begin(self, plan: Label) -> None:
        """Send the head, once, when the first entry is on disk."""
        if not self._client.started:
            await self._account.opened()
            await self._client.start(self._status, self._told(plan))

    async def _settle(self, plan: Label, items: tuple[Item, ...] | None = None) -> None:
        outcome, reason = plan.done.outcome()
        because = plan.done.because
        if because:
            others = [one.because for kind, one in self._decisions.items() if kind != "text"]
            because = tuple(dict.fromkeys((*because, *(reason for one in others for reason in one))))
        if plan.done.mark.terms.granted and not plan.done.granted:
            self._account.amend(UNGRANTED)
        made = plan.done.items if items is None else lambda: items
        await self._account.settle(outcome, reason, status=self._status, items=made, because=because)

    def _told(self, plan: Label) -> Headers:
        """The response's fields, with those of ours."""
        headers = fields.unshared(self._headers) if plan.done.granted else self._headers
        return headers + fields.ours(
            plan.done,
            headers,
            model=self._asked.model,
            policy=self._service.policy,
            seconds=self._account.at // 1_000_000_000,
        )
