"""The composition root: Settings in, an ASGI application out."""

import asyncio
from typing import TYPE_CHECKING

from proxy.assembly import service
from proxy.client import Message, Receive, Scope, Send
from proxy.keys import Keys
from proxy.ledger import Ledger, LedgerError
from proxy.links import PATH as LINKS
from proxy.notary import Notary
from proxy.readings import readings
from proxy.relay import Relay
from proxy.reload import EVERY, Reloader
from proxy.service import Service
from proxy.settings import LedgerSettings, Settings
from proxy.shipper import Shipper, ShippingError
from proxy.succession import Succession
from proxy.watch import Watch

if TYPE_CHECKING:
    from proxy.telemetry import Telemetry

OWN = "/countermark/"
HEALTH = "/countermark/health"


class App:
    """The proxy as one ASGI application: our own paths under ``/countermark/``, and everything else relayed.

    With ``watch``, what its settings were loaded from is looked at ``every`` so many seconds: edits come into force.
    """

    def __init__(
        self, shared: Service, watch: Watch | None = None, every: float = EVERY, shipper: Shipper | None = None
    ) -> None:
        self.services = Succession(shared, shipper)
        self._relay = Relay(self.services)
        self._reloader = Reloader(self.services, watch, every) if watch is not None else None
        self._telemetry = self._open_telemetry(shared.settings.telemetry.otlp)

    @property
    def service(self) -> Service:
        """The Service that exchanges begin with now."""
        return self.services.service

    def reload(self) -> None:
        """Load the settings again at once, where they are watched; safe from any thread and from a signal's handler."""
        if self._reloader is not None:
            self._reloader.ask()

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
        watching: asyncio.Task[None] | None = None
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                if self._reloader is not None:
                    watching = asyncio.create_task(self._reloader.run())
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                if watching is not None:
                    watching.cancel()
                    await asyncio.wait([watching])
                await self.services.close()
                if self._telemetry is not None:
                    await asyncio.to_thread(self._telemetry.close)
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _open_telemetry(self, url: str | None) -> "Telemetry | None":
        if url is None:
            return None
        # Imported here: OpenTelemetry takes longer to import than the rest of the proxy, and few need it.
        from proxy.telemetry import Telemetry

        telemetry = Telemetry(url, lambda: readings(self.services))
        self.service.trails.tell = telemetry.tell
        return telemetry


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


def app(settings: Settings, watch: Watch | None = None, every: float = EVERY) -> App:
    """Open keys and ledger and put the application together; ``watch`` is what loaded the settings (see App).

    Raises KeysError, LedgerError or SettingsError, each with a sentence that says what to do.
    """
    keys = Keys.open(settings.keys)
    ledger = None
    if settings.ledger is not None:
        ledger = Ledger.open(
            settings.ledger.path,
            Notary(keys),
            synchronous=settings.ledger.synchronous,
            checkpoint_seconds=settings.ledger.checkpoint,
        )
    return App(service(settings, keys, ledger), watch, every, _shipper(settings.ledger))


def _shipper(ledger: LedgerSettings | None) -> Shipper | None:
    if ledger is None or ledger.ship_to is None:
        return None
    try:
        shipper = Shipper(ledger.path, ledger.ship_to)
    except ShippingError as error:
        raise LedgerError(str(error)) from None
    shipper.start()
    return shipper
