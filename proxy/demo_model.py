"""The demo's model endpoint: a small OpenAI-compatible server that knows a few answers by heart, and draws.

It knows nothing of Countermark: what it sends is what any model endpoint would send, unlabelled. Its own limits are
told as OpenAI tells of them, with status 400 and an error object.
"""

import asyncio
import base64
import json
import re
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from proxy.demo_picture import draw

__all__ = ["MODEL", "PICTURE_MODEL", "DemoModel"]

MODEL, PICTURE_MODEL = "demo-chat", "demo-picture"
MOST_CHOICES = 4
SIZES = {"auto": (512, 512), "256x256": (256, 256), "512x512": (512, 512), "768x512": (768, 512)}

# What a question must hold, and the answer to it; the last one is for every other question.
ANSWERS = (
    (
        r"countermark",
        "A countermark is the second mark struck on a coin or on silver, added by an authority after the maker's own. "
        "It says: somebody has looked at this, and this is what it is.",
    ),
    (
        r"[\u4e00-\u9fff]",
        "我是一个演示用的小模型，只会背几句话。加盖在钱币或银器上的第二个印记，就叫作复戳：由主管机构在匠人的印记之后打上。",
    ),
    (
        r"",
        "I am the small model that comes with the demo, and I know only a few sentences by heart. "
        "Ask me what a countermark is, or ask in Chinese.",
    ),
)
JSON_ANSWER = '{"object": "countermark", "struck_on": ["coins", "silver"], "by": "an authority", "after": "the maker"}'

# A word with the space before it, or a single Chinese character.
_TOKEN = re.compile(r"\s*[\u3000-\u9fff\uff00-\uffef]|\s*[^\s\u3000-\u9fff\uff00-\uffef]+|\s+")


class BadRequest(ValueError):
    """What the client asked for is beyond this model; the message says why."""


class DemoModel:
    """``app`` is the ASGI application. ``pause`` is the time between two tokens in seconds and may be set at any time:
    a person reads about 20 of them in a second."""

    def __init__(self, pause: float) -> None:
        self.pause = pause
        self.app = Starlette(
            routes=[
                Route("/v1/models", _models),
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/v1/images/generations", self._picture, methods=["POST"]),
            ],
            exception_handlers={BadRequest: _refused},
        )

    async def _chat(self, request: Request) -> Response:
        asked = await _asked(request)
        text = _answer(asked)
        choices = _number(asked, "n", MOST_CHOICES)
        frame = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": MODEL}
        tokens = _TOKEN.findall(text)
        used = {"prompt_tokens": len(_TOKEN.findall(_question(asked))), "completion_tokens": len(tokens) * choices}
        used["total_tokens"] = sum(used.values())
        if asked.get("stream"):
            options = asked.get("stream_options")
            with_usage = isinstance(options, dict) and bool(options.get("include_usage"))
            events = self._events(
                frame | {"object": "chat.completion.chunk"}, tokens, choices, used if with_usage else None
            )
            return StreamingResponse(events, media_type="text/event-stream")
        message = {"role": "assistant", "content": text, "refusal": None}
        answers = [{"index": index, "message": message, "finish_reason": "stop"} for index in range(choices)]
        return JSONResponse(frame | {"object": "chat.completion", "choices": answers, "usage": used})

    async def _events(
        self, frame: dict[str, Any], tokens: list[str], choices: int, usage: dict[str, int] | None
    ) -> AsyncIterator[str]:
        deltas: list[dict[str, str]] = [
            {"role": "assistant", "content": ""},
            *({"content": token} for token in tokens),
            {},
        ]
        for delta in deltas:
            for index in range(choices):
                choice = {"index": index, "delta": delta, "finish_reason": None if delta else "stop"}
                yield _event(frame | {"choices": [choice]})
            if delta.get("content"):
                await asyncio.sleep(self.pause)
        if usage is not None:
            yield _event(frame | {"choices": [], "usage": usage})
        yield "data: [DONE]\n\n"

    async def _picture(self, request: Request) -> Response:
        asked = await _asked(request)
        if asked.get("response_format", "b64_json") != "b64_json" or asked.get("stream"):
            raise BadRequest("this model hands out whole pictures as b64_json only")
        size = asked.get("size") or "auto"
        if size not in SIZES:
            raise BadRequest(f"this model draws these sizes: {', '.join(SIZES)}")
        prompt = str(asked.get("prompt", ""))
        pictures = []
        for index in range(_number(asked, "n", MOST_CHOICES)):
            data = await asyncio.to_thread(draw, f"{prompt} {index}" if index else prompt, *SIZES[size])
            pictures.append({"b64_json": base64.b64encode(data).decode()})
        return JSONResponse({"created": int(time.time()), "data": pictures})


async def _models(_request: Request) -> Response:
    models = [{"id": name, "object": "model", "created": 0, "owned_by": "demo"} for name in (MODEL, PICTURE_MODEL)]
    return JSONResponse({"object": "list", "data": models})


async def _refused(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": {"message": str(error), "type": "invalid_request_error", "code": None}}, 400)


async def _asked(request: Request) -> dict[str, Any]:
    try:
        asked = await request.json()
    except ValueError:
        asked = None
    if not isinstance(asked, dict):
        raise BadRequest("the request's body must be a JSON object")
    return asked


def _number(asked: dict[str, Any], key: str, most: int) -> int:
    number = asked.get(key) or 1
    if not isinstance(number, int) or not 0 < number <= most:
        raise BadRequest(f"{key} must be a whole number from 1 to {most}")
    return number


def _question(asked: dict[str, Any]) -> str:
    """The text of the last message, in one piece or in parts."""
    messages = asked.get("messages")
    if not isinstance(messages, list) or not messages or not isinstance(messages[-1], dict):
        raise BadRequest("messages must be a list with one message at least")
    content = messages[-1].get("content")
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")


def _answer(asked: dict[str, Any]) -> str:
    question = _question(asked)
    wanted = asked.get("response_format")
    if isinstance(wanted, dict) and wanted.get("type") == "json_object":
        return JSON_ANSWER
    if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
        raise BadRequest("this model knows the response_format json_object, and no schema")
    return next(answer for pattern, answer in ANSWERS if re.search(pattern, question, re.IGNORECASE))


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"
