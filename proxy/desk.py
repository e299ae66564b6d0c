"""What people and auditors use, on an address of its own: health, readiness, metrics, records and their proofs.

Law: without the token nobody sees a record, and nobody can make the proxy wait: records are read in one thread, one
question at a time, and who comes too late is told so. Nothing here changes anything, and what is asked for is written
down nowhere.

    GET  /health  /ready  /metrics             for whoever can reach the address
    GET  /  /policies                          with `Authorization: Bearer TOKEN`, as all below
    GET  /records?id=...                       by id, trace, model, tenant, subject, since, until
    POST /records/search {"text": "..."}       by a piece of text, which so stands in no URL and in no log
    GET  /records/{id}/proof                   what a stranger can check offline
    GET  /checkpoint  /checkpoint/key
"""

import asyncio
import hmac
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from proxy.archive import Archive, ArchiveError, SegmentRow
from proxy.desk_reader import Busy, Reader
from proxy.desk_records import ProvingError, Unclear, key_of, latest, proof, shown, wanted, wanted_text
from proxy.finding import find
from proxy.notary import Notary
from proxy.policy.gaps import gaps
from proxy.prometheus import CONTENT_TYPE, exposition
from proxy.readings import readings
from proxy.service import Service
from proxy.succession import Succession

__all__ = ["Desk"]

LONGEST: Final = 1 << 20  # bytes of a request's body
RESTING: Final = 10.0  # seconds

INDEX: Final = {
    "GET /health": "200 as long as the process answers",
    "GET /ready": "200, or 503 where no requests should be sent to it now",
    "GET /metrics": "numbers for Prometheus",
    "GET /policies": "the policy set in force, the routes, what is missing, edits that were refused",
    "GET /records": "exchanges by id, trace, model, grant, file, tenant, subject, since, until; limit",
    "POST /records/search": 'exchanges that a piece of text was taken from: {"text": "...", "limit": 20}',
    "GET /records/{id}/proof": "that its record lies in the ledger, for whoever has the key",
    "GET /checkpoint": "the latest signed checkpoint of the ledger",
    "GET /checkpoint/key": "the key that verifies it",
}

_JSON, _TEXT = "application/json", "text/plain; charset=utf-8"
_AGAIN = {"retry-after": "5"}

Endpoint = Callable[[Request], Awaitable[Response]]
Answer = TypeVar("Answer")

log = logging.getLogger("countermark")


class Desk:
    """The desk of one process: ``app`` is the ASGI application.

    ``is_draining`` says whether the process takes no new connections any more and is about to end.
    """

    def __init__(self, services: Succession, is_draining: Callable[[], bool]) -> None:
        self._services = services
        self._is_draining = is_draining
        settings, keys = services.service.settings, services.service.keys
        assert settings.desk is not None
        self._token = settings.desk.token
        self._reader = Reader(settings.ledger.path) if settings.ledger is not None else None
        self._publics = Notary(keys).all_publics()
        self._unrecorded, self._refused = 0, 0.0
        self._reading = asyncio.Lock()
        private = {
            "/": self._index,
            "/policies": self._policies,
            "/records": self._records,
            "/records/{id}/proof": self._proof,
            "/checkpoint": self._checkpoint,
            "/checkpoint/key": self._key,
        }
        self.app = Starlette(
            routes=[
                Route("/health", self._health),
                Route("/ready", self._ready),
                Route("/metrics", self._metrics),
                Route("/records/search", self._guarded(self._search), methods=["POST"]),
                *(Route(path, self._guarded(endpoint)) for path, endpoint in private.items()),
            ],
            exception_handlers={HTTPException: _refused, Exception: _failed},
        )
        self.app.router.redirect_slashes = False

    @property
    def _service(self) -> Service:
        return self._services.service

    # What anybody may see who reaches the address.

    async def _health(self, _: Request) -> Response:
        return _json({"status": "ok"})

    async def _ready(self, _: Request) -> Response:
        """Settings that were broken by an edit do not count: those before them are in force."""
        if self._is_draining():
            return _json({"status": "draining"}, 503)
        if self._is_refusing():
            return _json({"status": "unready", "reason": "the ledger cannot write; the log says why"}, 503, _AGAIN)
        return _json({"status": "ok"})

    def _is_refusing(self) -> bool:
        """Whether answers are held back because their records cannot be kept. Who is told so sends no more requests,
        and without any the ledger is never tried again: so this is said for a while after the last failure only."""
        service = self._service
        ledger, unrecorded = service.settings.ledger, service.counts.unrecorded
        if unrecorded != self._unrecorded:
            self._unrecorded, self._refused = unrecorded, time.monotonic()
        if ledger is None or ledger.on_failure == "pass" or service.ledger is None or not service.ledger.failing:
            return False
        return time.monotonic() - self._refused < RESTING

    async def _metrics(self, _: Request) -> Response:
        # In a thread, and once at a time: with many series it is long.
        async with self._reading:
            said = await asyncio.to_thread(lambda: exposition(readings(self._services)))
        return _reply(said, CONTENT_TYPE)

    # What takes the token.

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint, for those who have the token."""

        async def guarded(request: Request) -> Response:
            if self._token is None:
                raise HTTPException(403, "this desk has no token (desk: token), so it shows health and metrics only")
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            given, due = token.strip().encode("latin-1", "replace"), self._token.encode()
            if scheme.lower() != "bearer" or not hmac.compare_digest(given, due):
                raise HTTPException(401, "this takes the desk's token", {"www-authenticate": "Bearer"})
            return await endpoint(request)

        return guarded

    async def _index(self, _: Request) -> Response:
        return _json(INDEX)

    async def _policies(self, _: Request) -> Response:
        service = self._service
        settings, counts = service.settings, service.counts
        routes = [
            {
                "path": route.path,
                "upstream": route.upstream.name,
                "policies": list(route.policies),
                "mode": route.mode,
                "unclaimed": route.unclaimed,
                "missing": [gap.told() for gap in gaps(route.rules.policies)],
            }
            for route in settings.routes
        ]
        return _json(
            {
                "policy_set": settings.policy_set.digest,
                "policies": sorted(settings.policy_set.policies),
                "routes": routes,
                "reloads": counts.reloads,
                "failed_reloads": counts.failed_reloads,
                "last_faults": list(counts.last_faults),
            }
        )

    async def _records(self, request: Request) -> Response:
        asked = request.query_params.multi_items()
        return _reply(await self._ask(lambda archive: shown(find(archive, wanted(asked)))), _JSON)

    async def _search(self, request: Request) -> Response:
        body = await _body(request)
        keys, words = self._service.keys, self._service.settings.known_words
        # Understood in the reader's thread, too: a long text has thousands of hashes.
        return _reply(await self._ask(lambda archive: shown(find(archive, wanted_text(body, keys, words)))), _JSON)

    async def _proof(self, request: Request) -> Response:
        id, state = request.path_params["id"], request.query_params.get("state", "")
        made = await self._ask(lambda archive: proof(archive, id, state, self._publics))
        if made is None:
            raise HTTPException(404, "there is no such record")
        return _reply(made, _TEXT)

    async def _checkpoint(self, _: Request) -> Response:
        return _reply((await self._signed()).note.encode(), _TEXT)

    async def _key(self, _: Request) -> Response:
        segment = await self._signed()
        return _reply(f"{await self._ask(lambda _: key_of(segment, self._publics))}\n".encode(), _TEXT)

    async def _signed(self) -> SegmentRow:
        segment = await self._ask(latest)
        if segment is None:
            raise HTTPException(404, "nothing has been signed yet: the first records are signed within seconds")
        return segment

    async def _ask(self, question: Callable[[Archive], Answer]) -> Answer:
        if self._reader is None:
            raise HTTPException(404, "no records are kept (ledger: off)")
        try:
            return await self._reader.ask(question)
        except Unclear as error:
            raise HTTPException(400, str(error)) from None
        except ProvingError as error:
            raise HTTPException(409, str(error), _AGAIN) from None
        except Busy:
            raise HTTPException(503, "others are being answered; ask again", _AGAIN) from None
        except ArchiveError as error:
            log.error("the desk cannot read the records: %s", error)
            raise HTTPException(503, "the records cannot be read; the log says why", _AGAIN) from None


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LONGEST:
            raise HTTPException(413, f"a question has {LONGEST} bytes at most", {"connection": "close"})
    return bytes(body)


def _json(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return _reply(orjson.dumps(document), _JSON, status, headers)


def _reply(body: bytes, content_type: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    fixed = {"content-type": content_type, "cache-control": "no-store", "x-content-type-options": "nosniff"}
    return Response(body, status, fixed | (headers or {}))


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    return _json({"error": {"message": error.detail}}, error.status_code, headers)


async def _failed(_: Request, _error: Exception) -> Response:
    return _json({"error": {"message": "the desk failed; the log says how"}}, 500)
