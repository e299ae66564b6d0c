"""The desk, on an address of its own beside a real Countermark: what it shows, to whom, and that it hurts nobody."""

import asyncio
import re
import signal
import socket
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from proxy.archive import Archive
from proxy.desk_reader import Busy, Reader
from proxy.desk_server import MOST_CONNECTIONS, DeskServer
from proxy.keys import Keys
from proxy.ledger import Ledger
from proxy.notary import Notary, check, verified
from proxy.record.exchange import decode
from proxy.record.note import read_verifier_key
from proxy.record.outcome import Outcome, State
from proxy.server import bind
from tests.chats import CHAT, asks, chat, told
from tests.command import Running, run, running
from tests.downstream import ask, connected, request
from tests.running import Here, configure, countermark, until
from tests.scripted import Received, Wire, scripted

TOKEN = "for-the-tests-0123456789"
OPENED = {"authorization": f"Bearer {TOKEN}"}

OPEN = ["/health", "/ready"]
GUARDED = ["/", "/policies", "/records", "/checkpoint", "/checkpoint/key", f"/records/{'0' * 32}/proof"]
WRONG = [b"", b"Bearer", *(one.encode("latin-1") for one in (TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer é"))]


def section(folder: Path, listen: str = "127.0.0.1:0") -> dict[str, str]:
    """A desk's section, with its token in a file."""
    (folder / "token").write_text(TOKEN)
    return {"listen": listen, "token": f"file:{folder / 'token'}"}


def at(here: Here) -> httpx.AsyncClient:
    """Somebody at the desk, who has the token."""
    assert here.server.desk is not None
    host, port = here.server.desk.address
    return httpx.AsyncClient(base_url=f"http://{host}:{port}", headers=OPENED, trust_env=False)


@asynccontextmanager
async def with_desk(folder: Path, **sections: Any) -> AsyncIterator[tuple[Here, httpx.AsyncClient]]:
    async with (
        scripted(chat) as upstream,
        countermark(upstream.url, desk=section(folder), **sections) as here,
        at(here) as desk,
    ):
        yield here, desk


async def talk(here: Here, trace: str = "", **more: Any) -> str:
    """One exchange; its trace id."""
    trace = trace or f"{len(here.records) + 1:032x}"
    traced = [(b"traceparent", f"00-{trace}-{'1' * 16}-01".encode())]
    answer = await ask(here.address, "POST", CHAT, asks(**more), traced)
    assert (200, True) == (answer.status, answer.whole)
    return trace


def traces(answer: httpx.Response) -> list[str]:
    assert 200 == answer.status_code, answer.text
    return [exchange["records"][-1]["trace_id"] for exchange in answer.json()["exchanges"]]


# Who sees what.


async def test_health_is_for_everybody_and_records_are_for_those_who_have_the_token(tmp_path: Path) -> None:
    async with with_desk(tmp_path) as (here, desk):
        await talk(here)
        desk.headers.clear()
        for path in OPEN:
            assert (200, {"status": "ok"}) == ((await desk.get(path)).status_code, (await desk.get(path)).json())
        for path in GUARDED:
            for given in WRONG:
                refused = await desk.get(path, headers={"authorization": given} if given else {})
                assert (401, "Bearer") == (refused.status_code, refused.headers["www-authenticate"])
                assert refused.json()["error"]["message"]
        refused = await desk.post("/records/search", json={"text": "Hello world"})
        assert 401 == refused.status_code


async def test_without_a_token_the_desk_shows_health_and_no_record(tmp_path: Path) -> None:
    async with (
        scripted(chat) as upstream,
        countermark(upstream.url, desk={"listen": "127.0.0.1:0"}) as here,
        at(here) as desk,
    ):
        assert 200 == (await desk.get("/health")).status_code
        for path in GUARDED:
            assert 403 == (await desk.get(path)).status_code


async def test_every_answer_is_for_one_reader_and_for_now(tmp_path: Path) -> None:
    async with with_desk(tmp_path) as (here, desk):
        await talk(here)
        for path in [*OPEN, *GUARDED, "/nowhere", "/ready/", "/records?color=red"]:
            answer = await desk.get(path)
            headers = {name.lower() for name in answer.headers}
            assert ("no-store", "nosniff") == (
                answer.headers["cache-control"],
                answer.headers["x-content-type-options"],
            )
            assert not headers & {"set-cookie", "access-control-allow-origin", "server", "location"}, path
            if answer.status_code >= 400:
                assert answer.json()["error"]["message"]
            head = await desk.head(path)
            assert (answer.status_code, b"") == (head.status_code, head.content)


NOT_THERE = [
    (405, "POST", "/health"),
    (405, "DELETE", "/records"),
    (405, "PUT", "/policies"),
    (405, "GET", "/records/search"),
    (404, "GET", "/nowhere"),
    (404, "GET", "/health/"),
    (404, "GET", "/records/../keys"),
    (404, "GET", f"/records/{'0' * 32}/proof"),
    (404, "GET", "/checkpoint"),
    (404, "GET", "/checkpoint/key"),
]


async def test_what_is_not_there(tmp_path: Path) -> None:
    async with with_desk(tmp_path) as (_, desk):
        for expected, method, path in NOT_THERE:
            answer = await desk.request(method, path)
            assert expected == answer.status_code, path
            assert answer.json()["error"]["message"]


# Records.


async def test_records_are_found(tmp_path: Path) -> None:
    async with with_desk(tmp_path) as (here, desk):
        first, second = await talk(here, model="one"), await talk(here, model="two", stream=True)
        last = here.records[-1]
        assert [second, first] == traces(await desk.get("/records"))
        assert [second] == traces(await desk.get("/records", params={"limit": 1}))
        for question in (
            {"id": last.id},
            {"id": last.items[0].produce_id},
            {"trace": second},
            {"model": "two"},
            {"model": "two", "trace": second},
        ):
            assert [second] == traces(await desk.get("/records", params=question)), question
        for question in ({"id": "0" * 32}, {"model": "two", "trace": first}, {"until": "2020-01-01"}, {"tenant": "x"}):
            assert [] == traces(await desk.get("/records", params=question)), question
        assert 2 == len(traces(await desk.get("/records", params={"since": "2020-01-01T00:00:00Z"})))
        found = (await desk.get("/records", params={"trace": second})).json()["exchanges"][0]["records"]
        assert [State.OPENED, State.CLOSED] == [record["state"] for record in found]
        assert Outcome.LABELLED == found[1]["outcome"]


UNCLEAR: list[tuple[str, dict[str, Any]]] = [
    ("records cannot be asked for by color; they can by id", {"color": "red"}),
    ("limit must be a whole number from 1 to 1000", {"limit": "0"}),
    ("limit must be a whole number", {"limit": "1001"}),
    ("limit must be a whole number", {"limit": "²"}),
    ("since must be a date or a time such as", {"since": "yesterday"}),
    ("until must be a date or a time such as", {"until": "2026-13-01"}),
    ("nothing stands behind until", {"until": ""}),
    ("nothing stands behind model, tenant", {"model": "", "id": "x", "tenant": ""}),
    ("each of the fields can be asked for once", {"model": ["one", "two"]}),
]

# (how many of two exchanges of today, asked so)
SPANS = [
    (2, {"since": "0001-01-01", "until": "9999-12-31"}),
    (2, {"since": "1600-01-01T00:00:00+14:00"}),
    (0, {"since": "2500-01-01"}),
    (0, {"until": "1600-01-01"}),
    (2, {"since": "{today}", "until": "{today}"}),  # the whole day, as `countermark ledger find` has it
    (0, {"since": "{today}", "until": "{today}T00:00:00Z"}),
]

NO_TEXT = [
    (400, b""),
    (400, b"{"),
    (400, b'"Hello"'),
    (400, b'{"text": 1}'),
    (400, b'{"text": "Hello", "color": "red"}'),
    (400, b'{"text": "Hello", "limit": "many"}'),
    (413, b'{"text": "%b"}' % (b"x" * (1 << 20))),
]


async def test_a_question_that_cannot_be_understood(tmp_path: Path) -> None:
    async with with_desk(tmp_path) as (_, desk):
        for expected, question in UNCLEAR:
            answer = await desk.get("/records", params=question)
            assert 400 == answer.status_code
            assert answer.json()["error"]["message"].startswith(expected)
        for status, body in NO_TEXT:
            answer = await desk.post("/records/search", content=body)
            assert status == answer.status_code
            assert answer.json()["error"]["message"]


async def test_records_are_found_by_their_time(tmp_path: Path) -> None:
    async with with_desk(tmp_path) as (here, desk):
        await talk(here)
        await talk(here)
        today = datetime.fromtimestamp(here.records[0].at / 1e9, UTC).date().isoformat()
        for expected, span in SPANS:
            asked = {name: said.format(today=today) for name, said in span.items()}
            assert expected == len(traces(await desk.get("/records", params=asked))), asked


async def test_an_answer_is_found_by_its_text(tmp_path: Path) -> None:
    async with with_desk(tmp_path) as (here, desk):
        trace = await talk(here)
        for text in ("Hello world", "hello, WORLD!"):
            assert [trace] == traces(await desk.post("/records/search", json={"text": text}))
        assert [] == traces(await desk.post("/records/search", json={"text": "Good night"}))


async def test_records_are_found_while_exchanges_go_on(tmp_path: Path) -> None:
    async with with_desk(tmp_path) as (here, desk):

        async def talking() -> None:
            for _ in range(40):
                await talk(here)

        async def looking() -> None:
            for _ in range(10):
                assert len(traces(await desk.get("/records", params={"model": "m", "limit": 5}))) <= 5

        await asyncio.gather(*(talking() for _ in range(3)), *(looking() for _ in range(3)))
        assert 120 == len(here.records)


async def test_where_no_records_are_kept(tmp_path: Path) -> None:
    async with with_desk(tmp_path, ledger="off") as (_, desk):
        answer = await desk.get("/records")
        assert (404, "no records are kept (ledger: off)") == (answer.status_code, answer.json()["error"]["message"])
        assert 200 == (await desk.get("/ready")).status_code


async def test_policies(tmp_path: Path) -> None:
    async with with_desk(tmp_path) as (here, desk):
        told = (await desk.get("/policies")).json()
        assert here.service.settings.policy_set.digest == told["policy_set"]
        assert [("/**", ["cn-gb45438"])] == [(route["path"], route["policies"]) for route in told["routes"]]
        assert (0, 0, []) == (told["reloads"], told["failed_reloads"], told["last_faults"])


async def test_the_index_names_what_is_there(tmp_path: Path) -> None:
    async with with_desk(tmp_path) as (here, desk):
        assert here.server.desk is not None
        for line in (await desk.get("/")).json():
            method, path = line.split()
            answer = await desk.request(method, path.replace("{id}", "0" * 32))
            assert (
                answer.status_code in (200, 400) or "nothing has been signed" in answer.text or path.endswith("proof")
            )


# Proofs.


async def test_a_record_is_proven_to_somebody_who_has_the_key(tmp_path: Path) -> None:
    async with with_desk(tmp_path, ledger={"checkpoint": "1 s"}) as (here, desk):
        await talk(here)
        await talk(here, stream=True)
        whole, opened, closed = here.records
        await within(lambda: settled(desk, f"/records/{closed.id}/proof"))
        name, public = read_verifier_key((await desk.get("/checkpoint/key")).text.strip())
        note = (await desk.get("/checkpoint")).text
        assert (name, 4) == (verified(note, [public]).origin, verified(note, [public]).size)
        for expected, path in (
            (whole, f"/records/{whole.id}/proof"),
            (closed, f"/records/{closed.id}/proof"),
            (closed, f"/records/{closed.items[0].produce_id}/proof"),
            (opened, f"/records/{closed.id}/proof?state=opened"),
        ):
            proof = (await desk.get(path)).content
            assert expected == decode(check(proof, [public]))
        assert 404 == (await desk.get(f"/records/{whole.id}/proof?state=closed")).status_code


async def test_a_record_that_is_not_signed_yet_has_no_proof(tmp_path: Path) -> None:
    async with with_desk(tmp_path, ledger={"checkpoint": "1 h"}) as (here, desk):
        await talk(here)
        answer = await desk.get(f"/records/{here.records[0].id}/proof")
        assert (409, True) == (answer.status_code, "not under a checkpoint yet" in answer.json()["error"]["message"])


async def settled(desk: httpx.AsyncClient, path: str) -> bool:
    return (await desk.get(path)).status_code == 200


async def within(holds: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110 - it is asked for over the network
            await asyncio.sleep(0.02)


# Whether requests should be sent here.


async def test_metrics(tmp_path: Path) -> None:
    async with with_desk(tmp_path) as (here, desk):
        await talk(here)
        desk.headers.clear()
        answer = await desk.get("/metrics")
        assert (200, "text/plain; version=0.0.4; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
        assert re.search(r'^countermark_requests_total{.*outcome="labelled".*} 1$', answer.text, re.MULTILINE)


async def test_metrics_are_read_beside_the_loop_that_serves(tmp_path: Path) -> None:
    async with with_desk(tmp_path) as (here, desk):
        reading: list[int] = []
        here.service.trails.connections = lambda: len(reading) or reading.append(threading.get_ident()) or 1
        assert 200 == (await desk.get("/metrics")).status_code
        assert threading.get_ident() not in reading == reading[:1]


@pytest.mark.parametrize(("on_failure", "expected"), [("block", [503, 200, 200]), ("pass", [200, 200, 200])])
async def test_a_ledger_that_cannot_write_makes_it_unready_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_failure: str, expected: list[int]
) -> None:
    monkeypatch.setattr("proxy.desk.RESTING", 0.5)
    file = tmp_path / "countermark.db"
    async with with_desk(tmp_path, ledger={"path": str(file), "on_failure": on_failure}) as (here, desk):
        await talk(here)
        with refusing(file):
            answer = await ask(here.address, "POST", CHAT, asks())
            assert (503 if on_failure == "block" else 200) == answer.status
            said = [(await desk.get("/ready")).status_code]
            await asyncio.sleep(0.6)  # requests are sent here again, to see whether it works now
            said.append((await desk.get("/ready")).status_code)
        await talk(here)
        assert expected == [*said, (await desk.get("/ready")).status_code]
        assert 200 == (await desk.get("/health")).status_code


@contextmanager
def refusing(file: Path) -> Iterator[None]:
    """A ledger that takes no entry."""
    with closing(sqlite3.connect(file, timeout=10, isolation_level=None)) as stranger:
        stranger.execute("CREATE TRIGGER refusing BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'no'); END")
        yield
        stranger.execute("DROP TRIGGER refusing")


async def test_a_broken_edit_does_not_make_it_unready(tmp_path: Path) -> None:
    async with with_desk(tmp_path, watched=0.01) as (here, desk):
        (here.folder / "policies" / "cn-gb45438.yaml").write_text("{")
        await until(lambda: here.service.counts.failed_reloads > 0)
        assert 200 == (await desk.get("/ready")).status_code
        told = (await desk.get("/policies")).json()
        assert here.service.settings.policy_set.digest == told["policy_set"]
        assert told["last_faults"]


# The end, and what goes wrong.


async def test_it_goes_on_answering_while_streams_come_to_their_end(tmp_path: Path) -> None:
    """A process that is told to end takes nothing new, says so at its desk, and ends with its last stream."""
    enough = asyncio.Event()

    async def patient(request: Received, wire: Wire) -> None:
        await wire.sse_head()
        first, *others = told("Hel", "lo")
        await wire.event(first)
        await wire.event(others[0])
        await wire.wait(enough)
        for record in others[1:]:
            await wire.event(record)
        await wire.event("[DONE]")
        await wire.end()

    async with scripted(patient) as upstream:
        configure(tmp_path, upstream.url, desk=section(tmp_path), ledger={"checkpoint": "1 h"})
        with running(tmp_path, "serve", "--config", "config.yaml") as command:
            host, port = await asyncio.to_thread(where, command, "listens on")
            desk = "http://{}:{}".format(*await asyncio.to_thread(where, command, "desk:"))
            async with connected((host, port)) as client, httpx.AsyncClient(base_url=desk, trust_env=False) as asker:
                await client.send(request("POST", CHAT, asks(stream=True)))
                await client.begin()
                await client.until(b"Hel")
                assert 200 == (await asker.get("/ready")).status_code
                command.process.send_signal(signal.SIGTERM)
                await within(lambda: draining(asker))
                assert (503, {"status": "draining"}) == (await status(asker, "/ready"))
                assert (200, {"status": "ok"}) == (await status(asker, "/health"))
                assert 1 == len((await asker.get("/records", headers=OPENED)).json()["exchanges"])
                await within(lambda: refused((host, port)))
                assert command.process.poll() is None
                enough.set()
                answer = await client.rest()
                assert answer.whole
                assert b"data: [DONE]" in answer.body
            assert 0 == await asyncio.to_thread(command.process.wait, 10)
    assert "Traceback" not in "\n".join(command.said)


def where(command: Running, line: str) -> tuple[str, int]:
    found = re.search(r"http://([\d.]+):(\d+)", command.line(line))
    assert found
    return found[1], int(found[2])


async def status(asker: httpx.AsyncClient, path: str) -> tuple[int, Any]:
    answer = await asker.get(path)
    return answer.status_code, answer.json()


async def draining(asker: httpx.AsyncClient) -> bool:
    return (await asker.get("/ready")).status_code == 503


async def refused(address: tuple[str, int]) -> bool:
    try:
        async with connected(address):
            return False
    except ConnectionRefusedError:
        return True


def test_a_port_that_is_taken_is_told_of_before_anything_is_opened(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host, port = taken.getsockname()
        configure(tmp_path, "http://127.0.0.1:9", desk=section(tmp_path, f"{host}:{port}"))
        said = run(tmp_path, "serve", "--config", "config.yaml")
    assert (1, "") == (said.returncode, said.stdout)
    expected = f"cannot listen on 127.0.0.1:{port}: Address already in use; stop what listens there, or choose another"
    assert f"{expected} for the desk (desk: listen)\n" == said.stderr
    assert not (tmp_path / "countermark.db").exists()


async def test_a_desk_that_fails_hurts_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with with_desk(tmp_path) as (here, desk):
        await talk(here)
        ledger = here.folder / "countermark.db"
        ledger.rename(tmp_path / "elsewhere")
        answer = await desk.get("/records")
        assert 503 == answer.status_code
        assert str(here.folder) not in answer.text
        (tmp_path / "elsewhere").rename(ledger)
        assert 1 == len(traces(await desk.get("/records")))
        await talk(here)


async def test_who_holds_all_connections_keeps_nobody_out_and_ends_no_answer(tmp_path: Path) -> None:
    body = b'{"text": "Hello world"}'
    async with with_desk(tmp_path) as (here, desk):
        assert here.server.desk is not None
        address = here.server.desk.address
        async with connected(address) as client:
            fields = [(b"authorization", f"Bearer {TOKEN}".encode())]
            await client.send(request("POST", b"/records/search", body, fields)[: -len(body)])
            held = [await asyncio.open_connection(*address) for _ in range(2 * MOST_CONNECTIONS)]
            assert 200 == (await desk.get("/health")).status_code
            assert MOST_CONNECTIONS == len(here.server.desk.server_state.connections)
            await client.send(body)
            assert 200 == (await client.begin()).status
            for _, writer in held:
                writer.close()
        assert 200 == (await desk.get("/health")).status_code


async def test_a_desk_that_cannot_listen_ends_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def nobody(scope: object, receive: object, send: object) -> None:
        raise AssertionError

    listener = bind("127.0.0.1", 0)
    desk = DeskServer(nobody, listener, HttpToolsProtocol)
    listener.close()
    desk.start()
    await desk.stop()
    assert ["the desk has ended; the proxy goes on"] == caplog.messages


async def test_a_question_that_finds_no_thread_leaves_its_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(**_: Any) -> threading.Thread:
        raise RuntimeError("can't start new thread")

    Ledger.open(tmp_path / "countermark.db", Notary(Keys.ephemeral(bytes(32)))).close()
    reader = Reader(tmp_path / "countermark.db")
    with monkeypatch.context() as patch:
        patch.setattr("proxy.desk_reader.Thread", none_left)
        with pytest.raises(Busy):
            await reader.ask(lambda archive: archive.count())
    assert 0 == await reader.ask(lambda archive: archive.count())


async def test_one_question_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.desk_reader.PATIENCE", 0.05)
    Ledger.open(tmp_path / "countermark.db", Notary(Keys.ephemeral(bytes(32)))).close()
    reader = Reader(tmp_path / "countermark.db")
    begun, over = threading.Event(), threading.Event()

    def slow(_: Archive) -> str:
        begun.set()
        over.wait(10)
        return "slow"

    first = asyncio.create_task(reader.ask(slow))
    await asyncio.to_thread(begun.wait)
    with pytest.raises(Busy):
        await reader.ask(lambda archive: archive.count())
    first.cancel()  # whoever asked has gone, and the thread is still at it
    with pytest.raises(asyncio.CancelledError):
        await first
    with pytest.raises(Busy):
        await reader.ask(lambda archive: archive.count())
    over.set()
    async with asyncio.timeout(5):
        while True:
            try:
                assert 0 == await reader.ask(lambda archive: archive.count())
                break
            except Busy:
                await asyncio.sleep(0.01)
