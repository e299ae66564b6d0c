"""The statement on its way out: in JSON, in streams and in pictures, of whole answers and of what they link to."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from proxy.media.formats import find
from tests.chats import CHAT, asks, chat, read
from tests.downstream import Answer, ask
from tests.running import Here, countermark
from tests.scripted import scripted

PUBLIC = "https://ai.example.com"
PNG = (Path(__file__).parent / "samples" / "rgb8.png").read_bytes()
OWN = """
policy: own
title: Own
as_of: 2026-01-31
sources: [https://example.org/law]
rules:
  - {id: all, when: {kind: [text, image]}, clause: Art. 1, metadata: [statement]}
"""
SECTIONS: dict[str, Any] = {
    "own": OWN,
    "public_url": PUBLIC,
    "provider": {"system": {"name": "test-chat", "version": "1.0"}},
    "identity": {"tenant": "authorization"},
}


def whole(document: object) -> list[bytes]:
    body = json.dumps(document).encode()
    return [b"HTTP/1.1 200 X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)]


def expected(here: Here, answer: Answer, index: int = 0, **more: Any) -> dict[str, Any]:
    """The statement of the item at ``index`` of the last record."""
    record = here.records[-1]
    said = {
        "ai_generated": True,
        "mode": "created",
        "provider_name": "Test Labs",
        "provider_id": "TEST-LABS",
        "system_name": "test-chat",
        "system_version": "1.0",
        "model": {"id": "m"},
        "created_at": datetime.fromtimestamp(record.at // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "content_id": record.items[index].produce_id,
        "computer_resource_id": PUBLIC,
        "digital_source_type": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
        "policy": {"set": dict(answer.headers)[b"countermark-policy"].decode(), "names": ["own"]},
    }
    return said | more


ALTERED = {
    "mode": "altered",
    "digital_source_type": "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia",
}


def stated(picture: bytes) -> Any:
    media = find(picture)
    assert media is not None
    assert () == media.read(picture)
    ((said,),) = [carrier.disclosures for carrier in media.carriers(picture)]
    return json.loads(said)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_text_says_where_it_comes_from_and_nothing_about_who_asked(stream: bool) -> None:
    async with scripted(chat) as upstream, countermark(upstream.url, **SECTIONS) as here:
        answer = await ask(here.address, "POST", CHAT, asks(stream=stream), [(b"authorization", b"Bearer secret")])
        told = [one for one in read(answer.body) if one != "[DONE]"] if stream else [answer.json()]
        assert expected(here, answer) == told[0]["ai_disclosure"]
        assert [False] * (len(told) - 1) == ["ai_disclosure" in one for one in told[1:]]
        assert b"AIGC" not in answer.body
        assert not [name for name, _ in answer.headers if name == b"countermark-aigc"]
        assert [("statement",)] == [item.placed for item in here.records[-1].items]


@pytest.mark.parametrize(
    ("path", "more"), [("generations", {}), ("edits", ALTERED), ("variations", ALTERED)], ids=lambda one: str(one)[:10]
)
async def test_a_picture_says_it_in_its_file_and_the_answer_beside_it(path: str, more: dict[str, Any]) -> None:
    pictures = {"created": 1, "data": [{"b64_json": base64.b64encode(PNG).decode()}] * 2}
    async with scripted(whole(pictures)) as upstream, countermark(upstream.url, **SECTIONS) as here:
        asked = b'{"model":"m","prompt":"a cat"}'
        answer = await ask(here.address, "POST", b"/v1/images/" + path.encode(), asked)
        document = answer.json()
        assert expected(here, answer, **more) == document["ai_disclosure"]
        for index, one in enumerate(document["data"]):
            assert expected(here, answer, index, **more) == stated(base64.b64decode(one["b64_json"]))
        assert [("statement",)] * 2 == [item.placed for item in here.records[-1].items]


async def test_what_is_linked_to_says_how_it_was_made_each_time_that_it_is_fetched() -> None:
    head = b"HTTP/1.1 200 X\r\ncontent-type: image/png\r\ncontent-length: %d\r\n\r\n" % len(PNG)
    async with scripted([head + PNG]) as storage:
        route = {"urls": "rewrite", "media_hosts": [{"host": storage.url.removeprefix("http://"), "private": True}]}
        linking = whole({"created": 1, "data": [{"url": f"{storage.url}/a.png"}]})
        async with scripted(linking) as upstream, countermark(upstream.url, route=route, **SECTIONS) as here:
            answer = await ask(here.address, "POST", b"/v1/images/edits", b'{"model":"m","prompt":"a cat"}')
            made = expected(here, answer, **ALTERED)
            assert made == answer.json()["ai_disclosure"]
            path = answer.json()["data"][0]["url"].removeprefix(PUBLIC).encode()
            first, again = await ask(here.address, "GET", path), await ask(here.address, "GET", path)
            assert first.body == again.body
            assert made | {"content_id": here.records[-1].items[0].produce_id} == stated(first.body)
