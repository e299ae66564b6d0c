"""Odd requests and odd answers, on real sockets: no spelling slips past the label, and nothing leaves that has none."""

import asyncio
import base64
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.chats import CHAT, asks, chat, chunk, completion, text_of
from tests.downstream import ask, connected, request
from tests.running import NOTICE, countermark
from tests.scripted import Received, Wire, scripted

SAMPLES = Path(__file__).parent / "samples"

SPELLINGS = [
    b"/v1/chat/completions",
    b"/v1//chat/completions",
    b"//v1/chat///completions//",
    b"/V1/Chat/Completions/",
    b"/v1%2Fchat%2fcompletions",
    b"/v1/%63hat/completions",
    b"/v1/%2563hat/completions",
    b"/v1/chat/completions;a=b",
    b"/v1;x/chat;y=z/completions",
    b"/v1/./chat/../chat/completions",
    b"/v1/x/../chat/completions/.",
    b"/v1/chat/%2e%2e/chat/completions",
    b"/v1/chat\\completions",
    b"/v1/chat/completions%20",
    b"/v1/chat/completions?a=%2F..&stream=1",
    b"/proxy/anything/v1/chat/completions",
    b"/openai/deployments/gpt/chat/completions?api-version=1",
]


@pytest.mark.parametrize("target", SPELLINGS)
async def test_no_spelling_slips_past(target: bytes) -> None:
    async with scripted(chat) as upstream, countermark(upstream.url) as here:
        answer = await ask(here.address, "POST", target, asks())
        assert here.only().outcome == "labelled"
    assert answer.json()["choices"][0]["message"]["content"] == NOTICE + "Hello world"
    assert upstream.received[0].target == target


@pytest.mark.parametrize(
    "media_type", [b"text/plain", b"application/octet-stream", b"multipart/form-data; boundary=x", b""]
)
async def test_a_request_of_another_media_type_is_no_way_around(media_type: bytes) -> None:
    async def handler(_: Received, wire: Wire) -> None:
        await wire.json(completion("Hello world"))

    async with scripted(handler) as upstream, countermark(upstream.url) as here:
        answer = await ask(here.address, "POST", CHAT, asks(), [(b"content-type", media_type)])
    assert answer.json()["choices"][0]["message"]["content"] == NOTICE + "Hello world"
    assert upstream.received[0].body == asks()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b"\xff\xfe",
        b'{"messages":1}',
        b'{"messages":[1,null,{"role":"assistant","content":7}]}',
        b'{"n":"x","stream":"yes","model":7,"response_format":3}',
        b"[" * 100_000,
        b'{"n":-1}',
        b'{"n":1e999}',
        b'{"model":"\\ud800"}',
    ],
)
async def test_odd_requests_reach_the_upstream_as_they_are_and_its_answer_is_labelled(body: bytes) -> None:
    async def handler(_: Received, wire: Wire) -> None:
        await wire.json(completion("Hello world"))

    async with scripted(handler) as upstream, countermark(upstream.url) as here:
        answer = await ask(here.address, "POST", CHAT, body)
    assert answer.json()["choices"][0]["message"]["content"] == NOTICE + "Hello world"
    assert upstream.received[0].body == body


# Answers.

SECRET = "SECRET"


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"choices": None},
        {"choices": {}},
        {"choices": [7]},
        {"choices": ["SECRET"]},
        {"choices": [{"text": "SECRET"}]},
        {"output": [{"content": [{"type": "output_text", "text": "SECRET"}]}]},
        {"content": [{"type": "text", "text": "SECRET"}]},
        [],
        ["SECRET"],
        "SECRET",
        7,
        None,
        {"choices": [{"index": 0, "message": "SECRET"}]},
        {
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": [{"type": "strange", "text": "SECRET"}]}}
            ]
        },
        {"choices": [{"index": 0, "message": {"role": "assistant", "content": {"text": "SECRET"}}}]},
    ],
    ids=json.dumps,
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_in_which_nothing_is_found_is_a_failure(payload: Any, streamed: bool) -> None:
    async def handler(_: Received, wire: Wire) -> None:
        if streamed:
            text = json.dumps(payload).replace('"message"', '"delta"')
            await wire.sse([text])
        else:
            await wire.json(payload)

    async with scripted(handler) as upstream, countermark(upstream.url) as here:
        answer = await ask(here.address, "POST", CHAT, asks(stream=streamed))
        record = here.only()
    assert (answer.status, answer.error) == (502, "not_labelled")
    assert SECRET.encode() not in answer.body
    assert (record.outcome, record.items) == ("blocked", ())


@pytest.mark.parametrize("n", ["3", 3.0, "many", 0])
async def test_however_more_answers_are_asked_for_each_gets_its_notice(n: Any) -> None:
    """Servers that read requests leniently take "3" and 3.0 for 3."""

    async def handler(_: Received, wire: Wire) -> None:
        await wire.sse_head()
        for index in range(3):
            await wire.event(chunk({"content": f"Hello {index}"}, index=index))
            await asyncio.sleep(0.01)
        await wire.event("[DONE]")
        await wire.end()

    async with scripted(handler) as upstream, countermark(upstream.url) as here:
        answer = await ask(here.address, "POST", CHAT, asks(stream=True, n=n))
    assert [text_of(answer.body, index) for index in range(3)] == [f"{NOTICE}Hello {index}" for index in range(3)]


async def test_invalid_utf_8_before_the_label_is_blocked_and_behind_it_passes() -> None:
    bad = b'data: {"choices":[{"index":0,"delta":{"content":"SECRET \xff\xfe"}}]}\n\n'
    seen = asyncio.Event()

    async def before(_: Received, wire: Wire) -> None:
        await wire.sse_head()
        await wire.chunk(bad)
        await wire.end()

    async def behind(_: Received, wire: Wire) -> None:
        await wire.sse_head()
        await wire.event(chunk({"content": "Hello"}))
        await wire.wait(seen)
        await wire.chunk(bad)
        await wire.end()

    async with scripted(before, behind) as upstream, countermark(upstream.url) as here:
        answer = await ask(here.address, "POST", CHAT, asks(stream=True))
        assert (answer.status, answer.error) == (502, "not_labelled")
        async with connected(here.address) as client:
            await client.send(request("POST", CHAT, asks(stream=True)))
            await client.begin()
            await client.until(b"Hello")
            seen.set()
            answer = await client.rest()
    assert answer.whole
    assert answer.body.endswith(bad)
    assert text_of(answer.body.removesuffix(bad)) == NOTICE + "Hello"


# Pictures.


def png_of(width: int, height: int, pixels: bytes = b"") -> bytes:
    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = part(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + part(b"IDAT", zlib.compress(pixels)) + part(b"IEND", b"")


def coded(picture: bytes) -> dict[str, Any]:
    return {"created": 1, "data": [{"b64_json": base64.b64encode(picture).decode()}]}


JPEG = (SAMPLES / "rgb.jpg").read_bytes()
PNG = (SAMPLES / "rgb8.png").read_bytes()

PICTURES: dict[str, Any] = {
    "a header of 50,000 x 50,000": coded(png_of(50_000, 50_000)),
    "no pixels behind the header": coded(png_of(640, 480)),
    "a size of nothing": coded(png_of(0, 10)),
    "a truncated JPEG": coded(JPEG[: len(JPEG) // 2]),
    "a truncated PNG": coded(PNG[: len(PNG) // 2]),
    "no picture": coded(b"GIF89a" + b"\0" * 100),
    "nothing": coded(b"PNG"),
    "no base64": {"data": [{"b64_json": "*" * 100}]},
    "a data URL without base64": {"data": [{"url": "data:image/svg+xml,<svg/>"}]},
    "a data URL of a drawing": {"data": [{"url": "data:image/svg+xml;base64," + base64.b64encode(b"<svg/>").decode()}]},
    "an address": {"data": [{"url": "http://127.0.0.1:9/cat.png"}]},
    "one good and one bad": {"data": [*coded(PNG)["data"], *coded(JPEG[:300])["data"]]},
    "something else": {"data": [{"b64": base64.b64encode(PNG).decode()}]},
    "no data": {"created": 1},
}


@pytest.mark.parametrize("case", PICTURES)
async def test_a_picture_that_cannot_be_labelled_is_blocked_with_the_reason(case: str) -> None:
    async def handler(_: Received, wire: Wire) -> None:
        await wire.json(PICTURES[case])

    async with scripted(handler) as upstream, countermark(upstream.url) as here:
        answer = await ask(here.address, "POST", b"/v1/images/generations", b'{"prompt":"a cat"}')
        record = here.only()
        assert not here.promised
    assert (answer.status, answer.error) == (502, "not_labelled")
    assert len(answer.body) < 600
    assert (record.outcome, record.items) == ("blocked", ())
    assert record.reason


async def test_what_is_no_picture_in_a_stream_is_blocked() -> None:
    async def handler(_: Received, wire: Wire) -> None:
        await wire.sse([{"type": "image_generation.partial_image", "b64_json": base64.b64encode(PNG[:50]).decode()}])

    async with scripted(handler) as upstream, countermark(upstream.url) as here:
        answer = await ask(here.address, "POST", b"/v1/images/generations", b'{"prompt":"a cat","stream":true}')
    assert (answer.status, answer.error) == (502, "not_labelled")
