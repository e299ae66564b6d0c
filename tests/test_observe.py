"""A route that observes (``mode: observe``): the bytes of both sides are those of a route without policies, and the
record says what the same route would have recorded otherwise."""

import asyncio
import base64
import gzip
import json
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from proxy.labelling.observer import NOT_DRAWN
from proxy.ledger import Ledger, LedgerError
from proxy.record.exchange import Record
from proxy.record.outcome import Outcome
from tests.chats import asks, chunk, completion, event, events, told
from tests.downstream import Answer, ask, connected, request
from tests.running import Here, countermark, until
from tests.scripted import CLOSE, Received, Step, Wire, scripted
from tests.sockets import connected as connected_socket
from tests.sockets import echo, relayed

CHAT = "/v1/chat/completions"
IMAGES = "/v1/images/generations"
OBSERVES = {"route": {"mode": "observe"}}


def png(side: int = 64) -> bytes:
    held = BytesIO()
    Image.new("RGB", (side, side), (9, 99, 199)).save(held, "PNG")
    return held.getvalue()


def whole(body: bytes, content_type: str = "application/json", status: str = "200 OK", more: bytes = b"") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\nx-a: 1\r\ncontent-length: {len(body)}\r\n"
    return head.encode() + more + b"\r\n" + body


def chunked(body: bytes, content_type: str, more: bytes = b"", size: int = 37) -> list[Step]:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n".encode()
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return [head + more + b"\r\n", *(b"%x\r\n%b\r\n" % (len(part), part) for part in parts), b"0\r\n\r\n"]


def plain(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


SSE = "text/event-stream; charset=utf-8"
HELLO = plain(completion("Hello world"))
STREAM = events([*told("Hel", "lo"), "[DONE]"])
PICTURE = plain({"created": 1, "data": [{"b64_json": base64.b64encode(png()).decode()}]})
LINKED = plain({"created": 1, "data": [{"url": "http://pictures.test/1.png"}]})
OLLAMA = b"".join(
    plain(one) + b"\n"
    for one in (
        {"model": "m", "message": {"role": "assistant", "content": "Hi"}, "done": False},
        {"model": "m", "message": {"role": "assistant", "content": ""}, "done": True},
    )
)
GEMINI = (
    b"["
    + b",\r\n".join(
        plain({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}]}) for text in "ab"
    )
    + b"]"
)

# What is asked, what the upstream answers, how enforcing ends, and how the record of observing begins to tell of it.
Case = tuple[str, bytes, list[Step], Outcome, str]
ANSWERS: dict[str, Case] = {
    "whole": (CHAT, asks(), [whole(HELLO)], Outcome.LABELLED, "would be labelled"),
    "whole, to the connection's end": (
        CHAT, asks(), [b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n", HELLO, CLOSE],
        Outcome.LABELLED, "would be labelled",
    ),
    "whole, coded": (
        CHAT, asks(), [whole(gzip.compress(HELLO), more=b'content-encoding: gzip\r\netag: "1"\r\n')],
        Outcome.LABELLED, "would be labelled",
    ),
    "server-sent events": (
        CHAT, asks(stream=True), chunked(STREAM, SSE), Outcome.LABELLED, "would be labelled",
    ),
    "server-sent events, coded": (
        CHAT, asks(stream=True), chunked(gzip.compress(STREAM), SSE, b"content-encoding: gzip\r\n"),
        Outcome.LABELLED, "would be labelled",
    ),
    "a stream nobody asked for": (CHAT, asks(), chunked(STREAM, SSE), Outcome.LABELLED, "would be labelled"),
    "lines of JSON": (
        "/api/chat", asks(), chunked(OLLAMA, "application/x-ndjson"), Outcome.LABELLED, "would be labelled",
    ),
    "a JSON array": (
        "/v1beta/models/gemini:streamGenerateContent", b'{"contents":[]}', chunked(GEMINI, "application/json"),
        Outcome.LABELLED, "would be labelled",
    ),
    "for a program": (
        CHAT, asks(response_format={"type": "json_object"}), [whole(plain(completion('{"a":1}')))],
        Outcome.METADATA_ONLY, "would get metadata and no notice: ",
    ),
    "labelled already": (
        CHAT, asks(), [whole(plain(completion("【人工智能生成】\n\nHello")))],
        Outcome.ALREADY_LABELLED, "would get metadata and no second notice: ",
    ),
    "a picture": (IMAGES, asks(prompt="a cat"), [whole(PICTURE)], Outcome.LABELLED, "would be labelled"),
    "a picture that is linked to": (
        IMAGES, asks(prompt="a cat"), [whole(LINKED)], Outcome.BLOCKED, "would be blocked: data[0].url is a URL",
    ),
    "no JSON": (CHAT, asks(), [whole(b"Hello")], Outcome.BLOCKED, "would be blocked: "),
    "nothing": (CHAT, asks(), [whole(b"")], Outcome.BLOCKED, "would be blocked: the answer is empty"),
    "something else": (CHAT, asks(), [whole(b'{"a":1}')], Outcome.BLOCKED, "would be blocked: "),
    "a coding that nobody knows": (
        CHAT, asks(), [whole(HELLO, more=b"content-encoding: x-secret\r\n")],
        Outcome.BLOCKED, "would be blocked: the content's coding 'x-secret' cannot be decoded",
    ),
    "a coding that is broken": (
        CHAT, asks(), [whole(b"no gzip", more=b"content-encoding: gzip\r\n")],
        Outcome.UPSTREAM_ERROR, "would be answered with an error: ",
    ),
    "an error": (
        CHAT, asks(), [whole(b'{"error":{"message":"no"}}', status="429 Slow down", more=b"retry-after: 3\r\n")],
        Outcome.ERROR_RESPONSE, "would pass as an error: ",
    ),
    "an error with status 200": (
        CHAT, asks(), [whole(b'{"error":{"message":"no"}}')], Outcome.ERROR_RESPONSE, "would pass as an error: ",
    ),
    "no body": (
        CHAT, asks(), [b"HTTP/1.1 204 No Content\r\nx-a: 1\r\n\r\n"], Outcome.PASSED, "would pass as it came: ",
    ),
    "a redirection": (
        CHAT, asks(), [whole(b"", status="307 Temporary Redirect", more=b"location: /elsewhere?a=%20\r\n")],
        Outcome.PASSED, "would pass as it came: a redirection",
    ),
    "a redirection to somebody else": (
        CHAT, asks(), [whole(b"", status="302 Found", more=b"location: https://elsewhere.test/\r\n")],
        Outcome.BLOCKED, "would be blocked: ",
    ),
    "a stream that does not say that it is whole": (
        CHAT, asks(stream=True),
        [b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n", events(told("Hello")), CLOSE],
        Outcome.TRUNCATED, "would be cut off: ",
    ),
}  # fmt: skip

ROUTES = [
    {"path": "/bare/**", "upstream": "models", "policies": []},
    {"path": "/observe/**", "upstream": "models", "policies": ["cn-gb45438"], "mode": "observe"},
    {"path": "/enforce/**", "upstream": "models", "policies": ["cn-gb45438"]},
]
FIELDS = [(b"accept-encoding", b"gzip, x-secret"), (b"range", b"bytes=0-"), (b"accept-language", b"zh")]


async def recorded(here: Here, route: str) -> Record:
    """How the only exchange on this route ended."""

    def ended() -> list[Record]:
        return [one for one in here.records if one.route == f"/{route}/**" and one.outcome != Outcome.PENDING]

    await until(lambda: bool(ended()))
    (record,) = ended()
    return record


@pytest.mark.parametrize("case", ANSWERS)
async def test_nothing_changes_and_the_record_says_what_would(case: str) -> None:
    path, body, steps, outcome, reason = ANSWERS[case]
    answers: dict[str, Answer] = {}
    async with scripted(steps) as upstream, countermark(upstream.url, routes=ROUTES) as here:
        for route in ("bare", "observe", "enforce"):
            answers[route] = await ask(here.address, "POST", f"/{route}{path}".encode(), body, FIELDS)
        observed, enforced = await recorded(here, "observe"), await recorded(here, "enforce")
        await until(lambda: not here.promised)
    bare, answer = answers["bare"], answers["observe"]
    first, second, _ = upstream.received

    for one in ("status", "whole", "body", "headers"):
        assert getattr(bare, one) == getattr(answer, one)
    assert (first.target.removeprefix(b"/bare"), first.body) == (second.target.removeprefix(b"/observe"), second.body)
    assert second.value(b"range") == b"bytes=0-"
    assert outcome == enforced.outcome
    assert (Outcome.OBSERVED, answer.status) == (observed.outcome, observed.status)
    assert observed.reason.startswith(reason)
    assert observed.reason.endswith(enforced.reason.removeprefix("the answer could not be labelled: "))
    assert enforced.because == observed.because
    assert not enforced.items or enforced.streaming == observed.streaming
    assert [(one.kind, one.unit) for one in enforced.items] == [(one.kind, one.unit) for one in observed.items]
    for did, would in zip(enforced.items, observed.items, strict=True):
        assert () == would.placed
        assert f"would get: {', '.join(did.placed)}" in would.skipped
        assert did.skipped in would.skipped
        assert would.before == would.after
        assert (NOT_DRAWN in would.skipped) is (would.kind == "image")


async def test_without_a_dialect_nothing_is_said_and_nothing_is_refused() -> None:
    async with (
        scripted([whole(b"abc", "text/plain")]) as upstream,
        countermark(upstream.url, route={"mode": "observe", "unclaimed": "refuse"}) as here,
    ):
        answer = await ask(here.address, "POST", b"/v1/novelties", b"{}")
        assert (1, 0) == (here.service.counts.unclaimed, here.service.counts.refused)
    assert (200, b"abc") == (answer.status, answer.body)
    assert not any(name.startswith(b"countermark") for name, _ in answer.headers)


async def test_a_request_whose_length_is_not_told_goes_up_whole() -> None:
    parts = [b"x" * 40_000] * 3
    limits = {"whole_body": "64 KiB", "total_memory": "96 KiB"}
    async with (
        scripted([whole(HELLO)]) as upstream,
        countermark(upstream.url, limits=limits, **OBSERVES) as here,
        connected(here.address) as client,
    ):
        await client.send(b"POST %b HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" % CHAT.encode())
        for part in parts:
            await client.send(b"%x\r\n%b\r\n" % (len(part), part))
        await client.send(b"0\r\n\r\n")
        await client.begin()
        assert (await client.rest()).body == HELLO
        await until(lambda: bool(here.records) and not here.promised)
    assert upstream.received[0].body == b"".join(parts)


async def test_a_form_goes_up_as_it_comes() -> None:
    form = b'--x\r\ncontent-disposition: form-data; name="prompt"\r\n\r\na cat\r\n--x--\r\n'
    async with scripted([whole(PICTURE)]) as upstream, countermark(upstream.url, **OBSERVES) as here:
        fields = [(b"content-type", b"multipart/form-data; boundary=x")]
        answer = await ask(here.address, "POST", b"/v1/images/edits", form, fields)
        record = (await here.recorded(1))[-1]
    assert (form, PICTURE) == (upstream.received[0].body, answer.body)
    assert "would be labelled" == record.reason


async def test_the_other_transport() -> None:
    async with (
        scripted(chunked(STREAM, SSE)) as upstream,
        countermark(upstream.url, upstream={"transport": "httpx"}, **OBSERVES) as here,
    ):
        answer = await ask(here.address, "POST", CHAT.encode(), asks(stream=True))
        record = (await here.recorded(2))[-1]
    assert (STREAM, True, "would be labelled") == (answer.body, answer.whole, record.reason)


async def test_answers_one_after_the_other_on_one_connection() -> None:
    """A record that is written when its answer has left does not get in the way of the next request."""
    async with (
        scripted([whole(HELLO)]) as upstream,
        countermark(upstream.url, **OBSERVES) as here,
        connected(here.address) as client,
    ):
        for _ in range(20):
            assert (await client.ask("POST", CHAT.encode(), asks())).body == HELLO
        assert {"observed"} == {record.outcome for record in await here.recorded(20)}


async def test_websockets_pass() -> None:
    async with relayed(echo, route={"mode": "observe", "websockets": "refuse", "unclaimed": "refuse"}) as here:
        async with connected_socket(here) as client:
            assert client.response is not None
            assert not [name for name in client.response.headers if name.lower().startswith("countermark")]
            await client.send("hello")
            assert "hello" == await client.recv()
        assert (1, 0) == (here.service.counts.sockets, here.service.counts.refused)


async def test_a_socket_with_pictures_passes_and_is_recorded() -> None:
    preview = b"\0\0\0\1\0\0\0\2" + png()
    async with relayed(echo, route={"mode": "observe"}) as here:
        async with connected_socket(here, b"/ws?clientId=1f") as client:
            await client.send(preview)
            assert preview == await client.recv()
        (record,) = here.records
    assert (Outcome.OBSERVED, ("cn-gb45438/image",)) == (record.outcome, record.because)
    assert "its pictures would be labelled; what a WebSocket carries is not looked at" == record.reason


async def test_what_enforcing_refuses_passes() -> None:
    """A request for an encrypted answer, which is refused before the upstream is asked."""
    async with (
        scripted([whole(b"\x00\x01", "application/octet-stream")]) as upstream,
        countermark(upstream.url, routes=ROUTES) as here,
    ):
        encrypted = [(b"x-is-encrypted", b"true")]
        refused = await ask(here.address, "POST", f"/enforce{CHAT}".encode(), asks(), encrypted)
        answer = await ask(here.address, "POST", f"/observe{CHAT}".encode(), asks(), encrypted)
        observed = await recorded(here, "observe")
    assert (400, 200, b"\x00\x01") == (refused.status, answer.status, answer.body)
    assert "would be blocked: this request asks for an encrypted answer" in observed.reason


async def test_earlier_turns_keep_their_notices() -> None:
    told_before = [{"role": "assistant", "content": "【人工智能生成】\n\nHello"}, {"role": "user", "content": "Go on"}]
    body = plain({"model": "m", "messages": told_before})
    async with scripted([whole(HELLO)]) as upstream, countermark(upstream.url, routes=ROUTES) as here:
        for route in ("observe", "enforce"):
            await ask(here.address, "POST", f"/{route}{CHAT}".encode(), body)
    assert body == upstream.received[0].body
    assert body != upstream.received[1].body


@pytest.mark.parametrize(
    "body",
    [gzip.compress(asks(stream=True)), b"no gzip", b"x" * 70_000],
    ids=["coded", "called coded", "larger than may be held"],
)
async def test_requests_go_up_as_they_came(body: bytes) -> None:
    fields = [] if body.startswith(b"x") else [(b"content-encoding", b"gzip")]
    limits = {"whole_body": "64 KiB", "total_memory": "96 KiB"}
    async with scripted([whole(HELLO)]) as upstream, countermark(upstream.url, limits=limits, **OBSERVES) as here:
        answer = await ask(here.address, "POST", CHAT.encode(), body, fields)
        record = (await here.recorded(1))[-1]
    (received,) = upstream.received
    assert (200, HELLO, body) == (answer.status, answer.body, received.body)
    assert (received.value(b"content-encoding") == b"gzip") is bool(fields)
    assert Outcome.OBSERVED == record.outcome or record.streaming


@pytest.mark.parametrize(
    ("taken", "reason"),
    [
        (60_000, "was not looked at: too many large bodies are under way"),
        (0, "would be blocked: the answer is longer than 65536 bytes"),
    ],
)
async def test_what_is_larger_than_may_be_held_passes(taken: int, reason: str) -> None:
    """And nothing stays promised."""
    large = plain(completion("Hello " * 20_000))
    limits = {"whole_body": "64 KiB", "total_memory": "160 KiB"}
    async with scripted([whole(large)]) as upstream, countermark(upstream.url, limits=limits, **OBSERVES) as here:
        others = here.service.memory.left - taken if taken else 0
        here.service.memory.take(others)
        answer = await ask(here.address, "POST", CHAT.encode(), asks())
        record = (await here.recorded(1))[-1]
        await until(lambda: here.promised == others)
    assert (200, large) == (answer.status, answer.body)
    assert reason == record.reason


async def test_a_piece_leaves_before_the_next_one_comes() -> None:
    more = asyncio.Event()
    steps: list[Step] = [*chunked(event(told("Hello")[0]), SSE, size=999)[:2], more, *chunked(STREAM, SSE)[1:]]
    async with (
        scripted(steps) as upstream,
        countermark(upstream.url, **OBSERVES) as here,
        connected(here.address) as client,
    ):
        await client.send(request("POST", CHAT.encode(), asks(stream=True)))
        await client.begin()
        await client.until(b'"role"')
        more.set()
        assert (await client.rest()).whole


async def test_a_whole_answer_does_not_wait_for_its_end_to_be_looked_at() -> None:
    more = asyncio.Event()
    first, rest = HELLO[:40], HELLO[40:]
    steps: list[Step] = [whole(HELLO)[: -len(rest)], more, rest]
    async with (
        scripted(steps) as upstream,
        countermark(upstream.url, **OBSERVES) as here,
        connected(here.address) as client,
    ):
        await client.send(request("POST", CHAT.encode(), asks()))
        await client.begin()
        await client.until(first)
        more.set()
        assert (await client.rest()).body == HELLO


@pytest.mark.parametrize("steps", [chunked(STREAM, SSE)[:4], [whole(HELLO)[:-9]]], ids=["stream", "whole answer"])
async def test_what_breaks_off_breaks_off(steps: list[Step]) -> None:
    async with scripted([*steps, CLOSE]) as upstream, countermark(upstream.url, routes=ROUTES) as here:
        body = asks(stream=len(steps) > 1)
        unclaimed = await ask(here.address, "POST", b"/bare/v1/novelties", body)
        answer = await ask(here.address, "POST", f"/observe{CHAT}".encode(), body)
        record = await recorded(here, "observe")
        await until(lambda: not here.promised)
    assert unclaimed.body == answer.body
    assert (False, False) == (unclaimed.whole, answer.whole)
    assert Outcome.TRUNCATED == record.outcome


async def test_a_head_without_a_body() -> None:
    steps: list[Step] = [b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n"]
    async with scripted(steps) as upstream, countermark(upstream.url, routes=ROUTES) as here:
        bare, answer = [
            await ask(here.address, "HEAD", f"/{route}/v1/responses/resp_1".encode()) for route in ("bare", "observe")
        ]
        record = await recorded(here, "observe")
    assert (200, b"999", b"") == (answer.status, answer.value(b"content-length"), answer.body)
    assert bare.headers == answer.headers
    assert "would pass as it came: no body" == record.reason


async def test_a_client_that_leaves_is_told_of() -> None:
    async def slowly(_: Received, wire: Wire) -> None:
        await wire.sse_head()
        while not wire.gone.is_set():
            await wire.event(chunk({"content": "a"}))
            await asyncio.sleep(0.001)

    async with scripted(slowly) as upstream, countermark(upstream.url, **OBSERVES) as here:
        async with connected(here.address) as client:
            await client.send(request("POST", CHAT.encode(), asks(stream=True)))
            await client.begin()
            await client.until(b"content")
        assert Outcome.CLIENT_LEFT == (await here.recorded(2))[-1].outcome
        await until(lambda: not here.promised)


async def test_a_fault_of_ours_is_not_felt(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_: object) -> bytes:
        raise RuntimeError("a fault")

    async with scripted(chunked(STREAM, SSE)) as upstream, countermark(upstream.url, **OBSERVES) as here:
        monkeypatch.setattr("proxy.look.label", broken)
        answer = await ask(here.address, "POST", CHAT.encode(), asks(stream=True))
        record = (await here.recorded(2))[-1]
    assert (STREAM, True) == (answer.body, answer.whole)
    assert (Outcome.OBSERVED, "was not looked at: the proxy failed; its log says how") == (
        record.outcome,
        record.reason,
    )
    assert "a fault" in caplog.text


async def test_a_ledger_that_cannot_write_holds_nothing_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async with scripted([whole(HELLO)]) as upstream, countermark(upstream.url, routes=ROUTES) as here:
        assert here.service.ledger is not None

        def full(_: Record) -> "asyncio.Future[None]":
            failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            failed.set_exception(LedgerError("the disk is full"))
            return failed

        monkeypatch.setattr(Ledger, "append", lambda _, record: full(record))
        enforced = await ask(here.address, "POST", f"/enforce{CHAT}".encode(), asks())
        answer = await ask(here.address, "POST", f"/observe{CHAT}".encode(), asks())
        await until(lambda: here.service.counts.unrecorded == 2)
        assert 1 == here.service.counts.outcomes[Outcome.OBSERVED]
    assert (503, 200, HELLO) == (enforced.status, answer.status, answer.body)
