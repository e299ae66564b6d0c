"""``countermark demo``: a model endpoint of our own, Countermark in front of it, and a show of what it does.

It needs no key and no network, and it leaves nothing behind but the pictures of the show: its secret lives in memory,
its records in a temporary folder.
"""

import asyncio
import contextlib
import secrets
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any

import uvicorn
from rich.console import Console

from proxy.app import App
from proxy.assembly import service
from proxy.demo_model import MODEL, DemoModel
from proxy.demo_show import OUTPUT, DemoError, show
from proxy.keys import Keys
from proxy.ledger import Ledger
from proxy.notary import Notary
from proxy.server import Server, bind
from proxy.settings import Settings, load

__all__ = ["PROVIDER", "DemoError", "run"]

# Nobody could take it for a provider's: whatever the demo labels must not look as if somebody answered for it.
PROVIDER = "DEMO-NOT-A-REAL-PROVIDER"

SHOW_PAUSE, HUMAN_PAUSE = 0.03, 0.05  # seconds between two tokens

CONFIG = """\
provider: {{id: {provider}, name: Demo (not a real provider)}}
upstreams: {{demo: {{url: "{url}"}}}}
routes: [{{path: /**, upstream: demo, policies: [cn-gb45438]}}]
"""

INVITATION = """\
Countermark keeps serving at {url}, and the model now
writes as fast as people read. Try it from another terminal:

curl -N {url}/v1/chat/completions \\
  -H 'content-type: application/json' -d '{{"model": "{model}", "stream": true,
  "messages": [{{"role": "user", "content": "What is a countermark?"}}]}}'

or from Python (pip install openai):

from openai import OpenAI
client = OpenAI(base_url="{url}/v1", api_key="none")
hello = [{{"role": "user", "content": "你好"}}]
answer = client.chat.completions.create(model="{model}", messages=hello)
print(answer.choices[0].message.content, answer.model_extra["AIGC"], sep="\\n")

Ctrl-C ends it."""


def run(at: socket.socket, console: Console, *, once: bool) -> bool:
    """The demo from start to end; false where the show did not show what it should.

    Ctrl-C and SIGTERM end it in good order. DemoError where it could not be given.
    """
    try:
        return asyncio.run(_until_told(_demo(at, console, once=once)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return True


async def _until_told(demo: Coroutine[Any, Any, bool]) -> bool:
    task = asyncio.ensure_future(demo)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


async def _demo(at: socket.socket, console: Console, *, once: bool) -> bool:
    model = DemoModel(SHOW_PAUSE)
    model_at = bind("127.0.0.1", 0)
    with tempfile.TemporaryDirectory(prefix="countermark-demo-") as folder:
        settings = _settings(Path(folder), _url(model_at))
        # What the demo leaves behind is nothing, so that nothing needs to survive a loss of power.
        keys = Keys.ephemeral(secrets.token_bytes(32))
        ledger = Ledger.open(Path(folder) / "records.db", Notary(keys), synchronous="normal")
        application = App(service(settings, keys, ledger))
        behind = _Model(uvicorn.Config(model.app, log_config=None, access_log=False, ws="none", lifespan="off"))
        async with _serving(behind, model_at), _serving(_Proxy(application), at):
            right = await show(console, direct=_url(model_at), labelled=_url(at), provider=PROVIDER, ledger=ledger)
            if once or not right:
                if right:
                    console.print(f"That was the whole show. The pictures are in {OUTPUT}/.")
                return right
            model.pause = HUMAN_PAUSE
            # As it is: these lines are there to be copied.
            console.out(INVITATION.format(url=_url(at), model=MODEL), highlight=False)
            await asyncio.Event().wait()
    raise AssertionError("nothing sets the event: only an interruption ends the waiting")


def _settings(folder: Path, url: str) -> Settings:
    """What anybody would configure."""
    config = folder / "config.yaml"
    config.write_text(CONFIG.format(provider=PROVIDER, url=url), encoding="utf-8")
    return load(config)


def _url(at: socket.socket) -> str:
    host, port = at.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Beside:
    """A server beside others in one process: none of them may take the signals for itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Model(_Beside, uvicorn.Server):
    pass


class _Proxy(_Beside, Server):
    pass


@contextlib.asynccontextmanager
async def _serving(server: uvicorn.Server, at: socket.socket) -> AsyncIterator[None]:
    server.config.timeout_graceful_shutdown = 1  # whoever ends a demo does not wait for the last word of an answer
    task = asyncio.create_task(server.serve(sockets=[at]))  # the socket listens already: clients wait for the rest
    try:
        yield
    finally:
        server.should_exit = True
        await task
