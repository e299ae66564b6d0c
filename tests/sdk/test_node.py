"""The official packages for Node are judges, too: their parsers, stream helpers and chats are not those of Python.

What they do is in node/: a script for each package. Node or its packages missing, nothing is judged, and CI says so;
but where CI has Node and npm will not install what the lock file says, that is a failure.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.chats import USAGE, chunk, completion, told
from tests.running import NOTICE
from tests.scripted import Received, Wire
from tests.sdk import test_anthropic as claude
from tests.sdk import test_google_genai as gemini
from tests.sdk import test_openai_responses as responses
from tests.sdk.chain import EXPECTED_LABEL, Handler, both_ways, chain, says, short, streams
from tests.sdk.ends import SUFFIX, both_ends
from tests.sdk.npm import Missing, Refused, Sdks, install

pytestmark = pytest.mark.slow

KOELN = '{"name": "Köln", "people": 1}'
CITY = {"name": "Köln", "people": 1}
AGAIN = f"You wrote: {NOTICE}Hello. Why? \u2028\U0001f600"
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "K\\u00f6ln",  "n":1.0}'},
}


@pytest.fixture(scope="session")
def sdks(tmp_path_factory: pytest.TempPathFactory) -> Sdks:
    try:
        return install(tmp_path_factory.mktemp("node"))
    except Missing as missing:
        pytest.skip(f"no SDKs for Node: {missing}")
    except Refused as refused:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no SDKs for Node: {refused}")


def called(text: str | None = None) -> dict[str, Any]:
    """An answer that calls a function."""
    return completion(text, finish="tool_calls", tool_calls=[CALL])  # type: ignore[arg-type]


def calling() -> list[dict[str, Any]]:
    """The same, streamed with a text before."""
    given: str = CALL["function"]["arguments"]  # type: ignore[index]
    pieces = [given[:4], given[4:14], given[14:]]
    begun = {**CALL, "index": 0, "function": {"name": "weather", "arguments": ""}}
    calls = [begun, *({"index": 0, "function": {"arguments": piece}} for piece in pieces)]
    return [
        *told("Let me ", "look.")[:-1],
        *(chunk({"tool_calls": [call]}) for call in calls),
        chunk({}, "tool_calls"),
    ]


def used(*records: dict[str, Any]) -> list[dict[str, Any]]:
    """A stream with its usage at the end."""
    return [*records, {**chunk({}), "choices": [], "usage": USAGE}]


def either(whole: Any, stream: Handler) -> Handler:
    """A server that streams where it is asked to."""

    async def handler(request: Received, wire: Wire) -> None:
        asked = b":stream" in request.target or request.json().get("stream")
        await (stream if asked else says(whole))(request, wire)

    return handler


def joined(chunks: list[Any], index: int = 0) -> str:
    """The text of one choice."""
    choices = [choice for one in chunks for choice in one["choices"] if choice["index"] == index]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def unlabelled(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "AIGC"}


# openai: chats


async def test_openai_chat(sdks: Sdks) -> None:
    async with chain(says(completion("One", "Two"), x_request_id="r-1")) as it:
        seen = await sdks.play("openai", "chat", it.here.url, n=2)
    answer = seen["answer"]
    assert unlabelled(answer) == completion(NOTICE + "One", NOTICE + "Two")
    assert short(answer["AIGC"]) == EXPECTED_LABEL == short(seen["headers"]["countermark-aigc"])
    assert seen["request_id"] == "r-1"


async def test_openai_chat_stream(sdks: Sdks) -> None:
    records = used(*told("Hel", "lo", n=2))
    async with chain(streams(records)) as it:
        came = await sdks.play("openai", "chunks", it.here.url, n=2)
    assert [joined(came, index) for index in range(2)] == [NOTICE + "Hello"] * 2
    assert [short(one["AIGC"]) for one in came if "AIGC" in one] == [EXPECTED_LABEL]
    told_directly = [joined(records, index) for index in range(2)]
    assert told_directly == ["Hello"] * 2
    assert len(came) == len(records)
    for one, record in zip(came, records, strict=True):
        silent = [{**choice, "delta": {**choice["delta"], "content": ""}} for choice in one["choices"]]
        assert [{**choice, "delta": {**choice["delta"], "content": ""}} for choice in record["choices"]] == silent
        assert unlabelled({**one, "choices": []}) == {**record, "choices": []}
