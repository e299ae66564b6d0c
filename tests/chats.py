"""What a chat model's endpoint says: whole answers, the records of a stream, a script that tells which is wanted."""

import json
from collections.abc import Iterable
from typing import Any

from tests.scripted import Received, Wire

CHAT = b"/v1/chat/completions"
USAGE = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}


def asks(**more: Any) -> bytes:
    """A chat request's body."""
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}], **more}).encode()


def completion(*texts: str, finish: str = "stop", **message: Any) -> dict[str, Any]:
    """A whole answer with one choice for each text."""
    choices = [
        {"index": index, "message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}
        for index, text in enumerate(texts)
    ]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": choices,
        "usage": USAGE,
    }


def chunk(delta: dict[str, Any], finish: str | None = None, index: int = 0) -> dict[str, Any]:
    """One record of a stream."""
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def told(*texts: str, n: int = 1) -> list[dict[str, Any]]:
    """A stream that tells ``texts`` one after the other, to each of ``n`` choices."""
    return [
        *(chunk({"role": "assistant", "content": ""}, index=index) for index in range(n)),
        *(chunk({"content": text}, index=index) for text in texts for index in range(n)),
        *(chunk({}, "stop", index) for index in range(n)),
    ]


def event(record: Any) -> bytes:
    """A record as a server-sent event."""
    text = record if isinstance(record, str) else json.dumps(record, ensure_ascii=False)
    return f"data: {text}\n\n".encode()


def events(records: Iterable[Any]) -> bytes:
    return b"".join(event(record) for record in records)


def read(stream: bytes) -> list[Any]:
    """The records of a stream; ``[DONE]`` as it is."""
    records = [line.removeprefix(b"data: ") for line in stream.split(b"\n\n") if line.startswith(b"data: ")]
    return [record.decode() if record == b"[DONE]" else json.loads(record) for record in records]


def text_of(stream: bytes, index: int = 0) -> str:
    """What people see of one choice."""
    return "".join(
        choice["delta"].get("content") or ""
        for record in read(stream)
        if record != "[DONE]"
        for choice in record["choices"]
        if choice["index"] == index
    )


async def chat(request: Received, wire: Wire) -> None:
    """Answers every chat request with "Hello world", streamed where that is asked for."""
    wanted = request.json()
    n = wanted.get("n", 1)
    if wanted.get("stream"):
        await wire.sse(told("Hel", "lo", " world", n=n))
    else:
        await wire.json(completion(*["Hello world"] * n))
