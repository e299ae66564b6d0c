"""What the request side decides before the upstream is asked, and what it says of the answer."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.chats import CHAT, asks, chat, completion
from tests.downstream import ask, connected
from tests.own_marks import forcing
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


TASK = b"/api/v3/contents/generations/tasks"
FORM = [(b"content-type", b"multipart/form-data; boundary=x")]
UNFORCED = "the upstream's own watermark cannot be turned on in this request: "


@pytest.mark.parametrize(
    ("expected", "server", "target", "body"),
    [
        (asks(), "vllm", CHAT, asks(watermarking=False)),
        (asks(stream=True), "vllm", CHAT, asks(stream=True, watermarking=False)),
        (asks(), "vllm", CHAT, asks()),
        (asks(watermarking=False), "openai", CHAT, asks(watermarking=False)),
        (b'{"model":"s","watermark":true}', "openai", TASK, b'{"model":"s","watermark":false}'),
        (b'{"metadata":{"watermarking":1}}', "vllm", CHAT + b"/1", b'{"metadata":{"watermarking":1}}'),
    ],
)
async def test_the_upstreams_own_mark_is_forced(
    expected: bytes, server: str, target: bytes, body: bytes, tmp_path: Path
) -> None:
    async with scripted(chat) as upstream, countermark(upstream.url, **forcing(tmp_path, server)) as here:
        answer = await ask(here.address, "POST", target, body)
        record = here.only()
    assert (answer.status, expected) == (200, upstream.received[0].body)
    assert upstream.received[0].value(b"content-length") == b"%d" % len(expected)
    assert "force/marks" in record.because
    assert record.outcome in ("metadata_only", "passed")


async def test_a_field_of_the_head_that_turns_it_off_does_not_go_upstream(tmp_path: Path) -> None:
    async with scripted(chat) as upstream, countermark(upstream.url, **forcing(tmp_path, "siliconflow")) as here:
        body = asks(prompt="a cat")
        await ask(
            here.address, "POST", b"/v1/images/generations", body, [(b"X-Enable-Watermark", b"0"), (b"x-b", b"1")]
        )
    (request,) = upstream.received
    assert (request.value(b"x-enable-watermark"), request.value(b"x-b"), request.body) == (None, b"1", body)


async def says(request: Received, wire: Wire) -> None:
    await wire.json(completion("Hi"))


@pytest.mark.parametrize(
    ("reason", "body", "fields"),
    [
        ("it is no JSON but goes upstream as it comes", b"--x", FORM),
        ("it is no JSON in UTF-8", asks(watermarking=False).decode().encode("utf-16"), []),
        ("it is no object", b"[]", []),
    ],
)
async def test_or_the_request_is_refused_or_it_is_told(
    reason: str, body: bytes, fields: list[tuple[bytes, bytes]], tmp_path: Path
) -> None:
    async with scripted(chat) as upstream, countermark(upstream.url, **forcing(tmp_path, "vllm")) as here:
        answer = await ask(here.address, "POST", CHAT, body, fields)
        record = here.only()
    assert upstream.received == []
    assert (answer.status, answer.error) == (400, "not_labelled")
    assert ("blocked", 400, UNFORCED + reason) == (record.outcome, record.status, record.reason)
    async with scripted(says) as upstream, countermark(upstream.url, **forcing(tmp_path, "vllm", "pass")) as here:
        answer = await ask(here.address, "POST", CHAT, body, fields)
        record = here.only()
    assert (answer.status, body) == (200, upstream.received[0].body)
    assert ("unlabelled", 200) == (record.outcome, record.status)
    assert record.reason.startswith(UNFORCED + reason)


@pytest.mark.parametrize("opted", [{}, {"watermarking": False}])
async def test_a_signature_of_the_clients_own_is_doubted_where_a_mark_is_forced(
    opted: dict[str, Any], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    body = asks(**opted)
    async with scripted(chat) as upstream, countermark(upstream.url, **forcing(tmp_path, "vllm")) as here:
        host = upstream.url.removeprefix("http://").encode()
        fields = [(b"host", host), (b"authorization", b"TC3-HMAC-SHA256 Credential=a")]
        lines = b"".join(b"%b: %b\r\n" % field for field in fields)
        async with connected(here.address) as client:
            head = b"POST %b HTTP/1.1\r\n%bcontent-type: application/json\r\n" % (CHAT, lines)
            await client.send(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body))
            await client.begin()
            await client.rest()
    assert len([message for message in caplog.messages if "own watermark is turned on" in message]) == len(opted)
