"""The official `openai` package and Responses: every event typed and in order, a text the same each time it is said."""

import base64
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.responses import Response
from pydantic import BaseModel

from proxy.media import png
from tests.running import NOTICE
from tests.scripted import Received, Wire
from tests.sdk.chain import EXPECTED_LABEL, Chain, both_ways, chain, says, short, streams
from tests.sdk.ends import SUFFIX, both_ends

SAMPLE = (Path(__file__).parents[1] / "samples" / "rgb8.png").read_bytes()
PICTURE = base64.b64encode(SAMPLE).decode()
USAGE = {
    "input_tokens": 3,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 8,
}
REASONING: dict[str, Any] = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "Thinking"}],
    "encrypted_content": "gAAAA",
}
CALL: dict[str, Any] = {
    "id": "fc_1",
    "type": "function_call",
    "call_id": "call_1",
    "name": "write",
    "arguments": '{"text": "K\\u00f6ln",  "n":1.0}',
    "status": "completed",
}
TEXT: dict[str, Any] = {"strict": False, "type": "function", "name": "write", "parameters": {"type": "object"}}


class City(BaseModel):
    name: str
    people: int


KOELN = '{"name": "Köln", "people": 1}'


def client_of(it: Chain, **more: Any) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=it.here.url + "/v1", api_key="sk-test", max_retries=0, **more)


def message(*texts: str, annotations: list[Any] | None = None, id: str = "msg_1") -> dict[str, Any]:
    parts = [{"type": "output_text", "text": text, "annotations": annotations or [], "logprobs": []} for text in texts]
    return {"id": id, "type": "message", "status": "completed", "role": "assistant", "content": parts}


def response(*items: dict[str, Any], status: str = "completed", **more: Any) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1741476542,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": "m",
        "output": list(items),
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": USAGE if status == "completed" else None,
        **more,
    }


def events(*deltas: str, before: tuple[dict[str, Any], ...] = ()) -> list[dict[str, Any]]:
    """A stream of one message, as OpenAI sends it: what closes says the text again. ``before``: items in front."""
    at = len(before)
    text = "".join(deltas)
    where = {"item_id": "msg_1", "output_index": at, "content_index": 0}
    part = {"type": "output_text", "annotations": [], "logprobs": []}
    records: list[dict[str, Any]] = [
        {"type": "response.created", "response": response(status="in_progress")},
        {"type": "response.in_progress", "response": response(status="in_progress")},
    ]
    for index, item in enumerate(before):
        records += [
            {"type": "response.output_item.added", "output_index": index, "item": item},
            {"type": "response.output_item.done", "output_index": index, "item": item},
        ]
    records += [
        {"type": "response.output_item.added", "output_index": at, "item": {**message(), "status": "in_progress"}},
        {"type": "response.content_part.added", **where, "part": {**part, "text": ""}},
        *({"type": "response.output_text.delta", **where, "delta": delta, "logprobs": []} for delta in deltas),
        {"type": "response.output_text.done", **where, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **where, "part": {**part, "text": text}},
        {"type": "response.output_item.done", "output_index": at, "item": message(text)},
        {"type": "response.completed", "response": response(*before, message(text))},
    ]
    return [{**record, "sequence_number": number} for number, record in enumerate(records)]


def label_of(model: BaseModel) -> tuple[str, str, str]:
    assert model.model_extra is not None
    return short(model.model_extra["AIGC"])


async def test_a_response() -> None:
    async with chain(says(response(REASONING, message("Hello world")))) as it, client_of(it) as client:
        raw = await client.responses.with_raw_response.create(model="m", input="hi")
        answer = raw.parse()
        record = it.here.only()
    assert type(answer) is Response
    assert answer.id == "resp_1"
    assert answer.output_text == NOTICE + "Hello world"
    assert answer.output[0].model_dump(exclude_unset=True) == REASONING
    assert answer.usage is not None
    assert answer.usage.model_dump(exclude_unset=True) == USAGE
    assert label_of(answer) == EXPECTED_LABEL == short(raw.headers["countermark-aigc"])
    assert raw.headers["ai-disclosure"].startswith("mode=machine-generated")
    assert record.outcome == "labelled"


async def test_citations_of_a_response_move_with_its_text() -> None:
    cited = {"type": "url_citation", "start_index": 4, "end_index": 8, "url": "https://example.com/", "title": "News"}
    async with chain(says(response(message("See news.", annotations=[cited])))) as it, client_of(it) as client:
        answer = await client.responses.create(model="m", input="hi")
    part: Any = answer.output[0].content[0]  # type: ignore[union-attr]
    assert part.text[part.annotations[0].start_index : part.annotations[0].end_index] == "news"


async def test_each_part_of_a_response_has_its_notice() -> None:
    async with (
        chain(says(response(message("One", "Two"), message("Three", id="msg_2")))) as it,
        client_of(it) as client,
    ):
        answer = await client.responses.create(model="m", input="hi")
        record = it.here.only()
    parts: list[Any] = [part for item in answer.output for part in item.content]  # type: ignore[union-attr]
    assert [part.text for part in parts] == [NOTICE + "One", NOTICE + "Two", NOTICE + "Three"]
    assert len({item.produce_id for item in record.items}) == 3


async def test_a_streamed_response() -> None:
    async with chain(streams(events("Hel", "lo"), named=True, done=False)) as it, client_of(it) as client:
        stream = await client.responses.create(model="m", input="hi", stream=True)
        came = [one async for one in stream]
        record = it.here.only()
    assert [one.type for one in came] == [one["type"] for one in events("Hel", "lo")]
    assert "".join(one.delta for one in came if one.type == "response.output_text.delta") == NOTICE + "Hello"
    assert [one.text for one in came if one.type == "response.output_text.done"] == [NOTICE + "Hello"]
    assert [one.sequence_number for one in came] == list(range(len(came)))
    first, last = came[0], came[-1]
    assert first.type == "response.created"
    assert label_of(first.response) == EXPECTED_LABEL
    assert last.type == "response.completed"
    assert last.response.output_text == NOTICE + "Hello"
    assert label_of(last.response) == EXPECTED_LABEL
    assert record.outcome == "labelled"


async def test_the_stream_helper_of_responses() -> None:
    told = events("Hel", "lo", before=(REASONING, CALL))
    async with (
        chain(streams(told, named=True, done=False)) as it,
        client_of(it) as client,
        client.responses.stream(model="m", input="hi") as stream,
    ):
        deltas = [one.delta async for one in stream if one.type == "response.output_text.delta"]
        answer = await stream.get_final_response()
    assert "".join(deltas) == NOTICE + "Hello"
    assert answer.output_text == NOTICE + "Hello"
    assert label_of(answer) == EXPECTED_LABEL
    assert answer.output[1].arguments == CALL["arguments"]  # type: ignore[union-attr]
    assert answer.usage is not None
    assert answer.usage.model_dump(exclude_unset=True) == USAGE


async def test_tools_of_a_response_are_untouched() -> None:
    async with chain(says(response(CALL))) as it, client_of(it) as client:
        answer = await client.responses.create(model="m", input="hi", tools=[TEXT])  # type: ignore[list-item]
        record = it.here.only()
    assert answer.output[0].model_dump(exclude_unset=True) == CALL
    assert label_of(answer) == EXPECTED_LABEL
    assert record.outcome == "metadata_only"


async def test_a_parsed_response() -> None:
    async with chain(says(response(message(KOELN)))) as it, client_of(it) as client:
        answer = await client.responses.parse(model="m", input="hi", text_format=City)
    assert answer.output_parsed == City(name="Köln", people=1)
    assert label_of(answer) == EXPECTED_LABEL


async def test_a_streamed_parsed_response() -> None:
    told = events('{"name": "Kö', 'ln", "people"', ": 1}")
    async with (
        chain(streams(told, named=True, done=False)) as it,
        client_of(it) as client,
        client.responses.stream(model="m", input="hi", text_format=City) as stream,
    ):
        answer = await stream.get_final_response()
    assert answer.output_parsed == City(name="Köln", people=1)


async def test_a_claim_of_json_that_the_upstream_ignores_is_labelled() -> None:
    told = events("I am", " no JSON.")
    async with chain(streams(told, named=True, done=False)) as it, client_of(it) as client:
        stream = await client.responses.create(
            model="m", input="hi", stream=True, text={"format": {"type": "json_object"}}
        )
        came = [one async for one in stream]
    assert [one.text for one in came if one.type == "response.output_text.done"] == [NOTICE + "I am no JSON."]


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_second_turn_with_the_sdks_own_items(streamed: bool, tmp_path: Path) -> None:
    async def handler(request: Received, wire: Wire) -> None:
        if request.json().get("stream"):
            await streams(events("Hel", "lo", before=(REASONING,)), named=True, done=False)(request, wire)
        else:
            await says(response(REASONING, message("Hello")))(request, wire)

    async def turns(url: str) -> None:
        async with openai.AsyncOpenAI(base_url=url + "/v1", api_key="sk-test", max_retries=0) as client:
            said: list[Any] = [{"role": "user", "content": "hi"}]
            if streamed:
                async with client.responses.stream(model="m", input=said) as stream:
                    answer: Response = await stream.get_final_response()
            else:
                answer = await client.responses.create(model="m", input=said)
            said += [*answer.output, {"role": "user", "content": f"You wrote: {NOTICE}Hello. Why?"}]
            await client.responses.create(model="m", input=said, store=False)

    async with chain(handler, policies=both_ends(tmp_path)) as it:
        await both_ways(it, turns)


async def test_a_background_response_is_labelled_each_time_that_it_is_read() -> None:
    queued, ready = response(status="queued", background=True), response(message("Hello"), background=True)
    async with chain(says(queued), says(ready)) as it, client_of(it) as client:
        begun = await client.responses.create(model="m", input="hi", background=True)
        first = await client.responses.retrieve(begun.id)
        again = await client.responses.retrieve(begun.id)
    assert begun.status == "queued"
    assert first.output_text == again.output_text == NOTICE + "Hello"
    assert first.model_extra is not None
    assert again.model_extra is not None
    assert first.model_extra["AIGC"] == again.model_extra["AIGC"]


async def test_a_stream_that_is_taken_up_again_has_no_second_notice_in_its_middle() -> None:
    told = events("Hel", "lo", " world")
    rest = [record for record in told if record["sequence_number"] > 4]
    async with chain(streams(rest, named=True, done=False)) as it, client_of(it) as client:
        stream = await client.responses.retrieve("resp_1", stream=True, starting_after=4)
        came = [one async for one in stream]
    assert "".join(one.delta for one in came if one.type == "response.output_text.delta") == "lo world"
    assert [one.text for one in came if one.type == "response.output_text.done"] == [NOTICE + "Hello world"]
    last = came[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == NOTICE + "Hello world"


async def test_a_picture_in_a_response() -> None:
    drawn = {"id": "ig_1", "type": "image_generation_call", "status": "completed", "result": PICTURE}
    async with chain(says(response(drawn, message("A cat.")))) as it, client_of(it) as client:
        answer = await client.responses.create(model="m", input="hi", tools=[{"type": "image_generation"}])
        record = it.here.only()
    picture = base64.b64decode(answer.output[0].result)  # type: ignore[union-attr,arg-type]
    (label,) = png.read(picture)
    assert (label.label, label.content_producer, label.content_propagator) == EXPECTED_LABEL
    assert answer.output_text == NOTICE + "A cat."
    assert sorted(item.kind for item in record.items) == ["image", "text"]


async def test_a_conversations_items() -> None:
    items = [
        {
            "id": "msg_0",
            "type": "message",
            "role": "user",
            "status": "completed",
            "content": [{"type": "input_text", "text": "Hi"}],
        },
        message("Hello"),
    ]
    page = {"object": "list", "data": items, "first_id": "msg_0", "last_id": "msg_1", "has_more": False}
    async with chain(says(page)) as it, client_of(it) as client:
        listed = [one async for one in client.conversations.items.list("conv_1")]
    texts = [part.text for one in listed for part in one.content]  # type: ignore[union-attr]
    assert texts == ["Hi", NOTICE + "Hello"]


async def test_errors_are_the_sdks_own() -> None:
    payload = {"error": {"message": "no", "type": "t", "param": None, "code": "c"}}
    broken = response(status="failed", error={"code": "server_error", "message": "m"})
    async with chain(says(payload, 400), says(broken)) as it, client_of(it) as client:
        with pytest.raises(openai.BadRequestError) as raised:
            await client.responses.create(model="m", input="hi")
        failed = await client.responses.create(model="m", input="hi")
    assert raised.value.body == payload["error"]
    assert "countermark-aigc" not in raised.value.response.headers
    assert failed.status == "failed"
    assert failed.error is not None
    assert failed.error.message == "m"


async def test_an_error_in_the_middle_of_a_stream_is_the_sdks_own() -> None:
    broken = [
        *events("Hello")[:5],
        {"type": "error", "code": "server_error", "message": "overloaded", "param": None, "sequence_number": 5},
    ]
    async with chain(streams(broken, named=True, done=False)) as it, client_of(it) as client:
        stream = await client.responses.create(model="m", input="hi", stream=True)
        came: list[Any] = [one async for one in stream]
    assert (came[-1].type, came[-1].message) == ("error", "overloaded")


async def test_a_notice_at_both_ends_is_in_every_telling(tmp_path: Path) -> None:
    """The suffix is a delta of its own, with the number of the one before; the SDK takes that."""
    told = events("Hel", "lo")
    async with (
        chain(streams(told, named=True, done=False), policies=both_ends(tmp_path)) as it,
        client_of(it) as client,
        client.responses.stream(model="m", input="hi") as stream,
    ):
        came = [one async for one in stream]
        answer = await stream.get_final_response()
    deltas = [one for one in came if one.type == "response.output_text.delta"]
    assert [one.delta for one in deltas] == [NOTICE + "Hel", "lo", SUFFIX]
    assert deltas[2].sequence_number == deltas[1].sequence_number
    assert deltas[2].snapshot == NOTICE + "Hello" + SUFFIX
    assert [one.text for one in came if one.type == "response.output_text.done"] == [NOTICE + "Hello" + SUFFIX]
    assert answer.output_text == NOTICE + "Hello" + SUFFIX
