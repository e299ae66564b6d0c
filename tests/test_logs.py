"""One record is one line, whatever is in it; in JSON, with the trace that it belongs to."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest

from proxy.logs import Json, Line, to_stderr
from proxy.record.trace_context import Context, parse, spell
from tests.chats import CHAT, asks
from tests.downstream import ask
from tests.running import countermark
from tests.scripted import CUT, scripted

CALLER = Context("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", sampled=True)
NASTY = 'a\r\nb\x1b[31m\x85\u2028"\ud800'


class Said(StringIO):
    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def said() -> Iterator[Said]:
    """What our log says, in JSON."""
    stream = Said()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Json())
    log = logging.getLogger("countermark")
    log.addHandler(handler)
    yield stream
    log.removeHandler(handler)


def test_a_record_is_one_object_on_one_line() -> None:
    before = datetime.now(UTC)
    # Not said: no report of a test, which keeps all that is said, can hold it.
    said = Json().format(logging.LogRecord("countermark", logging.WARNING, "", 0, "%s", (NASTY,), None))
    line = json.loads(said)

    assert 1 == len(said.splitlines())
    assert ("WARNING", NASTY.replace("\ud800", "?")) == (line["level"], line["message"])
    assert line["time"].endswith("Z")
    assert -0.01 < (datetime.fromisoformat(line["time"]) - before).total_seconds() < 5
    assert {"time", "level", "message"} == set(line)


def test_a_fault_of_our_own_comes_with_its_traceback(said: Said) -> None:
    try:
        raise KeyError("x")
    except KeyError:
        logging.getLogger("countermark").exception("it broke")
    (line,) = said.lines

    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("KeyError: 'x'")


@pytest.mark.parametrize("called", [True, False])
async def test_what_is_said_during_an_exchange_names_its_trace(said: Said, called: bool) -> None:
    fields = [(b"traceparent", spell(CALLER))] if called else []
    async with scripted([CUT]) as upstream, countermark(upstream.url, telemetry={"logs": "json"}) as here:
        await ask(here.address, "POST", CHAT, asks(), fields)
        record = here.only()
    (line,) = [line for line in said.lines if line["message"].startswith("upstream_error")]

    assert record.trace_id == line["trace_id"]
    assert (CALLER.trace_id if called else record.id) == record.trace_id
    assert "span_id" not in line
    assert parse(b"00-%b-%b-00" % (line["trace_id"].encode(), b"1" * 16)) is not None


async def test_nothing_is_named_where_nobody_asks(said: Said) -> None:
    async with scripted([CUT]) as upstream, countermark(upstream.url) as here:
        await ask(here.address, "POST", CHAT, asks())

    assert [] == [line for line in said.lines if "trace_id" in line]


@pytest.mark.parametrize(("form", "expected"), [("plain", Line), ("json", Json)])
def test_the_form_is_what_the_configuration_says(
    form: Any, expected: type[logging.Formatter], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    to_stderr()
    to_stderr(form)
    to_stderr(form)
    (handler,) = root.handlers

    assert type(handler.formatter) is expected


def test_plain_lines_stay_as_they_are() -> None:
    record = logging.LogRecord("countermark", logging.INFO, "", 0, "%s", (NASTY,), None)
    time, level, message = Line().format(record).split(" ", 2)

    assert ("INFO", 'a\\u000d\\u000ab\\u001b[31m\\u0085\\u2028"\ud800') == (level, message)
    assert datetime.fromisoformat(time).tzinfo is not None
