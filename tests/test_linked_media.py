"""Pictures that an answer hands out as URLs: a client, a Countermark, a model, a storage, all on real sockets."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from proxy.label.aigc import Aigc
from proxy.labelling.picture import LATER
from proxy.links import NONCE, PATH, Link, Links
from proxy.media import png
from proxy.record.exchange import Record
from tests.command import ROOT
from tests.downstream import Answer, ask
from tests.running import Here, countermark, process, until
from tests.scripted import Received, Script, Scripted, Step, Wire, scripted

IMAGES = b"/v1/images/generations"
PUBLIC = "https://ai.example.com/here"
PNG = (ROOT / "tests" / "samples" / "rgb8.png").read_bytes()
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
SIGNED = "/a%2Fb.png?X-Amz-Signature=5%2f~%2B&x="


def stored(body: bytes = PNG, kind: str = "image/png", status: int = 200) -> list[Step]:
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\nset-cookie: a=b\r\n"
    return [head.encode() + b"etag: x\r\naccept-ranges: bytes\r\n\r\n" + body]


@dataclass
class Chain:
    """A Countermark between a model's endpoint, which answers with URLs of the storage, and us."""

    here: Here
    storage: Scripted
    answers: list[Answer]

    async def generate(self) -> Answer:
        """Ask for pictures."""
        asked = json.dumps({"model": "m", "prompt": "a cat"}).encode()
        self.answers.append(await ask(self.here.address, "POST", IMAGES, asked, [(b"authorization", b"Bearer key")]))
        return self.answers[-1]

    async def path(self, index: int = 0) -> bytes:
        """Where the link in a new answer leads."""
        url = (await self.generate()).json()["data"][index]["url"]
        assert url.startswith(PUBLIC + PATH)
        return str(url).removeprefix(PUBLIC).encode()

    async def follow(self, method: str = "GET", headers: Sequence[tuple[bytes, bytes]] = ()) -> Answer:
        """What the link in a new answer leads to."""
        return await ask(self.here.address, method, await self.path(), headers=headers)

    @property
    def last(self) -> Record:
        return self.here.records[-1]


@asynccontextmanager
async def chain(
    *storage: Script, urls: str = "rewrite", paths: Sequence[str] = (SIGNED,), **more: Any
) -> AsyncIterator[Chain]:
    async with scripted(*storage) as kept:
        host = kept.url.removeprefix("http://")
        data = {"created": 1, "data": [{"url": kept.url + path, "revised_prompt": "A cat"} for path in paths]}
        body = json.dumps(data, indent=1).encode()
        route = {"urls": urls, "media_hosts": [{"host": host, "private": True}], **more.pop("route", {})}
        answer = b"HTTP/1.1 200 X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
        async with (
            scripted([answer]) as upstream,
            countermark(upstream.url, public_url=PUBLIC, route=route, **more) as here,
        ):
            yield Chain(here, kept, [])
            assert not here.promised


def labels(picture: bytes) -> tuple[Aigc, ...]:
    assert picture != PNG
    assert png.size(picture) == png.size(PNG)
    return png.read(picture)


async def test_a_url_becomes_a_link_of_ours() -> None:
    async with chain(stored(), paths=(SIGNED, "/c.jpg")) as it:
        answer = await it.generate()
        record = it.here.only()
        assert it.storage.received == []
    assert answer.status == 200
    first, second = (one["url"] for one in answer.json()["data"])
    assert first.startswith(PUBLIC + PATH)
    assert (first.rpartition("/")[2], second.rpartition("/")[2]) == ("image.png", "image.jpg")
    assert b"Signature" not in answer.body
    assert it.storage.url.encode() not in answer.body
    assert [one["revised_prompt"] for one in answer.json()["data"]] == ["A cat"] * 2
    assert (record.outcome, record.reason, record.status) == ("metadata_only", LATER, 200)
    items = [(item.kind, item.unit, item.placed[0], item.skipped, item.before, item.after) for item in record.items]
    assert items == [("image", f"data[{index}].url", "link", LATER, "", "") for index in (0, 1)]
    assert answer.json()["AIGC"]["ProduceID"] == record.items[0].produce_id
    assert len({item.produce_id for item in record.items}) == 2


async def test_the_link_leads_to_the_labelled_picture() -> None:
    async with chain(stored()) as it:
        path = await it.path()
        answer = await ask(it.here.address, "GET", path, headers=[(b"cookie", b"c=d"), (b"authorization", b"Bearer x")])
        record = it.last
        again = await ask(it.here.address, "GET", path)
        (request, _) = it.storage.received
    (label,) = labels(answer.body)
    fields = {name: value for name, value in answer.headers if name not in (b"date", b"server")}
    age = int(fields.pop(b"cache-control").removeprefix(b"private, max-age="))
    assert 3500 < age <= 3600
    assert fields.pop(b"countermark-policy")
    assert json.loads(fields.pop(b"countermark-aigc")) == label.document()
    assert fields.pop(b"ai-disclosure", b"") is not None
    assert fields == {
        b"content-type": b"image/png",
        b"content-length": str(len(answer.body)).encode(),
        b"x-content-type-options": b"nosniff",
        b"content-security-policy": b"sandbox; default-src 'none'",
        b"referrer-policy": b"no-referrer",
        b"vary": b"accept-language",
    }
    assert request.target.decode() == SIGNED
    assert {name.lower() for name, _ in request.headers} == {b"host", b"accept", b"accept-encoding", b"user-agent"}
    assert (record.outcome, record.dialect, record.route, record.model, record.method) == (
        "labelled",
        "openai.images",
        "/**",
        "m",
        "GET",
    )
    (item,) = record.items
    assert (item.produce_id, item.kind, item.size_before) == (label.produce_id, "image", len(PNG))
    assert again.body == answer.body


async def test_in_a_process_of_its_own() -> None:
    """Where the event loop is the one that we are served by."""
    async with scripted(stored()) as storage:
        answer = {"created": 1, "data": [{"url": storage.url + SIGNED}] * 20}
        host = {"host": storage.url.removeprefix("http://"), "private": True}

        async def answers(request: Received, wire: Wire) -> None:
            await wire.json(answer)

        for urls in ("rewrite", "inline"):
            route = {"urls": urls, "media_hosts": [host]}
            async with scripted(answers) as upstream, process(upstream.url, public_url=PUBLIC, route=route) as there:
                data = (await ask(there.address, "POST", IMAGES, b"{}")).json()["data"]
                if urls == "inline":
                    assert all(labels(base64.b64decode(one["b64_json"])) for one in data)
                    continue
                paths = [one["url"].removeprefix(PUBLIC).encode() for one in data]
                pictures = await asyncio.gather(*(ask(there.address, "GET", path) for path in paths))
                assert len({labels(picture.body) for picture in pictures}) == 1


async def test_the_same_picture_has_the_same_label_wherever_it_is_fetched_from() -> None:
    async with chain(stored()) as it:
        first, second = await it.follow(), await it.follow()
        assert it.answers[0].json()["data"] != it.answers[1].json()["data"]
    assert labels(first.body) == labels(second.body)


async def test_head_and_ranges() -> None:
    async with chain(stored()) as it:
        answer = await it.follow("HEAD")
        assert (answer.status, answer.body) == (200, b"")
        assert answer.value(b"content-type") == b"image/png"
        assert answer.value(b"content-length") is None
        answer = await it.follow(headers=[(b"range", b"bytes=0-9"), (b"if-none-match", b"x")])
        assert answer.status == 200
        assert labels(answer.body)
        assert answer.value(b"accept-ranges") is None
        assert it.storage.received[-1].value(b"range") is None


async def test_inline() -> None:
    async with chain(stored(), urls="inline", paths=(SIGNED, "/c")) as it:
        answer = await it.generate()
        record = it.here.only()
    data = answer.json()["data"]
    assert [set(one) for one in data] == [{"b64_json", "revised_prompt"}] * 2
    for one, item in zip(data, record.items, strict=True):
        (label,) = labels(base64.b64decode(one["b64_json"]))
        assert label.produce_id == item.produce_id
    assert record.outcome == "labelled"
    assert sorted(request.target.decode() for request in it.storage.received) == sorted((SIGNED, "/c"))


@pytest.mark.parametrize(
    ("expected", "storage"),
    [
        ("there is no such medium", stored(b"", status=404)),
        ("status 403", stored(b"", status=403)),
        ("no picture, sound or video", stored(b"<html>", "text/html")),
        ("is a URL of video/mp4, which cannot be labelled yet", stored(b"ftyp", "video/mp4")),
        ("in no picture format", stored(b"RIFF", "image/webp")),
        ("did not come in time", [60.0]),
        ("longer than 10000 bytes", stored(bytes(10_001))),
    ],
)
@pytest.mark.parametrize("on_failure", ["block", "pass"])
async def test_inline_fails_as_labelling_fails(expected: str, storage: Script, on_failure: str) -> None:
    limits = {"fetch": "10 kB", "fetch_time": "200 ms"}
    async with chain(storage, urls="inline", on_failure=on_failure, limits=limits) as it:
        answer = await it.generate()
        record = it.here.only()
    assert expected in record.reason
    if on_failure == "block":
        assert (answer.status, answer.error, record.outcome) == (502, "not_labelled", "blocked")
    else:
        assert (answer.status, record.outcome) == (200, "unlabelled")
        assert answer.json()["data"][0]["url"] == it.storage.url + SIGNED


@pytest.mark.parametrize(("urls", "status", "outcome"), [("refuse", 502, "blocked"), ("pass", 200, "unlabelled")])
async def test_the_other_choices(urls: str, status: int, outcome: str) -> None:
    async with chain(stored(), urls=urls) as it:
        answer = await it.generate()
        record = it.here.only()
        assert it.storage.received == []
    assert (answer.status, record.outcome) == (status, outcome)
    if urls == "pass":
        assert answer.json()["data"][0]["url"] == it.storage.url + SIGNED
        assert answer.value(b"countermark-status") == b"unlabelled"


async def test_a_route_without_policies_changes_nothing() -> None:
    async with chain(stored(), route={"policies": []}) as it:
        answer = await it.generate()
        assert answer.json()["data"][0]["url"] == it.storage.url + SIGNED


async def test_no_link_to_a_host_that_is_not_listed() -> None:
    async with chain(stored(), route={"media_hosts": ["images.example.com"]}) as it:
        answer = await it.generate()
    assert (answer.status, answer.error) == (502, "not_labelled")
    assert "is not one of the route's media_hosts" in answer.json()["error"]["message"]
    assert "Signature" not in answer.json()["error"]["message"]


async def test_a_private_host_that_nobody_called_private() -> None:
    async with scripted(stored()) as storage:
        host = storage.url.removeprefix("http://")
        async with chain(stored(), route={"media_hosts": [host]}) as it:
            answer = await sealed(it, replace(link(it), url=storage.url + SIGNED))
            assert (answer.status, answer.error) == (502, "upstream_error")
            assert "must not come from" in it.last.reason
        assert not storage.accepted


# Links that lead nowhere.


async def test_a_broken_link() -> None:
    async with chain(stored()) as it:
        path = await it.path()
        token = path.removeprefix(PATH.encode()).partition(b"/")[0]
        changed = token[:50] + (b"A" if token[50:51] != b"A" else b"B") + token[51:]
        seen = set()
        for other in (
            PATH.encode(),
            PATH.encode() + b"x",
            path.replace(token, changed),
            path.replace(token, token[:-4]),
        ):
            answer = await ask(it.here.address, "GET", other)
            seen.add((answer.status, answer.body))
            assert answer.error == "no_link"
        assert [status for status, _ in seen] == [404]
        assert (await ask(it.here.address, "POST", path)).status == 404
        assert (await ask(it.here.address, "DELETE", path)).status == 404
        assert it.storage.received == []
        assert len(it.here.records) == 1


def link(it: Chain, **more: str) -> Link:
    plain = {"route": "/**", "upstream": "models", "dialect": "openai.images", "path": "v1", "model": "m"}
    return Link(**{"url": it.storage.url + SIGNED, "kind": "image"} | plain | more)


async def sealed(it: Chain, made: Link, age: float = 0.0) -> Answer:
    links = Links(it.here.service.keys, PUBLIC, 86400)
    path = links.seal(made, time.time() - age, bytes(NONCE)).removeprefix(PUBLIC)
    return await ask(it.here.address, "GET", path.encode())


async def test_a_link_that_is_no_more() -> None:
    async with chain(stored()) as it:
        assert (await sealed(it, link(it), age=86300)).status == 200
        for made, age in ((link(it), 86401), (link(it, route="/v1"), 0), (link(it, upstream="other"), 0)):
            answer = await sealed(it, made, age)
            assert (answer.status, answer.error) == (410, "no_link")
        assert len(it.storage.received) == 1


async def test_a_link_kept_for_a_short_time_only() -> None:
    async with chain(stored()) as it:
        answer = await sealed(it, link(it), age=86400 - 60)
        age = int((answer.value(b"cache-control") or b"").removeprefix(b"private, max-age="))
        assert 50 < age <= 60


async def test_replicas_open_each_others_links_and_strangers_do_not() -> None:
    async with chain(stored()) as it, chain(stored()) as stranger:
        path = await it.path()
        assert (await ask(stranger.here.address, "GET", path)).status == 404


async def test_the_policies_of_today_decide() -> None:
    for urls, status in (("refuse", 404), ("pass", 404), ("inline", 410), ("rewrite", 200)):
        async with chain(stored(), urls=urls) as it:
            assert (await sealed(it, link(it))).status == status, urls


async def test_what_policies_do_not_ask_for_is_passed() -> None:
    async with chain(stored(), route={"policies": []}) as it:
        answer = await sealed(it, link(it))
        assert (answer.status, answer.body) == (200, PNG)
        assert answer.value(b"content-length") == str(len(PNG)).encode()
        assert answer.value(b"x-content-type-options") == b"nosniff"
        assert answer.value(b"set-cookie") is None
        assert it.last.outcome == "passed"


# What comes is not a picture that can be labelled.


@pytest.mark.parametrize(
    ("status", "storage"),
    [
        (404, stored(b"", status=404)),
        (404, stored(b"", status=410)),
        (502, stored(b"", status=403)),
        (502, stored(b"", status=500)),
        (502, stored(b"<html>", "text/html")),
        (502, stored(PNG, "text/html")),
        (502, stored(b"ID3", "audio/mpeg")),
        (502, stored(bytes(10_001))),
        (502, [b"HTTP/1.1 302 X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"]),
        (502, [b"HTTP/1.1 302 X\r\nlocation: file:///etc/passwd\r\ncontent-length: 0\r\n\r\n"]),
        (504, [60.0]),
    ],
)
@pytest.mark.parametrize("on_failure", ["block", "pass"])
async def test_the_fetch_fails(status: int, storage: Script, on_failure: str) -> None:
    limits = {"fetch": "10 kB", "fetch_time": "200 ms"}
    async with chain(storage, on_failure=on_failure, limits=limits) as it:
        answer = await it.follow()
        record = it.last
    assert (answer.status, answer.error) == (status, "upstream_error")
    assert (record.outcome, record.status) == ("upstream_error", status)
    assert "Signature" not in record.reason + answer.body.decode()


@pytest.mark.parametrize(("kind", "body"), [("image/webp", b"RIFF"), ("image/svg+xml", SVG), ("image/png", PNG[:60])])
@pytest.mark.parametrize("on_failure", ["block", "pass"])
async def test_a_picture_that_cannot_be_labelled(kind: str, body: bytes, on_failure: str) -> None:
    async with chain(stored(body, kind), on_failure=on_failure) as it:
        answer = await it.follow()
        record = it.last
    if on_failure == "block":
        assert (answer.status, answer.error, record.outcome) == (502, "not_labelled", "blocked")
        return
    assert (answer.status, answer.body, record.outcome) == (200, body, "unlabelled")
    assert answer.value(b"countermark-status") == b"unlabelled"
    assert answer.value(b"content-type") == kind.encode()
    assert answer.value(b"content-security-policy") == b"sandbox; default-src 'none'"
    assert answer.value(b"content-disposition") == (b"attachment" if "svg" in kind else None)


async def test_who_leaves_is_fetched_for_no_longer() -> None:
    async with chain([60.0]) as it:
        task = asyncio.create_task(it.follow())
        await until(lambda: bool(it.storage.received))
        task.cancel()
        await asyncio.wait_for(it.storage.left.wait(), 5)
        await asyncio.gather(task, return_exceptions=True)
        assert (await it.here.recorded(2))[-1].outcome == "client_left"


async def test_a_url_in_a_stream() -> None:
    async with scripted(stored()) as storage:
        records = [{"type": "image_generation.completed", "url": storage.url + SIGNED}]

        async def streams(request: Received, wire: Wire) -> None:
            await wire.sse(records)

        route = {"urls": "rewrite", "media_hosts": [{"host": storage.url.removeprefix("http://"), "private": True}]}
        async with scripted(streams) as upstream, countermark(upstream.url, public_url=PUBLIC, route=route) as here:
            asked = json.dumps({"model": "m", "prompt": "a cat", "stream": True}).encode()
            answer = await ask(here.address, "POST", IMAGES, asked)
            url = json.loads(answer.body.split(b"\n")[0].removeprefix(b"data: "))["url"]
            picture = await ask(here.address, "GET", url.removeprefix(PUBLIC).encode())
            ended = here.records[1]
    assert (ended.state, ended.outcome, ended.reason) == ("closed", "metadata_only", LATER)
    assert labels(picture.body)


# Links to more answers.

BATCH = {"id": "b", "type": "message_batch", "processing_status": "ended", "request_counts": {"succeeded": 1}}
JOBS = """
name: jobs
title: Jobs
matches:
  - {methods: [POST], path: '**/jobs'}
passes: an order holds nothing generated
link_headers: [operation-location]
examples: []
"""


@pytest.mark.parametrize(
    ("status", "there", "public_url"),
    [(200, "{upstream}", PUBLIC), (502, "{upstream}", None), (502, "https://storage.example", PUBLIC)],
)
async def test_a_link_to_results_leads_through_us(status: int, there: str, public_url: str | None) -> None:
    async def answers(request: Received, wire: Wire) -> None:
        await wire.json(BATCH | {"results_url": there.format(upstream=upstream.url) + "/v1/messages/batches/b/results"})

    async with scripted(answers) as upstream, countermark(upstream.url, public_url=public_url) as here:
        answer = await ask(here.address, "GET", b"/v1/messages/batches/b")
    assert answer.status == status
    if status == 200:
        assert answer.json()["results_url"] == f"{PUBLIC}/v1/messages/batches/b/results"
    else:
        assert answer.error == "not_labelled"


@pytest.mark.parametrize(
    ("status", "expected", "there", "public_url"),
    [
        (202, f"{PUBLIC}/jobs/1?v=2".encode(), "{upstream}", PUBLIC),
        (202, b"/jobs/1?v=2", "{upstream}", None),
        (502, None, "https://storage.example", PUBLIC),
    ],
)
async def test_a_field_that_links_to_results_leads_through_us(
    status: int, expected: bytes | None, there: str, public_url: str | None, tmp_path: Path
) -> None:
    (tmp_path / "jobs.yaml").write_text(JOBS, encoding="utf-8")

    async def answers(request: Received, wire: Wire) -> None:
        await wire.json({}, 202, operation_location=there.format(upstream=upstream.url) + "/jobs/1?v=2")

    sections = {"public_url": public_url, "dialects": str(tmp_path)}
    async with scripted(answers) as upstream, countermark(upstream.url, **sections) as here:
        answer = await ask(here.address, "POST", b"/jobs", b"{}")
    assert (answer.status, answer.value(b"operation-location")) == (status, expected)
