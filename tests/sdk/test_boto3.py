"""AWS's official `boto3` is the judge of Bedrock's Converse, whole and in AWS's own frames."""

import asyncio
import base64
import json
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import boto3
import botocore.exceptions
import pytest
from botocore.config import Config

from proxy.media import png
from tests.running import NOTICE
from tests.scripted import Received, Wire
from tests.sdk.chain import EXPECTED_LABEL, Chain, Handler, both_ways, chain, raw, says, short
from tests.sdk.ends import SUFFIX, both_ends

MODEL = "amazon.nova-lite-v1:0"
ASK: list[Any] = [{"role": "user", "content": [{"text": "hi"}]}]
USAGE = {"inputTokens": 10, "outputTokens": 2, "totalTokens": 12}
PICTURE = (Path(__file__).parents[1] / "samples" / "rgb8.png").read_bytes()


@contextmanager
def client_of(url: str) -> Iterator[Any]:
    client = boto3.session.Session().client(
        "bedrock-runtime",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="AKIATEST",
        aws_secret_access_key="secret",
        config=Config(retries={"max_attempts": 0}),
    )
    try:
        yield client
    finally:
        client.close()


async def talk(url: str, ask: Callable[[Any], Any]) -> Any:
    """What the SDK, which has no asynchronous client, is asked to do."""

    def work() -> Any:
        with client_of(url) as client:
            return ask(client)

    return await asyncio.to_thread(work)


async def converse(it: Chain, **more: Any) -> Any:
    return await talk(it.here.url, lambda client: client.converse(modelId=MODEL, messages=ASK, **more))


async def stream(it: Chain, **more: Any) -> list[Any]:
    def ask(client: Any) -> list[Any]:
        with closing(client.converse_stream(modelId=MODEL, messages=ASK, **more)["stream"]) as told:
            return [*told]

    heard: list[Any] = await talk(it.here.url, ask)
    return heard


def answer(*content: dict[str, Any], stop: str = "end_turn") -> dict[str, Any]:
    message = {"role": "assistant", "content": [*content]}
    return {"output": {"message": message}, "stopReason": stop, "usage": USAGE, "metrics": {"latencyMs": 551}}


def frame(name: str, payload: dict[str, Any], kind: str = "event") -> bytes:
    """One message of an event stream, as the service writes it: prelude, headers, payload, two checksums."""
    what = ":event-type" if kind == "event" else ":exception-type"
    fields = {what: name, ":content-type": "application/json", ":message-type": kind}
    headers = b"".join(
        struct.pack(">B", len(key)) + key.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for key, value in fields.items()
    )
    body = json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack(">I", crc32(prelude)) + headers + body
    return message + struct.pack(">I", crc32(message))


def frames(messages: Iterable[tuple[str, dict[str, Any]]]) -> Handler:
    written = [frame(name, {**payload, "p": "abcdefghij"}) for name, payload in messages]
    return raw(written, "application/vnd.amazon.eventstream")


def delta(said: Any, block: int = 0) -> tuple[str, dict[str, Any]]:
    return "contentBlockDelta", {"contentBlockIndex": block, "delta": {"text": said} if isinstance(said, str) else said}


def stop(block: int = 0) -> tuple[str, dict[str, Any]]:
    return "contentBlockStop", {"contentBlockIndex": block}


START: tuple[str, dict[str, Any]] = ("messageStart", {"role": "assistant"})
END: list[tuple[str, dict[str, Any]]] = [
    ("messageStop", {"stopReason": "end_turn"}),
    ("metadata", {"usage": USAGE, "metrics": {"latencyMs": 551}}),
]


def texts(heard: list[Any]) -> list[str]:
    return [one["contentBlockDelta"]["delta"].get("text") for one in heard if "contentBlockDelta" in one]


def label_of(heard: list[Any]) -> Any:
    (ended,) = [one["messageStop"] for one in heard if "messageStop" in one]
    return ended["additionalModelResponseFields"]["AIGC"]


async def chat(request: Received, wire: Wire) -> None:
    if request.target.endswith(b"/converse-stream"):
        await frames([START, delta("Hel"), delta("lo"), stop(), *END])(request, wire)
    else:
        await says(answer({"text": "Hello"}))(request, wire)


async def test_converse() -> None:
    async with chain(chat) as it:
        said = await converse(it)
        record = it.here.only()
    assert said["output"]["message"] == {"role": "assistant", "content": [{"text": NOTICE + "Hello"}]}
    assert said["usage"] == USAGE
    assert said["stopReason"] == "end_turn"
    assert short(said["additionalModelResponseFields"]["AIGC"]) == EXPECTED_LABEL
    assert short(said["ResponseMetadata"]["HTTPHeaders"]["countermark-aigc"]) == EXPECTED_LABEL
    assert (record.outcome, record.model) == ("labelled", MODEL)


@pytest.mark.parametrize("ends", [False, True])
async def test_a_stream(ends: bool, tmp_path: Path) -> None:
    async with chain(chat, **({"policies": both_ends(tmp_path)} if ends else {})) as it:
        heard = await stream(it)
    assert texts(heard) == [NOTICE + "Hel", "lo", *([SUFFIX] if ends else [])]
    names = [next(iter(one)) for one in heard]
    assert names[0] == "messageStart"
    assert names[-3:] == ["contentBlockStop", "messageStop", "metadata"]
    assert heard[-1]["metadata"]["usage"] == USAGE
    assert short(label_of(heard)) == EXPECTED_LABEL


@pytest.mark.parametrize("ends", [False, True])
async def test_the_second_turn_reaches_the_upstream_as_if_there_were_no_proxy(ends: bool, tmp_path: Path) -> None:
    def turns(client: Any) -> None:
        heard = client.converse(modelId=MODEL, messages=ASK)["output"]["message"]
        with closing(client.converse_stream(modelId=MODEL, messages=ASK)["stream"]) as told:
            streamed = [*told]
        joined = {"role": "assistant", "content": [{"text": "".join(texts(streamed))}]}
        quoted = {"role": "user", "content": [{"text": f"{NOTICE}is what you said"}]}
        client.converse(modelId=MODEL, messages=[*ASK, heard, quoted, joined, *ASK])

    async with chain(chat, **({"policies": both_ends(tmp_path)} if ends else {})) as it:
        await both_ways(it, lambda url: talk(url, turns))


async def test_reasoning_and_tools_are_untouched() -> None:
    thought = {"reasoningContent": {"reasoningText": {"text": "First", "signature": "x"}}}
    call = {"toolUse": {"toolUseId": "t1", "name": "write", "input": {"text": "Köln", "n": 1}}}
    async with chain(says(answer(thought, {"text": "Look."}, call, stop="tool_use"))) as it:
        said = await converse(it)
    assert said["output"]["message"]["content"] == [thought, {"text": NOTICE + "Look."}, call]


@pytest.mark.parametrize("ends", [False, True])
async def test_streamed_reasoning_and_tools_are_untouched(ends: bool, tmp_path: Path) -> None:
    begun = ("contentBlockStart", {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t1", "name": "write"}}})
    told = [
        START,
        delta({"reasoningContent": {"text": "First"}}),
        delta({"reasoningContent": {"signature": "x"}}),
        stop(),
        delta("Look.", 1),
        stop(1),
        begun,
        delta({"toolUse": {"input": '{"text": "Köln"}'}}, 2),
        stop(2),
        ("messageStop", {"stopReason": "tool_use"}),
        END[1],
    ]
    async with chain(frames(told), **({"policies": both_ends(tmp_path)} if ends else {})) as it:
        heard = await stream(it)
    assert [one for one in texts(heard) if one] == [NOTICE + "Look."]  # behind a tool there is no place for another
    assert [next(iter(one)) for one in heard] == [name for name, _ in told]
    deltas = [one["contentBlockDelta"]["delta"] for one in heard if "contentBlockDelta" in one]
    assert deltas[0] == {"reasoningContent": {"text": "First"}}
    assert deltas[-1] == {"toolUse": {"input": '{"text": "Köln"}'}}


async def test_structured_output_is_untouched() -> None:
    asked = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": "{}"}}}}
    async with chain(says(answer({"text": '{"name": "Köln"}'}))) as it:
        said = await converse(it, outputConfig=asked)
        assert it.here.only().outcome == "metadata_only"
    assert json.loads(said["output"]["message"]["content"][0]["text"]) == {"name": "Köln"}


async def test_a_picture() -> None:
    drawn = {"image": {"format": "png", "source": {"bytes": base64.b64encode(PICTURE).decode()}}}
    async with chain(says(answer({"text": "Look."}, drawn))) as it:
        said = await converse(it)
    text, picture = said["output"]["message"]["content"]
    assert text == {"text": NOTICE + "Look."}
    (label,) = png.read(picture["image"]["source"]["bytes"])
    assert (label.label, label.content_producer, label.content_propagator) == EXPECTED_LABEL


async def test_an_error_is_the_sdks_own() -> None:
    async with chain(says({"message": "no"}, 400, x_amzn_errortype="ValidationException")) as it:
        with pytest.raises(botocore.exceptions.ClientError) as raised:
            await converse(it)
    assert raised.value.response["Error"] == {"Message": "no", "Code": "ValidationException"}


async def test_an_exception_in_the_midst_of_a_stream_is_the_sdks_own() -> None:
    fault = frame("throttlingException", {"message": "too many"}, "exception")
    begun = [frame(*START), frame(*delta("Hello"))]
    async with chain(raw([*begun, fault], "application/vnd.amazon.eventstream")) as it:
        with pytest.raises(botocore.exceptions.EventStreamError, match="too many"):
            await stream(it)
