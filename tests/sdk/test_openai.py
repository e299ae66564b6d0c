"""The official `openai` package: Azure, completions, streamed pictures, batches, speech, videos."""

import base64
import json
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionChunk
from pydantic import BaseModel

from proxy.media import png
from tests.chats import USAGE, chunk, completion, told
from tests.own_marks import forcing
from tests.running import NOTICE
from tests.sdk.chain import EXPECTED_LABEL, Chain, chain, says, sends, short, streams
from tests.sdk.ends import SUFFIX, both_ends

SAMPLE = (Path(__file__).parents[1] / "samples" / "rgb8.png").read_bytes()
PICTURE = base64.b64encode(SAMPLE).decode()


ASK: Any = [{"role": "user", "content": "hi"}]


def client_of(it: Chain) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=it.here.url + "/v1", api_key="sk-test", max_retries=0)


def label_of(model: BaseModel) -> tuple[str, str, str]:
    assert model.model_extra is not None
    return short(model.model_extra["AIGC"])


async def test_a_chat_with_usage_and_the_notice_at_both_ends(tmp_path: Path) -> None:
    """What comes behind the record with the usage would take it from the SDK's final object."""
    usage = {**chunk({}), "choices": [], "usage": USAGE}
    async with (
        chain(streams([*told("Hel", "lo"), usage]), policies=both_ends(tmp_path)) as it,
        client_of(it) as client,
        client.chat.completions.stream(model="m", messages=ASK, stream_options={"include_usage": True}) as stream,
    ):
        answer = await stream.get_final_completion()
    assert answer.choices[0].message.content == NOTICE + "Hello" + SUFFIX
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.model_dump(exclude_none=True) == USAGE


async def test_azure() -> None:
    """It has paths of its own, begins with a record of its filters, and tells later how far these have come."""
    checked = {"check_offset": 5, "start_offset": 0, "end_offset": 5}
    records = [
        {"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": []},
        *told("Hello"),
        {"choices": [{"index": 0, "finish_reason": None, "content_filter_offsets": checked}], "object": ""},
    ]
    async with (
        chain(streams(records)) as it,
        openai.AsyncAzureOpenAI(azure_endpoint=it.here.url, api_version="2024-10-21", api_key="k") as client,
    ):
        stream = await client.chat.completions.create(model="gpt-4o", messages=ASK, stream=True)
        came = [one async for one in stream]
        path = it.upstream.received[0].target
    assert path == b"/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"
    texts = [choice.delta.content or "" for one in came for choice in one.choices if choice.delta]
    assert "".join(texts) == NOTICE + "Hello"
    moved = (came[-1].choices[0].model_extra or {})["content_filter_offsets"]
    assert moved["end_offset"] == len(NOTICE + "Hello")


async def test_minimax_on_its_own_path(tmp_path: Path) -> None:
    """Thoughts in the text, and the whole message once more at the end."""
    said = "<think>\nHm.\n</think>\n\nHello"
    shared = {"id": "1", "created": 1, "model": "MiniMax-M2.5"}
    delta, whole = {**shared, "object": "chat.completion.chunk"}, {**shared, "object": "chat.completion"}
    records = [
        {**delta, "choices": [{"index": 0, "delta": {"role": "assistant", "content": part}}]}
        for part in (said[:3], said[3:12], said[12:])
    ]
    last = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}
    records.append({**whole, "choices": [last], "usage": {"total_tokens": 9}, "base_resp": {"status_code": 0}})
    async with chain(streams(records, done=False), policies=both_ends(tmp_path)) as it, client_of(it) as client:
        stream: Any = await client.post(
            "/text/chatcompletion_v2",
            body={"model": "MiniMax-M2.5", "messages": ASK, "stream": True},
            cast_to=ChatCompletionChunk,
            stream=True,
            stream_cls=openai.AsyncStream[ChatCompletionChunk],
        )
        *deltas, end = [one async for one in stream]
    expected = said.replace("Hello", NOTICE + "Hello" + SUFFIX)
    assert "".join(one.choices[0].delta.content for one in deltas) == expected
    assert end.choices[0].message["content"] == expected


async def test_an_answer_that_nobody_could_read_on_the_way_is_not_asked_for() -> None:
    """Volcengine Ark encrypts in both directions where a client asks for it."""
    async with chain(says(completed("Hello"))) as it, client_of(it) as client:
        with pytest.raises(openai.BadRequestError) as raised:
            await client.chat.completions.create(model="m", messages=ASK, extra_headers={"X-Is-Encrypted": "true"})
        assert it.upstream.received == []
    assert raised.value.code == "not_labelled"


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_client_cannot_opt_out_of_the_models_watermark(streamed: bool, tmp_path: Path) -> None:
    """vLLM puts none into an answer whose request says so; where policy forces it, the model does not hear of that."""
    script = streams(told("Hello")) if streamed else says(completion("Hello"))
    async with chain(script, **forcing(tmp_path, "vllm")) as it, client_of(it) as client:
        opted_out = {"watermarking": False}
        answer: Any = await client.chat.completions.create(
            model="m", messages=ASK, stream=streamed, extra_body=opted_out
        )
        if streamed:
            assert "".join([one.choices[0].delta.content or "" async for one in answer]) == "Hello"
        else:
            assert answer.choices[0].message.content == "Hello"
        (request,) = it.upstream.received
        record = it.here.only()
    assert "watermarking" not in request.json()
    assert request.json()["messages"] == ASK
    assert (record.outcome, record.because) == ("metadata_only", ("force/marks", "force/marks"))


def completed(*texts: str) -> dict[str, Any]:
    choices = [
        {"text": text, "index": index, "logprobs": None, "finish_reason": "stop"} for index, text in enumerate(texts)
    ]
    return {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 1,
        "model": "m",
        "choices": choices,
        "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12},
    }


async def test_completions() -> None:
    async with chain(says(completed("One", "Two"))) as it, client_of(it) as client:
        answer = await client.completions.create(model="m", prompt="Say", n=2)
    assert [choice.text for choice in answer.choices] == [NOTICE + "One", NOTICE + "Two"]
    assert answer.usage is not None
    assert answer.usage.total_tokens == 12
    assert label_of(answer) == EXPECTED_LABEL


async def test_streamed_completions() -> None:
    records = [
        {**completed(), "choices": [{"text": text, "index": index, "logprobs": None, "finish_reason": finish}]}
        for text, finish in (("a", None), ("b", None), ("", "stop"))
        for index in range(2)
    ]
    async with chain(streams(records)) as it, client_of(it) as client:
        stream = await client.completions.create(model="m", prompt=["One", "Two"], stream=True)
        came = [one async for one in stream]
    for index in range(2):
        texts = [choice.text for one in came for choice in one.choices if choice.index == index]
        assert "".join(texts) == NOTICE + "ab"
    assert [label_of(one) for one in came if "AIGC" in (one.model_extra or {})] == [EXPECTED_LABEL]


async def test_streamed_completions_with_usage_and_the_notice_at_both_ends(tmp_path: Path) -> None:
    records: list[dict[str, Any]] = [
        {**completed("Hel"), "usage": None},
        {**completed("lo"), "usage": None},
        {**completed(), "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}},
    ]
    records[0]["choices"][0]["finish_reason"] = None
    async with chain(streams(records), policies=both_ends(tmp_path)) as it, client_of(it) as client:
        stream = await client.completions.create(
            model="m", prompt="Say", stream=True, stream_options={"include_usage": True}
        )
        came = [one async for one in stream]
    assert "".join(choice.text for one in came for choice in one.choices) == NOTICE + "Hello" + SUFFIX
    assert [one.usage.total_tokens for one in came if one.usage] == [12]


async def test_a_completion_that_fills_a_gap_is_untouched() -> None:
    async with (
        chain(says(completed("a):\n")), upstream={"server": "deepseek"}) as it,
        client_of(it) as client,
    ):
        answer = await client.completions.create(model="m", prompt="def f(", suffix="  return a")
        record = it.here.only()
    assert answer.choices[0].text == "a):\n"
    assert label_of(answer) == EXPECTED_LABEL
    assert record.outcome == "metadata_only"


async def test_a_stream_of_pictures() -> None:
    shared = {
        "created_at": 1,
        "size": "1024x1024",
        "quality": "high",
        "background": "opaque",
        "output_format": "png",
        "b64_json": PICTURE,
    }
    usage = {
        "total_tokens": 3,
        "input_tokens": 1,
        "output_tokens": 2,
        "input_tokens_details": {"text_tokens": 1, "image_tokens": 0},
    }
    records = [
        {"type": "image_generation.partial_image", **shared, "partial_image_index": 0},
        {"type": "image_generation.completed", **shared, "usage": usage},
    ]
    async with chain(streams(records, named=True, done=False)) as it, client_of(it) as client:
        stream = await client.images.generate(model="m", prompt="a cat", stream=True, partial_images=1)
        came = [one async for one in stream]
        record = it.here.only()
    assert [one.type for one in came] == [one["type"] for one in records]
    for one in came:
        (label,) = png.read(base64.b64decode(one.b64_json))
        assert (label.label, label.content_producer, label.content_propagator) == EXPECTED_LABEL
    last = came[-1]
    assert last.type == "image_generation.completed"
    assert last.usage.model_dump(exclude_unset=True) == usage
    assert [item.kind for item in record.items] == ["image", "image"]


async def test_the_results_of_a_batch() -> None:
    def line(name: str, body: Any) -> dict[str, Any]:
        return {
            "id": name,
            "custom_id": name,
            "response": {"status_code": 200, "request_id": "r", "body": body},
            "error": None,
        }

    chat = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    }
    failed = {"id": "c", "custom_id": "c", "response": None, "error": {"code": "x"}}
    part = {"type": "output_text", "text": "Hi", "annotations": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    response = {"id": "resp_1", "object": "response", "status": "completed", "output": [item]}
    drawn = {"created": 1, "data": [{"b64_json": PICTURE}]}
    lines = [line("a", chat), line("b", response), failed, line("d", drawn)]
    body = "".join(json.dumps(one) + "\n" for one in lines).encode()
    async with chain(sends(body, "application/octet-stream")) as it, client_of(it) as client:
        once, again = [(await client.files.content("file-1")).text for _ in range(2)]
    got = [json.loads(one) for one in once.splitlines()]
    assert got[0]["response"]["body"]["choices"][0]["message"]["content"] == NOTICE + "Hello"
    assert got[1]["response"]["body"]["output"][0]["content"][0]["text"] == NOTICE + "Hi"
    assert [short(one["response"]["body"]["AIGC"]) for one in got[:2]] == [EXPECTED_LABEL] * 2
    assert got[2] == failed
    (label,) = png.read(base64.b64decode(got[3]["response"]["body"]["data"][0]["b64_json"]))
    assert label.content_producer == EXPECTED_LABEL[1]
    assert once == again


async def test_another_file_passes() -> None:
    body = b"%PDF-1.7 a user's own"
    async with chain(sends(body, "application/octet-stream")) as it, client_of(it) as client:
        assert (await client.files.content("file-1")).content == body


async def test_speech_is_refused() -> None:
    async with chain(sends(b"ID3\x04" + bytes(64), "audio/mpeg")) as it, client_of(it) as client:
        with pytest.raises(openai.InternalServerError) as raised:
            await client.audio.speech.create(model="m", voice="alloy", input="hi")
        record = it.here.only()
    assert raised.value.code == "not_labelled"
    assert record.outcome == "blocked"


# OpenAI has announced the end of Sora; other servers offer the same API.
@pytest.mark.filterwarnings("ignore:The Sora API is scheduled:DeprecationWarning")
async def test_a_videos_job_passes_and_its_film_is_refused() -> None:
    job = {
        "id": "video_1",
        "object": "video",
        "model": "sora-2",
        "status": "completed",
        "progress": 100,
        "created_at": 1,
        "size": "1280x720",
        "seconds": "4",
    }
    film = b"\0\0\0\x18ftypmp42" + bytes(64)
    async with chain(says(job), sends(film, "video/mp4"), sends(SAMPLE, "image/png")) as it, client_of(it) as client:
        assert (await client.videos.retrieve("video_1")).status == "completed"
        with pytest.raises(openai.InternalServerError) as raised:
            await client.videos.download_content("video_1")
        thumbnail = (await client.videos.download_content("video_1", variant="thumbnail")).content
    assert raised.value.code == "not_labelled"
    (label,) = png.read(thumbnail)
    assert (label.label, label.content_producer, label.content_propagator) == EXPECTED_LABEL
