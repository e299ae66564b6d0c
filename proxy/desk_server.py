"""The second server of the process, on an address and a socket of its own, in the same event loop as the proxy's.

Law: it listens from before the proxy takes its first request until after the last one has ended, so that whoever asks
how the process is gets an answer for as long as there is one, also while somebody else holds as many connections as
there may be; and if it fails, the proxy goes on.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["DeskServer"]

MOST_CONNECTIONS = 64
LAST_WORDS = 2  # seconds that answers under way have at the end

log = logging.getLogger("countermark")


class DeskServer(uvicorn.Server):
    """Serves one ASGI application on a socket that listens already, with ``protocol`` as its HTTP/1.1 (see server.py).

    ``address`` is the host and the port that it listens on. `start` and `stop` belong to the event loop.
    """

    def __init__(self, application: Any, listener: socket.socket, protocol: type[HttpToolsProtocol]) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                http=_bounded(protocol),
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_graceful_shutdown=LAST_WORDS,
            )
        )
        host, port = listener.getsockname()[:2]
        self.address: tuple[str, int] = (host, port)
        self._listener = listener
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to serve."""
        self._task = asyncio.create_task(self.serve([self._listener]))
        self._task.add_done_callback(_ended)

    async def stop(self) -> None:
        """Serve what is under way, and end. Without `start`, only the socket is closed."""
        self.should_exit = True
        if self._task is not None:
            await asyncio.wait([self._task])
        self._listener.close()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the proxy's: it ends first, and this server after it."""
        yield


def _bounded(protocol: type[HttpToolsProtocol]) -> type[HttpToolsProtocol]:
    """The protocol, of which there are ``MOST_CONNECTIONS`` at a time: one more takes the place of the oldest that has
    no answer under way, and finds none where all have one."""
    there: dict[HttpToolsProtocol, None] = {}  # the oldest first

    class Bounded(protocol):  # type: ignore[misc, valid-type]  # chosen by whoever starts the server
        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            there[self] = None
            if len(there) > MOST_CONNECTIONS:
                at_rest = (one for one in there if one.cycle is None or one.cycle.response_complete)
                leaves = next(at_rest)
                del there[leaves]
                leaves.transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            there.pop(self, None)
            super().connection_lost(exc)

    return Bounded


def _ended(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("the desk has ended; the proxy goes on", exc_info=error)
