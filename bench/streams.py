"""The CPU that a labelled stream costs, against the same stream passed through by the same program.

For each API, an endpoint on 127.0.0.1 sends a stream of many records, one write a record, to a Countermark in a process
of its own: once under a policy, once under none. Printed are the microseconds of the process's CPU for each record,
how they compare, and how much the process's memory grew while the stream passed.

    python bench/streams.py [--records 10000] [--streams 5] [--only openai.chat]
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TICK = os.sysconf("SC_CLK_TCK")

Stream = tuple[str, str, dict[str, Any], str, Callable[[int], Iterator[bytes]]]


def _sse(*records: Any, named: bool = False) -> Iterator[bytes]:
    for record in records:
        data = record if isinstance(record, str) else json.dumps(record, separators=(",", ":"))
        yield (f"event: {record['type']}\n" if named else "").encode() + f"data: {data}\n\n".encode()


def chat(count: int) -> Iterator[bytes]:
    head = {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "m",
    }
    for number in range(count):
        choice = {
            "index": 0,
            "delta": {"content": f" word{number}"},
            "finish_reason": None,
        }
        yield from _sse({**head, "choices": [choice]})
    yield from _sse(
        {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        "[DONE]",
    )


def responses(count: int) -> Iterator[bytes]:
    part: dict[str, Any] = {"type": "output_text", "text": "", "annotations": []}
    item: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [],
    }
    answer: dict[str, Any] = {"id": "resp_1", "object": "response", "output": []}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    text = "".join(f" word{number}" for number in range(count))
    done = {**part, "text": text}
    records: list[dict[str, Any]] = [
        {"type": "response.created", "response": answer},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **place, "part": part},
        *(
            {
                "type": "response.output_text.delta",
                **place,
                "delta": f" word{n}",
                "logprobs": [],
            }
            for n in range(count)
        ),
        {"type": "response.output_text.done", **place, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": done},
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": {**item, "content": [done]},
        },
        {
            "type": "response.completed",
            "response": {**answer, "output": [{**item, "content": [done]}]},
        },
    ]
    for number, record in enumerate(records):
        yield from _sse({**record, "sequence_number": number}, named=True)


def messages(count: int) -> Iterator[bytes]:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "usage": {},
    }
    yield from _sse(
        {"type": "message_start", "message": message},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "text", "text": ""},
        },
        named=True,
    )
    for number in range(count):
        delta = {"type": "text_delta", "text": f" word{number}"}
        yield from _sse({"type": "content_block_delta", "index": 0, "delta": delta}, named=True)
    yield from _sse(
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": count},
        },
        {"type": "message_stop"},
        named=True,
    )


def gemini(count: int) -> Iterator[bytes]:
    for number in range(count):
        candidate = {
            "content": {"parts": [{"text": f" word{number}"}], "role": "model"},
            "index": 0,
        }
        yield f"data: {json.dumps({'candidates': [candidate]})}\r\n\r\n".encode()
    last = {
        "content": {"parts": [{"text": "."}], "role": "model"},
        "finishReason": "STOP",
        "index": 0,
    }
    yield f"data: {json.dumps({'candidates': [last]})}\r\n\r\n".encode()


def ollama(count: int) -> Iterator[bytes]:
    for number in range(count + 1):
        message = {
            "role": "assistant",
            "content": f" word{number}" if number < count else "",
        }
        yield (json.dumps({"model": "m", "message": message, "done": number == count}).encode() + b"\n")


def dashscope(count: int) -> Iterator[bytes]:
    count = min(count, 1000)  # each record says all of the text again
    text = ""
    for number in range(count):
        text += f" word{number}"
        why = "stop" if number == count - 1 else "null"
        record = {"output": {"text": text, "finish_reason": why}, "request_id": "r"}
        yield f"id:{number + 1}\nevent:result\n:HTTP_STATUS/200\ndata:{json.dumps(record)}\n\n".encode()


SSE = "text/event-stream"
STREAMS: dict[str, Stream] = {
    "openai.chat": ("/v1/chat/completions", SSE, {"stream": True}, "", chat),
    "openai.responses": ("/v1/responses", SSE, {"stream": True}, "", responses),
    "anthropic.messages": ("/v1/messages", SSE, {"stream": True}, "", messages),
    "gemini.generate": (
        "/v1beta/models/m:streamGenerateContent",
        SSE,
        {},
        "?alt=sse",
        gemini,
    ),
    "ollama.chat": ("/api/chat", "application/x-ndjson", {}, "", ollama),
    "dashscope.text": (
        "/api/v1/services/aigc/text-generation/generation",
        SSE,
        {},
        "",
        dashscope,
    ),
}


async def endpoint(port: int, records: int) -> None:
    """Answer each request with the stream of its path, a write a record."""
    made = {path: (media, list(make(records))) for path, media, _, _, make in STREAMS.values()}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (
                        int(one.split(b":")[1])
                        for one in head.lower().split(b"\r\n")
                        if one.startswith(b"content-length:")
                    ),
                    0,
                )
                await reader.readexactly(length)
                path = head.split(b" ")[1].decode().partition("?")[0].removeprefix("/passed")
                media, parts = made[path]
                writer.write(f"HTTP/1.1 200 OK\r\ncontent-type: {media}\r\ntransfer-encoding: chunked\r\n\r\n".encode())
                for part in parts:
                    writer.write(b"%x\r\n%b\r\n" % (len(part), part))
                    await writer.drain()
                    await asyncio.sleep(0)
                writer.write(b"0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    await server.serve_forever()


def _status(process: int, name: str) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])


def _cpu(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


async def take(port: int, path: str, body: bytes) -> int:
    """Ask once, and read the answer to its end; how many bytes came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    fields = f"host: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(f"POST {path} HTTP/1.1\r\n{fields}".encode() + body)
    size, tail = 0, b""
    while not tail.endswith(b"\r\n0\r\n\r\n"):
        data = await reader.read(1 << 16)
        if not data:
            raise SystemExit(f"{path}: the answer was cut")
        size, tail = size + len(data), (tail + data)[-64:]
    writer.close()
    return size


async def measure(process: int, port: int, name: str, records: int, streams: int) -> None:
    path, _, body, query, make = STREAMS[name]
    sent = sum(1 for _ in make(records))
    found: dict[str, float] = {}
    for kind, prefix in (("passed", "/passed"), ("labelled", "")):
        await take(port, prefix + path + query, json.dumps(body).encode())
        grown, before = _status(process, "VmHWM"), _cpu(process)
        for _ in range(streams):
            await take(port, prefix + path + query, json.dumps(body).encode())
        found[kind] = (_cpu(process) - before) / (streams * sent) * 1e6
        grown = _status(process, "VmHWM") - grown
        print(
            f"{name:20} {kind:9} {found[kind]:7.1f} us a record, {grown:6} KiB more memory",
            flush=True,
        )
    print(
        f"{name:20} labelled / passed = {found['labelled'] / found['passed']:.2f}",
        flush=True,
    )


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--records", type=int, default=10_000)
    asked.add_argument("--streams", type=int, default=5)
    asked.add_argument("--only", choices=STREAMS)
    asked.add_argument("--endpoint", type=int, help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.endpoint:
        asyncio.run(endpoint(given.endpoint, given.records))
        return
    upstream_port, port = 9180, 9181
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(
            "provider: {id: BENCH}\n"
            f"listen: 127.0.0.1:{port}\n"
            f"upstreams: {{up: {{url: 'http://127.0.0.1:{upstream_port}'}}}}\n"
            "routes:\n"
            "  - {path: /passed/**, upstream: up, policies: []}\n"
            "  - {path: /**, upstream: up, policies: [cn-gb45438]}\n"
            f"policies: {ROOT / 'policies'}\n"
            "ledger: 'off'\n",
            encoding="utf-8",
        )
        again = [
            sys.executable,
            __file__,
            "--endpoint",
            str(upstream_port),
            "--records",
            str(given.records),
        ]
        upstream = subprocess.Popen(again)
        proxy = subprocess.Popen([sys.executable, "-m", "proxy", "serve", "--config", str(config)], cwd=ROOT)
        try:
            asyncio.run(_all(proxy.pid, port, given))
        finally:
            for one in (proxy, upstream):
                one.terminate()
                one.wait()


async def _all(process: int, port: int, given: argparse.Namespace) -> None:
    for _ in range(100):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            break
        except OSError:
            await asyncio.sleep(0.1)
    for name in [given.only] if given.only else STREAMS:
        await measure(process, port, name, given.records, given.streams)


if __name__ == "__main__":
    main()
