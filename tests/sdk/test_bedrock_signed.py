"""Bedrock end to end: `boto3` signs for us with whatever it has, and the upstream gets the operator's signature, which
holds over what it gets. What the client has shown to us does not arrive."""

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config

from proxy.framing.event_stream import encode
from tests.running import NOTICE
from tests.scripted import Received, Wire
from tests.sdk.chain import EXPECTED_LABEL, Chain, Handler, chain, short
from tests.signatures import Proof, aws

KEY_ID, SECRET, TOKEN = "AKIDOFTHEOPERATOR", "made/up+secret", "made-up-token=="
THEIRS = "AKIDOFTHECLIENT"
NOVA = "amazon.nova-lite-v1:0"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0"
SIGN = {
    "scheme": "sigv4",
    "service": "bedrock",
    "region": "us-east-1",
    "credentials": {"key_id": "env:OUR_KEY_ID", "secret": "env:OUR_SECRET", "token": "env:OUR_TOKEN"},
}
ASK: list[Any] = [{"role": "user", "content": [{"text": "hi"}]}]
CLAUDE: dict[str, Any] = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "hi"}],
}
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
USAGE = {"inputTokens": 10, "outputTokens": 2, "totalTokens": 12}

pytestmark = pytest.mark.parametrize("transport", ["http1", "httpx"])


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours in the environment; and none of this machine's own for the client to find."""
    for name, value in {"OUR_KEY_ID": KEY_ID, "OUR_SECRET": SECRET, "OUR_TOKEN": TOKEN, "NO_PROXY": "*"}.items():
        monkeypatch.setenv(name, value)


def verified(handler: Handler) -> Handler:
    """An upstream that refuses what is not signed by the operator, as AWS does."""

    async def check(request: Received, wire: Wire) -> None:
        try:
            proof = aws(request, SECRET)
        except AssertionError as error:
            await wire.json({"message": f"The request signature does not match: {error}"}, 403)
            return
        assert Proof(KEY_ID, "bedrock", "us-east-1", proof.covers) == proof
        assert request.value(b"x-amz-security-token") == TOKEN.encode()
        assert THEIRS.encode() not in b"".join(value for _, value in request.headers)
        await handler(request, wire)

    return check


def said(payload: Any) -> Handler:
    async def handler(_: Received, wire: Wire) -> None:
        await wire.json(payload)

    return handler


def framed(messages: list[tuple[str, dict[str, Any]]]) -> Handler:
    async def handler(_: Received, wire: Wire) -> None:
        await wire.head(200, {"content-type": "application/vnd.amazon.eventstream", "transfer-encoding": "chunked"})
        for name, payload in messages:
            fields = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
            await wire.chunk(encode(fields, json.dumps(payload).encode()))
        await wire.end()

    return handler


def signing(handler: Handler, transport: str) -> Any:
    return chain(verified(handler), upstream={"sign": SIGN, "transport": transport})


async def talk(it: Chain, ask: Callable[[Any], Any], url: str = "") -> Any:
    def work() -> Any:
        client = boto3.session.Session().client(
            "bedrock-runtime",
            endpoint_url=url or it.here.url,
            region_name="eu-west-1",
            aws_access_key_id=THEIRS,
            aws_secret_access_key="their own",
            aws_session_token="their own token",
            config=Config(retries={"max_attempts": 0}),
        )
        try:
            return ask(client)
        finally:
            client.close()

    return await asyncio.to_thread(work)


@pytest.mark.parametrize("model", [NOVA, PROFILE])
async def test_converse_and_its_second_turn(model: str, transport: str) -> None:
    message = {"role": "assistant", "content": [{"text": "Hello"}]}
    answer = {
        "output": {"message": message},
        "stopReason": "end_turn",
        "usage": USAGE,
        "metrics": {"latencyMs": 551},
    }

    def twice(client: Any) -> Any:
        first = client.converse(modelId=model, messages=ASK)["output"]["message"]
        client.converse(modelId=model, messages=[*ASK, first, *ASK])
        return first

    async with signing(said(answer), transport) as it:
        first = await talk(it, twice)
        records = it.here.records
    assert first["content"] == [{"text": NOTICE + "Hello"}]
    assert [one.outcome for one in records] == ["labelled", "labelled"]
    assert len({one.tenant for one in records} - {""}) == 1  # although no two signatures are the same
    assert it.upstream.received[1].json()["messages"] == [*ASK, message, *ASK]
    assert b":" not in it.upstream.received[0].target


async def test_converse_stream(transport: str) -> None:
    messages: list[tuple[str, dict[str, Any]]] = [
        ("messageStart", {"role": "assistant"}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hel"}}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "lo"}}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": "end_turn"}),
        ("metadata", {"usage": USAGE, "metrics": {"latencyMs": 551}}),
    ]

    def ask(client: Any) -> Any:
        return [*client.converse_stream(modelId=NOVA, messages=ASK)["stream"]]

    async with signing(framed(messages), transport) as it:
        heard = await talk(it, ask)
        record = it.here.only()
    assert [[*one] for one in heard] == [[name] for name, _ in messages]
    deltas = [one["contentBlockDelta"]["delta"]["text"] for one in heard if "contentBlockDelta" in one]
    assert deltas == [NOTICE + "Hel", "lo"]
    assert record.outcome == "labelled"


@pytest.mark.parametrize("model", ["anthropic.claude-3-haiku-20240307-v1:0", PROFILE])
async def test_a_model_in_its_own_words(model: str, transport: str) -> None:
    def twice(client: Any) -> Any:
        first = json.loads(client.invoke_model(modelId=model, body=json.dumps(CLAUDE))["body"].read())
        turn = {"role": "assistant", "content": first["content"]}
        more = {**CLAUDE, "messages": [*CLAUDE["messages"], turn, *CLAUDE["messages"]]}
        client.invoke_model(modelId=model, body=json.dumps(more))
        return first

    async with signing(said(MESSAGE), transport) as it:
        first = await talk(it, twice)
    assert first["content"] == [{"type": "text", "text": NOTICE + "Hello"}]
    assert EXPECTED_LABEL == short(first["AIGC"])
    turns = it.upstream.received[1].json()["messages"]
    assert turns == [*CLAUDE["messages"], {"role": "assistant", "content": MESSAGE["content"]}, *CLAUDE["messages"]]


async def test_a_stream_in_a_models_own_words(transport: str) -> None:
    records: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 1}},
    ]
    wrapped = [("chunk", {"bytes": base64.b64encode(json.dumps(one).encode()).decode(), "p": "abc"}) for one in records]

    def ask(client: Any) -> Any:
        answer = client.invoke_model_with_response_stream(modelId=PROFILE, body=json.dumps(CLAUDE))
        return [json.loads(one["chunk"]["bytes"]) for one in answer["body"]]

    async with signing(framed(wrapped), transport) as it:
        heard = await talk(it, ask)
        record = it.here.only()
    assert [one["type"] for one in heard] == [one["type"] for one in records]
    assert heard[2]["delta"]["text"] == NOTICE + "Hello"
    assert EXPECTED_LABEL == short(heard[0]["message"]["AIGC"])
    assert record.outcome == "labelled"


async def test_the_upstream_of_these_tests_takes_what_the_sdk_signs(transport: str) -> None:
    """The verification itself is right: it takes what boto3 sends straight to it."""

    async def check(request: Received, wire: Wire) -> None:
        assert THEIRS == aws(request, "their own").key_id
        await wire.json({"output": {"message": {"role": "assistant", "content": []}}})

    async with chain(check, upstream={"transport": transport}) as it:
        for model in (NOVA, PROFILE):
            await talk(it, lambda client, model=model: client.converse(modelId=model, messages=ASK), it.upstream.url)
    assert len(it.upstream.received) == 2


async def test_without_our_signature_the_sdks_own_is_refused(transport: str) -> None:
    """What signing anew is for: the client's signature covers a host that the upstream is not."""

    def ask(client: Any) -> Any:
        with pytest.raises(client.exceptions.ClientError) as raised:
            client.converse(modelId=NOVA, messages=ASK)
        return raised.value.response["ResponseMetadata"]["HTTPStatusCode"]

    async with chain(verified(said({})), upstream={"transport": transport}) as it:
        assert await talk(it, ask) == 403
