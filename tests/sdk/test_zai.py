"""The official `zai-sdk` package is the judge of Zhipu's API: chats in OpenAI's form, and what is asked for later."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zai
from zai import ZhipuAiClient
from zai.types.chat.chat_completion import Completion

from tests.chats import USAGE, chat, chunk, completion, told
from tests.running import NOTICE
from tests.sdk.chain import EXPECTED_LABEL, Chain, both_ways, chain, says, short, streams
from tests.sdk.ends import SUFFIX, both_ends

ASK: list[Any] = [{"role": "user", "content": "hi"}]


async def talk(url: str, ask: Callable[[ZhipuAiClient], Any]) -> Any:
    """What the SDK, which has no asynchronous client, is asked to do."""

    def work() -> Any:
        with ZhipuAiClient(api_key="id.secret", base_url=url + "/api/paas/v4", max_retries=0) as client:
            return ask(client)

    return await asyncio.to_thread(work)


async def told_to(it: Chain, **more: Any) -> Any:
    def ask(client: ZhipuAiClient) -> Any:
        answer: Any = client.chat.completions.create(model="glm-4", messages=ASK, **more)
        return [*answer] if more.get("stream") else answer

    return await talk(it.here.url, ask)


async def test_chat() -> None:
    async with chain(chat) as it:
        answer = await told_to(it)
        record = it.here.only()
    assert type(answer) is Completion
    assert answer.choices[0].message.content == NOTICE + "Hello world"
    assert answer.usage.total_tokens == USAGE["total_tokens"]
    assert short(answer.model_extra["AIGC"]) == EXPECTED_LABEL
    assert record.outcome == "labelled"


@pytest.mark.parametrize("ends", [False, True])
async def test_a_stream(ends: bool, tmp_path: Path) -> None:
    thought = chunk({"role": "assistant", "content": "", "reasoning_content": "First"})
    end = {**chunk({"content": ""}, "stop"), "usage": USAGE}
    handler = streams([thought, *told("Hel", "lo")[1:-1], end])
    async with chain(handler, **({"policies": both_ends(tmp_path)} if ends else {})) as it:
        heard = await told_to(it, stream=True)
    deltas = [one.choices[0].delta for one in heard]
    assert [one.content for one in deltas] == ["", NOTICE + "Hel", "lo", *([SUFFIX] if ends else []), ""]
    assert [one.reasoning_content for one in deltas if one.reasoning_content] == ["First"]
    assert heard[-1].usage.total_tokens == USAGE["total_tokens"]
    assert short(heard[0].model_extra["AIGC"]) == EXPECTED_LABEL


async def test_the_second_turn_reaches_the_upstream_as_if_there_were_no_proxy() -> None:
    def turns(client: ZhipuAiClient) -> None:
        heard: Any = client.chat.completions.create(model="glm-4", messages=ASK)
        said = [*ASK, heard.choices[0].message.model_dump(exclude_none=True), *ASK]
        client.chat.completions.create(model="glm-4", messages=said)

    async with chain(chat) as it:
        await both_ways(it, lambda url: talk(url, turns))


async def test_tools_and_json_are_untouched() -> None:
    call = {
        "id": "c1",
        "index": 0,
        "type": "function",
        "function": {"name": "write", "arguments": '{"content": "K\\u00f6ln"}'},
    }
    answers = (
        says(completion("Look.", finish="tool_calls", tool_calls=[call])),
        says(completion('{"name": "Köln"}')),
    )
    async with chain(*answers) as it:
        called = await told_to(it)
        structured = await told_to(it, response_format={"type": "json_object"})
        assert it.here.records[-1].outcome == "metadata_only"
    assert called.choices[0].message.content == NOTICE + "Look."
    assert called.choices[0].message.tool_calls[0].function.arguments == call["function"]["arguments"]  # type: ignore[index]
    assert json.loads(structured.choices[0].message.content) == {"name": "Köln"}


async def test_a_chat_that_is_asked_for_later() -> None:
    begun = {"id": "7", "request_id": "r", "model": "glm-4", "task_status": "PROCESSING"}
    done = {**completion("Hello"), "request_id": "r", "task_status": "SUCCESS"}
    async with chain(says(begun), says(done), says(done)) as it:
        task = await talk(it.here.url, lambda client: client.chat.asyncCompletions.create(model="glm-4", messages=ASK))
        answers = [
            await talk(it.here.url, lambda client: client.chat.asyncCompletions.retrieve_completion_result(id=task.id))
            for _ in range(2)
        ]
    assert (task.id, task.task_status) == ("7", "PROCESSING")
    assert [one.choices[0].message.content for one in answers] == [NOTICE + "Hello"] * 2
    first, second = (one.model_extra["AIGC"] for one in answers)
    assert short(first) == EXPECTED_LABEL
    assert first == second  # the same stored answer, the same ids


async def test_a_video_is_refused_where_it_leads_around_us() -> None:
    done = {"model": "cogvideox-3", "request_id": "r", "task_status": "SUCCESS"}
    results = [{"url": "https://x.bigmodel.cn/1.mp4", "cover_image_url": "https://x.bigmodel.cn/1.png"}]
    async with chain(says({**done, "video_result": results})) as it:
        with pytest.raises(zai.core.APIStatusError) as raised:
            await talk(it.here.url, lambda client: client.videos.retrieve_videos_result(id="7"))
        assert it.here.only().outcome == "blocked"
    assert raised.value.response.status_code == 502


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_error_is_the_sdks_own(streamed: bool) -> None:
    fault = {"error": {"code": "1210", "message": "no"}}
    async with chain(says(fault, 400)) as it:
        with pytest.raises(zai.core.APIRequestFailedError) as raised:
            await told_to(it, stream=streamed)
    assert raised.value.response.json() == fault
