"""The statement: all that laws ask for, as far as it is known, once, and nothing about who asked."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.label.provenance import UNTOLD, Grounds, Making, Speaker, statement

SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
BARE = Speaker("Acme Ltd.", "ACME")
ID = "0198c0de00007000800000000000abcd"


def test_all_that_may_be_known() -> None:
    speaker = Speaker("Acme Ltd.", "ACME", "acme-chat", "1.0", "https://ai.example.com", "0123456789abcdef")
    grounds = Grounds(("cn-gb45438", "us-ca-sb1000"), ("c2pa", "synthid"))
    said = statement(speaker, grounds, Making(1795262400, "gpt-image-2", altered=True), ID)
    expected = {
        "ai_generated": True,
        "mode": "altered",
        "provider_name": "Acme Ltd.",
        "provider_id": "ACME",
        "system_name": "acme-chat",
        "system_version": "1.0",
        "model": {"id": "gpt-image-2"},
        "created_at": "2026-11-21T12:00:00Z",
        "content_id": ID,
        "computer_resource_id": "https://ai.example.com",
        "digital_source_type": SOURCE + "compositeWithTrainedAlgorithmicMedia",
        "policy": {"set": "0123456789abcdef", "names": ["cn-gb45438", "us-ca-sb1000"]},
        "upstream_marks": ["c2pa", "synthid"],
    }
    assert list(expected.items()) == list(json.loads(said).items())
    assert said == json.dumps(expected, separators=(",", ":"))


def test_what_is_not_known_is_not_said() -> None:
    expected = {
        "ai_generated": True,
        "mode": "created",
        "provider_name": "Acme Ltd.",
        "provider_id": "ACME",
        "content_id": ID,
        "digital_source_type": SOURCE + "trainedAlgorithmicMedia",
        "policy": {"names": ["eu"]},
    }
    assert expected == json.loads(statement(BARE, Grounds(("eu",)), UNTOLD, ID))


@pytest.mark.parametrize("model", ["", "\ud800", "a\nb", "a\x00", "a\u2028b"])
def test_a_model_whose_name_does_not_print_is_not_named(model: str) -> None:
    assert "model" not in json.loads(statement(BARE, Grounds(), Making(0, model), ID))


@given(
    st.builds(Speaker, *[st.text(max_size=9)] * 6),
    st.builds(Grounds, st.lists(st.text(max_size=9)).map(tuple), st.just(("c2pa",))),
    st.builds(Making, st.none() | st.integers(0, 1 << 36), st.text(max_size=9), st.booleans()),
)
def test_any_text_stands_in_json_as_it_is(speaker: Speaker, grounds: Grounds, making: Making) -> None:
    said = statement(speaker, grounds, making, ID)
    assert said.isascii()
    assert said.isprintable()
    found: dict[str, Any] = json.loads(said)
    assert said == json.dumps(found, separators=(",", ":"))
    for name, value in speaker._asdict().items():
        holder = found["policy"] if name == "policy_set" else found
        assert value == holder.get("set" if name == "policy_set" else name, "")
    assert list(grounds.policies) == found["policy"]["names"]
    assert (making.seconds is None) is ("created_at" not in found)


def test_many_statements_of_one_template_differ_in_what_differs() -> None:
    said = {statement(BARE, Grounds(), Making(seconds), str(seconds)) for seconds in range(300)}
    assert 300 == len(said)
    assert {str(seconds) for seconds in range(300)} == {json.loads(one)["content_id"] for one in said}
