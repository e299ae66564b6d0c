"""A real Countermark on a real port of 127.0.0.1.

    async with countermark(upstream.url, limits={"first_byte": "200 ms"}) as here: ...   # in this process
    async with process(upstream.url) as here: ...    # in one of its own, whose memory can be measured

What is given by name goes into the configuration's section of that name; ``upstream`` and ``route`` are those of the
only upstream and the only route. ``on_failure="pass"`` says so in the policy, ``own`` is the only policy in its place.
``watched=0.02`` looks every 20 ms whether the files in ``here.folder`` were edited.
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from proxy.app import App, app
from proxy.configuration import InFile
from proxy.record.exchange import Record
from proxy.server import Server
from proxy.service import Service
from proxy.watch import Watch
from tests.command import ROOT

PROVIDER = "TEST-LABS"
NOTICE = "【人工智能生成】\n\n"  # what policies/cn-gb45438.yaml puts before a text, for clients that name no language

_CHILD = """
import sys
from pathlib import Path
from proxy.app import app
from proxy.server import Server
from proxy.settings import load
Server(app(load(Path(sys.argv[1]))), listening=lambda address: print(*address, flush=True)).run()
"""


@dataclass
class _Listening:
    address: tuple[str, int]

    @property
    def url(self) -> str:
        return f"http://{self.address[0]}:{self.address[1]}"


@dataclass
class Here(_Listening):
    """A Countermark in this process."""

    app: App
    server: Server
    folder: Path

    @property
    def service(self) -> Service:
        return self.app.service

    @property
    def records(self) -> list[Record]:
        """Every entry on disk, the oldest first."""
        assert self.service.ledger is not None
        return self.service.ledger.recent(1000)[::-1]

    def only(self) -> Record:
        """How the only exchange ended."""
        assert len({record.id for record in self.records}) == 1, self.records
        return self.records[-1]

    @property
    def promised(self) -> int:
        """Bytes of memory that exchanges hold."""
        return self.service.settings.limits.total_memory - self.service.memory.left

    async def recorded(self, entries: int) -> list[Record]:
        """The entries, once there are so many: for exchanges whose client does not see their end."""
        await until(lambda: len(self.records) >= entries)
        return self.records


async def until(holds: Callable[[], bool], seconds: float = 5) -> None:
    """Wait for what nobody tells of."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110  there is no event for it
            await asyncio.sleep(0.002)


@dataclass
class Elsewhere(_Listening):
    """A Countermark in a process of its own."""

    id: int

    @property
    def memory(self) -> int:
        """Bytes that the process holds now."""
        return self._status("VmRSS")

    @property
    def most_memory(self) -> int:
        """The most bytes that it has held at one time."""
        return self._status("VmHWM")

    def _status(self, name: str) -> int:
        lines = Path(f"/proc/{self.id}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1]) * 1024


def configure(folder: Path, url: str, *, on_failure: str = "block", own: str | None = None, **sections: Any) -> Path:
    """A configuration file in ``folder`` for one upstream; its path. ``own``: the text of the only policy."""
    policies = folder / "policies"
    policies.mkdir()
    for policy in (ROOT / "policies").glob("*.yaml") if own is None else ():
        text = policy.read_text(encoding="utf-8").replace("on_failure: block", f"on_failure: {on_failure}")
        (policies / policy.name).write_text(text, encoding="utf-8")
    if own is not None:
        (policies / "own.yaml").write_text(own, encoding="utf-8")
    upstream = {"url": url, **sections.pop("upstream", {})}
    names = ["cn-gb45438" if own is None else "own"]
    route = {"path": "/**", "upstream": "models", "policies": names, **sections.pop("route", {})}
    whole = {
        "provider": {"id": PROVIDER, "name": "Test Labs"},
        "listen": "127.0.0.1:0",
        "upstreams": {"models": upstream},
        "routes": [route],
        "policies": "policies",
        "ledger": {"path": "countermark.db", "synchronous": "normal"},
    }
    for name, section in sections.items():
        whole[name] = {**whole.get(name, {}), **section} if isinstance(section, dict) else section
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(whole, allow_unicode=True), encoding="utf-8")
    return path


@asynccontextmanager
async def countermark(url: str, *, watched: float = 0.0, **sections: Any) -> AsyncIterator[Here]:
    """A Countermark in front of ``url``, in this process and this event loop."""
    with tempfile.TemporaryDirectory(prefix="countermark-") as folder:
        watch = Watch(InFile(configure(Path(folder), url, **sections)))
        application = app(watch.load(), watch if watched else None, watched)
        server = Server(application)
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        await server.startup()
        assert server.started
        try:
            yield Here(server.address, application, server, Path(folder))
        finally:
            # What Server.shutdown does, without its pauses of a tenth of a second.
            for one in server.servers:
                one.close()
            state = server.server_state
            for connection in list(state.connections):
                connection.shutdown()
            if state.tasks:
                _, late = await asyncio.wait(list(state.tasks), timeout=3)
                for task in late:
                    task.cancel()
                await asyncio.wait(late) if late else None
                assert not late, "an exchange did not end"
            await server.lifespan.shutdown()
            if server.desk is not None:
                await server.desk.stop()


@asynccontextmanager
async def process(url: str, **sections: Any) -> AsyncIterator[Elsewhere]:
    """A Countermark in front of ``url``, in a process of its own; what it says on standard error is ours too."""
    with tempfile.TemporaryDirectory(prefix="countermark-") as folder:
        config = configure(Path(folder), url, **sections)
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _CHILD, str(config), cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        assert child.stdout is not None
        try:
            async with asyncio.timeout(20):
                host, port = (await child.stdout.readline()).decode().split()
            yield Elsewhere((host, int(port)), child.pid)
        finally:
            if child.returncode is None:
                child.terminate()
            try:
                await asyncio.wait_for(child.wait(), 10)
            except TimeoutError:
                child.kill()
                await child.wait()
                raise
