"""The official `anthropic` package is the judge: one notice a message, and thoughts and tools as they came."""

import asyncio
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import anthropic
import pytest
from anthropic.types import Message
from pydantic import BaseModel

from proxy.framing.event_stream import encode
from tests.running import NOTICE
from tests.scripted import Received, Wire
from tests.sdk.chain import EXPECTED_LABEL, Chain, both_ways, chain, raw, says, sends, short, streams
from tests.sdk.ends import SUFFIX, both_ends

ASK: Any = [{"role": "user", "content": "hi"}]
THOUGHT: dict[str, Any] = {"type": "thinking", "thinking": "Let me see.", "signature": "EqQBCgIYAhIM"}
HIDDEN: dict[str, Any] = {"type": "redacted_thinking", "data": "EmwKAhgB"}
CALL: dict[str, Any] = {"type": "tool_use", "id": "toolu_1", "name": "write", "input": {"text": "Köln", "n": 1.0}}
TOOL: Any = {"name": "write", "input_schema": {"type": "object"}}
USAGE = {"input_tokens": 12, "output_tokens": 6}


class City(BaseModel):
    name: str
    people: int


KOELN = '{"name": "Köln", "people": 1}'


def client_of(url: str) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=url, api_key="sk-ant-test", max_retries=0)


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def message(*blocks: dict[str, Any], stop: str = "end_turn") -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": list(blocks),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": USAGE,
    }


def events(*blocks: dict[str, Any], stop: str = "end_turn") -> list[dict[str, Any]]:
    """A stream that tells these blocks, texts and arguments in two pieces each, with a ping, as Anthropic sends it."""
    began = {**message(), "stop_reason": None, "usage": {"input_tokens": 12, "output_tokens": 1}}
    records: list[dict[str, Any]] = [{"type": "message_start", "message": began}]
    for index, block in enumerate(blocks):
        match block["type"]:
            case "text":
                empty, whole = {**block, "text": ""}, block["text"]
                deltas = [{"type": "text_delta", "text": part} for part in (whole[:3], whole[3:]) if part]
            case "thinking":
                empty = {"type": "thinking", "thinking": "", "signature": ""}
                deltas = [
                    {"type": "thinking_delta", "thinking": block["thinking"]},
                    {"type": "signature_delta", "signature": block["signature"]},
                ]
            case "tool_use":
                empty, whole = {**block, "input": {}}, json.dumps(block["input"])
                deltas = [{"type": "input_json_delta", "partial_json": part} for part in ("", whole[:9], whole[9:])]
            case _:
                empty, deltas = block, []
        records.append({"type": "content_block_start", "index": index, "content_block": empty})
        if not index:
            records.append({"type": "ping"})
        records += ({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas)
        records.append({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": stop, "stop_sequence": None}
    return [*records, {"type": "message_delta", "delta": delta, "usage": USAGE}, {"type": "message_stop"}]


def told(*blocks: dict[str, Any], stop: str = "end_turn") -> Any:
    return streams(events(*blocks, stop=stop), named=True, done=False)


async def create(it: Chain, **more: Any) -> Message:
    async with client_of(it.here.url) as client:
        answer = await client.messages.create(model="m", max_tokens=64, messages=ASK, **more)
    assert type(answer) is Message
    return answer


def label_of(model: BaseModel) -> tuple[str, str, str]:
    assert model.model_extra is not None
    return short(model.model_extra["AIGC"])


async def test_a_message() -> None:
    async with chain(says(message(text("Hello")), request_id="req_1")) as it, client_of(it.here.url) as client:
        whole = await client.messages.with_raw_response.create(model="m", max_tokens=64, messages=ASK)
        answer = await whole.parse()
        record = it.here.only()
    assert answer.id == "msg_1"
    assert answer._request_id == "req_1"
    assert [block.model_dump(exclude_unset=True) for block in answer.content] == [text(NOTICE + "Hello")]
    assert answer.usage.model_dump(exclude_unset=True) == USAGE
    assert label_of(answer) == EXPECTED_LABEL == short(whole.headers["countermark-aigc"])
    assert whole.headers["ai-disclosure"].startswith("mode=machine-generated")
    assert record.outcome == "labelled"
    assert len(record.items) == 1


async def test_a_text_in_many_blocks_has_one_notice_behind_the_thoughts() -> None:
    cited = {
        "type": "char_location",
        "cited_text": "lo",
        "document_index": 0,
        "document_title": None,
        "start_char_index": 0,
        "end_char_index": 2,
        "file_id": None,
    }
    blocks = [THOUGHT, HIDDEN, text("Hel"), {**text("lo"), "citations": [cited]}, text(".")]
    async with chain(says(message(*blocks))) as it:
        answer = await create(it)
    expected = [THOUGHT, HIDDEN, text(NOTICE + "Hel"), {**text("lo"), "citations": [cited]}, text(".")]
    assert [block.model_dump(exclude_unset=True) for block in answer.content] == expected


@pytest.mark.parametrize("said", [[], [text("Let me look.")]])
async def test_tools_are_untouched(said: list[dict[str, Any]]) -> None:
    async with chain(says(message(*said, CALL, stop="tool_use"))) as it:
        answer = await create(it, tools=[TOOL])
    assert answer.content[-1].model_dump(exclude_unset=True) == CALL
    assert [block.text for block in answer.content if block.type == "text"] == [NOTICE + "Let me look."] * len(said)
    assert label_of(answer) == EXPECTED_LABEL


async def test_a_stream() -> None:
    async with chain(told(THOUGHT, text("Hello"))) as it, client_of(it.here.url) as client:
        stream = await client.messages.create(model="m", max_tokens=64, messages=ASK, stream=True)
        came = [one async for one in stream]
        record = it.here.only()
    assert [one.type for one in came] == [
        one["type"] for one in events(THOUGHT, text("Hello")) if one["type"] != "ping"
    ]
    deltas: list[Any] = [one.delta for one in came if one.type == "content_block_delta"]
    assert "".join(delta.text for delta in deltas if delta.type == "text_delta") == NOTICE + "Hello"
    first = came[0]
    assert first.type == "message_start"
    assert label_of(first.message) == EXPECTED_LABEL
    assert record.outcome == "labelled"


async def test_the_stream_helper() -> None:
    blocks = [THOUGHT, text("Let me look."), CALL]
    async with (
        chain(told(*blocks, stop="tool_use")) as it,
        client_of(it.here.url) as client,
        client.messages.stream(model="m", max_tokens=64, messages=ASK, tools=[TOOL]) as stream,
    ):
        said = "".join([part async for part in stream.text_stream])
        answer = await stream.get_final_message()
    assert said == NOTICE + "Let me look."
    assert [block.model_dump(include={*blocks[at]}) for at, block in enumerate(answer.content)] == [
        THOUGHT,
        text(NOTICE + "Let me look."),
        CALL,
    ]
    assert answer.stop_reason == "tool_use"
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (12, 6)
    assert label_of(answer) == EXPECTED_LABEL


async def test_a_notice_at_both_ends_closes_the_last_text(tmp_path: Path) -> None:
    """No block is added: the suffix stands in the last one with text, and behind a tool there is no place for it."""
    blocks = [THOUGHT, text("Hello"), text("world")]
    async with (
        chain(told(*blocks), told(text("Look."), CALL, stop="tool_use"), policies=both_ends(tmp_path)) as it,
        client_of(it.here.url) as client,
    ):
        found = []
        for _ in range(2):
            async with client.messages.stream(model="m", max_tokens=64, messages=ASK) as stream:
                found.append((await stream.get_final_message()).content)
    said, called = found
    assert [block.type for block in said] == ["thinking", "text", "text"]
    assert [block.text for block in said if block.type == "text"] == [NOTICE + "Hello", "world" + SUFFIX]
    assert [block.text for block in called if block.type == "text"] == [NOTICE + "Look."]


async def test_the_parse_helper() -> None:
    async with chain(says(message(text(KOELN)))) as it, client_of(it.here.url) as client:
        answer = await client.messages.parse(model="m", max_tokens=64, messages=ASK, output_format=City)
        record = it.here.only()
    assert answer.parsed_output == City(name="Köln", people=1)
    assert record.outcome == "metadata_only"


async def test_streamed_structured_output() -> None:
    async with (
        chain(told(text(KOELN))) as it,
        client_of(it.here.url) as client,
        client.messages.stream(model="m", max_tokens=64, messages=ASK, output_format=City) as stream,
    ):
        answer = await stream.get_final_message()
    assert answer.parsed_output == City(name="Köln", people=1)


async def test_a_claim_of_json_that_the_upstream_ignores_is_labelled() -> None:
    async with chain(says(message(text("I am no JSON.")))) as it:
        answer = await create(it, output_config={"format": {"type": "json_schema", "schema": {"type": "object"}}})
    assert answer.content[0].text == NOTICE + "I am no JSON."  # type: ignore[union-attr]


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_second_turn_with_the_sdks_own_blocks(streamed: bool, tmp_path: Path) -> None:
    """Thoughts and their signatures are bound to what stands before them, byte for byte."""
    blocks = [THOUGHT, text("Let me look."), CALL, text("Wait."), text("So.")]

    async def handler(request: Received, wire: Wire) -> None:
        await (told(*blocks) if request.json().get("stream") else says(message(*blocks)))(request, wire)

    async def turns(url: str) -> None:
        async with client_of(url) as client:
            if streamed:
                async with client.messages.stream(model="m", max_tokens=64, messages=ASK, tools=[TOOL]) as stream:
                    answer: Message = await stream.get_final_message()
            else:
                answer = await client.messages.create(model="m", max_tokens=64, messages=ASK, tools=[TOOL])
            result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": f"{NOTICE}quoted"}
            messages: Any = [
                *ASK,
                {"role": "assistant", "content": answer.content},
                {"role": "user", "content": [result]},
            ]
            await client.messages.create(model="m", max_tokens=64, messages=messages, tools=[TOOL])

    async with chain(handler, policies=both_ends(tmp_path)) as it:
        await both_ways(it, turns)


async def test_a_count_of_tokens_counts_what_is_sent() -> None:
    async def turns(url: str) -> None:
        async with client_of(url) as client:
            messages: Any = [*ASK, {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Why?"}]
            if url == it.here.url:
                messages[1]["content"] = NOTICE + "Hello"
            assert (await client.messages.count_tokens(model="m", messages=messages)).input_tokens == 7

    async with chain(says({"input_tokens": 7})) as it:
        await both_ways(it, turns)


async def test_a_block_that_was_only_our_notice_goes() -> None:
    """Anthropic refuses an empty block of text."""
    async with chain(says(message(text("Hello")))) as it, client_of(it.here.url) as client:
        said = [text(NOTICE.rstrip()), CALL]
        messages: Any = [*ASK, {"role": "assistant", "content": said}, {"role": "user", "content": "Why?"}]
        await client.messages.create(model="m", max_tokens=64, messages=messages)
        assert it.upstream.received[0].json()["messages"][1]["content"] == [CALL]


async def test_an_answer_that_goes_on_from_the_clients_text_has_one_notice() -> None:
    async with chain(says(message(text("lo")))) as it, client_of(it.here.url) as client:
        begun: Any = [*ASK, {"role": "assistant", "content": NOTICE + "Hel"}]
        answer = await client.messages.create(model="m", max_tokens=64, messages=begun)
        assert it.upstream.received[0].json()["messages"][1]["content"] == "Hel"
    assert answer.content[0].text == "lo"  # type: ignore[union-attr]


async def test_the_results_of_a_batch_are_fetched_through_us() -> None:
    lines = [
        {"custom_id": "a", "result": {"type": "succeeded", "message": message(THOUGHT, text("Hello"))}},
        {
            "custom_id": "b",
            "result": {
                "type": "errored",
                "error": {"type": "error", "request_id": None, "error": {"type": "api_error", "message": "no"}},
            },
        },
    ]

    async def handler(request: Received, wire: Wire) -> None:
        if request.target.endswith(b"/results"):
            await sends("".join(json.dumps(line) + "\n" for line in lines).encode(), "application/x-jsonl")(
                request, wire
            )
            return
        when = "2024-08-20T18:37:24.100435Z"
        job = {
            "id": "msgbatch_1",
            "type": "message_batch",
            "processing_status": "ended",
            "request_counts": {"processing": 0, "succeeded": 1, "errored": 1, "canceled": 0, "expired": 0},
            "ended_at": when,
            "created_at": when,
            "expires_at": when,
            "archived_at": None,
            "cancel_initiated_at": None,
            "results_url": f"{it.upstream.url}/v1/messages/batches/msgbatch_1/results",
        }
        await says(job)(request, wire)

    async def resolve(request: Any) -> None:
        """The name under which the world knows us leads to us."""
        if request.url.host == "label.example":
            host, port = it.here.address
            request.url = request.url.copy_with(scheme="http", host=host, port=port)

    async with (
        chain(handler, public_url="https://label.example/ai") as it,
        anthropic.DefaultAsyncHttpxClient(event_hooks={"request": [resolve]}) as known,
        anthropic.AsyncAnthropic(base_url=it.here.url, api_key="k", max_retries=0, http_client=known) as client,
    ):
        job = await client.messages.batches.retrieve("msgbatch_1")
        assert job.results_url == "https://label.example/ai/v1/messages/batches/msgbatch_1/results"
        results = [one async for one in await client.messages.batches.results("msgbatch_1")]
    first, second = (one.result for one in results)
    assert first.type == "succeeded"
    assert first.message.content[1].text == NOTICE + "Hello"  # type: ignore[union-attr]
    assert first.message.content[0].model_dump(exclude_unset=True) == THOUGHT
    assert label_of(first.message) == EXPECTED_LABEL
    assert second.model_dump(exclude_unset=True) == lines[1]["result"]


async def test_a_batch_is_sent_without_our_notices() -> None:
    async def turns(url: str) -> None:
        async with client_of(url) as client:
            said = NOTICE + "Hello" if url == it.here.url else "Hello"
            messages: Any = [*ASK, {"role": "assistant", "content": said}, {"role": "user", "content": "Why?"}]
            request: Any = {"custom_id": "a", "params": {"model": "m", "max_tokens": 64, "messages": messages}}
            await client.messages.batches.create(requests=[request])

    async with chain(says({"id": "msgbatch_1", "type": "message_batch", "results_url": None})) as it:
        await both_ways(it, turns)


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_upstreams_errors_are_the_sdks_own(streamed: bool) -> None:
    payload = {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}, "request_id": "req_1"}
    async with chain(says(payload, 400)) as it:
        with pytest.raises(anthropic.BadRequestError) as raised:
            await create(it, stream=streamed)
        record = it.here.only()
    assert raised.value.body == payload
    assert "countermark-aigc" not in raised.value.response.headers
    assert record.outcome == "error_response"


async def test_an_error_in_the_middle_of_a_stream_is_the_sdks_own() -> None:
    broken = [
        *events(text("Hello"))[:4],
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
    ]
    async with chain(streams(broken, named=True, done=False)) as it, client_of(it.here.url) as client:
        stream = await client.messages.create(model="m", max_tokens=64, messages=ASK, stream=True)
        with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
            _ = [one async for one in stream]


async def test_vertex() -> None:
    """The model stands in the path, and the request says that of Vertex and not of Anthropic."""
    async with (
        chain(says(message(text("Hello"))), told(text("Hello")), says({"input_tokens": 7})) as it,
        anthropic.AsyncAnthropicVertex(
            base_url=it.here.url, project_id="p", region="us-east5", access_token="t", max_retries=0
        ) as client,
    ):
        answer = await client.messages.create(model="claude-sonnet-4-5@20250929", max_tokens=64, messages=ASK)
        record = it.here.only()
        async with client.messages.stream(model="claude-sonnet-4-5@20250929", max_tokens=64, messages=ASK) as stream:
            said = await stream.get_final_text()
        counted = await client.messages.count_tokens(model="claude-sonnet-4-5@20250929", messages=ASK)
        ends = [one.target.rpartition(b"/")[2].rpartition(b"@20250929")[2] for one in it.upstream.received]
    assert ends == [b":rawPredict", b":streamRawPredict", b"count-tokens:rawPredict"]
    assert counted.input_tokens == 7
    assert answer.content[0].text == said == NOTICE + "Hello"  # type: ignore[union-attr]
    assert record.model == "claude-sonnet-4-5@20250929"


async def test_bedrock() -> None:
    """Each event of its stream is wrapped in base64, in a frame with checksums."""
    frames = [
        encode(
            {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"},
            json.dumps({"bytes": b64encode(json.dumps(one).encode()).decode(), "p": "abcdef"}).encode(),
        )
        for one in events(THOUGHT, text("Hello"))
        if one["type"] != "ping"
    ]
    model = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    async with (
        chain(says(message(text("Hello"))), raw(frames, "application/vnd.amazon.eventstream")) as it,
        anthropic.AsyncAnthropicBedrock(
            base_url=it.here.url, aws_access_key="a", aws_secret_key="b", aws_region="us-east-1", max_retries=0
        ) as client,
    ):
        answer = await client.messages.create(model=model, max_tokens=64, messages=ASK)
        async with client.messages.stream(model=model, max_tokens=64, messages=ASK) as stream:
            told_again = await stream.get_final_message()
        paths = [one.target for one in it.upstream.received]
    assert [path.rpartition(b"/")[2] for path in paths] == [b"invoke", b"invoke-with-response-stream"]
    assert answer.content[0].text == NOTICE + "Hello"  # type: ignore[union-attr]
    assert told_again.content[0].model_dump(include={*THOUGHT}) == THOUGHT
    assert told_again.content[1].text == NOTICE + "Hello"  # type: ignore[union-attr]
    assert label_of(answer) == label_of(told_again) == EXPECTED_LABEL


async def test_the_synchronous_client() -> None:
    def talk(url: str) -> str:
        with (
            anthropic.Anthropic(base_url=url, api_key="sk-ant-test", max_retries=0) as client,
            client.messages.stream(model="m", max_tokens=64, messages=ASK) as stream,
        ):
            return stream.get_final_text()

    async with chain(told(text("Hello"))) as it:
        assert await asyncio.to_thread(talk, it.here.url) == NOTICE + "Hello"
