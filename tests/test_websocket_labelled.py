"""ComfyUI's socket through a real Countermark: previews and final pictures leave labelled, in order with the rest."""

import json
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from io import BytesIO

import pytest
from PIL import Image
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from proxy.framing.websocket import closing, frame
from proxy.label.aigc import Aigc
from proxy.media.formats import find
from tests.running import PROVIDER, Here
from tests.scripted import Received, Wire
from tests.sockets import agree, connected, offer, raw, relayed

WS = b"/ws?clientId=1f"
STATUS = '{"type": "status", "data": {"status": {"exec_info": {"queue_remaining": 0}}}}'
METADATA = json.dumps({"node_id": "7", "image_type": "image/png"}).encode()
WEBP = b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\0\0\0\x10\x07\x10\x11\x11\x88\x88\xfe\x07\0"


def drawn(form: str) -> bytes:
    out = BytesIO()
    Image.linear_gradient("L").resize((512, 384)).convert("RGB").save(out, form)
    return out.getvalue()


PNG, JPEG = drawn("PNG"), drawn("JPEG")
MESSAGES: dict[str, bytes | str] = {
    "status": STATUS,
    "preview": struct.pack(">II", 1, 1) + JPEG,
    "progress": struct.pack(">II", 3, 1) + b"7" + "50 %, 图".encode(),
    "preview with metadata": struct.pack(">II", 4, len(METADATA)) + METADATA + PNG,
    "final": struct.pack(">II", 1, 2) + PNG,
    "unknown": struct.pack(">I", 77) + bytes(range(256)),
    "executed": '{"type": "executed", "data": {"node": "9", "output": {"images": []}}}',
}
PICTURES = {"preview": (8, JPEG), "preview with metadata": (8 + len(METADATA), PNG), "final": (8, PNG)}


def saying(*messages: bytes | str, code: int = 1000) -> Callable[[ServerConnection], Awaitable[None]]:
    async def says(client: ServerConnection) -> None:
        for message in messages:
            await client.send(message)
        await client.close(code, "done")

    return says


def is_labelled(data: bytes, before: bytes) -> Aigc:
    """The picture's label, which is there, as is a badge, on a picture that is as large and as it was elsewhere."""
    media = find(data)
    assert media is not None
    assert media is find(before)
    old, new = (Image.open(BytesIO(one)).convert("RGB") for one in (before, data))
    assert old.size == new.size
    assert old.tobytes() != new.tobytes()
    assert old.crop((0, 0, 512, 256)).tobytes() == new.crop((0, 0, 512, 256)).tobytes() or media is find(JPEG)
    (aigc,) = media.read(data)
    assert isinstance(aigc, Aigc)
    return aigc


async def test_pictures_leave_labelled_and_everything_leaves_in_order() -> None:
    async with relayed(saying(*MESSAGES.values())) as here:
        async with connected(here, WS) as client:
            assert client.response is not None
            shown = json.loads(client.response.headers["countermark-aigc"])
            assert "countermark-status" not in client.response.headers
            assert not client.protocol.extensions
            got = [await client.recv() for _ in MESSAGES]
            await client.wait_closed()
            assert (client.close_code, client.close_reason) == (1000, "done")
        opened, closed = here.records
        assert here.service.counts.sockets == 0
        assert here.promised == 0
    labels = []
    for (name, sent), received in zip(MESSAGES.items(), got, strict=True):
        if name in PICTURES:
            at, picture = PICTURES[name]
            assert isinstance(received, bytes)
            assert received[:at] == sent[:at]
            labels.append(is_labelled(received[at:], picture))
        else:
            assert sent == received
    assert [closed.id, f"{closed.id}-1", f"{closed.id}-2"] == [label.produce_id for label in labels]
    assert {PROVIDER} == {label.content_producer for label in labels}
    assert shown["ProduceID"] == closed.id
    assert (opened.state, closed.state, closed.outcome, closed.status) == ("opened", "closed", "labelled", 101)
    assert (closed.dialect, closed.method, closed.because) == ("comfyui", "GET", ("cn-gb45438/image",))
    assert ["picture 0", "picture 1", "picture 2"] == [item.unit for item in closed.items]
    assert {("badge", "xmp", "header", "disclosure")} == {item.placed for item in closed.items}
    assert closed.bytes_in > sum(len(picture) for _, picture in PICTURES.values())
    assert closed.bytes_out > closed.bytes_in


async def test_the_end_is_recorded_before_the_client_sees_it() -> None:
    async def says(request: Received, wire: Wire) -> None:
        assert request.value(b"sec-websocket-extensions") is None
        await agree(request, wire)
        await wire.send(frame(2, MESSAGES["final"]) + closing(1000, ""))  # type: ignore[arg-type]

    async with raw(says) as (here, client):
        await offer(client, WS, (b"sec-websocket-extensions", b"permessage-deflate"))
        await client.until(closing(1000, ""))
        assert here.only().state == "closed"


async def test_a_socket_without_pictures() -> None:
    async with relayed(saying(STATUS)) as here, connected(here, WS) as client:
        assert await client.recv() == STATUS
        await client.wait_closed()
        assert (here.only().outcome, here.only().reason) == ("passed", "no picture came through it")


async def _told(here: Here) -> tuple[int, str, list[bytes | str]]:
    """What the close frame says that the client gets, and what it got before."""
    got: list[bytes | str] = []
    async with connected(here, WS) as client:
        with suppress(ConnectionClosed):
            while True:
                got.append(await client.recv())
    return client.close_code or 0, client.close_reason or "", got


BAD = {
    "a picture too small for a badge": (struct.pack(">II", 1, 3) + WEBP, "too small for a legible badge"),
    "no picture": (struct.pack(">II", 1, 2) + b"no picture", "in no picture format"),
    "a length that leads nowhere": (struct.pack(">II", 4, 1 << 31) + PNG, "in no picture format"),
    "a type that nobody knows": (struct.pack(">III", 9, 1, 2) + PNG, "of a type that is not known"),
    "cut off": (struct.pack(">II", 1, 2) + PNG[:1000], "no picture that can be labelled"),
}


@pytest.mark.parametrize("bad", BAD)
async def test_what_cannot_be_labelled_ends_the_socket(bad: str) -> None:
    message, why = BAD[bad]
    ended: list[int | None] = []

    async def says(client: ServerConnection) -> None:
        await client.send(MESSAGES["final"])
        await client.send(STATUS)
        await client.send(message)
        await client.send("too late")
        await client.wait_closed()
        ended.append(client.close_code)

    async with relayed(says) as here:
        code, reason, got = await _told(here)
        assert (code, len(got), got[1]) == (1011, 2, STATUS)
        assert reason.startswith("a picture could not be labelled: ")
        closed = (await here.recorded(2))[-1]
        assert closed.outcome == "blocked"
        assert why in closed.reason
        assert len(closed.items) == 1
    assert ended == [1011]


@pytest.mark.parametrize("bad", BAD)
async def test_what_cannot_be_labelled_passes_where_the_policy_says_so(bad: str) -> None:
    """It alone: what comes behind it is labelled again. The record says so all the same."""
    message, why = BAD[bad]
    async with relayed(saying(message, STATUS, MESSAGES["final"]), on_failure="pass") as here:
        code, _, got = await _told(here)
        assert (code, got[:2]) == (1000, [message, STATUS])
        final = got[2]
        assert isinstance(final, bytes)
        is_labelled(final[8:], PNG)
        closed = here.records[-1]
        assert closed.outcome == "unlabelled"
        assert why in closed.reason
        assert len(closed.items) == 1


async def test_too_much_memory() -> None:
    limits = {"total_memory": "1 KiB", "whole_body": "1 KiB"}
    async with relayed(saying(STATUS, MESSAGES["final"]), limits=limits) as here:
        assert await _told(here) == (1013, "too many large bodies are under way", [STATUS])
        assert (await here.recorded(2))[-1].outcome == "blocked"
        assert here.promised == 0


async def test_where_no_rule_asks_for_anything() -> None:
    async with relayed(saying(MESSAGES["final"]), route={"policies": []}) as here:
        async with connected(here, WS) as client:
            assert client.protocol.extensions
            assert await client.recv() == MESSAGES["final"]
            await client.wait_closed()
        assert (here.only().outcome, here.only().reason) == ("passed", "no rule asks for anything")
        assert here.service.counts.sockets == 0


async def test_what_can_be_labelled_is_relayed_where_everything_else_is_refused() -> None:
    async with relayed(saying(MESSAGES["final"]), route={"unclaimed": "refuse"}) as here:
        code, _, got = await _told(here)
        assert (code, len(got)) == (1000, 1)


@pytest.mark.parametrize(
    ("ending", "outcome"), [("client", "client_left"), ("upstream", "truncated"), ("frame", "blocked")]
)
async def test_how_a_socket_is_lost(ending: str, outcome: str) -> None:
    async def says(request: Received, wire: Wire) -> None:
        await agree(request, wire)
        await wire.send(frame(1, STATUS.encode()))
        if ending == "upstream":
            wire.cut()
        if ending == "frame":
            await wire.send(frame(1, b"masked, as a server's must not be", b"abcd"))
            wire.close()

    async with raw(says) as (here, client):
        await offer(client, WS)
        await client.until(STATUS.encode())
        if ending == "upstream":
            assert await client.is_closed()
        client.close()
        assert (await here.recorded(2))[-1].outcome == outcome


async def test_an_extension_that_nobody_offered() -> None:
    async def says(request: Received, wire: Wire) -> None:
        await agree(request, wire, b"Sec-WebSocket-Extensions: permessage-deflate")

    async with raw(says) as (_, client):
        assert (await offer(client, WS)).status == 502


def test_the_samples_are_what_they_are_called() -> None:
    assert [Image.open(BytesIO(data)).format for data in (PNG, JPEG, WEBP)] == ["PNG", "JPEG", "WEBP"]
