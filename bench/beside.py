"""How late the tokens of a stream are while the same Countermark labels a picture.

    python bench/beside.py [--side 10000] [--streams 4]

An endpoint on 127.0.0.1 sends streams with a token every 5 ms, another one a picture of side x side pixels as base64 in
JSON. Countermark, in a process of its own, labels both. Printed is the time between tokens as a client sees it, first
with nothing else to do, then while the picture is labelled.
"""

import argparse
import asyncio
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from pathlib import Path

from pictures import encoded, photo

ROOT = Path(__file__).resolve().parent.parent
EVERY = 0.005  # seconds between tokens


async def endpoint(port: int, side: int) -> None:
    """Tokens without end, or, where ``side`` is given, a picture: a process that copies one is late with the others."""
    head = {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "m",
    }
    token = {
        **head,
        "choices": [{"index": 0, "delta": {"content": " word"}, "finish_reason": None}],
    }
    record = f"data: {json.dumps(token)}\n\n".encode()
    picture = b64encode(encoded(photo(side, side), "PNG", compress_level=1)) if side else b""
    answer = b'{"created": 1, "data": [{"b64_json": "%b"}]}' % picture

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first = await reader.readuntil(b"\r\n\r\n")
            if b"/images/" in first.split(b"\r\n")[0]:
                fields = b"content-type: application/json\r\ncontent-length: %d" % len(answer)
                writer.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % fields)
                for at in range(0, len(answer), 1 << 20):
                    writer.write(answer[at : at + (1 << 20)])
                    await writer.drain()
                return
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            while True:
                writer.write(b"%x\r\n%b\r\n" % (len(record), record))
                await writer.drain()
                await asyncio.sleep(EVERY)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    print("ready", flush=True)
    await server.serve_forever()


async def tokens(port: int, gaps: list[float]) -> None:
    """Read a stream for ever, and note the time between what arrives, in milliseconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = b'{"model": "m", "messages": [], "stream": true}'
    fields = b"host: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\n" + fields + body)
    try:
        before = 0.0
        while await reader.read(1 << 16):
            now = time.perf_counter()
            if before:
                gaps.append(1000 * (now - before))
            before = now
    finally:
        writer.close()


def picture(port: int) -> tuple[int, float]:
    """Ask for the picture; the length of the labelled answer in bytes, and the seconds that it took."""
    begun = time.perf_counter()
    body = b'{"model": "m", "prompt": "p", "response_format": "b64_json"}'
    fields = b"host: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    size, head, buffer = 0, b"", bytearray(1 << 20)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"POST /v1/images/generations HTTP/1.1\r\n" + fields + body)
        while length := connection.recv_into(buffer):
            head, size = head or bytes(buffer[:300]), size + length
    if not head.startswith(b"HTTP/1.1 200") or b"countermark-aigc" not in head.lower():
        raise SystemExit(f"the picture was not labelled: {head!r}")
    return size, time.perf_counter() - begun


def said(gaps: list[float]) -> str:
    """The gaps in words."""
    found = sorted(gaps)
    shown = [
        statistics.median(found),
        *(found[int(len(found) * share)] for share in (0.99, 0.999)),
        found[-1],
    ]
    return "median {:.1f}, 99 % {:.1f}, 99.9 % {:.1f}, most {:.1f} ms".format(*shown) + f" ({len(found)} tokens)"


async def measure(port: int, streams: int) -> None:
    """Streams alone, then beside the picture."""
    gaps: list[float] = []
    reading = [asyncio.ensure_future(tokens(port, gaps)) for _ in range(streams)]
    await asyncio.sleep(1)
    gaps.clear()
    await asyncio.sleep(5)
    print("streams alone:     ", said(gaps), flush=True)
    await asyncio.to_thread(picture, port)  # the process that labels has to start once
    gaps.clear()
    size, seconds = await asyncio.to_thread(picture, port)
    print("beside the picture:", said(gaps))
    print(f"the picture: {size / 1e6:.0f} MB of JSON, {seconds:.1f} s")
    for one in reading:
        one.cancel()


def main() -> None:
    """Start all, measure, stop all."""
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--side", type=int, default=10_000)
    asked.add_argument("--streams", type=int, default=4)
    asked.add_argument("--endpoint", type=int, help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.endpoint:
        asyncio.run(endpoint(given.endpoint, given.side))
        return
    tokens_port, pictures_port, port = 9182, 9184, 9183
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(
            "provider: {id: BENCH}\n"
            f"listen: 127.0.0.1:{port}\n"
            "upstreams:\n"
            f"  tokens: {{url: 'http://127.0.0.1:{tokens_port}'}}\n"
            f"  pictures: {{url: 'http://127.0.0.1:{pictures_port}'}}\n"
            "routes:\n"
            "  - {path: /v1/images/**, upstream: pictures, policies: [cn-gb45438]}\n"
            "  - {path: /**, upstream: tokens, policies: [cn-gb45438]}\n"
            f"policies: {ROOT / 'policies'}\n"
            "limits: {whole_body: 1 GiB, total_memory: 4 GiB}\n"
            "ledger: 'off'\n",
            encoding="utf-8",
        )
        started = [
            subprocess.Popen(
                [
                    sys.executable,
                    __file__,
                    "--endpoint",
                    str(number),
                    "--side",
                    str(side),
                ],
                stdout=subprocess.PIPE,
            )
            for number, side in ((tokens_port, 0), (pictures_port, given.side))
        ]
        proxy = subprocess.Popen([sys.executable, "-m", "proxy", "serve", "--config", str(config)], cwd=ROOT)
        try:
            for one in started:
                if one.stdout is not None:  # it always is: this is for the type checker
                    one.stdout.readline()
            asyncio.run(measure(port, given.streams))
        finally:
            for one in (proxy, *started):
                one.terminate()
                one.wait()


if __name__ == "__main__":
    main()
