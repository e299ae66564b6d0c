"""The official `huggingface_hub` is the judge of Text Generation Inference: its own API, and chats in OpenAI's form."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import AsyncInferenceClient
from huggingface_hub.errors import HfHubHTTPError

from tests.chats import USAGE, chat
from tests.running import NOTICE
from tests.scripted import Received, Wire
from tests.sdk.chain import Chain, Handler, both_ways, chain, raw, says
from tests.sdk.ends import SUFFIX, both_ends

TGI = {"server": "tgi"}
ASK: list[Any] = [{"role": "user", "content": "hi"}]
DETAILS = {"finish_reason": "eos_token", "generated_tokens": 3, "seed": None, "prefill": []}


def client_of(it: Chain) -> AsyncInferenceClient:
    return AsyncInferenceClient(model=it.here.url, token="hf_test")


def token(text: str, at: int, whole: str | None = None, special: bool = False) -> dict[str, Any]:
    said = {"id": at, "text": text, "logprob": -0.5, "special": special}
    return {"index": at, "token": said, "generated_text": whole, "details": DETAILS if whole else None}


def events(records: Iterable[dict[str, Any]]) -> Handler:
    """As TGI writes them: no space behind the colon, no [DONE]."""
    return raw([b"data:" + json.dumps(one).encode() + b"\n\n" for one in records], "text/event-stream")


TOLD = [token("Hel", 1), token("lo", 2), token("</s>", 3, "Hello", special=True)]


async def generate(request: Received, wire: Wire) -> None:
    """Says "Hello" on the path of the root: a list of one, as pipelines have it."""
    if request.json().get("stream"):
        await events(TOLD)(request, wire)
    else:
        details = {**DETAILS, "tokens": [one["token"] for one in TOLD]}
        await says([{"generated_text": "Hello", "details": details}])(request, wire)


async def test_generation() -> None:
    async with chain(generate, upstream=TGI) as it, client_of(it) as client:
        assert await client.text_generation("hi") == NOTICE + "Hello"
        answer = await client.text_generation("hi", details=True)
        assert [one.outcome for one in it.here.records] == ["labelled"] * 2
    assert answer.generated_text == NOTICE + "Hello"
    assert answer.details is not None
    assert [one.text for one in answer.details.tokens] == ["Hel", "lo", "</s>"]


@pytest.mark.parametrize("ends", [False, True])
async def test_streamed_generation(ends: bool, tmp_path: Path) -> None:
    policies = {"policies": both_ends(tmp_path)} if ends else {}
    async with chain(generate, upstream=TGI, **policies) as it, client_of(it) as client:
        heard = [one async for one in await client.text_generation("hi", stream=True, details=True)]
    suffix = [SUFFIX] if ends else []
    assert [one.token.text for one in heard] == [NOTICE + "Hel", "lo", *suffix, "</s>"]
    assert heard[-1].generated_text == NOTICE + "Hello" + "".join(suffix)
    assert heard[-1].details is not None
    assert heard[-1].details.generated_tokens == 3


async def test_a_grammar_of_json_is_untouched() -> None:
    async with chain(says([{"generated_text": '{"name": "Köln"}'}]), upstream=TGI) as it, client_of(it) as client:
        said = await client.text_generation("hi", grammar={"type": "json", "value": {}})
        assert it.here.only().outcome == "metadata_only"
    assert json.loads(said) == {"name": "Köln"}


async def test_chat() -> None:
    async with chain(chat, upstream=TGI) as it, client_of(it) as client:
        answer = await client.chat_completion(ASK)
        stream = await client.chat_completion(ASK, stream=True)
        heard = [one async for one in stream]
    assert answer.choices[0].message.content == NOTICE + "Hello world"
    assert answer.usage.total_tokens == USAGE["total_tokens"]
    assert "".join(one.choices[0].delta.content or "" for one in heard) == NOTICE + "Hello world"


async def test_a_chats_second_turn_reaches_the_upstream_as_if_there_were_no_proxy() -> None:
    async def turns(url: str) -> None:
        async with AsyncInferenceClient(model=url, token="hf_test") as client:
            heard = (await client.chat_completion(ASK)).choices[0].message
            await client.chat_completion([*ASK, {"role": heard.role, "content": heard.content}, *ASK])

    async with chain(chat, upstream=TGI) as it:
        await both_ways(it, turns)


async def test_an_error_is_the_sdks_own() -> None:
    fault = {"error": "no", "error_type": "validation"}
    async with chain(says(fault, 422), upstream=TGI) as it, client_of(it) as client:
        with pytest.raises(HfHubHTTPError) as raised:
            await client.chat_completion(ASK)
    assert raised.value.response.status_code == 422
