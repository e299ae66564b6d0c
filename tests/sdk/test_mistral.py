"""The official `mistralai` package is the judge of Mistral's API: chats, fill-in-the-middle, conversations."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mistralai.client import Mistral
from mistralai.client.errors import SDKError

from tests.chats import USAGE, chat, chunk, completion
from tests.running import NOTICE
from tests.scripted import Received, Wire
from tests.sdk.chain import EXPECTED_LABEL, Handler, both_ways, chain, raw, says, short, streams
from tests.sdk.ends import SUFFIX, both_ends

ASK: list[Any] = [{"role": "user", "content": "hi"}]


@asynccontextmanager
async def client_of(url: str, headers: list[httpx.Headers] | None = None) -> AsyncIterator[Mistral]:
    async def note(response: httpx.Response) -> None:
        if headers is not None:
            headers.append(response.headers)

    async with (
        httpx.AsyncClient(event_hooks={"response": [note]}) as http,
        Mistral(api_key="sk-test", server_url=url, async_client=http) as client,
    ):
        yield client


def named(*records: dict[str, Any]) -> Handler:
    """Events of a conversation, as Mistral writes them."""
    return raw([f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in records], "text/event-stream")


def entry(content: Any, **more: Any) -> dict[str, Any]:
    return {"object": "entry", "type": "message.output", "id": "msg_1", "role": "assistant", "content": content, **more}


def conversation(*outputs: dict[str, Any]) -> dict[str, Any]:
    return {"object": "conversation.response", "conversation_id": "conv_1", "outputs": [*outputs], "usage": USAGE}


def piece(content: Any) -> dict[str, Any]:
    place = {"output_index": 0, "id": "msg_1", "content_index": 0, "role": "assistant"}
    return {"type": "message.output.delta", "created_at": "2026-01-02T03:04:05Z", **place, "content": content}


STARTED = {"type": "conversation.response.started", "created_at": "2026-01-02T03:04:05Z", "conversation_id": "conv_1"}
ENDED = {"type": "conversation.response.done", "created_at": "2026-01-02T03:04:06Z", "usage": USAGE}


async def talk(request: Received, wire: Wire) -> None:
    """Answers a conversation."""
    if request.json().get("stream"):
        await named(STARTED, piece("Hel"), piece("lo"), ENDED)(request, wire)
    else:
        await says(conversation(entry("Hello")))(request, wire)


async def test_chat() -> None:
    headers: list[httpx.Headers] = []
    async with chain(chat, upstream={"server": "mistral"}) as it, client_of(it.here.url, headers) as client:
        answer = await client.chat.complete_async(model="m", messages=ASK, n=2)
    assert [one.message.content for one in answer.choices if one.message] == [NOTICE + "Hello world"] * 2
    assert answer.usage.total_tokens == USAGE["total_tokens"]
    assert short(headers[0]["countermark-aigc"]) == EXPECTED_LABEL


@pytest.mark.parametrize("parts", [False, True])
@pytest.mark.parametrize("ends", [False, True])
async def test_a_streamed_chat(parts: bool, ends: bool, tmp_path: Path) -> None:
    """A text is a string, or a list of parts, of which some are reasoning."""

    def said(text: str) -> Any:
        return [{"type": "text", "text": text}] if parts else text

    first: Any = [{"type": "thinking", "thinking": [{"type": "text", "text": "First"}]}] if parts else ""
    told = [
        chunk({"role": "assistant", "content": first}),
        chunk({"content": said("Hel")}),
        chunk({"content": said("lo")}),
    ]
    end = {**chunk({"content": ""}, "stop"), "usage": USAGE}
    policies = {"policies": both_ends(tmp_path)} if ends else {}
    async with chain(streams([*told, end]), **policies) as it, client_of(it.here.url) as client:
        heard = [one.data async for one in await client.chat.stream_async(model="m", messages=ASK)]
    contents: list[Any] = [one.choices[0].delta.content for one in heard]
    if parts:
        assert contents[0][0].thinking[0].text == "First"
        assert contents[1][0].text == NOTICE + "Hel"
    texts = "".join(one if isinstance(one, str) else getattr(one[0], "text", "") for one in contents)
    assert texts == NOTICE + "Hello" + (SUFFIX if ends else "")
    assert heard[-1].usage is not None
    assert heard[-1].usage.total_tokens == USAGE["total_tokens"]


async def test_a_chats_second_turn_reaches_the_upstream_as_if_there_were_no_proxy() -> None:
    async def turns(url: str) -> None:
        async with client_of(url) as client:
            heard: Any = (await client.chat.complete_async(model="m", messages=ASK)).choices[0].message
            await client.chat.complete_async(model="m", messages=[*ASK, heard, *ASK])

    async with chain(chat) as it:
        await both_ways(it, turns)


async def test_tools_and_json_are_untouched() -> None:
    call = {"id": "c1", "function": {"name": "write", "arguments": '{"content": "K\\u00f6ln",  "n":1.0}'}, "index": 0}
    answers = (says(completion("", finish="tool_calls", tool_calls=[call])), says(completion('{"name": "Köln"}')))
    async with chain(*answers) as it, client_of(it.here.url) as client:
        called: Any = await client.chat.complete_async(model="m", messages=ASK)
        told: Any = await client.chat.complete_async(model="m", messages=ASK, response_format={"type": "json_object"})
        assert [one.outcome for one in it.here.records] == ["metadata_only"] * 2
    assert called.choices[0].message.tool_calls[0].function.arguments == call["function"]["arguments"]  # type: ignore[index]
    assert told.choices[0].message.content == '{"name": "Köln"}'


async def test_an_agents_chat() -> None:
    async with chain(chat) as it, client_of(it.here.url) as client:
        answer: Any = await client.agents.complete_async(agent_id="a-1", messages=ASK)
        stream = await client.agents.stream_async(agent_id="a-1", messages=ASK)
        heard: list[Any] = [one.data async for one in stream]
    assert answer.choices[0].message.content == NOTICE + "Hello world"
    assert "".join(one.choices[0].delta.content or "" for one in heard) == NOTICE + "Hello world"


@pytest.mark.parametrize("streamed", [False, True])
async def test_what_fills_the_middle_is_untouched(streamed: bool) -> None:
    headers: list[httpx.Headers] = []
    told = streams([chunk({"content": "a, b"}), chunk({"content": "):"}), chunk({"content": ""}, "stop")])
    async with (
        chain(told if streamed else says(completion("a, b):"))) as it,
        client_of(it.here.url, headers) as client,
    ):
        wanted: Any = {"model": "codestral-latest", "prompt": "def add(", "suffix": "return c"}
        if streamed:
            heard: list[Any] = [one.data async for one in await client.fim.stream_async(**wanted)]
            text = "".join(one.choices[0].delta.content for one in heard)
        else:
            answer: Any = await client.fim.complete_async(**wanted)
            text = answer.choices[0].message.content
        record = it.here.records[-1]
    assert text == "a, b):"
    assert record.outcome == "metadata_only"
    assert short(headers[0]["countermark-aigc"]) == EXPECTED_LABEL


async def test_a_conversation() -> None:
    headers: list[httpx.Headers] = []
    async with chain(talk, upstream={"server": "mistral"}) as it, client_of(it.here.url, headers) as client:
        answer: Any = await client.beta.conversations.start_async(model="m", inputs="hi")
    assert [one.content for one in answer.outputs] == [NOTICE + "Hello"]
    assert answer.conversation_id == "conv_1"
    assert answer.usage.total_tokens == USAGE["total_tokens"]
    assert short(headers[0]["countermark-aigc"]) == EXPECTED_LABEL


@pytest.mark.parametrize("ends", [False, True])
async def test_a_streamed_conversation(ends: bool, tmp_path: Path) -> None:
    policies = {"policies": both_ends(tmp_path)} if ends else {}
    async with (
        chain(talk, upstream={"server": "mistral"}, **policies) as it,
        client_of(it.here.url) as client,
    ):
        stream = await client.beta.conversations.start_stream_async(model="m", inputs="hi")
        heard: list[Any] = [one.data async for one in stream]
    texts = [one.content for one in heard if one.type == "message.output.delta"]
    assert texts == [NOTICE + "Hel", "lo", *([SUFFIX] if ends else [])]
    assert heard[-1].usage.total_tokens == USAGE["total_tokens"]


async def test_parts_and_functions_of_a_conversation() -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "First"}]}
    called = {
        "type": "function.call",
        "id": "fc_1",
        "tool_call_id": "c1",
        "name": "write",
        "arguments": '{"content": "x"}',
    }
    whole = conversation(entry([thought, {"type": "text", "text": "Hello"}]), {"object": "entry", **called})
    told = named(STARTED, piece(thought), piece({"type": "text", "text": "Hello"}), ENDED)
    async with chain(says(whole), told, upstream={"server": "mistral"}) as it, client_of(it.here.url) as client:
        answer: Any = await client.beta.conversations.start_async(model="m", inputs="hi")
        stream = await client.beta.conversations.start_stream_async(model="m", inputs="hi")
        heard: list[Any] = [one.data async for one in stream]
    assert answer.outputs[0].content[0].thinking[0].text == "First"
    assert answer.outputs[0].content[1].text == NOTICE + "Hello"
    assert answer.outputs[1].arguments == '{"content": "x"}'
    assert heard[1].content.thinking[0].text == "First"
    assert heard[2].content.text == NOTICE + "Hello"


async def test_a_conversations_second_turn_reaches_the_upstream_as_if_there_were_no_proxy() -> None:
    async def turns(url: str) -> None:
        async with client_of(url) as client:
            heard: Any = await client.beta.conversations.start_async(model="m", inputs=ASK)
            await client.beta.conversations.start_async(model="m", inputs=[*ASK, *heard.outputs, *ASK])

    async with chain(talk, upstream={"server": "mistral"}) as it:
        await both_ways(it, turns)


async def test_an_error_is_the_sdks_own() -> None:
    fault = {"object": "error", "message": "no", "type": "invalid_request", "param": None, "code": "1"}
    async with chain(says(fault, 400)) as it, client_of(it.here.url) as client:
        with pytest.raises(SDKError) as raised:
            await client.chat.complete_async(model="m", messages=ASK)
    assert json.loads(raised.value.body) == fault
