"""The broken-path table, row by row: what the client gets before the start is sent and after, and what is recorded.

A broken thing never looks whole: before the start an error that says what happened, after it a connection cut off.
"""

import gzip
import json
import socket
from collections.abc import Sequence

import pytest

from proxy.record.outcome import Outcome
from tests.chats import CHAT, asks, chat, chunk, completion, event, events, text_of, told
from tests.downstream import ask
from tests.running import NOTICE, countermark
from tests.scripted import CLOSE, CUT, Received, Step, Wire, scripted

TRANSPORTS = ["http1", "httpx"]
ANSWER = json.dumps(completion("SECRET text")).encode()
PACKED = gzip.compress(ANSWER)
SECRET = b"SECRET"


def sized(body: bytes, length: int | None = None, kind: bytes = b"application/json", more: bytes = b"") -> bytes:
    length = len(body) if length is None else length
    return b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\n%bcontent-length: %d\r\n\r\n%b" % (kind, more, length, body)


def chunked(*parts: bytes, kind: bytes = b"text/event-stream", more: bytes = b"", end: bytes = b"0\r\n\r\n") -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\n%btransfer-encoding: chunked\r\n\r\n" % (kind, more)
    return head + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + end


GZIP = b"content-encoding: gzip\r\n"

# What the upstream does, and the status that the client gets.
BEFORE: dict[str, tuple[Sequence[Step], int]] = {
    "reset": ([CUT], 502),
    "end": ([CLOSE], 502),
    "no HTTP": ([b"SSH-2.0-OpenSSH_9.9\r\n\r\n", CLOSE], 502),
    "HTTP/0.9": ([b"hello\n", CLOSE], 502),
    "half a head": ([b"HTTP/1.1 200 OK\r\ncontent-le", CLOSE], 502),
    "two lengths": ([b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}", CLOSE], 502),
    "length and chunked": (
        [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", CLOSE],
        502,
    ),
    "too short": ([sized(ANSWER, len(ANSWER) + 1), CLOSE], 502),
    "cut in a sized body": ([sized(ANSWER[:-9], len(ANSWER)), CUT], 502),
    "no last chunk": ([chunked(ANSWER, kind=b"application/json", end=b""), CLOSE], 502),
    "broken chunk": ([chunked(ANSWER, kind=b"application/json", end=b"nonsense\r\n"), CLOSE], 502),
    "corrupt gzip": ([sized(PACKED[:20] + b"\xff" * 20 + PACKED[40:], more=GZIP)], 502),
    "cut gzip": ([sized(PACKED[:-9], more=GZIP)], 502),
    "no gzip at all": ([sized(ANSWER, more=GZIP)], 502),
    "late": ([60.0], 504),
    "late in a whole body": ([sized(ANSWER[:-9], len(ANSWER)), 60.0], 504),
}


@pytest.mark.parametrize("case", BEFORE)
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_upstream_fails_before_the_start(case: str, transport: str) -> None:
    steps, expected = BEFORE[case]
    limits = {"first_byte": "150 ms", "idle": "150 ms"}
    async with (
        scripted(steps) as upstream,
        countermark(upstream.url, upstream={"transport": transport}, limits=limits) as here,
    ):
        answer = await ask(here.address, "POST", CHAT, asks())
        record = here.only()
    assert answer.status == expected
    assert answer.error == "upstream_error"
    assert SECRET not in answer.body
    assert (record.outcome, record.status, record.state) == ("upstream_error", expected, "whole")
    assert record.reason
    assert not here.promised


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_upstream_refuses(streamed: bool, transport: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with countermark(f"http://127.0.0.1:{port}", upstream={"transport": transport}) as here:
        answer = await ask(here.address, "POST", CHAT, asks(stream=streamed))
        record = here.only()
    assert (answer.status, answer.error) == (502, "upstream_error")
    assert (record.outcome, record.state) == ("upstream_error", "closed" if streamed else "whole")


FIRST, SECOND = event(chunk({"content": "Hel"})), event(chunk({"content": "lo"}))
AFTER: dict[str, tuple[Sequence[Step], str]] = {
    "reset": ([chunked(FIRST, SECOND, end=b""), CUT], "truncated"),
    "no last chunk": ([chunked(FIRST, SECOND, end=b""), CLOSE], "truncated"),
    "within a chunk": ([chunked(FIRST, end=b"ff\r\ndata: "), CLOSE], "truncated"),
    "broken chunk": ([chunked(FIRST, end=b""), 0.05, b"nonsense\r\n", CLOSE], "truncated"),
    "too short": ([sized(FIRST + SECOND, 10_000, b"text/event-stream"), CLOSE], "truncated"),
    "stalled": ([chunked(FIRST, end=b""), 60.0], "truncated"),
    "corrupt gzip": (
        [chunked(gzip.compress(FIRST), end=b"", more=GZIP), 0.05, b"4\r\n\xff\xff\xff\xff\r\n0\r\n\r\n"],
        "upstream_error",
    ),
    "cut gzip": (
        [chunked(gzip.compress(FIRST), end=b"", more=GZIP), 0.05, b"a\r\n%b\r\n0\r\n\r\n" % gzip.compress(b"")[:10]],
        "upstream_error",
    ),
}


@pytest.mark.parametrize("case", AFTER)
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("on_failure", ["block", "pass"])
async def test_the_upstream_fails_after_the_start(case: str, transport: str, on_failure: str) -> None:
    steps, expected = AFTER[case]
    async with (
        scripted(steps) as upstream,
        countermark(
            upstream.url, upstream={"transport": transport}, limits={"idle": "200 ms"}, on_failure=on_failure
        ) as here,
    ):
        answer = await ask(here.address, "POST", CHAT, asks(stream=True))
        record = here.only()
    assert answer.status == 200
    assert not answer.whole
    assert text_of(answer.body.rpartition(b"\n\n")[0] + b"\n\n").startswith(NOTICE + "Hel")
    assert b"[DONE]" not in answer.body
    assert (record.state, record.outcome) == ("closed", expected)
    assert record.reason


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    "steps",
    [
        [sized(b"0123456789", 20, b"audio/mpeg"), CLOSE],
        [sized(b"0123456789", 20, b"audio/mpeg"), CUT],
        [chunked(b"0123456789", end=b""), CLOSE],
        [chunked(b"0123456789", end=b"5\r\n01"), CUT],
        [sized(b"0123456789", 20), 60.0],
    ],
    ids=["too short", "reset", "no last chunk", "within a chunk", "stalled"],
)
async def test_an_unclaimed_response_that_ends_early_is_cut(steps: Sequence[Step], transport: str) -> None:
    async with (
        scripted(steps) as upstream,
        countermark(upstream.url, upstream={"transport": transport}, limits={"idle": "200 ms"}) as here,
    ):
        answer = await ask(here.address, "GET", b"/v1/files/1")
    assert answer.status == 200
    assert not answer.whole
    assert b"0123456789".startswith(answer.body[:10])


# Labelling fails.

STRANGE: dict[str, bytes] = {
    "no JSON": sized(b'{"choices": [SECRET'),
    "another shape": sized(b'{"hello": "SECRET"}'),
    "an array": sized(b'["SECRET"]'),
    "no choices": sized(b'{"choices": "SECRET"}'),
    "another media type": sized(b"<p>SECRET</p>", kind=b"text/html"),
    "no UTF-8": sized(b'{"choices":[{"index":0,"message":{"content":"SECRET \xff\xfe"}}]}'),
    "a lone label": sized(b'{"choices":[{"index":0,"message":{"content":"SECRET"}}],"AIGC":{"Label":"7"}}'),
    "a forged label": sized(
        b'{"choices":[{"index":0,"message":{"content":"SECRET"}}],"AIGC":{"Label":"1","ContentProducer":"X","ProduceID":"1"}}'
    ),
    "too long": sized(json.dumps(completion("SECRET" * 200_000)).encode()),
    "a stream of another shape": chunked(event({"hello": "SECRET"}), event("[DONE]")),
    "a stream of no JSON": chunked(b"data: SECRET\n\n", event("[DONE]")),
    "a stream of no UTF-8": chunked(b'data: {"choices":[{"index":0,"delta":{"content":"SECRET \xff"}}]}\n\n'),
    "a record too long": chunked(event(chunk({"content": "SECRET" * 200_000}))),
    "fields that nobody knows": chunked(b"text: SECRET\n\n", b"text: SECRET\n\n"),
}


def body_of(message: bytes) -> bytes:
    head, _, body = message.partition(b"\r\n\r\n")
    if b"chunked" not in head:
        return body
    out = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        out += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
    return out


@pytest.mark.parametrize("case", STRANGE)
async def test_labelling_fails_and_the_policy_blocks(case: str) -> None:
    async with (
        scripted([STRANGE[case]]) as upstream,
        countermark(upstream.url, limits={"whole_body": "64 KiB", "record": "64 KiB"}) as here,
    ):
        answer = await ask(here.address, "POST", CHAT, asks(stream="stream" in case))
        record = here.only()
    assert (answer.status, answer.error) == (502, "not_labelled")
    assert SECRET not in answer.body
    assert b"countermark-aigc" not in dict(answer.headers)
    assert (record.outcome, record.status) == ("blocked", 502)
    assert record.reason
    assert not record.items


@pytest.mark.parametrize("case", STRANGE)
async def test_labelling_fails_and_the_policy_passes(case: str) -> None:
    async with (
        scripted([STRANGE[case]]) as upstream,
        countermark(upstream.url, limits={"whole_body": "64 KiB", "record": "64 KiB"}, on_failure="pass") as here,
    ):
        answer = await ask(here.address, "POST", CHAT, asks(stream="stream" in case))
        record = here.only()
    assert answer.status == 200
    assert answer.whole
    assert answer.value(b"countermark-status") == b"unlabelled"
    assert answer.value(b"countermark-aigc") is None
    assert answer.value(b"ai-disclosure") is None
    assert answer.body == body_of(STRANGE[case])
    assert record.outcome == "unlabelled"
    assert record.reason
    assert not record.items


async def test_an_answer_too_long_to_label_passes_in_bounded_memory() -> None:
    """What a policy lets pass need not be held: it is longer than all that may be held."""
    body = json.dumps(completion("x" * 500_000)).encode()
    limits = {"whole_body": "64 KiB", "total_memory": "128 KiB"}
    async with scripted([sized(body)]) as upstream, countermark(upstream.url, limits=limits, on_failure="pass") as here:
        answer = await ask(here.address, "POST", CHAT, asks())
    assert answer.status == 200
    assert answer.value(b"countermark-status") == b"unlabelled"
    assert answer.body == body


BROKEN = b'data: {"choices":[{"index":1,"delta":{"content":"SECRET\n\n'


async def test_labelling_fails_after_the_start_and_the_policy_blocks() -> None:
    async with (
        scripted([chunked(FIRST, end=b""), 0.05, b"%x\r\n%b\r\n0\r\n\r\n" % (len(BROKEN), BROKEN)]) as upstream,
        countermark(upstream.url) as here,
    ):
        answer = await ask(here.address, "POST", CHAT, asks(stream=True, n=2))
        record = here.only()
    assert not answer.whole
    assert SECRET not in answer.body
    assert (record.state, record.outcome) == ("closed", "blocked")


async def test_labelling_fails_after_the_start_and_the_policy_passes() -> None:
    rest = BROKEN + events(told("lo")) + event("[DONE]")
    async with (
        scripted([chunked(FIRST, end=b""), 0.05, b"%x\r\n%b\r\n0\r\n\r\n" % (len(rest), rest)]) as upstream,
        countermark(upstream.url, on_failure="pass") as here,
    ):
        answer = await ask(here.address, "POST", CHAT, asks(stream=True, n=2))
        record = here.only()
    assert answer.whole
    assert answer.body.endswith(rest)
    assert (record.state, record.outcome) == ("closed", "unlabelled")


async def test_an_unknown_content_coding_is_blocked() -> None:
    async with (
        scripted([sized(ANSWER, more=b"content-encoding: compress\r\n")]) as upstream,
        countermark(upstream.url) as here,
    ):
        answer = await ask(here.address, "POST", CHAT, asks())
        assert here.only().outcome == "blocked"
    assert answer.status == 502
    assert SECRET not in answer.body


@pytest.mark.parametrize(("coding", "body", "expected"), [(b"gzip", b"no gzip", 400), (b"compress", asks(), 415)])
async def test_a_request_that_cannot_be_decoded_is_the_clients_fault(coding: bytes, body: bytes, expected: int) -> None:
    async with scripted(chat) as upstream, countermark(upstream.url) as here:
        answer = await ask(here.address, "POST", CHAT, body, [(b"content-encoding", coding)])
        assert not upstream.received
    assert answer.status == expected


async def test_a_stream_that_only_its_connections_end_ends_is_cut() -> None:
    """Without a length, without chunks and without its last record, nobody can tell an end from a cut."""
    stream = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" + FIRST
    async with scripted([stream, CLOSE]) as upstream, countermark(upstream.url) as here:
        answer = await ask(here.address, "POST", CHAT, asks(stream=True))
        record = (await here.recorded(2))[-1]
    assert not answer.whole
    assert record.outcome == "truncated"


@pytest.mark.parametrize(
    ("expected", "location"),
    [(b"/v1/chat/completions/?a=1", "{url}/v1/chat/completions/?a=1"), (b"/v1/elsewhere", "/v1/elsewhere")],
)
async def test_a_redirection_leads_back_to_us(expected: bytes, location: str) -> None:
    async def handler(_: Received, wire: Wire) -> None:
        await wire.reply(b'{"choices":[]}', status=307, location=location.format(url=upstream.url))

    async with scripted(handler) as upstream, countermark(upstream.url) as here:
        answer = await ask(here.address, "POST", CHAT, asks())
    assert (answer.status, answer.value(b"location"), answer.body) == (307, expected, b"")


async def test_a_redirection_past_us_is_blocked() -> None:
    async def handler(_: Received, wire: Wire) -> None:
        await wire.reply(b"", status=307, location="https://elsewhere.example/v1/chat/completions")

    async with scripted(handler) as upstream, countermark(upstream.url) as here:
        answer = await ask(here.address, "POST", CHAT, asks())
        assert here.only().outcome == "blocked"
    assert (answer.status, answer.value(b"location")) == (502, None)


async def test_what_no_rule_labels_is_recorded_when_it_has_passed() -> None:
    body = json.dumps(completion("x")).encode()
    async with scripted([sized(body)[:-5], CUT]) as upstream, countermark(upstream.url, route={"policies": []}) as here:
        answer = await ask(here.address, "POST", CHAT, asks())
        record = here.only()
    assert (answer.status, record.outcome) == (502, "upstream_error")


async def test_a_failure_of_the_ledger_counts_as_one() -> None:
    async with scripted(chat) as upstream, countermark(upstream.url) as here:
        assert here.service.ledger is not None
        here.service.ledger.close()
        answer = await ask(here.address, "POST", CHAT, asks())
        assert answer.status == 503
        assert set(here.service.counts.outcomes) == {Outcome.BLOCKED}
