"""What each regime that comes along does to a conversation, to a picture and to sound, with a real server."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, NamedTuple

import httpx
import pytest

from tests.chats import completion
from tests.command import ROOT
from tests.running import countermark
from tests.scripted import Received, Wire, scripted

SAID = "A plain answer."
PICTURE = (ROOT / "tests" / "samples" / "rgb8.png").read_bytes()


class Served(NamedTuple):
    """What stands before the first answer and before the next one in the same conversation, the members that hold its
    metadata, and what is put into a picture (``badge`` among it where people see something).

    A law that speaks of pictures alone asks nothing of an answer that turns out to hold none.
    """

    first: str
    later: str
    members: set[str]
    picture: set[str]


INTERACTING = "[You are interacting with an AI system]\n\n"
WARNING = "[Жасанды интеллект жасаған мәтін]\n\n"
BADGE = {"badge", "xmp", "statement", "header", "disclosure"}
EXPECTED = {
    "cn-gb45438": Served(
        "【人工智能生成】\n\n", "【人工智能生成】\n\n", {"AIGC"}, {"badge", "xmp", "body", "header", "disclosure"}
    ),
    "eu-ai-act-50": Served(INTERACTING, "", {"ai_disclosure"}, BADGE),
    "in-it-rules": Served("", "", set(), BADGE),
    "kr-ai-basic-act": Served("[이 콘텐츠는 AI로 생성되었습니다]\n\n", "", {"ai_disclosure"}, BADGE),
    "kz-ai-law": Served(WARNING, WARNING, {"ai_disclosure"}, BADGE),
    "us-ca-sb1000": Served("", "", set(), {"statement"}),
    "us-wa-hb1170": Served("", "", set(), {"statement", "header"}),
    "vn-ai-law": Served("[Nội dung do AI tạo]\n\n", "", {"ai_disclosure"}, BADGE),
}


def test_every_regime_is_served_here() -> None:
    assert {file.stem for file in (ROOT / "policies").glob("*.yaml")} == EXPECTED.keys()


async def _answer(request: Received, wire: Wire) -> None:
    match request.target:
        case b"/v1/images/generations":
            await wire.json({"created": 1, "data": [{"b64_json": b64encode(PICTURE).decode()}]})
        case b"/v1/audio/speech":
            await wire.head(headers={"content-type": "audio/mpeg", "content-length": "4"})
            await wire.send(b"ID3\x04")
        case _:
            await wire.json(completion(SAID))


@pytest.mark.parametrize("pack", EXPECTED)
async def test_what_a_client_gets(pack: str) -> None:
    expected = EXPECTED[pack]
    async with (
        scripted(_answer) as upstream,
        countermark(upstream.url, route={"policies": [pack]}) as here,
        httpx.AsyncClient(base_url=here.url, trust_env=False) as client,
    ):
        first, members = await _say(client, [])
        assert expected.first + SAID == first
        assert expected.members == members
        assert (here.records[-1].outcome == "passed") is (not expected.members)
        later, _ = await _say(client, [first])
        assert expected.later + SAID == later
        # What we put in does not reach the model.
        assert [SAID] == [turn["content"] for turn in upstream.received[-1].json()["messages"][1:-1]]

        await client.post("/v1/images/generations", json={"model": "m", "prompt": "a coin"})
        (item,) = here.records[-1].items
        assert expected.picture == set(item.placed)

        # No label can be put into sound yet, and that is never passed over.
        refused = await client.post("/v1/audio/speech", json={"model": "m", "input": "hi", "voice": "v"})
        assert refused.status_code == 502
        assert here.records[-1].outcome == "blocked"


async def _say(client: httpx.AsyncClient, earlier: list[str]) -> tuple[str, set[str]]:
    """An answer, and the members of it that are not the model's. ``earlier``: what was answered before."""
    turns: list[dict[str, str]] = [{"role": "user", "content": "hi"}]
    for answer in earlier:
        turns += [{"role": "assistant", "content": answer}, {"role": "user", "content": "and?"}]
    said: dict[str, Any] = (await client.post("/v1/chat/completions", json={"model": "m", "messages": turns})).json()
    return said["choices"][0]["message"]["content"], said.keys() - completion().keys()
