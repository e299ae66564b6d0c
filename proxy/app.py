"""The composition root: Settings in, an ASGI application out."""

from proxy.client import Message, Receive, Scope, Send
from proxy.keys import Keys
from proxy.ledger import Ledger
from proxy.links import PATH as LINKS
from proxy.relay import Relay
from proxy.service import Service, service
from proxy.settings import Settings

OWN = "/countermark/"
HEALTH = "/countermark/health"


class App:
    """The proxy as one ASGI application: our own paths under ``/countermark/``, and everything else relayed."""

    def __init__(self, shared: Service) -> None:
        self.service = shared
        self._relay = Relay(shared)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if scope["path"].startswith(LINKS):
                await self._relay.linked(scope, receive, send)
            elif scope["path"].startswith(OWN):
                await _own(scope, send)
            else:
                await self._relay(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": "WebSockets are not relayed"})

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.service.close()
                await send({"type": "lifespan.shutdown.complete"})
                return


async def _own(scope: Scope, send: Send) -> None:
    status, body = 404, b'{"error":{"message":"nothing is here"}}'
    if scope["path"] == HEALTH:
        status, body = 200, b'{"status":"ok"}'
    head: Message = {
        "type": "http.response.start",
        "status": status,
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))],
    }
    await send(head)
    await send({"type": "http.response.body", "body": body})


def app(settings: Settings) -> App:
    """Open keys and ledger and put the application together.

    Raises KeysError, LedgerError or SettingsError, each with a sentence that says what to do.
    """
    keys = Keys.open(settings.keys)
    ledger = None
    if settings.ledger is not None:
        ledger = Ledger.open(settings.ledger.path, synchronous=settings.ledger.synchronous)
    return App(service(settings, keys, ledger))
