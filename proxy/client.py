"""The client's side of one exchange, over ASGI: its request taken in, its leaving noticed, the response sent.

The law: a response that was begun ends whole or is cut (Aborted); what was sent is never added to after its end.
"""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from functools import partial
from time import perf_counter_ns, time
from typing import Any

import orjson

from proxy.bounds import Lease
from proxy.labelling.headers import Peer, joined
from proxy.labelling.message import Headers, RequestHead

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


# An ASGI extension of our server's: ``tell(callback)`` calls back when the connection is lost. Elsewhere a task that
# waits for ``http.disconnect`` does the same, at the price of a task for every request.
LOST = "countermark.lost"
# Another: the request target as it was sent, for ASGI's scope does not tell an empty query from none.
TARGET = "countermark.target"
# And another, where a request asks for a WebSocket: ``hand_over(protocol)`` makes the connection the protocol's, and
# returns what has come behind the request.
SOCKET = "countermark.socket"


class Aborted(Exception):
    """The response cannot be finished: raised out of the application, so that the server cuts the connection."""


class ClientLeft(Exception):
    """The client closed its connection."""


class TooLarge(Exception):
    """A request's body is longer than the bound."""


class Unreadable(Exception):
    """A request's body cannot be decoded; ``status`` is what the client is told."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class HandedOver(asyncio.Protocol):
    """What a connection can be handed over to."""

    @abstractmethod
    def shutdown(self) -> None:
        """The server is about to end: come to an end, soon and in order."""


def is_websocket(headers: Headers) -> bool:
    """Whether a request's fields ask for a WebSocket: the loosest reading, so that none passes for something else."""
    offers = joined(headers, b"upgrade").lower()
    return b"websocket" in [offer.partition(b"/")[0].strip() for offer in offers.split(b",")]


class Client:
    """Who sent the request and waits for the response. ``started`` and ``finished`` tell how far the response is,
    ``status`` and ``begun`` what its head said and when that was (``perf_counter_ns``), zeros before it, and ``left``
    that nobody waits any more; ``arrived`` is when the request's head was here, in Unix seconds."""

    __slots__ = (
        "_fields", "_heard", "_receive", "_scope", "_send", "_uploading", "_waiting", "_watch", "arrived", "begun",
        "finished", "head", "left", "patience", "started", "status",
    )  # fmt: skip

    def __init__(self, scope: Scope, receive: Receive, send: Send, patience: float) -> None:
        """``patience``: seconds that a body may stop for."""
        self.arrived = time()
        self.patience = patience
        self._scope = scope
        self._receive = receive
        self._send = send
        self._watch: asyncio.Task[None] | None = None
        self._waiting: asyncio.Task[Any] | None = None
        self._uploading = self._heard = self.started = self.finished = self.left = False
        self.status = self.begun = 0
        target = (scope.get("extensions") or {}).get(TARGET, b"")
        if not target.startswith(b"/") or b"#" in target:  # what stands behind # was not read as a path here
            path, query = scope["raw_path"], scope["query_string"]
            target = path + b"?" + query if query else path
        self.head = RequestHead(scope["method"], target, scope["headers"])
        self._fields: dict[bytes, bytes] = dict(reversed(scope["headers"]))  # of several, the first

    @property
    def path(self) -> bytes:
        """The request's path as it was sent, percent-encoded, without the query."""
        return self._scope["raw_path"]  # type: ignore[no-any-return]

    def field(self, name: bytes) -> bytes:
        """The value of a request field, the first if there are several, by its name in lower case; empty if absent."""
        return self._fields.get(name, b"")

    def only(self, name: bytes) -> bytes:
        """The value of a field that there is one of; empty where it is absent, or there are several."""
        value = self._fields.get(name, b"")
        return value if value and sum(key == name for key, _ in self.head.headers) == 1 else b""

    def peer(self, trusts: Callable[[str], bool]) -> Peer:
        """The connection's other end; ``trusts`` says whose forwarding fields are believed."""
        client = self._scope.get("client")
        address = client[0] if client else ""
        return Peer(address, self._scope.get("scheme", "http"), trusts(address))

    @property
    def asks_for_socket(self) -> bool:
        """Whether the request asks for a WebSocket instead of an answer."""
        return b"upgrade" in self._fields and is_websocket(self.head.headers)

    @property
    def socket(self) -> Callable[[HandedOver], bytes] | None:
        """What hands the connection over (see SOCKET), or None where the server cannot do that."""
        return (self._scope.get("extensions") or {}).get(SOCKET)

    # The request.

    async def body(self, limit: int, lease: Lease) -> bytes:
        """The whole body, at most ``limit`` bytes, paid for from ``lease``. Raises TooLarge, Overloaded, ClientLeft."""
        announced = self.field(b"content-length")
        if announced and int(announced) > limit:
            raise TooLarge(f"the request's body is longer than {limit} bytes")
        message = await self._message()
        parts = [message.get("body", b"")]
        size = len(parts[0])
        lease.take(size)
        while message.get("more_body"):
            message = await self._more()
            part = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise TooLarge(f"the request's body is longer than {limit} bytes")
            lease.take(len(part))
            parts.append(part)
        if size > limit:
            raise TooLarge(f"the request's body is longer than {limit} bytes")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def upload(self) -> tuple[AsyncIterator[bytes] | None, int | None]:
        """The body as it comes, and its length where that is known; None where there is none."""
        length = self.field(b"content-length")
        if not length and not self.field(b"transfer-encoding"):
            await self._message()
            return None, None
        self._uploading = True
        return self._chunks(), int(length) if length else None

    async def _chunks(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self._more()
            more = message.get("more_body", False)
            if data := message.get("body"):
                yield data
        self._uploading = False
        if self._waiting is not None and not self.finished:
            self._watch = asyncio.get_running_loop().create_task(self._watched(self._waiting))

    async def _message(self) -> Message:
        self._heard = True
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.left = True
            raise ClientLeft
        return message

    async def _more(self) -> Message:
        """The next piece of a body that has begun: who stalls in the middle of one keeps memory and a connection."""
        try:
            async with asyncio.timeout(self.patience):
                return await self._message()
        except TimeoutError:
            raise Unreadable(408, "the request's body stopped coming") from None

    def watch(self) -> None:
        """From now on, cancel the running task when the client leaves; to be called once the request is in whole, or
        while it is uploaded."""
        task = asyncio.current_task()
        assert task is not None
        tell = (self._scope.get("extensions") or {}).get(LOST)
        if tell is not None:
            tell(partial(self._lost, task))
        elif self._uploading:  # which hears of it itself, and must not share what it receives
            self._waiting = task
        else:
            self._watch = asyncio.get_running_loop().create_task(self._watched(task))

    async def _watched(self, exchange: "asyncio.Task[Any]") -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._lost(exchange)

    def _lost(self, exchange: "asyncio.Task[Any]") -> None:
        if not self.finished:
            self.left = True
            exchange.cancel()

    def unwatch(self) -> None:
        """The exchange is over; safe to call twice."""
        self.finished = True
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    # The response.

    async def start(self, status: int, headers: Headers) -> None:
        """Send the response's head."""
        self.started, self.status, self.begun = True, status, perf_counter_ns()
        if status == 304:  # may say how long a 200 would be (RFC 9110 section 8.6), which the server takes for its own
            headers = [field for field in headers if field[0].lower() != b"content-length"]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def send(self, data: bytes) -> None:
        """Send a piece of the body; returns when there is room for more."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self, data: bytes = b"") -> None:
        """Send the last piece; the response is whole."""
        self.finished = True
        await self._send({"type": "http.response.body", "body": data})

    async def refuse(self, status: int, code: str, message: str, retry_after: int = 0) -> None:
        """An answer of our own: JSON in the shape in which SDKs show errors to their users."""
        body = orjson.dumps({"error": {"message": message, "type": "countermark", "code": code}})
        headers: Headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        if self.field(b"expect") and not self._heard:
            # Nobody told the client to send the body: what comes next is perhaps that, and perhaps another request.
            headers.append((b"connection", b"close"))
        if retry_after:
            headers.append((b"retry-after", b"%d" % retry_after))
        await self.start(status, headers)
        await self.finish(body)
