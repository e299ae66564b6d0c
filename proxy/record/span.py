"""What a trace tells of one exchange: two spans as values, with attributes by the names that others look for.

Law: no attribute holds a prompt, a piece of content, a query, a credential, a user or an address of one. The names
``gen_ai.*`` are those of OpenTelemetry's semantic conventions for generative AI (in development, so they are written
here as they stand and not taken from a library); ``ai_label.*`` are our own, for there is no standard.
"""

from collections.abc import Collection, Iterable
from typing import Final, Literal, NamedTuple

from proxy.record.exchange import Item

__all__ = ["Attributes", "Span", "generation", "labelling", "operation_of", "provider_of"]

Attributes = dict[str, str | bool | int | float | list[str]]

_MOST: Final = 16  # of the items of one exchange: how many are named

# ``gen_ai.provider.name`` by how a dialect's name begins; what is not listed is its own first word.
_PROVIDERS: Final = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "imagen": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "vertex": "gcp.vertex_ai",
}

# ``gen_ai.operation.name`` by how a dialect's name begins, the longest first.
_OPERATIONS: Final = {
    "openai.completions": "text_completion",
    "llamacpp": "text_completion",
    "mistral.fim": "text_completion",
    "ollama.generate": "text_completion",
    "sglang.generate": "text_completion",
    "koboldcpp": "text_completion",
    "tgi": "text_completion",
    "gemini": "generate_content",
    "openai.chat": "chat",
    "openai.responses": "chat",
    "anthropic": "chat",
    "bedrock": "chat",
    "cohere": "chat",
    "dashscope.text": "chat",
    "hunyuan.images": "generate_content",
    "hunyuan": "chat",
    "mistral": "chat",
    "ollama": "chat",
    "qianfan": "chat",
    "zhipu": "chat",
}

# ``gen_ai.output.type``; the conventions have no word for video.
_TYPES: Final = {"json": "json", "text": "text", "image": "image", "audio": "speech"}

_VISIBLE: Final = frozenset({"prefix", "suffix", "badge"})


class Span(NamedTuple):
    """One span. Ids are lower-case hex digits, of a trace 32, of a span 16; ``parent`` is empty where it is the first
    of its trace, and ``remote`` says that the parent is somebody else's. Times are Unix nanoseconds."""

    kind: Literal["server", "client"]
    name: str
    trace_id: str
    id: str
    parent: str
    remote: bool
    begun: int
    ended: int
    attributes: Attributes
    failed: bool


def provider_of(dialect: str) -> str:
    """Who made the API that a dialect names."""
    first = dialect.partition(".")[0]
    return _PROVIDERS.get(first, first)


def operation_of(dialect: str) -> str:
    """What the API that a dialect names does."""
    for beginning, operation in _OPERATIONS.items():
        if dialect.startswith(beginning):
            return operation
    return "generate_content"


def generation(
    dialect: str, model: str, kinds: Collection[str], *, streaming: bool, first_chunk: float | None
) -> Attributes:
    """What is said of the request that goes upstream. ``kinds`` are those of content that its answer may hold, or json,
    ``first_chunk`` the seconds until a stream's first piece was there, None where that is unknown."""
    attributes: Attributes = {
        "gen_ai.operation.name": operation_of(dialect),
        "gen_ai.provider.name": provider_of(dialect),
        "gen_ai.request.stream": streaming,
    }
    if model:
        attributes["gen_ai.request.model"] = model
    if said := next((said for kind, said in _TYPES.items() if kind in kinds), ""):
        attributes["gen_ai.output.type"] = said
    if streaming and first_chunk is not None:
        attributes["gen_ai.response.time_to_first_chunk"] = first_chunk
    return attributes


def labelling(
    outcome: str, reason: str, because: Iterable[str], items: Iterable[Item], *, policy: str, milliseconds: float
) -> Attributes:
    """What is said of the label: ``policy`` is the short digest of the policy set, ``milliseconds`` what it took."""
    items = list(items)
    placed = {one for item in items for one in item.placed}
    skipped = next((item.skipped for item in items if item.skipped), reason)
    attributes: Attributes = {
        "ai_label.policy": policy,
        "ai_label.outcome": outcome,
        "ai_label.because": list(because),
        "ai_label.explicit": not _VISIBLE.isdisjoint(placed),
        "ai_label.implicit": sorted(placed - _VISIBLE),
        "ai_label.content_id": list(dict.fromkeys(item.produce_id for item in items))[:_MOST],
        "ai_label.duration_ms": milliseconds,
    }
    if skipped:
        attributes["ai_label.skipped_reason"] = skipped
    return attributes
