"""The official `ollama` package is the judge of Ollama's own API: lines of JSON, streamed unless told otherwise."""

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import ollama
import pytest
from pydantic import BaseModel

from proxy.media import png
from tests.running import NOTICE
from tests.scripted import Received, Wire
from tests.sdk.chain import EXPECTED_LABEL, Chain, Handler, both_ways, chain, raw, says, short
from tests.sdk.ends import SUFFIX, both_ends

ASK: list[Any] = [{"role": "user", "content": "hi"}]
PICTURE = base64.b64encode((Path(__file__).parents[1] / "samples" / "rgb8.png").read_bytes()).decode()
END: dict[str, Any] = {
    "done_reason": "stop",
    "done": True,
    "total_duration": 9,
    "prompt_eval_count": 26,
    "eval_count": 2,
}


def line(text: str, at: int = 1, **more: Any) -> dict[str, Any]:
    """A line of a chat."""
    message = {"role": "assistant", "content": text, **more.pop("message", {})}
    return {"model": "m", "created_at": f"2026-01-02T03:04:0{at}.5Z", "message": message, "done": False, **more}


def piece(text: str, **more: Any) -> dict[str, Any]:
    """A line of a completion."""
    return {"model": "m", "created_at": "2026-01-02T03:04:05.5Z", "response": text, "done": False, **more}


def lines(records: Iterable[dict[str, Any]]) -> Handler:
    """As Go writes them: not a space, and what is not ASCII as it is, but for what some take for the end of a line."""
    texts = [json.dumps(one, separators=(",", ":"), ensure_ascii=False) for one in records]
    return raw([text.replace("\u2028", "\\u2028").encode() + b"\n" for text in texts], "application/x-ndjson")


CHAT = [line("Hel\u2028"), line("lo\u2028 world"), line("", 3, **END)]


async def chat(request: Received, wire: Wire) -> None:
    """Answers every chat, as a stream unless the request says otherwise."""
    if request.json().get("stream", True):
        await lines(CHAT)(request, wire)
    else:
        await says(line("Hel\u2028lo\u2028 world", **END))(request, wire)


def client_of(it: Chain, headers: list[httpx.Headers] | None = None) -> ollama.AsyncClient:
    async def note(response: httpx.Response) -> None:
        if headers is not None:
            headers.append(response.headers)

    return ollama.AsyncClient(host=it.here.url, event_hooks={"response": [note]})


async def test_chat() -> None:
    headers: list[httpx.Headers] = []
    async with chain(chat) as it, client_of(it, headers) as client:
        answer = await client.chat(model="m", messages=ASK)
        record = it.here.only()
    assert type(answer) is ollama.ChatResponse
    assert answer.message.content == NOTICE + "Hel\u2028lo\u2028 world"
    assert (answer.done_reason, answer.prompt_eval_count, answer.eval_count) == ("stop", 26, 2)
    assert short(headers[0]["countermark-aigc"]) == EXPECTED_LABEL
    assert headers[0]["ai-disclosure"].startswith("mode=machine-generated")
    assert record.outcome == "labelled"


async def test_a_stream() -> None:
    headers: list[httpx.Headers] = []
    async with chain(chat) as it, client_of(it, headers) as client:
        answers = [one async for one in await client.chat(model="m", messages=ASK, stream=True)]
    assert [one.message.content for one in answers] == [NOTICE + "Hel\u2028", "lo\u2028 world", ""]
    assert [one.done for one in answers] == [False, False, True]
    assert answers[-1].eval_count == 2
    assert short(headers[0]["countermark-aigc"]) == EXPECTED_LABEL


async def test_a_stream_with_notices_at_both_ends(tmp_path: Path) -> None:
    async with chain(chat, policies=both_ends(tmp_path)) as it, client_of(it) as client:
        answers = [one async for one in await client.chat(model="m", messages=ASK, stream=True)]
    assert [one.message.content for one in answers] == [NOTICE + "Hel\u2028", "lo\u2028 world", SUFFIX, ""]
    assert [one.done for one in answers] == [False, False, False, True]
    assert answers[-1].eval_count == 2


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("ends", [False, True])
async def test_the_second_turn_reaches_the_upstream_as_if_there_were_no_proxy(
    streamed: bool, ends: bool, tmp_path: Path
) -> None:
    async def turns(url: str) -> None:
        async with ollama.AsyncClient(host=url) as client:
            await talk(client)

    async def talk(client: ollama.AsyncClient) -> None:
        if streamed:
            heard = [one async for one in await client.chat(model="m", messages=ASK, stream=True)]
            said: Any = {"role": "assistant", "content": "".join(one.message.content or "" for one in heard)}
        else:
            said = (await client.chat(model="m", messages=ASK)).message
        await client.chat(model="m", messages=[*ASK, said, {"role": "user", "content": f"{NOTICE}is what you said"}])

    async with chain(chat, **({"policies": both_ends(tmp_path)} if ends else {})) as it:
        await both_ways(it, turns)


@pytest.mark.parametrize("streamed", [False, True])
async def test_tools_and_reasoning_are_untouched(streamed: bool) -> None:
    call = {"function": {"name": "write", "arguments": {"content": "Köln", "n": 1.0}}}
    told = [
        line("", message={"thinking": "First"}),
        line("Look.", 2),
        line("", 3, message={"tool_calls": [call]}),
        line("", 4, **END),
    ]
    whole = line("Look.", message={"thinking": "First", "tool_calls": [call]}, **END)
    async with chain(lines(told) if streamed else says(whole)) as it, client_of(it) as client:
        if streamed:
            answers = [one async for one in await client.chat(model="m", messages=ASK, stream=True, think=True)]
        else:
            answers = [await client.chat(model="m", messages=ASK, think=True)]
    assert "".join(one.message.content or "" for one in answers) == NOTICE + "Look."
    assert "".join(one.message.thinking or "" for one in answers) == "First"
    calls = [call for one in answers for call in one.message.tool_calls or ()]
    assert [one.model_dump() for one in calls] == [call]


class City(BaseModel):
    name: str
    people: int


async def test_structured_output_is_untouched() -> None:
    headers: list[httpx.Headers] = []
    async with chain(says(line('{"name": "Köln", "people": 1}', **END))) as it, client_of(it, headers) as client:
        answer = await client.chat(model="m", messages=ASK, format=City.model_json_schema())
        record = it.here.only()
    assert City.model_validate_json(answer.message.content or "") == City(name="Köln", people=1)
    assert short(headers[0]["countermark-aigc"]) == EXPECTED_LABEL
    assert record.outcome == "metadata_only"


async def test_json_that_was_asked_for_and_not_given_is_text() -> None:
    async with chain(lines([line("I am"), line(" no JSON.", 2), line("", 3, **END)])) as it, client_of(it) as client:
        stream = await client.chat(model="m", messages=ASK, format="json", stream=True)
        assert "".join([one.message.content or "" async for one in stream]) == NOTICE + "I am no JSON."


async def test_half_an_emoji_in_each_of_two_lines() -> None:
    """A lone surrogate can be said in JSON, not in UTF-8."""
    written = [json.dumps(one).encode() + b"\n" for one in (line("\ud83d"), line("\ude00", 2), line("", 3, **END))]
    async with chain(raw(written, "application/x-ndjson")) as it, client_of(it) as client:
        answers = [one async for one in await client.chat(model="m", messages=ASK, stream=True)]
    text = "".join(one.message.content or "" for one in answers)
    assert text.encode("utf-16", "surrogatepass").decode("utf-16") == NOTICE + "\U0001f600"


@pytest.mark.parametrize("streamed", [False, True])
async def test_generate(streamed: bool) -> None:
    end = {**END, "context": [1, 2, 3]}
    async with (
        chain(lines([piece("Hel"), piece("lo"), piece("", **end)]) if streamed else says(piece("Hello", **end))) as it,
        client_of(it) as client,
    ):
        if streamed:
            answers = [one async for one in await client.generate(model="m", prompt="hi", stream=True)]
        else:
            answers = [await client.generate(model="m", prompt="hi")]
    assert {type(one) for one in answers} == {ollama.GenerateResponse}
    assert "".join(one.response or "" for one in answers) == NOTICE + "Hello"
    assert answers[-1].context == [1, 2, 3]
    assert answers[-1].eval_count == 2


async def test_what_goes_between_a_prompt_and_a_suffix_is_untouched() -> None:
    async with chain(says(piece("a, b):", **END))) as it, client_of(it) as client:
        answer = await client.generate(model="m", prompt="def add(", suffix="    return c")
        record = it.here.only()
    assert answer.response == "a, b):"
    assert record.outcome == "metadata_only"


async def test_an_empty_suffix_says_nothing() -> None:
    async with chain(says(piece("Hello", **END))) as it, client_of(it) as client:
        answer = await client.generate(model="m", prompt="hi", suffix="")
    assert answer.response == NOTICE + "Hello"


async def test_a_picture() -> None:
    progress = {"model": "m", "created_at": "2026-01-02T03:04:05.5Z", "done": False, "completed": 1, "total": 1}
    drawn = {
        "model": "m",
        "created_at": "2026-01-02T03:04:06.5Z",
        "image": PICTURE,
        "done": True,
        "done_reason": "stop",
    }
    async with chain(lines([progress, drawn])) as it, client_of(it) as client:
        answers = [one async for one in await client.generate(model="m", prompt="a cat", stream=True)]
    picture = base64.b64decode(answers[-1].image or "")
    (label,) = png.read(picture)
    assert (label.label, label.content_producer, label.content_propagator) == EXPECTED_LABEL
    assert answers[0].completed == 1


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_error_is_the_sdks_own(streamed: bool) -> None:
    async with chain(says({"error": "model 'm' not found"}, 404)) as it, client_of(it) as client:

        async def ask() -> None:
            answer: Any = await client.chat(model="m", messages=ASK, stream=streamed)
            assert [one async for one in answer] == []

        with pytest.raises(ollama.ResponseError) as raised:
            await ask()
    assert (raised.value.status_code, raised.value.error) == (404, "model 'm' not found")


async def test_an_error_in_the_midst_of_a_stream_is_the_sdks_own() -> None:
    async with chain(lines([line("Hel"), {"error": "out of memory"}])) as it, client_of(it) as client:
        stream = aiter(await client.chat(model="m", messages=ASK, stream=True))
        assert (await anext(stream)).message.content == NOTICE + "Hel"
        with pytest.raises(ollama.ResponseError, match="out of memory"):
            await anext(stream)


async def test_what_holds_nothing_generated_passes() -> None:
    async with (
        chain(says({"models": []}), says({"model": "m", "embeddings": [[0.5]]}), route={"unclaimed": "refuse"}) as it,
        client_of(it) as client,
    ):
        assert (await client.list()).models == []
        assert (await client.embed(model="m", input="hi")).embeddings == [[0.5]]
