"""A request goes upstream with the upstream's own marks turned on where policy forces them, and else as it came."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dialects.dialect import Dialect, Flag, Match
from proxy.dialects.paths import parse_condition
from proxy.labelling.errors import LabellingError
from proxy.labelling.watermark import Body, Forced, forceable, forced, turned_on
from proxy.policy.decision import Decision, OnFailure
from tests.labelling.answers import DIALECTS

MATCH = Match(frozenset({"POST"}), "/a")
FORCE = {"text": Decision(upstream_watermark=True)}
FLAGS = (
    Flag(("watermarking",)),
    Flag(("mark",), b'{"enabled":true}', (parse_condition("model~a"),)),
    Flag(("parameters", "mark"), b"1"),
)
DIALECT = replace(DIALECTS["openai.chat"], request=replace(DIALECTS["openai.chat"].request, watermark=FLAGS))
QUIET = DIALECTS["cohere.v2"]


def asks(**request: Any) -> bytes:
    return json.dumps(request).encode()


@pytest.mark.parametrize(
    ("expected", "dialect", "server", "request_"),
    [
        ({"n": 1}, "openai.chat", "vllm", {"watermarking": False, "n": 1}),
        ({"n": 1}, "openai.chat", "vllm", {"n": 1}),
        ({"watermarking": False, "n": 1}, "openai.chat", "openai", {"watermarking": False, "n": 1}),
        ({"prompt": "a"}, "openai.completions", "vllm", {"prompt": "a", "watermarking": 0}),
        ({"input": "a"}, "openai.responses", "vllm", {"watermarking": None, "input": "a"}),
        ({"watermark": {"enabled": True}}, "openai.chat", "sglang", {"watermark": {"enabled": False}}),
        ({"watermark": {"enabled": True}}, "openai.chat", "sglang", {"watermark": {"key": "a key of the client's"}}),
        ({"n": 1, "watermark": {"enabled": True}}, "openai.completions", "sglang", {"n": 1}),
        (
            {"text": "a", "sampling_params": {"n": 1}, "watermark": {"enabled": True}},
            "sglang.generate",
            "sglang",
            {"text": "a", "sampling_params": {"n": 1, "watermark": {"enabled": False}}},
        ),
        ({"inputs": "a", "parameters": {"watermark": True}}, "tgi", "tgi", {"inputs": "a"}),
        ({"prompt": "a"}, "tgi", "openai", {"prompt": "a"}),
        ({"prompt": "a", "watermark": True}, "openai.images", "ark", {"prompt": "a", "watermark": False}),
        ({"prompt": "a"}, "openai.images", "zhipu", {"prompt": "a", "watermark_enabled": False}),
        ({"prompt": "a", "watermark": False}, "openai.images", "openai", {"prompt": "a", "watermark": False}),
        ({"model": "m", "watermark": True}, "ark.task", "openai", {"model": "m"}),
        ({"model": "cogvideox-3"}, "zhipu.async", "openai", {"model": "cogvideox-3", "watermark_enabled": False}),
        ({"input": "a"}, "openai.speech", "zhipu", {"input": "a", "watermark_enabled": False}),
        ({"model": "image-01", "aigc_watermark": True}, "minimax.image", "openai", {"model": "image-01"}),
        ({"text": "a", "aigc_watermark": True}, "minimax.speech", "openai", {"text": "a", "aigc_watermark": False}),
        ({"model": "m", "aigc_watermark": True}, "minimax.video", "openai", {"model": "m"}),
        ({"template_id": "1"}, "minimax.video", "openai", {"template_id": "1"}),
        ({"Prompt": "a"}, "hunyuan.images", "openai", {"Prompt": "a", "LogoAdd": 0, "LogoParam": {"LogoUrl": "a"}}),
        (
            {"instances": [], "parameters": {"seed": 1}},
            "imagen",
            "openai",
            {"instances": [], "parameters": {"seed": 1, "addWatermark": False}},
        ),
        (
            {"model": "qwen-image-plus", "parameters": {"watermark": True}},
            "dashscope.text",
            "openai",
            {"model": "qwen-image-plus", "parameters": {"watermark": False}},
        ),
        ({"model": "qwen-plus"}, "dashscope.text", "openai", {"model": "qwen-plus"}),
        (
            {"model": "wan2.5-t2v-preview", "parameters": {"watermark": True}},
            "dashscope.task",
            "openai",
            {"model": "wan2.5-t2v-preview"},
        ),
        ({"model": "a"}, "anthropic.messages", "vllm", {"model": "a"}),
    ],
)
def test_what_turns_each_apis_marks_on(expected: Any, dialect: str, server: str, request_: Any) -> None:
    """As their makers document it; see the tables."""
    spoken = DIALECTS[dialect].spoken_by(server)
    sent = forced(spoken, MATCH, FORCE, asks(**request_)).body
    assert isinstance(sent, bytes)
    assert expected == json.loads(sent)
    assert (expected == request_) is (sent == asks(**request_))


def read(document: Any) -> Any:
    """What DIALECT makes of a document without members that are alike, by the tables' own words."""
    found = {key: one for key, one in document.items() if key != "watermarking"}
    if "a" in (document.get("model") or ""):
        found["mark"] = {"enabled": True}
    found["parameters"] = {**(document.get("parameters") or {}), "mark": 1}
    return found


documents = st.fixed_dictionaries(
    {},
    optional={
        "watermarking": st.sampled_from([True, False, None, "off"]),
        "mark": st.sampled_from([False, {"enabled": True}, {"enabled": False, "key": "k"}]),
        "model": st.sampled_from(["a", "b", None]),
        "parameters": st.none()
        | st.dictionaries(st.sampled_from(["mark", "n"]), st.sampled_from([0, 1, True, "x"]), max_size=2),
        "messages": st.just([{"role": "user", "content": '{"watermarking": false}'}]),
    },
)


@given(documents, st.booleans(), st.booleans())
def test_exactly_the_tables_members_are_changed(document: Any, spaced: bool, marked: bool) -> None:
    body = json.dumps(document, separators=(" , ", " : ") if spaced else (",", ":")).encode()
    body = b"\xef\xbb\xbf" + body if marked else body
    out = turned_on(DIALECT, body)
    # 1 and true are one number to Python, and not to a server.
    assert json.dumps(read(document), sort_keys=True) == json.dumps(json.loads(out.decode("utf-8-sig")), sort_keys=True)
    assert out.startswith(b"\xef\xbb\xbf") is marked
    assert out == turned_on(DIALECT, out)
    if json.dumps(read(document), sort_keys=True) == json.dumps(document, sort_keys=True):
        assert out is body


async def form() -> AsyncIterator[bytes]:
    yield b"--x"


@pytest.mark.parametrize(
    ("reason", "body"),
    [
        ("it is no JSON in UTF-8", b"--x"),
        ("it is no JSON in UTF-8", b'{"model": "\xff"}'),
        ("it is no JSON in UTF-8", '{"model": "m"}'.encode("utf-16")),
        ("it is no object", b"[]"),
        ("parameters is no object", b'{"parameters": [1]}'),
        ("it is no JSON but goes upstream as it comes", form()),
    ],
)
@pytest.mark.parametrize(("refused", "on_failure"), [(True, "block"), (False, "pass")])
def test_what_cannot_be_changed(refused: bool, on_failure: OnFailure, reason: str, body: Body) -> None:
    told = f"the upstream's own watermark cannot be turned on in this request: {reason}"
    decisions = {"text": Decision(on_failure=on_failure, upstream_watermark=True), "image": Decision()}
    assert Forced(body, frozenset(), told, refused) == forced(DIALECT, MATCH, decisions, body)
    if isinstance(body, bytes):
        with pytest.raises(LabellingError, match=reason):
            turned_on(DIALECT, body)


@pytest.mark.parametrize(
    ("dialect", "match", "decisions", "body"),
    [
        (DIALECT, MATCH, {"text": Decision()}, asks(watermarking=False)),
        (DIALECT, MATCH, {}, asks(watermarking=False)),
        (DIALECT, replace(MATCH, stored=True), FORCE, asks(metadata={"a": "b"})),
        (DIALECT, MATCH, FORCE, None),
        (QUIET, MATCH, FORCE, asks(watermarking=False)),
        (QUIET, MATCH, FORCE, b"--x"),
        (QUIET, MATCH, FORCE, form()),
    ],
)
def test_where_nothing_is_forced_the_request_is_the_clients(
    dialect: Dialect, match: Match, decisions: dict[str, Decision], body: Body
) -> None:
    assert Forced(body) == forced(dialect, match, decisions, body)


@pytest.mark.parametrize("body", [b'{"prompt":"a"}', b"--x", form()])
def test_a_field_of_the_head_goes_whatever_the_body_is(body: Body) -> None:
    images = DIALECTS["openai.images"].spoken_by("siliconflow")
    assert Forced(body, frozenset((b"x-enable-watermark",))) == forced(images, MATCH, FORCE, body)
    assert Forced(body) == forced(images, MATCH, {"image": Decision()}, body)


def test_what_may_be_decided_once_a_text_is_there_forces_beforehand() -> None:
    decisions = {"text": Decision(by_text=(("plain", 0, Decision()), ("code", 0, FORCE["text"])))}
    assert forced(DIALECT, MATCH, decisions, asks(watermarking=False)).body == b'{"parameters":{"mark":1}}'


@pytest.mark.parametrize(
    ("expected", "dialect", "server"),
    [
        (("watermarking",), "openai.chat", "vllm"),
        ((), "openai.chat", "openai"),
        (("sampling_params.watermark", "watermark"), "sglang.generate", "sglang"),
        (("parameters.watermark",), "dashscope.task", "openai"),
        (("the field x-enable-watermark",), "openai.images", "siliconflow"),
        ((), "comfyui", "openai"),
    ],
)
def test_what_is_there_to_force(expected: tuple[str, ...], dialect: str, server: str) -> None:
    assert expected == forceable(DIALECTS[dialect].spoken_by(server))
