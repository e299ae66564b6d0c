"""APIs whose SDKs are not here, told as their servers tell them: what leaves differs by the label alone."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from proxy.media import png
from tests.running import NOTICE
from tests.sdk.chain import EXPECTED_LABEL, Chain, chain, raw, says, sends, short

PICTURE = (Path(__file__).parents[1] / "samples" / "rgb8.png").read_bytes()
ENCODED = base64.b64encode(PICTURE).decode()
SAID = json.dumps(NOTICE)[1:-1].encode()

HUNYUAN = {"X-TC-Action": "ChatCompletions", "X-TC-Version": "2023-09-01"}
NOTE = b'{"Note":"AI","Choices":[{"Delta":{"Role":"assistant","Content":"%b"},"FinishReason":"%b","Index":0}],"Id":"c"}'
KOBOLD = b'event: message\ndata: {"token": "%b", "finish_reason": %b}\n\n'
LLAMA = b'data: {"index":0,"content":"%b","tokens":[],"stop":%b,"id_slot":-1}\n\n'
SGLANG = b'data: {"text":"%b","meta_info":{"id":"a","finish_reason":%b,"completion_tokens":1}}\n\n'
TGI = b'data:{"index":1,"token":{"id":1,"text":"%b","special":false},"generated_text":%b,"details":null}\n\n'
QIANFAN = b'data: {"id":"as-1","object":"chat.completion","sentence_id":0,"is_end":%b,"result":"%b"}\n\n'
END = b'{"type": "stop"}'

# The server, the path, the request's fields, the media type, the answer with a mark where the notice belongs.
STREAMS = {
    "hunyuan": (
        "openai",
        "/",
        HUNYUAN,
        "text/event-stream",  # Tencent's SDK compares it to the letter
        b"".join(
            b"data: " + NOTE % said + b"\n\n" for said in ((b"", b""), (b"*Hel", b""), (b"lo", b""), (b"", b"stop"))
        ),
    ),
    "koboldcpp": (
        "koboldcpp",
        "/api/extra/generate/stream",
        {},
        "text/event-stream",
        KOBOLD % (b"*Hel", b"null") + KOBOLD % (b"lo", b"null") + KOBOLD % (b"", b'"stop"'),
    ),
    "llamacpp": (
        "llamacpp",
        "/completion",
        {},
        "text/event-stream",
        LLAMA % (b"*Hel", b"false") + LLAMA % (b"lo", b"false") + LLAMA % (b"", b"true"),
    ),
    "sglang": (
        "sglang",
        "/generate",
        {},
        "text/event-stream; charset=utf-8",
        SGLANG % (b"*Hel", b"null") + SGLANG % (b"*Hello", b"null") + SGLANG % (b"*Hello", END) + b"data: [DONE]\n\n",
    ),
    "tgi": (
        "tgi",
        "/generate_stream",
        {},
        "text/event-stream",
        TGI % (b"*Hel", b"null") + TGI % (b"lo", b'"*Hello"'),
    ),
    "qianfan": (
        "openai",
        "/rpc/2.0/ai_custom/v1/wenxinworkshop/chat/completions_pro?access_token=x",
        {},
        "text/event-stream; charset=utf-8",
        QIANFAN % (b"false", b"*Hel") + QIANFAN % (b"true", b"lo"),
    ),
}


def without_label(data: bytes) -> bytes:
    """The answer without the implicit label, which stands once in it."""
    left, removed = re.subn(rb',"AIGC":\{[^{}]*\}', b"", data)
    assert removed == 1
    return left


async def post(it: Chain, path: str, body: Any = None, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.post(it.here.url + path, json=body or {}, headers=headers)


@pytest.mark.parametrize("name", STREAMS)
async def test_a_stream_differs_by_its_label_alone(name: str) -> None:
    server, path, fields, media_type, marked = STREAMS[name]
    told = marked.replace(b"*", b"")
    chunks = [told[at : at + 17] for at in range(0, len(told), 17)]
    async with chain(raw(chunks, media_type), upstream={"server": server}) as it:
        response = await post(it, path, {"stream": True}, **fields)
        record = it.here.only()
    assert response.status_code == 200
    assert response.headers["content-type"] == media_type
    assert without_label(response.content) == marked.replace(b"*", SAID)
    assert short(response.headers["countermark-aigc"]) == EXPECTED_LABEL
    assert record.outcome == "labelled"


@pytest.mark.parametrize(
    ("path", "fields", "payload", "place"),
    [
        ("/sdapi/v1/txt2img", {}, {"images": [ENCODED], "parameters": {}, "info": "{}"}, ("images", 0)),
        ("/v1/image_generation", {}, {"id": "x", "data": {"image_base64": [ENCODED]}}, ("data", "image_base64", 0)),
        (
            "/v2beta/stable-image/generate/core",
            {},
            {"image": ENCODED, "finish_reason": "SUCCESS", "seed": 1},
            ("image",),
        ),
        ("/v1/generation/sdxl/text-to-image", {}, {"artifacts": [{"base64": ENCODED}]}, ("artifacts", 0, "base64")),
        (
            "/",
            {"X-TC-Action": "TextToImageLite"},
            {"Response": {"ResultImage": ENCODED, "Seed": 1}},
            ("Response", "ResultImage"),
        ),
    ],
)
async def test_a_picture(path: str, fields: dict[str, str], payload: Any, place: tuple[str | int, ...]) -> None:
    async with chain(says(payload)) as it:
        response = await post(it, path, **fields)
        record = it.here.only()
    found = response.json()
    for step in place:
        found = found[step]
    (label,) = png.read(base64.b64decode(found))
    assert (label.label, label.content_producer, label.content_propagator) == EXPECTED_LABEL
    assert record.outcome == "labelled"


@pytest.mark.parametrize(
    ("query", "labelled"),
    [
        ("filename=a.png&type=output", True),
        ("filename=a.png", True),
        ("filename=a.png&type=temp&preview=webp;90", True),
        ("filename=a.png&type=input", False),
        ("filename=a.png&type=output&channel=a", False),
        ("filename=a.png&type=input&type=output", True),  # whichever the server reads
    ],
)
async def test_a_file_of_comfyui(query: str, labelled: bool) -> None:
    async with chain(sends(PICTURE, "image/png")) as it, httpx.AsyncClient() as client:
        response = await client.get(f"{it.here.url}/api/view?{query}")
    assert response.headers["content-type"] == "image/png"
    assert (response.content != PICTURE) is labelled
    if labelled:
        (label,) = png.read(response.content)
        assert (label.label, label.content_producer, label.content_propagator) == EXPECTED_LABEL


@pytest.mark.parametrize(
    ("path", "payload"),
    [
        ("/v1/t2a_v2", {"data": {"audio": "494433", "status": 2}, "base_resp": {"status_code": 0}}),
        ("/v1/image_generation", {"id": "x", "data": {"image_urls": ["https://x.aliyuncs.com/1.png"]}}),
        ("/v1/predictions", {"id": "p", "output": ["https://replicate.delivery/1.webp"], "status": "succeeded"}),
        ("/v1/predictions", {"id": "p", "output": {"words": "Hello"}, "status": "succeeded"}),
        ("/v2beta/stable-image/generate/core", {"other": ENCODED}),
    ],
)
async def test_what_cannot_be_labelled_is_refused(path: str, payload: Any) -> None:
    async with chain(says(payload)) as it:
        response = await post(it, path)
        assert it.here.only().outcome == "blocked"
    assert response.status_code == 502


async def test_a_prediction() -> None:
    """A text, or the pieces of one."""
    whole = {"id": "p", "input": {"prompt": "hi"}, "output": "Hello", "error": None, "status": "succeeded"}
    async with chain(says(whole), says({**whole, "output": ["Hel", "lo"]})) as it:
        assert (await post(it, "/v1/predictions")).json()["output"] == NOTICE + "Hello"
        assert (await post(it, "/v1/models/meta/llama/predictions")).json()["output"] == [NOTICE + "Hel", "lo"]


async def test_streamed_speech_is_refused() -> None:
    told = b'data: {"data":{"audio":"494433","status":1},"base_resp":{"status_code":0,"status_msg":""}}\n\n'
    async with chain(raw([told], "text/event-stream")) as it:
        response = await post(it, "/v1/t2a_v2", {"stream": True})
        record = it.here.only()
    assert response.status_code == 502
    assert record.outcome == "blocked"
