"""How a response is cut is told by what came, never by what was asked for."""

from dataclasses import replace

import pytest

from proxy.labelling.errors import LabellingError
from proxy.labelling.medium import UNASKED
from proxy.labelling.message import ResponseHead
from proxy.labelling.plan import Framing, acts, framing, is_bare, label, needs_no_label, passes
from proxy.labelling.request import Asked
from proxy.policy.decision import Decision
from tests.labelling.answers import BOUNDS, CHAT, DIALECTS, IMAGES, decision, marked


@pytest.mark.parametrize(
    ("expected", "media_type", "first"),
    [
        ("json", b"application/json", b"{"),
        ("json", b"", b"\r\n [1"),
        ("json", b"text/event-stream", b'{"error":1}'),
        ("json", b"application/octet-stream", b"\xef\xbb\xbf{"),
        ("sse", b"text/event-stream", b"d"),
        ("sse", b"Text/Event-Stream ; charset=utf-8", b"\xff"),
        ("sse", b"application/json", b"data: {}"),
        ("sse", b"", b": ping"),
        ("sse", b"text/plain", b"\n\nevent: x"),
    ],
)
def test_framing(expected: Framing, media_type: bytes, first: bytes) -> None:
    assert expected == framing(CHAT, ResponseHead(200, [(b"content-type", media_type)]), first)


PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("expected", "dialect", "media_type", "first"),
    [
        ("json", "gemini.generate", b"application/json", b"{"),
        ("json_array", "gemini.generate", b"application/json", b"[{"),
        ("json_array", "gemini.generate", b"application/json", b" \n["),
        ("sse", "gemini.generate", b"text/event-stream", b"d"),
        ("ndjson", "ollama.chat", b"application/x-ndjson", b"{"),
        ("json", "ollama.chat", b"application/json; charset=utf-8", b"{"),
        ("event_stream", "bedrock.converse", b"application/vnd.amazon.eventstream", b"\0\0"),
        ("json", "bedrock.converse", b"application/json", b"{"),
        ("lines", "openai.batches", b"application/octet-stream", b"{"),
        ("lines", "openai.batches", b"", PNG),
        ("image", "stability", b"image/png", PNG),
        ("image", "stability", b"application/octet-stream", PNG),
        ("image", "stability", b"image/webp", b"{"),  # the type tells
        ("json", "stability", b"application/json", b"{"),
        ("audio", "openai.speech", b"audio/mpeg", b"ID3"),
    ],
)
def test_framing_of_other_dialects(expected: Framing, dialect: str, media_type: bytes, first: bytes) -> None:
    assert expected == framing(DIALECTS[dialect], ResponseHead(200, [(b"content-type", media_type)]), first)


@pytest.mark.parametrize(
    ("reason", "media_type", "first"),
    [
        ("the answer is empty", b"application/json", b""),
        ("media type 'text/html'", b"text/html", b"<html>"),
        ("media type 'application/json'", b"application/json", b'"text"'),
        ("media type ''", b"", b"Hello"),
    ],
)
def test_what_cannot_be_cut(reason: str, media_type: bytes, first: bytes) -> None:
    with pytest.raises(LabellingError, match=reason):
        framing(CHAT, ResponseHead(200, [(b"content-type", media_type)]), first)


@pytest.mark.parametrize(
    ("expected", "method", "status"),
    [
        ("", "POST", 200),
        ("", "POST", 206),
        ("", "GET", 299),
        ("no body", "HEAD", 200),
        ("no body", "POST", 204),
        ("no body", "POST", 304),
        ("", "POST", 302),
        ("an error of the upstream's", "POST", 400),
        ("an error of the upstream's", "POST", 503),
    ],
)
def test_what_needs_no_label(expected: str, method: str, status: int) -> None:
    assert expected == needs_no_label(method, ResponseHead(status, []))


@pytest.mark.parametrize(
    ("expected", "status"), [(False, 200), (False, 206), (True, 205), (True, 300), (True, 307), (False, 404)]
)
def test_what_is_all_in_its_head(expected: bool, status: int) -> None:
    assert expected is is_bare(ResponseHead(status, []))


@pytest.mark.parametrize(
    ("expected", "decisions"), [(False, {}), (False, {"text": Decision()}), (True, {"a": Decision(), "b": decision()})]
)
def test_whether_anything_is_to_be_done(expected: bool, decisions: dict[str, Decision]) -> None:
    assert expected is acts(decisions)


@pytest.mark.parametrize(
    ("expected", "decisions", "media_type"),
    [
        ("", {"text": decision()}, b"application/json"),
        (UNASKED, {"text": Decision(), "image": Decision()}, b"application/json"),
        ("why", {"text": Decision(), "image": Decision(hidden="why")}, b"application/json"),
        ("", {"text": decision(), "image": Decision(hidden="why")}, b"application/json"),
        ("why", {"text": decision(), "image": Decision(hidden="why")}, b"image/png"),
        (UNASKED, {"text": decision(), "image": Decision()}, b"image/png"),
    ],
)
def test_why_an_answer_is_left_as_it_came(expected: str, decisions: dict[str, Decision], media_type: bytes) -> None:
    dialect = replace(CHAT, whole=True)
    assert expected == passes(dialect, "POST", ResponseHead(200, [(b"content-type", media_type)]), decisions)


def test_a_stream_that_no_table_describes_is_refused() -> None:
    with pytest.raises(LabellingError, match=r"streams of hunyuan\.images"):
        label(DIALECTS["hunyuan.images"], Asked(), marked(), "sse", BOUNDS)
    assert label(IMAGES, Asked(), marked(), "sse", BOUNDS).terminal is not None  # partial pictures


@pytest.mark.parametrize(("framed", "has_terminal"), [("json", False), ("sse", True)])
def test_the_transforms(framed: Framing, has_terminal: bool) -> None:
    made = label(CHAT, Asked(), marked(decision(metadata=("header", "body"))), framed, BOUNDS)
    assert has_terminal is (made.terminal is not None)
    assert made.done.mark.terms.envelope == ("body", "header")
