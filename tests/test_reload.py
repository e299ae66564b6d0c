"""Edits come into force while requests are served: whole or not at all, and every exchange ends as it began."""

import asyncio
import gc
import logging
import re
import signal
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from websockets.exceptions import InvalidStatus

from proxy.bounds import Lease, Memory, Overloaded
from proxy.record.exchange import Record
from proxy.record.outcome import Outcome, State
from proxy.service import Service
from tests.chats import CHAT, asks, chat, chunk, event, events, text_of, told
from tests.command import running
from tests.downstream import Answer, Client, ask, connected, request
from tests.running import Here, countermark, until
from tests.scripted import Received, Wire, scripted
from tests.sockets import connected as joined
from tests.sockets import echo, relayed

SOON = 0.01  # seconds between two looks
PATIENCE = 20.0  # seconds, on a machine that has much else to do
ROUTE = {"path": "/**", "upstream": "models", "policies": ["own"]}
SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


def policy(words: str, retired: tuple[str, ...] = ()) -> str:
    """A policy for text whose notice is the words."""
    rule = {
        "id": "text",
        "when": {"kind": "text"},
        "clause": "-",
        "notice": {"words": {"en": words}},
        "metadata": ["header"],
    }
    data = {"policy": "own", "title": "Own", "sources": [], "rules": [rule], "retired_words": list(retired)}
    return yaml.safe_dump(data, sort_keys=False) + "as_of: 2026-11-21\n"


def edition(number: int) -> str:
    """The policy's edition of this number: its own words, and all earlier ones among those that were in force."""
    return policy(f"[edition {number}]", retired=tuple(f"[edition {one}]" for one in range(number)))


def words_in(text: str) -> list[str]:
    return re.findall(r"\[edition \d+\]", text)


@asynccontextmanager
async def edited(url: str, **sections: Any) -> AsyncIterator[Here]:
    """A Countermark whose only policy is edition 0, and whose files are watched."""
    async with countermark(url, watched=SOON, own=edition(0), **sections) as here:
        yield here


async def edit(here: Here, text: str, name: str = "policies/own.yaml") -> bool:
    """Write a file, and wait until it is in force (true), or refused."""
    counts = here.service.counts
    before = counts.reloads, counts.failed_reloads
    (here.folder / name).write_text(text, encoding="utf-8")
    await until(lambda: (counts.reloads, counts.failed_reloads) != before, PATIENCE)
    return counts.reloads > before[0]


async def configure(here: Here, **sections: Any) -> None:
    """Edit the configuration: the keys of its sections, or whole sections."""
    config = here.folder / "config.yaml"
    whole = yaml.safe_load(config.read_text(encoding="utf-8"))
    whole["upstreams"]["models"] |= sections.pop("upstream", {})
    for name, section in sections.items():
        whole[name] = {**whole.get(name, {}), **section} if isinstance(section, dict) else section
    assert await edit(here, yaml.safe_dump(whole, allow_unicode=True), "config.yaml")


async def said(here: Here) -> str:
    answer = await ask(here.address, "POST", CHAT, asks())
    assert answer.status == 200
    assert here.service.policy == answer.value(b"countermark-policy")
    text: str = answer.json()["choices"][0]["message"]["content"]
    return text


async def test_an_edit_comes_into_force(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "countermark")
    async with scripted(chat) as upstream, edited(upstream.url) as here:
        assert ["[edition 0]"] == words_in(await said(here))
        first = here.service.policy
        assert await edit(here, edition(1))
        assert ["[edition 1]"] == words_in(await said(here))
        assert first != here.service.policy
        digests = [record.policy_set[:16].encode() for record in here.records]
        assert [first, here.service.policy] == digests
        assert 1 == upstream.accepted, "the connection to the upstream was kept"
        told = f"the configuration was read again: policy own; policy set {here.service.policy.decode()} is in force"
        assert told in caplog.messages
        before = list(caplog.messages)
        await asyncio.sleep(20 * SOON)
        assert before == caplog.messages


def faults(here: Here) -> list[str]:
    """The faults of the last edit, without the folder."""
    return [fault.removeprefix(f"{here.folder}/") for fault in here.service.counts.last_faults]


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (r"policies/own\.yaml:1:1: not YAML: .*|policies/own\.yaml:2:1: not YAML: .*", "{\n"),
        (r"policies/own\.yaml:\d+:\d+: .*the key title is missing", edition(1).replace("title: Own\n", "")),
        (r"policies/own\.yaml:\d+:3: unknown key klause .*", edition(1).replace("clause:", "klause:")),
        (
            r"policies/own\.yaml:\d+:1: retired_words: '\[edition 0\]' was in force: list it here, .*",
            policy("[edition 1]"),
        ),
        (
            r"policies/own\.yaml:\d+:1: retired_words: '\[edition 0\]' was in force: list it here, .*",
            policy("[edition 1]").replace("retired_words: []\n", ""),
        ),
    ],
)
async def test_an_edit_that_is_not_sound_changes_nothing_and_says_why(
    expected: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with scripted(chat) as upstream, edited(upstream.url) as here:
        service = here.service
        assert not await edit(here, text)
        assert service is here.service
        assert any(re.fullmatch(expected, fault) for fault in faults(here)), faults(here)
        assert ["[edition 0]"] == words_in(await said(here))
        await asyncio.sleep(20 * SOON)
        told = [*service.counts.last_faults, f"policy set {service.policy.decode()} stays"]
        assert len(told) == len(caplog.messages), "each fault is told once"
        assert all(one in line for one, line in zip(told, caplog.messages, strict=True))
        # Put right, it comes into force.
        assert await edit(here, edition(1))
        assert () == here.service.counts.last_faults
        assert ["[edition 1]"] == words_in(await said(here))
        # As it was once before, it comes into force as well, with what it knows.
        assert await edit(here, policy("[edition 0]", retired=("[edition 1]",)))
        assert ["[edition 0]"] == words_in(await said(here))


async def test_a_policy_that_is_gone_takes_its_words_to_another_one() -> None:
    async with scripted(chat) as upstream, edited(upstream.url) as here:
        (here.folder / "policies" / "other.yaml").write_text(
            policy("[other]").replace("policy: own", "policy: other"), encoding="utf-8"
        )
        await until(lambda: here.service.counts.reloads == 1)
        (here.folder / "policies" / "other.yaml").unlink()
        await until(lambda: here.service.counts.failed_reloads == 1)
        (fault,) = faults(here)
        assert fault.startswith("policies/other.yaml:1:1: this policy is gone, and '[other]' with it")
        assert await edit(here, policy("[edition 0]", retired=("[other]",)))


async def stream(client: Client, **more: Any) -> Client:
    """Ask for a stream, and read until its first text has come."""
    await client.send(request("POST", CHAT, asks(stream=True, **more)))
    await client.begin()
    await client.until(b"Hel")
    return client


def held(release: asyncio.Event) -> Callable[[Received, Wire], Any]:
    """A stream of two choices, the second of which says nothing before the release."""

    async def script(request: Received, wire: Wire) -> None:
        await wire.send(SSE + events(told("Hel", n=1)[:2]))
        await wire.wait(release)
        await asyncio.sleep(len(wire.upstream.received) % 97 / 200)
        await wire.send(events([chunk({"content": "lo"}, index=1), chunk({}, "stop"), chunk({}, "stop", 1)]))
        await wire.send(event("[DONE]"))
        wire.close()

    return script


async def test_an_exchange_ends_as_it_began_and_then_its_upstream_is_let_go() -> None:
    release = asyncio.Event()
    async with scripted(held(release), chat) as upstream, edited(upstream.url) as here, connected(here.address) as one:
        first = here.service
        await stream(one, n=2)
        assert await edit(here, edition(1))
        await configure(here, upstream={"max_connections": 7}, limits={"pixels": "1 Mpx"})
        assert first.upstreams["models"] is not here.service.upstreams["models"]
        assert first.workshop is not here.service.workshop
        assert ["[edition 1]"] == words_in(await said(here))
        # Its upstream and its workshop were taken over by the second Service and dropped by the third.
        assert 1 == here.app.services.earlier
        assert not any(worker._closed for worker in first.workshop._workers)
        release.set()
        answer = await one.rest()
        assert answer.whole
        assert [["[edition 0]"]] * 2 == [words_in(text_of(answer.body, index)) for index in (0, 1)]
        assert first.policy == answer.value(b"countermark-policy")
        await until(lambda: here.app.services.earlier == 0)
        await until(lambda: all(worker._closed for worker in first.workshop._workers))
        assert not any(worker._closed for worker in here.service.workshop._workers)
        assert ["[edition 1]"] == words_in(await said(here))
        assert 2 == upstream.accepted


async def test_a_websocket_stays_as_it_was_opened() -> None:
    async with relayed(echo, watched=SOON, own=edition(0)) as here:
        first = here.service
        async with joined(here) as socket:
            await socket.send("before")
            assert "before" == await socket.recv()
            await configure(here, upstream={"max_connections": 7}, routes=[ROUTE])
            assert first.sockets["models"] is not here.service.sockets["models"]
            await socket.send("after")
            assert "after" == await socket.recv()
            assert (1, 1) == (first.sockets["models"].open, here.app.services.earlier)
        await until(lambda: here.app.services.earlier == 0)
        assert 0 == first.sockets["models"].open
        with pytest.raises(InvalidStatus, match="501"):
            async with joined(here):
                pass


async def test_what_has_not_changed_is_taken_over() -> None:
    async with scripted(chat) as upstream, edited(upstream.url) as here:
        first = here.service
        assert await edit(here, edition(1))
        second = here.service
        for name in ("keys", "ledger", "memory", "workshop", "counts"):
            assert getattr(first, name) is getattr(second, name), name
        assert first.upstreams["models"] is second.upstreams["models"]
        assert first.sockets["models"] is second.sockets["models"]
        await configure(here, limits={"total_memory": "1 GiB", "connect": "3 s"})
        third = here.service
        assert 1 << 30 == third.memory.left
        assert third.upstreams["models"] is not second.upstreams["models"]
        assert third.sockets["models"] is not second.sockets["models"]
        assert third.workshop is second.workshop


def test_memory_that_earlier_exchanges_hold_is_not_promised_again() -> None:
    first = Memory(100)
    one = Lease(first)
    one.take(60)
    second = Memory(80, first)
    third = Memory(200, second)
    two = Lease(second)
    two.take(20)
    assert (40, 0, 120) == (first.left, second.left, third.left)
    with pytest.raises(Overloaded):
        two.take(1)
    one.take(40)  # it has what it was promised when it began
    assert 80 == third.left
    one.end()
    two.end()
    assert (100, 80, 200) == (first.left, second.left, third.left)


async def test_what_takes_a_restart_is_told_and_the_rest_comes_into_force(caplog: pytest.LogCaptureFixture) -> None:
    async with scripted(chat) as upstream, edited(upstream.url) as here:
        before = here.service.settings
        await configure(
            here, listen="127.0.0.1:1", keys="elsewhere", ledger={"synchronous": "full"}, limits={"headers": "1 KiB"}
        )
        after = here.service.settings
        assert (before.listen, before.keys, before.ledger) == (after.listen, after.keys, after.ledger)
        told = [line for line in caplog.messages if "takes a restart" in line]
        assert [["listen"], ["keys"], ["ledger.synchronous"]] == [line.split()[:1] for line in told]
        # The bound of the header section holds for connections that are made from now on.
        assert 431 == (await ask(here.address, "GET", b"/", headers=[(b"x-long", b"x" * 2000)])).status


async def test_who_asks_is_answered_whether_or_not_anything_has_changed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "countermark")
    async with scripted(chat) as upstream, edited(upstream.url) as here:
        for number in (1, 2):
            here.app.reload()
            await until(lambda: here.service.counts.reloads == number)  # noqa: B023
        told = [line for line in caplog.messages if "nothing that counts has changed" in line]
        assert 2 == len(told)


async def test_without_a_watch_nobody_reloads() -> None:
    async with scripted(chat) as upstream, countermark(upstream.url) as here:
        service = here.service
        here.app.reload()
        await asyncio.sleep(0)
        assert service is here.service


async def test_what_ends_with_exchanges_under_way_closes_all() -> None:
    release = asyncio.Event()
    async with scripted(held(release)) as upstream, edited(upstream.url) as here, connected(here.address) as one:
        await stream(one)
        await configure(here, upstream={"max_connections": 7}, limits={"pixels": "1 Mpx"})
        assert 1 == here.app.services.earlier
        await here.app.services.close()
        await until(lambda: upstream.open == 0)
        answer = await one.rest()
        assert not answer.whole


async def test_services_that_nobody_uses_leave_nothing_behind() -> None:
    async with scripted(chat) as upstream, edited(upstream.url) as here:
        counts, ledger = here.service.counts, here.service.ledger
        for number in range(200):
            here.app.reload()
            if number % 40 == 0:
                await configure(
                    here, upstream={"max_connections": 100 + number}, limits={"pixels": f"{number + 1} Mpx"}
                )
                assert await said(here)
            await until(lambda: counts.reloads >= number)  # noqa: B023
        await until(lambda: here.app.services.earlier == 0)
        await asyncio.sleep(0.1)
        gc.collect()
        assert 1 == sum(type(one) is Service and one.ledger is ledger for one in gc.get_objects())
        assert 1 >= upstream.open


BATCHES, EACH = 50, 20


async def test_a_thousand_exchanges_under_way_and_fifty_edits() -> None:
    """Half of the edits are none that can be used. No exchange fails, and each is of one edition from end to end."""
    release = asyncio.Event()
    async with scripted(held(release)) as upstream, edited(upstream.url, upstream={"max_connections": 2000}) as here:
        editions = {here.service.policy: "[edition 0]"}

        async def exchange() -> Answer:
            async with connected(here.address) as client:
                await stream(client, n=2)
                return await client.rest()

        tasks: list[asyncio.Task[Answer]] = []
        for number in range(1, BATCHES + 1):
            tasks += [asyncio.create_task(exchange()) for _ in range(EACH)]
            assert await edit(here, edition(number) if number % 2 else "rules: [\n") is bool(number % 2)
            editions.setdefault(here.service.policy, f"[edition {number}]")
        await until(lambda: len(upstream.received) == BATCHES * EACH, PATIENCE)
        assert BATCHES // 2 + 1 == len(editions)
        assert here.app.services.earlier > BATCHES // 4
        release.set()
        answers = await asyncio.gather(*tasks)
        records = await closed(here, len(answers))

        assert all(answer.whole for answer in answers)
        assert {200} == {answer.status for answer in answers}
        spoken = [editions[answer.value(b"countermark-policy") or b""] for answer in answers]
        for expected, answer in zip(spoken, answers, strict=True):
            assert [[expected]] * 2 == [words_in(text_of(answer.body, index)) for index in (0, 1)]
        assert len(set(spoken)) > BATCHES // 4
        assert {Outcome.LABELLED} == {record.outcome for record in records}
        of_records = [editions[record.policy_set[:16].encode()] for record in records]
        assert sorted(spoken) == sorted(of_records)
        await until(lambda: here.app.services.earlier == 0)
        assert 0 == here.promised


async def closed(here: Here, count: int) -> list[Record]:
    assert here.service.ledger is not None
    found: list[Record] = []
    while len(found) < count:
        found = [one for one in here.service.ledger.recent(4 * count) if one.state is State.CLOSED]
        await asyncio.sleep(0.01)
    return found


CONFIG = """\
provider: {id: TEST-LABS}
upstreams: {models: {url: "http://127.0.0.1:9"}}
routes: [{path: /**, upstream: models, policies: [own]}]
listen: 127.0.0.1:0
"""


def test_a_process_reads_again_when_it_is_told_to_and_when_it_sees_an_edit(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "policies").mkdir()
    own = tmp_path / "policies" / "own.yaml"
    own.write_text(edition(0), encoding="utf-8")
    with running(tmp_path, "serve", "--config", "config.yaml") as command:
        url = command.line("listens on").split("listens on ")[1].split()[0]
        command.process.send_signal(signal.SIGHUP)
        assert "nothing that counts has changed" in command.line("was read again")
        own.write_text(edition(1), encoding="utf-8")
        command.process.send_signal(signal.SIGHUP)
        assert "again: policy own; policy set" in command.line("was read again")
        own.write_text(edition(2).replace("title", "titel"), encoding="utf-8")
        began = time.monotonic()
        assert re.search(r" ERROR policies/own\.yaml:2:1: unknown key titel ", command.line("unknown key"))
        assert 0.9 < time.monotonic() - began < PATIENCE, "two looks a second apart"
        command.line("nothing of it")
        for _ in range(3):
            command.process.send_signal(signal.SIGHUP)
            command.line("nothing of it")
        with urllib.request.urlopen(f"{url}/countermark/health", timeout=10) as health:  # noqa: S310
            assert health.status == 200
        assert 0 == command.stop()
    assert "Traceback" not in "\n".join(command.said)


def test_a_storm_of_hang_ups_ends_nothing_before_its_time(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "own.yaml").write_text(edition(0), encoding="utf-8")
    with running(tmp_path, "serve", "--config", "config.yaml") as command:
        command.line("listens on")
        for _ in range(100):
            command.process.send_signal(signal.SIGHUP)
        command.line("was read again")
        command.process.terminate()
        ending = time.monotonic()
        while command.process.poll() is None:
            assert time.monotonic() - ending < PATIENCE
            command.process.send_signal(signal.SIGHUP)
        assert 0 == command.stop()
    assert "Traceback" not in "\n".join(command.said)


def test_the_one_line_form_sees_edits_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    own = tmp_path / "policies" / "own.yaml"
    own.write_text(edition(0), encoding="utf-8")
    one_line = ("--upstream", "http://127.0.0.1:9", "--provider", "TEST-LABS", "--policy", "own")
    with running(tmp_path, "serve", *one_line, "--listen", "127.0.0.1:0") as command:
        command.line("listens on")
        own.write_text(edition(1), encoding="utf-8")
        command.process.send_signal(signal.SIGHUP)
        assert "again: policy own; policy set" in command.line("was read again")
        own.unlink()
        command.process.send_signal(signal.SIGHUP)
        command.line("--policy: there is no policy own")
        assert 0 == command.stop()
