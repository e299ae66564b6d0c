"""The official `openai` package is the judge: what it reads through Countermark is typed, labelled once, and whole."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel

from proxy.label.aigc import Aigc, parse
from proxy.media import png
from tests.chats import USAGE, chat, chunk, completion, told
from tests.running import NOTICE, PROVIDER, Here, countermark
from tests.scripted import Received, Scripted, Wire, scripted

ASK: Any = [{"role": "user", "content": "hi"}]
WEATHER: Any = [
    {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
]
EXPECTED_LABEL = ("1", PROVIDER, PROVIDER)

Handler = Callable[[Received, Wire], Awaitable[None]]


@dataclass
class Chain:
    upstream: Scripted
    here: Here
    client: openai.AsyncOpenAI


@asynccontextmanager
async def chain(*handlers: Handler) -> AsyncIterator[Chain]:
    """Client, Countermark, upstream."""
    async with (
        scripted(*handlers) as upstream,
        countermark(upstream.url) as here,
        openai.AsyncOpenAI(base_url=here.url + "/v1", api_key="sk-test", max_retries=0) as client,
    ):
        yield Chain(upstream, here, client)


def says(payload: Any, status: int = 200, **headers: str) -> Handler:
    async def handler(_: Received, wire: Wire) -> None:
        await wire.json(payload, status, **headers)

    return handler


def streams(*records: Any) -> Handler:
    async def handler(_: Received, wire: Wire) -> None:
        await wire.sse(records)

    return handler


def label_of(model: BaseModel) -> Aigc:
    """The implicit label at the top of what the SDK parsed."""
    assert model.model_extra is not None
    return parse(json.dumps(model.model_extra["AIGC"]))


def labels_of(chunks: list[ChatCompletionChunk]) -> list[Aigc]:
    return [label_of(one) for one in chunks if "AIGC" in (one.model_extra or {})]


def short(label: Aigc) -> tuple[str, str, str]:
    return label.label, label.content_producer, label.content_propagator


async def test_chat() -> None:
    async with chain(chat) as it:
        answer = await it.client.chat.completions.create(model="m", messages=ASK)
    assert type(answer) is ChatCompletion
    assert [choice.message.content for choice in answer.choices] == [NOTICE + "Hello world"]
    assert answer.choices[0].message.role == "assistant"
    assert answer.usage is not None
    assert answer.usage.model_dump(exclude_none=True) == USAGE
    assert short(label_of(answer)) == EXPECTED_LABEL


async def test_raw_headers() -> None:
    async with chain(says(completion("Hello world"), x_request_id="r-1")) as it:
        raw = await it.client.chat.completions.with_raw_response.create(model="m", messages=ASK)
        answer = raw.parse()
        record = it.here.only()
    assert raw.request_id == "r-1"
    assert parse(raw.headers["countermark-aigc"]) == label_of(answer)
    assert raw.headers["ai-disclosure"].startswith("mode=machine-generated")
    assert "countermark-status" not in raw.headers
    assert record.items[0].produce_id == label_of(answer).produce_id == record.id


@pytest.mark.parametrize(
    ("language", "expected"), [("zh-CN,zh;q=0.9", NOTICE), ("en-GB", "[AI-generated · AI生成]\n\n")]
)
async def test_the_clients_language_chooses_the_words(language: str, expected: str) -> None:
    async with chain(chat) as it:
        answer = await it.client.chat.completions.create(
            model="m", messages=ASK, extra_headers={"Accept-Language": language}
        )
    assert answer.choices[0].message.content == expected + "Hello world"


async def test_three_choices() -> None:
    async with chain(chat) as it:
        answer = await it.client.chat.completions.create(model="m", messages=ASK, n=3)
        record = it.here.only()
    assert [choice.message.content for choice in answer.choices] == [NOTICE + "Hello world"] * 3
    assert len({item.produce_id for item in record.items}) == 3


async def test_stream() -> None:
    async with chain(chat) as it:
        stream = await it.client.chat.completions.create(model="m", messages=ASK, stream=True)
        chunks = [one async for one in stream]
    assert {type(one) for one in chunks} == {ChatCompletionChunk}
    assert [one.choices[0].delta.content for one in chunks] == ["", NOTICE + "Hel", "lo", " world", None]
    assert [short(label) for label in labels_of(chunks)] == [EXPECTED_LABEL]


async def test_a_stream_of_three_choices() -> None:
    async with chain(chat) as it:
        stream = await it.client.chat.completions.create(model="m", messages=ASK, stream=True, n=3)
        chunks = [one async for one in stream]
        record = it.here.only()
    for index in range(3):
        texts = [choice.delta.content or "" for one in chunks for choice in one.choices if choice.index == index]
        assert "".join(texts) == NOTICE + "Hello world"
    assert len(labels_of(chunks)) == 1
    assert [item.unit for item in record.items] == ["choices[0]", "choices[1]", "choices[2]"]


async def test_the_stream_helper_with_usage() -> None:
    usage = {**chunk({}), "choices": [], "usage": USAGE}
    async with (
        chain(streams(*told("Hel", "lo"), usage)) as it,
        it.client.chat.completions.stream(model="m", messages=ASK, stream_options={"include_usage": True}) as stream,
    ):
        deltas = [one.delta async for one in stream if one.type == "content.delta"]
        answer = await stream.get_final_completion()
    assert "".join(deltas) == NOTICE + "Hello"
    assert answer.choices[0].message.content == NOTICE + "Hello"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.model_dump(exclude_none=True) == USAGE
    assert json.loads(it.upstream.received[0].body)["stream_options"] == {"include_usage": True}


CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "K\\u00f6ln",  "n":1.0}'},
}


@pytest.mark.parametrize("text", [None, "", "Let me look."])
async def test_tools(text: str | None) -> None:
    async with chain(says(completion(text, finish="tool_calls", tool_calls=[CALL]))) as it:  # type: ignore[arg-type]
        answer = await it.client.chat.completions.create(model="m", messages=ASK, tools=WEATHER)
    message = answer.choices[0].message
    assert message.content == (NOTICE + text if text else text)
    assert message.tool_calls is not None
    assert message.tool_calls[0].model_dump() == CALL
    assert short(label_of(answer)) == EXPECTED_LABEL


@pytest.mark.parametrize("text", [None, "Let me look."])
async def test_streamed_tool_arguments_are_untouched(text: str | None) -> None:
    pieces = ['{"ci', 'ty": "K\\u00f6', 'ln",  ', '"n":1.0}']
    first = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}
    calls = [first, *({"index": 0, "function": {"arguments": piece}} for piece in pieces)]
    said = [chunk({"role": "assistant", "content": None}), *([chunk({"content": text})] if text else [])]
    records = [*said, *(chunk({"tool_calls": [call]}) for call in calls), chunk({}, "tool_calls")]
    async with (
        chain(streams(*records)) as it,
        it.client.chat.completions.stream(model="m", messages=ASK, tools=WEATHER) as stream,
    ):
        answer = await stream.get_final_completion()
    message = answer.choices[0].message
    assert message.content == (NOTICE + text if text else None)
    assert message.tool_calls is not None
    assert message.tool_calls[0].function.arguments == "".join(pieces)


class City(BaseModel):
    name: str
    people: int


KOELN = '{"name": "Köln", "people": 1}'


async def test_the_parse_helper() -> None:
    async with chain(says(completion(KOELN))) as it:
        answer = await it.client.chat.completions.parse(model="m", messages=ASK, response_format=City)
        record = it.here.only()
    assert answer.choices[0].message.content == KOELN
    assert answer.choices[0].message.parsed == City(name="Köln", people=1)
    assert short(label_of(answer)) == EXPECTED_LABEL
    assert record.outcome == "metadata_only"
    assert record.items[0].skipped


async def test_json_mode() -> None:
    async with chain(says(completion(KOELN))) as it:
        raw = await it.client.chat.completions.with_raw_response.create(
            model="m", messages=ASK, response_format={"type": "json_object"}
        )
    assert raw.parse().choices[0].message.content == KOELN
    assert "countermark-aigc" in raw.headers


async def test_streamed_json_with_the_parse_helper() -> None:
    async with (
        chain(streams(*told('{"name": ', '"Köln", ', '"people": 1}'))) as it,
        it.client.chat.completions.stream(model="m", messages=ASK, response_format=City) as stream,
    ):
        answer = await stream.get_final_completion()
    assert answer.choices[0].message.parsed == City(name="Köln", people=1)


@pytest.mark.parametrize("claimed", ["I am no JSON.", "{not JSON at all", "[1, 2"])
async def test_a_claim_of_json_that_the_upstream_ignores_is_labelled(claimed: str) -> None:
    async with chain(says(completion(claimed))) as it:
        answer = await it.client.chat.completions.create(
            model="m", messages=ASK, response_format={"type": "json_object"}
        )
    assert answer.choices[0].message.content == NOTICE + claimed


async def test_a_streamed_claim_of_json_that_the_upstream_ignores_is_labelled() -> None:
    async with chain(streams(*told("I am", " no JSON."))) as it:
        stream = await it.client.chat.completions.create(
            model="m", messages=ASK, stream=True, response_format={"type": "json_object"}
        )
        text = "".join([one.choices[0].delta.content or "" async for one in stream])
    assert text == NOTICE + "I am no JSON."


async def test_reasoning_is_untouched() -> None:
    async with chain(says(completion("Hello", reasoning_content="First, I think."))) as it:
        answer = await it.client.chat.completions.create(model="m", messages=ASK)
    message = answer.choices[0].message
    assert message.content == NOTICE + "Hello"
    assert (message.model_extra or {})["reasoning_content"] == "First, I think."


async def test_streamed_reasoning_is_untouched() -> None:
    records = [chunk({"role": "assistant", "content": None, "reasoning_content": "First"}), *told("Hello")[1:]]
    async with chain(streams(*records)) as it:
        stream = await it.client.chat.completions.create(model="m", messages=ASK, stream=True)
        deltas = [one.choices[0].delta async for one in stream]
    assert (deltas[0].model_extra or {})["reasoning_content"] == "First"
    assert "".join(delta.content or "" for delta in deltas) == NOTICE + "Hello"


async def test_a_refusal_is_untouched() -> None:
    async with chain(says(completion(None, refusal="I must not."))) as it:  # type: ignore[arg-type]
        answer = await it.client.chat.completions.create(model="m", messages=ASK)
    assert answer.choices[0].message.refusal == "I must not."
    assert answer.choices[0].message.content is None


async def test_what_the_upstream_labels_already_is_not_labelled_twice() -> None:
    async with chain(says(completion(NOTICE + "Hello"))) as it:
        answer = await it.client.chat.completions.create(model="m", messages=ASK)
        assert it.here.only().outcome == "already_labelled"
    assert answer.choices[0].message.content == NOTICE + "Hello"


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_second_turn_reaches_the_upstream_as_if_there_were_no_proxy(streamed: bool) -> None:
    """Byte for byte: the same client says to both what it would say, had it heard the model itself."""

    async def turn(client: openai.AsyncOpenAI, said: str) -> None:
        messages: Any = [
            *ASK,
            {"role": "assistant", "content": said},
            {"role": "user", "content": f"You wrote: {NOTICE}Hello. Why? \u2028\U0001f600"},
        ]
        await client.chat.completions.create(model="m", messages=messages, temperature=0.7)

    async with chain(chat) as it:
        client = it.client
        if streamed:
            stream = await client.chat.completions.create(model="m", messages=ASK, stream=True)
            heard = "".join([one.choices[0].delta.content or "" async for one in stream])
        else:
            heard = (await client.chat.completions.create(model="m", messages=ASK)).choices[0].message.content or ""
        await turn(client, heard)
        await turn(client.with_options(base_url=it.upstream.url + "/v1"), "Hello world")
        through, direct = it.upstream.received[1:]
    assert heard == NOTICE + "Hello world"
    assert through.body == direct.body
    assert through.value(b"content-length") == direct.value(b"content-length")


SAMPLE = (Path(__file__).parent / "samples" / "rgb8.png").read_bytes()


async def test_images() -> None:
    payload = {"created": 1, "data": [{"b64_json": base64.b64encode(SAMPLE).decode()}] * 2}
    async with chain(says(payload)) as it:
        answer = await it.client.images.generate(model="m", prompt="a cat", n=2, response_format="b64_json")
        record = it.here.only()
    pictures = [base64.b64decode(one.b64_json or "") for one in answer.data or ()]
    assert len(pictures) == 2
    for picture in pictures:
        assert picture != SAMPLE
        assert png.size(picture) == png.size(SAMPLE)
    labels = [png.read(picture) for picture in pictures]
    assert [short(one) for (one,) in labels] == [EXPECTED_LABEL] * 2
    assert [one.produce_id for (one,) in labels] == [item.produce_id for item in record.items]
    assert len({item.produce_id for item in record.items}) == 2
    assert short(label_of(answer)) == EXPECTED_LABEL
    assert record.outcome == "labelled"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_the_upstreams_errors_are_the_sdks_own(
    status: int, expected: type[openai.APIStatusError], streamed: bool
) -> None:
    payload = {"error": {"message": "no", "type": "t", "param": None, "code": "c"}}
    async with chain(says(payload, status, retry_after="7")) as it:
        with pytest.raises(expected) as raised:
            await it.client.chat.completions.create(model="m", messages=ASK, stream=streamed)
        record = it.here.records[-1]
    assert raised.value.body == payload["error"]
    assert raised.value.response.json() == payload
    assert raised.value.response.headers["retry-after"] == "7"
    assert "countermark-aigc" not in raised.value.response.headers
    assert (record.outcome, record.status) == ("error_response", status)


async def test_an_error_in_the_middle_of_a_stream_is_the_sdks_own() -> None:
    async with chain(streams(*told("Hel")[:2], {"error": {"message": "out of memory", "code": 500}})) as it:
        stream = await it.client.chat.completions.create(model="m", messages=ASK, stream=True)
        with pytest.raises(openai.APIError, match="out of memory"):
            _ = [one async for one in stream]


async def test_a_blocked_answer_is_an_error_that_the_sdk_can_tell() -> None:
    async with chain(says({"hello": "world"})) as it:
        with pytest.raises(openai.InternalServerError) as raised:
            await it.client.chat.completions.create(model="m", messages=ASK)
    assert raised.value.status_code == 502
    assert raised.value.code == "not_labelled"


async def test_a_stream_that_breaks_off_is_an_error_for_the_sdk() -> None:
    async def handler(_: Received, wire: Wire) -> None:
        await wire.sse_head()
        await wire.event(chunk({"content": "Hel"}))
        wire.cut()

    async with chain(handler) as it:
        stream = await it.client.chat.completions.create(model="m", messages=ASK, stream=True)
        with pytest.raises(Exception) as raised:  # noqa: PT011  the SDK lets its transport's own error through
            _ = [one async for one in stream]
    assert isinstance(raised.value, (openai.APIError, ExceptionGroup)) or "Protocol" in type(raised.value).__name__


async def test_models_pass() -> None:
    async with chain(
        says({"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "o"}]})
    ) as it:
        models = [one.id async for one in it.client.models.list()]
    assert models == ["m"]


async def test_the_synchronous_client() -> None:
    def talk(url: str) -> tuple[str | None, str]:
        with openai.OpenAI(base_url=url + "/v1", api_key="sk-test", max_retries=0) as client:
            answer = client.chat.completions.create(model="m", messages=ASK)
            stream = client.chat.completions.create(model="m", messages=ASK, stream=True)
            return answer.choices[0].message.content, "".join(one.choices[0].delta.content or "" for one in stream)

    async with chain(chat) as it:
        assert await asyncio.to_thread(talk, it.here.url) == (NOTICE + "Hello world", NOTICE + "Hello world")
