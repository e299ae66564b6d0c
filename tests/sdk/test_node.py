"""The official packages for Node are judges, too: their parsers, stream helpers and chats are not those of Python.

What they do is in node/: a script for each package. Node or its packages missing, nothing is judged, and CI says so;
but where CI has Node and npm will not install what the lock file says, that is a failure.
"""

import json
import os
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.chats import USAGE, chunk, completion, told
from tests.running import NOTICE
from tests.scripted import Received, Wire
from tests.sdk import test_anthropic as claude
from tests.sdk import test_google_genai as gemini
from tests.sdk import test_openai_responses as responses
from tests.sdk.chain import EXPECTED_LABEL, Chain, Handler, both_ways, chain, says, short, streams
from tests.sdk.ends import SUFFIX, both_ends
from tests.sdk.npm import Missing, Refused, Sdks, install

pytestmark = pytest.mark.slow

KOELN = '{"name": "Köln", "people": 1}'
CITY = {"name": "Köln", "people": 1}
AGAIN = f"You wrote: {NOTICE}Hello. Why? \u2028\U0001f600"
CALL: dict[str, Any] = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "K\\u00f6ln",  "n":1.0}'},
}


@pytest.fixture(scope="session")
def sdks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sdks]:
    try:
        with closing(install(tmp_path_factory.mktemp("node"))) as installed:
            yield installed
    except Missing as missing:
        pytest.skip(f"no SDKs for Node: {missing}")
    except Refused as refused:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no SDKs for Node: {refused}")


def called(text: str) -> dict[str, Any]:
    """An answer that calls a function."""
    return completion(text, finish="tool_calls", tool_calls=[CALL])


def calling() -> list[dict[str, Any]]:
    """The same, streamed with a text before."""
    given: str = CALL["function"]["arguments"]
    pieces = [given[:4], given[4:14], given[14:]]
    begun = {**CALL, "index": 0, "function": {"name": "weather", "arguments": ""}}
    calls = [begun, *({"index": 0, "function": {"arguments": piece}} for piece in pieces)]
    return [
        *told("Let me ", "look.")[:-1],
        *(chunk({"tool_calls": [call]}) for call in calls),
        chunk({}, "tool_calls"),
    ]


def used(*records: dict[str, Any]) -> list[dict[str, Any]]:
    """A stream with its usage at the end."""
    return [*records, {**chunk({}), "choices": [], "usage": USAGE}]


def either(whole: Any, stream: Handler) -> Handler:
    """A server that streams where it is asked to."""

    async def handler(request: Received, wire: Wire) -> None:
        asked = b":stream" in request.target or request.json().get("stream")
        await (stream if asked else says(whole))(request, wire)

    return handler


def bare(seen: Any, besides: Collection[str]) -> Any:
    """What was seen, without our labels, headers and members of these names."""
    if isinstance(seen, dict):
        kept = {name: value for name, value in seen.items() if name not in ("AIGC", "headers", *besides)}
        return {name: bare(value, besides) for name, value in kept.items()}
    if isinstance(seen, list):
        return [bare(value, besides) for value in seen]
    return seen.replace(NOTICE, "").replace(SUFFIX, "") if isinstance(seen, str) else seen


async def judged(
    it: Chain, sdks: Sdks, script: str, conversation: str, besides: Collection[str] = (), **options: Any
) -> Any:
    """What the SDK sees through Countermark: ``besides`` the label, exactly what it sees without."""
    seen, direct = [await sdks.play(script, conversation, url, **options) for url in (it.here.url, it.upstream.url)]
    assert bare(direct, besides) == bare(seen, besides)
    return seen


def outcomes(it: Chain) -> set[str]:
    """How all exchanges ended."""
    return set({record.id: str(record.outcome) for record in it.here.records}.values())


async def turns(it: Chain, sdks: Sdks, script: str, conversation: str, *said: str, **options: Any) -> None:
    """Two turns, the first of which ``said`` this: the second must reach the upstream as if there were no proxy."""
    await both_ways(it, lambda url: sdks.play(script, conversation, url, again=AGAIN, **options))
    last = json.dumps(it.upstream.received[-1].json())
    assert [part for part in (*said, AGAIN) if json.dumps(part) not in last] == []


def joined(chunks: list[Any], index: int = 0) -> str:
    """The text of one choice of a chat."""
    choices = [choice for one in chunks for choice in one["choices"] if choice["index"] == index]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


# openai: chats


async def test_openai_chat(sdks: Sdks) -> None:
    async with chain(says(completion("One", "Two"), x_request_id="r-1")) as it:
        seen = await judged(it, sdks, "openai", "chat", n=2)
    answer = seen["answer"]
    assert [choice["message"]["content"] for choice in answer["choices"]] == [NOTICE + "One", NOTICE + "Two"]
    assert (answer["id"], answer["usage"], seen["request_id"]) == ("chatcmpl-1", USAGE, "r-1")
    assert short(answer["AIGC"]) == EXPECTED_LABEL == short(seen["headers"]["countermark-aigc"])


async def test_openai_chat_stream(sdks: Sdks) -> None:
    async with chain(streams(used(*told("Hel", "lo", n=2)))) as it:
        came = await judged(it, sdks, "openai", "chunks", n=2)
    assert [joined(came, index) for index in range(2)] == [NOTICE + "Hello"] * 2
    assert [short(one["AIGC"]) for one in came if "AIGC" in one] == [EXPECTED_LABEL]
    assert came[-1]["usage"] == USAGE


async def test_openai_stream_helper_with_a_call(sdks: Sdks) -> None:
    async with chain(streams(used(*calling()))) as it:
        seen = await judged(it, sdks, "openai", "helper")
    assert seen["deltas"] == [NOTICE + "Let me ", "look."]
    (choice,) = seen["answer"]["choices"]
    assert choice["message"]["content"] == NOTICE + "Let me look."
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == CALL["function"]["arguments"]
    assert seen["answer"]["usage"] == USAGE


async def test_openai_chat_with_the_notice_at_both_ends(sdks: Sdks, tmp_path: Path) -> None:
    async with chain(streams(used(*told("Hel", "lo", n=2))), policies=both_ends(tmp_path)) as it:
        seen = await judged(it, sdks, "openai", "helper", ["deltas"], n=2, stream_options={"include_usage": True})
    texts = [choice["message"]["content"] for choice in seen["answer"]["choices"]]
    assert texts == [NOTICE + "Hello" + SUFFIX] * 2
    assert seen["answer"]["usage"] == USAGE


async def test_openai_json_is_untouched(sdks: Sdks) -> None:
    async with chain(either(completion(KOELN), streams(told(KOELN[:9], KOELN[9:])))) as it:
        plain = await judged(it, sdks, "openai", "chat", response_format={"type": "json_object"})
        assert await judged(it, sdks, "openai", "parsed") == [CITY, CITY]
        assert outcomes(it) == {"metadata_only"}
    assert plain["answer"]["choices"][0]["message"]["content"] == KOELN
    assert short(plain["answer"]["AIGC"]) == EXPECTED_LABEL


async def test_openai_calls_tools_and_goes_on(sdks: Sdks) -> None:
    """The SDK does so by itself, with the message that it has heard."""

    async def handler(request: Received, wire: Wire) -> None:
        last = request.json()["messages"][-1]["role"]
        await wire.json(completion("It is sunny.") if last == "tool" else called("Let me look."))

    seen = []

    async def talk(url: str) -> None:
        seen.append(await sdks.play("openai", "tools", url))

    async with chain(handler) as it:
        await both_ways(it, talk)
        second = it.upstream.received[1].json()
    assert seen[0]["content"] == NOTICE + "It is sunny."
    assert seen[0]["called"] == [CALL["function"]["arguments"]]
    assert [one.get("content") for one in second["messages"]] == ["hi", "Let me look.", "sunny"]
    assert second["messages"][1]["tool_calls"] == [CALL]


@pytest.mark.parametrize("stream", [False, True])
async def test_openai_second_turn(sdks: Sdks, stream: bool, tmp_path: Path) -> None:
    handler = either(completion("Hello world"), streams(told("Hel", "lo", " world")))
    async with chain(handler, policies=both_ends(tmp_path)) as it:
        await turns(it, sdks, "openai", "turns", "Hello world", stream=stream)


async def test_openai_errors(sdks: Sdks) -> None:
    payload = {"error": {"message": "no", "type": "t", "param": None, "code": "c"}}
    async with chain(says(payload, 400)) as it:
        seen = await judged(it, sdks, "openai", "error")
    assert (seen["name"], seen["error"]) == ("BadRequestError", payload["error"])
    async with chain(says({"hello": "world"})) as it:
        blocked = await sdks.play("openai", "error", it.here.url)
    assert (blocked["name"], blocked["code"]) == ("InternalServerError", "not_labelled")


# openai: Responses


async def test_openai_response(sdks: Sdks) -> None:
    answer = responses.response(responses.REASONING, responses.message("Hello"), responses.CALL)
    async with chain(says(answer)) as it:
        seen = await judged(it, sdks, "openai", "response")
    assert seen["answer"]["output_text"] == NOTICE + "Hello"
    assert [seen["answer"]["output"][at] for at in (0, 2)] == [responses.REASONING, responses.CALL]
    assert (seen["answer"]["id"], seen["answer"]["usage"]) == ("resp_1", responses.USAGE)
    assert short(seen["answer"]["AIGC"]) == EXPECTED_LABEL == short(seen["headers"]["countermark-aigc"])


async def test_openai_response_stream(sdks: Sdks) -> None:
    records = responses.events("Hel", "lo", before=(responses.REASONING, responses.CALL))
    async with chain(streams(records, named=True, done=False)) as it:
        came = await judged(it, sdks, "openai", "events")
        seen = await judged(it, sdks, "openai", "responseHelper")
    assert [one["delta"] for one in came if one["type"] == "response.output_text.delta"] == [NOTICE + "Hel", "lo"]
    assert [short(came[at]["response"]["AIGC"]) for at in (0, -1)] == [EXPECTED_LABEL] * 2
    assert seen["deltas"] == [[NOTICE + "Hel", NOTICE + "Hel"], ["lo", NOTICE + "Hello"]]
    assert seen["answer"]["output_text"] == NOTICE + "Hello"
    reasoning, call, _ = seen["answer"]["output"]
    assert (reasoning, call["arguments"]) == (responses.REASONING, responses.CALL["arguments"])
    assert seen["answer"]["usage"] == responses.USAGE


async def test_openai_response_with_the_notice_at_both_ends(sdks: Sdks, tmp_path: Path) -> None:
    records = responses.events("Hel", "lo")
    async with chain(streams(records, named=True, done=False), policies=both_ends(tmp_path)) as it:
        seen = await sdks.play("openai", "responseHelper", it.here.url)
    assert [delta for delta, _ in seen["deltas"]] == [NOTICE + "Hel", "lo", SUFFIX]
    assert seen["deltas"][-1][1] == seen["answer"]["output_text"] == NOTICE + "Hello" + SUFFIX


async def test_openai_response_in_json_is_untouched(sdks: Sdks) -> None:
    whole = responses.response(responses.message(KOELN))
    stream = streams(responses.events(KOELN[:9], KOELN[9:]), named=True, done=False)
    async with chain(either(whole, stream)) as it:
        assert await judged(it, sdks, "openai", "responseParsed") == [CITY, CITY]
        assert outcomes(it) == {"metadata_only"}


@pytest.mark.parametrize("stream", [False, True])
async def test_openai_second_turn_of_a_response(sdks: Sdks, stream: bool, tmp_path: Path) -> None:
    whole = responses.response(responses.REASONING, responses.message("Hello"))
    told_again = responses.events("Hel", "lo", before=(responses.REASONING,))
    handler = either(whole, streams(told_again, named=True, done=False))
    async with chain(handler, policies=both_ends(tmp_path)) as it:
        await turns(it, sdks, "openai", "responseTurns", "Hello", stream=stream)


# @anthropic-ai/sdk


async def test_anthropic_message(sdks: Sdks) -> None:
    blocks = [claude.THOUGHT, claude.HIDDEN, claude.text("Hello"), claude.CALL]
    async with chain(says(claude.message(*blocks, stop="tool_use"), request_id="req_1")) as it:
        seen = await judged(it, sdks, "anthropic", "message")
    answer = seen["answer"]
    assert answer["content"] == [*blocks[:2], claude.text(NOTICE + "Hello"), blocks[3]]
    assert (answer["id"], answer["usage"], seen["request_id"]) == ("msg_1", claude.USAGE, "req_1")
    assert short(answer["AIGC"]) == EXPECTED_LABEL == short(seen["headers"]["countermark-aigc"])


async def test_anthropic_stream(sdks: Sdks) -> None:
    blocks = [claude.THOUGHT, claude.text("Hello"), claude.CALL]
    async with chain(claude.told(*blocks, stop="tool_use")) as it:
        came = await judged(it, sdks, "anthropic", "events")
        seen = await judged(it, sdks, "anthropic", "helper")
    deltas = [one["delta"] for one in came if one["type"] == "content_block_delta"]
    assert [delta["text"] for delta in deltas if delta["type"] == "text_delta"] == [NOTICE + "Hel", "lo"]
    assert short(came[0]["message"]["AIGC"]) == EXPECTED_LABEL
    answer = seen["answer"]
    assert answer["content"] == [claude.THOUGHT, claude.text(NOTICE + "Hello"), claude.CALL]
    assert (answer["id"], answer["stop_reason"], answer["usage"]) == ("msg_1", "tool_use", claude.USAGE)
    assert seen["text"] == "".join(seen["told"]["text"]) == NOTICE + "Hello"
    assert seen["told"]["signature"] == [claude.THOUGHT["signature"]]
    assert short(answer["AIGC"]) == EXPECTED_LABEL


async def test_anthropic_with_the_notice_at_both_ends(sdks: Sdks, tmp_path: Path) -> None:
    blocks = [claude.THOUGHT, claude.text("Hello"), claude.text("world")]
    async with chain(claude.told(*blocks), policies=both_ends(tmp_path)) as it:
        seen = await sdks.play("anthropic", "helper", it.here.url)
    expected = [claude.THOUGHT, claude.text(NOTICE + "Hello"), claude.text("world" + SUFFIX)]
    assert seen["answer"]["content"] == seen["told"]["contentBlock"] == expected
    assert seen["answer"]["usage"] == claude.USAGE


async def test_anthropic_json_is_untouched(sdks: Sdks) -> None:
    block = claude.text(KOELN)
    async with chain(either(claude.message(block), claude.told(block))) as it:
        assert await judged(it, sdks, "anthropic", "parsed") == [CITY, CITY]
        assert outcomes(it) == {"metadata_only"}


@pytest.mark.parametrize("stream", [False, True])
async def test_anthropic_calls_tools_and_goes_on(sdks: Sdks, stream: bool, tmp_path: Path) -> None:
    """The SDK does so by itself; its second request names the first answer, which the server keeps."""
    first, last = [claude.THOUGHT, claude.text("Let me look."), claude.CALL], claude.text("Done.")
    calls = either(claude.message(*first, stop="tool_use"), claude.told(*first, stop="tool_use"))
    ends = either(claude.message(last), claude.told(last))

    async def handler(request: Received, wire: Wire) -> None:
        await (ends if b"tool_result" in request.body else calls)(request, wire)

    seen = []

    async def talk(url: str) -> None:
        seen.append(await sdks.play("anthropic", "tools", url, stream=stream))

    async with chain(handler, policies=both_ends(tmp_path)) as it:
        await both_ways(it, talk)
        assert claude.message()["id"].encode() in it.upstream.received[1].body
    assert seen[0]["called"] == [claude.CALL["input"]]
    assert seen[0]["answer"]["content"] == [claude.text(NOTICE + "Done." + SUFFIX)]


@pytest.mark.parametrize("stream", [False, True])
async def test_anthropic_second_turn(sdks: Sdks, stream: bool, tmp_path: Path) -> None:
    blocks = [claude.THOUGHT, claude.text("Let me look."), claude.CALL, claude.text("Wait."), claude.text("So.")]
    handler = either(claude.message(*blocks), claude.told(*blocks))
    async with chain(handler, policies=both_ends(tmp_path)) as it:
        await turns(it, sdks, "anthropic", "turns", "Let me look.", "Wait.", "So.", stream=stream)


async def test_anthropic_errors(sdks: Sdks) -> None:
    payload = {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}, "request_id": "req_1"}
    async with chain(says(payload, 400)) as it:
        seen = await judged(it, sdks, "anthropic", "error")
    assert (seen["name"], seen["error"]) == ("BadRequestError", payload)


# @google/genai


async def test_google_answer(sdks: Sdks) -> None:
    parts: list[dict[str, Any]] = [gemini.THOUGHT, {"text": "Hello "}, {"text": "world"}, gemini.CALL]
    async with chain(says(gemini.answer(gemini.candidate(*parts)))) as it:
        seen = await judged(it, sdks, "google", "generate")
    assert seen["functionCalls"] == [gemini.CALL["functionCall"]]
    expected = [gemini.THOUGHT, {"text": NOTICE + "Hello "}, *parts[2:]]
    assert seen["candidates"][0]["content"]["parts"] == expected
    assert (seen["responseId"], seen["usageMetadata"]) == ("r-1", gemini.USAGE)
    assert short(seen["sdkHttpResponse"]["headers"]["countermark-aigc"]) == EXPECTED_LABEL


async def test_google_stream(sdks: Sdks) -> None:
    async with chain(gemini.events(gemini.told("Hel", "lo", " world"))) as it:
        came = await judged(it, sdks, "google", "stream")
    assert [one["text"] for one in came] == [NOTICE + "Hel", "lo", " world"]
    assert came[-1]["candidates"][0]["finishReason"] == "STOP"
    assert came[-1]["usageMetadata"] == gemini.USAGE


async def test_google_with_the_notice_at_both_ends(sdks: Sdks, tmp_path: Path) -> None:
    closing = gemini.answer({"content": {"role": "model"}, "finishReason": "STOP"})
    for records, expected in (
        (gemini.told("Hel", "lo"), [NOTICE + "Hel", "lo" + SUFFIX]),
        ([gemini.told("Hel", "lo")[0], closing], [NOTICE + "Hel", SUFFIX]),
    ):
        async with chain(gemini.events(records), policies=both_ends(tmp_path)) as it:
            came = await sdks.play("google", "stream", it.here.url)
        assert [one["text"] for one in came] == expected


async def test_google_json_is_untouched(sdks: Sdks) -> None:
    whole = gemini.answer(gemini.candidate({"text": KOELN}))
    config = {"responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}}
    async with chain(either(whole, gemini.events(gemini.told(KOELN[:9], KOELN[9:])))) as it:
        plain = await judged(it, sdks, "google", "generate", **config)
        came = await judged(it, sdks, "google", "stream", **config)
        assert outcomes(it) == {"metadata_only"}
    assert plain["text"] == "".join(one["text"] for one in came) == KOELN


@pytest.mark.parametrize("stream", [False, True])
async def test_google_chat(sdks: Sdks, stream: bool, tmp_path: Path) -> None:
    whole = gemini.answer(gemini.candidate({"text": "Hello", "thoughtSignature": "CpwB"}))
    handler = either(whole, gemini.events(gemini.told("Hel", "lo")))
    async with chain(handler, policies=both_ends(tmp_path)) as it:
        await turns(it, sdks, "google", "chat", *(["Hel", "lo"] if stream else ["Hello"]), stream=stream)


async def test_google_errors(sdks: Sdks) -> None:
    payload = {"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}
    async with chain(says(payload, 400)) as it:
        seen = await judged(it, sdks, "google", "error")
    assert (seen["name"], json.loads(seen["message"])) == ("ApiError", payload)


# ai, with a provider for each API

THINKS = {"reasoning_content": "Let me see."}
PROVIDERS: dict[str, tuple[Any, Handler]] = {
    "chat": (called("Let me look."), streams(used(*calling()))),
    "compatible": (
        completion("Let me look.", finish="tool_calls", tool_calls=[CALL], **THINKS),
        streams(used(chunk({"role": "assistant", **THINKS}), *calling())),
    ),
    "responses": (
        responses.response(responses.REASONING, responses.message("Let me look."), responses.CALL),
        streams(
            responses.events("Let me ", "look.", before=(responses.REASONING, responses.CALL)), named=True, done=False
        ),
    ),
    "anthropic": (
        claude.message(claude.THOUGHT, claude.text("Let me look."), claude.CALL, stop="tool_use"),
        claude.told(claude.THOUGHT, claude.text("Let me look."), claude.CALL, stop="tool_use"),
    ),
    "google": (
        gemini.answer(gemini.candidate(gemini.THOUGHT, {"text": "Let me look."}, gemini.CALL)),
        gemini.events(
            [
                gemini.answer(gemini.candidate(gemini.THOUGHT, finish=None)),
                gemini.answer(gemini.candidate({"text": "Let me "}, finish=None)),
                gemini.answer(gemini.candidate({"text": "look."}, gemini.CALL)),
            ]
        ),
    ),
}


# What a provider makes up at random where its API does not say it.
MADE_UP = {provider: ["toolCallId"] if provider == "google" else [] for provider in PROVIDERS}


def saying(provider: str, first: str, rest: str) -> tuple[Any, Handler]:
    """A text behind the thoughts that the API has: as a whole, and streamed in two pieces."""
    text = first + rest
    match provider:
        case "responses":
            records = responses.events(first, rest, before=(responses.REASONING,))
            whole = responses.response(responses.REASONING, responses.message(text))
            return whole, streams(records, named=True, done=False)
        case "anthropic":
            blocks = [claude.THOUGHT, claude.text(text)]
            return claude.message(*blocks), claude.told(*blocks)
        case "google":
            whole = gemini.answer(gemini.candidate(gemini.THOUGHT, {"text": text}))
            thought = gemini.answer(gemini.candidate(gemini.THOUGHT, finish=None))
            return whole, gemini.events([thought, *gemini.told(first, rest)])
        case _:
            return completion(text), streams(used(*told(first, rest)))


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_ai_generates(sdks: Sdks, provider: str) -> None:
    async with chain(either(*PROVIDERS[provider])) as it:
        seen = await judged(it, sdks, "ai", "generate", MADE_UP[provider], provider=provider)
    assert seen["text"] == NOTICE + "Let me look."
    assert len(seen["calls"]) == 1
    assert seen["usage"]["totalTokens"] > 0
    assert short(seen["body"]["AIGC"]) == EXPECTED_LABEL == short(seen["headers"]["countermark-aigc"])


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_ai_streams(sdks: Sdks, provider: str) -> None:
    async with chain(either(*PROVIDERS[provider])) as it:
        seen = await judged(it, sdks, "ai", "stream", MADE_UP[provider], provider=provider)
    assert "".join(seen["deltas"]) == seen["text"] == NOTICE + "Let me look."
    assert len(seen["calls"]) == 1
    assert "error" not in seen["types"]
    assert seen["usage"]["totalTokens"] > 0


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_ai_streams_with_the_notice_at_both_ends(sdks: Sdks, provider: str, tmp_path: Path) -> None:
    async with chain(either(*saying(provider, "Hel", "lo")), policies=both_ends(tmp_path)) as it:
        seen = await judged(it, sdks, "ai", "stream", ["deltas", "raw", "types"], provider=provider)
    assert "".join(seen["deltas"]) == seen["text"] == NOTICE + "Hello" + SUFFIX
    assert "error" not in seen["types"]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_ai_objects_are_untouched(sdks: Sdks, provider: str) -> None:
    async with chain(either(*saying(provider, KOELN[:9], KOELN[9:]))) as it:
        assert await judged(it, sdks, "ai", "object", provider=provider) == [CITY, CITY]
        assert outcomes(it) == {"metadata_only"}


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("stream", [False, True])
async def test_ai_second_turn(sdks: Sdks, provider: str, stream: bool, tmp_path: Path) -> None:
    async with chain(either(*saying(provider, "Hel", "lo")), policies=both_ends(tmp_path)) as it:
        await turns(it, sdks, "ai", "turns", "Hello", provider=provider, stream=stream)
