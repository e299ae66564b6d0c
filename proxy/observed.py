"""A claimed exchange on a route that only observes (``mode: observe``).

The law: request and answer pass as they would without any policy, the same bytes at the same time. A piece of an
answer is looked at when it has left. Nothing that befalls the look is felt by the client, nor that its record cannot be
kept: it is told in the record, or counted.
"""

from proxy.account import Account
from proxy.bounds import Lease
from proxy.client import Client
from proxy.labelling.headers import passed
from proxy.labelling.watermark import forced
from proxy.look import Look
from proxy.overheard import overhear
from proxy.record.outcome import Outcome
from proxy.service import Claim, Service
from proxy.trail import Trail
from proxy.upstream import Body, Response


class Observed:
    """One exchange, from its request to its record."""

    __slots__ = ("_asked", "_claim", "_client", "_decisions", "_forced", "_service", "_trail", "account")

    account: Account

    def __init__(self, service: Service, client: Client, claim: Claim, trail: Trail) -> None:
        self._service = service
        self._client = client
        self._claim = claim
        self._trail = trail

    async def request(self, lease: Lease) -> tuple[Body, int | None]:
        """The request's body as it goes upstream, and its length where that is known. The ``account`` begins.

        ``lease`` pays for what is held of it. Raises what ``Client.body`` raises.
        """
        service, client, claim = self._service, self._client, self._claim
        assert claim.dialect is not None
        assert claim.match is not None
        self._asked, body, length, plain = await overhear(service, client, claim, lease)
        self._decisions = service.decide(claim, self._asked, client, streaming=self._asked.streaming)
        self.account = service.account(client, claim, self._asked, self._decisions, self._trail)
        asks = body if plain is None else plain or None
        self._forced = forced(claim.dialect, claim.match, self._decisions, asks), asks
        if self._asked.streaming:
            self.account.open()
        return body, length

    async def send(self, response: Response) -> None:
        """Send the answer as it comes, and record what would have become of it."""
        account, client, head = self.account, self._client, response.head
        account.answered()
        lease = Lease(self._service.memory)
        try:
            await client.start(head.status, passed(head.headers))
            look = Look(self._service, client, self._claim, self._asked, self._decisions, head, account.id, lease)
            while data := await response.read():
                account.bytes_in += len(data)
                account.bytes_out += len(data)
                await client.send(data)
                look.feed(data)
                if look.streams:
                    account.open()
                    self._trail.streams()
            await client.finish()
            seen = (await look.end()).after(*self._forced)
            await account.settle(Outcome.OBSERVED, seen.told(), status=head.status, items=lambda: seen.items)
        finally:
            lease.end()
