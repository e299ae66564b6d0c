"""What the request side decides before the upstream is asked, and what it says of the answer."""

import json
from typing import Any

import pytest

from tests.chats import CHAT, asks, chat, completion
from tests.downstream import ask
from tests.running import NOTICE, countermark
from tests.scripted import Received, Wire, scripted

ENCRYPTED = b"x-is-encrypted"
MESSAGES = b"/v1/messages"


async def ciphertext(request: Received, wire: Wire) -> None:
    await wire.json(completion("U0VDUkVU"))


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_that_nobody_can_read_is_not_asked_for(streamed: bool) -> None:
    async with scripted(ciphertext) as upstream, countermark(upstream.url) as here:
        answer = await ask(here.address, "POST", CHAT, asks(stream=streamed), [(ENCRYPTED, b"true")])
        record = here.only()
        assert not upstream.received
    assert (answer.status, answer.error) == (400, "not_labelled")
    assert ("blocked", 400, "whole") == (record.outcome, record.status, record.state)
    assert "encrypted" in record.reason


async def test_or_it_passes_unlabelled_where_policy_says_so() -> None:
    async with scripted(ciphertext) as upstream, countermark(upstream.url, on_failure="pass") as here:
        answer = await ask(here.address, "POST", CHAT, asks(), [(ENCRYPTED, b"true")])
        record = here.only()
    assert completion("U0VDUkVU") == answer.json()
    assert answer.value(b"countermark-status") == b"unlabelled"
    assert ("unlabelled", 200) == (record.outcome, record.status)
    assert "encrypted" in record.reason


@pytest.mark.parametrize("value", [b"false", b" "])
async def test_who_does_not_want_ciphertext_gets_a_label(value: bytes) -> None:
    async with scripted(chat) as upstream, countermark(upstream.url) as here:
        answer = await ask(here.address, "POST", CHAT, asks(), [(ENCRYPTED, value)])
        record = here.only()
    assert answer.json()["choices"][0]["message"]["content"].startswith(NOTICE)
    assert record.outcome == "labelled"


async def test_with_no_rule_ciphertext_passes_like_everything_else() -> None:
    async with scripted(ciphertext) as upstream, countermark(upstream.url, route={"policies": []}) as here:
        answer = await ask(here.address, "POST", CHAT, asks(), [(ENCRYPTED, b"true")])
        record = here.only()
    assert completion("U0VDUkVU") == answer.json()
    assert record.outcome == "passed"


async def test_what_needs_no_label_is_stripped_on_its_way_up_and_passes_on_its_way_down() -> None:
    async def tokens(request: Received, wire: Wire) -> None:
        await wire.json({"input_tokens": 7})

    turns: list[dict[str, Any]] = [
        {"role": "user", "content": NOTICE},
        {"role": "assistant", "content": [{"type": "text", "text": NOTICE}, {"type": "text", "text": f"{NOTICE}Hi"}]},
        {"role": "assistant", "content": f"{NOTICE}Ho"},
    ]
    async with scripted(tokens) as upstream, countermark(upstream.url) as here:
        body = json.dumps({"model": "m", "messages": turns}).encode()
        answer = await ask(here.address, "POST", MESSAGES + b"/count_tokens", body)
        record = here.only()
        sent = upstream.received[0].json()["messages"]
    assert [
        turns[0],
        {"role": "assistant", "content": [{"type": "text", "text": "Hi"}]},
        turns[2] | {"content": "Ho"},
    ] == sent
    assert answer.body == b'{"input_tokens": 7}'
    assert answer.value(b"countermark-status") is None
    assert ("passed", "a number of tokens") == (record.outcome, record.reason)


GENERATED = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]}


async def test_the_model_that_the_path_names_is_recorded() -> None:
    async def gemini(request: Received, wire: Wire) -> None:
        await wire.json(GENERATED)

    async with scripted(gemini) as upstream, countermark(upstream.url) as here:
        body = json.dumps({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}).encode()
        await ask(here.address, "POST", b"/v1beta/models/Gemini%2D3-pro:generateContent", body)
        record = here.only()
    assert ("Gemini-3-pro", "labelled") == (record.model, record.outcome)


HUNYUAN = {"Response": {"Choices": [{"Message": {"Role": "assistant", "Content": "Hi"}, "FinishReason": "stop"}]}}


@pytest.mark.parametrize(
    ("expected", "action"), [(True, b"ChatCompletions"), (True, b"chatcompletions"), (False, b"X")]
)
async def test_a_field_may_say_which_api_it_is(expected: bool, action: bytes) -> None:
    async def hunyuan(request: Received, wire: Wire) -> None:
        await wire.json(HUNYUAN)

    async with scripted(hunyuan) as upstream, countermark(upstream.url) as here:
        answer = await ask(here.address, "POST", b"/", b'{"Messages":[]}', [(b"X-TC-Action", action)])
    assert expected is answer.json()["Response"]["Choices"][0]["Message"]["Content"].startswith(NOTICE)
    assert expected is (answer.value(b"countermark-status") != b"unclaimed")


async def test_text_waits_for_no_picture() -> None:
    """Whether the pool has room is asked beforehand only where an answer can be nothing but media."""
    async with scripted(chat) as upstream, countermark(upstream.url) as here:
        assert here.service.dialects["models"]["openai.chat"].media
        room, here.service.workshop._room = here.service.workshop._room, 0
        answer = await ask(here.address, "POST", CHAT, asks())
        refused = await ask(here.address, "POST", b"/v1/images/generations", b'{"prompt":"x"}')
        here.service.workshop._room = room
    assert answer.status == 200
    assert (503, "overloaded") == (refused.status, refused.error)
