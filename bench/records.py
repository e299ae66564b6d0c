"""What records and traces cost: the throughput of labelled chat with them, beside the same proxy without.

An endpoint on 127.0.0.1 answers chats (a whole JSON answer of 2 KB) to a Countermark in a process of its own, which
`--connections` clients keep busy. The proxy is held to one core and everything else to another, so that what its
threads do for the ledger is paid from the same core as its answers. Each configuration runs in turn, `--rounds` times;
printed are the medians.

    off           ledger: off, no telemetry
    ledger        records, group commit, the file on disk (synchronous: full)
    ledger normal the same with synchronous: normal
    metrics       counts and histograms, no ledger
    traces        metrics, and 5 % of exchanges traced to a collector that takes everything
    all           ledger (full), metrics, traces of 5 %

    python bench/records.py [--requests 4000] [--rounds 3] [--connections 32]
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
TICK = os.sysconf("SC_CLK_TCK")

DESK = {"desk": {"listen": "127.0.0.1:0"}}
NONE: dict[str, Any] = {"ledger": "off"}
FULL: dict[str, Any] = {"ledger": {"synchronous": "full"}}
NORMAL: dict[str, Any] = {"ledger": {"synchronous": "normal"}}

TEXT = "The quick brown fox jumps over the lazy dog. " * 38
ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": TEXT},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 400, "total_tokens": 410},
    }
).encode()
NOTICE = "【".encode(), b"\\u3010"
ASKED = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Tell me about foxes."}]}).encode()


class Figures(NamedTuple):
    """Requests a second, and microseconds of the proxy's CPU for each of them."""

    rate: float
    cpu: float


class _Peer(asyncio.Protocol):
    """Answers each request on a connection with the same bytes."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while True:
            head, found, rest = self._rest.partition(b"\r\n\r\n")
            if not found:
                return
            lines = head.lower().split(b"\r\n")
            length = next(
                (int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")),
                0,
            )
            if len(rest) < length:
                return
            self._rest = rest[length:]
            self._transport.write(self._answer)


class _Client(asyncio.Protocol):
    """Asks again as soon as it has its answer, until none is left to be asked."""

    def __init__(self, left: list[int], request: bytes, done: "asyncio.Future[None]") -> None:
        self._left, self._request, self._done = left, request, done
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._ask()

    def _ask(self) -> None:
        if not self._left[0]:
            self._transport.close()
            if not self._done.done():
                self._done.set_result(None)
            return
        self._left[0] -= 1
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._rest += data
        head, found, rest = self._rest.partition(b"\r\n\r\n")
        if not found:
            return
        lines = head.lower().split(b"\r\n")
        length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:"))
        if len(rest) < length:
            return
        if not head.startswith(b"HTTP/1.1 200") or not any(one in rest for one in NOTICE):
            raise SystemExit(f"an answer without its label: {head[:200]!r}")
        self._rest = b""
        self._ask()


def _answering(body: bytes, kind: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def _cpu(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


async def _load(port: int, requests: int, connections: int) -> None:
    fields = f"host: x\r\ncontent-type: application/json\r\ncontent-length: {len(ASKED)}\r\n\r\n"
    request = f"POST /v1/chat/completions HTTP/1.1\r\n{fields}".encode() + ASKED
    loop, left = asyncio.get_running_loop(), [requests]
    ends = [loop.create_future() for _ in range(connections)]
    for end in ends:
        await loop.create_connection(lambda end=end: _Client(left, request, end), "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*ends)


async def measure(sections: dict[str, Any], upstream: int, requests: int, connections: int) -> Figures:
    """One run of a proxy configured so."""
    with tempfile.TemporaryDirectory(prefix="countermark-bench-") as folder:
        config = {
            "provider": {"id": "BENCH", "name": "Bench"},
            "listen": "127.0.0.1:0",
            "upstreams": {"models": {"url": f"http://127.0.0.1:{upstream}"}},
            "routes": [{"path": "/**", "upstream": "models", "policies": ["cn-gb45438"]}],
            "policies": str(ROOT / "policies"),
            **sections,
        }
        (Path(folder) / "config.yaml").write_text(json.dumps(config))
        child = subprocess.Popen(  # noqa: ASYNC220  nothing else goes on while it starts
            [sys.executable, "-m", "proxy", "serve", "--config", "config.yaml"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )
        os.sched_setaffinity(child.pid, {0})
        said: Any = child.stderr
        try:
            line = said.readline()
            while " listens on http://" not in line:
                if not line:
                    raise SystemExit("the proxy did not start")
                line = said.readline()
            port = int(line.split("http://")[1].split()[0].rpartition(":")[2])
            await _load(port, requests // 10, connections)
            before, start = _cpu(child.pid), time.perf_counter()
            await _load(port, requests, connections)
            seconds, cpu = time.perf_counter() - start, _cpu(child.pid) - before
        finally:
            child.terminate()
            child.wait(30)
            said.close()
    return Figures(requests / seconds, cpu / requests * 1e6)


async def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--requests", type=int, default=4000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--connections", type=int, default=32)
    options.add_argument("--only", default="")
    asked = options.parse_args()
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {1})
    loop = asyncio.get_running_loop()
    answer = _answering(ANSWER, "application/json")
    endpoint = await loop.create_server(lambda: _Peer(answer), "127.0.0.1", 0)
    collector = await loop.create_server(lambda: _Peer(_answering(b"", "application/x-protobuf")), "127.0.0.1", 0)
    upstream = endpoint.sockets[0].getsockname()[1]
    otlp = f"http://127.0.0.1:{collector.sockets[0].getsockname()[1]}"
    traced = {"telemetry": {"otlp": otlp, "sample": "5 %"}}
    kinds = {
        "off": NONE,
        "ledger": FULL,
        "ledger normal": NORMAL,
        "metrics": NONE | DESK,
        "traces": NONE | DESK | traced,
        "all": FULL | DESK | traced,
    }
    if asked.only:
        kinds = {name: kinds[name] for name in ("off", *asked.only.split(","))}
    found: dict[str, list[Figures]] = {name: [] for name in kinds}
    for _ in range(asked.rounds):
        for name, sections in kinds.items():
            found[name].append(await measure(sections, upstream, asked.requests, asked.connections))
    base = statistics.median(one.rate for one in found["off"])
    print(f"{'':16}{'req/s':>8}{'of off':>9}{'CPU us/req':>12}")
    for name, runs in found.items():
        rate = statistics.median(one.rate for one in runs)
        cpu = statistics.median(one.cpu for one in runs)
        print(f"{name:16}{rate:8.0f}{rate / base:9.0%}{cpu:12.0f}")


if __name__ == "__main__":
    asyncio.run(main())
