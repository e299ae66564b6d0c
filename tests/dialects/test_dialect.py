"""A dialect says what kinds of content it holds, and which request fields a kind of server knows."""

import pytest

from proxy import shipped
from proxy.dialects.dialect import Dialect
from proxy.dialects.table import parse_dialect

TABLES = {source.path.stem: source.data for source in shipped.dialect_sources()}
CHAT, IMAGES = parse_dialect(TABLES["openai.chat"]), parse_dialect(TABLES["openai.images"])
TASK = parse_dialect(TABLES["ark.task"])  # it begins a video, and its answer holds none


@pytest.mark.parametrize(("expected", "dialect"), [({"text", "image"}, CHAT), ({"image"}, IMAGES), ({"video"}, TASK)])
def test_kinds(expected: set[str], dialect: Dialect) -> None:
    assert expected == dialect.kinds


@pytest.mark.parametrize(
    ("expected", "server"),
    [
        ({"response_format.type"}, "openai"),
        ({"response_format.type"}, ""),
        (
            {
                "response_format.type",
                "guided_json",
                "guided_choice",
                "structured_outputs.json",
                "structured_outputs.choice",
            },
            "vllm",
        ),
        ({"response_format.type", "json_schema"}, "llamacpp"),
    ],
)
def test_claims_that_a_server_knows(expected: set[str], server: str) -> None:
    spoken = CHAT.spoken_by(server)
    assert expected == {claim.condition.path.text for claim in spoken.request.machine}
    assert all(server in one.servers for one in spoken.request.continuation)
    assert all(not flag.servers or server in flag.servers for flag in spoken.request.watermark)
    assert CHAT.request.strip == spoken.request.strip
