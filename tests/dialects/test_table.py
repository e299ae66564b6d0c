"""A table is read whole or refused with every fault and its place; the shipped tables are sound."""

from typing import Any

import pytest

from proxy import shipped
from proxy.dialects.errors import DialectError
from proxy.dialects.find import readings
from proxy.dialects.fit import is_conditional
from proxy.dialects.table import finder, harmless, parse_dialect

TABLES = {source.path.stem: source.data for source in shipped.dialect_sources()}
GOOD: dict[str, Any] = {
    "name": "a.b",
    "title": "A",
    "matches": [{"methods": ["POST"], "path": "**/a"}],
    "body": [{"each": "choices[*]", "text": "message.content"}],
}


@pytest.mark.parametrize("name", [name for name in TABLES if name != "harmless"])
def test_shipped_tables_are_sound(name: str) -> None:
    assert name == parse_dialect(TABLES[name]).name


@pytest.mark.parametrize(
    ("path", "message", "change"),
    [
        (("colour",), "unknown key colour", {"colour": "red"}),
        (("name",), "String should match pattern", {"name": "A B"}),
        (("matches",), "at least 1 item", {"matches": []}),
        (("matches", 0, "path"), "must start with", {"matches": [{"methods": ["POST"], "path": "a"}]}),
        (("matches", 0, "path"), "elsewhere than in front", {"matches": [{"methods": ["POST"], "path": "/a/**"}]}),
        (("matches", 0, "methods", 0), "Input should be", {"matches": [{"methods": ["FETCH"], "path": "/a"}]}),
        (("body", 0, "each"), "is not a path", {"body": [{"each": "a[", "text": "b"}]}),
        (("body", 0, "each"), "a path is a string", {"body": [{"each": 7, "text": "b"}]}),
        (("body", 0, "text"), "must be names only", {"body": [{"each": "a[*]", "text": "b[*]"}]}),
        (("body", 0), "'@' needs a 'span'", {"body": [{"each": "a[*]", "text": "@"}]}),
        (("body", 0), "say with 'text'", {"body": [{"span": "a[*]"}]}),
        (("body", 0), "a rule without 'text' must say", {"body": [{"each": "a[*]"}]}),
        (("body", 0, "key", 0), "a key is a path", {"body": [{"text": "a", "key": 7}]}),
        (("body", 0, "slot"), "must be names only", {"body": [{"text": "a", "slot": "b[0]"}]}),
        (("body", 0, "mode"), "Input should be", {"body": [{"text": "a", "mode": "slow"}]}),
        (("stream", 0, "if", 0), "is not a condition", {"stream": [{"text": "a", "if": "=x"}]}),
        (("terminal", 0), "must be a line", {"terminal": "[DONE]"}),
        (("media", 0), "say either 'kind'", {"media": [{"path": "a", "encoding": "url"}]}),
        (("examples", 0), "an example has one answer", {"examples": [{"about": "a", "body": 1, "stream": []}]}),
        (("title",), "the key title is missing", {"title": ...}),
        (("body", 0, "span"), "must begin with a name", {"body": [{"each": "a", "span": "@", "text": "t"}]}),
        (
            ("body", 0, "unlabelled", 0),
            "must begin with a name",
            {"body": [{"each": "a", "text": "t", "unlabelled": ["@"]}]},
        ),
        (("errors", 0), "is not a condition", {"errors": ["=x"]}),
        (("media", 0, "encoding"), "Input should be", {"media": [{"path": "a", "encoding": "gzip", "kind": "image"}]}),
        (
            ("request", "machine", 0, "shows"),
            "Input should be",
            {"request": {"machine": [{"claim": "a", "shows": "xml"}]}},
        ),
        (("request", "watermark", 0), "say one of 'set'", {"request": {"watermark": [{"servers": ["vllm"]}]}}),
        (
            ("request", "watermark", 0),
            "say one of 'set'",
            {"request": {"watermark": [{"set": "a", "to": 1, "drop": "b"}]}},
        ),
        (("request", "watermark", 0), "they go together", {"request": {"watermark": [{"set": "a"}]}}),
        (("request", "watermark", 0), "they go together", {"request": {"watermark": [{"drop": "a", "to": None}]}}),
        (("request", "watermark", 0, "set"), "names only", {"request": {"watermark": [{"set": "a[*].b", "to": True}]}}),
        (("request", "watermark", 0, "drop"), "names only", {"request": {"watermark": [{"drop": "@"}]}}),
        (
            ("request", "watermark", 0, "to"),
            "nothing that JSON can say",
            {"request": {"watermark": [{"set": "a", "to": [float("nan")]}]}},
        ),
        (
            ("request", "watermark", 0, "if", 0),
            "is not a condition",
            {"request": {"watermark": [{"drop": "a", "if": "="}]}},
        ),
        (
            ("request", "watermark", 0),
            "whatever the body says",
            {"request": {"watermark": [{"drop_header": "x-a", "if": "model"}]}},
        ),
        (("request", "begins", 0), "Input should be", {"request": {"begins": ["text"]}}),
        ((), "names neither text", {"body": []}),
    ],
)
def test_faults_have_their_place(path: tuple[str | int, ...], message: str, change: dict[str, Any]) -> None:
    with pytest.raises(DialectError) as error:
        parse_dialect({name: value for name, value in (GOOD | change).items() if value is not ...})
    assert [path] == [fault.path for fault in error.value.faults]
    assert message in error.value.faults[0].message


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(DialectError) as error:
        parse_dialect(GOOD | {"name": "", "errors": ["="], "colour": 1})
    assert {("name",), ("errors", 0), ("colour",)} == {fault.path for fault in error.value.faults}


@pytest.mark.parametrize("data", [None, [], "text", 7, {}])
def test_what_is_no_table(data: object) -> None:
    with pytest.raises(DialectError):
        parse_dialect(data)


@pytest.mark.parametrize(
    ("expected", "method", "path"),
    [
        ("openai.chat", "POST", b"/v1/chat/completions"),
        ("openai.chat", "GET", b"/v1/chat/completions"),
        ("openai.chat", "GET", b"/v1/chat/completions/x"),
        ("openai.images", "POST", b"/v1/images/generations"),
        ("openai.images", "POST", b"/openai/deployments/d/images/edits"),
        ("openai.completions", "POST", b"/v1/completions"),
        ("openai.responses", "POST", b"/v1/responses"),
        ("openai.responses", "GET", b"/v1/responses/resp_1"),
        ("openai.batches", "GET", b"/v1/files/file-1/content"),
        ("anthropic.messages", "POST", b"/v1/messages"),
        ("anthropic.count_tokens", "POST", b"/v1/messages/count_tokens"),
        ("anthropic.batches", "GET", b"/v1/messages/batches/b/results"),
        ("gemini.generate", "POST", b"/v1beta/models/gemini-2.5-flash:streamGenerateContent"),
        ("gemini.generate", "POST", b"/v1/projects/p/locations/l/publishers/google/models/m:generateContent"),
        ("imagen", "POST", b"/v1beta/models/imagen-4.0:predict"),
        ("ollama.chat", "POST", b"/api/chat"),
        ("cohere.v2", "POST", b"/v2/chat"),
        ("bedrock.converse", "POST", b"/model/eu.amazon.nova-lite-v1%3A0/converse-stream"),
        ("dashscope.text", "POST", b"/api/v1/services/aigc/text-generation/generation"),
        ("automatic1111", "POST", b"/sdapi/v1/txt2img"),
        ("mistral.fim", "POST", b"/v1/fim/completions"),
        (None, "POST", b"/v1/embeddings"),
    ],
)
def test_who_answers(expected: str | None, method: str, path: bytes) -> None:
    """Whatever server answers, and whatever else the request says."""
    dialects = tuple(parse_dialect(data) for name, data in TABLES.items() if name != "harmless")
    found = finder(dialects).find(method, readings(path))
    assert expected == next(
        (dialect.name for dialect, match in found if not is_conditional(match) and not match.servers), None
    )


@pytest.mark.parametrize(
    ("expected", "name", "path"),
    [
        (False, "openai.images", b"/v1/images/generations"),
        (True, "openai.images", b"/v1/images/edits"),
        (True, "openai.images", b"/openai/deployments/d/images/variations"),
        (False, "automatic1111", b"/sdapi/v1/txt2img"),
        (True, "automatic1111", b"/sdapi/v1/img2img"),
        (False, "stability", b"/v2beta/stable-image/generate/core"),
        (True, "stability", b"/v2beta/stable-image/edit/inpaint"),
        (True, "stability", b"/v2beta/stable-image/upscale/creative"),
        (False, "stability", b"/v2beta/stable-image/control/sketch"),
        (True, "stability", b"/v1/generation/e/image-to-image/masking"),
        (True, "openai.videos", b"/v1/videos/v/remix"),
        (False, "openai.videos", b"/v1/videos"),
    ],
)
def test_an_edit_of_what_the_client_sent_is_known_by_its_path(expected: bool, name: str, path: bytes) -> None:
    ((_, first), *_) = finder((parse_dialect(TABLES[name]),)).find("POST", readings(path))
    assert expected is first.alters


def test_stored_answers_are_known() -> None:
    found = finder((parse_dialect(TABLES["openai.chat"]),))
    stored = {path: found.find("GET", readings(path)) for path in (b"/v1/chat/completions", b"/v1/chat/completions/x")}
    assert all(one[0][1].stored for one in stored.values())
    assert not found.find("POST", readings(b"/v1/chat/completions"))[0][1].stored


@pytest.mark.parametrize(
    ("expected", "method", "path"),
    [
        (True, "GET", b"/v1/models"),
        (True, "GET", b"/v1/models/gpt-4"),
        (True, "GET", b"/v1/models/org/name"),
        (True, "POST", b"/v1/embeddings"),
        (True, "GET", b"/"),
        (False, "POST", b"/v1/models/gemini:generateContent"),
        (False, "POST", b"/v1/completions"),
        (False, "POST", b"/v1/audio/speech"),
        (False, "POST", b"/"),
    ],
)
def test_harmless_requests(expected: bool, method: str, path: bytes) -> None:
    assert expected is (harmless(TABLES["harmless"]).find(method, readings(path)) != ())


@pytest.mark.parametrize(
    ("path", "data"),
    [((), {}), ((1, "why"), [{"methods": ["GET"], "path": "/a", "why": "a"}, {"methods": ["GET"], "path": "/b"}])],
)
def test_faults_of_the_harmless(path: tuple[str | int, ...], data: object) -> None:
    with pytest.raises(DialectError) as error:
        harmless(data)
    assert [path] == [fault.path for fault in error.value.faults]
