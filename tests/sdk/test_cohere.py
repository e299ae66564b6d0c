"""The official `cohere` package is the judge of Cohere's second API, and of what is left of its first."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import cohere
import pytest
from cohere.core.api_error import ApiError

from tests.running import NOTICE
from tests.scripted import Received, Wire
from tests.sdk.chain import EXPECTED_LABEL, Handler, both_ways, chain, raw, says, short
from tests.sdk.ends import SUFFIX, both_ends

ASK: list[Any] = [{"role": "user", "content": "hi"}]
USAGE = {"billed_units": {"input_tokens": 5, "output_tokens": 2}, "tokens": {"input_tokens": 71, "output_tokens": 2}}
CALL: dict[str, Any] = {
    "id": "w_1",
    "type": "function",
    "function": {"name": "write", "arguments": '{"text": "K\\u00f6ln",  "n":1.0}'},
}


def message(*content: Any, finish: str = "COMPLETE", **more: Any) -> dict[str, Any]:
    told = {"role": "assistant", **({"content": [*content]} if content else {}), **more}
    return {"id": "c14c80c3", "finish_reason": finish, "message": told, "usage": USAGE}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def events(records: Iterable[dict[str, Any]]) -> Handler:
    """As Cohere writes them: each under its name, and [DONE] at the end."""
    written = [f"event: {one['type']}\ndata: {json.dumps(one, separators=(',', ':'))}\n\n".encode() for one in records]
    return raw([*written, b"data: [DONE]\n\n"], "text/event-stream")


def delta(type: str, index: int | None = None, **message: Any) -> dict[str, Any]:
    at = {} if index is None else {"index": index}
    return {"type": type, **at, **({"delta": {"message": message}} if message else {})}


START = {"id": "i-1", **delta("message-start", role="assistant", content=[], tool_plan="", tool_calls=[], citations=[])}
END = {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": USAGE}}
TOLD = [
    delta("content-start", 0, content={"type": "text", "text": ""}),
    delta("content-delta", 0, content={"text": "Hel"}),
    delta("content-delta", 0, content={"text": "lo"}),
]
STOP = delta("content-end", 0)


async def chat(request: Received, wire: Wire) -> None:
    if request.json().get("stream"):
        await events([START, *TOLD, STOP, END])(request, wire)
    else:
        await says(message(text("Hello")))(request, wire)


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[cohere.AsyncClientV2]:
    async with cohere.AsyncClientV2(api_key="sk-test", base_url=url) as client:
        yield client


def extra(model: Any) -> dict[str, Any]:
    return dict(model.model_extra or {})


async def test_chat() -> None:
    async with chain(chat) as it, client_of(it.here.url) as client:
        raw_answer = await client.with_raw_response.chat(model="m", messages=ASK)
        record = it.here.only()
    answer = raw_answer.data
    assert type(answer) is cohere.V2ChatResponse
    assert [part.text for part in answer.message.content or ()] == [NOTICE + "Hello"]  # type: ignore[union-attr]
    assert answer.finish_reason == "COMPLETE"
    assert answer.usage is not None
    assert answer.usage.tokens is not None
    assert answer.usage.tokens.input_tokens == 71
    assert answer.id == "c14c80c3"
    assert short(extra(answer)["AIGC"]) == EXPECTED_LABEL
    assert short(raw_answer.headers["countermark-aigc"]) == EXPECTED_LABEL
    assert record.outcome == "labelled"


@pytest.mark.parametrize("ends", [False, True])
async def test_a_stream(ends: bool, tmp_path: Path) -> None:
    async with (
        chain(chat, **({"policies": both_ends(tmp_path)} if ends else {})) as it,
        client_of(it.here.url) as client,
    ):
        heard: list[Any] = [one async for one in client.chat_stream(model="m", messages=ASK)]
    types = ["message-start", "content-start", "content-delta", "content-delta", "content-end", "message-end"]
    if ends:
        types.insert(4, "content-delta")
    assert [one.type for one in heard] == types
    texts = [one.delta.message.content.text for one in heard if one.type == "content-delta"]
    assert texts == [NOTICE + "Hel", "lo", *([SUFFIX] if ends else [])]
    assert heard[-1].delta.usage.tokens.output_tokens == 2
    assert short(extra(heard[0])["AIGC"]) == EXPECTED_LABEL


@pytest.mark.parametrize("ends", [False, True])
async def test_the_second_turn_reaches_the_upstream_as_if_there_were_no_proxy(ends: bool, tmp_path: Path) -> None:
    async def turns(url: str) -> None:
        async with client_of(url) as client:
            heard = (await client.chat(model="m", messages=ASK)).message
            streamed = [one async for one in client.chat_stream(model="m", messages=ASK)]
            joined = "".join(one.delta.message.content.text for one in streamed if one.type == "content-delta")  # type: ignore[union-attr, misc]
            said: list[Any] = [
                *ASK,
                heard,
                {"role": "user", "content": f"{NOTICE}is what you said"},
                {"role": "assistant", "content": joined},
                *ASK,
            ]
            await client.chat(model="m", messages=said)

    async with chain(chat, **({"policies": both_ends(tmp_path)} if ends else {})) as it:
        await both_ways(it, turns)


async def test_reasoning_and_tools_are_untouched() -> None:
    thinking = {"type": "thinking", "thinking": "First"}
    async with chain(says(message(thinking, text("Look.")))) as it, client_of(it.here.url) as client:
        content: Any = (await client.chat(model="m", messages=ASK)).message.content
    assert (content[0].thinking, content[1].text) == ("First", NOTICE + "Look.")
    called = message(finish="TOOL_CALL", tool_plan="I will write.", tool_calls=[CALL])
    async with chain(says(called)) as it, client_of(it.here.url) as client:
        answer = await client.chat(model="m", messages=ASK)
        assert it.here.only().outcome == "metadata_only"
    assert answer.message.tool_plan == "I will write."
    assert [one.model_dump() for one in answer.message.tool_calls or ()] == [CALL]


async def test_streamed_tools_are_untouched() -> None:
    function = {"name": "write", "arguments": ""}
    records = [
        START,
        delta("tool-plan-delta", tool_plan="I will write."),
        delta("tool-call-start", 0, tool_calls={"id": "w_1", "type": "function", "function": function}),
        delta("tool-call-delta", 0, tool_calls={"function": {"arguments": CALL["function"]["arguments"]}}),
        delta("tool-call-end", 0),
        END,
    ]
    async with chain(events(records)) as it, client_of(it.here.url) as client:
        heard: list[Any] = [one async for one in client.chat_stream(model="m", messages=ASK)]
    assert [one.type for one in heard] == [one["type"] for one in records]
    assert heard[1].delta.message.tool_plan == "I will write."
    assert heard[3].delta.message.tool_calls.function.arguments == CALL["function"]["arguments"]


async def test_citations_move_with_the_text() -> None:
    cited = {"start": 0, "end": 5, "text": "Hello", "type": "TEXT_CONTENT", "sources": []}
    whole = says(message(text("Hello"), citations=[cited]))
    told = events([START, *TOLD, delta("citation-start", 0, citations=cited), delta("citation-end", 0), STOP, END])
    async with chain(whole, told) as it, client_of(it.here.url) as client:
        answer = await client.chat(model="m", messages=ASK)
        streamed: list[Any] = [one async for one in client.chat_stream(model="m", messages=ASK)]
    (one,) = answer.message.citations or ()
    (other,) = [event.delta.message.citations for event in streamed if event.type == "citation-start"]
    said: Any = answer.message.content
    for citation in (one, other):
        assert said[0].text[citation.start : citation.end] == "Hello" == citation.text


async def test_json_mode_is_untouched() -> None:
    async with chain(says(message(text('{"name": "Köln"}')))) as it, client_of(it.here.url) as client:
        answer = await client.chat(model="m", messages=ASK, response_format={"type": "json_object"})  # type: ignore[arg-type]
        assert it.here.only().outcome == "metadata_only"
    content: Any = answer.message.content
    assert json.loads(content[0].text) == {"name": "Köln"}


@pytest.mark.parametrize(("status", "expected"), [(400, cohere.BadRequestError), (401, cohere.UnauthorizedError)])
async def test_an_error_is_the_sdks_own(status: int, expected: type[ApiError]) -> None:
    fault = {"id": "x", "message": "no"}
    async with chain(says(fault, status)) as it, client_of(it.here.url) as client:
        with pytest.raises(expected) as raised:
            await client.chat(model="m", messages=ASK)
    assert raised.value.body == fault


async def test_the_first_api() -> None:
    whole = {"response_id": "r", "text": "Hello", "generation_id": "g", "finish_reason": "COMPLETE"}
    records = [
        {"is_finished": False, "event_type": "stream-start", "generation_id": "g"},
        {"is_finished": False, "event_type": "text-generation", "text": "Hel"},
        {"is_finished": False, "event_type": "text-generation", "text": "lo"},
        {"is_finished": True, "event_type": "stream-end", "finish_reason": "COMPLETE", "response": whole},
    ]
    told = raw([json.dumps(one).encode() + b"\n" for one in records], "application/stream+json")
    async with (
        chain(says(whole), told) as it,
        cohere.AsyncClient(api_key="sk-test", base_url=it.here.url) as client,
    ):
        answer = await client.chat(model="m", message="hi")
        heard: list[Any] = [one async for one in client.chat_stream(model="m", message="hi")]
    assert answer.text == NOTICE + "Hello"
    assert [one.text for one in heard if one.event_type == "text-generation"] == [NOTICE + "Hel", "lo"]
    assert heard[-1].response.text == NOTICE + "Hello"
