"""A request is read without being changed, save for our own notices in the assistant's turns, which are cut out."""

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dialects.dialect import Dialect, Match
from proxy.dialects.table import parse_dialect
from proxy.labelling.machine import Machine
from proxy.labelling.request import MODEL_LENGTH, Asked, Told, asks_for_ciphertext, read, told, unread
from tests.labelling.answers import (
    CHAT,
    IMAGES,
    OPERATOR,
    PREFIX,
    RETIRED,
    SUFFIX,
    WORDS,
    Sent,
    answer,
    decision,
    marked,
)

NOTICES = OPERATOR.notices
UNICODE = ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]


def asked(server: str = "openai", **request: Any) -> Asked:
    return read(CHAT.spoken_by(server), NOTICES, json.dumps(request).encode()).asked


@pytest.mark.parametrize(
    ("expected", "n"),
    [
        (1, None),
        (3, 3),
        (1, 1),
        (None, "3"),
        (None, 3.0),
        (None, True),
        (None, 0),
        (None, -1),
        (None, [3]),
        (None, 10**30),
    ],
)
def test_units(expected: int | None, n: object) -> None:
    """A number that a server could read in another way than we do is unknown."""
    assert expected == asked(n=n).units


def test_a_request_that_says_nothing() -> None:
    assert Asked(units=1) == asked()
    assert Asked(units=None) == read(CHAT, NOTICES, b"").asked


@pytest.mark.parametrize(
    ("expected", "stream"), [(True, True), (False, False), (False, "true"), (False, 1), (False, None)]
)
def test_streaming(expected: bool, stream: object) -> None:
    assert expected is asked(stream=stream).streaming


@pytest.mark.parametrize(("expected", "model"), [("m", "m"), ("", None), ("", 7), ("x" * MODEL_LENGTH, "x" * 9999)])
def test_model(expected: str, model: object) -> None:
    assert expected == asked(model=model).model


@pytest.mark.parametrize(
    ("expected", "server", "request_"),
    [
        (Machine(True), "openai", {"response_format": {"type": "json_object"}}),
        (Machine(True), "vllm", {"response_format": {"type": "json_schema", "json_schema": {}}}),
        (None, "openai", {"response_format": {"type": "text"}}),
        (None, "openai", {"response_format": "json_object"}),
        (None, "openai", {"response_format": None}),
        (Machine(True), "vllm", {"guided_json": {}}),
        (None, "openai", {"guided_json": {}}),
        (Machine(True), "vllm", {"structured_outputs": {"json": {"type": "object"}}}),
        (Machine(False, ("a", "b")), "vllm", {"guided_choice": ["a", "b"]}),
        (Machine(False, ("a",)), "vllm", {"guided_choice": ["a", "", 7, None]}),
        (None, "vllm", {"guided_choice": []}),
        (None, "vllm", {"guided_choice": [""]}),
        (None, "openai", {"guided_choice": ["a"]}),
        (
            Machine(True, ("a",)),
            "vllm",
            {"structured_outputs": {"choice": ["a"]}, "response_format": {"type": "json_object"}},
        ),
        (None, "vllm", {"guided_regex": ".*", "guided_grammar": "x", "structured_outputs": {"regex": ".*"}}),
        (Machine(True), "llamacpp", {"json_schema": {}}),
        (None, "vllm", {"json_schema": {}}),
    ],
)
def test_claims_of_machine_mode(expected: Machine | None, server: str, request_: dict[str, Any]) -> None:
    assert expected == asked(server, **request_).machine


def made(encrypted: tuple[str, ...] = (), **request: Any) -> Dialect:
    """A dialect with these request rules."""
    return parse_dialect(
        {
            "name": "made",
            "title": "Made",
            "matches": [{"methods": ["POST"], "path": "/"}],
            "passes": "a test",
            "think": ["<think>", "</think>"],
            "encrypted": list(encrypted),
            "request": request,
        }
    )


def of(dialect: Dialect, said: Told = Told(), **request: Any) -> Asked:  # noqa: B008  a value like any other
    return read(dialect, NOTICES, json.dumps(request).encode(), said).asked


@pytest.mark.parametrize(
    ("expected", "rules", "streams", "request_"),
    [
        (True, {"stream": "stream", "streams": True}, False, {}),
        (True, {"stream": "stream", "streams": True}, False, {"stream": None}),
        (True, {"stream": "stream", "streams": True}, False, {"stream": "false"}),
        (False, {"stream": "stream", "streams": True}, False, {"stream": False}),
        (True, {"streams": True}, False, {"stream": False}),
        (False, {}, False, {"stream": True}),
        (True, {}, True, {}),
        (True, {"stream": "stream"}, True, {"stream": False}),
    ],
)
def test_where_a_stream_is_the_default_or_the_path_asks_for_it(
    expected: bool, rules: dict[str, Any], streams: bool, request_: dict[str, Any]
) -> None:
    assert expected is of(made(**rules), Told("", streams), **request_).streaming


POST = frozenset({"POST"})


@pytest.mark.parametrize(
    ("expected", "accept"),
    [
        (True, b"text/event-stream"),
        (True, b"*/*, Text/Event-Stream;q=0.9"),
        (False, b"text/event-stream, application/json"),
        (False, b"application/json;q=0.1,text/event-stream"),
        (False, b"text/event-streams"),
        (False, b"*/*"),
        (False, b""),
    ],
)
def test_a_client_that_accepts_only_events_asks_for_a_stream(expected: bool, accept: bytes) -> None:
    assert Told("", expected) == told(made(), Match(POST, "/"), "", accept)
    assert Told("", False) == told(made(stream="stream"), Match(POST, "/"), "", accept)
    assert Told("", True) == told(made(stream="stream"), Match(POST, "/", streams=True), "", accept)


def test_the_model_in_the_path_counts_where_the_body_has_none() -> None:
    said = told(made(), Match(POST, "/"), "m" * 9999, b"")
    assert Told("m" * MODEL_LENGTH) == said
    assert Asked(said.model) == unread(said) == read(made(), NOTICES, b"", said).asked
    for model in (None, 7, ""):
        assert said.model == of(made(model="model"), said, model=model).model
    assert said.model == of(made(), said, model="x").model
    assert of(made(model="model"), said, model="x").model == "x"


def test_how_a_stream_says_its_text() -> None:
    modes = [
        {"claim": "parameters.incremental_output=true", "mode": "delta"},
        {"claim": "parameters.full", "mode": "full"},
    ]
    for expected, parameters in (
        ("delta", {"incremental_output": True}),
        ("delta", {"incremental_output": True, "full": 1}),
        ("full", {"incremental_output": False, "full": 1}),
        (None, {"incremental_output": False}),
    ):
        assert expected == of(made(modes=modes), parameters=parameters).mode
    assert of(CHAT).mode is None


@pytest.mark.parametrize(
    ("expected", "claims", "server", "request_"),
    [
        (True, [{"claim": "suffix", "servers": ["vllm"]}], "vllm", {"suffix": "}"}),
        (False, [{"claim": "suffix", "servers": ["vllm"]}], "openai", {"suffix": "}"}),
        (False, [{"claim": "suffix"}], "openai", {"suffix": ""}),
        (False, [{"claim": "suffix"}], "openai", {"suffix": None}),
        (False, [{"claim": "suffix"}], "openai", {}),
        (True, [{"claim": "@"}], "openai", {"prompt": "x"}),
        (True, [{"claim": "suffix"}, {"claim": "@"}], "openai", {"prompt": "x"}),
    ],
)
def test_output_that_is_spliced(
    expected: bool, claims: list[dict[str, Any]], server: str, request_: dict[str, Any]
) -> None:
    dialect = made(machine=[{"shows": "splice", **claim} for claim in claims]).spoken_by(server)
    assert (Machine(splice=True) if expected else None) == of(dialect, **request_).machine


@pytest.mark.parametrize(
    ("expected", "headers"),
    [
        (True, [(b"x-key", b"AES")]),
        (True, [(b"x-is", b"True")]),
        (True, [(b"x-is", b"false"), (b"x-is", b"1")]),
        (False, [(b"x-is", b" FALSE ")]),
        (False, [(b"x-is", b""), (b"x-key", b" ")]),
        (False, [(b"x-keys", b"AES")]),
        (False, []),
    ],
)
def test_who_asks_for_ciphertext(expected: bool, headers: list[tuple[bytes, bytes]]) -> None:
    assert expected is asks_for_ciphertext(made(encrypted=("X-Key", "X-Is")), headers)
    assert not asks_for_ciphertext(made(), headers)


@pytest.mark.parametrize(
    ("expected", "content"),
    [
        (True, f"<think>{'x' * 9999}</think>\n\n{PREFIX}Hi"),
        (True, f"{PREFIX}<think>x</think>Hi"),
        (False, f"<think>{PREFIX}</think>Hi"),
        (False, "<think>x</think>"),
    ],
)
def test_a_continuation_is_read_behind_its_reasoning(expected: bool, content: str) -> None:
    claims = [{"claim": "last", "text": "last", "of": "last"}]
    assert expected is (NOTICES.opening(of(made(continuation=claims), last=content).continued) == "yes")


LABELLED = {"role": "assistant", "content": f"{WORDS}\n\nHi"}


@pytest.mark.parametrize(
    ("expected", "server", "request_"),
    [
        (True, "deepseek", {"messages": [LABELLED | {"prefix": True}]}),
        (True, "mistral", {"messages": [LABELLED | {"prefix": True}]}),
        (True, "moonshot", {"messages": [LABELLED | {"partial": True}]}),
        (True, "vllm", {"messages": [LABELLED], "continue_final_message": True}),
        (True, "llamacpp", {"messages": [LABELLED]}),
        (False, "openai", {"messages": [LABELLED | {"prefix": True, "partial": True}], "continue_final_message": True}),
        (False, "vllm", {"messages": [LABELLED | {"prefix": True}]}),
        (True, "vllm", {"messages": [LABELLED], "continue_final_message": "true"}),  # it reads that as true
        (False, "deepseek", {"messages": [{"role": "assistant", "content": "Hi", "prefix": True}]}),
        (False, "deepseek", {"messages": [LABELLED | {"role": "user", "prefix": True}]}),
        (False, "vllm", {"messages": [LABELLED | {"role": "user"}], "continue_final_message": True}),
        (False, "deepseek", {"messages": [LABELLED | {"prefix": True}, {"role": "user", "content": "q"}]}),
        (False, "vllm", {"messages": [], "continue_final_message": True}),
        (False, "vllm", {"messages": "no", "continue_final_message": True}),
        (False, "vllm", {"continue_final_message": True}),
        (False, "vllm", {"messages": ["no"], "continue_final_message": True}),
        (False, "vllm", {"messages": [{"role": "assistant"}], "continue_final_message": True}),
    ],
)
def test_continuation(expected: bool, server: str, request_: dict[str, Any]) -> None:
    assert expected is (NOTICES.opening(asked(server, **request_).continued) == "yes")


@pytest.mark.parametrize(
    "body",
    [b"", b"no json", b"[]", b"7", b'"x"', b"null", b"\xff", b"\xef\xbb\xbf{}", b'{"messages":7}', b"[" * 100_000],
)
def test_what_is_no_request_is_left_to_the_upstream(body: bytes) -> None:
    for dialect in (CHAT, IMAGES):
        assert body == read(dialect, NOTICES, body).body


ASKS = json.dumps(
    {"model": "模", "stream": True, "n": 2, "response_format": {"type": "json_object"}, "messages": [LABELLED]},
    ensure_ascii=False,
)


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", *UNICODE])
def test_a_request_is_read_in_every_coding_that_servers_read(coding: str) -> None:
    body = ASKS.encode(coding)
    found = read(CHAT.spoken_by("llamacpp"), NOTICES, body)
    cut = coding.startswith("utf-8")
    asked = Asked("模", streaming=True, units=2, machine=Machine(json=True), continued=LABELLED["content"])
    assert asked._replace(informed=cut) == found.asked
    expected = ASKS.replace(json.dumps(PREFIX, ensure_ascii=False)[1:-1], "") if cut else ASKS
    assert expected.encode(coding) == found.body


@pytest.mark.parametrize(
    "body", [b"\xff\xfe", b"\xff\xfe{", b"\xef\xbb\xbf" * 2 + b"{}", ("[" * 100_000).encode("utf-16")]
)
def test_what_nobody_reads_in_any_coding(body: bytes) -> None:
    assert (Asked(), body) == read(CHAT, NOTICES, body)


@pytest.mark.parametrize(
    ("expected", "turns"),
    [
        (True, [LABELLED]),
        (True, [{"role": "user", "content": "Hi"}, LABELLED, {"role": "user", "content": "On"}]),
        (False, [LABELLED | {"role": "user"}]),
        (False, [LABELLED | {"role": "system"}, {"role": "assistant", "content": "no notice"}]),
        (False, []),
    ],
)
def test_who_has_read_a_notice_is_informed(expected: bool, turns: list[Any]) -> None:
    """A user who quotes one has not."""
    assert expected is read(CHAT, NOTICES, json.dumps({"messages": turns}).encode()).asked.informed


def test_a_request_nested_too_deeply_to_be_cut_is_left_alone() -> None:
    deep = b'{"x":' + b"[" * 1010 + b"]" * 1010 + b',"content":1,"messages":[%b]}' % json.dumps(LABELLED).encode()
    assert deep == read(CHAT, NOTICES, deep).body


texts = st.text(alphabet=st.characters(exclude_categories=[]), max_size=12) | st.text(
    alphabet=' \n"\\/【】A😀\ud83d\u2028', max_size=8
)


def spelled(text: str, chance: random.Random) -> str:
    """A JSON string in one of its spellings."""
    out = ""
    for character in text:
        code = ord(character)
        escaped = json.dumps(character)[1:-1] if code > 0x7E or code < 0x20 or character in '"\\' else f"\\u{code:04x}"
        plain = json.dumps(character, ensure_ascii=False)[1:-1]
        out += escaped if 0xD800 <= code < 0xE000 or chance.random() < 0.3 else plain
    return f'"{out}"'


def imitates(text: str) -> bool:
    return NOTICES.leading(text) is not None or NOTICES.trailing(text) is not None


@given(
    st.lists(st.tuples(st.sampled_from(["user", "assistant", "system", "tool"]), texts), min_size=1, max_size=4),
    st.randoms(),
)
def test_stripping_takes_out_exactly_what_labelling_put_in(turns: list[tuple[str, str]], chance: random.Random) -> None:
    """strip(label(x)) == x, byte for byte, however the client spells what it sends back."""
    before: list[str] = []
    after: list[str] = []
    for role, text in turns:
        if role == "assistant" and imitates(text):
            continue
        prefix = chance.choice(["", WORDS, PREFIX, f"{RETIRED}\n\n"]) if role == "assistant" else PREFIX
        suffix = chance.choice(["", SUFFIX, f"\n\n{RETIRED}"]) if role == "assistant" and text else ""
        if role == "assistant" and prefix in (WORDS, "") and text.startswith("\n") and prefix:
            prefix = PREFIX  # where the blank line was trimmed, the text's own is taken for it
        whole = spelled(text, chance)
        labelled = spelled(prefix, chance)[:-1] + whole[1:-1] + spelled(suffix, chance)[1:]
        shape = chance.choice(['{"role":"%s","content":%s}', ' { "content" : %s , "x":1.0e2, "role" : "%s" } '])
        parts = (role, labelled) if shape.startswith("{") else (labelled, role)
        before.append(shape % parts)
        stripped = (role, whole if role == "assistant" else labelled)
        after.append(shape % (stripped if shape.startswith("{") else stripped[::-1]))
    around = '{"model":"content","messages":[%s],"content":"' + WORDS + '"}'
    body = (around % ",".join(before)).encode()
    assert (around % ",".join(after)).encode() == read(CHAT, NOTICES, body).body


@given(
    texts.filter(lambda text: text and not imitates(text) and NOTICES.opening(text) != "yes"),
    st.sampled_from(["start", "end", "both"]),
)
def test_what_an_answer_was_given_the_next_request_loses(text: str, position: Any) -> None:
    """The whole way round: an answer labelled, sent back, and read."""
    body = b'{"choices":[{"index":0,"message":{"role":"assistant","content":%b}}]}' % json.dumps(text).encode()
    sent: Sent = answer([body], with_mark=marked(decision(position)))
    message = json.loads(sent.data)["choices"][0]["message"]
    assert message["content"] != text
    back = read(CHAT, NOTICES, json.dumps({"messages": [message]}).encode())
    assert json.dumps({"messages": [message | {"content": text}]}).encode() == back.body
