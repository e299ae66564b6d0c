"""A trial does what the proxy does, and tells it: the outcome, the items, the pictures, the bytes."""

import base64
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from proxy.labelling.mark import Home
from proxy.labelling.order import Studio
from proxy.labelling.request import Asked
from proxy.labelling.trial import Bench, Ran, run
from proxy.policy.decision import Decision
from proxy.shipped import font
from tests.labelling.answers import BOUNDS, CHAT, DIALECTS, IMAGES, OPERATOR, PREFIX, badge, decision, drawn

PNG = base64.b64encode((Path(__file__).parents[1] / "samples" / "rgb8.png").read_bytes()).decode()
CHAT_BODY = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"Hi"}}]}'


def bench(**decisions: Decision) -> Bench:
    return Bench(OPERATOR, decisions, partial(drawn, studio=Studio(font(), 1_000_000)), BOUNDS, DIALECTS)


def pictures(value: str, on: Bench, name: str = "b64_json") -> Ran:
    body = json.dumps({"created": 1, "data": [{name: value}]}).encode()
    return run(IMAGES, Asked(units=1), [body], "application/json", on)


def test_text() -> None:
    ran = run(CHAT, Asked(units=1), [CHAT_BODY[:9], b"", CHAT_BODY[9:]], "application/json", bench(text=decision()))
    assert (ran.outcome, ran.reason) == ("labelled", "")
    assert json.loads(ran.data)["choices"][0]["message"]["content"] == PREFIX + "Hi"
    assert [("choices[0]", ("prefix", "body", "header"))] == [(item.unit, item.placed) for item in ran.items]


def test_a_picture() -> None:
    ran = pictures(PNG, bench(image=badge()))
    assert ran.outcome == "labelled"
    ((before, after),) = ran.pictures
    assert (PNG, json.loads(ran.data)["data"][0]["b64_json"]) == (before.decode(), after.decode())
    assert ran.items[0].placed[:2] == ("badge", "xmp")


@pytest.mark.parametrize(
    ("expected", "on_failure", "left"), [("blocked", "block", False), ("unlabelled", "pass", True)]
)
def test_a_picture_that_is_none(expected: str, on_failure: str, left: bool) -> None:
    asked = replace(badge(), on_failure=on_failure)
    ran = pictures("AAAA", bench(image=asked))
    assert (ran.outcome, left) == (expected, b"AAAA" in ran.data)
    assert "data[0].b64_json is no picture that can be labelled" in ran.reason


def test_a_picture_that_is_none_costs_no_byte_and_repeats_none() -> None:
    """In an answer as in a stream: what passes is what came, behind the broken one without any label."""
    on = bench(image=replace(badge(), on_failure="pass"))
    body = json.dumps({"data": [{"b64_json": PNG}, {"b64_json": "AAAA"}, {"b64_json": PNG}]}).encode()
    assert body == run(IMAGES, Asked(units=1), [body[:99], body[99:]], "application/json", on).data
    records = [b'data: {"type":"image_x","b64_json":"%b"}\n\n' % one for one in (b"AAAA", PNG.encode(), b"AAAA")]
    stream = b"".join(records) + b"data: {half"
    first = b',"AIGC":' + json.dumps(on.mark.aigc.document(), separators=(",", ":"), ensure_ascii=False).encode()
    for chunks in ([stream], [stream[at : at + 7] for at in range(0, len(stream), 7)]):
        assert stream == run(IMAGES, Asked(units=1), chunks, "text/event-stream", on).data.replace(first, b"")


@pytest.mark.parametrize(
    ("urls", "expected"),
    [
        ("refuse", ("blocked", None)),
        ("pass", ("unlabelled", "https://x.example/a.png")),
        ("rewrite", ("metadata only", "https://we.example/countermark/media/...")),
    ],
)
def test_a_picture_that_is_a_url(urls: str, expected: tuple[str, str | None]) -> None:
    home = Home("https://x.example", "https://we.example")
    ran = pictures("https://x.example/a.png", replace(bench(image=badge()), urls=urls, home=home), "url")
    left = json.loads(ran.data)["data"][0]["url"] if ran.data else None
    assert expected == (ran.outcome, left)


@pytest.mark.parametrize("media_type", ["text/html", "application/json"])
def test_what_cannot_be_labelled_is_told(media_type: str) -> None:
    ran = run(CHAT, Asked(units=1), [b"<html>"], media_type, bench(text=decision()))
    assert (ran.outcome, ran.data) == ("blocked", b"")
    assert "media type" in ran.reason
