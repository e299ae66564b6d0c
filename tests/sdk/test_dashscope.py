"""The official `dashscope` package is the judge of DashScope's native API: all the text so far, or pieces."""

import asyncio
import base64
import json
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import dashscope
import pytest
from dashscope import Application, Generation, MultiModalConversation
from dashscope.aigc import ImageSynthesis
from dashscope.api_entities.dashscope_response import GenerationResponse

from tests.running import NOTICE
from tests.scripted import Received, Wire
from tests.sdk.chain import EXPECTED_LABEL, Chain, Handler, both_ways, chain, raw, says, short
from tests.sdk.ends import SUFFIX, both_ends

ASK: list[Any] = [{"role": "user", "content": "hi"}]
USAGE = {"total_tokens": 28, "output_tokens": 2, "input_tokens": 26}
REQUEST = "902fee3b-f7f0-9a8c-96a1-6b4ea25af114"


def output(text: Any, finish: str = "stop", index: int | None = None, **message: Any) -> dict[str, Any]:
    choice = {"finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
    return {"choices": [choice if index is None else {**choice, "index": index}]}


def answer(output: dict[str, Any]) -> dict[str, Any]:
    return {"output": output, "usage": USAGE, "request_id": REQUEST}


def events(outputs: Iterable[dict[str, Any]]) -> Handler:
    """As DashScope writes them: no space behind the colons, the status as a comment, no [DONE]."""
    written = [
        f"id:{at}\nevent:result\n:HTTP_STATUS/200\ndata:{json.dumps(answer(one), ensure_ascii=False)}\n\n".encode()
        for at, one in enumerate(outputs, 1)
    ]
    return raw(written, "text/event-stream;charset=UTF-8")


async def chat(request: Received, wire: Wire) -> None:
    """Says "Hello", at once or as a stream, in the way that the request asks for."""
    asked = request.json()
    if request.value(b"x-dashscope-sse") != b"enable":
        await says(answer(output("Hello")))(request, wire)
    elif asked["parameters"].get("incremental_output"):
        await events([output("Hel", "null"), output("lo", "null"), output("")])(request, wire)
    else:
        await events([output("Hel", "null"), output("Hello", "null"), output("Hello")])(request, wire)


def ask(url: str, messages: list[Any] = ASK, **more: Any) -> Any:
    """A call of the SDK; with ``stream`` the list of all its answers."""
    answers: Any = Generation.call(
        model="qwen-plus",
        messages=messages,
        api_key="sk-test",
        base_address=url + "/api/v1",
        result_format="message",
        **more,
    )
    return [*answers] if more.get("stream") else answers


async def called(it: Chain, *messages: Any, **more: Any) -> Any:
    return await asyncio.to_thread(ask, it.here.url, *messages, **more)


async def test_chat() -> None:
    async with chain(chat) as it:
        said = await called(it)
        record = it.here.only()
    assert type(said) is GenerationResponse
    assert said.status_code == HTTPStatus.OK
    assert said.output.choices[0].message.content == NOTICE + "Hello"
    assert said.output.choices[0].finish_reason == "stop"
    assert dict(said.usage) == USAGE
    assert said.request_id == REQUEST
    assert short(said.output["AIGC"]) == EXPECTED_LABEL
    assert record.outcome == "labelled"


async def test_two_choices() -> None:
    both = {"choices": output("One", index=0)["choices"] + output("Two", index=1)["choices"]}
    async with chain(says(answer(both))) as it:
        said = await called(it, n=2)
    assert [one.message.content for one in said.output.choices] == [NOTICE + "One", NOTICE + "Two"]


@pytest.mark.parametrize(
    ("incremental", "expected"),
    [
        (None, [NOTICE + "Hel", NOTICE + "Hello", NOTICE + "Hello"]),
        (True, [NOTICE + "Hel", "lo", ""]),
        (False, [NOTICE + "Hel", NOTICE + "Hello", NOTICE + "Hello"]),  # the SDK asks for pieces and joins them
    ],
)
async def test_a_stream(incremental: bool | None, expected: list[str]) -> None:
    more = {} if incremental is None else {"incremental_output": incremental}
    async with chain(chat) as it:
        said = await called(it, stream=True, **more)
    assert [one.output.choices[0].message.content for one in said] == expected
    assert {one.status_code for one in said} == {HTTPStatus.OK}
    assert said[-1].output.choices[0].finish_reason == "stop"
    assert dict(said[-1].usage) == USAGE
    assert short(said[0].output["AIGC"]) == EXPECTED_LABEL


@pytest.mark.parametrize(
    ("incremental", "expected"),
    [
        (None, [NOTICE + "Hel", NOTICE + "Hello", NOTICE + "Hello" + SUFFIX]),
        (True, [NOTICE + "Hel", "lo", SUFFIX, ""]),
    ],
)
async def test_a_stream_with_notices_at_both_ends(
    incremental: bool | None, expected: list[str], tmp_path: Path
) -> None:
    more = {} if incremental is None else {"incremental_output": incremental}
    async with chain(chat, policies=both_ends(tmp_path)) as it:
        said = await called(it, stream=True, **more)
    assert [one.output.choices[0].message.content for one in said] == expected
    assert said[-1].output.choices[0].finish_reason == "stop"


async def test_the_second_turn_reaches_the_upstream_as_if_there_were_no_proxy() -> None:
    async def turns(url: str) -> None:
        heard = (await asyncio.to_thread(ask, url)).output.choices[0].message
        said = [*ASK, dict(heard), {"role": "user", "content": f"{NOTICE}is what you said"}]
        await asyncio.to_thread(ask, url, said)

    async with chain(chat) as it:
        await both_ways(it, turns)


async def test_the_second_turn_of_a_list_of_parts() -> None:
    def talk(url: str, messages: Any) -> Any:
        return MultiModalConversation.call(
            model="qwen-vl-plus", messages=messages, api_key="sk-test", base_address=url + "/api/v1"
        )

    async def turns(url: str) -> None:
        asked = [{"role": "user", "content": [{"text": "hi"}]}]
        heard = (await asyncio.to_thread(talk, url, asked)).output.choices[0].message
        assert heard.content[0]["text"] in ("A cat", NOTICE + "A cat")
        await asyncio.to_thread(talk, url, [*asked, dict(heard), *asked])

    async with chain(says(answer(output([{"text": "A cat"}])))) as it:
        await both_ways(it, turns)


async def test_reasoning_and_tools_are_untouched() -> None:
    call = {
        "function": {"name": "write", "arguments": '{"content": "K\\u00f6ln",  "n":1.0}'},
        "index": 0,
        "id": "c",
        "type": "function",
    }
    async with chain(says(answer(output("Look.", "tool_calls", reasoning_content="First", tool_calls=[call])))) as it:
        message = (await called(it)).output.choices[0].message
    assert message.content == NOTICE + "Look."
    assert message["reasoning_content"] == "First"
    assert message["tool_calls"] == [call]


async def test_json_mode_is_untouched() -> None:
    async with chain(says(answer(output('{"name": "Köln"}')))) as it:
        said = await called(it, response_format={"type": "json_object"})
        record = it.here.only()
    assert said.output.choices[0].message.content == '{"name": "Köln"}'
    assert short(said.output["AIGC"]) == EXPECTED_LABEL
    assert record.outcome == "metadata_only"


async def test_an_application() -> None:
    told = {"finish_reason": "stop", "session_id": "s-1", "text": "Hello"}
    async with chain(says({"output": told, "usage": {"models": []}, "request_id": REQUEST})) as it:
        said: Any = await asyncio.to_thread(
            Application.call, app_id="a-1", prompt="hi", api_key="sk-test", base_address=it.here.url + "/api/v1"
        )
    assert said.output.text == NOTICE + "Hello"
    assert said.output.session_id == "s-1"


async def test_an_encrypted_answer_is_refused_before_it_is_asked_for() -> None:
    async with chain(chat) as it:
        key = base64.b64encode(b"{}").decode()
        said = await called(it, headers={"X-DashScope-EncryptionKey": key})
        assert it.upstream.received == []
    assert said.status_code == HTTPStatus.BAD_REQUEST


async def test_the_url_of_a_picture_is_refused_where_it_leads_around_us(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = {"output": {"task_status": "PENDING", "task_id": "t-1"}, "request_id": REQUEST}
    done = {"task_id": "t-1", "task_status": "SUCCEEDED", "results": [{"url": "https://x.aliyuncs.com/1.png"}]}
    async with chain(says(begun), says({"output": done, "usage": {"image_count": 1}, "request_id": REQUEST})) as it:
        monkeypatch.setattr(dashscope, "base_http_api_url", it.here.url + "/api/v1")
        task = await asyncio.to_thread(ImageSynthesis.async_call, "wanx-v1", "a cat", api_key="sk-test")
        assert task.output.task_id == "t-1"
        assert short(task.output["AIGC"]) == EXPECTED_LABEL
        said = await asyncio.to_thread(ImageSynthesis.fetch, "t-1", api_key="sk-test")
        assert it.here.records[-1].outcome == "blocked"
    assert said.status_code == HTTPStatus.BAD_GATEWAY


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_error_is_the_sdks_own(streamed: bool) -> None:
    fault = {"code": "InvalidApiKey", "message": "Invalid API-key provided.", "request_id": REQUEST}
    async with chain(says(fault, 401)) as it:
        said = await called(it, **({"stream": True} if streamed else {}))
    (said,) = said if streamed else [said]
    assert (said.status_code, said.code, said.message) == (401, fault["code"], fault["message"])
    assert said.request_id == REQUEST
