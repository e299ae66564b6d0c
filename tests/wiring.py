"""Every way to send a request upstream that we offer: the transports, and the event loops under our own."""

import asyncio
import inspect
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from proxy import upstream
from proxy.labelling.message import Headers, RequestHead

HTTP11 = {"http11-uvloop": uvloop.new_event_loop, "http11-asyncio": asyncio.new_event_loop}
EVERY = HTTP11 | {"httpx-uvloop": uvloop.new_event_loop, "httpx-asyncio": asyncio.new_event_loop}

Test = Callable[..., Coroutine[Any, Any, None]]


def _on(wirings: dict[str, Callable[[], asyncio.AbstractEventLoop]], test: Test) -> Callable[..., None]:
    signature = inspect.signature(test)
    takes_wiring = "wiring" in signature.parameters

    @pytest.mark.parametrize("wiring", list(wirings))
    def run(wiring: str, **arguments: Any) -> None:
        given = arguments | ({"wiring": wiring} if takes_wiring else {})
        with pytest.MonkeyPatch.context() as patch, asyncio.Runner(loop_factory=wirings[wiring]) as runner:
            patch.setenv("NO_PROXY", "127.0.0.1,localhost")
            runner.run(asyncio.wait_for(test(**given), 30))

    if not takes_wiring:
        wired = inspect.Parameter("wiring", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        signature = signature.replace(parameters=[wired, *signature.parameters.values()])
    run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
    # pytest asks for the names of the fixtures here, and for the test's own marks.
    vars(run).update(__signature__=signature, pytestmark=[*vars(run)["pytestmark"], *vars(test).get("pytestmark", [])])
    wired_test: Callable[..., None] = run
    return wired_test


def on_every_wiring(test: Test) -> Callable[..., None]:
    """The test takes ``wiring`` and runs over every transport and loop."""
    return _on(EVERY, test)


def on_http11(test: Test) -> Callable[..., None]:
    return _on(HTTP11, test)


@asynccontextmanager
async def client(wiring: str, url: str, **settings: Any) -> AsyncIterator[upstream.Upstream]:
    transport: upstream.Transport = "httpx" if wiring.startswith("httpx") else "http11"
    made = upstream.open(upstream.Target(url, **settings), transport)
    try:
        yield made
    finally:
        await made.aclose()


def request(method: str = "GET", target: bytes = b"/", headers: Headers | None = None) -> RequestHead:
    return RequestHead(method, target, headers or [])


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        await asyncio.sleep(0)
        yield part


async def whole(response: upstream.Response) -> bytes:
    """The rest of a response's body."""
    body = b""
    while piece := await response.read():
        body += piece
    return body


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, signed by itself, and its key."""
    chain, key = folder / "chain.pem", folder / "key.pem"
    ask = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    ask += ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(chain)]
    subprocess.run(ask, check=True, capture_output=True)
    return chain, key
