"""What spans say, by the name of a dialect and by what was labelled."""

from pathlib import Path

import pytest

from proxy.record.exchange import Item
from proxy.record.span import generation, labelling, operation_of, provider_of

TABLES = Path(__file__).parents[2] / "proxy" / "dialects" / "tables"


@pytest.mark.parametrize(
    ("provider", "operation", "dialect"),
    [
        ("openai", "chat", "openai.chat"),
        ("openai", "chat", "openai.responses"),
        ("openai", "text_completion", "openai.completions"),
        ("openai", "generate_content", "openai.images"),
        ("anthropic", "chat", "anthropic.messages"),
        ("gcp.gemini", "generate_content", "gemini.generate"),
        ("gcp.vertex_ai", "generate_content", "imagen"),
        ("aws.bedrock", "chat", "bedrock.converse"),
        ("mistral_ai", "chat", "mistral.conversations"),
        ("mistral_ai", "text_completion", "mistral.fim"),
        ("cohere", "chat", "cohere.v2"),
        ("ollama", "chat", "ollama.chat"),
        ("ollama", "text_completion", "ollama.generate"),
        ("hunyuan", "chat", "hunyuan"),
        ("hunyuan", "generate_content", "hunyuan.images"),
        ("comfyui", "generate_content", "comfyui"),
    ],
)
def test_who_and_what(provider: str, operation: str, dialect: str) -> None:
    assert (provider, operation) == (provider_of(dialect), operation_of(dialect))
    assert (TABLES / f"{dialect}.yaml").exists()


@pytest.mark.parametrize(
    ("expected", "kinds"),
    [
        ("text", {"text", "image", "audio"}),
        ("image", {"image"}),
        ("speech", {"audio"}),
        ("json", {"json"}),
        (None, {"video"}),
        (None, set[str]()),
    ],
)
def test_what_comes_out(expected: str | None, kinds: set[str]) -> None:
    assert expected == generation("openai.chat", "m", kinds, streaming=False, first_chunk=None).get(
        "gen_ai.output.type"
    )


def test_a_stream_says_when_its_first_piece_came_and_a_model_is_named_where_one_is() -> None:
    assert (
        0.5
        == generation("openai.chat", "m", (), streaming=True, first_chunk=0.5)["gen_ai.response.time_to_first_chunk"]
    )
    whole = generation("openai.chat", "", (), streaming=False, first_chunk=0.5)
    assert {"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.stream"} == set(whole)


def test_what_was_labelled_and_what_was_not() -> None:
    items = [
        Item("a", "image", "data 0", ("badge", "xmp", "header")),
        Item("a-1", "image", "data 1", ("xmp", "header"), "it is too small"),
    ]

    assert {
        "ai_label.policy": "p",
        "ai_label.outcome": "labelled",
        "ai_label.because": ["cn/image"],
        "ai_label.explicit": True,
        "ai_label.implicit": ["header", "xmp"],
        "ai_label.content_id": ["a", "a-1"],
        "ai_label.duration_ms": 1.5,
        "ai_label.skipped_reason": "it is too small",
    } == labelling("labelled", "", ("cn/image",), items, policy="p", milliseconds=1.5)


def test_however_many_things_there_are_few_are_named() -> None:
    items = [Item(str(number), "text", "", ()) for number in range(1000)]
    said = labelling("passed", "why", (), items, policy="p", milliseconds=0)

    assert 16 == len(said["ai_label.content_id"])  # type: ignore[arg-type]
    assert (False, "why") == (said["ai_label.explicit"], said["ai_label.skipped_reason"])
