"""An answer looked at while it passes: what labelling would have made of it.

The law: it is decided and labelled as ``answer.py`` does it, on a copy and to no end but the record. Whatever befalls
the look ends the look and nothing else: what relay.py's table makes of a failure is what is seen then, and where a
bound was met, nothing is. What would have become of the answer is known at its end, or before.
"""

import logging
from collections.abc import Callable, Mapping

from proxy.bounds import Lease, Overloaded
from proxy.client import Client
from proxy.labelling.coding import Decoder, decoders, undone_piece
from proxy.labelling.errors import Blocked, CodingError, LabellingError
from proxy.labelling.headers import joined
from proxy.labelling.location import linked, redirected
from proxy.labelling.mark import Mark, mark
from proxy.labelling.message import ResponseHead
from proxy.labelling.observer import Observer, Seen
from proxy.labelling.plan import STREAMS, framing, is_bare, label, passes, unlabellable
from proxy.labelling.request import Asked, asks_for_ciphertext
from proxy.labelling.terminal import MISSED
from proxy.pictures import apart
from proxy.policy.decision import Decision
from proxy.record.outcome import Outcome
from proxy.service import Claim, Service

CIPHERTEXT = "this request asks for an encrypted answer, which could not be labelled"

log = logging.getLogger("countermark")


class Look:
    """One answer, looked at. ``identifier`` is the exchange's, ``lease`` pays for what is held."""

    __slots__ = (
        "_asked", "_begun", "_chain", "_claim", "_client", "_decisions", "_head", "_identifier", "_lease",
        "_observer", "_seen", "_service", "_size", "_whole",
    )  # fmt: skip

    def __init__(
        self,
        service: Service,
        client: Client,
        claim: Claim,
        asked: Asked,
        decisions: Mapping[str, Decision],
        head: ResponseHead,
        identifier: str,
        lease: Lease,
    ) -> None:
        self._service = service
        self._client = client
        self._claim = claim
        self._asked = asked
        self._decisions = decisions
        self._head = head
        self._identifier = identifier
        self._lease = lease
        self._chain: tuple[Decoder, ...] = ()
        self._begun: list[bytes] = []
        self._size = 0  # of what is held, in bytes
        self._whole = True  # it is held until its end
        self._observer: Observer | None = None
        self._seen: Seen | None = None
        self._try(self._begin)

    def feed(self, data: bytes) -> None:
        """Look at the next piece, as it came."""
        if self._seen is None and self._try(lambda: self._take(data)):
            self._lease.end()

    @property
    def streams(self) -> bool:
        """Whether the answer has turned out to be a stream."""
        return not self._whole

    async def end(self) -> Seen:
        """What would have become of the answer, of which nothing more comes."""
        if self._seen is None:
            await apart(self._size, lambda: self._try(self._conclude))
        assert self._seen is not None
        return self._seen

    def _try(self, work: Callable[[], None]) -> bool:
        """Do it, and tell whether all is known now: what relay.py's table would make of a failure is seen instead."""
        try:
            work()
        except (Blocked, LabellingError) as error:
            self._know(Seen(Outcome.BLOCKED, str(error)))
        except CodingError as error:
            self._know(Seen(Outcome.UPSTREAM_ERROR, str(error)))
        except Overloaded as error:
            self._know(Seen(None, str(error)))
        except Exception:
            log.exception("an observed answer could not be looked at")
            self._know(Seen(None, "the proxy failed; its log says how"))
        return self._seen is not None

    def _know(self, seen: Seen) -> None:
        self._seen = seen
        self._observer = None
        self._begun.clear()

    def _begin(self) -> None:
        """What the heads say already."""
        claim, head = self._claim, self._head
        assert claim.dialect is not None
        assert claim.route is not None
        url = claim.route.upstream.url
        coded = asks_for_ciphertext(claim.dialect, self._client.head.headers)
        if coded and any(one.acts and one.on_failure == "block" for one in self._decisions.values()):
            raise Blocked(CIPHERTEXT)
        if claim.route.policies:
            linked(head.headers, claim.dialect.link_headers, url, self._service.settings.public_url)
        why = passes(claim.dialect, self._client.head.method, head, self._decisions)
        if why:
            self._know(Seen(Outcome.ERROR_RESPONSE if head.status >= 400 else Outcome.PASSED, why))
        elif is_bare(head):
            redirected(head.headers, url)
            self._know(Seen(Outcome.PASSED, "a redirection"))
        elif coded:
            self._cannot(CIPHERTEXT)
        else:
            try:
                self._chain = decoders(joined(head.headers, b"content-encoding"))
            except LabellingError as error:
                self._cannot(str(error))

    def _cannot(self, why: str) -> None:
        """It cannot be labelled: whether it would pass nevertheless, policy says."""
        observer = Observer(unlabellable(self._mark(), why))
        observer.end()
        self._know(observer.seen())

    def _take(self, data: bytes) -> None:
        data = undone_piece(self._chain, data, self._service.bounds.whole_body)
        self._size += len(data)
        if self._whole:
            self._lease.take(len(data))
        if self._observer is not None:
            self._observe(self._observer, data)
            return
        self._begun.append(data)
        if data and not data.isspace():
            self._open()
        elif self._size > self._service.bounds.whole_body:
            self._cannot(f"the answer begins with more than {self._service.bounds.whole_body} bytes of white space")

    def _open(self) -> None:
        """Its first bytes are there: how it would be labelled is known."""
        service, claim, asked = self._service, self._claim, self._asked
        assert claim.dialect is not None
        assert claim.route is not None
        begun = b"".join(self._begun)
        try:
            framed = framing(claim.dialect, self._head, begun)
            if (framed in STREAMS) is not asked.streaming:
                self._decisions = service.decide(claim, asked, self._client, streaming=framed in STREAMS)
            spoken = service.dialects[claim.route.upstream.name]
            plan = label(claim.dialect, asked, self._mark(), framed, service.bounds, spoken)
        except LabellingError as error:
            self._cannot(str(error))
            return
        self._whole = plan.terminal is None
        self._begun.clear()
        self._observer = Observer(plan)
        self._observe(self._observer, begun)

    def _observe(self, observer: Observer, data: bytes) -> None:
        observer.feed(data)
        if observer.over:
            self._know(observer.seen())

    def _conclude(self) -> None:
        for one in self._chain:
            one.end()
        if self._observer is None:
            self._open()
        if self._observer is None:
            return
        self._observer.end()
        if self._says_nothing_of_its_end and not self._observer.concluded:
            self._know(Seen(Outcome.TRUNCATED, MISSED))
        else:
            self._know(self._observer.seen())

    @property
    def _says_nothing_of_its_end(self) -> bool:
        """Whether the connection's end alone says that the answer is whole."""
        assert self._claim.route is not None
        return not self._head.is_framed and self._claim.route.upstream.transport == "http1"

    def _mark(self) -> Mark:
        service, route = self._service, self._claim.route
        assert route is not None
        language = self._client.field(b"accept-language").decode("latin-1")
        return mark(service.operator, service.terms(self._decisions, language, route), self._identifier)
