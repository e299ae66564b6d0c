"""Pictures on their way through: in streams and as whole answers, labelled in their places, on real sockets."""

import asyncio
import base64
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from proxy.label.aigc import Aigc
from proxy.labelling.medium import UNASKED
from proxy.media.formats import find
from tests.chats import CHAT, asks, chunk, event, read, text_of
from tests.downstream import ask, connected, request
from tests.running import NOTICE, countermark, until
from tests.scripted import Received, Wire, scripted

IMAGES = b"/v1/images/generations"
ASKS = b'{"model":"m","prompt":"a cat","stream":true,"partial_images":1}'
NO_PICTURE = base64.b64encode(b"a picture, or so it says").decode()
WORDS_ALONE = """
policy: words-alone
title: Words
as_of: 2026-01-31
sources: [https://example.org/law]
rules:
  - {id: text, when: {kind: text}, clause: Art. 1, notice: {words: {zh: 【AI生成】}}, metadata: [header]}
"""


def drawn(format: str = "PNG", side: int = 256) -> bytes:
    held = BytesIO()
    Image.new("RGB", (side, side), (9, 99, 199)).save(held, format)
    return held.getvalue()


PNG = drawn()
PICTURE = base64.b64encode(PNG).decode()


def partial(picture: str = PICTURE, index: int = 0) -> dict[str, Any]:
    return {"type": "image_generation.partial_image", "b64_json": picture, "partial_image_index": index}


def completed(picture: str = PICTURE) -> dict[str, Any]:
    return {"type": "image_generation.completed", "b64_json": picture, "usage": {"total_tokens": 7}}


def labels(picture: bytes) -> tuple[Aigc, ...]:
    media = find(picture)
    assert media is not None
    return media.read(picture)


def pictures(records: list[Any]) -> Iterator[bytes]:
    return (base64.b64decode(record["b64_json"], validate=True) for record in records if "b64_json" in record)


async def test_pictures_of_a_stream_are_labelled_in_their_places() -> None:
    sent = [partial(), partial(index=1), completed()]

    async def handler(_: Received, wire: Wire) -> None:
        await wire.sse_head()
        await wire.chunk(b"".join([event(sent[0]), b": a comment\n\n", event(sent[1]), event(sent[2])]))
        await wire.end()

    async with scripted(handler) as upstream, countermark(upstream.url) as here:
        answer = await ask(here.address, "POST", IMAGES, ASKS)
        record = here.only()
        assert not here.promised
    assert (200, True) == (answer.status, answer.whole)
    out = read(answer.body)
    found = list(pictures(out))
    assert [(aigc["ProduceID"], 1) for aigc in [out[0].pop("AIGC")]] == [(record.id, 1)]
    assert [one["b64_json"] for one in out] == [base64.b64encode(one).decode() for one in found]
    assert [one | {"b64_json": ""} for one in sent] == [one | {"b64_json": ""} for one in out]
    ids = [aigc.produce_id for picture in found for aigc in labels(picture)]
    assert ids == [item.produce_id for item in record.items]
    assert (3, record.id) == (len(set(ids)), ids[0])
    assert all({"badge", "xmp"} <= {*item.placed} for item in record.items)
    assert b"\n\n: a comment\n\ndata:" in answer.body
    assert ("labelled", True) == (record.outcome, record.streaming)


async def test_what_stands_behind_a_picture_waits_for_it_and_no_longer() -> None:
    """A record in front of it has left before; one that comes later finds it labelled."""
    more = asyncio.Event()

    async def handler(_: Received, wire: Wire) -> None:
        await wire.sse_head()
        await wire.event(partial())
        await wire.wait(more)
        await wire.event(completed())
        await wire.end()

    async with (
        scripted(handler) as upstream,
        countermark(upstream.url) as here,
        connected(here.address) as client,
    ):
        await client.send(request("POST", IMAGES, ASKS))
        await client.begin()
        first = b""
        while not first.endswith(b"\n\n"):
            first += await client.piece()
        more.set()
        rest = b""
        while piece := await client.piece():
            rest += piece
    assert [1, 1] == [len(labels(picture)) for picture in pictures(read(first + rest))]


async def test_text_and_pictures_of_a_chat_in_one_stream() -> None:
    """The text that comes behind a picture leaves behind it, and each has its label."""
    url = f"data:image/png;base64,{PICTURE}"
    image = {"type": "image_url", "image_url": {"url": url}}
    sent = [
        chunk({"content": "Here "}),
        chunk({"content": "it ", "images": [image]}),
        chunk({"content": "is."}, "stop"),
    ]

    async def handler(_: Received, wire: Wire) -> None:
        await wire.sse_head()
        await wire.chunk(b"".join(map(event, [*sent, "[DONE]"])))
        await wire.end()

    async with scripted(handler) as upstream, countermark(upstream.url) as here:
        answer = await ask(here.address, "POST", CHAT, asks(stream=True))
        record = here.only()
    assert (200, True) == (answer.status, answer.whole)
    assert NOTICE + "Here it is." == text_of(answer.body)
    out = read(answer.body)
    labelled = out[1]["choices"][0]["delta"]["images"][0]["image_url"]["url"]
    head, _, data = labelled.partition(",")
    assert ("data:image/png;base64", 1) == (head, len(labels(base64.b64decode(data, validate=True))))
    out[1]["choices"][0]["delta"]["images"][0]["image_url"]["url"] = url
    assert sent[1:] == out[1:-1]
    assert ["[DONE]"] == out[-1:]
    assert {"text", "image"} == {item.kind for item in record.items}
    assert 2 == len({item.produce_id for item in record.items})


@pytest.mark.parametrize("on_failure", ["block", "pass"])
@pytest.mark.parametrize("first", [PICTURE, NO_PICTURE])
async def test_what_is_no_picture_in_a_stream(first: str, on_failure: str) -> None:
    sent = [partial(first), partial(NO_PICTURE, 1), partial(PICTURE, 2), completed()]
    begun = first == PICTURE

    async def handler(_: Received, wire: Wire) -> None:
        await wire.sse_head()
        await wire.chunk(b"".join(map(event, sent)))
        await wire.end()

    async with scripted(handler) as upstream, countermark(upstream.url, on_failure=on_failure) as here:
        answer = await ask(here.address, "POST", IMAGES, ASKS)
        await until(lambda: here.records[-1].outcome != "pending")
        record = here.only()
        await until(lambda: not here.promised)
    assert "in no picture format" in record.reason
    if on_failure == "pass":
        assert (200, True) == (answer.status, answer.whole)
        out = read(answer.body)
        begins = 1 if begun else 0
        assert begins == sum(len(labels(picture)) for picture in [*pictures(out)][:begins])
        assert answer.body.endswith(b"".join(map(event, sent[1:])))
        assert ("unlabelled", ()) == (record.outcome, record.items)
        assert (None if begun else b"unlabelled") == answer.value(b"countermark-status")
    else:
        assert "blocked" == record.outcome
        assert (200, False) == (answer.status, answer.whole) if begun else (502, True) == (answer.status, answer.whole)
        assert NO_PICTURE.encode() not in answer.body


async def test_a_picture_of_a_stream_is_leased_while_it_is_labelled() -> None:
    """All of them at one time are more than the memory that may be promised; one after the other they are not."""
    noise = BytesIO()
    Image.effect_noise((300, 300), 60).save(noise, "PNG")
    picture = base64.b64encode(noise.getvalue()).decode()

    async def handler(_: Received, wire: Wire) -> None:
        await wire.sse([*(partial(picture, index) for index in range(4)), completed(picture)], done=False)

    limits = {"whole_body": "16 KiB", "record": "256 KiB", "total_memory": f"{len(picture) * 4} B"}
    async with scripted(handler) as upstream, countermark(upstream.url, limits=limits) as here:
        answer = await ask(here.address, "POST", IMAGES, ASKS)
        assert not here.promised
    assert (200, True, 5) == (answer.status, answer.whole, len(read(answer.body)))
    limits["total_memory"] = f"{len(picture) // 2} B"
    async with scripted(handler) as upstream, countermark(upstream.url, limits=limits) as here:
        answer = await ask(here.address, "POST", IMAGES, ASKS)
        assert not here.promised
    assert (503, "overloaded") == (answer.status, answer.error)


# A whole answer that is a picture: ComfyUI's GET /view.

VIEW = b"/view?filename=a.png&type=output"
FIELDS = {
    "content_disposition": 'filename="a.png"',
    "etag": '"1"',
    "accept_ranges": "bytes",
    "content_md5": "AAAA",
    "cache_control": "no-store",
}


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
async def test_a_whole_picture(format: str) -> None:
    media_type = f"image/{format.lower()}"

    async def handler(received: Received, wire: Wire) -> None:
        assert received.value(b"range") is None
        await wire.reply(drawn(format), media_type, **FIELDS)

    async with scripted(handler) as upstream, countermark(upstream.url, upstream={"server": "comfyui"}) as here:
        answer = await ask(here.address, "GET", VIEW, headers=[(b"range", b"bytes=0-9")])
        record = here.only()
        assert not here.promised
    assert (200, media_type.encode()) == (answer.status, answer.value(b"content-type"))
    assert str(len(answer.body)).encode() == answer.value(b"content-length")
    assert b'filename="a.png"' == answer.value(b"content-disposition")
    assert b"no-store" == answer.value(b"cache-control")
    assert [None] * 3 == [answer.value(name) for name in (b"etag", b"accept-ranges", b"content-md5")]
    assert answer.value(b"countermark-aigc")
    with Image.open(BytesIO(answer.body)) as image:
        assert (format, (256, 256)) == (image.format, image.size)
    (aigc,), (item,) = labels(answer.body), record.items
    assert aigc.produce_id == item.produce_id
    assert ("badge", "xmp", "header", "disclosure") == item.placed
    assert ("labelled", len(PNG) if format == "PNG" else item.size_before) == (record.outcome, item.size_before)


@pytest.mark.parametrize("on_failure", ["block", "pass"])
@pytest.mark.parametrize(
    ("media_type", "body", "reason"),
    [
        ("image/png", PNG[:60], "no picture that can be labelled"),
        ("image/x-unknown", b"no picture", "in no picture format"),
        ("audio/wav", b"RIFF....WAVE", "sound cannot be labelled yet"),
        ("video/mp4", b"....ftypisom", "video cannot be labelled yet"),
        ("image/png", b"", "the answer is empty"),
    ],
)
async def test_a_whole_medium_that_cannot_be_labelled(
    media_type: str, body: bytes, reason: str, on_failure: str
) -> None:
    async def handler(_: Received, wire: Wire) -> None:
        await wire.reply(body, media_type)

    server = {"server": "comfyui"}
    async with scripted(handler) as upstream, countermark(upstream.url, upstream=server, on_failure=on_failure) as here:
        answer = await ask(here.address, "GET", VIEW)
        record = here.only()
        await until(lambda: not here.promised)
    assert reason in record.reason
    if on_failure == "pass":
        assert (200, body, "unlabelled") == (answer.status, answer.body, record.outcome)
        assert b"unlabelled" == answer.value(b"countermark-status")
    else:
        assert (502, "not_labelled", "blocked") == (answer.status, answer.error, record.outcome)


@pytest.mark.parametrize("media_type", ["image/png", "audio/wav", "video/mp4"])
async def test_a_whole_medium_that_no_rule_asks_for_passes(media_type: str, tmp_path: Path) -> None:
    (tmp_path / "words-alone.yaml").write_text(WORDS_ALONE, encoding="utf-8")
    sections: dict[str, Any] = {"policies": str(tmp_path), "route": {"policies": ["words-alone"]}}
    body = PNG * 100

    async def handler(_: Received, wire: Wire) -> None:
        await wire.reply(body, media_type, **FIELDS)

    limits = {"whole_body": f"{len(body) // 2} B"}
    server = {"server": "comfyui"}
    async with (
        scripted(handler) as upstream,
        countermark(upstream.url, upstream=server, limits=limits, **sections) as here,
    ):
        answer = await ask(here.address, "GET", VIEW)
        record = here.only()
    assert (200, body) == (answer.status, answer.body)
    assert b'"1"' == answer.value(b"etag")
    assert [None, None] == [answer.value(b"countermark-aigc"), answer.value(b"countermark-status")]
    assert ("passed", UNASKED) == (record.outcome, record.reason)
