"""What a collector is told: spans with the right parents, metrics that add up, and never what an exchange says."""

import asyncio
import base64
import json
import logging
import socket
import sqlite3
import threading
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from websockets.asyncio.server import ServerConnection

from proxy.metrics import SECONDS, Timing
from proxy.record.outcome import Outcome
from proxy.record.span import Span
from proxy.record.trace_context import Context, parse, spell
from proxy.telemetry import Telemetry
from tests.chats import CHAT, asks, chat, chunk, completion
from tests.command import running
from tests.downstream import ask, connected, request
from tests.otlp import Collector, Told, collector
from tests.running import Here, configure, countermark, until
from tests.scripted import CUT, Received, Wire, scripted
from tests.sockets import connected as connected_socket
from tests.sockets import echo, relayed

PROMPT, ANSWER, KEY = "the-prompt-itself", "the-answer-itself", "sk-the-credential-itself"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALLER = Context(TRACE, SPAN, sampled=True)


@pytest.fixture(autouse=True)
def _straight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@asynccontextmanager
async def told(url: str, there: Collector, sample: str = "100 %", **sections: Any) -> AsyncIterator[Here]:
    """A Countermark that tells ``there`` of what it does; all of it has arrived when the block has ended."""
    async with countermark(url, telemetry={"otlp": there.url, "sample": sample}, **sections) as here:
        yield here


def question(**more: Any) -> bytes:
    return asks(messages=[{"role": "user", "content": PROMPT}], **more)


async def answers(request: Received, wire: Wire) -> None:
    if request.json().get("stream"):
        await wire.sse([chunk({"content": ANSWER}), chunk({}, "stop")])
    else:
        await wire.json(completion(ANSWER))


def upstreams(request: Received) -> Context:
    """The context that reached the upstream."""
    context = parse(request.value(b"traceparent") or b"")
    assert context is not None
    return context


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_trace_goes_from_the_caller_through_both_spans_to_the_upstream(streamed: bool) -> None:
    fields = [(b"traceparent", spell(CALLER)), (b"tracestate", b"vendor=1")]
    with collector() as there:
        async with scripted(answers) as upstream, told(upstream.url, there) as here:
            answer = await ask(here.address, "POST", CHAT + b"?key=secret", question(stream=streamed), fields)
            record = here.only()
            assert 200 == answer.status
        serving, asking = there.only("server"), there.only("client")
        reached = upstreams(upstream.received[0])

    assert (TRACE, SPAN, True) == (serving.trace_id, serving.parent, serving.remote)
    assert (TRACE, serving.id, False) == (asking.trace_id, asking.parent, asking.remote)
    assert Context(TRACE, asking.id, sampled=True) == reached
    assert b"vendor=1" == upstream.received[0].value(b"tracestate")
    assert TRACE == record.trace_id
    assert serving.begun <= asking.begun <= asking.ended <= serving.ended
    host, _, port = upstream.url.removeprefix("http://").partition(":")
    first = asking.attributes.pop("gen_ai.response.time_to_first_chunk", None)
    assert (first is not None) is streamed
    assert ("chat m", False) == (asking.name, asking.failed)
    assert asking.attributes == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "server.address": host,
        "server.port": int(port),
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.request.stream": streamed,
        "gen_ai.output.type": "text",
    }
    took = serving.attributes.pop("ai_label.duration_ms")
    implicit = serving.attributes.pop("ai_label.implicit")
    assert 0 < took < (serving.ended - serving.begun) / 1e6
    assert set(implicit) == set(record.items[0].placed) - {"prefix"}
    assert ("POST /**", False) == (serving.name, serving.failed)
    assert serving.attributes == {
        "http.request.method": "POST",
        "http.route": "/**",
        "http.response.status_code": 200,
        "url.path": "/v1/chat/completions",
        "ai_label.policy": here.service.policy.decode(),
        "ai_label.outcome": "labelled",
        "ai_label.because": list(record.because),
        "ai_label.explicit": True,
        "ai_label.content_id": [item.produce_id for item in record.items],
    }


@pytest.mark.parametrize(
    "said", [[b"00-xyz"], [spell(CALLER), spell(CALLER._replace(trace_id="1" * 32))]], ids=["nonsense", "two callers"]
)
async def test_without_a_caller_the_exchange_begins_a_trace_of_its_own(said: list[bytes]) -> None:
    with collector() as there:
        async with scripted(answers) as upstream, told(upstream.url, there) as here:
            # What stands in the header cannot be read, so its companion means nothing.
            fields = [*((b"traceparent", one) for one in said), (b"tracestate", b"vendor=1")]
            await ask(here.address, "POST", CHAT, question(), fields)
            record = here.only()
        serving = there.only("server")

    assert ("", record.trace_id) == (serving.parent, serving.trace_id)
    assert Context(record.trace_id, there.only("client").id, sampled=True) == upstreams(upstream.received[0])
    assert upstream.received[0].value(b"tracestate") is None


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [(b"traceparent", spell(CALLER._replace(sampled=False))), (b"tracestate", b"vendor=1")],
        [(b"traceparent", b"nonsense")],
    ],
    ids=["none", "the caller decided", "nonsense"],
)
async def test_what_is_not_sampled_goes_upstream_as_it_came_and_is_told_of_in_numbers_only(
    fields: list[tuple[bytes, bytes]],
) -> None:
    with collector() as there:
        async with scripted(answers) as upstream, told(upstream.url, there, sample="0 %") as here:
            await ask(here.address, "POST", CHAT, question(), fields)
            record = here.only()
        assert there.spans == []
        assert 1 == there.number("countermark.requests", route="/**", dialect="openai.chat", outcome="labelled")

    received = upstream.received[0]
    assert [one for one in received.headers if one[0].startswith(b"trace")] == fields
    assert record.trace_id == (TRACE if len(fields) == 2 else record.id)


async def test_a_caller_that_samples_is_followed_whatever_our_share() -> None:
    with collector() as there:
        async with scripted(answers) as upstream, told(upstream.url, there, sample="0 %") as here:
            await ask(here.address, "POST", CHAT, question(), [(b"traceparent", spell(CALLER))])
        assert SPAN == there.only("server").parent


async def test_the_share_is_about_what_it_says() -> None:
    with collector() as there:
        async with (
            scripted(answers) as upstream,
            told(upstream.url, there, sample="50 %") as here,
            connected(here.address) as client,
        ):
            for _ in range(100):
                await client.ask("POST", CHAT, question())
        assert 20 < len([one for one in there.spans if one.kind == "server"]) < 80


NO_CHAT = {"object": "chat.completion", "choices": "no list"}


async def not_labelled(request: Received, wire: Wire) -> None:
    await wire.json(NO_CHAT)


async def refuses(request: Received, wire: Wire) -> None:
    await wire.json({"error": {"message": ANSWER}}, status=429)


async def breaks_off(request: Received, wire: Wire) -> None:
    await wire.sse_head()
    await wire.event(chunk({"content": ANSWER}))
    wire.cut()


@pytest.mark.parametrize(
    ("script", "streamed", "outcome", "serving", "asking"),
    [
        (not_labelled, False, "blocked", (502, "Blocked"), (200, None)),
        (refuses, False, "error_response", (429, None), (429, "429")),
        ([CUT], False, "upstream_error", (502, "Truncated"), (None, "Truncated")),
        (breaks_off, True, "truncated", (200, "Truncated"), (200, "Truncated")),
    ],
    ids=["blocked", "an error of the upstream's", "no answer", "half an answer"],
)
async def test_failures_are_told(
    script: Any, streamed: bool, outcome: str, serving: tuple[Any, Any], asking: tuple[Any, Any]
) -> None:
    def said(span: Told) -> tuple[Any, Any]:
        return span.attributes.get("http.response.status_code"), span.attributes.get("error.type")

    with collector() as there:
        async with scripted(script) as upstream, told(upstream.url, there) as here:
            await ask(here.address, "POST", CHAT, question(stream=streamed))
            assert here.records[-1].outcome == outcome
        assert serving == said(there.only("server"))
        assert asking == said(there.only("client"))
        for span in there.spans:
            assert span.failed is ("error.type" in span.attributes)
        assert outcome == there.only("server").attributes["ai_label.outcome"]
        assert 1 == there.number("countermark.requests", route="/**", dialect="openai.chat", outcome=outcome)


async def test_a_client_that_leaves() -> None:
    waits = asyncio.Event()

    async def slow(request: Received, wire: Wire) -> None:
        await wire.sse_head()
        await wire.event(chunk({"content": ANSWER}))
        await wire.wait(waits)

    with collector() as there:
        async with scripted(slow) as upstream, told(upstream.url, there) as here:
            async with connected(here.address) as client:
                await client.send(request("POST", CHAT, question(stream=True)))
                await client.begin()
                await client.piece()
                assert 1 == here.service.trails.under_way == here.service.trails.streaming
            await until(lambda: here.records[-1].outcome is Outcome.CLIENT_LEFT)
            waits.set()
            await until(lambda: here.service.trails.under_way == 0)
            assert 0 == here.service.trails.streaming
        assert ("client_left", "ClientLeft") == tuple(
            there.only("server").attributes[name] for name in ("ai_label.outcome", "error.type")
        )


async def test_a_stream_that_is_only_observed_is_one_of_those_under_way() -> None:
    waits = asyncio.Event()

    async def slow(request: Received, wire: Wire) -> None:
        await wire.sse_head()
        await wire.event(chunk({"content": ANSWER}))
        await wire.wait(waits)

    routes = [{"path": "/**", "upstream": "models", "policies": ["cn-gb45438"], "mode": "observe"}]
    desk = {"listen": "127.0.0.1:0"}
    async with scripted(slow) as upstream, countermark(upstream.url, routes=routes, desk=desk) as here:
        async with connected(here.address) as client:
            await client.send(request("POST", CHAT, question(stream=True)))
            await client.begin()
            await client.piece()
            await until(lambda: here.service.trails.streaming == 1)
        waits.set()
        await until(lambda: here.service.trails.under_way == 0)
        assert 0 == here.service.trails.streaming


async def test_an_unclaimed_path_is_not_told() -> None:
    with collector() as there:
        ok = [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"]
        async with scripted(ok) as upstream, told(upstream.url, there) as here:
            await ask(here.address, "POST", b"/hook/secret-in-the-path", b"{}")
        serving, asking = there.only("server"), there.only("client")
        assert {"http.request.method": "POST", "http.route": "/**", "http.response.status_code": 200} == (
            serving.attributes
        )
        assert "POST" == asking.name
        assert b"secret-in-the-path" not in b"".join(there.raw)
        assert 2 == there.number("countermark.transfer", route="/**", to="client")


async def test_nothing_that_was_said_and_nobody_who_said_it_is_in_what_leaves() -> None:
    fields = [(b"authorization", f"Bearer {KEY}".encode()), (b"traceparent", spell(CALLER)), (b"user-agent", b"a-user")]
    with collector() as there:
        async with scripted(answers) as upstream, told(upstream.url, there) as here:
            for streamed in (False, True):
                target = CHAT + b"?api-key=" + KEY.encode()
                await ask(here.address, "POST", target, question(stream=streamed, user="an-end-user"), fields)
            tenant = here.records[0].tenant
        exported = b"".join(there.raw)

    assert tenant
    for secret in (
        PROMPT,
        ANSWER,
        KEY,
        "api-key",
        "an-end-user",
        "a-user",
        tenant,
        "127.0.0.1:" + str(here.address[1]),
    ):
        assert secret.encode() not in exported
    assert TRACE == there.spans[0].trace_id


async def test_metrics_add_up() -> None:
    with collector() as there:
        async with scripted(answers) as upstream, told(upstream.url, there, sample="0 %") as here:
            sent = 0
            for streamed in (False, True, True):
                sent += len((await ask(here.address, "POST", CHAT, question(stream=streamed))).body)
            await ask(here.address, "POST", b"/unknown", b"{}")
            rules = " ".join(here.records[-1].because)
        labelled = {"route": "/**", "dialect": "openai.chat", "outcome": "labelled"}
        assert 3 == there.number("countermark.requests", **labelled)
        assert 3 == there.number("countermark.answers", rules=rules, outcome="labelled", reason="")
        assert 1 == there.number("countermark.unclaimed")
        assert 1 == there.number("countermark.requests", route="/**", dialect="", outcome="unclaimed")
        assert sent <= there.number("countermark.transfer", route="/**", to="client")
        assert 0 == there.number("countermark.requests_under_way") == there.number("countermark.ledger_pending")
        assert 1 == there.number("countermark.policy_set", digest=here.service.policy.decode())
        for stage in ("parse", "decide", "metadata", "ledger"):
            assert 3 == there.timed("countermark.added", stage=stage)
        assert (
            4 == there.timed("countermark.duration", route="/**") == there.timed("countermark.first_byte", route="/**")
        )
        assert 4 == there.timed("countermark.upstream", upstream="models")
        assert "countermark" == there.resource["service.name"]


async def test_what_was_held_back_is_no_byte_of_the_clients(tmp_path: Path) -> None:
    ledger = tmp_path / "countermark.db"
    with collector() as there:
        async with scripted(answers) as upstream, told(upstream.url, there, ledger={"path": str(ledger)}) as here:
            with closing(sqlite3.connect(ledger, isolation_level=None)) as stranger:
                stranger.execute("CREATE TRIGGER no BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'no'); END")
                assert 503 == (await ask(here.address, "POST", CHAT, question())).status
                stranger.execute("DROP TRIGGER no")
        because = " ".join(there.only("server").attributes["ai_label.because"])
        assert because
        assert 1 == there.number("countermark.answers", rules=because, outcome="blocked", reason="Unrecorded")
        assert 0 < there.number("countermark.transfer", route="/**", to="us")
        assert 0 == there.number("countermark.transfer", route="/**", to="client")


async def test_requests_without_an_answer_of_an_upstreams_are_told_apart() -> None:
    routes = [
        {"path": "/kept/**", "upstream": "models", "policies": ["cn-gb45438"], "unclaimed": "refuse"},
        {"path": "/open/**", "upstream": "models", "policies": ["cn-gb45438"]},
    ]
    ok = [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"]
    with collector() as there:
        async with scripted(ok) as upstream, told(upstream.url, there, routes=routes) as here:
            for expected, path in ((403, b"/kept/x"), (200, b"/open/x"), (404, b"/x")):
                assert expected == (await ask(here.address, "POST", path, b"{}")).status
        for route, outcome in (("/kept/**", "refused"), ("/open/**", "unclaimed"), ("", "unrouted")):
            assert 1 == there.number("countermark.requests", route=route, dialect="", outcome=outcome)


def ours(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says. The SDK's own words go nowhere, and caplog hears them all the same."""
    return [record.getMessage() for record in caplog.records if record.name == "countermark"]


async def test_a_collector_that_is_gone_changes_nothing_and_is_told_of_once(
    caplog: pytest.LogCaptureFixture, unused_tcp_port: int
) -> None:
    there = Collector(f"http://127.0.0.1:{unused_tcp_port}")
    async with scripted(answers) as upstream, told(upstream.url, there) as here:
        for _ in range(20):
            assert 200 == (await ask(here.address, "POST", CHAT, question())).status
    metrics, spans = sorted(ours(caplog))
    assert metrics.startswith(f"telemetry: {there.url} takes no metrics, which are lost until it does: ")
    assert spans.startswith(f"telemetry: {there.url} takes no spans, which are lost until it does: ")
    assert "Connection refused" in metrics
    assert not logging.getLogger("opentelemetry").propagate


def test_a_collector_that_comes_back_is_told_of_too(caplog: pytest.LogCaptureFixture, unused_tcp_port: int) -> None:
    caplog.set_level(logging.INFO, "countermark")
    read = threading.Semaphore(0)

    def readings() -> list[Any]:
        read.release()
        return []

    telemetry = Telemetry(f"http://127.0.0.1:{unused_tcp_port}", readings, every=0.05)
    for _ in range(200):
        if ours(caplog):
            break
        read.acquire(timeout=0.1)
    with collector(port=unused_tcp_port):
        telemetry.close()

    lost, found = ours(caplog)
    assert "takes no metrics" in lost
    assert "takes metrics again" in found


def test_a_collector_that_takes_spans_alone_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "countermark")
    with collector(lacks="/v1/metrics") as there:
        telemetry = Telemetry(there.url, list, every=0.02, delay=0.02)
        for number in range(1, 6):
            assert telemetry.tell(Span("server", "POST", TRACE, f"{number:016x}", "", False, 1, 2, {}, False))
            time.sleep(0.05)
        telemetry.close()

    assert 5 == len(there.spans)
    (said,) = ours(caplog)
    assert said.startswith(f"telemetry: {there.url} takes no metrics, which are lost until it does: ")
    assert "404" in said


def test_a_histogram_says_nothing_that_nobody_measured() -> None:
    timing = Timing("duration", "How long it took", ())
    for nanoseconds in (3_000_000_000, 60_000_000_000):
        timing.took((), nanoseconds)
    with collector() as there:
        Telemetry(there.url, lambda: [timing.read()]).close()
    (point,) = there.metrics["countermark.duration"].histogram.data_points

    assert (2, 63.0, [*SECONDS]) == (point.count, point.sum, [*point.explicit_bounds])
    assert [int(bound in (5.0, None)) for bound in (*SECONDS, None)] == [*point.bucket_counts]
    assert not point.HasField("min")
    assert not point.HasField("max")


def test_a_collector_that_never_answers_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        telemetry = Telemetry(f"http://127.0.0.1:{silent.getsockname()[1]}", list, every=0.01, delay=0.01)
        span = Span("server", "POST", TRACE, SPAN, "", False, 1, 2, {}, False)
        began = time.monotonic()
        for _ in range(100):
            telemetry.tell(span)
        time.sleep(0.1)  # both threads are at it
        telemetry.close(patience=0.2)
        assert time.monotonic() - began < 1


def test_spans_that_find_no_room_are_dropped_and_said_to_be(unused_tcp_port: int) -> None:
    telemetry = Telemetry(f"http://127.0.0.1:{unused_tcp_port}", list)
    span = Span("server", "POST", TRACE, SPAN, "", False, 1, 2, {}, False)
    taken = [telemetry.tell(span) for _ in range(6000)]
    began = time.monotonic()
    telemetry.close(patience=0.2)

    assert 4096 <= sum(taken) < 6000
    assert not taken[-1]
    assert time.monotonic() - began < 1


async def test_off_nothing_is_followed() -> None:
    async with scripted(chat) as upstream, countermark(upstream.url) as here:
        fields = [(b"traceparent", spell(CALLER))]
        await ask(here.address, "POST", CHAT, question(), fields)
        assert [(b"traceparent", spell(CALLER))] == [
            one for one in upstream.received[0].headers if one[0] == b"traceparent"
        ]
        assert TRACE == here.only().trace_id
        assert () == here.service.counts.requests.read().points


async def test_pictures_tell_how_long_drawing_takes_and_what_was_put_in() -> None:
    held = BytesIO()
    Image.new("RGB", (64, 64), (9, 99, 199)).save(held, "PNG")
    picture = {"created": 1, "data": [{"b64_json": base64.b64encode(held.getvalue()).decode()}]}

    async def draws(request: Received, wire: Wire) -> None:
        await wire.json(picture)

    with collector() as there:
        async with scripted(draws) as upstream, told(upstream.url, there) as here:
            asked = json.dumps({"model": "m", "prompt": PROMPT}).encode()
            assert 200 == (await ask(here.address, "POST", b"/v1/images/generations", asked)).status
        assert 1 == there.timed("countermark.added", stage="draw")
        said = there.only("server").attributes
        assert {"xmp"} <= set(said["ai_label.implicit"])
        assert ("image", "generate_content m") == (
            there.only("client").attributes["gen_ai.output.type"],
            there.only("client").name,
        )


async def test_a_websocket_is_followed_from_its_handshake_to_its_end() -> None:
    heard: list[Context | None] = []

    async def echoes(socket: ServerConnection) -> None:
        assert socket.request is not None
        heard.append(parse(socket.request.headers["traceparent"].encode()))
        await echo(socket)

    with collector() as there:
        async with relayed(echoes, telemetry={"otlp": there.url, "sample": "0 %"}) as here:
            fields = {"traceparent": spell(CALLER).decode()}
            async with connected_socket(here, additional_headers=fields) as client:
                await client.send("a")
                assert "a" == await client.recv()
                assert 1 == here.service.trails.streaming
            await until(lambda: here.service.trails.under_way == 0)
            assert 0 == here.service.trails.streaming
        serving, asking = there.only("server"), there.only("client")

    assert [Context(TRACE, asking.id, sampled=True)] == heard
    assert (SPAN, serving.id) == (serving.parent, asking.parent)
    assert 101 == serving.attributes["http.response.status_code"] == asking.attributes["http.response.status_code"]


async def test_a_process_that_is_told_to_end_sends_what_it_has_first(tmp_path: Path) -> None:
    """The command as people start it: its log in JSON, its spans on their way within seconds of the signal."""
    with collector() as there:
        async with scripted(answers) as upstream:
            telemetry = {"otlp": there.url, "sample": "100 %", "logs": "json"}
            config = configure(tmp_path, upstream.url, telemetry=telemetry)

            def talk() -> list[str]:
                with running(tmp_path, "serve", "--config", str(config)) as command:
                    url = command.line("listens on").split("listens on ")[1].split()[0]
                    fields = {"content-type": "application/json", "traceparent": spell(CALLER).decode()}
                    for path in (CHAT.decode(), "/unknown"):
                        request = urllib.request.Request(url + path, question(), fields)  # noqa: S310
                        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
                            response.read()
                    assert 0 == command.stop()
                    return command.said

            lines = await asyncio.to_thread(talk)
    (warning,) = [json.loads(line) for line in lines if "unclaimed" in line]

    assert ["server"] * 2 == [one.kind for one in there.spans if one.kind == "server"]
    assert TRACE == warning["trace_id"]
    assert warning["span_id"] in {one.id for one in there.spans}
    assert {"countermark"} == {there.resource["service.name"]}
    assert [] == [line for line in lines if "Traceback" in line]
