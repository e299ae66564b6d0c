"""The official `google-genai` package is the judge: it reads `data: {...}` and no other line, comments included."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import errors, types
from google.genai.client import AsyncClient
from pydantic import BaseModel

from proxy.media import png
from tests.running import NOTICE
from tests.scripted import Received, Wire
from tests.sdk.chain import EXPECTED_LABEL, Handler, both_ways, chain, raw, says, short
from tests.sdk.ends import SUFFIX, both_ends

SAMPLE = (Path(__file__).parents[1] / "samples" / "rgb8.png").read_bytes()
PICTURE = base64.b64encode(SAMPLE).decode()
USAGE = {"promptTokenCount": 3, "candidatesTokenCount": 5, "totalTokenCount": 8}
THOUGHT = {"text": "Let me see.", "thought": True}
CALL = {"functionCall": {"name": "write", "args": {"text": "Köln", "n": 1.5}}, "thoughtSignature": "CpwB"}


class City(BaseModel):
    name: str
    people: int


KOELN = '{"name": "Köln", "people": 1}'


# Where aiohttp is installed, the SDK inherits from a class of it that would rather not be inherited from.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")


def client_of(url: str, **more: Any) -> genai.Client:
    return genai.Client(api_key="test", http_options=types.HttpOptions(base_url=url), **more)


@asynccontextmanager
async def using(url: str, **more: Any) -> AsyncIterator[AsyncClient]:
    async with client_of(url, **more).aio as client:
        yield client


def candidate(*parts: dict[str, Any], finish: str | None = "STOP", index: int = 0, **more: Any) -> dict[str, Any]:
    """One candidate, as protocol buffers write it: an index of 0 is left out."""
    one: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, **more}
    return {**one, **({"finishReason": finish} if finish else {}), **({"index": index} if index else {})}


def answer(*candidates: dict[str, Any]) -> dict[str, Any]:
    return {"candidates": list(candidates), "usageMetadata": USAGE, "modelVersion": "m", "responseId": "r-1"}


def told(*texts: str) -> list[dict[str, Any]]:
    """A stream, whose last record holds the last text."""
    last = len(texts) - 1
    return [answer(candidate({"text": text}, finish="STOP" if at == last else None)) for at, text in enumerate(texts)]


def events(records: Iterable[dict[str, Any]]) -> Handler:
    """As Google writes them."""
    return raw(
        [b"data: %b\r\n\r\n" % json.dumps(one, ensure_ascii=False).encode() for one in records], "text/event-stream"
    )


async def test_an_answer() -> None:
    async with (
        chain(says(answer(candidate(THOUGHT, {"text": "Hello "}, {"text": "world"})))) as it,
        using(it.here.url) as client,
    ):
        got = await client.models.generate_content(model="m", contents="hi")
        record = it.here.only()
    assert got.text == NOTICE + "Hello world"
    assert got.candidates is not None
    parts = got.candidates[0].content.parts  # type: ignore[union-attr]
    assert [part.text for part in parts or ()] == ["Let me see.", NOTICE + "Hello ", "world"]
    assert got.usage_metadata is not None
    assert got.usage_metadata.total_token_count == 8
    assert got.response_id == "r-1"
    headers = {name.lower(): value for name, value in (got.sdk_http_response.headers or {}).items()}  # type: ignore[union-attr]
    assert short(headers["countermark-aigc"]) == EXPECTED_LABEL
    assert headers["ai-disclosure"].startswith("mode=machine-generated")
    assert (record.outcome, record.model) == ("labelled", "m")


async def test_two_candidates() -> None:
    async with (
        chain(says(answer(candidate({"text": "One"}), candidate({"text": "Two"}, index=1)))) as it,
        using(it.here.url) as client,
    ):
        config = types.GenerateContentConfig(candidate_count=2)
        got = await client.models.generate_content(model="m", contents="hi", config=config)
        record = it.here.only()
    texts = [one.content.parts[0].text for one in got.candidates or ()]  # type: ignore[union-attr,index]
    assert texts == [NOTICE + "One", NOTICE + "Two"]
    assert len({item.produce_id for item in record.items}) == 2


async def test_a_stream() -> None:
    async with chain(events(told("Hel", "lo", " world"))) as it, using(it.here.url) as client:
        stream = await client.models.generate_content_stream(model="m", contents="hi")
        came = [one async for one in stream]
        assert it.upstream.received[0].target.endswith(b"/models/m:streamGenerateContent?alt=sse")
    assert [one.text for one in came] == [NOTICE + "Hel", "lo", " world"]
    assert came[-1].candidates[0].finish_reason == types.FinishReason.STOP  # type: ignore[index]


async def test_a_notice_at_both_ends_stands_in_the_last_text(tmp_path: Path) -> None:
    bare = [*told("Hel", "lo")[:1], answer({"content": {"role": "model"}, "finishReason": "STOP"})]
    async with (
        chain(events(told("Hel", "lo")), events(bare), policies=both_ends(tmp_path)) as it,
        using(it.here.url) as client,
    ):
        found = []
        for _ in range(2):
            stream = await client.models.generate_content_stream(model="m", contents="hi")
            found.append([one.text async for one in stream])
    assert found == [[NOTICE + "Hel", "lo" + SUFFIX], [NOTICE + "Hel", SUFFIX]]


async def test_a_stream_as_one_json_array() -> None:
    """What Google sends where nothing else is asked for; the SDK never does."""
    array = json.dumps(told("Hel", "lo")).replace("}, {", "},\r\n{").encode()
    async with (
        chain(raw([array[:40], array[40:100], array[100:]], "application/json; charset=UTF-8")) as it,
        httpx.AsyncClient(base_url=it.here.url) as client,
    ):
        got = await client.post("/v1beta/models/m:streamGenerateContent", json={"contents": []})
        record = it.here.only()
    texts = [one["candidates"][0]["content"]["parts"][0]["text"] for one in got.json()]
    assert texts == [NOTICE + "Hel", "lo"]
    assert short(got.json()[0]["AIGC"]) == EXPECTED_LABEL
    assert record.outcome == "labelled"


@pytest.mark.parametrize("said", [[], [{"text": "Let me look."}]])
async def test_functions_are_untouched(said: list[dict[str, Any]]) -> None:
    async with chain(says(answer(candidate(*said, CALL)))) as it, using(it.here.url) as client:
        got = await client.models.generate_content(model="m", contents="hi")
    parts = got.candidates[0].content.parts  # type: ignore[union-attr,index]
    assert [part.text for part in parts if part.text] == [NOTICE + "Let me look."] * len(said)  # type: ignore[union-attr]
    assert parts[-1].function_call.args == CALL["functionCall"]["args"]  # type: ignore[union-attr,index]
    assert parts[-1].thought_signature == base64.b64decode("CpwB")  # type: ignore[union-attr,index]


@pytest.mark.parametrize("streamed", [False, True])
async def test_structured_output(streamed: bool) -> None:
    handler = (
        events(told('{"name": "Kö', 'ln", "people"', ": 1}")) if streamed else says(answer(candidate({"text": KOELN})))
    )
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=City)
    async with chain(handler) as it, using(it.here.url) as client:
        models = client.models
        if streamed:
            stream = await models.generate_content_stream(model="m", contents="hi", config=config)
            assert "".join([one.text or "" async for one in stream]) == KOELN
        else:
            assert (await models.generate_content(model="m", contents="hi", config=config)).parsed == City(
                name="Köln", people=1
            )
        record = it.here.only()
    assert record.outcome == "metadata_only"


async def test_a_claim_of_json_that_the_upstream_ignores_is_labelled() -> None:
    config = types.GenerateContentConfig(response_mime_type="application/json")
    async with chain(says(answer(candidate({"text": "I am no JSON."})))) as it, using(it.here.url) as client:
        got = await client.models.generate_content(model="m", contents="hi", config=config)
    assert got.text == NOTICE + "I am no JSON."


async def test_grounding_still_points_at_its_words() -> None:
    text = "今天晴。Clear."
    segment = {"startIndex": 12, "endIndex": 18, "text": "Clear."}
    grounding = {
        "groundingChunks": [{"web": {"uri": "https://example.com/", "title": "example.com"}}],
        "groundingSupports": [{"segment": segment, "groundingChunkIndices": [0]}],
    }
    async with (
        chain(says(answer(candidate({"text": text}, groundingMetadata=grounding)))) as it,
        using(it.here.url) as client,
    ):
        got = await client.models.generate_content(model="m", contents="hi")
    found = got.candidates[0].grounding_metadata.grounding_supports[0].segment  # type: ignore[union-attr,index]
    assert found is not None
    assert (got.text or "").encode()[found.start_index : found.end_index] == b"Clear."


async def test_a_picture() -> None:
    parts = [{"text": "A cat."}, {"inlineData": {"mimeType": "image/png", "data": PICTURE}}]
    async with chain(says(answer(candidate(*parts)))) as it, using(it.here.url) as client:
        got = await client.models.generate_content(model="m", contents="hi")
    text, picture = got.candidates[0].content.parts  # type: ignore[union-attr,index,misc]
    assert text.text == NOTICE + "A cat."
    (label,) = png.read(picture.inline_data.data)  # type: ignore[union-attr,arg-type]
    assert (label.label, label.content_producer, label.content_propagator) == EXPECTED_LABEL


async def test_an_answer_on_vertex() -> None:
    async with chain(says(answer(candidate({"text": "Hello"})))) as it, using(it.here.url, vertexai=True) as client:
        got = await client.models.generate_content(model="gemini-2.5-flash", contents="hi")
        record = it.here.only()
        assert b"/publishers/google/models/" in it.upstream.received[0].target
    assert got.text == NOTICE + "Hello"
    assert record.model == "gemini-2.5-flash"


# Announced to go; the endpoint stays, on Vertex as well.
@pytest.mark.filterwarnings("ignore:The generate_images method is deprecated")
async def test_imagen_on_vertex() -> None:
    payload = {"predictions": [{"mimeType": "image/png", "bytesBase64Encoded": PICTURE}] * 2}
    async with chain(says(payload)) as it, using(it.here.url, vertexai=True) as client:
        config = types.GenerateImagesConfig(number_of_images=2)
        got = await client.models.generate_images(model="imagen-4.0", prompt="a cat", config=config)
        record = it.here.only()
    pictures = [one.image.image_bytes for one in got.generated_images or ()]  # type: ignore[union-attr]
    labels = [label for picture in pictures for label in png.read(picture)]  # type: ignore[arg-type]
    assert [(one.label, one.content_producer, one.content_propagator) for one in labels] == [EXPECTED_LABEL] * 2
    assert [item.kind for item in record.items] == ["image", "image"]


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_second_turn_of_a_chat(streamed: bool, tmp_path: Path) -> None:
    """The SDK keeps one turn for each record of a stream, and sends them all again."""

    async def handler(request: Received, wire: Wire) -> None:
        if b":stream" in request.target:
            await events(told("Hel", "lo"))(request, wire)
        else:
            await says(answer(candidate({"text": "Hello", "thoughtSignature": "CpwB"})))(request, wire)

    async def turns(url: str) -> None:
        async with using(url) as client:
            chat = client.chats.create(model="m")
            for said in ("hi", f"You wrote: {NOTICE}Hello. Why?"):
                if streamed:
                    _ = [one async for one in await chat.send_message_stream(said)]
                else:
                    await chat.send_message(said)

    async with chain(handler, policies=both_ends(tmp_path)) as it:
        await both_ways(it, turns)


async def test_a_count_of_tokens_counts_what_is_sent() -> None:
    async def turns(url: str) -> None:
        said = NOTICE + "Hello" if url == it.here.url else "Hello"
        contents: Any = [types.UserContent("hi"), types.ModelContent(said), types.UserContent("Why?")]
        async with using(url) as client:
            assert (await client.models.count_tokens(model="m", contents=contents)).total_tokens == 31

    async with chain(says({"totalTokens": 31})) as it:
        await both_ways(it, turns)


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_upstreams_errors_are_the_sdks_own(streamed: bool) -> None:
    payload = {"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}
    async with chain(says(payload, 400)) as it, using(it.here.url) as client:
        models = client.models
        ask = models.generate_content_stream if streamed else models.generate_content
        with pytest.raises(errors.ClientError) as raised:
            await anext(aiter(await ask(model="m", contents="hi")))  # type: ignore[arg-type]
    assert raised.value.details == payload
    assert raised.value.status == "INVALID_ARGUMENT"


async def test_a_refused_prompt_has_no_candidate() -> None:
    async with (
        chain(says({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": USAGE})) as it,
        using(it.here.url) as client,
    ):
        got = await client.models.generate_content(model="m", contents="hi")
    assert got.prompt_feedback is not None
    assert got.prompt_feedback.block_reason == types.BlockedReason.SAFETY
    assert not got.candidates


async def test_the_synchronous_client() -> None:
    def talk(url: str) -> str:
        with client_of(url) as client:
            return "".join(one.text or "" for one in client.models.generate_content_stream(model="m", contents="hi"))

    async with chain(events(told("Hel", "lo"))) as it:
        assert await asyncio.to_thread(talk, it.here.url) == NOTICE + "Hello"


def interaction(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "v1_abc",
        "object": "interaction",
        "model": "m",
        "status": "completed",
        "created": "2025-11-26T12:25:15Z",
        "updated": "2025-11-26T12:25:15Z",
        "steps": list(steps),
        "usage": {"total_tokens": 30},
        **more,
    }


def output(*content: dict[str, Any]) -> dict[str, Any]:
    return {"type": "model_output", "content": list(content)}


async def test_an_interaction() -> None:
    cited = {"type": "url_citation", "start_index": 12, "end_index": 18, "url": "https://example.com/", "title": "News"}
    thought = {"type": "thought", "signature": "CpwB", "summary": [{"type": "text", "text": "Hm"}]}
    text = {"type": "text", "text": "今天晴。Clear.", "annotations": [cited]}
    async with chain(says(interaction(thought, output(text)))) as it, using(it.here.url) as client:
        got: Any = await client.interactions.create(model="m", input="hi")
    assert got.id == "v1_abc"
    assert got.usage.total_tokens == 30
    first, second = got.steps
    assert first.summary[0].text == "Hm"
    part = second.content[0]
    assert part.text == NOTICE + "今天晴。Clear."
    cited_again = part.annotations[0]
    assert part.text.encode()[cited_again.start_index : cited_again.end_index] == b"Clear."


async def test_a_streamed_interaction() -> None:
    begun = {"id": "v1_abc", "object": "interaction", "model": "m", "status": "in_progress"}
    told: list[dict[str, Any]] = [
        {"event_type": "interaction.created", "interaction": begun},
        {"event_type": "step.start", "index": 0, "step": {"type": "model_output"}},
        {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": "Hel"}},
        {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": "lo"}},
        {"event_type": "step.stop", "index": 0},
        {"event_type": "interaction.completed", "interaction": {**begun, "status": "completed"}},
    ]
    lines = [f"event: {one['event_type']}\ndata: {json.dumps(one)}\n\n".encode() for one in told]
    async with (
        chain(raw([*lines, b"event: done\ndata: [DONE]\n\n"], "text/event-stream")) as it,
        using(it.here.url) as client,
    ):
        stream: Any = await client.interactions.create(model="m", input="hi", stream=True)
        came = [one async for one in stream]
    assert [one.event_type for one in came] == [one["event_type"] for one in told]
    assert "".join(one.delta.text for one in came if one.event_type == "step.delta") == NOTICE + "Hello"
    assert [short(came[at].interaction.model_extra["AIGC"]) for at in (0, -1)] == [EXPECTED_LABEL] * 2


async def test_the_second_turn_of_an_interaction() -> None:
    async def turns(url: str) -> None:
        async with using(url) as client:
            said: list[Any] = [{"type": "user_input", "content": [{"type": "text", "text": "hi"}]}]
            got: Any = await client.interactions.create(model="m", input=said, store=False)
            more = {"type": "user_input", "content": [{"type": "text", "text": f"You wrote: {NOTICE}Hello. Why?"}]}
            await client.interactions.create(model="m", input=[*said, *got.steps, more], store=False)

    async with chain(says(interaction(output({"type": "text", "text": "Hello"})))) as it:
        await both_ways(it, turns)
