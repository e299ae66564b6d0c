"""An answer is found by its text, also by an edited copy of it; what that takes is made when the answer has left."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy.archive import open_archive
from proxy.assembly import service
from proxy.finding import Found, Wanted, find, text_of
from proxy.fingerprints import Fingerprints
from proxy.keys import Keys
from proxy.labelling.gathered import MOST, Said
from proxy.ledger import Ledger, LedgerError
from proxy.notary import Notary
from proxy.record.exchange import Record
from proxy.record.likeness import ALIKE
from proxy.record.outcome import Outcome, State
from tests.chats import CHAT, asks, completion, event, events, told
from tests.downstream import Answer, ask
from tests.record.test_likeness import BREAD, ENGLISH, HEADACHE, MIANBAO, OTHER_BREAD, edited
from tests.running import Here, countermark, until
from tests.scripted import Received, Wire, scripted

OWN = """
policy: own
title: Own
as_of: 2026-01-31
sources: [https://example.org/law]
fingerprint: true
rules:
  - {id: all, when: {kind: text}, clause: Art. 1, notice: {words: {zh: 【人工智能生成】}}, metadata: [body]}
"""
SILENT = OWN.replace("fingerprint: true\n", "")
KEYS = Keys.ephemeral(b"k" * 32)
ANTHROPIC = b"/v1/messages"


def pieces(text: str) -> list[str]:
    return [text[start : start + 7] for start in range(0, len(text), 7)]


def speaks(*texts: str) -> Callable[[Received, Wire], Awaitable[None]]:
    """An upstream whose model says these texts, one as each choice, in both dialects."""

    async def handler(request: Received, wire: Wire) -> None:
        streams, text = request.json().get("stream"), texts[0]
        if request.target == ANTHROPIC and streams:
            block = {"type": "content_block_delta", "index": 0}
            records: list[dict[str, Any]] = [
                {"type": "message_start", "message": {"id": "m", "role": "assistant", "content": [], "usage": {}}},
                {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
                *({**block, "delta": {"type": "text_delta", "text": piece}} for piece in pieces(text)),
                {"type": "content_block_stop", "index": 0},
                {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}},
                {"type": "message_stop"},
            ]
            await wire.head(headers={"content-type": "text/event-stream", "transfer-encoding": "chunked"})
            for record in records:
                await wire.chunk(b"event: %b\n" % str(record["type"]).encode() + event(record))
            await wire.end()
        elif request.target == ANTHROPIC:
            message = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": text}]}
            await wire.json({"id": "m", **message, "stop_reason": "end_turn", "usage": {}})
        elif streams:
            await wire.sse(told(*pieces(text)))
        else:
            await wire.json(completion(*texts))

    return handler


@asynccontextmanager
async def proxied(*texts: str, own: str = OWN, **sections: Any) -> AsyncIterator[Here]:
    async with scripted(speaks(*texts)) as upstream, countermark(upstream.url, own=own, **sections) as here:
        yield here


async def asked(here: Here, path: bytes = CHAT, **more: Any) -> Answer:
    return await ask(here.address, "POST", path, asks(max_tokens=9, **more), [(b"content-type", b"application/json")])


async def finished(here: Here) -> None:
    fingerprints = here.service.fingerprints
    assert fingerprints is not None
    await until(lambda: not fingerprints.pending)
    await asyncio.sleep(0)


def found(here: Here, text: str) -> list[Found]:
    archive = open_archive(here.folder / "countermark.db")
    try:
        return find(archive, Wanted(text=text_of(text, here.service.keys)))
    finally:
        archive.close()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("path", [CHAT, ANTHROPIC])
@pytest.mark.parametrize("text", [BREAD, MIANBAO], ids=["English", "Chinese"])
async def test_an_edited_copy_is_found(text: str, path: bytes, stream: bool) -> None:
    async with proxied(text) as here:
        answer = await asked(here, path, stream=stream)
        assert answer.status == 200
        await finished(here)
        states = [State.OPENED, State.CLOSED] if stream else [State.WHOLE]
        await here.recorded(len(states) + 1)
        *told_of, mark = here.records
        assert [*states, State.FINGERPRINTED] == [*(record.state for record in told_of), mark.state]
        last = told_of[-1]
        assert (last.id, last.trace_id, last.at, last.model) == (mark.id, mark.trace_id, mark.at, mark.model)
        (item,) = mark.items
        assert (last.items[0].produce_id, last.items[0].unit) == (item.produce_id, item.unit)
        # The hash of a stream's text is made with its fingerprint, that of a whole answer before it is recorded.
        assert [stream, not stream] == [item.text != "", last.items[0].text != ""]

        for copy in (text, f"【人工智能生成】\n\n{text}", text.upper()):
            (one,) = found(here, copy)
            assert (last.id, 1.0) == (one.last.id, one.likeness)
        for seed in range(3):
            (one,) = found(here, edited(text, 0.15, seed))
            assert one.last.id == last.id
            assert one.likeness >= ALIKE
        assert [] == found(here, OTHER_BREAD if text is BREAD else HEADACHE)


async def test_without_a_rule_that_asks_only_the_same_text_is_found() -> None:
    async with proxied(BREAD, own=SILENT) as here:
        await asked(here)
        await asked(here, stream=True)
        assert [State.WHOLE, State.OPENED, State.CLOSED] == [record.state for record in here.records]
        (one,) = found(here, BREAD.lower())
        assert State.WHOLE is one.last.state
        assert [] == found(here, edited(BREAD, 0.15, 1))


async def test_each_choice_has_its_own_and_texts_too_short_have_none() -> None:
    async with proxied(BREAD, "No.", HEADACHE) as here:
        await asked(here, n=3)
        await finished(here)
        whole, mark = await here.recorded(2)
        assert [whole.items[at].produce_id for at in (0, 2)] == [item.produce_id for item in mark.items]
    async with proxied("No.") as here:
        await asked(here)
        await finished(here)
        assert [State.WHOLE] == [record.state for record in here.records]


async def test_what_waits_is_made_before_the_ledger_closes() -> None:
    async with proxied(BREAD) as here:
        await asked(here)
        path = here.folder / "countermark.db"
        keys = here.service.keys
        await here.app.services.close()
        archive = open_archive(path)
        (one,) = find(archive, Wanted(text=text_of(edited(BREAD, 0.1, 1), keys)))
        archive.close()
        assert State.WHOLE is one.last.state


async def test_they_outlast_an_edit_of_the_configuration() -> None:
    async with proxied(BREAD) as here:
        former = here.service
        here.app.services.follow(service(former.settings, former.keys, former.ledger, former))
        assert here.service is not former
        assert here.service.fingerprints is former.fingerprints
        await asyncio.sleep(0.1)
        assert 0 == here.app.services.earlier
        await asked(here)
        await finished(here)
        assert [State.WHOLE, State.FINGERPRINTED] == [record.state for record in await here.recorded(2)]


async def test_what_has_no_record_gets_none() -> None:
    async with proxied(BREAD, ledger={"on_failure": "pass"}) as here:
        assert here.service.ledger is not None
        here.service.ledger.close()
        assert 200 == (await asked(here)).status
        assert (0, 0) == (here.service.fingerprints.pending, here.service.fingerprints.dropped)  # type: ignore[union-attr]


async def test_no_text_is_written_down_or_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with proxied(BREAD) as here:
        await asked(here)
        await asked(here, stream=True)
        await finished(here)
        await here.recorded(5)
        kept = b"".join(file.read_bytes() for file in here.folder.glob("countermark.db*"))
    for piece in ("Sourdough", "sourdoug", "bacteria"):
        assert piece.encode() not in kept
        assert piece not in caplog.text


async def test_an_observed_answer_gets_none() -> None:
    async with proxied(BREAD, route={"mode": "observe"}) as here:
        await asked(here)
        await here.recorded(1)
        await finished(here)
        assert [State.WHOLE] == [record.state for record in here.records]


async def test_what_has_come_of_a_stream_that_its_client_left_is_found() -> None:
    async def endless(request: Received, wire: Wire) -> None:
        await wire.head(headers={"content-type": "text/event-stream", "transfer-encoding": "chunked"})
        while not wire.gone.is_set():
            await wire.chunk(events(told(BREAD)[1:2]))
            await asyncio.sleep(0.01)

    async with scripted(endless) as upstream, countermark(upstream.url, own=OWN) as here:
        _, writer = await asyncio.open_connection(*here.address)
        body = asks(stream=True)
        writer.write(b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n" % CHAT)
        writer.write(b"content-length: %d\r\n\r\n%b" % (len(body), body))
        await here.recorded(1)
        await asyncio.sleep(0.1)
        writer.close()
        await here.recorded(3)
        assert [State.OPENED, State.CLOSED, State.FINGERPRINTED] == [record.state for record in here.records]
        (left,) = found(here, edited(BREAD, 0.1, 1))
        assert Outcome.CLIENT_LEFT == left.last.outcome


async def test_what_has_not_left_gets_none() -> None:
    """A text that has come, and was kept back because what came with it could not be labelled."""

    async def broken(_: Received, wire: Wire) -> None:
        await wire.head(headers={"content-type": "text/event-stream", "transfer-encoding": "chunked"})
        await wire.chunk(events(told(BREAD)[1:2]) + b"data: {broken\n\n")
        await wire.end()

    async with scripted(broken) as upstream, countermark(upstream.url, own=OWN) as here:
        answer = await asked(here, stream=True)
        await finished(here)
        assert (502, [State.OPENED, State.CLOSED]) == (answer.status, [record.state for record in here.records])


# By itself.


def entry(number: int) -> Record:
    return Record(f"{number:032x}", trace_id="0" * 32, at=number, state=State.FINGERPRINTED)


def said(text: str) -> Said:
    return Said("1" * 32, "choice 0", text, is_known=False, is_whole=True)


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Ledger]:
    ledger = Ledger.open(path / "ledger.db", Notary(KEYS), synchronous="normal")
    try:
        yield ledger
    finally:
        ledger.close()


async def test_what_does_not_fit_is_counted_and_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(tmp_path) as ledger:
        fingerprints = Fingerprints(ledger, KEYS, characters=3 * len(BREAD))
        for number in range(6):
            fingerprints.take(entry(number), [said(BREAD)])
        assert (3, 3) == (fingerprints.pending, fingerprints.dropped)
        await until(lambda: not fingerprints.pending)
        fingerprints.take(entry(6), [said(BREAD[:50])] * (MOST + 2))
        assert 5 == fingerprints.dropped
        await until(lambda: ledger.count() == 4)
        assert MOST == len(ledger.recent(1)[0].items)
        assert [1] == [caplog.text.count("get no fingerprint")]
        await asyncio.to_thread(fingerprints.close)


async def test_closing_takes_so_long_and_no_longer(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        fingerprints = Fingerprints(ledger, KEYS)
        for number in range(200):
            fingerprints.take(entry(number), [said(" ".join(ENGLISH) * 10)])
        began = time.monotonic()
        await asyncio.to_thread(fingerprints.close, 0.2)
        assert time.monotonic() - began < 2
        await asyncio.sleep(0)
        assert fingerprints.dropped > 0
        await until(lambda: ledger.count() + fingerprints.dropped == 200)
        fingerprints.take(entry(200), [said(BREAD)])
        assert 0 == fingerprints.pending
        await asyncio.to_thread(fingerprints.close)  # a second call changes nothing
    assert "fingerprints" not in {thread.name for thread in threading.enumerate()}


async def test_a_ledger_that_cannot_write_loses_fingerprints_and_nothing_else(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        fingerprints = Fingerprints(ledger, KEYS)
        ledger.close()
        fingerprints.take(entry(0), [said(BREAD)])
        await until(lambda: fingerprints.dropped == 1)
        with pytest.raises(LedgerError):
            await ledger.append(entry(1))
        await asyncio.to_thread(fingerprints.close)


async def test_without_work_there_is_no_thread(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        fingerprints = Fingerprints(ledger, KEYS)
        assert "fingerprints" not in {thread.name for thread in threading.enumerate()}
        await asyncio.to_thread(fingerprints.close)


async def test_a_part_of_a_text_has_no_hash_of_the_whole(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        fingerprints = Fingerprints(ledger, KEYS)
        texts = [said(BREAD), said(BREAD)._replace(is_whole=False), said(BREAD)._replace(is_known=True)]
        fingerprints.take(entry(0), texts)
        await until(lambda: ledger.count() == 1)
        items = ledger.recent(1)[0].items
        assert [True, False, False] == [item.text != "" for item in items]
        assert 1 == len({item.sketch for item in items})
        await asyncio.to_thread(fingerprints.close)
